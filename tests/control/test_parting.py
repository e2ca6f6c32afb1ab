"""Clients leave first: what goes from a member stays until nobody is sent to what it serves there."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from fedns.control import parting
from tests.control import depots
from tests.fakes import kubecluster
from tests.waiting import until

Two = dict[str, kubecluster.Cluster]
NOTE = "fedns.io/parting"
SERVICES, DEPLOYMENTS, MAPS = "v1/Service", "apps/v1/Deployment", "v1/ConfigMap"


@pytest.fixture
def two() -> Iterator[Two]:
    with kubecluster.running() as one, kubecluster.running() as other:
        for each in (one, other):
            each.put(kubecluster.namespace(depots.SPACE))
        yield {"one": one, "two": other}


class Clients:
    """Where they are sent, as the test says."""

    def __init__(self) -> None:
        self.left: parting.Left | None = parting.Left(None, True)
        self.asked: set[tuple[str, str]] = set()

    def look(self, member: str, key: str, since: float) -> parting.Left | None:
        self.asked.add((member, key))
        return self.left


def note(cluster: kubecluster.Cluster, name: str = "web") -> str:
    """Since when a Service says that it is to be left."""
    found = depots.get(cluster, depots.services(name))
    return str(found["metadata"]["annotations"].get(NOTE, "")) if found else ""


def words(depot: depots.Depot, name: str = "web") -> str:
    state, said = depot.states().get(name, ("", ""))
    return said if state == "held" else ""


async def brought(depot: depots.Depot, *kinds: str) -> None:
    objects = [depots.service("web"), depots.config_map("settings", a="1")]
    depots.put(depot.folder, *objects, depots.policy("p", *kinds))
    await until(lambda: {depot.states().get(name, ("",))[0] for name in ("web", "settings")} == {"applied"})


def test_what_moves_stays_until_its_clients_have_left(tmp_path: Path, two: Two) -> None:
    clients, one = Clients(), two["one"]

    async def run() -> None:
        async with depots.bringing(tmp_path, two) as depot:
            depot.dispatch.left = clients.look
            await brought(depot, SERVICES, MAPS)
            depots.put(depot.folder, depots.policy("p", SERVICES, MAPS, members=("two",)))
            await until(lambda: note(one), "it tells its clients")
            await until(lambda: "clients are being sent elsewhere" in words(depot))
            since = note(one)
            clients.left = parting.Left(30.0)
            await until(lambda: "caches may send clients" in words(depot, "settings"), "what is beside it")
            clients.left = parting.Left(0.0, behind=("dns-1",))
            await until(lambda: "dns-1 still answer" in words(depot))
            assert note(one) == since and depots.get(one, depots.maps("settings"))
            clients.left = parting.Left(0.0)
            await until(lambda: depots.get(one, depots.services("web")) is None, "then it goes")
            await until(lambda: depots.get(one, depots.maps("settings")) is None)
            assert clients.asked == {("one", f"{depots.SPACE}/web")}
            assert depots.get(two["two"], depots.services("web")) and not note(two["two"])

    asyncio.run(run())


def test_who_is_wanted_again_says_nothing_any_more(tmp_path: Path, two: Two) -> None:
    clients, one = Clients(), two["one"]

    async def run() -> None:
        async with depots.bringing(tmp_path, two) as depot:
            depot.dispatch.left = clients.look
            await brought(depot, SERVICES, MAPS)
            uid = depots.get(one, depots.services("web"))["metadata"]["uid"]
            depots.put(depot.folder, depots.policy("p", SERVICES, MAPS, members=("two",)))
            await until(lambda: note(one))
            depots.put(depot.folder, depots.policy("p", SERVICES, MAPS))
            await until(lambda: not note(one), "it takes it back")
            await until(lambda: depot.states()["web"][0] == "applied")
            assert depots.get(one, depots.services("web"))["metadata"]["uid"] == uid

    asyncio.run(run())


def test_while_nobody_else_can_serve_it_stays_and_a_word_lets_it_go(tmp_path: Path, two: Two) -> None:
    clients, one = Clients(), two["one"]

    async def run() -> None:
        async with depots.bringing(tmp_path, two) as depot:
            depot.dispatch.left = clients.look
            clients.left = parting.Left(None)
            await brought(depot, SERVICES, MAPS)
            depots.put(depot.folder, depots.policy("p", SERVICES, MAPS, members=("two",)))
            said = f"member one: Service {depots.SPACE}/web: nobody else can serve {depots.SPACE}/web yet"
            await until(lambda: said in depot.problems())
            assert [each.severity for each in depot.told if "nobody else" in each.what] == ["warning"]
            assert depots.get(one, depots.services("web"))
            assert depot.dispatch.allow("one") == 2
            await until(lambda: depots.get(one, depots.services("web")) is None)

    asyncio.run(run())


def test_its_patience_ends_and_what_nobody_has_any_more_goes_at_once(tmp_path: Path, two: Two) -> None:
    clients, one = Clients(), two["one"]

    async def run() -> None:
        async with depots.bringing(tmp_path, two, farewell=1.0) as depot:
            depot.dispatch.left = clients.look
            clients.left = parting.Left(None)
            await brought(depot, SERVICES, MAPS)
            depots.put(depot.folder, depots.policy("p", SERVICES, MAPS, members=("two",)))
            await until(lambda: depots.get(one, depots.services("web")) is None, "for so long, no longer")
            clients.asked.clear()
            depots.remove(depot.folder, depots.service("web"))
            await until(lambda: depots.get(two["two"], depots.services("web")) is None)
            assert clients.asked == set(), "somebody's decision waits for nobody"

    asyncio.run(run())


def test_a_service_that_stays_is_left_before_its_workload_goes(tmp_path: Path, two: Two) -> None:
    clients, one = Clients(), two["one"]

    async def run() -> None:
        async with depots.bringing(tmp_path, two) as depot:
            depot.dispatch.left = clients.look
            web = depots.deployment("web")
            depots.put(depot.folder, depots.service("web"), web, depots.policy("s", SERVICES))
            depots.put(depot.folder, depots.policy("w", DEPLOYMENTS))
            await until(lambda: depots.get(one, depots.deployments("web")))
            depots.put(depot.folder, depots.policy("w", DEPLOYMENTS, members=("two",)))
            await until(lambda: note(one), "clients leave")
            assert depots.get(one, depots.deployments("web"))
            clients.left = parting.Left(0.0)
            await until(lambda: depots.get(one, depots.deployments("web")) is None)
            assert note(one), "its endpoints end; nobody comes back meanwhile"
            assert clients.asked == {("one", f"{depots.SPACE}/web")}

    asyncio.run(run())


def test_who_comes_after_a_crash_goes_on_where_it_was(tmp_path: Path, two: Two) -> None:
    clients, one = Clients(), two["one"]
    said = "fieldManager=fedns-parting"

    async def run(began: bool) -> None:
        async with depots.bringing(tmp_path, two) as depot:
            depot.dispatch.left = clients.look
            if began:
                web = depots.deployment("web")
                depots.put(depot.folder, depots.service("web"), web, depots.policy("s", SERVICES))
                depots.put(depot.folder, depots.policy("w", DEPLOYMENTS))
                await until(lambda: depots.get(one, depots.deployments("web")))
                depots.put(depot.folder, depots.policy("w", DEPLOYMENTS, members=("two",)))
                return await until(lambda: note(one), "clients leave")
            await until(lambda: "being sent elsewhere" in words(depot))
            assert len([line for line in one.log() if said in line]) == 1, "once is enough"
            clients.asked.clear()
            depots.put(depot.folder, depots.policy("w", DEPLOYMENTS))
            await until(lambda: not note(one), "it is wanted again")

    asyncio.run(run(True))
    asyncio.run(run(False))
    again = depots.get(one, depots.services("web"))
    again["metadata"]["annotations"][NOTE] = "2026-01-01T00:00:00Z"
    one.put(again)

    async def mend() -> None:
        async with depots.bringing(tmp_path, two) as depot:
            depot.dispatch.left = clients.look
            await until(lambda: not note(one), "what nobody remembers is taken back")

    asyncio.run(mend())
