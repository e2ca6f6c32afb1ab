"""Server-side apply to a fake API server."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from fedns.kube import access, apply, client
from fedns.kube.failure import ApiError
from fedns.kube.resource import Resource
from tests.fakes import kubecluster

SERVICES = Resource("", "v1", "services", "Service")
MEMBERS = Resource("fedns.io", "v1alpha1", "memberclusters", "MemberCluster", False)


def talk(test: Callable[[client.Client], Awaitable[Any]]) -> list[str]:
    """What the server was asked while `test` ran."""

    async def main(url: str) -> None:
        api = client.Client(access.Where(server=url), asyncio.Semaphore(client.AT_ONCE))
        try:
            await test(api)
        finally:
            await api.close()

    with kubecluster.running() as cluster:
        cluster.put(kubecluster.namespace("n"))
        asyncio.run(main(cluster.url))
        return cluster.log()


def service(**labels: str) -> dict[str, Any]:
    meta = {"name": "a", "namespace": "n", "labels": labels}
    return {"metadata": meta, "spec": {"ports": [{"port": 80}]}}


def test_what_is_not_there_is_made_and_what_is_there_stays() -> None:
    async def test(api: client.Client) -> None:
        made = await apply.apply(api, SERVICES, service(x="1"))
        assert (made["apiVersion"], made["kind"]) == ("v1", "Service")
        again = await apply.apply(api, SERVICES, service(x="1"))
        assert again["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]
        changed = await apply.apply(api, SERVICES, service(x="2"))
        assert changed["metadata"]["labels"] == {"x": "2"}

    assert talk(test)[0] == "PATCH /api/v1/namespaces/n/services/a?fieldManager=fedns"


def test_the_status_alone() -> None:
    async def test(api: client.Client) -> None:
        with pytest.raises(ApiError) as failure:
            await apply.apply(api, MEMBERS, {"metadata": {"name": "m"}, "status": {}}, part="status")
        assert failure.value.status == 404
        await apply.apply(api, MEMBERS, {"metadata": {"name": "m"}, "spec": {"server": "https://a"}})
        told = {"metadata": {"name": "m"}, "status": {"version": "v1"}}
        await apply.apply(api, MEMBERS, told, part="status")
        found = json.loads(await api.get(MEMBERS.path(name="m")))
        assert (found["spec"], found["status"]) == ({"server": "https://a"}, {"version": "v1"})

    talk(test)


def test_who_applies_and_how() -> None:
    async def test(api: client.Client) -> None:
        await apply.apply(api, SERVICES, service(), apply.Way("other", force=True, dry=True))

    assert talk(test)[0].endswith("?fieldManager=other&force=true&dryRun=All")
