"""`fedns plan` beside `kubectl diff --server-side`, on a real API server: the same fields change."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from fedns.cli import exhibit
from fedns.placement import plan
from tests.envtest import clusters
from tests.scenarios import test_plan_server as stages
from tests.scenarios import world

KEPT = '#!/bin/sh\ncp -r "$1" "$OUT/live" && cp -r "$2" "$OUT/merged"\nexit 1\n'
"""Instead of `diff`: what it is asked to compare stays."""
REVISIONS = [
    *stages.REVISIONS[:3],
    [
        stages.service(stages.HTTPS, {"port": 9, "name": "new", "protocol": "UDP"}, annotations={"a": "b"}),
        stages.deployment(stages.C, stages.A, command=["x"], resources={"requests": {"cpu": "0.5"}}),
        stages.settings(a="1", text="two\nlines\n"),
    ],
]
GIVEN = ("clusterIP", "clusterIPs", "nodePort")
"""What every dry run gives out anew."""


class Pair(NamedTuple):
    """An object before and after; before is empty where it is not there yet."""

    before: Any
    after: Any

    @property
    def changes(self) -> dict[str, Any]:
        """Path -> what stands there then; None: nothing any more."""
        before, after = dict(_leaves(self.before)), dict(_leaves(self.after))
        both = before.keys() | after.keys()
        return {path: after.get(path) for path in both if before.get(path) != after.get(path)}


def _leaves(found: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    rows = found.items() if isinstance(found, dict) else enumerate(found) if isinstance(found, list) else ()
    if not rows:
        yield path, found
    for name, each in rows:
        if name not in GIVEN:
            yield from _leaves(each, f"{path}/{name}")


class Diff:
    """`kubectl diff` with somebody else to compare."""

    def __init__(self, root: Path, kubectl: Path, cluster: clusters.Cluster) -> None:
        self._root, script = root, root / "differ"
        script.write_text(KEPT)
        script.chmod(0o755)
        config = cluster.kubeconfig(root / "kubectl.kubeconfig")
        self._command = [str(kubectl), "--kubeconfig", str(config), "diff", "--server-side"]
        self._command += ["--field-manager=fedns", "-f", "-"]
        self._count = 0

    def of(self, step: plan.Step) -> Pair:
        self._count += 1
        out = self._root / f"diff-{self._count}"
        out.mkdir()
        told = {**os.environ, "KUBECTL_EXTERNAL_DIFF": str(self._root / "differ"), "OUT": str(out)}
        text = json.dumps(step.sent)
        done = subprocess.run(self._command, input=text, env=told, capture_output=True, text=True, timeout=60)
        assert done.returncode == 1, done.stderr
        pair = [
            [yaml.safe_load(path.read_text()) for path in (out / each).iterdir()]
            for each in ("live", "merged")
        ]
        before, after = (rows[0] if rows and rows[0] else {} for rows in pair)
        return Pair(before and exhibit.shown(before), exhibit.shown(after))


@pytest.fixture
def stage(tmp_path: Path, farm: clusters.Farm) -> stages.Stage:
    return stages.Stage(tmp_path, farm.clusters[1])


def planned(stage: stages.Stage, *words: str) -> dict[str, Pair]:
    """Object -> as the command tells it."""
    command = [*world.FEDNS, "plan", "-o", "json", "--config", str(stage.root / "fedns.yaml"), *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)["steps"]
    return {row["object"]["kind"]: Pair(row["before"] or {}, row["after"]) for row in rows}


def test_the_same_fields_change_as_kubectl_says(stage: stages.Stage, farm: clusters.Farm) -> None:
    diff = Diff(stage.root, farm.kubectl, stage.cluster)
    for number, objects in enumerate(REVISIONS):
        stage.told(objects)
        made, alone, asked = stage.planned(), planned(stage), planned(stage, "--server")
        assert [each.action for each in made.work] == ["update" if number else "create"] * 3
        for step in made.work:
            theirs = diff.of(step).changes
            assert theirs and asked[step.ref.kind].changes == theirs, (number, step.ref)
            own = alone[step.ref.kind].changes.keys()
            assert own <= theirs.keys(), ("but for defaults of what is new", number, step.ref)
        stage.carry_out(made)
    stage.cluster.call(
        "PATCH",
        stages.RESOURCES["Service"].path(clusters.NAMESPACE, "web"),
        {"metadata": {"labels": {"own": "x"}}},
        "merge-patch+json",
    )
    assert stage.planned().work == (), "what others added stays"
