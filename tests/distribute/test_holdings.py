"""What an API server has of some kinds, and what it would make of an object."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from fedns.distribute import holdings
from fedns.kube import access, client
from fedns.kube.failure import ApiError, Unreachable
from tests.fakes import kubecluster

KINDS = [("v1", "Service"), ("apps/v1", "Deployment"), ("x.example/v1", "Thing"), ("v1", "Thing")]


def talk(cluster: kubecluster.Cluster, test: Callable[[client.Client], Awaitable[Any]]) -> Any:
    async def main() -> Any:
        api = client.Client(access.Where(server=cluster.url), asyncio.Semaphore(client.AT_ONCE))
        try:
            return await test(api)
        finally:
            await api.close()

    return asyncio.run(main())


def test_all_objects_page_by_page_and_the_kinds_that_are_not_served() -> None:
    with kubecluster.running() as cluster:
        cluster.put(*(kubecluster.service(f"s{at}") for at in range(501)))
        found = talk(cluster, lambda api: holdings.held(api, KINDS))
        assert len(found.items) == 501 and not found.refused
        assert {(each["apiVersion"], each["kind"]) for each in found.items} == {("v1", "Service")}
        assert found.missing == {("x.example/v1", "Thing"), ("v1", "Thing")}
        assert found.known["apps/v1", "Deployment"].plural == "deployments"
        assert sum("/api/v1/services?" in line for line in cluster.log()) == 2


def test_a_dry_run_changes_nothing_and_tells_a_refusal() -> None:
    wanted = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s", "namespace": "n"}}
    wanted |= {"spec": {"ports": [{"port": 80}]}}
    with kubecluster.running() as cluster:

        async def test(api: client.Client) -> None:
            found = await holdings.held(api, [("v1", "Service")])
            resource = found.known["v1", "Service"]
            with pytest.raises(ApiError, match="404"):
                await holdings.dry(api, resource, wanted, False)
            cluster.put(kubecluster.namespace("n"))
            assert (await holdings.dry(api, resource, wanted, False))["spec"]["clusterIP"]
            assert not (await holdings.held(api, [("v1", "Service")])).items

        talk(cluster, test)


def test_a_server_that_is_not_there() -> None:
    with kubecluster.running() as cluster:
        cluster.stop()
        with pytest.raises(Unreachable):
            talk(cluster, lambda api: holdings.held(api, KINDS))
