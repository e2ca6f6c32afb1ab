"""List and watch against a fake API server in a process of its own, with all that goes wrong."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import msgspec
import pytest

from fedns.kube import access, backoff, client, informer
from fedns.kube.failure import Unreachable
from fedns.kube.resource import Resource
from tests.fakes import kubecluster

SERVICES = Resource("", "v1", "services", "Service")
QUICK = informer.Pace(page=3, life=2.0, slack=0.5, stream=5.0, refused=60.0, bounds=backoff.Bounds(0.05, 0.2))
LONG = 15.0


def decode(data: bytes) -> informer.Item:
    """The labels and the version of anything; a `bad` label makes it unreadable, `other` none of ours."""
    meta = msgspec.json.decode(data)["metadata"]
    labels = meta.get("labels", {})
    value = None if "other" in labels else tuple(sorted(labels.items()))
    trouble = "it is bad" if "bad" in labels else ""
    return informer.Item(("Service", meta["namespace"], meta["name"]), value, trouble)


class Watching:
    """An informer at work, and what it told."""

    def __init__(self, cluster: kubecluster.Cluster, api: client.Client) -> None:
        self.cluster, self.api = cluster, api
        self.values: dict[str, Any] = {}
        self.told: list[tuple[str, Any]] = []
        self.admitted = True
        subject = informer.Subject(SERVICES, decode)
        self.informer = informer.Informer(api, subject, informer.Ears(self.changed, self.admit), QUICK)

    def changed(self, changes: informer.Changes) -> None:
        for (_, _, name), value in changes:
            self.told.append((name, value))
            if value is None:
                del self.values[name]
            else:
                self.values[name] = value

    async def admit(self) -> None:
        if not self.admitted:
            raise Unreachable("not the same cluster")

    async def until(self, holds: Callable[[], object], what: str) -> None:
        deadline = time.monotonic() + LONG
        while not holds():
            assert time.monotonic() < deadline, f"{what}: {self.values} {self.informer.trouble}"
            await asyncio.sleep(0.01)

    async def shows(self, *names: str) -> None:
        await self.until(lambda: set(self.values) == set(names), f"{names}")

    async def off_thread(self, act: Callable[..., None], *values: Any, **named: Any) -> None:
        await asyncio.to_thread(act, *values, **named)


@pytest.fixture
def cluster() -> Iterator[kubecluster.Cluster]:
    with kubecluster.running() as found:
        yield found


def service(name: str, **labels: str) -> dict[str, Any]:
    return kubecluster.service(name, **labels)


def watched(cluster: kubecluster.Cluster, test: Callable[[Watching], Awaitable[None]]) -> Watching:
    """Runs `test` beside an informer of the cluster's services."""

    async def main() -> Watching:
        api = client.Client(access.Where(server=cluster.url), asyncio.Semaphore(client.AT_ONCE))
        watching = Watching(cluster, api)
        task = asyncio.create_task(watching.informer.run())
        try:
            await test(watching)
            assert not task.done()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await api.close()
        assert api.gate._value == client.AT_ONCE
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return watching

    before = sockets()
    found = asyncio.run(main())
    assert sockets() <= before
    return found


def sockets() -> int:
    """How many this process has open."""
    links = (os.readlink(each.path) for each in os.scandir("/proc/self/fd") if os.path.lexists(each.path))
    return sum(link.startswith("socket:") for link in links)


def test_what_there_is_and_what_differs_is_told(cluster: kubecluster.Cluster) -> None:
    cluster.put(service("a"), service("b"), service("c", other="x"))

    async def test(w: Watching) -> None:
        await w.shows("a", "b")
        await w.off_thread(cluster.put, service("d"), service("a", x="1"), service("c", other="y"))
        await w.shows("a", "b", "d")
        await w.off_thread(cluster.delete, service("b"))
        await w.shows("a", "d")
        await w.off_thread(cluster.put, service("a", other="x"))
        await w.shows("d")

    found = watched(cluster, test)
    assert ("a", (("x", "1"),)) in found.told and not [one for one in found.told if one[0] == "c"]
    assert found.informer.lists == 1
    assert "sendInitialEvents=true" in "".join(cluster.log())


def test_a_server_that_streams_no_lists_is_read_in_pages_and_that_is_remembered(
    cluster: kubecluster.Cluster,
) -> None:
    cluster.faults(watchlist=False)
    names = [f"s{number}" for number in range(10)]
    cluster.put(*map(service, names))

    async def test(w: Watching) -> None:
        await w.shows(*names)
        await w.off_thread(cluster.put, service("new"))
        await w.shows(*names, "new")
        assert len([line for line in cluster.log() if "resourceVersion=" in line]) == 1
        await w.off_thread(cluster.compact)
        await w.off_thread(cluster.hangup)
        await w.until(lambda: w.informer.lists == 2, "a second list")

    watched(cluster, test)
    log = cluster.log()
    assert len([line for line in log if "sendInitialEvents" in line]) == 1
    assert len([line for line in log if "limit=3" in line]) >= 8


@pytest.mark.parametrize("times", [1, 2])
def test_pages_that_expire_in_the_middle_are_read_again_at_last_in_one_go(
    cluster: kubecluster.Cluster, times: int
) -> None:
    cluster.faults(watchlist=False, expired_pages=times)
    names = [f"s{number}" for number in range(10)]
    cluster.put(*map(service, names))

    async def test(w: Watching) -> None:
        await w.shows(*names)

    assert watched(cluster, test).informer.lists == 1
    lists = [line for line in cluster.log() if "watch" not in line]
    assert ("limit" not in lists[-1]) == (times == 2)


@pytest.mark.parametrize("how", ["inside", "outside"])
def test_an_expired_watch_is_begun_anew_and_only_differences_are_told(
    cluster: kubecluster.Cluster, how: str
) -> None:
    cluster.put(service("a"), service("b"), service("c"))

    async def test(w: Watching) -> None:
        await w.shows("a", "b", "c")
        w.told.clear()
        if how == "inside":
            await w.off_thread(cluster.faults, gone_inside=1)
        else:
            await w.off_thread(cluster.compact)
            await w.off_thread(cluster.hangup)
        await w.until(lambda: w.informer.lists == 2, "a second list")
        assert w.told == [] and set(w.values) == {"a", "b", "c"}

    assert watched(cluster, test).informer.errors == {"410": 1}


def test_deletions_while_nobody_watched_are_found_by_the_next_list(cluster: kubecluster.Cluster) -> None:
    cluster.put(service("a"), service("b"))

    async def test(w: Watching) -> None:
        await w.shows("a", "b")
        w.admitted = False
        await w.off_thread(cluster.hangup)
        await w.until(lambda: w.informer.trouble, "refused")
        await w.off_thread(cluster.delete, service("b"))
        await w.off_thread(cluster.compact)
        assert set(w.values) == {"a", "b"}
        w.admitted = True
        await w.shows("a")

    watched(cluster, test)


def test_a_torn_event_is_read_whole_after_reconnecting(cluster: kubecluster.Cluster) -> None:
    cluster.put(service("a"))

    async def test(w: Watching) -> None:
        await w.shows("a")
        await w.off_thread(cluster.faults, torn=2)
        await w.off_thread(cluster.put, service("b"))
        await w.shows("a", "b")

    assert watched(cluster, test).informer.lists == 1


def test_a_watch_that_is_silent_for_all_its_life_is_not_believed(cluster: kubecluster.Cluster) -> None:
    """A restored server: versions of the future are watched in silence."""
    cluster.put(service("a"))

    async def test(w: Watching) -> None:
        await w.shows("a")
        await w.off_thread(cluster.faults, stalled=True)
        await w.off_thread(cluster.hangup)
        await w.off_thread(cluster.version, 1)
        await w.off_thread(cluster.put, service("b"))
        await w.shows("a", "b")

    watched(cluster, test)


def test_a_restored_server_is_listed_anew_as_soon_as_it_is_back(cluster: kubecluster.Cluster) -> None:
    """Its versions have gone backwards: a watch would be silent."""
    cluster.put(*(service(f"s{number}") for number in range(5)))

    async def test(w: Watching) -> None:
        await w.shows(*(f"s{number}" for number in range(5)))
        begun = time.monotonic()
        await w.off_thread(cluster.stop)
        with kubecluster.running(cluster.port) as other:
            await w.off_thread(other.put, service("s1"))
            await w.shows("s1")
            assert time.monotonic() - begun < LONG
            assert w.informer.errors["504"] == 1 and w.informer.lists == 2

    watched(cluster, test)


@pytest.mark.parametrize("streams", [True, False])
def test_a_list_of_a_version_of_the_future_is_asked_for_again(
    cluster: kubecluster.Cluster, streams: bool
) -> None:
    cluster.faults(watchlist=streams, future=2)
    cluster.put(service("a"))

    async def test(w: Watching) -> None:
        await w.shows("a")

    assert watched(cluster, test).informer.errors["504"] == 2


def test_a_list_of_which_nothing_comes_is_stalled_and_one_that_waits_is_not(
    cluster: kubecluster.Cluster,
) -> None:
    cluster.faults(delay=1.0)
    cluster.put(service("a"))

    async def test(w: Watching) -> None:
        await w.until(lambda: w.informer.stalled(time.time() + QUICK.silent), "stalled")
        assert not w.informer.stalled(time.time())
        await w.shows("a")
        await w.until(lambda: not w.informer.stalled(time.time() + 1000.0), "no longer")

    watched(cluster, test)


def test_a_refused_resource_is_off_until_it_passes_and_keeps_what_was_known(
    cluster: kubecluster.Cluster,
) -> None:
    cluster.put(service("a"))

    async def test(w: Watching) -> None:
        await w.shows("a")
        await w.off_thread(cluster.faults, forbidden=["services"])
        await w.off_thread(cluster.hangup)
        await w.until(lambda: w.informer.off, "off")
        assert "403 Forbidden" in w.informer.off and set(w.values) == {"a"} and w.informer.settled
        await w.off_thread(cluster.faults, forbidden=[])
        await w.until(lambda: not w.informer.off, "on")

    watched(cluster, test)


def test_of_an_optional_resource_a_server_that_does_not_know_it_has_none(
    cluster: kubecluster.Cluster,
) -> None:
    exports = Resource("multicluster.x-k8s.io", "v1beta1", "serviceexports", "ServiceExport")
    cluster.faults(absent=[exports.api_version])
    one = {"apiVersion": exports.api_version, "kind": exports.kind}
    cluster.put({**one, "metadata": {"name": "a", "namespace": "n"}})

    async def test(w: Watching) -> None:
        w.informer.subject = w.informer.subject._replace(resource=exports, optional=True)
        await w.until(lambda: w.informer.settled, "settled")
        assert (w.informer.off, w.informer.trouble, len(w.informer)) == ("", "", 0)
        await w.off_thread(cluster.faults, absent=[])
        w.informer.hurry()
        await w.shows("a")

    assert not watched(cluster, test).informer.errors


def test_an_object_that_cannot_be_read_stays_as_it_was(cluster: kubecluster.Cluster) -> None:
    cluster.put(service("a", x="1"))

    async def test(w: Watching) -> None:
        await w.shows("a")
        await w.off_thread(cluster.put, service("a", x="2", bad="y"))
        await w.until(lambda: w.informer.troubles, "told")
        assert w.values == {"a": (("x", "1"),)}
        await w.off_thread(cluster.put, service("a", x="3"))
        await w.until(lambda: w.values == {"a": (("x", "3"),)}, "read again")
        assert not w.informer.troubles

    watched(cluster, test)


def test_a_server_that_hangs_up_at_once_is_not_asked_without_end(cluster: kubecluster.Cluster) -> None:
    cluster.put(service("a"))

    async def test(w: Watching) -> None:
        await w.shows("a")
        await w.off_thread(cluster.faults, hangups=True)
        await w.off_thread(cluster.hangup)
        await w.until(lambda: len([line for line in cluster.log() if "resourceVersion=" in line]) > 3, "asks")

    begun = time.monotonic()
    watched(cluster, test)
    assert len(cluster.log()) < 10 + (time.monotonic() - begun) * 40


def test_an_overloaded_server_is_left_alone_as_long_as_it_says(cluster: kubecluster.Cluster) -> None:
    cluster.faults(refuse=[429, "TooManyRequests", 1])
    cluster.put(service("a"))

    async def test(w: Watching) -> None:
        await w.until(lambda: w.informer.errors["429"] >= 2, "refused twice")
        await w.off_thread(cluster.faults, refuse=[])
        await w.shows("a")

    watched(cluster, test)


def test_a_dead_server_is_found_again_with_everything_that_happened(cluster: kubecluster.Cluster) -> None:
    cluster.put(service("a"), service("b"))

    async def test(w: Watching) -> None:
        await w.shows("a", "b")
        await w.off_thread(cluster.stop)
        await w.until(lambda: w.informer.errors["unreachable"] >= 2, "missed")
        assert set(w.values) == {"a", "b"}
        with kubecluster.running(cluster.port, ["--version", "1000"]) as other:
            await w.off_thread(other.put, service("b"), service("c"))
            await w.shows("b", "c")

    watched(cluster, test)


def test_who_knows_better_need_not_wait(cluster: kubecluster.Cluster) -> None:
    cluster.put(service("a"))
    cluster.faults(refuse=[429, "TooManyRequests", 600])

    async def test(watching: Watching) -> None:
        await watching.until(lambda: watching.informer.trouble, "left alone for ten minutes")
        await watching.off_thread(cluster.faults, refuse=[])
        watching.informer.hurry()
        await watching.shows("a")

    watched(cluster, test)
