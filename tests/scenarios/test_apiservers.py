"""`fedns serve` over real API servers: from objects made by API to answers on the wire."""

import contextlib
from pathlib import Path

import pytest

from tests.envtest import clusters
from tests.fakes import kubecluster
from tests.scenarios import fleets, world

ONE, TWO = (world.place(zone) for zone in fleets.ZONES.values())
FRESH = "198.51.100.7"

NOTICED = 40.0
"""Seconds until a lost API server is noticed by three questions five seconds apart, and some."""
READ = ("services", "nodes", "discovery.k8s.io/endpointslices")


@pytest.fixture
def fleet(tmp_path: Path, farm: clusters.Farm) -> fleets.Fleet:
    for cluster in (farm.one, farm.two):
        fleets.fill(cluster)
    farm.fleet.define(*fleets.DEFINITIONS)
    farm.fleet.put(kubecluster.namespace("fedns"))
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
        world.until(
            lambda: all(one["lists"] == 2 for one in fleets.member(served)["watches"]), "listed again"
        )
        assert {"410"} == {kind for one in fleets.member(served)["watches"] for kind in one["errors"]} - {
            "unreachable"
        }
        world.until(lambda: not served.problems(), "no problem is left", NOTICED)


def test_what_was_restored_from_a_backup_is_what_there_is(fleet: fleets.Fleet) -> None:
    """The versions that fedns knows are of a future that will never be."""
    farm = fleet.farm
    with farm.down() as etcd:
        etcd.save("backup")
    with fleets.settled(fleet) as served:
        for at in range(200):
            farm.one.put(kubecluster.service("nginx", f"198.51.100.{at}"))
        served.shows(ONE, world.records(["198.51.100.199"]), "the last of many changes")
        with farm.down() as etcd:
            etcd.restore("backup")
        world.until(
            lambda: served.answer(ONE) == world.records([fleets.ADDRESSES["one"]]), "the backup", NOTICED
        )
        farm.one.put(kubecluster.service("nginx", FRESH))
        served.shows(ONE, world.records([FRESH]), "and what comes after")


def test_lists_are_streamed_and_only_what_is_needed_is_read(fleet: fleets.Fleet, tmp_path: Path) -> None:
    one = fleet.farm.one
    fleets.account(one, *READ, name="streams")
    one.kubeconfig(tmp_path / "one.kubeconfig", one.token("streams"))
    with fleets.settled(fleet):
        asked = one.requests(":streams")
        watches = [line for line in asked if "sendInitialEvents=true" in line and line.endswith(" 200")]
        assert len(watches) == len(READ), asked
        assert not [line for line in asked if line.startswith("list ")]
        assert all("watch=1" in line or line.startswith("get ") for line in asked)


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
        assert served.answer(last) == ("NOERROR",), "a name that there was lately is no error"
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


def test_a_dead_api_server_changes_no_answer_but_a_dead_backend_does(fleet: fleets.Fleet) -> None:
    one, homes = fleet.farm.one, {"one": "127.0.0.71", "two": "127.0.0.72"}
    with contextlib.ExitStack() as two, contextlib.ExitStack() as first:
        port = first.enter_context(fleets.backend(homes["one"]))
        two.enter_context(fleets.backend(homes["two"], port))
        for name, home in homes.items():
            getattr(fleet.farm, name).put(kubecluster.service("nginx", home))
        fleet.farm.fleet.put(fleets.probed(port))
        with world.serve(fleet) as served:
            served.shows(world.GLOBAL, world.records(homes.values()), "both are probed")
            world.until(lambda: fleets.evidence(served, "one", "probe") == "up", "probed")
            one.stop()
            world.until(lambda: fleets.member(served)["api"] == "unreachable", "noticed", NOTICED)
            assert served.answer(world.GLOBAL) == world.records(homes.values())
            told = fleets.member(served)
            assert all(one["heard"] > NOTICED / 4 and one["trouble"] for one in told["watches"])
            assert "unreachable" in served.fedns("status").stdout
            world.until(lambda: "the API server cannot be reached" in served.problems(), "told")
            first.close()
            served.shows(world.GLOBAL, world.records([homes["two"]]), "its probe fails")
            one.again()
            first.enter_context(fleets.backend(homes["one"], port))
            served.shows(world.GLOBAL, world.records(homes.values()), "all is well")
            world.until(lambda: not served.problems(), "no problem is left", NOTICED)


def test_a_token_that_is_replaced_in_its_file_is_taken_up_as_the_old_one_is_refused(
    fleet: fleets.Fleet, tmp_path: Path
) -> None:
    one, file = fleet.farm.one, tmp_path / "token"
    for name in ("old", "new"):
        fleets.account(one, *READ, name=name)
    file.write_text(one.token("old"))
    fleet.members["one"] = f"api: {{server: '{one.url}', ca: {one.ca}, token_file: token}}"
    fleet.write_config()
    with fleets.settled(fleet) as served:
        file.write_text(one.token("new"))
        one.delete({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "old"}})
        one.stop()  # which ends all watches, and what it remembers of tokens
        one.again()
        one.put(kubecluster.service("nginx", FRESH))
        served.shows(ONE, world.records([FRESH]), "read with the new token")
        assert [line for line in one.requests(":new") if line.startswith("watch /api/v1/services")]
        world.until(lambda: not served.problems(), "no problem is left", NOTICED)


def test_a_kind_that_may_not_be_read_is_off_and_the_rest_goes_on(fleet: fleets.Fleet, tmp_path: Path) -> None:
    one = fleet.farm.one
    fleets.account(one, *(kind for kind in READ if kind != "nodes"))
    one.kubeconfig(tmp_path / "one.kubeconfig", one.token("fedns"))
    fleet.members["one"] += f", region: us-central1, zones: [{fleets.ZONES['one']}]"
    fleet.write_config()
    with fleets.settled(fleet) as served:
        assert 'nodes: 403 Forbidden: nodes is forbidden: User "system:serviceaccount' in served.problems()
        one.put(kubecluster.service("nginx", FRESH))
        served.shows(ONE, world.records([FRESH]), "services are read")
        off = {watch["resource"]: bool(watch["off"]) for watch in fleets.member(served)["watches"]}
        assert off == {"services": False, "endpointslices": False, "nodes": True}
        fleets.account(one, *READ)
        served.replaced("control", served.kill("control"))
        world.until(lambda: served.up() and not served.problems(), "allowed now")
