"""`fedns plan` on directories: what people see, what programs get, and when it fails."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from fedns.cli import codes, main
from tests.fakes import kubecluster
from tests.placement import worlds

CONFIG = """federation: f
domain: example.com
fleet: {manifests: fleet}
members:
- {name: a, region: eu, manifests: a}
- {name: b, region: us, manifests: b}
"""
POLICY = """
apiVersion: policy.karmada.io/v1alpha1
kind: PropagationPolicy
metadata: {name: web, namespace: prod}
spec:
  resourceSelectors: [{apiVersion: v1, kind: Service}, {apiVersion: v1, kind: Secret}]
  placement: {clusterAffinity: {clusterNames: [a]}}
"""
SECRET = (
    "{apiVersion: v1, kind: Secret, metadata: {name: s, namespace: prod}, stringData: {password: hunter2}}"
)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fedns.yaml").write_text(CONFIG)
    for name in ("fleet", "a", "b"):
        (tmp_path / name).mkdir()
    (tmp_path / "fleet" / "web.yaml").write_text(worlds.SERVICE)
    (tmp_path / "fleet" / "policy.yaml").write_text(POLICY)
    return tmp_path


def said(*words: str, code: int = codes.OK) -> str:
    done = CliRunner().invoke(main.app, ["plan", *words])
    assert done.exit_code == code, done.output
    return done.output


def told(*words: str, code: int = codes.OK) -> Any:
    return json.loads(said("-o", "json", *words, code=code))


def carry_out(home: Path) -> None:
    """What the plan wants, put into the members' directories."""
    for step in told()["steps"]:
        path = home / step["member"] / f"{step['object']['kind']}-{step['object']['name']}.json"
        path.write_text(json.dumps(step["after"]))


def test_creations_with_their_reasons_and_the_object() -> None:
    shown = said()
    assert "member a\n  + create Service prod/web\n" in shown
    assert "      PropagationPolicy prod/web selects it by kind\n" in shown
    assert "      +kind: Service\n" in shown and "member b" not in shown


def test_what_does_not_go_where_is_told_on_demand() -> None:
    assert "Service prod/web does not go there: it is none of a" in said("--why")


def test_a_plan_that_was_carried_out_has_nothing_to_do(home: Path) -> None:
    carry_out(home)
    (step,) = told()["steps"]
    assert step["action"] == "keep" and step["patch"] == []
    assert "= keep Service" in said("--why") and "keep Service" not in said()


def test_an_update_is_a_difference_and_a_patch(home: Path) -> None:
    carry_out(home)
    (home / "fleet" / "web.yaml").write_text(worlds.SERVICE.replace("80", "81"))
    (step,) = told()["steps"]
    assert step["action"] == "update"
    assert step["patch"] == [{"op": "add", "path": "/spec/ports/1", "value": {"port": 81}}]
    assert "+  - port: 81" in said()


def test_more_than_half_gone_needs_to_be_meant(home: Path) -> None:
    carry_out(home)
    (home / "fleet" / "web.yaml").unlink()
    assert "a would lose 1 of the 1 objects it has from us" in said(code=codes.PROBLEMS)
    assert "- delete Service prod/web" in said("--yes-really")
    assert told("--yes-really")["losses"][0] == {"member": "a", "gone": 1, "ours": 1, "dangerous": True}


def test_an_unknown_member_is_an_error(home: Path) -> None:
    (home / "fleet" / "policy.yaml").write_text(POLICY.replace("[a]", "[aa]"))
    assert "error: PropagationPolicy prod/web: there is no member aa (did you mean a?)" in said(
        code=codes.PROBLEMS
    )


def test_problems_of_files_are_told_with_their_lines(home: Path) -> None:
    (home / "fleet" / "policy.yaml").write_text(POLICY.replace("kind: Prop", "kind: ClutserProp"))
    assert "fleet/policy.yaml:2: ClutserPropagationPolicy prod/web: the kind is spelt" in said()


def test_a_fleet_that_cannot_be_read(home: Path) -> None:
    for path in (home / "fleet").iterdir():
        path.unlink()
    (home / "fleet").rmdir()
    assert "cannot be read" in said(code=codes.PROBLEMS)


def test_secrets_are_hidden(home: Path) -> None:
    (home / "fleet" / "secret.yaml").write_text(SECRET)
    assert "hunter2" not in said() + said("-o", "json") and "(hidden, " in said()


def test_a_broken_configuration(home: Path) -> None:
    (home / "fedns.yaml").write_text("federation: f\n")
    assert "domain" in said(code=codes.PROBLEMS)


SERVED = """federation: f
domain: example.com
fleet: {api: {server: FLEET}}
members:
- {name: a, api: {server: MEMBER}}
- {name: b, api: {server: "http://127.0.0.1:9"}}
"""


@pytest.fixture
def served(home: Path) -> Iterator[kubecluster.Cluster]:
    """A member that is an API server; the fleet stays a directory, and one more member is not there."""
    with kubecluster.running() as cluster:
        cluster.put(kubecluster.namespace("prod"))
        text = SERVED.replace("MEMBER", cluster.url).replace("api: {server: FLEET}", "manifests: fleet")
        (home / "fedns.yaml").write_text(text)
        yield cluster


def test_members_that_are_api_servers_are_asked(served: kubecluster.Cluster) -> None:
    made = told()
    assert [(each["member"], each["action"]) for each in made["steps"]] == [("a", "create")]
    assert [each["where"] for each in made["problems"]] == ["member b"]
    assert not [line for line in served.log() if line.startswith(("PATCH", "POST", "PUT"))]


def test_the_server_is_asked_what_it_would_make_of_it(served: kubecluster.Cluster) -> None:
    (step,) = told("--server")["steps"]
    assert step["action"] == "create" and step["why"][-1] == "the server would take it"
    assert step["after"]["spec"]["clusterIP"], "what the server gives out is shown"
    assert "dryRun=All" in served.log()[-1]
    status, _ = served.request("GET", "/api/v1/namespaces/prod/services/web")
    assert status == 404


def test_what_the_server_refuses_is_told(served: kubecluster.Cluster) -> None:
    served.delete(kubecluster.namespace("prod"))
    (step,) = told("--server")["steps"]
    assert step["action"] == "refuse" and "the server refuses it: 404" in step["why"][-1]


def test_a_fleet_that_is_an_api_server_and_registers_members(served: kubecluster.Cluster, home: Path) -> None:
    fleet = SERVED.replace("FLEET", served.url).replace("MEMBER", served.url)
    (home / "fedns.yaml").write_text(fleet.partition("- {name: b")[0])
    registered = {"apiVersion": "fedns.io/v1alpha1", "kind": "MemberCluster", "metadata": {"name": "far"}}
    secret: Any = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "far", "namespace": "fedns"}}
    secret["metadata"]["labels"] = {"fedns.io/credentials": "member"}
    served.put(
        registered | {"spec": {"server": "https://127.0.0.1:9", "secretRef": {"name": "far"}}},
        secret | {"data": {"token": base64.b64encode(b"t").decode()}},
        worlds.one(POLICY),
        worlds.one(worlds.SERVICE),
    )
    made = told()
    assert made["errors"] == [] and [each["where"] for each in made["problems"]] == ["member far"]
    (step,) = made["steps"]
    assert (step["member"], step["action"], step["object"]["name"]) == ("a", "update", "web"), (
        "fleet and member"
    )
