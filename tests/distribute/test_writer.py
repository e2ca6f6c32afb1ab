"""The writer on a fake API server: what is written, how often, and what one broken object does to others."""

import asyncio
import json
import time
import urllib.request
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from fedns.distribute import docket, shelf, statuses, writer
from fedns.kube import access, backoff, client
from fedns.kube.resource import Resource
from tests.distribute import writing
from tests.fakes import kubecluster
from tests.waiting import until

MEMBERS = Resource("fedns.io", "v1alpha1", "memberclusters", "MemberCluster", False)
POLICIES = Resource("fedns.io", "v1alpha1", "trafficpolicies", "TrafficPolicy")
LONG = 20.0
QUICK = writer.Pace(settle=0.01, look=0.02, sweep=0.05, patience=1.0, rate=1000.0)
SHORT = docket.Pace(hold=0.5, unsure=0.1, refused=0.3, bounds=backoff.Bounds(first=0.05, most=0.1))


class Lease:
    """Held as the test says."""

    held = True


class World:
    """What is judged, and who writes it."""

    def __init__(self, cluster: kubecluster.Cluster) -> None:
        self.cluster, self.lease = cluster, Lease()
        self.versions: dict[str, str] = {}
        api = client.Client(access.Where(server=cluster.url), asyncio.Semaphore(client.AT_ONCE))
        self.api, self.services = api, 0
        chapters = (
            shelf.Chapter(MEMBERS, lambda _: "", self.member),
            shelf.Chapter(POLICIES, self.readable, lambda _, live: statuses.policy(live, "")),
        )
        self.writer = writer.Writer(api, self.lease, [shelf.Shelf(each, SHORT) for each in chapters], QUICK)

    def chapters(self, *found: shelf.Chapter) -> None:
        """Another writer, of these kinds."""
        shelves = [shelf.Shelf(each, SHORT) for each in found]
        self.writer = writer.Writer(self.api, self.lease, shelves, QUICK)

    def member(self, name: str, live: statuses.Live) -> statuses.Verdict | None:
        if name == "nobody's":
            return None
        return statuses.member(live, "", statuses.Member("reachable", services=self.services))

    @staticmethod
    def readable(data: bytes) -> str:
        return "" if "spec" in msgspec.json.decode(data) else "there is no spec"

    def writes(self) -> list[str]:
        return [line.partition("?")[0] for line in self.cluster.log() if line.startswith("PATCH")]

    def problems(self) -> str:
        return "\n".join(map(str, self.writer.problems()))


@pytest.fixture
def cluster() -> Iterator[kubecluster.Cluster]:
    with kubecluster.running() as found:
        yield found


def member(name: str) -> dict[str, Any]:
    return {
        "apiVersion": "fedns.io/v1alpha1",
        "kind": "MemberCluster",
        "metadata": {"name": name},
        "spec": {},
    }


def policy(name: str, **more: Any) -> dict[str, Any]:
    meta = {"name": name, "namespace": "n"}
    return {"apiVersion": "fedns.io/v1alpha1", "kind": "TrafficPolicy", "metadata": meta, **more}


def status(cluster: kubecluster.Cluster, path: str) -> dict[str, Any]:
    with urllib.request.urlopen(cluster.url + path, timeout=LONG) as reply:
        found: dict[str, Any] = json.load(reply).get("status") or {}
    return found


def test_each_object_gets_its_status_once(cluster: kubecluster.Cluster) -> None:
    cluster.put(member("a"), member("nobody's"), policy("p", spec={}), policy("q"))

    async def run() -> None:
        async with writing.during(World(cluster)) as world:
            await until(lambda: world.writer.outcomes["written"] == 3, "written")
            assert status(cluster, MEMBERS.path("", "a"))["services"] == 0
            row = status(cluster, POLICIES.path("n", "q"))["conditions"][0]
            assert (row["status"], row["reason"]) == ("False", "Invalid")
            lists = len(cluster.log())
            for _ in range(20):
                world.writer.news.set()
                await asyncio.sleep(0.02)
            assert len(world.writes()) == 3 and len(cluster.log()) == lists
            assert not status(cluster, MEMBERS.path("", "nobody's")) and not world.problems()

    asyncio.run(run())


def test_numbers_that_move_wait_and_flips_do_not(cluster: kubecluster.Cluster) -> None:
    cluster.put(member("a"))

    async def run() -> None:
        async with writing.during(World(cluster)) as world:
            await until(lambda: world.writer.outcomes["written"] == 1, "written")
            begun = time.monotonic()
            while time.monotonic() < begun + 3 * SHORT.hold:
                world.services += 1
                world.writer.news.set()
                await asyncio.sleep(0.01)
            assert 2 <= world.writer.outcomes["written"] <= 6
            await until(
                lambda: status(cluster, MEMBERS.path("", "a"))["services"] == world.services, "the last"
            )
            cluster.put({**member("a"), "status": {}})  # somebody wiped it
            await until(lambda: status(cluster, MEMBERS.path("", "a")).get("conditions"), "put right")

    asyncio.run(run())


def test_nothing_is_written_without_the_lease(cluster: kubecluster.Cluster) -> None:
    cluster.put(member("a"))

    async def run() -> None:
        async with writing.during(World(cluster)) as world:
            await until(lambda: world.writer.outcomes["written"] == 1, "written")
            world.lease.held = False
            world.services = 9
            await asyncio.to_thread(cluster.put, member("b"))
            for _ in range(10):
                world.writer.news.set()
                await asyncio.sleep(0.02)
            assert len(world.writes()) == 1
            world.lease.held = True
            await until(lambda: world.writer.outcomes["written"] == 3, "both")

    asyncio.run(run())


def test_one_broken_object_stops_no_other(cluster: kubecluster.Cluster) -> None:
    cluster.put(*(member(f"m{number}") for number in range(9)))
    cluster.faults(broken=["m3"])

    async def run() -> None:
        async with writing.during(World(cluster)) as world:
            await until(lambda: world.writer.outcomes["written"] == 8, "all others")
            await until(lambda: world.writer.outcomes["failed"] >= docket.PERSISTENT, "tried again")
            assert "MemberCluster m3: its status is not written: 422" in world.problems()
            await asyncio.to_thread(lambda: cluster.faults(broken=[]))
            await until(lambda: world.writer.outcomes["written"] == 9 and not world.problems(), "that too")

    asyncio.run(run())


def test_what_is_refused_is_told_and_asked_for_once_in_a_while(cluster: kubecluster.Cluster) -> None:
    cluster.put(member("a"), member("b"), policy("p", spec={}))
    cluster.faults(forbidden=["patch:memberclusters/status"])

    async def run() -> None:
        async with writing.during(World(cluster)) as world:
            await until(lambda: world.writer.outcomes["written"] == 1, "the policy")
            await until(lambda: "memberclusters/status: 403" in world.problems(), "told")
            assert shelf.HINT in world.problems()
            await asyncio.to_thread(lambda: cluster.faults(forbidden=[]))
            await until(lambda: world.writer.outcomes["written"] == 3 and not world.problems(), "allowed")

    asyncio.run(run())


def test_an_object_that_goes_is_no_refusal(cluster: kubecluster.Cluster) -> None:
    async def run() -> None:
        async with writing.during(World(cluster)) as world:
            for number in range(10):
                await asyncio.to_thread(cluster.put, member(f"m{number}"))
                await asyncio.to_thread(cluster.delete, member(f"m{number}"))
            cluster.put(member("last"))
            await until(lambda: status(cluster, MEMBERS.path("", "last")), "written")
            assert not world.problems()

    asyncio.run(run())


INGRESSES = Resource("networking.k8s.io", "v1", "ingresses", "Ingress")


def ingress(name: str, **status: Any) -> dict[str, Any]:
    meta = {"name": name, "namespace": "n"}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": meta,
        "spec": {"ingressClassName": "fedns"},
        "status": {"loadBalancer": status},
    }


def test_ingresses_are_told_where_they_are_reached_until_they_are_ours_no_more(
    cluster: kubecluster.Cluster,
) -> None:
    served, theirs = {"n/a", "n/b"}, [{"ip": "192.0.2.99"}]
    cluster.put(ingress("a"), ingress("b"), ingress("c", ingress=theirs))

    def judge(name: str, live: statuses.Live) -> statuses.Verdict | None:
        return statuses.ingress(live, name in served, ({"ip": "192.0.2.7"},))

    def told(name: str) -> Any:
        return status(cluster, INGRESSES.path("n", name)).get("loadBalancer", {}).get("ingress")

    async def run() -> None:
        async with writing.during(World(cluster)) as world:
            world.chapters(shelf.Chapter(INGRESSES, lambda _: "", judge))
            task = asyncio.ensure_future(world.writer.run())
            try:
                await until(lambda: told("a") == told("b") == [{"ip": "192.0.2.7"}], "written")
                served.discard("n/b")
                await until(lambda: not told("b"), "taken back")
                assert told("c") == theirs and told("a") == [{"ip": "192.0.2.7"}]
                written = world.writer.outcomes["written"]
                for _ in range(20):
                    world.writer.news.set()
                    await asyncio.sleep(0.02)
                assert world.writer.outcomes["written"] == written == 3 and not world.problems()
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    asyncio.run(run())
