"""A Service created in the fleet has a shard in every member, its namespace made there; real API servers."""

from pathlib import Path
from typing import Any

import pytest

from tests.bench import herd, serving
from tests.control import depots
from tests.envtest import clusters
from tests.fakes import kubecluster
from tests.scenarios import copies, fleets, shops, world

NAME = "web.shop.myfederation.svc"
GLOBAL = f"{NAME}.example.com"
REGION = f"{NAME}.asia-east1.example.com"
ZONE = f"{NAME}.asia-east1-c.asia-east1.example.com"
MERGE = "merge-patch+json"
NOTE = "fedns.io/parting"


@pytest.fixture
def fleet(tmp_path: Path, farm: clusters.Farm) -> fleets.Fleet:
    made = copies.opened(tmp_path, farm)
    for cluster in (farm.one, farm.two):
        zone = fleets.ZONES[cluster.name]
        cluster.put(kubecluster.node("n1", zone[:-2], zone))
    made.fleet = "kubeconfig: fleet.kubeconfig, distribute: true, services: true"
    made.write_config()
    return made


def shop(one: copies.Object) -> copies.Object:
    one["metadata"]["namespace"] = "shop"
    return one


def told(cluster: clusters.Cluster, one: copies.Object, status: Any) -> None:
    """As a controller of that cluster says."""
    cluster.call("PATCH", f"{clusters.path(one)}/status?fieldManager=theirs", {"status": status}, MERGE)


def ways(*addresses: str) -> Any:
    return {"loadBalancer": {"ingress": [{"ip": each} for each in addresses]}}


def reached(cluster: clusters.Cluster, one: copies.Object) -> list[str]:
    status = cluster.get(one)["status"]["loadBalancer"]
    return [each["ip"] for each in status.get("ingress", ())]


def divided() -> copies.Object:
    """One replica, by weights: the first member gets it, the second none."""
    weights = [
        {"targetCluster": {"clusterNames": [name]}, "weight": at} for name, at in (("one", 9), ("two", 1))
    ]
    scheduling = {"replicaSchedulingType": "Divided", "weightPreference": {"staticWeightList": weights}}
    policy = shop(depots.policy("web", "apps/v1/Deployment"))
    policy["spec"]["placement"]["replicaScheduling"] = scheduling
    return policy


def test_created_in_the_fleet_it_has_a_shard_in_every_member_with_pods(fleet: fleets.Fleet) -> None:
    hub, one, two = fleet.farm.fleet, fleet.farm.one, fleet.farm.two
    space = kubecluster.namespace("shop")
    space["metadata"]["labels"] = {"team": "x"}
    service, web = shop(depots.service("web")), shop(depots.deployment("web", 1))
    hub.put(space, service, web, divided())
    with copies.running(fleet) as served:
        for name in ("one", "two"):
            world.until(lambda name=name: copies.state(served, "Service web", name) == "applied", "brought")
        world.until(lambda: copies.state(served, "Deployment web") == "applied", "brought")
        assert copies.there(two, web) is None
        for cluster in (one, two):
            made = cluster.get(space)["metadata"]["labels"]
            assert made["team"] == "x" and made[depots.LABEL] == "true"
            own = cluster.get(kubecluster.namespace(depots.SPACE))["metadata"]
            assert depots.LABEL not in own.get("labels", {}), "used as it is"

        told(one, service, ways(fleets.ADDRESSES["one"]))
        told(two, service, ways(fleets.ADDRESSES["two"]))
        one.put(shop(kubecluster.endpoints("web", fleets.ZONES["one"])))
        world.until(lambda: reached(hub, service) == sorted(fleets.BOTH), "the union")
        generation = one.get(web)["metadata"]["generation"]
        told(one, web, {"replicas": 1, "readyReplicas": 1, "observedGeneration": generation})
        world.until(lambda: hub.get(web)["status"].get("readyReplicas") == 1, "told")
        assert hub.get(web)["status"]["observedGeneration"] == hub.get(web)["metadata"]["generation"]

        first = world.records([fleets.ADDRESSES["one"]])
        served.shows(GLOBAL, first, "absent")
        served.shows(ZONE, world.records([fleets.ADDRESSES["one"]], REGION, GLOBAL), "it falls back")
        shards = [each for each in served.api("/api/v1/shards")["items"] if each["service"] == "shop/web"]
        assert [each["member"] for each in shards] == ["one"], shards
        explained = served.fedns("explain", ZONE).stdout
        assert "two" not in explained.replace(ZONE, "") and "unhealthy" not in explained, explained

        two.put(shop(kubecluster.endpoints("web", fleets.ZONES["two"])))
        served.shows(GLOBAL, world.records(fleets.BOTH), "somebody else's pods count")
        hub.delete(service)
        for cluster in (one, two):
            world.until(lambda cluster=cluster: copies.there(cluster, service) is None, "removed")
            assert copies.there(cluster, space), "others' objects may be in it"


def test_what_moves_to_another_member_goes_once_nobody_is_sent_there(fleet: fleets.Fleet) -> None:
    hub, one, two = fleet.farm.fleet, fleet.farm.one, fleet.farm.two
    service, web = shop(depots.service("web")), shop(depots.deployment("web", 1))
    kinds = ("apps/v1/Deployment", "v1/Service")
    hub.put(kubecluster.namespace("shop"), service, web, shop(depots.policy("web", *kinds, members=("one",))))
    first, then = ([fleets.ADDRESSES[name]] for name in ("one", "two"))
    with copies.running(fleet) as served:
        world.until(lambda: copies.state(served, "Deployment web") == "applied", "brought")
        world.until(lambda: copies.state(served, "Service web") == "applied", "brought")
        told(one, service, ways(*first))
        one.put(shop(kubecluster.endpoints("web", fleets.ZONES["one"])))
        served.shows(GLOBAL, world.records(first), "at first")

        hub.put(shop(depots.policy("web", *kinds, members=("two",))))
        world.until(
            lambda: "nobody else" in copies.states(served)["Deployment web"][1], "nobody is there yet"
        )
        assert NOTE in one.get(service)["metadata"]["annotations"]
        served.shows(GLOBAL, world.records(first), "it serves as long as nobody else can")
        world.until(lambda: copies.state(served, "Service web", "two") == "applied", "brought")
        told(two, service, ways(*then))
        two.put(shop(kubecluster.endpoints("web", fleets.ZONES["two"])))
        served.shows(GLOBAL, world.records(then), "nobody is sent there any more")
        assert copies.there(one, service) and copies.there(one, web), "caches remember it"
        for copy in (service, web):
            world.until(lambda copy=copy: copies.there(one, copy) is None, "it goes", 90)
        assert copies.there(two, service) and copies.there(two, web)


DOORS = {"one": "127.41.3.10", "two": "127.41.3.20"}


def ingress(*services: str) -> copies.Object:
    """A host for each."""
    rules = []
    for each in services:
        backend = {"service": {"name": each, "port": {"name": "http"}}}
        paths = [{"path": "/", "pathType": "Prefix", "backend": backend}]
        rules.append({"host": f"{each}.example.com", "http": {"paths": paths}})
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"rules": rules},
    }


def test_the_gateway_takes_what_was_never_placed_for_absent_and_nobody_calls_it_unhealthy(
    fleet: fleets.Fleet,
) -> None:
    """`web` is in both members, its pods in the first; `solo` has no copy in the second."""
    hub, one, two = fleet.farm.fleet, fleet.farm.one, fleet.farm.two
    port, services = serving.free_port(), ("web", "solo")
    fleet.members = {name: f"{where}, gateway: addresses" for name, where in fleet.members.items()}
    fleet.write_config('gateway: {listen: ["127.0.0.1:0"], workers: 1}\n')
    hub.put(kubecluster.namespace("shop"), shop(depots.deployment("web", 1)), divided())
    only = shop(depots.policy("solo", members=("one",)))
    only["spec"]["resourceSelectors"] = [{"apiVersion": "v1", "kind": "Service", "name": "solo"}]
    hub.put(only, ingress(*services), *(shop(depots.service(each, port)) for each in services))
    addresses = {name: (address,) for name, address in DOORS.items()}
    with herd.running(port, **addresses), copies.running(fleet) as plain:
        served = shops.Served(fleet, plain.process, plain.begun)
        world.until(lambda: copies.state(served, "Service web", "two") == "applied", "its copy is there")
        for each in services:
            world.until(lambda each=each: copies.state(served, f"Service {each}") == "applied", "brought")
            told(one, shop(depots.service(each)), ways(DOORS["one"]))
            one.put(shop(kubecluster.endpoints(each, fleets.ZONES["one"])))
        told(two, shop(depots.service("web")), ways(DOORS["two"]))
        for each in services:
            host = f"{each}.example.com"
            world.until(lambda host=host: served.members(1, host=host) == {"one": 1}, "it is reached")
            assert served.members(40, host=host) == {"one": 40}
            explained = served.fedns("explain", f"http://{host}:{served.http}/")
            assert explained.returncode == 0 and "one" in explained.stdout, explained.stdout
            assert "two" not in explained.stdout and "unhealthy" not in explained.stdout
        shards = [line for line in served.fedns("status").stdout.splitlines() if line.startswith("shop/")]
        assert [line.split()[:3] for line in shards] == [
            [f"shop/{each}", "one", "healthy"] for each in sorted(services)
        ]
        told_of = [line for line in served.api("/metrics").splitlines() if 'member="two"' in line]
        assert not [line for line in told_of if "shard_state" in line or "gateway" in line], told_of
        assert served.api("/api/v1/status")["shards"] == {"healthy": len(services)}
        assert (
            served.metric('fedns_shards{state="healthy"}') == len(services) == served.metric("fedns_shards")
        )

        two.put(shop(kubecluster.endpoints("web", fleets.ZONES["two"])))
        world.until(lambda: served.reached("web.example.com") == {"one", "two"}, "as soon as it has pods")
        assert served.members(8, host="solo.example.com") == {"one": 8}
