"""`fedns rbac`: per cluster, the least that this configuration needs."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from fedns.cli import codes, main

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
