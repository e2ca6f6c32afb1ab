"""Our kinds on a real API server: what it takes, what it refuses, and how `kubectl` shows them."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy import objects
from tests.envtest import clusters
from tests.fakes import kubecluster
from tests.scenarios import fleets

EXAMPLE = re.compile(r"^```yaml\n(.*?)^```", re.M | re.S)
GOOD = {
    "server": "https://10.0.0.1:6443/k8s/clusters/c-1",
    "caBundle": "LS0tLS1CRUdJTg==",
    "secretRef": {"name": "eu"},
    "region": "europe-west1",
    "zones": ["europe-west1-b"],
    "clients": ["10.64.0.0/14", "2001:db8::/32"],
    "selector": "a=b",
    "exports": True,
}
STATUS = {
    "version": "v1.34.1",
    "region": "europe-west1",
    "services": 7,
    "conditions": [
        {
            "type": "Ready",
            "status": "True",
            "reason": "Reachable",
            "message": "",
            "observedGeneration": 1,
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        }
    ],
}


def member(name: str = "eu", **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "fedns.io/v1alpha1",
        "kind": "MemberCluster",
        "metadata": {"name": name},
        "spec": {**GOOD, **spec},
    }


@pytest.fixture
def fleet(farm: clusters.Farm) -> clusters.Cluster:
    farm.fleet.define(*fleets.DEFINITIONS)
    return farm.fleet


@pytest.mark.parametrize(
    ("name", "spec", "told"),
    [
        ("eu", {"server": "http://10.0.0.1"}, "spec.server"),
        ("eu", {"server": "https://10.0.0.1:x"}, "this is no URL"),
        ("eu", {"server": None}, "spec.server: Invalid value"),
        ("eu", {"secretRef": {}}, "spec.secretRef.name: Required"),
        ("eu", {"caBundle": "%"}, "spec.caBundle"),
        ("eu", {"region": "Europe"}, "spec.region"),
        ("eu", {"zones": ["a", "a"]}, "Duplicate"),
        ("eu", {"clients": ["10.0.0.0"]}, "spec.clients"),
        ("eu", {"exports": "yes"}, "spec.exports"),
        ("a" * 64, {}, "metadata.name"),
    ],
)
def test_what_no_member_can_mean_is_refused(
    fleet: clusters.Cluster, name: str, spec: dict[str, Any], told: str
) -> None:
    with pytest.raises(clusters.Refused, match=r"\A(4\d\d|500): ") as refused:
        fleet.put(member(name, **spec))
    assert told.lower() in str(refused.value).lower(), refused.value


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ({"targetRef": {}}, "spec.targetRef.name: Required"),
        ({"onAllUnhealthy": "backup"}, "onAllUnhealthy backup needs an address or a host name in backup"),
        ({"onAllUnhealthy": "backup", "backup": []}, "needs an address or a host name"),
        ({"onAllUnhealthy": "maybe"}, "spec.onAllUnhealthy: Unsupported value"),
        ({"strategy": "Fastest"}, "spec.strategy: Unsupported value"),
        ({"weights": {"one": -1}}, "spec.weights.one: Invalid value"),
        ({"ttl": {"min": "5 s"}}, "spec.ttl.min: Invalid value"),
        ({"probe": {"kind": "icmp"}}, "spec.probe.kind: Unsupported value"),
        ({"probe": {"path": "healthz"}}, "spec.probe.path: Invalid value"),
        ({"probe": {"expectStatus": ["20"]}}, "spec.probe.expectStatus[0]: Invalid value"),
        ({"health": {"degradedBelow": 1.5}}, "spec.health.degradedBelow: Invalid value"),
    ],
)
def test_what_no_policy_can_mean_is_refused(fleet: clusters.Cluster, spec: dict[str, Any], told: str) -> None:
    with pytest.raises(clusters.Refused, match=r"\A422: ") as refused:
        fleet.put(fleets.policy(**spec))
    assert told in str(refused.value)


def test_the_documented_policy_is_taken(fleet: clusters.Cluster, farm: clusters.Farm, tmp_path: Path) -> None:
    page = (objects.ROOT / "docs" / "input.md").read_text()
    found = next(text for text in EXAMPLE.findall(page) if "kind: TrafficPolicy" in text)
    policy = yaml.safe_load(found)
    policy["metadata"]["namespace"] = clusters.NAMESPACE
    fleet.put(policy)
    assert fleet.get(policy)["spec"] == policy["spec"], "nothing of it is unknown"
    fleet.put(fleets.policy(onAllUnhealthy="backup", backup=["192.0.2.1"]))


def test_members_are_shown_as_clusters_are(
    farm: clusters.Farm, fleet: clusters.Cluster, tmp_path: Path
) -> None:
    path = fleet.kubeconfig(tmp_path / "kubeconfig")
    fleet.put({**member(), "status": STATUS})
    assert shown(farm, path, "memberclusters") == [
        ["NAME", "READY", "VERSION", "REGION", "SERVICES", "AGE"],
        ["eu", "True", "v1.34.1", "europe-west1", "7"],
    ]
    assert shown(farm, path, "mcl")[1][0] == "eu"
    assert fleet.get(member())["metadata"]["generation"] == 1


def test_whether_a_policy_was_accepted_is_shown(
    farm: clusters.Farm, fleet: clusters.Cluster, tmp_path: Path
) -> None:
    path = fleet.kubeconfig(tmp_path / "kubeconfig")
    policy = {
        "apiVersion": "fedns.io/v1alpha1",
        "kind": "TrafficPolicy",
        "metadata": {"name": "web", "namespace": clusters.NAMESPACE},
        "spec": {"targetRef": {"name": "web"}, "strategy": "Nearest"},
    }
    accepted = {**STATUS["conditions"][0], "type": "Accepted", "status": "False"}  # type: ignore[index]
    fleet.put({**policy, "status": {"conditions": [accepted]}})
    head, row = shown(farm, path, "trafficpolicies", "--namespace", clusters.NAMESPACE)
    assert "ACCEPTED" in head and "False" in row


def shown(farm: clusters.Farm, kubeconfig: Path, *words: str) -> list[list[str]]:
    """What `kubectl get` prints, without ages."""
    command = [str(farm.kubectl), "--kubeconfig", str(kubeconfig), "get", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    head, *rows = (line.split() for line in done.stdout.splitlines())
    return [head, *(row[: len(head) - 1] for row in rows)]


def test_the_fake_server_has_what_the_real_one_takes(fleet: clusters.Cluster) -> None:
    fleet.put(kubecluster.credentials("eu", "t", clusters.NAMESPACE))
    with kubecluster.running() as fake:
        fleet.put(kubecluster.registered("eu", fake, server="https://10.0.0.1"))
