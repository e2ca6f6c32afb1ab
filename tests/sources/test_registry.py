"""The members that a fleet's API server registers, as the source tells them."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from fedns.kube import access, client
from fedns.model.policy import ProbeSpec, TrafficPolicy
from fedns.sources import fleet, identity, kubernetes, policies, registrations
from fedns.sources.change import RosterChange
from tests.fakes import kubecluster
from tests.sources import asking
from tests.sources.listening import Listener

act = asking.act


@pytest.fixture
def server() -> Iterator[kubecluster.Cluster]:
    with kubecluster.running() as found:
        yield found


def member(name: str, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "fedns.io/v1alpha1",
        "kind": "MemberCluster",
        "metadata": {"name": name},
        "spec": {"server": f"https://{name}.example.com", "secretRef": {"name": name}, **spec},
    }


def known(*names: str) -> dict[str, registrations.Registered]:
    """Members as they are kept from before a restart."""
    return {
        name: registrations.Registered(
            registrations.Registration(name, f"https://{name}.example.com", name),
            registrations.Credentials("old"),
        )
        for name in names
    }


def watched(
    server: kubecluster.Cluster,
    folder: Path,
    test: Callable[[Listener, fleet.Fleet], Awaitable[None]],
    before: Mapping[str, registrations.Registered] | None = None,
) -> None:
    async def main() -> None:
        listener = Listener()
        api = client.Client(access.Where(server=server.url), asyncio.Semaphore(client.AT_ONCE))
        source = kubernetes.Source(api, identity.Register(str(folder / "identities")))
        wanted = fleet.Wanted(policies.kinds(TrafficPolicy(), ProbeSpec()))
        past = fleet.Before(False, before or {})
        found = fleet.Fleet(source, wanted, past, asking.REACH, asking.PACE)
        task = asyncio.ensure_future(found.run(listener))
        try:
            await listener.until(lambda: listener.all(RosterChange))
            await test(listener, found)
            assert not task.done(), task.exception()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    asyncio.run(main())


def tokens(listener: Listener) -> dict[str, str]:
    return {name: one.credentials.token for name, one in listener.last(RosterChange).members.items()}


def told(listener: Listener, what: str) -> bool:
    return any(what in one for one in listener.problems())


def test_members_come_with_their_secrets_and_go(server: kubecluster.Cluster, tmp_path: Path) -> None:
    async def test(listener: Listener, found: fleet.Fleet) -> None:
        assert tokens(listener) == {} and listener.last(RosterChange).whole
        assert not [line for line in server.log() if "/secrets" in line], "nobody asks for Secrets yet"
        await act(server.put, kubecluster.credentials("a", "one"), member("a"))
        await listener.until(lambda: tokens(listener) == {"a": "one"})
        asked = [line for line in server.log() if "/secrets" in line]
        assert asked and all("/namespaces/fedns/secrets?" in line for line in asked)
        assert all("labelSelector=fedns.io/credentials%3Dmember" in line for line in asked), asked
        await act(server.put, kubecluster.credentials("a", "two"))
        await listener.until(lambda: tokens(listener) == {"a": "two"})
        await act(server.put, member("a", region="eu"))
        await listener.until(lambda: listener.last(RosterChange).members["a"].told.region == "eu")
        assert listener.problems() == []
        await act(server.delete, member("a"))
        await listener.until(lambda: tokens(listener) == {})

    watched(server, tmp_path, test)


def test_what_is_broken_stays_as_it_was(server: kubecluster.Cluster, tmp_path: Path) -> None:
    server.put(kubecluster.credentials("a", "one"), member("a"))

    async def test(listener: Listener, found: fleet.Fleet) -> None:
        await listener.until(lambda: tokens(listener) == {"a": "one"})
        await act(server.put, member("a", server="http://a"))
        await listener.until(lambda: told(listener, "MemberCluster a: `http://a` is no URL"))
        await act(server.put, member("a"), {**kubecluster.credentials("a", ""), "data": {}})
        await listener.until(lambda: told(listener, "Secret fedns/a: there is no `token`"))
        await act(server.delete, kubecluster.credentials("a", ""))
        await listener.until(lambda: told(listener, "MemberCluster a: Secret fedns/a is not there, or has"))
        assert tokens(listener) == {"a": "one"}
        await act(server.put, member("b", secretRef={"name": "a"}))
        await listener.until(lambda: told(listener, "MemberCluster b: Secret fedns/a is not there"))
        assert tokens(listener) == {"a": "one"}
        await act(server.put, kubecluster.credentials("a", "two"))
        await listener.until(lambda: tokens(listener) == {"a": "two", "b": "two"})
        await listener.until(lambda: listener.problems() == [])

    watched(server, tmp_path, test)


def test_after_a_restart_what_cannot_be_read_stays_and_what_is_gone_goes(
    server: kubecluster.Cluster, tmp_path: Path
) -> None:
    server.put(member("a", server="http://a"), member("b"))

    async def test(listener: Listener, found: fleet.Fleet) -> None:
        assert listener.last(RosterChange).whole and tokens(listener) == {"a": "old", "b": "old"}
        await listener.until(lambda: told(listener, "MemberCluster a"))

    watched(server, tmp_path, test, known("a", "b", "c"))


def test_a_fleet_without_the_kind_is_no_problem(server: kubecluster.Cluster, tmp_path: Path) -> None:
    server.faults(absent=["fedns.io/v1alpha1"])

    async def test(listener: Listener, found: fleet.Fleet) -> None:
        assert not listener.last(RosterChange).whole and tokens(listener) == {}
        await listener.until(lambda: told(listener, "trafficpolicies: 404"))
        assert not told(listener, "memberclusters") and found.feeds[1].off.startswith("404")

    watched(server, tmp_path, test)


def test_a_right_that_is_missing_is_one(server: kubecluster.Cluster, tmp_path: Path) -> None:
    server.put(member("a"))
    server.faults(forbidden=["secrets"])

    async def test(listener: Listener, found: fleet.Fleet) -> None:
        assert tokens(listener) == {"a": "old"}
        await listener.until(lambda: told(listener, "secrets: 403"))
        await act(server.faults, forbidden=["memberclusters"])
        await act(server.hangup)
        await listener.until(lambda: told(listener, "memberclusters: 403"))
        assert tokens(listener) == {"a": "old"}

    watched(server, tmp_path, test, known("a"))


def test_a_fleet_that_cannot_be_reached_says_what_was_known(
    server: kubecluster.Cluster, tmp_path: Path
) -> None:
    server.stop()

    async def test(listener: Listener, found: fleet.Fleet) -> None:
        assert not listener.last(RosterChange).whole and tokens(listener) == {"a": "old"}

    watched(server, tmp_path, test, known("a"))


def test_most_members_at_once_wait_for_a_second_list(server: kubecluster.Cluster, tmp_path: Path) -> None:
    names = [f"m{at:02}" for at in range(15)]
    server.put(*(kubecluster.credentials(name, "t") for name in names), *map(member, names))

    async def test(listener: Listener, found: fleet.Fleet) -> None:
        await listener.until(lambda: len(tokens(listener)) == 15)
        lists = found.feeds[1].lists
        begun = time.monotonic()
        await act(server.delete, *map(member, names[:12]))
        await listener.until(lambda: told(listener, "members disappeared at once"))
        await listener.until(lambda: sorted(tokens(listener)) == names[12:])
        assert found.feeds[1].lists == lists + 1 and time.monotonic() - begun > 0.9
        await listener.until(lambda: listener.problems() == [])

    watched(server, tmp_path, test)


def test_after_a_restart_an_empty_list_waits_too(server: kubecluster.Cluster, tmp_path: Path) -> None:
    names = [f"m{at:02}" for at in range(10)]

    async def test(listener: Listener, found: fleet.Fleet) -> None:
        assert sorted(tokens(listener)) == names
        await listener.until(lambda: told(listener, "10 of 10 members disappeared at once"))
        await act(server.put, *map(member, names))
        await listener.until(lambda: not told(listener, "disappeared"))
        assert sorted(tokens(listener)) == names

    watched(server, tmp_path, test, known(*names))
