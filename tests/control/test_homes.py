"""Namespaces that go along with copies, and Services that no policy selects, in members that are fake."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.control import depots
from tests.fakes import kubecluster
from tests.waiting import until

FRESH = "/api/v1/namespaces/fresh"


def inside(one: depots.Object) -> depots.Object:
    one["metadata"]["namespace"] = "fresh"
    return one


def labels(cluster: kubecluster.Cluster, path: str) -> Any:
    """But for the one that every namespace has."""
    found = depots.get(cluster, path)
    if found is None:
        return None
    told = found["metadata"].get("labels") or {}
    return {key: value for key, value in told.items() if key != "kubernetes.io/metadata.name"}


@pytest.fixture
def one() -> Iterator[kubecluster.Cluster]:
    with kubecluster.running() as cluster:
        cluster.put(kubecluster.namespace(depots.SPACE))
        yield cluster


def test_a_service_that_no_policy_selects_goes_everywhere_with_its_namespace(
    tmp_path: Path, one: kubecluster.Cluster
) -> None:
    service, own = inside(depots.service("nginx")), depots.service("web")
    space = kubecluster.namespace("fresh")
    space["metadata"]["labels"] = {"team": "x"}

    async def run() -> None:
        async with depots.bringing(tmp_path, {"one": one}, services=True) as depot:
            depots.put(depot.folder, service, own)
            await until(lambda: depots.get(one, f"{FRESH}/services/nginx"), "brought")
            await until(lambda: depot.states().get("web", ("",))[0] == "applied")
            assert labels(one, FRESH) == {depots.LABEL: "true"}
            assert labels(one, f"/api/v1/namespaces/{depots.SPACE}") == {}, "used as it is"
            assert set(depot.states()) == {"nginx", "web", "fresh"}
            depots.put(depot.folder, space)
            await until(lambda: labels(one, FRESH) == {depots.LABEL: "true", "team": "x"})

            one.delete(depots.get(one, FRESH), depots.get(one, f"{FRESH}/services/nginx"))
            await until(lambda: depots.get(one, f"{FRESH}/services/nginx"), "made again, both")
            depots.remove(depot.folder, service, space)
            await until(lambda: not depots.get(one, f"{FRESH}/services/nginx"), "removed")
            await until(lambda: labels(one, FRESH) is not None and depots.LABEL not in labels(one, FRESH))

    asyncio.run(run())


def test_turned_off_the_default_policy_lets_go_and_what_says_so_stays_at_home(
    tmp_path: Path, one: kubecluster.Cluster
) -> None:
    home = depots.service("home")
    home["metadata"]["annotations"] = {"fedns.io/distribute": "false"}
    path = depots.services("web")

    async def on() -> None:
        async with depots.bringing(tmp_path, {"one": one}, services=True) as depot:
            depots.put(depot.folder, depots.service("web"), home)
            await until(lambda: depot.states().get("web", ("",))[0] == "applied")

    async def off() -> None:
        async with depots.bringing(tmp_path, {"one": one}):
            await until(lambda: depots.LABEL not in labels(one, path), "let go")
            assert depots.get(one, path)["spec"]["ports"] and not depots.get(one, depots.services("home"))

    asyncio.run(on())
    asyncio.run(off())


def test_a_fleet_that_is_an_api_server_tells_services_though_no_policy_names_them(
    tmp_path: Path, one: kubecluster.Cluster
) -> None:
    with kubecluster.running() as hub:
        space = kubecluster.namespace("fresh")
        space["metadata"]["labels"] = {"team": "x"}
        hub.put(space, inside(depots.service("nginx")))

        async def run() -> None:
            async with depots.served(tmp_path / "s", hub, {"one": one}, services=True) as depot:
                await until(lambda: depot.states().get("nginx", ("",))[0] == "applied")
                assert labels(one, FRESH)["team"] == "x", "never bare before"
                log = [line for line in one.log() if line.startswith("PATCH /api/v1/namespaces/fresh?")]
                assert len(log) == 1, log

        asyncio.run(run())
