"""Who is a member: those of the configuration and those that the fleet registers, as they come and go."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fedns import config, tables
from fedns.control import known, roster, turn
from fedns.dns import places
from fedns.model import assemble, snapshot
from fedns.sources import change, watch
from tests.fakes import kubecluster
from tests.sources.listening import Listener

CONFIG = """
federation: fed
domain: example.com
nameservers: {ns1.example.com: [127.0.0.1]}
fleet: {api: {server: "%s"}}
members: [{name: own, region: eu, zones: [eu-1], manifests: own/}]
"""


@pytest.fixture
def server() -> Iterator[kubecluster.Cluster]:
    with kubecluster.running() as found:
        yield found


@pytest.fixture
def parts(tmp_path: Path, server: kubecluster.Cluster) -> Iterator[Any]:
    (tmp_path / "own").mkdir()
    loaded = config.parse((CONFIG % server.url).encode(), str(tmp_path / "fedns.yaml"))
    assert loaded.config
    writer = tables.Writer(str(tmp_path / "state/tables"))
    once = turn.Turn(writer, config.naming(loaded.config), snapshot.Snapshot(), config.server(loaded.config))
    listener, cell = Listener(), known.Known(assemble.World())

    def hear(news: change.Change) -> None:
        cell.put(news)
        listener(news)

    yield SimpleNamespace(
        config=loaded.config,
        known=cell,
        turn=once,
        watcher=watch.Watcher(),
        hear=hear,
        listener=listener,
    )
    writer.close()


def running(parts: Any, test: Callable[[roster.Roster, Listener], Awaitable[None]]) -> None:
    async def main() -> None:
        found = roster.Roster(parts)
        tasks = [asyncio.ensure_future(found.run()), asyncio.ensure_future(parts.watcher.run())]
        try:
            await test(found, parts.listener)
            assert not tasks[0].done(), tasks[0].exception()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(main())


def member(name: str, **spec: Any) -> dict[str, Any]:
    made = kubecluster.registered(name, SimpleNamespace(url="https://127.0.0.1:1"))
    return {**made, "spec": {**made["spec"], **spec}}


async def put(server: kubecluster.Cluster, *objects: dict[str, Any]) -> None:
    await asyncio.to_thread(server.put, *objects)


def test_the_first_turn_waits_for_all_of_them(parts: Any, server: kubecluster.Cluster) -> None:
    server.put(kubecluster.credentials("far", "t"), member("far"))

    async def test(found: roster.Roster, listener: Listener) -> None:
        assert parts.known.awaited == {"member:own", "fleet", "registry"}
        await listener.until(lambda: set(found.members) == {"own", "far"})
        assert {"member:far"} <= parts.known.awaited
        await listener.until(lambda: not parts.known.awaited)  # nobody is there: a few seconds
        assert parts.known.members["far"].api in ("unknown", "unreachable")

    running(parts, test)


def test_one_that_leaves_is_forgotten(parts: Any, server: kubecluster.Cluster, tmp_path: Path) -> None:
    server.put(kubecluster.credentials("far", "t"), member("far", clients=["10.0.0.0/8"], region="eu"))

    async def test(found: roster.Roster, listener: Listener) -> None:
        await listener.until(lambda: "far" in found.members and "own" in parts.known.members)
        assert "far" in found.feeds and "far" in found.origins
        await asyncio.to_thread(server.delete, member("far"))
        await listener.until(lambda: listener.all(change.MemberGone))
        assert set(found.members) == {"own"} and set(found.feeds) == {"@fleet"}
        assert "far" not in parts.known.members and not (tmp_path / "state/members/far").exists()

    running(parts, test)


def test_clients_of_registered_members_are_known(parts: Any, server: kubecluster.Cluster) -> None:
    server.put(kubecluster.credentials("far", "t"))
    server.put(member("far", clients=["10.0.0.0/8"], region="asia", zones=["asia-1"]))

    async def test(found: roster.Roster, listener: Listener) -> None:
        await listener.until(lambda: not parts.known.awaited)
        parts.turn.run(parts.known, 1.0)
        assert [each.network for each in parts.turn.atlas.prefixes] == ["10.0.0.0/8"]
        source = found.feeds["far"]
        await put(server, member("far", clients=["10.0.0.0/9"], region="asia", zones=["asia-1"]))
        await listener.until(lambda: found.members["far"].clients == ("10.0.0.0/9",))
        assert found.feeds["far"] is source, "its source has nothing to do with that"
        parts.turn.run(parts.known, 2.0)
        assert [each.network for each in parts.turn.atlas.prefixes] == ["10.0.0.0/9"]
        assert isinstance(parts.turn.atlas, places.Atlas)
        await put(server, member("far", region="europe"))
        await listener.until(lambda: found.members["far"].region == "europe")
        assert found.feeds["far"] is not source
        source = found.feeds["far"]
        await put(server, member("far", clients=["10.0.0.0/9"], region="europe"))
        await listener.until(lambda: bool(found.members["far"].clients))
        assert found.feeds["far"] is not source, "somebody may be inside now, who is told of more"

    running(parts, test)


def test_the_configurations_own_members_win(parts: Any, server: kubecluster.Cluster, tmp_path: Path) -> None:
    server.put(kubecluster.credentials("own", "t"), member("own"))

    async def test(found: roster.Roster, listener: Listener) -> None:
        await listener.until(lambda: parts.known.problems.get("roster"))
        (problem,) = parts.known.problems["roster"]
        assert problem.where == "MemberCluster own" and "fedns.yaml" in problem.what
        assert found.members["own"].manifests and not (tmp_path / "state/members/own").exists()

    running(parts, test)


def test_what_cannot_be_kept_is_told_and_tried_again(
    parts: Any, server: kubecluster.Cluster, tmp_path: Path
) -> None:
    obstacle = tmp_path / "state/members"
    obstacle.write_text("")
    server.put(kubecluster.credentials("far", "t"), member("far"))

    async def test(found: roster.Roster, listener: Listener) -> None:
        await listener.until(lambda: parts.known.problems.get("roster"))
        assert "cannot be kept" in parts.known.problems["roster"][0].what and "far" not in found.members
        obstacle.unlink()
        await listener.until(lambda: not parts.known.problems["roster"])
        assert (obstacle / "far/token").read_text() == "t"

    running(parts, test)


def test_members_of_before_a_restart_are_there_at_once(parts: Any, server: kubecluster.Cluster) -> None:
    server.put(kubecluster.credentials("far", "t"), member("far"))

    async def first(found: roster.Roster, listener: Listener) -> None:
        await listener.until(lambda: "far" in found.members)

    running(parts, first)
    server.stop()
    later = roster.Roster(parts)
    assert set(later.members) == {"own", "far"} and "member:far" in parts.known.awaited
