"""Copies that failed for long, and what was in their way is gone: nobody waits for the end of their back-off.

Every failure here asks to be left alone for five minutes.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fedns.control import dispatch
from tests.control import depots
from tests.fakes import kubecluster
from tests.waiting import until

MAPS = "v1/ConfigMap"
MERGE = "application/merge-patch+json"
LONG = [500, "InternalError", 300]
NAMES = ("m0", "m1", "m2")


@pytest.fixture
def one() -> Iterator[kubecluster.Cluster]:
    with kubecluster.running() as made:
        made.put(kubecluster.namespace(depots.SPACE))
        yield made


async def failing(depot: depots.Depot, one: kubecluster.Cluster) -> None:
    """All copies are there, and a change of them failed; now it would not."""
    policy = depots.policy("p", MAPS, members=("one",))
    depots.put(depot.folder, *(depots.config_map(name, a="1") for name in NAMES), policy)
    await until(lambda: [state for state, _ in depot.states().values()] == ["applied"] * len(NAMES))
    one.faults(busy=LONG)
    depots.put(depot.folder, *(depots.config_map(name, a="2") for name in NAMES))
    await until(lambda: depot.all("one") == {"failing"})
    one.faults(busy=[])


def test_a_member_that_answers_again_is_written_to_at_once(tmp_path: Path, one: kubecluster.Cluster) -> None:
    async def run() -> None:
        async with depots.bringing(tmp_path, {"one": one}) as depot:
            await failing(depot, one)
            depot.parts.reach("one", "unreachable")
            await asyncio.sleep(2 * dispatch.LOOK)
            assert depot.all("one") == {"failing"}, "each waits for five minutes"
            depot.parts.reach("one", "reachable")
            await until(lambda: depot.all("one") == {"applied"})

    asyncio.run(run())


def changed(one: kubecluster.Cluster) -> None:
    """One copy is tried since somebody changes it, and all others since that went well."""
    one.request("PATCH", depots.maps(NAMES[0]), {"metadata": {"annotations": {"theirs": "x"}}}, MERGE)


def renewed(one: kubecluster.Cluster) -> None:
    """Their namespace is there again."""
    one.delete(kubecluster.namespace(depots.SPACE))
    one.put(kubecluster.namespace(depots.SPACE))


def away(one: kubecluster.Cluster) -> None:
    """Watches broke, and go on."""
    one.faults(refuse=[503, "ServiceUnavailable", 0])
    one.hangup()
    time.sleep(1)
    one.faults(refuse=[])


@pytest.mark.parametrize("heals", [changed, renewed, away])
def test_what_failed_is_tried_again_when_what_was_in_its_way_may_be_gone(
    tmp_path: Path, one: kubecluster.Cluster, heals: Callable[[kubecluster.Cluster], None]
) -> None:
    async def run() -> None:
        async with depots.bringing(tmp_path, {"one": one}) as depot:
            await failing(depot, one)
            await asyncio.to_thread(heals, one)
            await until(lambda: depot.all("one") == {"applied"})

    asyncio.run(run())
