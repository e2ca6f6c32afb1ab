"""Whole objects of one kind that are made in a cluster: as they are there, as they shall be, what is to do.

Law: what lacks our label is somebody else's: never changed, never removed, and told where it is in the way.
Of ours, only what we say is compared, and only that is applied, without force. What is there and not wanted
is removed, whichever of us made it; but not while what it came from was not heard yet. What a write did not
change is not written again.
"""

import asyncio
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, NamedTuple

import msgspec

from fedns.distribute import docket, errand, rights, shelf
from fedns.errors import Problem
from fedns.kube import client, informer
from fedns.kube.failure import Failure
from fedns.kube.resource import Resource

PART = 200
"""Services that are looked at in one go: a tenth of a second where all are new, of ten members each."""

Object = Mapping[str, Any]
Wanted = Mapping[str, Object]
"""Name -> object, of one service."""


class Kind(NamedTuple):
    """`versions` of the resource, the best first; `labels`: those that are looked at. `content`: what of an
    object is ours to say; `service`: whose it is (`namespace/name`), and from which clusters it came;
    `wanted`: what shall be there of a service, None: not known; `unheard`: clusters of which nothing is known
    yet."""

    versions: tuple[Resource, ...]
    content: Callable[[Object], Any]
    service: Callable[[Object], tuple[str, tuple[str, ...]]]
    wanted: Callable[[str], Wanted | None]
    unheard: Callable[[], frozenset[str]]
    labels: str = ""
    hint: str = ""


class _There(NamedTuple):
    """An object as it is; `content` as a digest. `seen`: its UID and its version. `going`: it is being
    removed, and waits for somebody."""

    service: str
    sources: tuple[str, ...]
    content: bytes
    seen: tuple[str, str]
    ours: bool
    going: bool


_whole = msgspec.json.Decoder(dict[str, Any])


class Stock:
    """Those of one cluster."""

    def __init__(self, kind: Kind, pace: docket.Pace | None = None) -> None:
        self.resource, self._kind, self.book = kind.versions[0], kind, docket.Docket(pace)
        self._there: dict[informer.Key, _There] = {}
        self._of: dict[str, set[informer.Key]] = {}
        """Service -> its objects that are there."""
        self._suspects: dict[str, None] = {}
        """Services whose objects may differ, those first that waited longest."""
        self._stubborn: dict[informer.Key, tuple[bytes, bytes]] = {}
        """What was written, and what is there all the same."""
        self._flying: dict[informer.Key, bool] = {}
        """What is on its way, and whether the watch has told meanwhile that it is gone."""
        self._foreign: set[informer.Key] = set()
        self._whose: dict[informer.Key, str] = {}
        """The services of what was due."""
        self._feed: informer.Informer | None = None
        self._news: Callable[[], None] | None = None

    def open(self, api: client.Client, news: Callable[[], None]) -> informer.Informer:
        """Begins to look at what is there, anew."""
        self.close()
        self._news = news

        def hear(changes: informer.Changes) -> None:
            for key, value in changes:
                self._take(key, value)
            news()

        async def admit() -> None:
            await asyncio.sleep(0)
            if feed.known:
                return
            self.resource = await shelf.served(api, self._kind.versions) or self.resource
            feed.subject = feed.subject._replace(resource=self.resource)

        subject = informer.Subject(self.resource, self._decode, self._kind.labels)
        feed = informer.Informer(api, subject, informer.Ears(hear, admit))
        self._feed = feed
        return feed

    def close(self) -> None:
        """Forgets what is there; which services may differ is not lost."""
        self.touch(self._of)
        self._feed = self._news = None
        self._there.clear()
        self._of.clear()
        self._stubborn.clear()
        self._flying.clear()
        self._foreign.clear()
        self._whose.clear()
        self.book.clear()

    def touch(self, services: Iterable[str]) -> None:
        """Other objects may be wanted of these."""
        self._suspects.update(dict.fromkeys(services))

    def ours(self, space: str, name: str) -> bool:
        """Whether an object is there, and of our making."""
        found = self._there.get((self.resource.kind, space, name))
        return found is not None and found.ours

    @property
    def doubted(self) -> bool:
        """Whether objects of any service may differ."""
        return bool(self._suspects)

    def due(self, now: float) -> docket.Looks:
        if self._feed is None or not self._feed.synced_at or self.book.closed(now):
            return iter(())
        return self.book.picked(self._due(now))

    def errand(self, key: informer.Key) -> errand.Task | None:
        there, wanted = self._there.get(key), self._wanted(key)
        if there is not None and not there.ours:
            return None
        if wanted is not None:
            self._flying[key] = False
            return errand.Errand(self.resource, wanted["metadata"], wanted)
        if there is None:
            return None
        uid, version = there.seen
        meta = {"namespace": key[1], "name": key[2], "uid": uid, "resourceVersion": version}
        return errand.Errand(self.resource, meta, None)

    def wrote(self, key: informer.Key, there: Any) -> None:
        """`there`: the object as the server has it now; None: it is gone."""
        self.book.wrote(key)
        gone = self._flying.pop(key, False) and self._feed is not None and not self._feed.version(key)
        if there is None or gone:  # or it waits for somebody, then the watch will tell
            self._drop(key)
            return
        found, wanted = self._read(there), self._wanted(key)
        if not errand.overtaken(self._feed, key, there):
            self._put(key, found)
        if wanted is not None and (told := self._digest(wanted)) != found.content:
            self._stubborn[key] = (told, found.content)

    def failed(self, key: informer.Key, failure: Failure) -> None:
        self._flying.pop(key, None)
        self.book.failed(key, failure)

    def problems(self, where: str) -> Iterator[Problem]:
        plural, hint = self.resource.plural, self._kind.hint
        if self.book.refused:
            yield Problem(where, f"{plural}: {self.book.refused}", hint)
            return
        if self._feed is not None and self._feed.off:
            yield Problem(where, f"{plural}: {self._feed.off}", hint)
        for key in islice(sorted(self._foreign), docket.SHOWN):
            what = "somebody else made it, so it stays as it is"
            yield Problem(
                f"{where}: {key[0]} {docket.called(key)}", what, "remove it, and ours takes its place"
            )
        for key, what in self.book.lasting():
            yield Problem(f"{where}: {key[0]} {docket.called(key)}", f"it is not written: {what}")

    def _due(self, now: float) -> docket.Looks:
        part = tuple(islice(self._suspects, PART))
        if len(part) < len(self._suspects) and self._news is not None:
            self._news()  # the rest is looked at next
        for service in part:
            del self._suspects[service]
            keys = tuple(self._differing(service))
            if keys or self._waits(service):
                self._suspects[service] = None
            for key in keys:
                rests = key in self._there and self._wanted(key) is not None
                if self.book.ready(key, now, hurry=not rests and not self.book.failing(key)):
                    yield docket.Due(rests, key)

    def _differing(self, service: str) -> Iterator[informer.Key]:
        """What of a service is not as it shall be."""
        wanted = self._kind.wanted(service)
        if wanted is None:
            return
        space, unheard = service.partition("/")[0], self._kind.unheard()
        names = {key[2] for key in self._of.get(service, ()) if self._there[key].ours}
        for name in sorted(names | wanted.keys()):
            key = (self.resource.kind, space, name)
            there = self._there.get(key)
            self._whose[key] = service
            self._foreign.discard(key)
            if there is None:
                yield key
            elif not there.ours:
                self._foreign.add(key)
            elif there.going or not unheard.isdisjoint(there.sources):
                continue
            elif name not in wanted or self._differs(key, there, wanted[name]):
                yield key

    def _waits(self, service: str) -> bool:
        """Whether nothing can be said of it yet."""
        unheard = self._kind.unheard()
        objects = self._of.get(service, ()) if unheard else ()
        return self._kind.wanted(service) is None or any(
            not unheard.isdisjoint(self._there[key].sources) for key in objects
        )

    def _differs(self, key: informer.Key, there: _There, wanted: Object) -> bool:
        told = self._digest(wanted)
        return told != there.content and self._stubborn.get(key) != (told, there.content)

    def _wanted(self, key: informer.Key) -> Object | None:
        """What shall be there of an object that was due; None: nothing."""
        return (self._kind.wanted(self._whose.get(key, "")) or {}).get(key[2])

    def _digest(self, one: Object) -> bytes:
        content = msgspec.json.encode(self._kind.content(one), order="deterministic")
        return hashlib.blake2b(content, digest_size=16).digest()

    def _read(self, one: Object) -> _There:
        meta = one.get("metadata") or {}
        ours = rights.MANAGED.items() <= (meta.get("labels") or {}).items()
        service, sources = self._kind.service(one)
        seen = str(meta.get("uid", "")), str(meta.get("resourceVersion", ""))
        return _There(service, sources, self._digest(one), seen, ours, "deletionTimestamp" in meta)

    def _decode(self, data: informer.Data) -> informer.Item:
        found = client.decoded(_whole, data)
        meta = found["metadata"]
        key = (self.resource.kind, meta.get("namespace", ""), meta["name"])
        return informer.Item(key, self._read(found), "", meta.get("resourceVersion", ""))

    def _take(self, key: informer.Key, value: _There | None) -> None:
        if value is None:
            if key in self._flying:
                self._flying[key] = True
            self._drop(key)
        else:
            self._put(key, value)
            self._suspects[value.service] = None

    def _put(self, key: informer.Key, value: _There) -> None:
        before = self._there.get(key)
        if before is not None and before.service != value.service:
            self._drop(key)
        self._there[key] = value
        self._of.setdefault(value.service, set()).add(key)

    def _drop(self, key: informer.Key) -> None:
        before = self._there.pop(key, None)
        if before is None:
            return
        left = self._of[before.service]
        left.discard(key)
        if not left:
            del self._of[before.service]
        self._suspects[before.service] = None
        self._stubborn.pop(key, None)
        self._foreign.discard(key)
        self._whose.pop(key, None)
        self.book.forget(key)
