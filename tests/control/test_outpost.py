"""Why nothing is written to a member: in whose way which Lease is."""

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from fedns.control import outpost
from tests.control import depots
from tests.fakes import kubecluster
from tests.waiting import until


@pytest.fixture
def cluster() -> Iterator[kubecluster.Cluster]:
    with kubecluster.running() as made:
        yield made


def test_a_member_without_the_namespace_of_the_lease_says_so_and_then_who_has_it(
    tmp_path: Path, cluster: kubecluster.Cluster
) -> None:
    async def run() -> None:
        one = outpost.Outpost(depots.Parts(tmp_path, {"one": cluster}), "one", None, "fedns-copies")
        assert one.own is not None and one.lease.lacks == outpost.FOLLOWS
        task = asyncio.ensure_future(one.own.run())
        try:
            await until(lambda: "fedns-copies there cannot be had: 404 NotFound" in one.lease.lacks)
            assert one.asked, "what it has is looked at all the same"
            cluster.put(kubecluster.namespace("fedns"))
            await until(lambda: one.lease.held and not one.lease.lacks)
            other = outpost.Outpost(depots.Parts(tmp_path, {"one": cluster}), "one", None, "fedns-copies")
            assert other.own is not None
            second = asyncio.ensure_future(other.own.run())
            told = f"{one.own.holder} holds Lease fedns/fedns-copies there"
            await until(lambda: other.lease.lacks == told)
            second.cancel()
            await asyncio.gather(second, return_exceptions=True)
            await other.api.close()
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            await one.api.close()

    asyncio.run(run())
