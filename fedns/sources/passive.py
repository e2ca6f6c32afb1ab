"""What gateways see of shards while they serve: failures lately, and endpoints that cannot be reached.

Law: differences of workers' counters are the facts. A target of which nothing bad is seen has none; failures
that were seen stay while nobody goes there any more, and grow old. What differs little is not told again.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple, Protocol

from fedns.model.facts import Passive
from fedns.sources import change

LOOK = 0.1
"""Seconds between two looks for bad news."""
PACE = 1.0
"""Seconds between two looks at everything."""
WINDOW = 10
"""Looks at everything that differences are made over; of the last `SHORT` where those say worse things of
`ENOUGH` requests: who stops answering fails few, since few go there any more."""
SHORT, ENOUGH = 3, 20
LEISURE = 20.0
"""Looks take at most one in so many seconds."""
STEPS = 20
"""Shares of failures are told apart in so many steps; below the first there is nothing to tell."""
FRESH = 10.0
"""Seconds after which the age of what goes on is told again."""
STALE = 120.0
"""Seconds after which what cannot be reached is no news: nobody has looked since."""

Pool = tuple[str, bytes]
"""(member, `namespace/name/...`)."""
Rows = Mapping[Pool, tuple[int, ...]]
"""As `Seen`."""


class Seen(NamedTuple):
    """One pool's counters: tries begun, what became of them, when one failed last (Unix milliseconds), and
    how many endpoints cannot be reached now, of how many."""

    tries: int
    refused: int
    reset: int
    silent: int
    unable: int
    failed_at: int
    out: int
    of: int

    @property
    def bad(self) -> int:
        """Connections that were refused are no requests: who cannot be reached is looked at, and told so."""
        return self.reset + self.silent + self.unable


NOTHING = Seen(0, 0, 0, 0, 0, 0, 0, 0)


class Counters(Protocol):
    """Where the numbers come from."""

    def rang(self) -> bool: ...

    def look(self) -> Rows: ...


class Watch:
    """Looks at the workers' counters while `run` runs."""

    def __init__(self, counters: Counters, clock: Callable[[], float] = time.time) -> None:
        self._counters, self._clock = counters, clock
        self._past: deque[dict[Pool, Seen]] = deque(maxlen=WINDOW)
        self._base: dict[Pool, Seen] = {}
        self._told: dict[change.Target, Passive] = {}
        self._first = True

    async def run(self, publish: change.Publish) -> None:
        """Publishes at once, and from then on what differs."""
        due = 0.0
        while True:
            now, spent = time.monotonic(), 0.0
            if self._counters.rang() or now >= due:
                rows = await asyncio.to_thread(self._counters.look)  # many of them take a while
                self.take(rows, publish, now >= due)
                spent = time.monotonic() - now
                due = now + max(PACE, spent * LEISURE) if now >= due else due
            await asyncio.sleep(max(LOOK, spent * LEISURE))

    def take(self, told: Rows, publish: change.Publish, whole: bool = True) -> None:
        """What a look found; `whole`: it is one of those that the window is made of."""
        now = self._clock()
        rows = {pool: _fresh(Seen(*row), now) for pool, row in told.items()}
        if not self._past:
            self._past.append(rows)
        found = dict(self._found(rows, now))
        if whole:
            self._past.append(rows)
        news: dict[change.Target, Passive | None] = {
            target: seen for target, seen in found.items() if _differs(self._told.get(target), seen)
        }
        news.update(dict.fromkeys(target for target in self._told if target not in found))
        for target, seen in news.items():
            if seen is None:
                del self._told[target]
            else:
                self._told[target] = seen
        if news or self._first:
            self._first = False
            publish(change.PassiveChange(news, frozenset(key for _, key in news)))

    def _found(self, rows: Mapping[Pool, Seen], now: float) -> Iterator[tuple[change.Target, Passive]]:
        """Targets of which there is something to tell."""
        targets: dict[change.Target, list[Pool]] = {}
        for pool, row in rows.items():
            if row.bad or row.out:
                targets[_target(pool)] = []
        for pool in rows if targets else ():
            beside = targets.get(_target(pool))
            if beside is not None:
                beside.append(pool)
        for target, pools in targets.items():
            told = self._told.get(target)
            if told is not None and told.unreachable and not any(rows[pool].out for pool in pools):
                self._base.update((pool, rows[pool]) for pool in pools)  # they are back: a new beginning
                told = None
            seen = self._seen({pool: rows[pool] for pool in pools})
            quiet = not any(_tries(rows[pool], self._past[-1].get(pool)) for pool in pools)
            if told is not None and quiet and not seen.unreachable and now - told.at < STALE:
                seen = told
            if _sign(seen) is not None:
                yield target, seen

    def _seen(self, pools: Mapping[Pool, Seen]) -> Passive:
        """One shard, over all pools that it is part of."""
        unreachable = endpoints = 0
        whole = True
        for pool, row in pools.items():
            whole = whole and (0 < row.of <= row.out or not _serves(row, self._past[-1].get(pool)))
            if row.of and row.out * (endpoints or 1) >= unreachable * row.of:
                unreachable, endpoints = row.out, row.of
        if not whole:
            unreachable = min(unreachable, max(endpoints - 1, 0))
        at = max(row.failed_at for row in pools.values()) / 1000
        seen, lately = self._failures(pools, WINDOW), self._failures(pools, SHORT)
        if lately[0] >= ENOUGH and lately[1] * seen[0] > seen[1] * lately[0]:
            seen = lately
        return Passive(*seen, at, unreachable, endpoints)

    def _failures(self, pools: Mapping[Pool, Seen], looks: int) -> tuple[int, int]:
        """Requests since so many looks ago that came to a backend, and those that failed there."""
        since = [_since(row, self._before(pool, looks)) for pool, row in pools.items()]
        tries, bad = map(sum, zip(*since, strict=True))
        return max(tries, bad), bad

    def _before(self, pool: Pool, looks: int) -> Seen | None:
        """Where the window begins."""
        first, base = self._past[-min(looks, len(self._past))].get(pool), self._base.get(pool)
        return base if base is not None and (first is None or first.tries < base.tries) else first


def _target(pool: Pool) -> change.Target:
    member, key = pool
    return member, b"/".join(key.split(b"/", 2)[:2]).decode()


def _fresh(row: Seen, now: float) -> Seen:
    return row if now - row.failed_at / 1000 < STALE else row._replace(out=0)


def _tries(row: Seen, before: Seen | None) -> int:
    return _since(row, before)[0]


def _since(row: Seen, before: Seen | None) -> tuple[int, int]:
    """Requests that came to a backend since, and those that failed; of counters that began anew all."""
    if before is None or row.tries < before.tries or row.bad < before.bad:
        before = NOTHING
    return max(row.tries - row.refused - before.tries + before.refused, 0), row.bad - before.bad


def _serves(row: Seen, before: Seen | None) -> bool:
    """Whether requests succeed that came since the last look at everything."""
    if before is None:
        return False
    tries, bad = _since(row, before)
    return tries > bad


def _sign(seen: Passive) -> tuple[int, ...] | None:
    """What is worth telling of it; None: nothing."""
    bad = min(seen.errors, seen.requests)
    step = bad * STEPS // seen.requests if seen.requests else 0
    if not step and not seen.unreachable:
        return None
    return step, seen.requests.bit_length() if step else 0, seen.unreachable, seen.endpoints


def _differs(told: Passive | None, seen: Passive) -> bool:
    return told is None or _sign(told) != _sign(seen) or seen.at - told.at >= FRESH
