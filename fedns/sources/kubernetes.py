"""A member read from its API server: services, endpoints, nodes, and what decides about them, watched.

Law: nothing is published half read: at first what was known before a restart stays, until everything is
listed. What the server refuses (403, 404) switches off one kind, visibly; what cannot be reached freezes.
Nothing is taken from a cluster that is not the one this name has always meant.
"""

import asyncio
import contextlib
import math
import sys
import time
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, Protocol

import msgspec
from msgspec import Struct

from fedns import beat
from fedns.errors import Problem
from fedns.kube import client, informer
from fedns.kube.resource import Resource
from fedns.model import guard
from fedns.model.facts import ShardFacts
from fedns.sources import cluster, identity, ledger, manifests, objects, reachability, scope, subjects
from fedns.sources.change import Change, MemberChange, ProblemsChange, Publish

SETTLE = 0.02
"""Seconds between two publications at least: a burst of events is one piece of news."""
REST = 0.1
"""Seconds that a removal waits for others: the change guard is to see a burst of them as one."""
STUCK = 3.0
"""Seconds until one that is known to be in trouble does not, nor one that has facts of before a restart."""
HELD = 0.2
"""Seconds between looks at what waits in the change guard."""
START = 120.0
"""Seconds until a member that answers, but cannot be listed, no longer holds up all others."""
SHOWN = 20
"""Objects in trouble that are told one by one."""
BLOCK = 500
"""Changes taken in at a time: some milliseconds."""
LOST = "the last known facts stay in use"
DENIED = "401 "
RENEW = "its token is no good any more: `fedns join NAME --rotate` makes a new one"


class Source(NamedTuple):
    """Where a member's facts come from, and which of them are wanted."""

    api: client.Client
    identities: identity.Register
    wish: subjects.Wish = subjects.Wish()


class _Meta(Struct, gc=False):
    name: str
    namespace: str = ""
    resourceVersion: str = ""


class _Named(Struct, gc=False):
    metadata: _Meta


_named = msgspec.json.Decoder(_Named)


class Member:
    """One member's API server. `run` goes on until cancelled; `feeds` and `reach` tell how it does."""

    def __init__(
        self,
        member: cluster.Member,
        source: Source,
        known: Mapping[str, ShardFacts] | None = None,
        reach: reachability.Pace | None = None,
        pace: informer.Pace | None = None,
    ) -> None:
        self.name, self._source, self._ledger = member.name, source, ledger.Ledger(member, known)
        self._news = asyncio.Event()
        self.reach = reachability.Reachability(source.api, self._news.set, reach)
        self.identity = identity.Identity(source.api, source.identities, member.name)
        self._kinds = subjects.wanted(source.wish)
        self._scope = scope.Scope(bool(source.wish.namespaces), source.wish.exports)
        self.feeds = tuple(self._feed(kind, pace) for kind in self._kinds)
        self._pending: list[tuple[informer.Key, Any]] = []
        self._touched: cluster.Touched = frozenset()
        self._begun = self._whole = self._settled = self._decided = False
        """`_settled`, `_decided`: of what was taken in; a feed may know more by now."""
        self._second: dict[informer.Informer, int] = {}
        """Feeds that are listed again because the guard holds something, and their lists before."""
        self._second_at = 0.0
        self._problems: tuple[Problem, ...] | None = None

    @property
    def _rows(self) -> Iterator[tuple[informer.Informer, subjects.Kind]]:
        return zip(self.feeds, self._kinds, strict=True)

    async def run(self, publish: Publish) -> None:
        """Publishes the member whole at first, then what differs."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self.reach.run())
                for feed in self.feeds:
                    group.create_task(feed.run())
                group.create_task(self._publishing(publish))
        finally:
            await self._source.api.close()

    def origins(self, service: str) -> tuple[str, ...]:
        """The objects that the facts of a service came from, in their versions."""
        namespace, _, name = service.partition("/")
        found = self._ledger.cluster.objects(service)
        return tuple(
            f"{called(key)} (resourceVersion {version})"
            for key in (*found, *(self._scope.objects(namespace, name) if found else ()))
            for version in (feed.version(key) for feed in self.feeds)
            if version
        )

    def detail(self, services: frozenset[str], publish: Publish) -> None:
        """Publishes the endpoints of these services, and of no other."""
        self._touch(self._ledger.cluster.detail(services))
        if self._whole:
            self._look(publish, late=False)

    def renew(self) -> None:
        """Who we are to its API server has changed."""
        self._source.api.renew()
        for feed in self.feeds:
            feed.hurry()

    def _feed(self, kind: subjects.Kind, pace: informer.Pace | None) -> informer.Informer:
        wish = self._source.wish

        async def admit() -> None:
            await self.identity.check()
            if not feed.known:
                feed.subject = _subject(kind, await self._served(kind), wish)

        subject = _subject(kind, kind.versions[0], wish)
        feed = informer.Informer(self._source.api, subject, informer.Ears(self._hear, admit), pace)
        return feed

    async def _served(self, kind: subjects.Kind) -> Resource:
        """The best version that the server knows, else the best of all: its refusal tells why."""
        if len(kind.versions) > 1:
            for resource in kind.versions:
                if await self._source.api.serves(resource):
                    return resource
        return kind.versions[0]

    def _hear(self, changes: informer.Changes) -> None:
        self._pending += changes
        self._news.set()

    async def _publishing(self, publish: Publish) -> None:
        begun = time.time()
        while True:
            with contextlib.suppress(TimeoutError):
                async with beat.timeout(self._patience(begun)):
                    await self._news.wait()
            self._news.clear()
            if any(value is None and key[0] == "Service" for key, value in self._pending):
                await asyncio.sleep(REST)
            await self._take()
            self._look(publish, late=time.time() - begun > self._bound())
            await asyncio.sleep(SETTLE)

    def _bound(self) -> float:
        """Seconds until there must be a first word, be it of nothing new."""
        trouble = any(feed.trouble or feed.stalled(time.time()) for feed in self.feeds)
        if self._ledger.shards or trouble:
            return STUCK
        return math.inf if self._source.api.gate.locked() else START  # lists of others come first

    def _patience(self, begun: float) -> float:
        """Seconds until a look without any news."""
        until = [manifests.SWEEP_S]
        if self._ledger.again is not None:
            until.append(max(self._ledger.again - time.time(), HELD))
        if not self._begun:
            until.append(max(min(begun + self._bound() - time.time(), STUCK), SETTLE) + SETTLE)
        return min(until)

    async def _take(self) -> None:
        """What the feeds said, into the cluster."""
        changes, self._pending = self._pending, []
        self._settled = all(feed.settled for feed in self.feeds)
        self._decided = all(feed.synced_at for feed, kind in self._rows if kind.decides)
        self._touch(self._ledger.cluster.listed(self._sliced()))
        for at in range(0, len(changes), BLOCK):
            touched = self._ledger.cluster.update(self._scope.update(changes[at : at + BLOCK]))
            self._touch(touched)
            await asyncio.sleep(0)

    def _sliced(self) -> bool:
        """Whether all endpoints are known; not where only some are asked for."""
        found = (feed for feed, kind in self._rows if kind is subjects.SLICES)
        return not self._source.wish.selector and all(feed.known for feed in found)

    def _touch(self, touched: cluster.Touched) -> None:
        both = self._touched is not None and touched is not None
        self._touched = self._touched | touched if both else None  # type: ignore[operator]

    def _look(self, publish: Publish, late: bool) -> None:
        """Publishes what differs, if there is anything to be said yet."""
        first, book = not self._begun, self._ledger
        verdict, confirmed = self.reach.verdict, self._confirmed()
        whole = self._whole or (self._settled and self._decided)
        if first and not self._settled and not late and verdict != "unreachable":
            return
        news = book.reach(verdict, time.time())
        book.read_at, stale = max(book.read_at, confirmed), confirmed - book.read_at > manifests.SWEEP_S / 2
        touched = self._admit() if whole else frozenset[str]()
        self._begun, self._whole = True, whole
        if first or touched is None or touched or news or stale:
            publish(MemberChange(book.facts, None if first else touched))
        self.tell(publish)

    def _confirmed(self) -> float:
        """When the facts were last known to be so: a watch that is open tells all there is."""
        if any(feed.trouble for feed in self.feeds):
            return 0.0
        return max((feed.heard_at for feed in self.feeds), default=0.0)

    def _admit(self) -> cluster.Touched:
        """What was taken in, through the guard. A removal that it holds waits for lists that confirm it."""
        book, touched = self._ledger, self._touched
        if not self._whole and touched is not None:
            touched |= book.shards.keys()  # what was known before a restart may be gone
        self._touched = frozenset()
        self._second = {feed: lists for feed, lists in self._second.items() if feed.lists == lists}
        told = book.admit(touched, self._second_at if self._second else time.time())
        if book.again is None:
            self._second = {}
        elif not self._second and book.again - guard.APART > self._second_at + SETTLE:
            self._second_at = book.again - guard.APART
            self._second = {feed: feed.lists for feed in self.feeds[:2] if not feed.off}
            for feed in self._second:
                feed.relist()
        return told

    def tell(self, publish: Publish) -> None:
        """Publishes the problems that there are, if they differ."""
        problems = tuple(sorted(self._found()))
        if problems != self._problems:
            self._problems = problems
            publish(ProblemsChange(f"member:{self.name}", problems))

    def _found(self) -> Iterator[Problem]:
        where = str(self._source.api.where)
        yield from lost(self.reach, where)
        yield from self.identity.problems(where)
        yield from self._ledger.held(where)
        yield from self._scope.problems(self.name, where)
        for feed, kind in self._rows:
            kept = kind.decides and bool(self._ledger.shards)
            yield from complaints(feed, LOST if kept else kind.missing, where)


class Asked(Protocol):
    """A source that asks an API server."""

    async def run(self, publish: Publish) -> None: ...

    def tell(self, publish: Publish) -> None: ...


async def once(source: Asked, publish: Publish, patience: float) -> None:
    """One look: until there is a first word of it, or `patience` seconds are over."""
    heard = asyncio.Event()

    def hear(news: Change) -> None:
        publish(news)
        if isinstance(news, ProblemsChange):
            heard.set()

    task = asyncio.ensure_future(source.run(hear))
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(patience):
            await heard.wait()
    if not heard.is_set():
        source.tell(publish)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def lost(reach: reachability.Reachability, where: str) -> Iterator[Problem]:
    """That nobody answers, as a problem of `where`."""
    if reach.verdict == "unreachable":
        yield Problem(where, f"the API server cannot be reached: {reach.evidence}", LOST)


def complaints(feed: informer.Informer, missing: str, where: str) -> Iterator[Problem]:
    """What is wrong with a watch, and with single objects; `missing` is what there is not without it."""
    if feed.off:
        yield Problem(where, f"{feed.name}: {feed.off}", LOST if feed.synced_at else missing)
    elif feed.trouble.startswith(DENIED):
        hint = f"{LOST if feed.synced_at else missing}; {RENEW}"
        yield Problem(where, f"{feed.name}: {feed.trouble}", hint)
    elif feed.trouble and not feed.synced_at:
        yield Problem(where, f"{feed.name}: {feed.trouble}", missing)
    for key, what in sorted(feed.troubles.items())[:SHOWN]:
        yield Problem(f"{where}: {called(key)}", what, "what was known of it stays in use")


def called(key: informer.Key) -> str:
    """An object as people name it."""
    return f"{key[0]} {key[1]}/{key[2]}" if key[1] else f"{key[0]} {key[2]}"


def _subject(kind: subjects.Kind, resource: Resource, wish: subjects.Wish) -> informer.Subject:
    decode = decoding(resource.kind, subjects.shape(resource, wish))
    labels = kind.labels(wish, resource)
    found = informer.Subject(resource, decode, labels, kind.fields)
    return found._replace(optional=kind.optional, name=kind.name)


def follow(values: dict[informer.Key, Any], changes: informer.Changes) -> None:
    """Keeps `values` as what a watch told."""
    for key, value in changes:
        if value is None:
            values.pop(key, None)
        else:
            values[key] = value


def decoding(name: str, kind: objects.Kind) -> informer.Decode:
    """How an object of a kind is read: its identity at any rate, then what we take of it."""
    shape = msgspec.json.Decoder(kind.shape)

    def decode(data: informer.Data) -> informer.Item:
        try:
            found = shape.decode(data)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            meta = client.decoded(_named, data).metadata
            return informer.Item((name, meta.namespace, meta.name), None, str(error), meta.resourceVersion)
        meta = found.metadata
        key = (name, sys.intern(meta.namespace or ""), sys.intern(meta.name))
        try:
            return informer.Item(key, kind.strip(found), "", meta.resourceVersion)
        except objects.WrongShape as error:
            return informer.Item(key, None, str(error), meta.resourceVersion)

    return decode
