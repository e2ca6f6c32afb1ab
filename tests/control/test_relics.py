"""Copies of before, of kinds that no policy names any more, and nothing is remembered of them: found by what
the member has, and dealt with as if we had never been away."""

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.control import depots
from tests.fakes import kubecluster
from tests.waiting import until

MAPS, SERVICES = "v1/ConfigMap", "v1/Service"


@pytest.fixture
def one() -> Iterator[kubecluster.Cluster]:
    with kubecluster.running() as made:
        made.put(kubecluster.namespace(depots.SPACE))
        yield made


def labels(one: kubecluster.Cluster, path: str) -> dict[str, str]:
    found = depots.get(one, path)
    return dict((found or {"metadata": {}})["metadata"].get("labels") or {})


def forgotten(root: Path) -> None:
    shutil.rmtree(root / "state")


@pytest.mark.parametrize("gone", ["policy", "pruned", "template"])
def test_they_are_let_go_or_removed_as_policies_said(
    tmp_path: Path, one: kubecluster.Cluster, gone: str
) -> None:
    path, members = depots.maps("m"), {"one": one}
    policy = depots.policy("p", MAPS, members=("one",), **({"prune": True} if gone == "pruned" else {}))
    one.put(depots.config_map("theirs", a="1"))

    async def run() -> None:
        async with depots.bringing(tmp_path, members) as depot:
            depots.put(depot.folder, depots.config_map("m", a="1"), policy)
            await until(lambda: depot.all("one") == {"applied"})
        forgotten(tmp_path)
        depots.remove(tmp_path / "fleet", policy)
        if gone == "template":
            depots.remove(tmp_path / "fleet", depots.config_map("m"))
        async with depots.bringing(tmp_path, members):
            await until(lambda: depots.LABEL not in labels(one, path))
        there = depots.get(one, path)
        assert there is None if gone != "policy" else there["data"] == {"a": "1"}
        assert depots.get(one, depots.maps("theirs"))["data"] == {"a": "1"}

    asyncio.run(run())


def test_what_the_fleet_still_has_is_not_taken_for_gone_before_it_was_asked_for(
    tmp_path: Path, one: kubecluster.Cluster
) -> None:
    """No policy names its kind, so nobody has looked for it in the fleet yet."""
    path, members = depots.maps("m"), {"one": one}
    policy = depots.policy("p", MAPS, members=("one",))
    other = depots.policy("other", SERVICES, members=("one",))

    async def run() -> None:
        with kubecluster.running() as hub:
            hub.put(kubecluster.namespace(depots.SPACE), depots.config_map("m", a="1"), policy)
            async with depots.served(tmp_path / "a", hub, members) as depot:
                await until(lambda: depot.all("one") == {"applied"})
            hub.delete(policy)
            hub.put(other, depots.service("s"))
            async with depots.served(tmp_path / "b", hub, members) as depot:
                await until(lambda: depots.get(one, depots.services("s")))
                await until(lambda: depots.LABEL not in labels(one, path))
            assert depots.get(one, path)["data"] == {"a": "1"}, "as nobody's"
            assert not [line for line in depots.writes(one) if line.startswith("DELETE")]

    asyncio.run(run())


def test_a_member_that_does_not_tell_what_we_may_is_a_problem_until_it_does(
    tmp_path: Path, one: kubecluster.Cluster
) -> None:
    one.faults(absent=["authorization.k8s.io/v1"])

    async def run() -> None:
        async with depots.bringing(tmp_path, {"one": one}) as depot:
            await until(lambda: "copies of kinds that no policy names is not known" in depot.problems())
            one.faults(absent=[])
            await until(lambda: not depot.told, "it is asked again")

    asyncio.run(run())
