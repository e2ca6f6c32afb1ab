"""Reviews of access: asked as the API wants them, named as people say them."""

import asyncio

from fedns.distribute import joining, permission, rights
from fedns.distribute.permission import Ask
from fedns.kube import access
from tests.fakes import kubecluster


def test_what_is_asked_is_named() -> None:
    assert str(Ask("get", "", "secrets", "fedns", "a")) == "get secrets a in namespace fedns"
    assert str(Ask("patch", "fedns.io", "memberclusters/status")) == "patch memberclusters.fedns.io/status"


def test_rights_become_questions() -> None:
    asked = permission.of(rights.rights(rights.Needs(fleet=True, status=True)), "dns")
    assert Ask("list", "", "secrets", "dns") in asked
    assert Ask("update", "coordination.k8s.io", "leases", "dns", rights.LEASE) in asked
    assert Ask("patch", "fedns.io", "trafficpolicies/status") in asked
    assert Ask("get", "", "namespaces", "", "kube-system") in asked


def test_what_is_refused_comes_back_in_order() -> None:
    asked = [Ask("list", "", name) for name in ("services", "nodes", "secrets")]

    async def main(url: str) -> tuple[Ask, ...]:
        async with joining.talking(access.Where(server=url)) as api:
            return await permission.missing(api, asked)

    with kubecluster.running() as cluster:
        cluster.faults(forbidden=["secrets", "list:services"])
        assert asyncio.run(main(cluster.url)) == (asked[0], asked[2])
