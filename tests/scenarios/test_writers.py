"""Two control processes on one fleet: one of them writes, the other follows; answers wait for neither."""

import json
import os
import signal
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from tests.envtest import clusters
from tests.fakes import kubecluster
from tests.scenarios import fleets, world

OVER = 25.0
"""Seconds until a dead writer is followed: its Lease is good for 15, seen to change every 2."""
LET_GO = 4.0
"""Seconds until one that let go is followed; it takes 2.4 at most, and a busy machine some more."""
POLICY = "/apis/fedns.io/v1alpha1/namespaces/mynamespace/trafficpolicies/nginx"
MEMBER = "/apis/fedns.io/v1alpha1/memberclusters/europe"


def stored(fleet: kubecluster.Cluster, path: str) -> dict[str, Any]:
    with urllib.request.urlopen(fleet.url + path, timeout=world.LONG) as reply:
        found: dict[str, Any] = json.load(reply)
    return found


def conditions(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    rows = found.get("status", {}).get("conditions", ())
    return {row["type"]: row for row in rows}


def accepted(fleet: kubecluster.Cluster) -> tuple[str, str, str]:
    """Status, reason and message of that condition of the policy."""
    found = conditions(stored(fleet, POLICY)).get("Accepted", {})
    return found.get("status", ""), found.get("reason", ""), found.get("message", "")


def writer(served: world.Served) -> dict[str, Any]:
    found: dict[str, Any] = served.api("/api/v1/status")["writer"]
    return found


def replica(root: Path, fleet: kubecluster.Cluster) -> world.World:
    """A world whose policies are on the fleet's API server."""
    root.mkdir()
    place = world.World(root)
    text = place.config.read_text()
    place.put("fedns.yaml", text.replace("{manifests: fleet/}", f"{{api: {{server: '{fleet.url}'}}}}"))
    return place


@contextmanager
def two(root: Path) -> Iterator[tuple[kubecluster.Cluster, world.Served, world.Served]]:
    """A fleet with a policy, who writes there, and who does not."""
    with kubecluster.running() as fleet:
        fleet.put(kubecluster.namespace("fedns"), yaml.safe_load(world.POLICY))
        with world.settled(replica(root / "a", fleet)) as one:
            world.until(lambda: writer(one)["held"], "the first one writes")
            with world.settled(replica(root / "b", fleet)) as other:
                yield fleet, one, other


def test_one_writes_and_the_other_follows_when_it_is_killed(tmp_path: Path) -> None:
    with two(tmp_path) as (fleet, one, other):
        world.until(lambda: accepted(fleet)[:2] == ("True", "Accepted"), "written")
        world.until(lambda: writer(other)["holder"] == writer(one)["process"], "the other one knows")
        assert not writer(other)["held"] and writer(other)["written"] == 0
        assert "fedns_leader 1.0" in one.api("/metrics") and "fedns_leader 0.0" in other.api("/metrics")
        assert f"statuses are written by {writer(one)['process']}" in other.fedns("status").stdout
        assert "statuses are written by this process" in one.fedns("status").stdout

        before = one.answer(world.GLOBAL)
        os.kill(one.process.pid, signal.SIGSTOP)  # no successor
        one.kill("control")
        killed = time.monotonic()
        assert (one.answer(world.GLOBAL), other.answer(world.GLOBAL)) == (before, before)
        world.until(lambda: writer(other)["held"], "followed", OVER)
        took = time.monotonic() - killed
        assert 10.0 < took < OVER, took
        os.kill(one.process.pid, signal.SIGCONT)

        policy = yaml.safe_load(world.POLICY)
        policy["spec"]["ttl"] = {"min": "9s", "max": "8s"}
        fleet.put(policy)
        world.until(lambda: accepted(fleet)[0] == "False", "written")
        assert accepted(fleet)[1] == "Invalid" and "min is at most max" in accepted(fleet)[2]
        world.until(one.up, "the first one is there again")
        world.until(lambda: writer(one)["holder"] == writer(other)["process"], "and stands back")
        assert not writer(one)["held"]


def test_one_that_ends_lets_go(tmp_path: Path) -> None:
    with two(tmp_path) as (_, one, other):
        world.until(lambda: writer(other)["holder"] == writer(one)["process"], "the other one knows")
        one.process.terminate()
        begun = time.monotonic()
        world.until(lambda: writer(other)["held"], "followed")
        took = time.monotonic() - begun
        assert took < LET_GO, took
        assert writer(other)["transitions"] == 1


def test_what_may_not_be_written_is_told_and_answers_go_on(tmp_path: Path) -> None:
    with kubecluster.running() as fleet:
        fleet.faults(forbidden=["leases"])
        fleet.put(kubecluster.namespace("fedns"), yaml.safe_load(world.POLICY))
        with world.settled(replica(tmp_path / "a", fleet)) as served:
            world.until(lambda: "Lease fedns/fedns: 403 Forbidden" in served.problems(), "told")
            assert "statuses are not written: 403 Forbidden" in served.fedns("status").stdout
            assert served.ask(world.GLOBAL).answer[0].ttl > 100
        assert not accepted(fleet)[0]


def test_nothing_is_written_where_that_is_switched_off(tmp_path: Path) -> None:
    with kubecluster.running() as fleet:
        fleet.put(kubecluster.namespace("fedns"), yaml.safe_load(world.POLICY))
        place = replica(tmp_path / "a", fleet)
        text = place.config.read_text()
        server = f"server: '{fleet.url}'}}"
        place.put("fedns.yaml", text.replace(server, f"{server}, status: false"))
        with world.settled(place) as served:
            assert writer(served) is None and "fedns_leader" not in served.api("/metrics")
        assert not [line for line in fleet.log() if "leases" in line or not line.startswith("GET ")]


def test_a_real_api_server_takes_statuses_and_the_lease(tmp_path: Path, farm: clusters.Farm) -> None:
    policy = yaml.safe_load(world.POLICY)
    lease = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": "fedns", "namespace": "fedns"},
    }
    for cluster in (farm.one, farm.two):
        fleets.fill(cluster)
    farm.fleet.define(*fleets.DEFINITIONS)
    farm.fleet.put(*map(kubecluster.namespace, ("fedns", "mynamespace")), policy)

    def told() -> tuple[str, int]:
        row = conditions(farm.fleet.get(policy)).get("Accepted", {})
        return row.get("status", ""), row.get("observedGeneration", 0)

    with fleets.settled(fleets.Fleet(tmp_path, farm)) as served:
        world.until(lambda: told() == ("True", 1), "accepted")
        held = farm.fleet.get(lease)["spec"]
        assert held["holderIdentity"] == writer(served)["process"] and held["leaseDurationSeconds"] == 15
        since = conditions(farm.fleet.get(policy))["Accepted"]["lastTransitionTime"]
        farm.fleet.put({**policy, "spec": {**policy["spec"], "strategy": "Nearest"}})
        world.until(lambda: told() == ("True", 2), "the new generation")
        assert conditions(farm.fleet.get(policy))["Accepted"]["lastTransitionTime"] == since
        farm.fleet.put({**policy, "spec": {**policy["spec"], "ttl": {"min": "9s", "max": "8s"}}})
        world.until(lambda: told() == ("False", 3), "what cannot be meant")
        world.until(lambda: writer(served)["written"] == 3, "three replies have come")
        assert writer(served)["failed"] == 0
    assert not farm.fleet.get(lease)["spec"].get("holderIdentity")
