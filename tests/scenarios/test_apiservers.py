"""`fedns serve` over real API servers: from objects made by API to answers on the wire."""

from pathlib import Path

import pytest

from tests.envtest import clusters
from tests.fakes import kubecluster
from tests.scenarios import fleets, world

ONE, TWO = (world.place(zone) for zone in fleets.ZONES.values())
FRESH = "198.51.100.7"


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
