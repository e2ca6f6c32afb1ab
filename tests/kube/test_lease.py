"""The Lease on an API server: taken, renewed, let go; refusals and removals; what others see."""

import asyncio
import json
import time
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from fedns.kube import access, client, election, lease
from tests.fakes import kubecluster

QUICK = election.Terms(duration=2, deadline=1.2, retry=0.1)
"""As the usual ones, at a pace for tests."""
LONG = 20.0


@pytest.fixture
def cluster() -> Iterator[kubecluster.Cluster]:
    with kubecluster.running() as found:
        found.put(kubecluster.namespace("fedns"))
        yield found


@asynccontextmanager
async def contender(url: str, name: str, terms: election.Terms = QUICK) -> AsyncIterator[lease.Lease]:
    """One that contends until the end of the block, and lets go then."""
    api = client.Client(access.Where(server=url), asyncio.Semaphore(1))
    one = lease.Lease(api, "fedns", "fedns", election.Election(name, terms))
    task = asyncio.ensure_future(one.run())
    try:
        yield one
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await api.close()


async def until(holds: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + LONG
    while True:
        if holds():
            return
        assert time.monotonic() < deadline, what
        await asyncio.sleep(0.01)


def stored(cluster: kubecluster.Cluster) -> dict[str, Any]:
    url = f"{cluster.url}{lease.LEASES.path('fedns', 'fedns')}"
    with urllib.request.urlopen(url, timeout=LONG) as reply:
        found: dict[str, Any] = json.load(reply)
    return found


def test_it_is_created_renewed_and_let_go(cluster: kubecluster.Cluster) -> None:
    async def run() -> None:
        async with contender(cluster.url, "a") as one:
            await until(lambda: one.held, "held")
            first = stored(cluster)
            assert first["spec"]["holderIdentity"] == one.holder == "a"
            assert (first["spec"]["leaseDurationSeconds"], first["spec"]["leaseTransitions"]) == (2, 0)
            await until(lambda: stored(cluster)["spec"]["renewTime"] > first["spec"]["renewTime"], "renewed")
            assert one.held and stored(cluster)["spec"]["acquireTime"] == first["spec"]["acquireTime"]
        assert not one.held
        assert not stored(cluster)["spec"].get("holderIdentity")

    asyncio.run(run())


def test_another_follows_at_once_where_it_was_let_go(cluster: kubecluster.Cluster) -> None:
    long = election.Terms(duration=60, deadline=40.0, retry=0.1)

    async def run() -> None:
        async with contender(cluster.url, "b", long) as other:
            async with contender(cluster.url, "a", long) as one:
                await until(lambda: one.held or other.held, "one of them")
                assert one.held != other.held
            await until(lambda: other.held and not one.held, "the other one")
        assert stored(cluster)["spec"]["leaseTransitions"] >= 0

    asyncio.run(run())


def test_who_cannot_renew_stops_before_another_begins(cluster: kubecluster.Cluster) -> None:
    async def run() -> None:
        async with contender(cluster.url, "a") as one:
            await until(lambda: one.held, "held")
            cluster.faults(tokens=["nobody has it"])
            await until(lambda: not one.held, "fenced")
            assert "401" in one.trouble and not one.refused
            cluster.faults(tokens=[])
            await until(lambda: one.held and not one.trouble, "again, for nobody else took it")

    asyncio.run(run())


def test_a_refusal_is_told(cluster: kubecluster.Cluster) -> None:
    cluster.faults(forbidden=["leases"])

    async def run() -> None:
        async with contender(cluster.url, "a") as one:
            await until(lambda: one.refused, "refused")
            assert one.refused.startswith("403 Forbidden") and not one.held

    asyncio.run(run())


def test_one_removed_by_hand_is_made_again_and_labels_stay(cluster: kubecluster.Cluster) -> None:
    async def run() -> None:
        async with contender(cluster.url, "a") as one:
            await until(lambda: one.held, "held")
            first = one.election.version
            await asyncio.to_thread(cluster.delete, stored(cluster))
            await until(lambda: one.held and int(one.election.version) > int(first) + 1, "made again")
            found = stored(cluster)
            found["metadata"]["labels"] = {"app": "fedns"}
            await asyncio.to_thread(cluster.put, found)
            changed = stored(cluster)["metadata"]["resourceVersion"]
            await until(lambda: stored(cluster)["metadata"]["resourceVersion"] != changed, "renewed")
            assert stored(cluster)["metadata"]["labels"] == {"app": "fedns"}

    asyncio.run(run())


def test_a_dead_server_does_not_hold_up_the_end() -> None:
    async def run() -> None:
        async with contender("http://127.0.0.1:1", "a") as one:
            await until(lambda: one.trouble, "no server")
        assert not one.held

    asyncio.run(run())


def test_identities_are_of_one_process_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POD_NAME", "fedns-0")
    one, other = lease.identity(), lease.identity()
    assert one != other and one.startswith("fedns-0_")
