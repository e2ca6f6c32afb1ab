"""Copies brought to two members from a fleet, all three real API servers."""

import json
import os
import random
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.control import depots
from tests.envtest import clusters
from tests.fakes import kubecluster
from tests.scenarios import fleets, world

KILLS = int(os.environ.get("FEDNS_KILLS", "4"))
"""`make kills` has a hundred."""

POLICIES = {
    "PropagationPolicy": "Namespaced",
    "ClusterPropagationPolicy": "Cluster",
    "OverridePolicy": "Namespaced",
    "ClusterOverridePolicy": "Cluster",
}
Object = dict[str, Any]


def definition(group: str, kind: str, scope: str = "Namespaced") -> Object:
    """A kind of which anything goes."""
    plural = f"{kind[:-1].lower()}ies" if kind.endswith("y") else f"{kind.lower()}s"
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    version = {"name": "v1alpha1", "served": True, "storage": True, "schema": schema}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "scope": scope,
            "names": {"plural": plural, "kind": kind, "singular": kind.lower(), "listKind": f"{kind}List"},
            "versions": [version],
        },
    }


GROUP = "policy.karmada.io"
DEFINITIONS = [definition(GROUP, kind, scope) for kind, scope in POLICIES.items()]


@pytest.fixture
def fleet(tmp_path: Path, farm: clusters.Farm) -> fleets.Fleet:
    for cluster in (farm.one, farm.two):
        cluster.put(kubecluster.node("n1", "r", "z"))
    farm.fleet.define(*fleets.DEFINITIONS, *DEFINITIONS)
    farm.fleet.put(kubecluster.namespace("fedns"))
    made = fleets.Fleet(tmp_path, farm)
    made.fleet = "kubeconfig: fleet.kubeconfig, distribute: true"
    made.write_config()
    return made


@contextmanager
def running(fleet: fleets.Fleet) -> Iterator[world.Served]:
    """`fedns serve`, once it writes."""
    with world.serve(fleet) as served:
        world.until(lambda: served.up() and served.api("/api/v1/status")["writer"]["held"], "it writes")
        yield served


def there(cluster: clusters.Cluster, one: Object) -> Object | None:
    try:
        return cluster.get(one)
    except clusters.Refused as refused:
        if refused.status == 404:
            return None
        raise


def states(served: world.Served, member: str = "one") -> dict[str, tuple[str, str]]:
    """Object -> state, and words."""
    rows = served.api(f"/api/v1/copies?member={member}")["items"]
    return {f"{one['kind']} {one['object'].rpartition('/')[2]}": (one["state"], one["what"]) for one in rows}


def state(served: world.Served, name: str, member: str = "one") -> str:
    return states(served, member).get(name, ("", ""))[0]


def test_from_one_object_to_copies_and_back(fleet: fleets.Fleet) -> None:
    farm = fleet.farm
    hub, one, two = farm.fleet, farm.one, farm.two
    service, policy = depots.service("web"), depots.policy("p", "v1/Service", "apps/v1/Deployment")
    web = depots.deployment("web", 3)
    hub.put(service, web)
    with running(fleet) as served:
        hub.put(policy)
        for name in ("one", "two"):
            world.until(lambda name=name: state(served, "Service web", name) == "applied", "brought")
            world.until(lambda name=name: state(served, "Deployment web", name) == "applied", "brought")
        found = one.get(service)
        ports, address = found["spec"]["ports"], found["spec"]["clusterIP"]
        assert ports[0]["nodePort"] != hub.get(service)["spec"]["ports"][0]["nodePort"] or address
        hub.put(depots.service("web", 81))
        world.until(lambda: one.get(service)["spec"]["ports"][0]["port"] == 81, "changed")
        assert one.get(service)["spec"]["clusterIP"] == address

        merge = "merge-patch+json"
        one.call("PATCH", f"{clusters.path(web)}?fieldManager=kubectl-edit", {"spec": {"replicas": 7}}, merge)
        world.until(lambda: one.get(web)["spec"]["replicas"] == 3, "put right")
        version = one.get(web)["metadata"]["resourceVersion"]
        one.delete(service)
        world.until(lambda: there(one, service), "there again")
        assert one.get(web)["metadata"]["resourceVersion"] == version

        hub.delete(service)
        world.until(lambda: there(one, service) is None and there(two, service) is None, "removed")
        hub.delete(policy)
        world.until(lambda: depots.LABEL not in one.get(web)["metadata"].get("labels", {}), "let go")
        left = one.get(web)
        assert "fedns" not in {row["manager"] for row in left["metadata"].get("managedFields", ())}
        assert left["spec"]["replicas"] == 3 and left["metadata"]["uid"]


def test_a_kind_that_is_defined_later_and_refusals_that_stop_nobody(fleet: fleets.Fleet) -> None:
    farm = fleet.farm
    hub, one, two = farm.fleet, farm.one, farm.two
    kind = definition("example.org", "Widget")
    widget = {
        "apiVersion": "example.org/v1alpha1",
        "kind": "Widget",
        "metadata": {"name": "w", "namespace": depots.SPACE},
        "spec": {"size": 3},
    }
    policy = depots.policy("p", "example.org/v1alpha1/Widget", "v1/ConfigMap")
    definitions = depots.policy("d", "apiextensions.k8s.io/v1/CustomResourceDefinition")
    definitions |= {"kind": "ClusterPropagationPolicy", "metadata": {"name": "d"}}
    hub.put(policy, depots.config_map("m", a="1"))
    two.put(webhook())
    with running(fleet) as served:
        world.until(lambda: state(served, "ConfigMap m") == "applied", "brought")
        world.until(lambda: state(served, "ConfigMap m", "two") == "failing", "refused")
        assert "failed calling webhook" in states(served, "two")["ConfigMap m"][1]
        hub.define(kind)
        hub.put(widget, definitions)
        for cluster in (one, two):
            world.until(lambda cluster=cluster: served_there(cluster, widget), "defined and brought")
        world.until(lambda: state(served, "Widget w") == "applied", "applied")
        two.delete(webhook())
        world.until(lambda: state(served, "ConfigMap m", "two") == "applied", "tried again")


def served_there(cluster: clusters.Cluster, one: Object) -> bool:
    try:
        return there(cluster, one) is not None
    except clusters.Refused:
        return False


def webhook() -> Object:
    """Has every ConfigMap judged by somebody who does not answer, so all are refused."""
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"], "operations": ["*"]}
    hook = {
        "name": "no.example.org",
        "rules": [rule],
        "clientConfig": {"url": "https://127.0.0.1:1/no"},
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": depots.SPACE}},
    }
    kind = "ValidatingWebhookConfiguration"
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": kind,
        "metadata": {"name": "no"},
        "webhooks": [hook],
    }


def test_killed_at_any_point_it_ends_as_planned(fleet: fleets.Fleet) -> None:
    farm, chance = fleet.farm, random.Random(7)
    hub = farm.fleet
    names = [f"m{at}" for at in range(12)]
    hub.put(depots.policy("p", "v1/ConfigMap"))
    with running(fleet) as served:
        for turn in range(KILLS):
            wanted = {name: str(turn) for name in chance.sample(names, 9)}
            wanted["always"] = "x"
            for name in names:
                if name in wanted:
                    hub.put(depots.config_map(name, at=wanted[name]))
                elif there(hub, depots.config_map(name)):
                    hub.delete(depots.config_map(name))
            hub.put(depots.config_map("always", at="x"))
            time.sleep(chance.random() * 1.5)
            served.kill("control")
            world.until(served.up, "there again")
        for cluster in (farm.one, farm.two):
            world.until(lambda cluster=cluster: copied(cluster) == wanted, "as planned", 90.0)


def test_of_two_replicas_one_writes_and_the_other_follows(fleet: fleets.Fleet, tmp_path: Path) -> None:
    farm = fleet.farm
    hub = farm.fleet
    hub.put(depots.policy("p", "v1/ConfigMap"), depots.config_map("m", at="1"))
    (tmp_path / "b").mkdir()
    other = fleets.Fleet(tmp_path / "b", farm)
    other.fleet = fleet.fleet
    other.write_config()
    with running(fleet) as served, world.serve(other) as second:
        world.until(lambda: state(served, "ConfigMap m") == "applied", "brought")
        world.until(second.up, "the other one runs")
        assert not second.api("/api/v1/status")["writer"]["held"]
        served.process.terminate()
        world.until(lambda: second.api("/api/v1/status")["writer"]["held"], "followed")
        hub.put(depots.config_map("m", at="2"))
        for cluster in (farm.one, farm.two):
            world.until(lambda cluster=cluster: copied(cluster) == {"m": "2"}, "brought by the other")
        assert state(second, "ConfigMap m") == "applied"


def test_what_rbac_prints_for_policies_is_enough_and_not_more(fleet: fleets.Fleet) -> None:
    hub, one = fleet.farm.fleet, fleet.farm.one
    policy, objects = depots.policy("p", "v1/ConfigMap", members=("one",)), depots.config_map("m", at="1")
    fleet.put("policies/p.yaml", yaml.safe_dump(policy))
    printed = []
    for more in ((), ("--for-policies", str(fleet.root / "policies"))):
        command = [
            *world.FEDNS,
            "rbac",
            "--config",
            str(fleet.config),
            "--member",
            "one",
            "-o",
            "json",
            *more,
        ]
        told = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
        printed += told["clusters"][0]["objects"]
    one.put(*printed)
    one.kubeconfig(fleet.root / "one.kubeconfig", one.token("fedns-reader", "fedns"))
    with running(fleet) as served:
        hub.put(policy, objects)
        world.until(lambda: copied(one) == {"m": "1"}, "brought")
        hub.delete(objects)
        world.until(lambda: copied(one) == {}, "removed")
        assert "403" not in served.problems()
    rules = [
        rule
        for each in printed
        if each["metadata"]["name"] == "fedns-writer"
        for rule in each.get("rules", ())
    ]
    granted = {(rule["apiGroups"][0], rule["resources"][0], verb) for rule in rules for verb in rule["verbs"]}
    asked = {each for each in one.used("fedns-reader") if each[1] in ("configmaps", "namespaces")}
    create = {("", "configmaps", "create")}  # the audit log calls it a patch
    lists = {each for each in granted if each[2] == "list"}  # this server streams them
    assert granted - create - lists == asked - lists - {("", "namespaces", "get")}


def copied(cluster: clusters.Cluster) -> dict[str, str]:
    listed = cluster.call("GET", f"/api/v1/namespaces/{depots.SPACE}/configmaps?labelSelector={depots.LABEL}")
    return {one["metadata"]["name"]: one["data"]["at"] for one in listed["items"]}
