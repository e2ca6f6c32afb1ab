"""`fedns rbac`: per cluster, the least that this configuration needs."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from fedns.cli import codes, main
from fedns.distribute import rights, warrant
from tests.fakes import kubecluster

CONFIG = """federation: f
domain: example.com
fleet: {api: {in_cluster: true}}
members:
- name: home
  api: {in_cluster: true}
- name: far
  kubeconfig: far.conf
  exports: true
- name: flat
  manifests: .
"""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fedns.yaml").write_text(CONFIG)
    return tmp_path


def said(*words: str, code: int = codes.OK) -> str:
    done = CliRunner().invoke(main.app, ["rbac", *words])
    assert done.exit_code == code, done.output
    return done.output


def resources(objects: list[dict[str, Any]]) -> set[str]:
    return {one for each in objects for rule in each.get("rules", ()) for one in rule["resources"]}


def test_a_cluster_that_is_fleet_and_member_grants_both_to_one_account() -> None:
    objects = list(yaml.safe_load_all(said("--member", "home")))
    assert objects == list(yaml.safe_load_all(said("--member", "fleet")))
    assert {one["metadata"]["name"] for one in objects} == {"fedns"}
    assert {"services", "trafficpolicies", "secrets", "leases"} <= resources(objects)


def test_a_member_grants_what_is_configured_for_it() -> None:
    told = said("--member", "far")
    assert "# To be applied in the cluster of member far: " in told and "# which endpoints are ready" in told
    objects = list(yaml.safe_load_all(told))
    assert [one["kind"] for one in objects] == [
        "Namespace",
        "ServiceAccount",
        "ClusterRole",
        "ClusterRoleBinding",
    ]
    assert resources(objects) == {
        "namespaces",
        "services",
        "endpointslices",
        "nodes",
        "serviceexports",
        "clusterproperties",
    }


def test_programs_get_all_clusters_at_once() -> None:
    told = json.loads(said("-o", "json"))["clusters"]
    assert [one["cluster"] for one in told] == [["fleet", "home"], ["far"]]
    assert said().count("# To be applied in") == 2
    assert list(yaml.safe_load_all(said())) == [each for one in told for each in one["objects"]]


def test_nothing_is_written_where_the_fleet_says_so(home: Path) -> None:
    (home / "fedns.yaml").write_text(
        CONFIG.replace("in_cluster: true}}", "in_cluster: true}, status: false}", 1)
    )
    assert "patch" not in said() and "leases" not in said()


@pytest.mark.parametrize(
    ("member", "words"), [("flat", "is no API server"), ("none", "known: fleet, home, far")]
)
def test_others_have_nothing_to_grant(member: str, words: str) -> None:
    assert words in said("--member", member, code=codes.PROBLEMS)


def test_a_configuration_that_cannot_be_used(home: Path) -> None:
    (home / "fedns.yaml").write_text("federation: f\n")
    assert "'domain' is missing" in said(code=codes.PROBLEMS)


def test_imports_are_written_by_whoever_holds_the_lease_of_the_fleet_else_of_the_member(home: Path) -> None:
    write = "clusterset: {write: true, slices: true}\n"
    (home / "fedns.yaml").write_text(CONFIG + write)
    objects = list(yaml.safe_load_all(said("--member", "far")))
    assert {"serviceimports", "serviceimports/status", "serviceexports/status"} <= resources(objects)
    assert "leases" not in resources(objects) and "Role" not in {one["kind"] for one in objects}
    assert "leases" in resources(list(yaml.safe_load_all(said("--member", "home"))))
    (home / "fedns.yaml").write_text(CONFIG.replace("fleet: {api: {in_cluster: true}}\n", "") + write)
    objects = list(yaml.safe_load_all(said("--member", "far")))
    (role,) = (one for one in objects if one["kind"] == "Role")
    assert resources([role]) == {"leases"} and role["metadata"]["namespace"] == "fedns"


POLICY = """apiVersion: policy.karmada.io/v1alpha1
kind: PropagationPolicy
metadata: {name: p, namespace: web}
spec:
  resourceSelectors: [{apiVersion: apps/v1, kind: Deployment}]
  propagateDeps: true
  placement: {clusterAffinity: {clusterNames: [c1, eu]}}
"""
FLEET = """federation: f
domain: example.com
fleet: {{kubeconfig: {fleet}, distribute: true}}
members:
- {{name: far, kubeconfig: far.conf, aliases: [c1]}}
- {{name: flat, manifests: .}}
"""


@pytest.fixture
def hub(home: Path) -> Iterator[kubecluster.Cluster]:
    """A fleet that registers two members, and has a policy for one of them."""
    with kubecluster.running() as cluster:
        cluster.kubeconfig(home / "fleet")
        cluster.put(
            *(kubecluster.registered(name, cluster, server=f"https://{name}:6443") for name in ("eu", "us"))
        )
        (home / "fedns.yaml").write_text(FLEET.format(fleet="fleet"))
        cluster.put(yaml.safe_load(POLICY))
        yield cluster


def granted(objects: list[dict[str, Any]], plural: str) -> set[str]:
    rules = [rule for each in objects for rule in each.get("rules", ())]
    return {verb for rule in rules if plural in rule["resources"] for verb in rule["verbs"]}


@pytest.mark.parametrize("word", ["fleet", "policies"])
def test_for_policies_of_the_fleet_and_of_a_directory_registered_members_count(
    hub: kubecluster.Cluster, home: Path, word: str
) -> None:
    (home / "policies").mkdir()
    (home / "policies" / "p.yaml").write_text(POLICY)
    told = json.loads(said("--for-policies", word, "-o", "json"))["clusters"]
    found = {name: one["objects"] for one in told for name in one["cluster"]}
    assert set(found) == {"fleet", "far", "eu"}, "no policy chooses us, and nobody writes into a directory"
    for name in ("far", "eu"):
        assert {one["metadata"]["name"] for one in found[name]} == {"fedns", "fedns-reader", "fedns-writer"}
        assert granted(found[name], "deployments") == set(warrant.WRITE)
        assert granted(found[name], "secrets") == set(warrant.WRITE)
    assert granted(found["fleet"], "deployments") == {"list", "watch"}
    assert granted(found["fleet"], "deployments/status") == {"patch"}
    assert not granted(found["fleet"], "propagationpolicies"), "that is granted by what is printed without"
    assert granted(list(yaml.safe_load_all(said("--member", "fleet"))), "propagationpolicies") == {
        "list",
        "watch",
    }
    text = said("--for-policies", word, "--member", "eu")
    assert "# To be applied in the cluster of member eu: " in text and "(propagateDeps)" in text


def test_one_who_is_not_where_fedns_runs_names_the_fleet(hub: kubecluster.Cluster, home: Path) -> None:
    (home / "fedns.yaml").write_text(CONFIG)
    words = ("--for-policies", "fleet", "--member", "eu")
    assert "the fleet cannot be asked" in said(*words, code=codes.PROBLEMS)
    objects = list(yaml.safe_load_all(said(*words, "--fleet-kubeconfig", "fleet")))
    assert granted(objects, "deployments") == set(warrant.WRITE)
    wide = POLICY.replace("  placement: {clusterAffinity: {clusterNames: [c1, eu]}}\n", "")
    hub.put({**yaml.safe_load(wide), "metadata": {"name": "all", "namespace": "web"}})
    objects = list(yaml.safe_load_all(said(*words[:2], "--member", "home", "--fleet-kubeconfig", "fleet")))
    assert granted(objects, "deployments") == {"list", "watch"}, "the fleet's own cluster has the originals"
    hub.delete({**yaml.safe_load(POLICY), "metadata": {"name": "all", "namespace": "web"}})
    (home / "fedns.yaml").unlink()
    told = json.loads(said("--for-policies", "fleet", "--fleet-kubeconfig", "fleet", "-o", "json"))[
        "clusters"
    ]
    assert [one["cluster"] for one in told] == [["fleet"], ["eu"]], "of a configuration that is elsewhere"
    assert granted(told[0]["objects"], "deployments") == {"list", "watch"}


def test_without_the_fleet_those_count_who_are_configured(home: Path) -> None:
    (home / "fedns.yaml").write_text(FLEET.format(fleet="nowhere"))
    (home / "p.yaml").write_text(POLICY)
    told = said("--for-policies", ".", "--member", "far")
    assert "members that it registers are not among these" in told and "deployments" in told
    assert "no such member" in said("--for-policies", ".", "--member", "eu", code=codes.PROBLEMS)
    assert "cannot be asked" in said("--for-policies", "fleet", code=codes.PROBLEMS)


def test_a_fleet_of_files_has_its_policies_there_and_members_have_the_lease(home: Path) -> None:
    (home / "fedns.yaml").write_text(FLEET.replace("kubeconfig: {fleet}", "manifests: .").format())
    (home / "p.yaml").write_text(POLICY.replace("apps/v1, kind: Deployment", f"{rights.RBAC}/v1, kind: Role"))
    told = said("--for-policies", "fleet")
    assert "warning: far: policies copy roles" in told and f"# {warrant.WARNS}" in told
    objects = list(yaml.safe_load_all(told[told.index("# To be") :]))
    assert granted(objects, "roles") == {*warrant.WRITE, "escalate"}
    assert granted(objects, "leases") == {"create", "get", "update"}
    (home / "p.yaml").unlink()
    assert "there is no propagation policy" in said("--for-policies", "fleet", code=codes.PROBLEMS)
