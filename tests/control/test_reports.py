"""How copies fare, told to the fleet's objects: who else writes there, and who has not been heard."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fedns.distribute import feud
from tests.control import depots
from tests.fakes import kubecluster
from tests.waiting import until

MERGE = "application/merge-patch+json"
KINDS = ("v1/Service", "apps/v1/Deployment")
Three = dict[str, kubecluster.Cluster]


@pytest.fixture
def three() -> Iterator[Three]:
    with kubecluster.running() as hub, kubecluster.running() as one, kubecluster.running() as two:
        for each in (hub, one, two):
            each.put(kubecluster.namespace(depots.SPACE))
        hub.put(depots.service("nginx"), depots.deployment("web", 2), depots.policy("p", *KINDS))
        yield {"hub": hub, "one": one, "two": two}


def members(three: Three) -> Three:
    return {name: cluster for name, cluster in three.items() if name != "hub"}


def tell(cluster: kubecluster.Cluster, path: str, status: Any, manager: str = "them") -> None:
    where = f"{path}/status?fieldManager={manager}"
    assert cluster.request("PATCH", where, {"status": status}, MERGE)[0] == 200


def ways(*addresses: str) -> Any:
    return {"loadBalancer": {"ingress": [{"ip": each} for each in addresses]}}


def status(cluster: kubecluster.Cluster, path: str) -> Any:
    return depots.get(cluster, path).get("status") or {}


async def applied(depot: depots.Depot, *names: str) -> None:
    for name in names:
        await until(lambda name=name: len(depot.states(name)) == 2 and depot.all(name) == {"applied"}, name)


def test_who_sets_a_status_back_again_and_again_has_it(
    tmp_path: Path, three: Three, caplog: pytest.LogCaptureFixture
) -> None:
    hub, web = three["hub"], depots.deployments("web")
    rounds: list[Any] = []

    def asked() -> int:
        return sum("deployments/web/status" in line and "fedns" in line for line in hub.log())

    def rival() -> str:
        if status(hub, web).get("readyReplicas") == 4:
            rounds.append(web)
            tell(hub, web, {"replicas": 1, "readyReplicas": 1}, "kube-controller-manager")
        return "kube-controller-manager sets its status back"

    async def run() -> None:
        async with depots.served(tmp_path / "s", hub, members(three)) as depot:
            await applied(depot, "one", "two")
            for name in ("one", "two"):
                tell(three[name], web, {"replicas": 2, "readyReplicas": 2, "observedGeneration": 1})
            await until(lambda: status(hub, web).get("readyReplicas") == 4, "ours")
            await until(lambda: rival() in depot.problems(), "it is told")
            late = caplog.text.count("what is due is not written")  # of which we cannot know that it was
            assert feud.ROUNDS <= len(rounds) <= feud.ROUNDS + late
            before = asked()
            tell(three["one"], web, {"readyReplicas": 1})
            tell(three["one"], depots.services("nginx"), ways("192.0.2.1"))
            await until(lambda: status(hub, depots.services("nginx")) == ways("192.0.2.1"), "others go on")
            assert status(hub, web)["readyReplicas"] == 1 and asked() == before

    asyncio.run(run())


def test_a_member_that_is_not_heard_takes_nothing_away(tmp_path: Path, three: Three) -> None:
    hub, path, web = three["hub"], depots.services("nginx"), depots.deployments("web")

    async def bring() -> None:
        async with depots.served(tmp_path / "s", hub, members(three)) as depot:
            await applied(depot, "one", "two")
            for name, address in (("one", "192.0.2.1"), ("two", "192.0.2.2")):
                tell(three[name], path, ways(address))
                tell(three[name], web, {"replicas": 2, "observedGeneration": 1})
            await until(lambda: status(hub, path) == ways("192.0.2.1", "192.0.2.2"))
            await until(lambda: status(hub, web) == {"replicas": 4, "observedGeneration": 1})

    async def again() -> None:
        three["one"].faults(refuse=[503, "ServiceUnavailable", 0])
        async with depots.served(tmp_path / "s", hub, members(three)) as depot:
            await applied(depot, "two")
            tell(three["two"], path, ways("192.0.2.3"))
            tell(three["two"], web, {"replicas": 1})
            await until(lambda: status(hub, path) == ways("192.0.2.1", "192.0.2.2", "192.0.2.3"))
            assert status(hub, web) == {"replicas": 4, "observedGeneration": 1}
            three["one"].faults(refuse=[])
            await until(lambda: status(hub, path) == ways("192.0.2.1", "192.0.2.3"))
            await until(lambda: status(hub, web).get("replicas") == 3)

    asyncio.run(bring())
    asyncio.run(again())


def test_what_one_member_has_not_seen_yet_is_not_observed(tmp_path: Path, three: Three) -> None:
    hub, web = three["hub"], depots.deployments("web")

    def seen() -> Any:
        return status(hub, web).get("observedGeneration", 0)

    async def run() -> None:
        async with depots.served(tmp_path / "s", hub, members(three)) as depot:
            await applied(depot, "one", "two")
            tell(three["one"], web, {"replicas": 2, "observedGeneration": 1})
            await until(lambda: status(hub, web).get("replicas") == 2)
            assert seen() == 0
            tell(three["two"], web, {"replicas": 2, "observedGeneration": 1})
            await until(lambda: seen() == 1)
            hub.request("PATCH", web, {"spec": {"replicas": 3}}, MERGE)
            await until(lambda: depots.get(hub, web)["metadata"].get("generation") == 2)
            for name in ("one", "two"):
                await until(lambda name=name: depots.get(three[name], web)["spec"]["replicas"] == 3)
            tell(three["one"], web, {"replicas": 3, "observedGeneration": 2})
            await until(lambda: status(hub, web).get("replicas") == 5)
            assert seen() == 1
            tell(three["two"], web, {"observedGeneration": 2})
            await until(lambda: seen() == 2)
            tell(three["two"], web, {"observedGeneration": 1})
            await until(lambda: seen() == 0, "behind")

    asyncio.run(run())
