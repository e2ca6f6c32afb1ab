"""What is written to one API server, by the one process that holds the Lease: what is due, at a pace.

Law: each write asks for the Lease just before it goes out, and is over before another process could hold it.
A write that fails keeps only its own object waiting, unless the server asks to be left alone. Nothing here
holds up anybody else.
"""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple, Protocol

from fedns import beat, logs
from fedns.distribute import docket, errand
from fedns.errors import Problem
from fedns.kube import client, informer
from fedns.kube.failure import ApiError, Failure, Unreachable

BUSY = (429, 503)
"""With Retry-After: the server speaks for itself, not for one object."""
ALONE = 60.0
"""Seconds for which it is left alone at most, whatever it asks for."""
FOLLOW = 0.5
"""Seconds between two looks at a Lease that another process holds."""
SLICE = 0.005
"""Seconds of looking for what is due, after which everything else has its turn."""

log = logging.getLogger("fedns.distribute.writer")


class Pace(NamedTuple):
    """Seconds: until news has reached everybody who judges; between two looks, at least and at most; for one
    write (less than from the end of our belief in a Lease to the beginning of another's). How many writes at
    once, and in a second, at most."""

    settle: float = 0.3
    look: float = 1.0
    sweep: float = 5.0
    patience: float = 4.0
    at_once: int = 4
    rate: float = 10.0


class Held(Protocol):
    """A Lease, as far as writers care."""

    @property
    def held(self) -> bool: ...


class Shelf(Protocol):
    """Objects of one kind: they are watched from `open` to `close`, what is `due` is written by errands."""

    book: docket.Docket

    @property
    def doubted(self) -> bool:
        """Whether any may not be as it shall be: time alone may make it due."""

    def open(self, api: client.Client, news: Callable[[], None]) -> informer.Informer: ...

    def close(self) -> None: ...

    def due(self, now: float) -> docket.Looks: ...

    def errand(self, key: informer.Key) -> errand.Task | None: ...

    def wrote(self, key: informer.Key, there: Any) -> None: ...

    def failed(self, key: informer.Key, failure: Failure) -> None: ...

    def problems(self, where: str) -> Iterator[Problem]: ...


class Writer:
    """`outcomes` counts writes: written, removed, failed."""

    def __init__(
        self, api: client.Client, lease: Held, shelves: Sequence[Shelf], pace: Pace | None = None
    ) -> None:
        self.news = beat.News()
        """To be set when something may be judged otherwise."""
        self.outcomes: Counter[str] = Counter()
        self._api, self._lease, self._shelves, self._pace = api, lease, shelves, pace or Pace()
        """`shelves` may change at any time."""
        self._alone = 0.0
        """Until when the server asked to be left alone."""
        self._turns = 0

    @property
    def stirs(self) -> int:
        """Grows with whatever may be told otherwise of what is written here."""
        return self.news.times + self._turns

    async def run(self) -> None:
        """Until cancelled; idle while another process holds the Lease."""
        while True:
            if self._lease.held:
                await self._term()
            await asyncio.sleep(FOLLOW)

    def problems(self) -> Iterator[Problem]:
        """What keeps it from writing, as far as this process tried."""
        for each in self._shelves:
            yield from each.problems(str(self._api.where))

    async def _term(self) -> None:
        """As long as the Lease is held. What is there is listed anew each time."""
        open: dict[Shelf, asyncio.Task[None]] = {}
        try:
            while self._lease.held:
                self._follow(open)
                await self._look()
                for task in filter(asyncio.Task.done, open.values()):
                    task.result()
        finally:
            for task in open.values():
                task.cancel()
            await asyncio.gather(*open.values(), return_exceptions=True)
            for each in open:
                each.close()
            self._turns += 1

    def _follow(self, open: "dict[Shelf, asyncio.Task[None]]") -> None:
        """Opens shelves that are new, and closes those that are no more."""
        if len(open) == len(self._shelves) and all(each in open for each in self._shelves):
            return
        self._turns += 1
        for each in [one for one in open if one not in self._shelves]:
            open.pop(each).cancel()
            each.close()
        for each in self._shelves:
            if each not in open:
                open[each] = asyncio.ensure_future(each.open(self._api, self.news.set).run())

    async def _look(self) -> None:
        """Waits for news, and until it has settled; writes what is due. Without any, what time made due."""
        heard = await self.news.wait(self._pace.sweep)
        if heard:
            self.news.clear()
            await asyncio.sleep(self._pace.settle)
        elif not any(each.doubted for each in self._shelves):
            return
        if await self._pass() or heard:
            await asyncio.sleep(self._pace.look)

    async def _pass(self) -> bool:
        """Writes what is due: what flipped first, some at once. Whether there was anything."""
        due, until = [], time.monotonic() + SLICE
        for each in tuple(self._shelves):
            for one in each.due(time.monotonic()):
                if one is not None:
                    due.append((one.late, each, one.key))
                if time.monotonic() > until:
                    await asyncio.sleep(0)
                    until = time.monotonic() + SLICE
        waiting = iter(sorted(due, key=lambda row: row[0]))
        while time.monotonic() >= self._alone and (batch := tuple(islice(waiting, self._pace.at_once))):
            await asyncio.gather(*(self._write(each, key) for _, each, key in batch))
            await asyncio.sleep(len(batch) / self._pace.rate)
        return bool(due)

    async def _write(self, where: Shelf, key: informer.Key) -> None:
        told = where.errand(key)
        if told is None or not self._lease.held:
            return
        try:
            async with asyncio.timeout(self._pace.patience):
                there = await told.run(self._api)
        except TimeoutError:
            self._failed(where, key, Unreachable(f"no answer within {self._pace.patience:g} s"))
        except Failure as failure:
            self._failed(where, key, failure)
        else:
            self.outcomes["removed" if told.removes else "written"] += 1
            where.wrote(key, there)
            self._turns += 1

    def _failed(self, where: Shelf, key: informer.Key, failure: Failure) -> None:
        self.outcomes["failed"] += 1
        self._turns += 1
        if isinstance(failure, ApiError) and failure.status in BUSY:
            self._alone = time.monotonic() + min(failure.retry_after, ALONE)
        where.failed(key, failure)
        told = logs.fields(at=str(self._api.where), object="/".join(filter(None, key)), error=str(failure))
        level = logging.DEBUG if where.book.refused else logging.WARNING
        log.log(level, "what is due is not written", extra=told)
