"""Copies brought to two members of which one's API server is in trouble for a while: it refuses, asks to be
left alone, is silent, ends connections. All servers are real; what troubles one stands in front of it.

Law: the other member goes on; what is tried meanwhile is bounded; afterwards all is as it shall be.
"""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.control import depots
from tests.envtest import clusters
from tests.scenarios import copies, fleets, sluice, world

NAMES = [f"m{at}" for at in range(6)]
LASTS = 3.0
"""Seconds of trouble."""
TRIES = 4
"""Of each object within them at most."""
AFTER = 5
"""Seconds that a server asks to be left alone for."""
UNDER_WAY = 1.0
FAULTS = {
    "429": sluice.Fault(429, AFTER, writes=True),
    "reset": sluice.Fault(reset=True),
    "500": sluice.Fault(500, writes=True),
    "503, watches too": sluice.Fault(503),
    "silence": sluice.Fault(),
}
"""The first two every day, all with `make kills`."""


@pytest.fixture
def way(farm: clusters.Farm) -> Iterator[sluice.Sluice]:
    with sluice.opened(farm.one) as made:
        yield made


@pytest.fixture
def fleet(tmp_path: Path, farm: clusters.Farm, way: sluice.Sluice) -> fleets.Fleet:
    made = copies.opened(tmp_path, farm)
    made.members["one"] = f"api: {{server: '{way.url}'}}"
    made.write_config()
    return made


def test_what_an_api_server_does_for_a_while_is_made_good_afterwards(
    fleet: fleets.Fleet, way: sluice.Sluice
) -> None:
    hub, one, theirs = fleet.farm.fleet, fleet.farm.one, depots.config_map("theirs", at="theirs")
    hub.put(depots.policy("p", "v1/ConfigMap"))
    one.put(theirs)
    version = one.get(theirs)["metadata"]["resourceVersion"]
    with copies.running(fleet) as served:
        change(fleet.farm, "0")
        made_good(fleet.farm, "0")
        for name, fault in FAULTS.items() if copies.LONG_FORM else tuple(FAULTS.items())[:2]:
            begun = troubled(fleet.farm, way, name, fault)
            made_good(fleet.farm, name)
            if fault.after:
                waited(way.writes(begun))
        world.until(lambda: copies.states(served)["ConfigMap m0"] == ("applied", ""), "it knows")
        assert one.get(theirs)["metadata"]["resourceVersion"] == version


def change(farm: clusters.Farm, name: str) -> None:
    """Every object says so; one is of this change alone."""
    for before in copies.listed(farm.fleet):
        if before.startswith("new-"):
            farm.fleet.delete(depots.config_map(before))
    farm.fleet.put(*(depots.config_map(each, at=name) for each in (*NAMES, fresh(name))))


def fresh(name: str) -> str:
    return f"new-{name.split(',')[0]}"


def as_changed(cluster: clusters.Cluster, name: str) -> bool:
    return copies.copied(cluster) == dict.fromkeys((*NAMES, fresh(name)), name)


def made_good(farm: clusters.Farm, name: str) -> None:
    for cluster in (farm.one, farm.two):
        world.until(lambda cluster=cluster: as_changed(cluster, name), f"{name}: made good", 60.0)


def troubled(farm: clusters.Farm, way: sluice.Sluice, name: str, fault: sluice.Fault) -> float:
    """A change while the server of one member is in trouble; when that began."""
    way.fault, begun = fault, time.monotonic()
    if not fault.writes:
        way.cut()
    change(farm, name)
    world.until(lambda: as_changed(farm.two, name), f"{name}: the other one goes on")
    if fault.writes:
        world.until(lambda: any(each.troubled for each in way.writes(begun)), f"{name}: it is tried")
    world.until(lambda: time.monotonic() - begun > LASTS, "for a while")
    lasted, tries = time.monotonic() - begun, [each for each in way.writes(begun) if each.troubled]
    assert len(tries) <= TRIES * (len(NAMES) + 2) * lasted / LASTS, f"{name}: {len(tries)} tries"
    way.fault = None
    way.cut()
    return begun


def waited(writes: list[sluice.Asked]) -> None:
    """Fails unless nothing but what was under way came before the time was over that the server asked for."""
    first = min(each.at for each in writes if each.troubled)
    later = [each.at - first for each in writes if each.at - first > UNDER_WAY]
    assert later and min(later) >= AFTER, later


def test_a_member_that_was_away_for_long_is_brought_up_to_date_and_loses_nothing_of_others(
    fleet: fleets.Fleet,
) -> None:
    """Its versions are compacted meanwhile: the watch has expired when it comes back."""
    farm, theirs = fleet.farm, depots.config_map("theirs", at="theirs")
    fleet.members["one"] = "kubeconfig: one.kubeconfig"
    fleet.write_config()
    farm.one.put(theirs)
    farm.fleet.put(depots.policy("p", "v1/ConfigMap"))
    with copies.running(fleet):
        change(farm, "before")
        made_good(farm, "before")
        seen = {name: farm.one.get(depots.config_map(name))["metadata"]["uid"] for name in (*NAMES, "theirs")}
        version = farm.one.get(theirs)["metadata"]["resourceVersion"]
        farm.one.stop()
        change(farm, "meanwhile")
        world.until(lambda: as_changed(farm.two, "meanwhile"), "the other one goes on")
        farm.etcd.compact()
        farm.one.again()
        made_good(farm, "meanwhile")
        for name, uid in seen.items():
            assert farm.one.get(depots.config_map(name))["metadata"]["uid"] == uid
        assert farm.one.get(theirs)["metadata"]["resourceVersion"] == version


def test_another_cluster_behind_a_members_name_gets_nothing(fleet: fleets.Fleet) -> None:
    farm = fleet.farm
    fleet.members = {"one": "kubeconfig: one.kubeconfig"}
    fleet.write_config()
    farm.fleet.put(depots.policy("p", "v1/ConfigMap", members=("one",)))
    with copies.running(fleet) as served:
        change(farm, "before")
        world.until(lambda: as_changed(farm.one, "before"), "brought")
        audit = copies.Audit(farm.two)
        farm.two.kubeconfig(fleet.root / "one.kubeconfig")
        copies.restarted(served, farm)
        world.until(lambda: "this is another cluster" in served.problems(), "told")
        change(farm, "after")
        world.until(lambda: served.api("/api/v1/status")["writer"]["held"], "it writes")
        farm.one.kubeconfig(fleet.root / "one.kubeconfig")
        copies.restarted(served, farm)
        world.until(lambda: as_changed(farm.one, "after"), "it is the one again", 60.0)
        assert not audit.writes() and not copies.copied(farm.two)
