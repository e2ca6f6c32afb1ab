"""What the fleet has to distribute, and the policies for it: its directory, or its API server, watched.

Law: whole values, as often as something differs. What could not be read is told as unheard of, never as
gone. On an API server only kinds that policies name are read, whichever they are; one that is defined later
is taken up when it is there.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec
from msgspec import Struct, structs

from fedns import beat
from fedns.errors import Problem
from fedns.kube import client, informer, kinds
from fedns.kube.resource import Resource
from fedns.model.propagation import Override, Propagation
from fedns.sources import kubernetes, overrides, propagation, templates, watch

SETTLE = 0.05
"""Seconds for a burst of news to end."""
SWEEP = 30.0
PACE = informer.Pace(refused=10.0)
"""Policies of a dialect that is not there are looked for so often."""
POLICIES = ("PropagationPolicy", "ClusterPropagationPolicy", "OverridePolicy", "ClusterOverridePolicy")
COMPANIONS = (
    ("v1", "Secret"),
    ("v1", "ConfigMap"),
    ("v1", "ServiceAccount"),
    ("v1", "PersistentVolumeClaim"),
)
"""Kinds that others need (propagateDeps)."""

HINT = "`fedns rbac` and `fedns rbac --for-policies fleet` print the rights it takes"
LASTING = ("Job",)
"""Kinds whose status, once it says that they are done, is not judged again."""

Kind = tuple[str, str]
"""apiVersion and kind."""

log = logging.getLogger("fedns.sources.originals")


class Originals(Struct, frozen=True):
    """`unheard`: kinds of which not all are known; `whole` False: nor all policies, nor all kinds. `looked`:
    kinds that were looked at at all; None: whatever there is."""

    items: tuple[Mapping[str, Any], ...] = ()
    policies: tuple[Propagation, ...] = ()
    overrides: tuple[Override, ...] = ()
    unheard: frozenset[Kind] = frozenset()
    whole: bool = True
    problems: tuple[Problem, ...] = ()
    places: Mapping[str, str] = {}
    """Policy -> file:line, where it is of a file."""
    looked: frozenset[Kind] | None = None


Publish = Callable[[Originals], None]


class Directory:
    """The fleet's directory."""

    def __init__(self, path: str, watcher: watch.Watcher) -> None:
        self._path, self._watcher, self._book = path, watcher, templates.book(path)

    def also(self, more: frozenset[Kind]) -> None:
        """Everything is read anyhow."""

    async def run(self, publish: Publish) -> None:
        ear = self._watcher.listen(self._path)
        before = None
        try:
            while True:
                hints = await ear.news(SWEEP)
                found = self._look(hints)
                if found != before:
                    before = found
                    publish(found)
        finally:
            self._watcher.leave(ear)

    def _look(self, hints: watch.Hints) -> Originals:
        lost = ""
        try:
            difference = self._book.look(hints)
            for path in (*difference.changed, *difference.removed):
                self._book.read(path)
        except OSError as error:
            lost = error.strerror or str(error)
        read = templates.known(self._book)
        problems = (*read.problems, *((Problem(self._path, f"it cannot be read: {lost}"),) if lost else ()))
        whole = read.whole and not lost
        return Originals(read.items, read.policies, read.overrides, frozenset(), whole, problems, read.places)


class Server:
    """The fleet's API server."""

    def __init__(self, api: client.Client, pace: informer.Pace = PACE) -> None:
        self._api, self._pace, self._news = api, pace, asyncio.Event()
        self._policies: dict[informer.Informer, dict[informer.Key, Any]] = {}
        self._feeds: dict[Kind, informer.Informer] = {}
        self._items: dict[Kind, dict[informer.Key, Mapping[str, Any]]] = {}
        self._tasks: dict[informer.Informer, asyncio.Task[None]] = {}
        self._also: frozenset[Kind] = frozenset()

    def also(self, more: frozenset[Kind]) -> None:
        """Kinds of which members may have copies, whatever policies say now."""
        self._also = more
        self._news.set()

    async def run(self, publish: Publish) -> None:
        before = None
        for group in propagation.GROUPS:
            for kind in POLICIES:
                self._watch_policies(group, kind)
        try:
            while True:
                await self._wait()
                self._follow()
                for task in filter(asyncio.Task.done, self._tasks.values()):
                    task.result()
                found = self._told()
                if found != before:
                    before = found
                    publish(found)
        finally:
            for task in self._tasks.values():
                task.cancel()
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)
            await self._api.close()

    async def _wait(self) -> None:
        """For news, and until it has settled."""
        with contextlib.suppress(TimeoutError):
            async with beat.timeout(SWEEP):
                await self._news.wait()
        await asyncio.sleep(SETTLE)
        self._news.clear()

    def _watch_policies(self, group: str, kind: str) -> None:
        version = f"{group}/{propagation.VERSION}"
        plural = f"{kind[:-1].lower()}ies"
        resource = Resource(group, propagation.VERSION, plural, kind, not kind.startswith("Cluster"))
        decode = kubernetes.decoding(kind, overrides.KINDS[(version, kind)])
        values: dict[informer.Key, Any] = {}

        def hear(changes: informer.Changes) -> None:
            kubernetes.follow(values, changes)
            self._news.set()

        ears = informer.Ears(hear, _admit)
        feed = informer.Informer(
            self._api, informer.Subject(resource, decode, optional=True), ears, self._pace
        )
        self._policies[feed] = values
        self._tasks[feed] = asyncio.ensure_future(feed.run())

    def _follow(self) -> None:
        """Watches the kinds that policies name, and no others."""
        wanted = set(self._kinds()) | self._also
        for kind in wanted - self._feeds.keys():
            self._watch(kind)
        known = all(feed.settled for feed in self._policies)
        for kind in self._feeds.keys() - wanted if known else ():
            feed = self._feeds.pop(kind)
            self._tasks.pop(feed).cancel()
            del self._items[kind]

    def _kinds(self) -> Iterator[Kind]:
        for each in self._values(Propagation):
            yield from ((one.api_version, one.kind) for one in each.resources)
            if each.dependencies:
                yield from COMPANIONS

    def _watch(self, kind: Kind) -> None:
        items: dict[informer.Key, Mapping[str, Any]] = {}
        resource = kinds.named(*kind)

        def decode(data: informer.Data) -> informer.Item:
            found = {"apiVersion": kind[0], "kind": kind[1], **client.decoded(_object, data)}
            meta = found["metadata"]
            version = meta.pop("resourceVersion", "")
            meta.pop("managedFields", None)
            if kind[1] not in LASTING:
                found.pop("status", None)
            return informer.Item((kind[1], meta.get("namespace", ""), meta["name"]), found, "", version)

        def hear(changes: informer.Changes) -> None:
            kubernetes.follow(items, changes)
            self._news.set()

        async def admit() -> None:
            if feed.known:
                return
            found = await kinds.find(self._api, *kind)
            feed.subject = feed.subject._replace(resource=found)

        feed = informer.Informer(
            self._api, informer.Subject(resource, decode), informer.Ears(hear, admit), self._pace
        )
        self._feeds[kind], self._items[kind] = feed, items
        self._tasks[feed] = asyncio.ensure_future(feed.run())

    def _values(self, shape: type[Any]) -> Iterator[Any]:
        """Policies, of all dialects in their order."""
        for values in self._policies.values():
            yield from (each for _, each in sorted(values.items()) if isinstance(each, shape))

    def _told(self) -> Originals:
        unheard = {kind for kind, feed in self._feeds.items() if not feed.known}
        whole = all(
            feed.known and feed.troubles.keys() <= values.keys() for feed, values in self._policies.items()
        )
        rows = (items for _, items in sorted(self._items.items()))
        return Originals(
            tuple(each for items in rows for _, each in sorted(items.items())),
            tuple(propagation.firsts(self._values(Propagation))[0]),
            tuple(propagation.firsts(self._values(Override))[0]),
            frozenset(unheard),
            whole,
            tuple(sorted(self._problems())),
            looked=frozenset(self._feeds),
        )

    def _problems(self) -> Iterator[Problem]:
        where = str(self._api.where)
        for feed in (*self._policies, *self._feeds.values()):
            if feed.off:
                lacks = f"; {HINT}" if feed.off.startswith("403") else ""
                yield Problem(where, f"{feed.name}: {feed.off}", f"its copies stay as they are{lacks}")
            for key, trouble in feed.troubles.items():
                yield Problem(f"{where}: {key[0]} {key[1]}/{key[2]}", trouble)
        written = (*self._values(Propagation), *self._values(Override))
        for twice in propagation.firsts(written)[1]:
            yield structs.replace(twice, where=f"{where}: {twice.where}")
        for each in written:
            if each.doubts:
                yield Problem.warning(f"{where}: {each.title}", "; ".join(each.doubts))


async def _admit() -> None:
    await asyncio.sleep(0)


_object = msgspec.json.Decoder(dict[str, Any])
