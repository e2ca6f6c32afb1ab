"""Controllers in the fleet's own cluster that say otherwise what statuses there say: real API servers, and a
rival that sets back whatever it finds, as kube-controller-manager would.

Law: the rival never rests, so what is written is bounded by us alone.
"""

import contextlib
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from fedns.distribute import feud
from tests.control import depots
from tests.envtest import clusters
from tests.scenarios import copies, hubs, world

MERGE = "merge-patch+json"
WHO = "kube-controller-manager"
LOOK, QUIET = 0.05, 10.0
"""Seconds between two looks of the rival, and for which nothing is written any more."""


@pytest.fixture(scope="module")
def hub(_farm: clusters.Farm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[hubs.Hub]:
    with hubs.running(_farm, tmp_path_factory.mktemp("fleet")) as made:
        yield made


class Rival:
    """Sets the status of one object back to what it says, by `update`, as controllers do."""

    def __init__(self, cluster: clusters.Cluster, one: copies.Object, part: str, says: Any) -> None:
        self._cluster, self._one, self._part, self._says = cluster, one, part, says
        self.rounds, self.over = 0, threading.Event()

    def run(self) -> None:
        where = f"{clusters.path(self._one)}/status?fieldManager={WHO}"
        while not self.over.wait(LOOK):
            with contextlib.suppress(clusters.Refused):  # somebody else wrote in between
                found = self._cluster.get(self._one)
                if found.get("status", {}).get(self._part, self._says) != self._says:
                    status = {**found["status"], self._part: self._says}
                    self._cluster.call("PUT", where, {**found, "status": status})
                    self.rounds += 1


@contextlib.contextmanager
def fought(*rivals: Rival) -> Iterator[None]:
    threads = [threading.Thread(target=each.run) for each in rivals]
    for each in threads:
        each.start()
    try:
        yield
    finally:
        for one in rivals:
            one.over.set()
        for each in threads:
            each.join()


def told(cluster: clusters.Cluster, one: copies.Object, **status: Any) -> None:
    """As a controller of the member says."""
    cluster.call("PATCH", f"{clusters.path(one)}/status?fieldManager=theirs", {"status": status}, MERGE)


def test_who_sets_statuses_in_the_fleet_back_for_ever_gets_them_and_is_told(hub: hubs.Hub) -> None:
    """Of who leaves out what we wrote, the API server keeps no name."""
    fleet, one = hub.farm.fleet, hub.one
    web, service = depots.deployment("rivalled", 2), depots.service("rivalled-service")
    free = depots.deployment("rivalled-not", 2)
    hub.bring(web, service, free)
    for each in (web, service, free):
        hub.until(each, "applied")
    rivals = Rival(fleet, web, "readyReplicas", 1), Rival(fleet, service, "loadBalancer", {})
    audit = copies.Audit(fleet)

    def writes(what: copies.Object) -> list[copies.Write]:
        return [each for each in audit.writes() if each.name == what["metadata"]["name"]]

    def left(what: copies.Object) -> bool:
        name = f"{what['kind']} {depots.SPACE}/{what['metadata']['name']}: "
        rows = [row for row in hub.served.problems().splitlines() if name in row and "its status back" in row]
        return any((WHO if what is web else "somebody else") in row for row in rows)

    with fought(*rivals):
        told(one, web, replicas=2, readyReplicas=2)
        told(one, service, loadBalancer={"ingress": [{"ip": "192.0.2.1"}]})
        for each in (web, service):
            world.until(lambda each=each: left(each), "told", 60.0)

        begun = time.monotonic()
        told(one, free, replicas=2, readyReplicas=2)
        world.until(lambda: fleet.get(free)["status"].get("readyReplicas") == 2, "others go on")
        world.until(lambda: time.monotonic() - begun > QUIET, "for a while")
        for each, rival in zip((web, service), rivals, strict=True):
            assert feud.ROUNDS <= len(writes(each)) <= 2 * feud.ROUNDS, writes(each)
            assert rival.rounds <= len(writes(each))
    assert fleet.get(web)["status"]["readyReplicas"] == 1
    assert not fleet.get(service)["status"]["loadBalancer"]
    assert len(writes(free)) <= feud.ROUNDS
