"""The objects of one kind in the fleet: as they are, what their statuses shall be, when each may be written.

Law: what is there is watched, so that only what differs is due. After a write an object rests for a while,
unless a condition flips; how it goes on after a failure or a refusal says `docket`. What the watch shows is
newer than a reply that comes later. What somebody else sets back again and again is left to them, and told.
"""

import asyncio
import contextlib
import datetime
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from fedns.distribute import docket, errand, feud, statuses
from fedns.errors import Problem
from fedns.kube import apply, client, informer
from fedns.kube.failure import Failure
from fedns.kube.resource import Resource

HINT = "no status is written; `fedns rbac` prints the rights it takes, `fleet: {status: false}` needs none"
RIVALS = "let one of both write it: nothing that runs workloads or load balancers runs in the fleet's cluster"
WAY = apply.OWN._replace(force=True)
"""Statuses of the fleet's objects are ours: whoever else wrote them was mistaken."""


Judge = Callable[[str, statuses.Live], statuses.Verdict | None]


class Chapter(NamedTuple):
    """One kind of objects. `check`: why one cannot be read (empty: it can); `judge`: what the status of one
    (`namespace/name`, or the name of what is in no namespace) shall say, None: nothing. `versions`: others
    that the server may know it in, the best first; `told`: `touch` says which may be judged otherwise."""

    resource: Resource
    check: Callable[[informer.Data], str]
    judge: Judge
    way: apply.Way = WAY
    versions: tuple[Resource, ...] = ()
    told: bool = False
    hint: str = HINT


class _Managed(Struct, gc=False):
    manager: str = ""
    subresource: str = ""
    time: str = ""
    fieldsV1: Any = None


class _Meta(Struct, gc=False):
    name: str
    namespace: str = ""
    generation: int = 0
    resourceVersion: str = ""
    managedFields: list[_Managed] | None = None


class _Object(Struct, gc=False):
    metadata: _Meta
    status: Any = None


_NOBODY = _Managed()
_object = msgspec.json.Decoder(_Object)


class Shelf:
    """`due` tells what to write, `wrote` and `failed` are told how that went. Times are monotonic."""

    def __init__(self, chapter: Chapter, pace: docket.Pace | None = None) -> None:
        self.resource, self._chapter = chapter.resource, chapter
        self.book = docket.Docket(pace)
        self._live: dict[informer.Key, statuses.Live] = {}
        self._sent: dict[informer.Key, statuses.Verdict] = {}
        self._wrote: dict[informer.Key, dict[str, Any]] = {}
        """What a write left: its version."""
        self._flying: dict[informer.Key, statuses.Verdict] = {}
        """What is on its way: the watch may show it before the reply."""
        self._suspects: set[informer.Key] = set()
        """Those that may differ, where `touch` tells."""
        self._feuds: feud.Feuds[informer.Key] = feud.Feuds()
        self._feed: informer.Informer | None = None

    def open(self, api: client.Client, news: Callable[[], None]) -> informer.Informer:
        """Begins to look at what is there, anew."""
        self.close()

        def hear(changes: informer.Changes) -> None:
            for key, value in changes:
                self._take(key, value)
            news()

        async def admit() -> None:
            await asyncio.sleep(0)
            if feed.known:
                return
            self.resource = await served(api, self._chapter.versions) or self.resource
            feed.subject = feed.subject._replace(resource=self.resource)

        feed = informer.Informer(
            api, informer.Subject(self.resource, self._decode), informer.Ears(hear, admit)
        )
        self._feed = feed
        return feed

    def close(self) -> None:
        """Forgets all: somebody else writes from now on."""
        self._feed = None
        self._live.clear()
        self._sent.clear()
        self._flying.clear()
        self._wrote.clear()
        self._suspects.clear()
        self._feuds.clear()
        self.book.clear()

    def touch(self, names: Iterable[str]) -> None:
        """These (`namespace/name`) may be judged otherwise."""
        for name in names:
            space, _, own = name.rpartition("/")
            key = (self.resource.kind, space, own)
            if key in self._live:
                self._suspects.add(key)

    @property
    def doubted(self) -> bool:
        """Whether any may differ: any at all, where nobody tells which."""
        return bool(self._suspects if self._chapter.told else self._live)

    def due(self, now: float) -> docket.Looks:
        if self._feed is None or not self._feed.synced_at or self.book.closed(now):
            return iter(())
        return self.book.picked(self._due(now))

    def errand(self, key: informer.Key) -> errand.Task | None:
        """What to write of an object."""
        change, verdict = self.difference(key), self._verdict(key)
        if change is None or verdict is None:
            return None
        self._flying[key] = verdict
        meta = {"name": key[2], **({"namespace": key[1]} if key[1] else {})}
        wanted = {"metadata": meta, "status": change.status}
        return errand.Errand(self.resource, meta, wanted, "status", self._chapter.way)

    def difference(self, key: informer.Key) -> statuses.Change | None:
        live, verdict = self._live.get(key), self._verdict(key)
        return None if live is None or verdict is None else statuses.difference(live, verdict, _wall())

    def wrote(self, key: informer.Key, there: Any) -> None:
        """`there`: the object as the server has it now."""
        verdict, live = self._flying.pop(key, None), self._live.get(key)
        self.book.wrote(key)
        if verdict is None or live is None:
            self.book.forget(key)
            return
        self._sent[key] = verdict
        self._feuds.wrote(key)
        self._wrote[key] = {"metadata": {"resourceVersion": there["metadata"].get("resourceVersion", "")}}
        if errand.overtaken(self._feed, key, there):
            self._undone(key, live)
            return
        with contextlib.suppress(msgspec.ValidationError):  # then the watch will tell
            self._live[key] = _live(msgspec.convert(there, _Object), live.trouble)

    def failed(self, key: informer.Key, failure: Failure) -> None:
        self._flying.pop(key, None)
        if key in self._live:
            self.book.failed(key, failure)

    def problems(self, where: str) -> Iterator[Problem]:
        """What keeps statuses from being written."""
        plural = self.resource.plural
        if self.book.refused:
            yield Problem(where, f"{plural}/status: {self.book.refused}", self._chapter.hint)
            return
        if self._feed is not None and self._feed.off.startswith("403"):
            yield Problem(where, f"{plural}: {self._feed.off}", self._chapter.hint)
        for key, rival in self._feuds.told():
            what = f"{rival} sets its status back again and again, so it is left as it is"
            yield Problem(f"{where}: {key[0]} {docket.called(key)}", what, RIVALS)
        for key, what in self.book.lasting():
            yield Problem(f"{where}: {key[0]} {docket.called(key)}", f"its status is not written: {what}")

    def _due(self, now: float) -> docket.Looks:
        for key in tuple(self._suspects if self._chapter.told else self._live):
            change = self.difference(key)
            if change is None:
                self._suspects.discard(key)
                self.book.settled(key)
                yield None
                continue
            moved = change.moved and not self.book.failing(key)
            flips = moved and self._verdict(key) != self._sent.get(key)
            if self.book.ready(key, now, flips) and not self._feuds.rests(key, now):
                yield docket.Due(not flips, key)

    def _verdict(self, key: informer.Key) -> statuses.Verdict | None:
        live = self._live.get(key)
        return None if live is None else self._chapter.judge(docket.called(key), live)

    def _take(self, key: informer.Key, value: statuses.Live | None) -> None:
        if value is not None:
            self._live[key] = value
            self._suspects.add(key)
            self._undone(key, value)
            return
        self._live.pop(key, None)
        self._sent.pop(key, None)
        self._wrote.pop(key, None)
        self._suspects.discard(key)
        self._feuds.forget(key)
        self.book.forget(key)

    def _undone(self, key: informer.Key, live: statuses.Live) -> None:
        sent, wrote = self._sent.get(key), self._wrote.get(key, {})
        if sent is None or not errand.overtaken(self._feed, key, wrote) or not statuses.undone(live, sent):
            return
        change = self.difference(key)
        if change is not None:
            self._feuds.undone(key, statuses.rival(live, change), time.monotonic())

    def _decode(self, data: informer.Data) -> informer.Item:
        found = client.decoded(_object, data)
        key = (self.resource.kind, found.metadata.namespace, found.metadata.name)
        return informer.Item(key, _live(found, self._chapter.check(data)), "", found.metadata.resourceVersion)


async def served(api: client.Client, versions: Iterable[Resource]) -> Resource | None:
    """The first of them that the server knows. Failure."""
    for one in versions:
        if await api.serves(one):
            return one
    return None


def _live(found: _Object, trouble: str) -> statuses.Live:
    status = found.status if isinstance(found.status, dict) else {}
    rows = status.get("conditions")
    conditions = tuple(row for row in rows if isinstance(row, dict)) if isinstance(rows, list) else ()
    fields = {name: value for name, value in status.items() if name != "conditions"}
    ours = any(_addressed(each) for each in found.metadata.managedFields or ())
    others = dict(_written(found.metadata.managedFields or ()))
    last = max(filter(_theirs, found.metadata.managedFields or ()), key=lambda one: one.time, default=_NOBODY)
    generation = found.metadata.generation
    return statuses.Live(generation, trouble, conditions, fields, ours, others, last.manager)


def _theirs(one: _Managed) -> bool:
    return one.manager != apply.MANAGER and one.subresource == "status"


def _written(rows: Iterable[_Managed]) -> Iterator[tuple[str, str]]:
    """The fields of the status that others wrote, and who."""
    for one in rows:
        told = one.fieldsV1.get("f:status") if isinstance(one.fieldsV1, dict) else None
        if one.manager != apply.MANAGER and isinstance(told, dict):
            yield from ((name.removeprefix("f:"), one.manager) for name in told)


def _addressed(one: _Managed) -> bool:
    """Whether it is by us, and has the addresses of a load balancer."""
    if one.manager != apply.MANAGER or one.subresource != "status":
        return False
    told = one.fieldsV1
    for step in ("f:status", "f:loadBalancer", "f:ingress"):
        told = told.get(step) if isinstance(told, dict) else None
    return told is not None


def _wall() -> str:
    return f"{datetime.datetime.now(datetime.UTC):%Y-%m-%dT%H:%M:%SZ}"
