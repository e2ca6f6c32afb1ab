"""When each object of one kind may be written again: after a write, after a failure, after a refusal.

Law: no I/O; times are monotonic. After a write an object rests for a while, after a failure for longer each
time, and no other with it: the fewer fail, the less long. When what was in the way may be gone, all that
failed is tried within seconds, once in a while. A refusal (403, or 404 of an object that is there) may be of
the whole kind: then one at a time is tried once in a while, the one that waited longest, so that none stands
in all others' way.
"""

import random
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
SHARE = 3.0
"""Seconds by every object that fails, between two tries of one at most."""
SOON = 2.0
"""Seconds within which is tried what is hurried, so that it is not all at one moment."""
CALM = 60.0
"""Seconds until one can be hurried again."""


class Pace(NamedTuple):
    """Seconds: until one rests no more after a write, after a first refusal (a server that has just started
    refuses everything) and after many in a row, and after failures; `few`: then at most, where few fail."""

    hold: float = 10.0
    unsure: float = 3.0
    refused: float = 60.0
    few: float = 60.0
    bounds: backoff.Bounds = backoff.Bounds(first=2.0, most=300.0)


class Due(NamedTuple):
    """What to write. `late`: it might as well have waited."""

    late: bool
    key: informer.Key


Looks = Iterator[Due | None]
"""One for each object that was looked at, so that others have their turn in between; None: it is not due."""


class _Failed(NamedTuple):
    times: int
    what: str


class Docket:
    """`refused` is the refusal of the last write, while anything that failed is still to be written."""

    def __init__(self, pace: Pace | None = None) -> None:
        self.pace, self.refused = pace or Pace(), ""
        self._until, self._refusals = 0.0, 0
        self._next: dict[informer.Key, float] = {}
        self._again: dict[informer.Key, backoff.Backoff] = {}
        self._failures: dict[informer.Key, _Failed] = {}
        self._tried: dict[informer.Key, float] = {}
        """When one met with a refusal."""
        self._hurried: dict[informer.Key, float] = {}

    def closed(self, now: float) -> bool:
        """Whether the whole kind waits."""
        return now < self._until

    def ready(self, key: informer.Key, now: float, hurry: bool = False) -> bool:
        """`hurry`: it need not rest after a write."""
        return now >= self._next.get(key, 0.0) - (self.pace.hold if hurry else 0.0)

    def failing(self, key: informer.Key) -> bool:
        return key in self._again

    def picked(self, due: Looks) -> Looks:
        """What of it to write: while all are refused, one is enough to see whether they still are."""
        if not self.refused:
            yield from due
            return
        first = min(filter(None, due), key=lambda one: self._tried.get(one.key, 0.0), default=None)
        if first is not None:
            yield first

    def hurry(self, now: float, among: Iterable[informer.Key] | None = None) -> None:
        """What was in the way (of these; None: of all) may be gone: what failed is tried soon."""
        found = self._again if among is None else self._again.keys() & set(among)
        calm = [key for key in found if now - self._hurried.get(key, now - CALM) >= CALM]
        for key in calm:
            self._hurried[key] = now
            self._next[key] = min(self._next[key], now + random.uniform(0.0, SOON))
        if calm and among is None:
            self._until = min(self._until, now + SOON)

    def wrote(self, key: informer.Key) -> bool:
        """Whether it had failed before."""
        self.refused, self._until = "", 0.0
        self._failures.pop(key, None)
        self._hurried.pop(key, None)
        self._next[key] = time.monotonic() + self.pace.hold
        return self._again.pop(key, None) is not None

    def failed(self, key: informer.Key, failure: Failure) -> None:
        now, kept = time.monotonic(), self._again.setdefault(key, backoff.Backoff(self.pace.bounds))
        before = self._failures.get(key, _Failed(0, ""))
        most = max(self.pace.few, SHARE * len(self._again))
        self._next[key] = now + kept.failed(now, failure.retry_after, most)
        self._failures[key] = _Failed(before.times + 1, str(failure))
        status = failure.status if isinstance(failure, ApiError) else 0
        if status == 403 or (status == 404 and before.times):  # at first it may just have gone
            self._refusals = self._refusals + 1 if self.refused else 0
            self._until = now + min(self.pace.refused, self.pace.unsure * 2.0 ** min(self._refusals, 32))
            self.refused, self._tried[key] = str(failure), now
            self._next[key] = max(self._next[key], self._until)

    def settled(self, key: informer.Key) -> None:
        """There is nothing to write of it any more: what failed before is of no matter."""
        if self._again.pop(key, None) is None:
            return
        self.forget(key)
        if not self._again:
            self.refused, self._until = "", 0.0

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
        return (self._next, self._again, self._failures, self._tried, self._hurried)


def called(key: informer.Key) -> str:
    """`namespace/name`, or the name of what is in no namespace."""
    return f"{key[1]}/{key[2]}" if key[1] else key[2]
