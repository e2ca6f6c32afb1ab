"""When each object of one kind may be written again: after a write, after a failure, after a refusal.

Law: no I/O; times are monotonic. After a write an object rests for a while, after a failure for longer each
time, and no other with it. A refusal (403, or 404 of an object that is there) may concern the whole kind:
then one at a time is tried once in a while, the one that waited longest, so that none stands in all others'
way.
"""

import time
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, NamedTuple

from fedns.kube import backoff, informer
from fedns.kube.failure import ApiError, Failure

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


class Due(NamedTuple):
    """What to write. `late`: it might as well have waited."""

    late: bool
    key: informer.Key


class _Failed(NamedTuple):
    times: int
    what: str


class Docket:
    """`refused` is the refusal of the last write."""

    def __init__(self, pace: Pace | None = None) -> None:
        self.pace, self.refused = pace or Pace(), ""
        self._until = 0.0
        self._next: dict[informer.Key, float] = {}
        self._again: dict[informer.Key, backoff.Backoff] = {}
        self._failures: dict[informer.Key, _Failed] = {}
        self._tried: dict[informer.Key, float] = {}
        """When one met with a refusal."""

    def closed(self, now: float) -> bool:
        """Whether the whole kind waits."""
        return now < self._until

    def ready(self, key: informer.Key, now: float, hurry: bool = False) -> bool:
        """`hurry`: it need not rest after a write."""
        return now >= self._next.get(key, 0.0) - (self.pace.hold if hurry else 0.0)

    def failing(self, key: informer.Key) -> bool:
        return key in self._again

    def picked(self, due: Iterable[Due]) -> Iterator[Due]:
        """What of it to write: while all are refused, one is enough to see whether they still are."""
        if not self.refused:
            yield from due
            return
        first = min(due, key=lambda one: self._tried.get(one.key, 0.0), default=None)
        if first is not None:
            yield first

    def wrote(self, key: informer.Key) -> None:
        self.refused, self._until = "", 0.0
        self._failures.pop(key, None)
        self._again.pop(key, None)
        self._next[key] = time.monotonic() + self.pace.hold

    def failed(self, key: informer.Key, failure: Failure) -> None:
        now, kept = time.monotonic(), self._again.setdefault(key, backoff.Backoff(self.pace.bounds))
        before = self._failures.get(key, _Failed(0, ""))
        self._next[key] = now + kept.failed(now, failure.retry_after)
        self._failures[key] = _Failed(before.times + 1, str(failure))
        status = failure.status if isinstance(failure, ApiError) else 0
        if status == 403 or (status == 404 and before.times):  # at first it may just have gone
            self._until = now + (self.pace.refused if self.refused else self.pace.unsure)
            self.refused, self._tried[key] = str(failure), now
            self._next[key] = max(self._next[key], self._until)

    def forget(self, key: informer.Key) -> None:
        for table in self._tables():
            table.pop(key, None)

    def clear(self) -> None:
        self.refused, self._until = "", 0.0
        for table in self._tables():
            table.clear()

    def lasting(self) -> Iterator[tuple[informer.Key, str]]:
        """Objects that failed again and again, and how."""
        found = ((key, one.what) for key, one in self._failures.items() if one.times >= PERSISTENT)
        return islice(sorted(found), SHOWN)

    def _tables(self) -> tuple[dict[informer.Key, Any], ...]:
        return (self._next, self._again, self._failures, self._tried)


def called(key: informer.Key) -> str:
    """`namespace/name`, or the name of what is in no namespace."""
    return f"{key[1]}/{key[2]}" if key[1] else key[2]
