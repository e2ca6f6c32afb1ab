"""The objects of one kind in the fleet: as they are, what their statuses shall be, when each may be written.

Law: what is there is watched, so that only what differs is due. After a write an object rests for a while,
unless a condition flips; after a failure for longer each time. A refusal (403, or 404 of an object that is
there) concerns the whole kind: one of them is tried once in a while.
"""

import asyncio
import contextlib
import datetime
import time
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from fedns.distribute import statuses
from fedns.errors import Problem
from fedns.kube import apply, backoff, client, informer
from fedns.kube.failure import ApiError, Failure
from fedns.kube.resource import Resource

HINT = "no status is written; `fedns rbac` prints the rights it takes, `fleet: {status: false}` needs none"
SHOWN = 20
"""Objects in trouble that are told one by one."""
PERSISTENT = 3
"""Failures in a row until one is told."""


class Pace(NamedTuple):
    """Seconds: until one rests no more after a write, after a first refusal (a server that has just started
    refuses everything) and after the next, and after failures."""

    hold: float = 10.0
    unsure: float = 3.0
    refused: float = 60.0
    bounds: backoff.Bounds = backoff.Bounds(first=2.0, most=300.0)


class Chapter(NamedTuple):
    """One kind of objects. `check`: why one cannot be read (empty: it can); `judge`: what the status of one
    (`namespace/name`, or the name of what is in no namespace) shall say, None: nothing."""

    resource: Resource
    check: Callable[[informer.Data], str]
    judge: Callable[[str, statuses.Live], statuses.Verdict | None]


class Due(NamedTuple):
    """What to write. `late`: it might as well have waited."""

    late: bool
    key: informer.Key


class _Managed(Struct, gc=False):
    manager: str = ""
    subresource: str = ""
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


class _Failed(NamedTuple):
    times: int
    what: str


_object = msgspec.json.Decoder(_Object)


class Shelf:
    """`due` tells what to write, `wrote` and `failed` are told how that went. Times are monotonic."""

    def __init__(self, chapter: Chapter, pace: Pace | None = None) -> None:
        self.resource, self._chapter, self._pace = chapter.resource, chapter, pace or Pace()
        self.refused = ""
        """The refusal of the last write."""
        self._refused_until = 0.0
        self._live: dict[informer.Key, statuses.Live] = {}
        self._next: dict[informer.Key, float] = {}
        self._again: dict[informer.Key, backoff.Backoff] = {}
        self._sent: dict[informer.Key, statuses.Verdict] = {}
        self._failures: dict[informer.Key, _Failed] = {}
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

        subject = informer.Subject(self.resource, self._decode)
        self._feed = informer.Informer(api, subject, informer.Ears(hear, admit))
        return self._feed

    def close(self) -> None:
        """Forgets all: somebody else writes from now on."""
        self._feed, self.refused, self._refused_until = None, "", 0.0
        for table in self._tables():
            table.clear()

    def due(self, now: float) -> Iterator[Due]:
        if now < self._refused_until or self._feed is None or not self._feed.synced_at:
            return
        for key in tuple(self._live):
            change = self.difference(key)
            if change is None:
                continue
            flips = change.moved and key not in self._again and self._verdict(key) != self._sent.get(key)
            if now >= self._next.get(key, 0.0) - (self._pace.hold if flips else 0.0):
                yield Due(not flips, key)
                if self.refused:
                    return  # one is enough to see whether it still is

    def difference(self, key: informer.Key) -> statuses.Change | None:
        live, verdict = self._live.get(key), self._verdict(key)
        return None if live is None or verdict is None else statuses.difference(live, verdict, _wall())

    def wrote(self, key: informer.Key, there: Any) -> None:
        """`there`: the object as the server has it now."""
        verdict, live = self._verdict(key), self._live.get(key)
        self.refused, self._refused_until = "", 0.0
        self._failures.pop(key, None)
        self._again.pop(key, None)
        if verdict is not None and live is not None:
            self._sent[key], self._next[key] = verdict, time.monotonic() + self._pace.hold
            with contextlib.suppress(msgspec.ValidationError):  # then the watch will tell
                self._live[key] = _live(msgspec.convert(there, _Object), live.trouble)

    def failed(self, key: informer.Key, failure: Failure) -> None:
        if key not in self._live:
            return
        now, kept = time.monotonic(), self._again.setdefault(key, backoff.Backoff(self._pace.bounds))
        before = self._failures.get(key, _Failed(0, ""))
        self._next[key] = now + kept.failed(now, failure.retry_after)
        self._failures[key] = _Failed(before.times + 1, str(failure))
        status = failure.status if isinstance(failure, ApiError) else 0
        if status == 403 or (status == 404 and before.times):  # at first it may just have gone
            self._refused_until = now + (self._pace.refused if self.refused else self._pace.unsure)
            self.refused, self._next[key] = str(failure), self._refused_until

    def problems(self, where: str) -> Iterator[Problem]:
        """What keeps statuses from being written."""
        plural = self.resource.plural
        if self.refused:
            yield Problem(where, f"{plural}/status: {self.refused}", HINT)
            return
        if self._feed is not None and self._feed.off.startswith("403"):
            yield Problem(where, f"{plural}: {self._feed.off}", HINT)
        lasting = ((key, one.what) for key, one in self._failures.items() if one.times >= PERSISTENT)
        for key, what in islice(sorted(lasting), SHOWN):
            yield Problem(f"{where}: {key[0]} {_called(key)}", f"its status is not written: {what}")

    def _verdict(self, key: informer.Key) -> statuses.Verdict | None:
        live = self._live.get(key)
        return None if live is None else self._chapter.judge(_called(key), live)

    def _take(self, key: informer.Key, value: statuses.Live | None) -> None:
        if value is not None:
            self._live[key] = value
            return
        for table in self._tables():
            table.pop(key, None)

    def _tables(self) -> tuple[dict[informer.Key, Any], ...]:
        return (self._live, self._next, self._again, self._sent, self._failures)

    def _decode(self, data: informer.Data) -> informer.Item:
        found = client.decoded(_object, data)
        key = (self.resource.kind, found.metadata.namespace, found.metadata.name)
        return informer.Item(key, _live(found, self._chapter.check(data)), "", found.metadata.resourceVersion)


def _live(found: _Object, trouble: str) -> statuses.Live:
    status = found.status if isinstance(found.status, dict) else {}
    rows = status.get("conditions")
    conditions = tuple(row for row in rows if isinstance(row, dict)) if isinstance(rows, list) else ()
    fields = {name: value for name, value in status.items() if name != "conditions"}
    ours = any(_addressed(each) for each in found.metadata.managedFields or ())
    return statuses.Live(found.metadata.generation, trouble, conditions, fields, ours)


def _addressed(one: _Managed) -> bool:
    """Whether it is by us, and has the addresses of a load balancer."""
    if one.manager != apply.MANAGER or one.subresource != "status":
        return False
    told = one.fieldsV1
    for step in ("f:status", "f:loadBalancer", "f:ingress"):
        told = told.get(step) if isinstance(told, dict) else None
    return told is not None


def _called(key: informer.Key) -> str:
    """`namespace/name`, or the name of what is in no namespace."""
    return f"{key[1]}/{key[2]}" if key[1] else key[2]


def _wall() -> str:
    return f"{datetime.datetime.now(datetime.UTC):%Y-%m-%dT%H:%M:%SZ}"
