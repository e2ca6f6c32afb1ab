"""`fedns plan` on directories: what people see, what programs get, and when it fails."""

import base64
import json
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from fedns.cli import codes, main
from fedns.placement import item, template
from tests.fakes import kubecluster
from tests.placement import worlds

CONFIG = """federation: f
domain: example.com
fleet: {manifests: fleet, namespaces: false}
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
OVERRIDE = """apiVersion: policy.karmada.io/v1alpha1
kind: OverridePolicy
metadata: {name: fewer, namespace: prod}
spec:
  overrideRules:
  - {overriders: {plaintext: [{path: /spec/replicas, operator: replace, value: 1}]}}
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
    assert "Service prod/web does not go to b: it is none of a" in said("--why")


def test_what_no_policy_selects_is_told_with_what_it_lacks(home: Path) -> None:
    (home / "fleet" / "more.yaml").write_text(
        worlds.DEPLOYMENT + "---" + worlds.SERVICE.replace("prod", "dev").replace("v1", "v1beta1")
    )
    shown = said("web", "--why")
    assert "Deployment prod/web goes nowhere: no policy selects any Deployment" in shown
    why = "no policy selects it: PropagationPolicy prod/web is for its own namespace"
    assert f"Service dev/web goes nowhere: {why}" in shown


def test_a_plan_is_narrowed_to_objects_kinds_and_members(home: Path) -> None:
    (home / "fleet" / "secret.yaml").write_text(SECRET)
    for words in (("web",), ("prod/w*",), ("service/web",), ("services/prod/web",), ("-k", "service")):
        steps = told(*words)["steps"]
        assert [each["object"]["name"] for each in steps] == ["web"], words
    assert told("--member", "b")["steps"] == [] and "1 to create" in said("-m", "a", "web")
    assert "nope: neither the fleet nor a copy has that name" in said("nope", code=codes.PROBLEMS)


def test_members_of_which_the_same_is_told_are_told_of_together(home: Path) -> None:
    (home / "fleet" / "policy.yaml").write_text(POLICY.replace("[a]", "[a, b]"))
    shown = said()
    assert "2 members alike: a, b\n  + create Service prod/web\n" in shown and shown.count("+ create") == 1


def test_a_long_plan_is_told_in_rows(home: Path) -> None:
    (home / "fleet" / "policy.yaml").write_text(POLICY.replace("[a]", "[a, b]"))
    many = [worlds.SERVICE.replace("web", f"s{at:03}") for at in range(200)]
    (home / "fleet" / "web.yaml").write_text("---".join(many))
    shown = said()
    assert "  + create 200 Service in prod: s000, s001, s002, s003 ... s199\n" in shown
    assert "a, b (2)  200        -  " in shown and len(shown.splitlines()) < 12
    assert "+  name: s117" in said("--diff") and "+  name: s117" in said("s117")


def test_colour_is_for_terminals_or_for_who_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "\x1b[" not in said() and "\x1b[32m" in said("--color", "always")
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[3" not in said()
    assert "\x1b[3" not in said("--color", "never")


def test_a_plan_that_was_carried_out_has_nothing_to_do(home: Path) -> None:
    carry_out(home)
    (step,) = told()["steps"]
    assert step["action"] == "keep" and step["patch"] == []
    assert "= keep Service" in said("--why") and "keep Service" not in said()


def test_namespaces_and_the_default_policy_tell_why(home: Path) -> None:
    told = home / "fedns.yaml"
    told.write_text(told.read_text().replace("namespaces: false", "services: true"))
    (home / "fleet" / "policy.yaml").unlink()
    shown = said()
    assert "+ create Namespace prod" in shown and "Service prod/web goes there" in shown
    assert "the default policy takes it: a federated Service that no policy selects" in shown


def test_nobody_writes_out_what_is_not_shown(home: Path) -> None:
    written: list[object] = []

    def watch(frame: types.FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code is item.Ref.__repr__.__code__:
            written.append(frame.f_locals)

    sys.setprofile(watch)
    try:
        shown = said()
    finally:
        sys.setprofile(None)
    assert "+ create Service" in shown and not written


def test_an_update_is_a_difference_and_a_patch(home: Path) -> None:
    carry_out(home)
    (home / "fleet" / "web.yaml").write_text(worlds.SERVICE.replace("80", "81"))
    (step,) = told()["steps"]
    assert step["action"] == "update"
    assert step["patch"] == [{"op": "add", "path": "/spec/ports/1", "value": {"port": 81}}]
    assert "+  - port: 81" in said()


TEXT = """
apiVersion: v1
kind: ConfigMap
metadata: {name: conf, namespace: prod}
data:
  conf: "first;\\n\\tsecond;  \\n\\n third: '3' # 3\\n"
  last: "no\\nend"
  list: "- one\\n\\n"
  own: "\\ue000text9\\ue000"
"""


def test_of_a_text_of_many_lines_the_line_that_differs_is_shown(home: Path) -> None:
    (home / "fleet" / "policy.yaml").write_text(POLICY.replace("kind: Service", "kind: ConfigMap"))
    (home / "fleet" / "web.yaml").write_text(TEXT)
    made = [line[6:] for line in said().splitlines()]
    at = made.index("+data:")
    assert made[at + 1 : at + 3] == ["+  conf: |", "+    first;"]
    assert "+     third: '3' # 3" in made and "+  last: |-" in made and "+    end" in made
    carry_out(home)
    (home / "fleet" / "web.yaml").write_text(TEXT.replace("third: '3'", "third: '4'"))
    changed = [line for line in said().splitlines() if line[6:7] in ("-", "+")]
    assert [line[6:] for line in changed] == ["-     third: '3' # 3", "+     third: '4' # 3"]


def test_more_than_half_gone_needs_to_be_meant(home: Path) -> None:
    carry_out(home)
    (home / "fleet" / "web.yaml").unlink()
    lost = "a would lose 1 of the 1 objects it has from us"
    assert f"{lost}: if that is meant, say --yes-really" in said(code=codes.PROBLEMS)
    meant = said("--yes-really")
    assert "- delete Service prod/web" in meant and lost in meant and "if that is meant" not in meant
    assert told("--yes-really")["losses"][0] == {"member": "a", "gone": 1, "ours": 1, "dangerous": True}


def test_a_member_that_serves_what_is_taken_away_is_told(home: Path) -> None:
    carry_out(home)
    for name, count in (("a", 2), ("b", 1)):
        rows = [{"addresses": [f"10.0.0.{at}"], "conditions": {"ready": True}} for at in range(count)]
        meta = {"name": "web-1", "namespace": "prod", "labels": {"kubernetes.io/service-name": "web"}}
        made = {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": meta}
        (home / name / "endpoints.json").write_text(json.dumps({**made, "endpoints": rows}))
    (home / "fleet" / "policy.yaml").write_text(POLICY.replace("[a]", "[b]"))
    shown = said("--yes-really")
    assert (
        "warning: Service prod/web in a: it still serves (2 of 3 ready endpoints), and is not drai" in shown
    )
    (home / "b" / "endpoints.json").unlink()
    warnings = told("--yes-really")["warnings"]
    config = home / "fedns.yaml"
    config.write_text(config.read_text().replace("namespaces: false", "namespaces: false, distribute: true"))
    assert "nobody else does yet (its copy stays until they have left, and 10m at most" in said(
        "web", code=codes.PROBLEMS
    )
    assert [each["where"] for each in warnings if "NOBODY IS LEFT" in each["what"]] == [
        "Service prod/web in a"
    ]


def test_an_unknown_member_is_an_error(home: Path) -> None:
    (home / "fleet" / "policy.yaml").write_text(POLICY.replace("[a]", "[aa]"))
    (told,) = [line for line in said(code=codes.PROBLEMS).splitlines() if line.startswith("error: ")]
    assert told.endswith(
        "fleet/policy.yaml:2: PropagationPolicy prod/web: there is no member aa (did you mean a?)"
    )


def test_warnings_name_the_line_of_the_policy_and_what_to_do(home: Path) -> None:
    other = POLICY.replace("name: web", "name: other").replace("kind: Service", "kind: Service, name: wb")
    (home / "fleet" / "policy.yaml").write_text(f"# two of them\n{POLICY}---{other}")
    assert "fleet/policy.yaml:10: PropagationPolicy prod/other: its selector of Service wb (v1)" in said()
    assert "matches nothing (did you mean web?)" in said()
    (home / "fleet" / "web.yaml").unlink()
    assert "its selector of any Service (v1) matches nothing" in said()
    (home / "fleet" / "policy.yaml").write_text(
        POLICY.replace("kind: Service", "kind: Service, labelSelector: {matchLabels: {app: web}}")
    )
    assert "its selector of any Service with the labels app In web (v1) matches nothing" in said()


def test_an_override_that_cannot_be_applied_is_told_with_its_line(home: Path) -> None:
    (home / "fleet" / "over.yaml").write_text(OVERRIDE)
    shown = said(code=codes.PROBLEMS)
    where = "fleet/over.yaml:1: OverridePolicy prod/fewer: Service prod/web in a: "
    assert f"{where}replace /spec/replicas 1: " in shown and "correct the policy; other objects" in shown
    assert "1 refused" in shown and shown.startswith("error: ")
    many = (worlds.SERVICE.replace("name: web", f"name: w{at}") for at in range(9))
    (home / "fleet" / "web.yaml").write_text("---".join(many))
    assert said(code=codes.PROBLEMS).count("error: ") == 4, "three, and how many more"


def test_an_override_that_beats_the_schedule_is_named(home: Path) -> None:
    (home / "fleet" / "web.yaml").write_text(worlds.DEPLOYMENT)
    (home / "fleet" / "policy.yaml").write_text(
        POLICY.replace("v1, kind: Service", "apps/v1, kind: Deployment")
    )
    (home / "fleet" / "over.yaml").write_text(OVERRIDE)
    where = "fleet/over.yaml:1: OverridePolicy prod/fewer: Deployment prod/web in a: "
    assert f"{where}an override makes its replicas 1, 6 were scheduled (if that is not meant, " in said()


def test_problems_of_files_are_told_with_their_lines(home: Path) -> None:
    (home / "fleet" / "policy.yaml").write_text(POLICY.replace("kind: Prop", "kind: ClutserProp"))
    shown = said()
    assert (
        "warning: " in shown and "policy.yaml:2: ClutserPropagationPolicy prod/web: the kind is sp" in shown
    )
    assert said("--strict", code=codes.PROBLEMS) == shown
    (told_once,) = told()["problems"]
    assert told_once["severity"] == "warning"


def test_what_cannot_be_read_is_a_reason_to_fail(home: Path) -> None:
    (home / "fleet" / "policy.yaml").write_text(POLICY.replace("placement", "placements"))
    assert "problem: " in said(code=codes.PROBLEMS)


def test_a_fleet_that_cannot_be_read(home: Path) -> None:
    for path in (home / "fleet").iterdir():
        path.unlink()
    (home / "fleet").rmdir()
    assert "cannot be read" in said(code=codes.PROBLEMS)


def test_secrets_are_hidden(home: Path) -> None:
    (home / "fleet" / "secret.yaml").write_text(SECRET)
    assert "hunter2" not in said() + said("-o", "json") and "(hidden, " in said()


def test_nothing_secret_is_told_of_what_kubectl_applied(home: Path) -> None:
    """It keeps a copy of the whole object in an annotation."""
    (home / "fleet" / "secret.yaml").write_text(SECRET)
    carry_out(home)
    path = home / "a" / "Secret-s.json"
    theirs = json.loads(path.read_text())
    theirs["metadata"]["annotations"][template.APPLIED] = json.dumps({"stringData": {"password": "hunter2"}})
    path.write_text(json.dumps(theirs | {"stringData": {"password": "another"}}))
    shown = said() + said("-o", "json") + said("--why", "--diff")
    assert "~ update Secret" in shown and "hunter2" not in shown


def test_what_is_only_in_another_order_is_no_difference(home: Path) -> None:
    carry_out(home)
    path = home / "a" / "Service-web.json"
    theirs = json.loads(path.read_text())
    theirs["metadata"] = dict(reversed(theirs["metadata"].items()))
    theirs["spec"] = dict(reversed(theirs["spec"].items())) | {"type": "ClusterIP"}
    path.write_text(json.dumps(theirs))
    changed = [line for line in said().splitlines() if line.startswith(("      +", "      -"))]
    assert changed == ["      -  type: ClusterIP", "      +  type: LoadBalancer"]


def test_words_that_mean_nothing_are_told_and_never_pass_for_a_plan_with_nothing_to_do() -> None:
    for words, told in {
        ("nope",): "nope: neither the fleet nor a copy has that name (kinds looked at: Secret, Service)",
        ("-m", "aa"): "aa: there is no such member (there are a, b)",
        ("-k", "deploy"): "deploy: neither a policy nor an object is of that kind (there are Secret, Service",
    }.items():
        assert told in said(*words, code=codes.PROBLEMS)
    assert "1 to create" in said("svc/web") and "1 to create" in said("-k", "svc", "-m", "?")


def test_a_broken_configuration(home: Path) -> None:
    (home / "fedns.yaml").write_text("federation: f\n")
    assert "domain" in said(code=codes.PROBLEMS)


SERVED = """federation: f
domain: example.com
fleet: {api: {server: FLEET}, namespaces: false}
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
    made = told(code=codes.PROBLEMS)
    assert [(each["member"], each["action"]) for each in made["steps"]] == [("a", "create")]
    assert [each["where"] for each in made["problems"]] == ["member b"]
    assert not [line for line in served.log() if line.startswith(("PATCH", "POST", "PUT"))]


def test_the_server_is_asked_what_it_would_make_of_it(served: kubecluster.Cluster) -> None:
    (step,) = told("--server", code=codes.PROBLEMS)["steps"]
    assert step["action"] == "create" and step["why"][-1] == "the server would take it"
    assert step["after"]["spec"]["clusterIP"], "what the server gives out is shown"
    assert "dryRun=All" in served.log()[-1]
    status, _ = served.request("GET", "/api/v1/namespaces/prod/services/web")
    assert status == 404


def test_what_the_server_refuses_is_told(served: kubecluster.Cluster) -> None:
    served.delete(kubecluster.namespace("prod"))
    (step,) = told("--server", code=codes.PROBLEMS)["steps"]
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
    made = told(code=codes.PROBLEMS)
    assert made["errors"] == [] and [each["where"] for each in made["problems"]] == ["member far"]
    (step,) = made["steps"]
    assert (step["member"], step["action"], step["object"]["name"]) == ("a", "update", "web"), (
        "fleet and member"
    )
