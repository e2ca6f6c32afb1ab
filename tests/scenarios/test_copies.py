"""Copies brought to two members from a fleet, all three real API servers."""

import shutil
from pathlib import Path

import pytest

from fedns.control import outpost
from fedns.distribute import docket
from tests.control import depots
from tests.envtest import clusters
from tests.scenarios import copies, fleets, world

AGAIN = docket.Pace().few + world.LONG
"""Seconds until what fails alone is tried again, whatever the others took meanwhile; and what that takes."""


@pytest.fixture
def fleet(tmp_path: Path, farm: clusters.Farm) -> fleets.Fleet:
    return copies.opened(tmp_path, farm)


def test_from_one_object_to_copies_and_back(fleet: fleets.Fleet) -> None:
    farm = fleet.farm
    hub, one, two = farm.fleet, farm.one, farm.two
    service, policy = depots.service("web"), depots.policy("p", "v1/Service", "apps/v1/Deployment")
    web = depots.deployment("web", 3)
    hub.put(service, web)
    with copies.running(fleet) as served:
        hub.put(policy)
        for name in ("one", "two"):
            world.until(lambda name=name: copies.state(served, "Service web", name) == "applied", "brought")
            world.until(
                lambda name=name: copies.state(served, "Deployment web", name) == "applied", "brought"
            )
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
        world.until(lambda: copies.there(one, service), "there again")
        assert one.get(web)["metadata"]["resourceVersion"] == version

        hub.delete(service)
        world.until(
            lambda: copies.there(one, service) is None and copies.there(two, service) is None, "removed"
        )
        hub.delete(policy)
        world.until(lambda: depots.LABEL not in one.get(web)["metadata"].get("labels", {}), "let go")
        left = one.get(web)
        assert "fedns" not in {row["manager"] for row in left["metadata"].get("managedFields", ())}
        assert left["spec"]["replicas"] == 3 and left["metadata"]["uid"]


def test_a_kind_that_is_defined_later_and_refusals_that_stop_nobody(fleet: fleets.Fleet) -> None:
    farm = fleet.farm
    hub, one, two = farm.fleet, farm.one, farm.two
    kind = copies.definition("example.org", "Widget")
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
    two.put(copies.webhook())
    with copies.running(fleet) as served:
        world.until(lambda: copies.state(served, "ConfigMap m") == "applied", "brought")
        world.until(lambda: copies.state(served, "ConfigMap m", "two") == "failing", "refused")
        assert "failed calling webhook" in copies.states(served, "two")["ConfigMap m"][1]
        hub.define(kind)
        hub.put(widget, definitions)
        for cluster in (one, two):
            world.until(lambda cluster=cluster: copies.served_there(cluster, widget), "defined and brought")
        world.until(lambda: copies.state(served, "Widget w") == "applied", "applied")
        two.delete(copies.webhook())
        world.until(lambda: copies.state(served, "ConfigMap m", "two") == "applied", "tried again", AGAIN)


def test_of_two_replicas_one_writes_and_the_other_follows(fleet: fleets.Fleet, tmp_path: Path) -> None:
    farm = fleet.farm
    hub = farm.fleet
    hub.put(depots.policy("p", "v1/ConfigMap"), depots.config_map("m", at="1"))
    other = copies.configured(tmp_path / "b", farm)
    with copies.running(fleet) as served, world.serve(other) as second:
        world.until(lambda: copies.state(served, "ConfigMap m") == "applied", "brought")
        world.until(second.up, "the other one runs")
        assert not second.api("/api/v1/status")["writer"]["held"]
        follows = ("waiting", outpost.FOLLOWS)
        world.until(lambda: copies.states(second).get("ConfigMap m") == follows, "it says that it does not")
        served.process.terminate()
        world.until(lambda: second.api("/api/v1/status")["writer"]["held"], "followed")
        hub.put(depots.config_map("m", at="2"))
        for cluster in (farm.one, farm.two):
            world.until(lambda cluster=cluster: copies.copied(cluster) == {"m": "2"}, "brought by the other")
        world.until(lambda: copies.state(second, "ConfigMap m") == "applied", "it knows")


def test_what_was_brought_before_is_found_again_though_nobody_remembers_it(fleet: fleets.Fleet) -> None:
    """No policy names its kind any more, and another disk is there: its rights tell where to look."""
    farm, kept, gone = fleet.farm, depots.config_map("kept", at="1"), depots.config_map("gone", at="1")
    policy, theirs = depots.policy("p", "v1/ConfigMap"), depots.config_map("theirs", at="theirs")
    farm.fleet.put(kept, gone, policy)
    farm.one.put(theirs)
    with copies.running(fleet):
        world.until(lambda: set(copies.copied(farm.one)) == {"kept", "gone"}, "brought")
    shutil.rmtree(fleet.root / "state")
    farm.fleet.delete(policy, gone)
    with copies.running(fleet):
        world.until(lambda: not copies.copied(farm.one), "dealt with")
        assert set(copies.listed(farm.one)) == {"kept", "theirs"}
        assert farm.one.get(kept)["data"] == {"at": "1"}
