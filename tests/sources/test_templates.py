"""Whole objects of a directory: as JSON has them."""

import itertools
import json
from pathlib import Path

import pytest
from msgspec import structs

from fedns.errors import Problem
from fedns.model.propagation import GROUPS
from fedns.sources import templates

TEXT = """
apiVersion: v1
kind: ConfigMap
metadata: {name: c, creationTimestamp: 2026-01-02T03:04:05Z}
data: &data {1: x, day: 2026-01-02}
more: *data
---
apiVersion: fedns.io/v1alpha1
kind: TrafficPolicy
metadata: {name: t}
spec: {anything: 1}
---
apiVersion: policy.karmada.io/v1alpha1
kind: ClusterOverridePolicy
metadata: {name: o}
spec: {overriders: {}}
"""


def test_objects_policies_and_nothing_that_is_told_to_us(tmp_path: Path) -> None:
    (tmp_path / "all.yaml").write_text(TEXT)
    found = templates.read(str(tmp_path))
    (item,) = found.items
    assert item["metadata"]["creationTimestamp"] == "2026-01-02T03:04:05Z"
    assert item["data"] == {"1": "x", "day": "2026-01-02"} and item["more"] is not item["data"]
    assert [each.title for each in found.overrides] == ["ClusterOverridePolicy o"]
    assert found.whole and not found.problems


def test_policies_are_found_by_file_and_line_wherever_they_move(tmp_path: Path) -> None:
    (tmp_path / "all.yaml").write_text(TEXT)
    version = "one.alibabacloud.com/v1alpha1"
    other: dict[str, object] = {"apiVersion": version, "kind": "OverridePolicy", "metadata": {"name": "p"}}
    items = ({"apiVersion": "v1", "kind": "A"}, other | {"spec": {"overriders": {}}})
    listed = '{"kind": "List", "items": [' + ",\n".join(map(json.dumps, items)) + "]}"
    (tmp_path / "list.json").write_text(listed)
    book = templates.book(str(tmp_path))

    def places() -> dict[str, str]:
        for path in book.look().changed:
            book.read(path)
        found = templates.known(book).places
        return {title: place.rpartition("/")[2] for title, place in found.items()}

    assert places() == {"ClusterOverridePolicy o": "all.yaml:13", "OverridePolicy default/p": "list.json:2"}
    (tmp_path / "all.yaml").write_text("# above\n" + TEXT)
    assert places()["ClusterOverridePolicy o"] == "all.yaml:14"
    (tmp_path / "all.yaml").unlink()
    (tmp_path / "list.json").unlink()
    for path in book.look().removed:
        book.read(path)
    assert templates.known(book).places == {}


def test_of_one_policy_in_several_dialects_or_spellings_one_counts(tmp_path: Path) -> None:
    def policy(group: str, kind: str, priority: int) -> dict[str, object]:
        selects = [{"apiVersion": "v1", "kind": "Service"}]
        spec = {"resourceSelectors": selects, "priority": priority}
        head = {"apiVersion": f"{group}/v1alpha1", "kind": kind, "metadata": {"name": "p"}}
        return {**head, "spec": spec}

    whole, printed = "ClusterPropagationPolicy", "ClutserPropagationPolicy"
    both = [policy("one.alibabacloud.com", printed, 1), policy("one.alibabacloud.com", whole, 2)]
    (tmp_path / "list.json").write_text(json.dumps({"kind": "List", "items": both}))
    served = [policy(group, whole, at) for at, group in enumerate(reversed(GROUPS))]
    for found, priority in ((templates.read(str(tmp_path)), 2), (templates.told(served), 2)):
        assert [each.priority for each in found.policies] == [priority]
        twice = [each for each in found.problems if "in several dialects or spellings" in each.what]
        assert twice and {each.where for each in twice} == {f"{whole} p"}


SPELT = """
apiVersion: {groups[0]}/v1alpha1
kind: PropagationPolicy
metadata: {{name: p, namespace: prod}}
spec:
  resourceSelectors: [{{apiVersion: v1, kind: Service}}]
  {keep}
  conflictResolution: {overwrite}
  placement:
    clusterAffinities: [{{affinityName: one, {names}: [a]}}, {{affinityName: two, {names}: [b, c]}}]
    replicaScheduling:
      weightPreference: {{staticWeightList: [{{targetCluster: {{{names}: [a]}}, weight: 1}}]}}
  suspension: {{dispatchingOnClusters: {{{names}: [c]}}}}
---
apiVersion: {groups[1]}/v1alpha1
kind: {kind}
metadata: {{name: p}}
spec:
  resourceSelectors: [{{apiVersion: v1, kind: Namespace}}]
  placement: {{clusterAffinity: {{{names}: [a]}}}}
---
apiVersion: {groups[2]}/v1alpha1
kind: OverridePolicy
metadata: {{name: p, namespace: prod}}
spec:
  overrideRules:
  - {{targetCluster: {{{names}: [a]}}, overriders: {{plaintext: [{{path: /a, operator: remove}}]}}}}
---
apiVersion: {groups[0]}/v1alpha1
kind: ClusterOverridePolicy
metadata: {{name: p}}
spec: {{targetCluster: {{{names}: [b]}}, overriders: {{plaintext: [{{path: /a, operator: remove}}]}}}}
"""
MISSPELT = "ClutserPropagationPolicy"
WAYS = (
    tuple(itertools.permutations(GROUPS)) + tuple((group,) * 3 for group in GROUPS),
    ("clusterNames", "clusterIds"),
    ("prune: false", "preserveResourcesOnDeletion: true"),
    ("Overwrite", "overwrite"),
    ("ClusterPropagationPolicy", MISSPELT),
)


def test_all_four_kinds_say_the_same_in_every_dialect_and_in_all_at_once(tmp_path: Path) -> None:
    found = []
    for groups, names, keep, overwrite, kind in itertools.product(*WAYS):
        text = SPELT.format(groups=groups, names=names, keep=keep, overwrite=overwrite, kind=kind)
        (tmp_path / "all.yaml").write_text(text)
        read = templates.read(str(tmp_path))
        policies = [structs.replace(each, doubts=()) for each in read.policies]
        found.append((sorted(policies, key=lambda each: each.title), read.overrides, read.whole))
        told = ["the kind is spelt ClusterPropagationPolicy"] if kind == MISSPELT else []
        assert [each.what.partition(": ")[2] for each in read.problems] == told
    assert len(found) == 9 * 16 and all(each == found[0] for each in found)
    policies, overrides, whole = found[0]
    assert len(policies) == len(overrides) == 2 and whole


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ("&a {b: *a}", "contains itself"),
        ("{null: x}", "a key that is null"),
        ("{b: .inf}", "no word for `inf`"),
        ("{b: !!binary aGk=}", "no word for"),
    ],
)
def test_what_json_has_no_word_for_is_told(tmp_path: Path, data: str, told: str) -> None:
    (tmp_path / "a.yaml").write_text(
        f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c}}\ndata: {data}\n"
    )
    found = templates.read(str(tmp_path))
    assert not found.items and found.problems[0].where.endswith("a.yaml:1") and told in found.problems[0].what


def test_a_policy_with_a_strange_name_is_told_by_it() -> None:
    version = f"{GROUPS[0]}/v1alpha1"
    (found,) = templates.told(
        [{"apiVersion": version, "kind": "OverridePolicy", "metadata": {"name": True}}]
    ).problems
    assert found.where == "OverridePolicy True" and "in quotes it is text" in found.hint


def test_problems_of_policies_are_located() -> None:
    told = [Problem("P a/b: Service a/c", "odd", "do"), Problem("member m", "far"), Problem("P a/b", "bad")]
    assert list(map(str, templates.located(told, {"P a/b": "f.yaml:3"}))) == [
        "f.yaml:3: P a/b: Service a/c: odd (do)",
        "member m: far",
        "f.yaml:3: P a/b: bad",
    ]


def test_a_directory_that_cannot_be_read_whole(tmp_path: Path) -> None:
    (tmp_path / "all.yaml").write_text("a: [")
    found = templates.read(str(tmp_path))
    assert not found.whole and len(found.problems) == 1


def test_no_directory(tmp_path: Path) -> None:
    with pytest.raises(OSError):
        templates.read(str(tmp_path / "none"))


def test_a_file_alone(tmp_path: Path) -> None:
    for name in ("all.yaml", "other.yaml"):
        (tmp_path / name).write_text(TEXT)
    found = templates.read(str(tmp_path / "all.yaml"))
    assert len(found.items) == len(found.overrides) == 1 and not found.problems


def test_what_is_odd_and_counts_is_a_warning_and_hides_nothing() -> None:
    spec = {"resourceSelectors": [{"apiVersion": "v1", "kind": "Service"}], "schedulerName": "mine"}
    meta = {"name": "p", "namespace": "n"}
    version = "policy.karmada.io/v1alpha1"
    odd = {"apiVersion": version, "kind": "PropagationPolicy", "metadata": meta, "spec": spec}
    told = templates.told([odd])
    assert [each.severity for each in told.problems] == ["warning"]
    assert told.whole and len(told.policies) == 1
    wrong = templates.told([{**odd, "spec": {**spec, "priority": "high"}}])
    assert [each.severity for each in wrong.problems] == ["error"] and not wrong.whole
