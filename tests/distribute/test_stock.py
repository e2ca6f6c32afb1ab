"""Whole objects on a fake API server: made, changed, removed, and what belongs to others left alone."""

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import pytest

from fedns.distribute import docket, rights, spaces, stock, writer
from fedns.kube import access, apply, backoff, client
from fedns.kube.resource import Resource
from tests.distribute import writing
from tests.fakes import kubecluster
from tests.waiting import until

MAPS = Resource("", "v1", "configmaps", "ConfigMap")
QUICK = writer.Pace(settle=0.01, look=0.02, sweep=0.05, patience=1.0, rate=1000.0)
SHORT = docket.Pace(hold=0.2, unsure=0.1, refused=0.2, bounds=backoff.Bounds(first=0.05, most=0.1))
LONG = 20.0
Object = dict[str, Any]


def made(name: str, **data: str) -> Object:
    labels = {**rights.MANAGED, "of": name.partition("-")[0]}
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "n", "labels": labels},
        "data": data,
    }


def others(name: str, **data: str) -> Object:
    found = made(name, **data)
    del found["metadata"]["labels"]["app.kubernetes.io/managed-by"]
    return found


class Lease:
    """Held as the test says."""

    held = True


class World:
    """What is wanted: service -> its objects; and who writes them."""

    def __init__(self, cluster: kubecluster.Cluster) -> None:
        self.cluster, self.lease, self.known = cluster, Lease(), True
        self.wanted: dict[str, list[Object]] = {}
        self.unheard: frozenset[str] = frozenset()
        self.api = client.Client(access.Where(server=cluster.url), asyncio.Semaphore(client.AT_ONCE))
        self.spaces = spaces.Spaces(lambda _: self.stock.touch(self.wanted), "hint")
        kind = stock.Kind((MAPS,), content, service, self.find, lambda: self.unheard)
        self.stock = stock.Stock(kind, SHORT)
        self.writer = writer.Writer(self.api, self.lease, [self.spaces, self.stock], QUICK)

    def find(self, service: str) -> stock.Wanted | None:
        if not self.spaces.known or not self.known:
            return None
        space = service.partition("/")[0]
        objects = self.wanted.get(service, ()) if space in self.spaces else ()
        return {one["metadata"]["name"]: one for one in objects}

    def want(self, **services: list[Object]) -> None:
        self.wanted |= {f"n/{name}": objects for name, objects in services.items()}
        self.stock.touch(f"n/{name}" for name in services)
        self.writer.news.set()

    def writes(self) -> list[str]:
        return [line.partition("?")[0] for line in self.cluster.log() if line[:3] in ("PAT", "DEL", "PUT")]

    def problems(self) -> str:
        return "\n".join(map(str, self.writer.problems()))


def content(one: stock.Object) -> Any:
    return one.get("data") or {}


def service(one: stock.Object) -> tuple[str, tuple[str, ...]]:
    meta = one["metadata"]
    of = (meta.get("labels") or {}).get("of", "")
    return f"{meta['namespace']}/{of}", (of,)


@pytest.fixture
def cluster() -> Iterator[kubecluster.Cluster]:
    with kubecluster.running() as found:
        found.put(kubecluster.namespace("n"))
        yield found


def data(cluster: kubecluster.Cluster, name: str) -> Any:
    """What is there; None: nothing."""
    status, found = cluster.request("GET", MAPS.path("n", name))
    return found.get("data") or {} if status == 200 else None


def test_what_is_wanted_is_made_once_changed_and_removed(cluster: kubecluster.Cluster) -> None:
    async def run() -> None:
        async with writing.during(World(cluster)) as world:
            world.want(a=[made("a-1", x="1"), made("a-2")], b=[made("b-1")])
            await until(lambda: world.writer.outcomes["written"] == 3, "made")
            assert data(cluster, "a-1") == {"x": "1"}
            asked = len(cluster.log())
            for _ in range(20):
                world.want(a=world.wanted["n/a"])
                await asyncio.sleep(0.02)
            assert len(cluster.log()) == asked, "idle"
            world.want(a=[made("a-1", x="2")], b=[])
            await until(lambda: data(cluster, "a-1") == {"x": "2"}, "changed")
            await until(lambda: data(cluster, "a-2") is None and data(cluster, "b-1") is None, "removed")
            assert world.writer.outcomes == {"written": 4, "removed": 2} and not world.problems()

    asyncio.run(run())


def test_what_a_server_serves_is_asked_once(cluster: kubecluster.Cluster) -> None:
    async def run() -> None:
        async with writing.during(World(cluster)) as world:
            world.want(a=[made("a-1")])
            await until(lambda: world.writer.outcomes["written"] == 1, "made")
            cluster.hangup()  # all watches are begun anew
            cluster.put(made("gone-1"))
            await until(lambda: data(cluster, "gone-1") is None, "it is seen, and removed")
            assert [line for line in cluster.log() if line.split("?")[0] == "GET /api/v1"] == ["GET /api/v1"]

    asyncio.run(run())


def test_many_are_looked_at_in_parts_and_none_is_forgotten(cluster: kubecluster.Cluster) -> None:
    names = [f"s{number}" for number in range(stock.PART + 50)]

    async def run() -> None:
        async with writing.during(World(cluster)) as world:
            world.want(**{name: [made(f"{name}-1")] for name in names})
            await until(lambda: world.writer.outcomes["written"] == len(names), "all of them")
            world.want(**{name: [] for name in names})
            await until(lambda: world.writer.outcomes["removed"] == len(names), "none of them")

    asyncio.run(run())


def test_orphans_of_before_are_found(cluster: kubecluster.Cluster) -> None:
    cluster.put(others("theirs-1"))
    for one in (made("gone-1"), made("a-1", x="old"), made("a-9")):
        path = MAPS.path("n", one["metadata"]["name"])
        cluster.request("PATCH", f"{path}?fieldManager={apply.MANAGER}", one, apply.CONTENT)

    async def run() -> None:
        async with writing.during(World(cluster)) as world:
            world.want(a=[made("a-1", x="new")])
            await until(lambda: data(cluster, "gone-1") is None, "a service that is no more")
            await until(lambda: data(cluster, "a-9") is None, "an object that is no more")
            await until(lambda: data(cluster, "a-1") == {"x": "new"}, "changed")
            assert data(cluster, "theirs-1") == {}

    asyncio.run(run())


def test_nothing_is_done_before_all_is_known_nor_to_what_came_from_who_was_not_heard(
    cluster: kubecluster.Cluster,
) -> None:
    cluster.put(made("a-1"), made("b-1"))

    async def run() -> None:
        async with writing.during(World(cluster)) as world:
            world.known, world.unheard = False, frozenset({"a"})
            world.want(c=[made("c-1")])
            for _ in range(20):
                world.writer.news.set()
                await asyncio.sleep(0.02)
            assert not world.writes()
            world.known = True
            world.stock.touch(("n/a", "n/b", "n/c"))
            await until(lambda: data(cluster, "b-1") is None and data(cluster, "c-1") == {}, "as is known")
            assert data(cluster, "a-1") == {}
            world.unheard = frozenset()
            world.stock.touch(("n/a",))
            world.writer.news.set()
            await until(lambda: data(cluster, "a-1") is None, "heard, and it wants it no more")

    asyncio.run(run())


def test_what_others_made_stays_and_is_told(cluster: kubecluster.Cluster) -> None:
    cluster.put(others("a-1", x="theirs"))

    async def run() -> None:
        async with writing.during(World(cluster)) as world:
            world.want(a=[made("a-1", x="ours"), made("a-2")])
            await until(lambda: data(cluster, "a-2") == {}, "made")
            await until(lambda: "ConfigMap n/a-1: somebody else made it" in world.problems(), "told")
            assert data(cluster, "a-1") == {"x": "theirs"}
            await asyncio.to_thread(cluster.delete, others("a-1"))
            await until(
                lambda: data(cluster, "a-1") == {"x": "ours"} and not world.problems(), "in its place"
            )
            await asyncio.to_thread(cluster.put, others("a-2", y="taken"))
            world.want(a=[])
            await until(lambda: data(cluster, "a-1") is None, "removed")
            assert data(cluster, "a-2") == {"y": "taken"}, "its label went, so it is ours no more"

    asyncio.run(run())


def test_objects_are_made_where_their_namespace_is(cluster: kubecluster.Cluster) -> None:
    cluster.delete(kubecluster.namespace("n"))

    async def run() -> None:
        async with writing.during(World(cluster)) as world:
            world.want(a=[made("a-1")])
            for _ in range(10):
                world.writer.news.set()
                await asyncio.sleep(0.02)
            assert not world.writes()
            await asyncio.to_thread(cluster.put, kubecluster.namespace("n"))
            await until(lambda: data(cluster, "a-1") == {}, "made")

    asyncio.run(run())


def test_one_broken_object_stops_no_other(cluster: kubecluster.Cluster) -> None:
    cluster.faults(broken=["a-3"])

    async def run() -> None:
        async with writing.during(World(cluster)) as world:
            world.want(a=[made(f"a-{number}") for number in range(9)])
            await until(lambda: world.writer.outcomes["written"] == 8, "all others")
            await until(lambda: "ConfigMap n/a-3: it is not written: 422" in world.problems(), "told")
            await asyncio.to_thread(lambda: cluster.faults(broken=[]))
            await until(lambda: data(cluster, "a-3") == {} and not world.problems(), "that too")

    asyncio.run(run())


def test_what_is_refused_is_told_and_tried_once_in_a_while(cluster: kubecluster.Cluster) -> None:
    cluster.faults(forbidden=["create:configmaps"])

    async def run() -> None:
        async with writing.during(World(cluster)) as world:
            world.want(a=[made("a-1"), made("a-2")], b=[made("b-1")])
            await until(lambda: "configmaps: 403" in world.problems(), "told")
            await asyncio.to_thread(lambda: cluster.faults(forbidden=[]))
            await until(lambda: world.writer.outcomes["written"] == 3 and not world.problems(), "allowed")

    asyncio.run(run())


def test_who_takes_over_the_lease_goes_on(cluster: kubecluster.Cluster) -> None:
    async def run() -> None:
        async with writing.during(World(cluster)) as one, writing.during(World(cluster)) as other:
            other.lease.held = False
            for each in (one, other):
                each.want(a=[made("a-1", x="1")], b=[made("b-1")])
            await until(lambda: one.writer.outcomes["written"] == 2, "made by one")
            one.lease.held, other.lease.held = False, True
            for each in (one, other):
                each.want(a=[made("a-1", x="2")], b=[])
            await until(lambda: data(cluster, "a-1") == {"x": "2"}, "changed by the other")
            await until(lambda: data(cluster, "b-1") is None, "removed by the other")
            assert one.writer.outcomes == {"written": 2}

    asyncio.run(run())


def test_a_field_that_somebody_else_adds_is_not_fought_over(cluster: kubecluster.Cluster) -> None:
    async def run() -> None:
        async with writing.during(World(cluster)) as world:
            world.want(a=[made("a-1", x="1")])
            await until(lambda: data(cluster, "a-1") == {"x": "1"}, "made")
            patch = {"data": {"y": "theirs"}}
            kind = "application/merge-patch+json"
            await asyncio.to_thread(cluster.request, "PATCH", MAPS.path("n", "a-1"), patch, kind)
            await until(lambda: world.writer.outcomes["written"] == 2, "seen, and applied once more")
            asked = len(world.writes())
            for _ in range(30):
                world.want(a=world.wanted["n/a"])
                await asyncio.sleep(0.02)
            assert len(world.writes()) == asked and data(cluster, "a-1") == {"x": "1", "y": "theirs"}

    asyncio.run(run())


@pytest.mark.parametrize("gone", [False, True])
def test_a_reply_that_comes_after_the_news_takes_nothing_back(
    cluster: kubecluster.Cluster, gone: bool
) -> None:
    key, where = (MAPS.kind, "n", "a-1"), f"{MAPS.path('n', 'a-1')}?fieldManager=them"
    wanted = {"n/a": {"a-1": made("a-1", x="1")}}
    kind = stock.Kind((MAPS,), content, service, lambda name: wanted.get(name, {}), frozenset)
    held = stock.Stock(kind, SHORT)

    async def run() -> None:
        async with writing.opened(held, cluster) as hand:
            held.touch(wanted)
            assert [one.key for one in held.due(time.monotonic())] == [key]
            reply = await hand.write(key)
            await hand.heard(key, reply)
            if gone:
                assert cluster.request("DELETE", where)[0] == 200
                await until(lambda: not hand.feed.version(key), "the watch has told that it is gone")
            else:
                merge = "application/merge-patch+json"
                _, there = cluster.request("PATCH", where, {"data": {"x": "2"}}, merge)
                await hand.heard(key, there)
            held.wrote(key, reply)
            assert [one.key for one in held.due(time.monotonic() + LONG)] == [key], "it is put right"

    asyncio.run(run())
