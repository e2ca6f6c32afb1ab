"""Where clients reach the gateway: as configured, or as a Service was given it."""

import asyncio
import itertools
import time
from typing import Any

from fedns import portal
from fedns.control import frontage
from fedns.kube import access, client
from tests.fakes import kubecluster

LONG = 20.0


def service(*rows: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "gateway", "namespace": "fedns"},
        "spec": {"type": "LoadBalancer"},
        "status": {"loadBalancer": {"ingress": list(rows)} if rows else {}},
    }


def test_as_configured() -> None:
    made = frontage.Frontage(portal.Gateway(publish=("192.0.2.7", "lb.example.net")), "fedns")
    assert made.addresses == ({"ip": "192.0.2.7"}, {"hostname": "lb.example.net"})
    assert frontage.Frontage(portal.Gateway(), "fedns").addresses == ()
    both = frontage.Frontage(portal.Gateway(publish=("::1",), service="gateway"), "fedns")
    assert both.addresses == ({"ip": "::1"},)


def followed(cluster: kubecluster.Cluster, known: str) -> frontage.Frontage:
    """Looks until something is `known`: addresses, or trouble."""
    made = frontage.Frontage(portal.Gateway(service="gateway"), "fedns")
    assert made.addresses is None

    async def run() -> None:
        api = client.Client(access.Where(server=cluster.url), asyncio.Semaphore(client.AT_ONCE))
        task = asyncio.ensure_future(made.run(api))
        deadline = time.monotonic() + LONG
        for _ in itertools.takewhile(lambda _: time.monotonic() < deadline, itertools.count()):
            if getattr(made, known):
                break
            await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await api.close()

    asyncio.run(run())
    return made


def test_as_its_load_balancer_was_given_them() -> None:
    with kubecluster.running() as cluster:
        cluster.put(service({"ip": "192.0.2.7", "ipMode": "VIP"}, {"hostname": "lb.example.net"}))
        made = followed(cluster, "addresses")
        assert made.addresses == ({"ip": "192.0.2.7"}, {"hostname": "lb.example.net"})
        assert made.problems == ()


def test_a_service_that_says_nothing_is_a_problem() -> None:
    with kubecluster.running() as cluster:
        (problem,) = followed(cluster, "trouble").problems
        assert problem.where == "Service fedns/gateway" and "404" in problem.what
        cluster.put(service())
        (problem,) = followed(cluster, "trouble").problems
        assert problem.what == "its load balancer has no address yet"
