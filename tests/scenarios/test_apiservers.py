"""`fedns serve` over real API servers: from objects made by API to answers on the wire."""

from pathlib import Path

import pytest

from tests.envtest import clusters
from tests.fakes import kubecluster
from tests.scenarios import fleets, world

ONE, TWO = (world.place(zone) for zone in fleets.ZONES.values())
FRESH = "198.51.100.7"

READ = ("services", "nodes", "discovery.k8s.io/endpointslices")


@pytest.fixture
def fleet(tmp_path: Path, farm: clusters.Farm) -> fleets.Fleet:
    for cluster in (farm.one, farm.two):
        fleets.fill(cluster)
    farm.fleet.define(*fleets.DEFINITIONS)
    return fleets.Fleet(tmp_path, farm)


def test_what_is_done_by_api_is_an_answer_on_the_wire(fleet: fleets.Fleet) -> None:
    one, zone = fleet.farm.one, fleets.ZONES["one"]
    with fleets.settled(fleet) as served:
        served.shows(ONE, world.records([fleets.ADDRESSES["one"]]), "places from node labels")
        one.put(kubecluster.service("nginx", FRESH))
        served.shows(ONE, world.records([FRESH]), "the cloud gave another address")
        one.put(kubecluster.endpoints("nginx", zone, ready=False))
        world.until(lambda: served.answer(ONE)[0].startswith("CNAME"), "nothing is ready there")
        served.shows(world.GLOBAL, world.records([fleets.ADDRESSES["two"]]), "one is left")
        one.put(*fleets.shard(zone, FRESH))
        served.shows(world.GLOBAL, world.records([FRESH, fleets.ADDRESSES["two"]]), "ready again")
        one.delete(kubecluster.service("nginx"))
        served.shows(world.GLOBAL, world.records([fleets.ADDRESSES["two"]]), "the service is gone")
        assert served.problems() == ""
        told = fleets.member(served)
        assert (told["api"], told["region"], told["zones"]) == ("reachable", zone[:-2], [zone])


def test_what_expired_while_the_server_was_down_is_read_again(fleet: fleets.Fleet) -> None:
    one = fleet.farm.one
    with fleets.settled(fleet) as served:
        one.stop()
        fleet.farm.two.put(*fleets.shard(fleets.ZONES["two"], "192.0.2.9", name="other"))
        fleet.farm.etcd.compact()
        one.again()
        one.put(kubecluster.service("nginx", FRESH))
        served.shows(ONE, world.records([FRESH]), "what happened since")
        told = fleets.member(served)
        print(told)
        assert served.problems() == ""


def test_lists_are_streamed_and_watches_follow(fleet: fleets.Fleet, tmp_path: Path) -> None:
    one = fleet.farm.one
    fleets.account(one, *READ)
    one.kubeconfig(tmp_path / "one.kubeconfig", one.token("fedns"))
    with fleets.settled(fleet) as served:
        told = fleets.member(served)
        print(one.requests(":fedns"))
        print(told)


def test_a_mass_removal_waits_for_a_second_look(fleet: fleets.Fleet) -> None:
    one, zone = fleet.farm.one, fleets.ZONES["one"]
    names = [f"s{number}" for number in range(24)]
    for name in names:
        one.put(*fleets.shard(zone, "192.0.2.80", name=name))
    last = f"s23.{world.GLOBAL.partition('.')[2]}"
    with fleets.settled(fleet) as served:
        served.shows(last, ("A 192.0.2.80",))
        one.call("DELETE", f"/api/v1/namespaces/{clusters.NAMESPACE}/services")
        world.until(lambda: "disappeared or lost their addresses at once" in served.problems(), "held")
        assert served.answer(last) == ("A 192.0.2.80",)
        world.until(lambda: served.answer(last) != ("A 192.0.2.80",), "confirmed")
        print(fleets.member(served), served.answer(last))
        world.until(lambda: not served.problems(), "nothing is held")


def test_another_cluster_under_a_known_name_gives_nothing(fleet: fleets.Fleet, tmp_path: Path) -> None:
    one, two = fleet.farm.one, fleet.farm.two
    with fleets.settled(fleet) as served:
        before = served.answer(world.GLOBAL)
        two.kubeconfig(tmp_path / "one.kubeconfig")
        served.replaced("control", served.kill("control"))
        world.until(lambda: "this is another cluster" in served.problems(), "told")
        assert served.answer(world.GLOBAL) == before
        assert served.answer(ONE) == world.records([fleets.ADDRESSES["one"]])
        one.kubeconfig(tmp_path / "one.kubeconfig")
        one.put(kubecluster.service("nginx", FRESH))
        served.replaced("control", served.kill("control"))
        served.shows(ONE, world.records([FRESH]), "the right one again")
        world.until(lambda: not served.problems(), "no problem is left")
