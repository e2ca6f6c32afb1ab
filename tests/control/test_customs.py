"""Who writes imports to members, on fake API servers: who may, what of whom, and what stays."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec import structs

from fedns import config
from fedns.control import customs, known
from fedns.distribute import imports
from fedns.errors import Problem
from fedns.kube import apply
from fedns.model import assemble
from fedns.model.facts import Backend, Export, Inside, MemberFacts, Port, ShardFacts
from fedns.model.snapshot import Snapshot
from fedns.sources import change
from tests.fakes import kubecluster
from tests.scenarios import clustersets
from tests.waiting import until

KEY = "n/web"
TEXT = """federation: f
domain: example.com
nameservers: {{ns1.example.com: [192.0.2.53]}}
members:
- {{name: a, api: {{server: "{a}"}}}}
- {{name: b, api: {{server: "{b}"}}}}
clusterset: {{write: true, slices: true}}
"""
Clusters = dict[str, kubecluster.Cluster]


def facts(name: str, address: str = "", **more: Any) -> MemberFacts:
    """A member that exports the service, if an address is behind it."""
    if not address:
        return MemberFacts(name, "", (), {}, {}, read_at=more.pop("read_at", 1.0), **more)
    export = Export(1.0 if name == "a" else 2.0)
    backends = (Backend(address, "", (("http", 8080),)),)
    shard = ShardFacts(ports=(Port("http", "tcp", 80),), inside=Inside(backends=backends, export=export))
    return MemberFacts(name, "", (), {}, {KEY: shard}, read_at=1.0, exports={KEY: export})


class Process:
    """One control process: what it knows, and who writes for it."""

    def __init__(self, clusters: Clusters) -> None:
        told = config.parse(TEXT.format(**{name: one.url for name, one in clusters.items()}).encode())
        assert told.config and not told.problems
        self.clusters, self.settings = clusters, told.config
        self.known = known.Known(config.world(told.config), [f"member:{name}" for name in clusters])
        self.turn = SimpleNamespace(snapshot=Snapshot())
        self.identities = {
            name: SimpleNamespace(uid=kubecluster.uid(one), foreign="") for name, one in clusters.items()
        }
        self.members = {one.name: one for one in told.config.members}
        roster = SimpleNamespace(members=self.members, source=self._source)
        parts: Any = SimpleNamespace(config=told.config, known=self.known, turn=self.turn, roster=roster)
        self.customs = customs.Customs(parts, None)
        self.problems: tuple[Problem, ...] = ()

    def _source(self, name: str) -> Any:
        return SimpleNamespace(identity=self.identities[name]) if name in self.identities else None

    def hear(self, *told: MemberFacts) -> None:
        """Members speak, and a turn takes it in."""
        for one in told:
            self._take(change.MemberChange(one, frozenset((KEY,)) if one.shards else None))
        self.settle()

    def leave(self, name: str) -> None:
        del self.members[name]
        self._take(change.MemberGone(name))
        self.settle()

    def settle(self) -> None:
        if self.known.awaited:
            return
        world, touched, members = self.known.take()
        self.turn.snapshot = assemble.assemble(self.turn.snapshot, world, touched, 5.0, members)
        self.customs.turned()

    def _take(self, news: Any) -> None:
        self.known.put(news)
        self.customs.hear(news)

    def publish(self, news: Any) -> None:
        self.problems = news.problems

    @property
    def trouble(self) -> str:
        return "\n".join(map(str, self.problems))


@asynccontextmanager
async def running(process: Process) -> AsyncIterator[Process]:
    task = asyncio.ensure_future(process.customs.run(process.publish))
    try:
        yield process
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
def clusters() -> Iterator[Clusters]:
    with kubecluster.running() as a, kubecluster.running() as b:
        for one in (a, b):
            one.put(kubecluster.namespace("n"), kubecluster.namespace("fedns"))
        yield {"a": a, "b": b}


def made(cluster: kubecluster.Cluster) -> Any:
    """The ServiceImport; None: there is none."""
    status, found = cluster.request("GET", imports.IMPORTS[-1].path("n", "web"))
    return found if status == 200 else None


def sources(cluster: kubecluster.Cluster) -> list[str]:
    """Whose slices are there."""
    found = cluster.request("GET", imports.SLICES[0].path("n"))[1]["items"]
    return sorted(one["metadata"]["labels"].get(imports.SOURCE, "") for one in found)


def exporters(cluster: kubecluster.Cluster) -> list[str]:
    found = made(cluster) or {}
    return [row["cluster"] for row in found.get("status", {}).get("clusters", ())]


def written(cluster: kubecluster.Cluster, one: dict[str, Any], resource: Any, part: str = "") -> None:
    """As we wrote it once."""
    meta = one["metadata"]
    path = resource.path(meta["namespace"], meta["name"], part)
    body = {"apiVersion": resource.api_version, "kind": resource.kind, **one}
    code, told = cluster.request("PATCH", f"{path}?fieldManager={apply.MANAGER}", body, apply.CONTENT)
    assert code in (200, 201), told


def test_each_member_has_the_imports_of_all_and_a_lease_of_its_own(clusters: Clusters) -> None:
    clusters["a"].put(clustersets.export("n"))

    async def run() -> None:
        async with running(Process(clusters)) as process:
            process.hear(facts("a", "10.0.0.1"), facts("b", "10.1.0.1"))
            for one in clusters.values():
                await until(lambda one=one: exporters(one) == ["a", "b"], "imported")
                await until(lambda one=one: sources(one) == ["a", "b"], "endpoints")
                status, lease = one.request(
                    "GET", "/apis/coordination.k8s.io/v1/namespaces/fedns/leases/fedns"
                )
                assert status == 200 and lease["spec"]["holderIdentity"]
            told = await asyncio.to_thread(clusters["a"].request, "GET", imports.EXPORTS[-1].path("n", "web"))
            rows = {row["type"]: row["status"] for row in told[1]["status"]["conditions"]}
            assert rows == {"Valid": "True", "Ready": "True", "Conflict": "False"}
            assert [one.held for one in process.customs.told()] == [True, True] and not process.trouble
            process.leave("b")
            await until(lambda: exporters(clusters["a"]) == ["a"], "it left")
            await until(lambda: sources(clusters["a"]) == ["a"], "and its endpoints with it")
            process.hear(structs.replace(facts("a"), read_at=2.0))
            await until(lambda: made(clusters["a"]) is None and not sources(clusters["a"]), "unexported")

    asyncio.run(run())


def test_orphans_go_but_not_what_came_from_a_member_that_was_not_heard(clusters: Clusters) -> None:
    (slice_of_b,) = imports.slices(KEY, "b", facts("b", "10.1.0.1").shards[KEY]).values()
    (orphan,) = imports.slices(KEY, "gone", facts("b", "10.2.0.1").shards[KEY]).values()
    meta = {"name": "web", "namespace": "n", "labels": {"app.kubernetes.io/managed-by": "fedns"}}
    for one in (slice_of_b, orphan):
        written(clusters["a"], one, imports.SLICES[0])
    written(clusters["a"], {"metadata": meta, "spec": {"type": "Headless", "ports": []}}, imports.IMPORTS[-1])
    rows = {"metadata": {"name": "web", "namespace": "n"}, "status": {"clusters": [{"cluster": "b"}]}}
    written(clusters["a"], rows, imports.IMPORTS[-1], "status")

    async def run() -> None:
        async with running(Process(clusters)) as process:
            process.hear(facts("a"))
            await asyncio.sleep(0)
            assert not process.turn.snapshot.members, "one is awaited: no turn, and nothing is written"
            process.hear(facts("b", read_at=0.0))
            await until(lambda: sources(clusters["a"]) == ["b"], "of a cluster that is no member")
            assert made(clusters["a"])["spec"]["type"] == "Headless"
            process.hear(facts("b"))
            await until(lambda: made(clusters["a"]) is None and not sources(clusters["a"]), "it was heard")

    asyncio.run(run())


def test_nothing_is_written_to_another_cluster_than_it_was(clusters: Clusters) -> None:
    async def run() -> None:
        process = Process(clusters)
        process.identities["b"].foreign = "this is another cluster"
        async with running(process):
            process.hear(facts("a", "10.0.0.1"), facts("b"))
            await until(lambda: made(clusters["a"]), "imported")
            assert made(clusters["b"]) is None
            process.identities["b"].foreign = ""
            await until(lambda: made(clusters["b"]), "it is the one that it was")

    asyncio.run(run())


def test_one_process_writes_and_another_follows(clusters: Clusters) -> None:
    def patched(cluster: kubecluster.Cluster) -> int:
        return sum(line.startswith("PATCH") for line in cluster.log())

    async def run() -> None:
        first, second = Process(clusters), Process(clusters)
        async with running(second):
            async with running(first):
                for each in (first, second):
                    each.hear(facts("a", "10.0.0.1"), facts("b"))
                for one in clusters.values():
                    await until(lambda one=one: exporters(one) == ["a"] and sources(one) == ["a"], "once")
                held = [[one.held for one in each.customs.told()] for each in (first, second)]
                assert [sorted(pair) for pair in zip(*held, strict=True)] == [[False, True]] * 2
                assert [patched(one) for one in clusters.values()] == [3, 3], "import, its status, a slice"
            second.hear(facts("b", "10.1.0.1"))
            for one in clusters.values():
                await until(lambda one=one: exporters(one) == ["a", "b"], "by whoever is left")

    asyncio.run(run())


def test_what_keeps_it_from_writing_is_told_and_concerns_one_member(clusters: Clusters) -> None:
    clusters["b"].faults(forbidden=["leases"])

    async def run() -> None:
        async with running(Process(clusters)) as process:
            process.hear(facts("a", "10.0.0.1"), facts("b"))
            await until(lambda: "Lease fedns/fedns: 403" in process.trouble, "told")
            await until(lambda: exporters(clusters["a"]) == ["a"], "the other one is written to")
            assert made(clusters["b"]) is None and customs.HINT in process.trouble

    asyncio.run(run())


def test_a_member_without_the_kinds_is_told_and_stays_as_it_is(clusters: Clusters) -> None:
    clusters["b"].faults(absent=[f"multicluster.x-k8s.io/{one}" for one in ("v1alpha1", "v1beta1")])

    async def run() -> None:
        async with running(Process(clusters)) as process:
            process.hear(facts("a", "10.0.0.1"), facts("b"))
            await until(lambda: "serviceimports: 404" in process.trouble, "told")
            await until(lambda: exporters(clusters["a"]) == ["a"], "the other one is written to")

    asyncio.run(run())
