"""What a gateway worker did and what it saw of backends, in its two ledgers.

Law: TRAFFIC is for people and metrics, by route, member and status; SEEN is evidence, by member and pool, and
says only what backends did, never what clients did. Rows are found once and then known.
"""

import os
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from itertools import chain
from time import time
from typing import NamedTuple

from fedns.servers import ledger

TRAFFIC, SEEN = ".traffic", ".seen"
ROWS = 8192  # rows of each ledger and worker: 2 MiB
REQUESTS, MICROSECONDS, SPREAD = 0, 1, 2
"""Columns of TRAFFIC; of what is counted beside requests, only the first. From SPREAD on: requests that took
at most so long, each counted once, and those that took longer."""
BOUNDS = (5_000, 25_000, 100_000, 500_000, 2_500_000)  # microseconds
_QUICK = BOUNDS[0]
TRIES, REFUSED, RESET, SILENT, ERRORS, LAST, OUT, ALL = range(8)
"""Columns of SEEN: tries begun, connections refused, broken off before an answer, silent for too long,
answers that say the backend cannot serve (`UNABLE`), when it last failed (Unix milliseconds); and as it
stands now: endpoints that cannot be reached, of how many."""
FAILED = frozenset((REFUSED, RESET, SILENT, ERRORS))
UNABLE = frozenset((502, 503, 504))
"""A 500 may be what one request asked for; these are about the backend."""


class Traffic(NamedTuple):
    """A row of TRAFFIC. `member` is empty for answers of our own."""

    rule: bytes
    member: str
    status: int


class Tally:
    """One worker's. `path` without suffix."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._traffic = ledger.Ledger(path + TRAFFIC, ROWS)
        self._seen = ledger.Ledger(path + SEEN, ROWS)
        self._rows: dict[tuple[bytes, str, int], int] = {}
        self._ends: dict[tuple[str, bytes], int] = {}
        self._pools: dict[bytes, list[int]] = {}
        self._standing: dict[bytes, dict[str, tuple[int, int]]] = {}
        self._seen.clear(OUT, ALL)  # our predecessor's

    def beside(self, name: str) -> str:
        """A file that all workers have, in the directory of their counters."""
        return os.path.join(os.path.dirname(self._path), "gateway." + name)

    def served(self, rule: bytes, member: str, status: int, seconds: float) -> None:
        """A request was answered, or given up."""
        self.add(self.row(rule, member, status), seconds)

    def row(self, rule: bytes, member: str, status: int) -> int:
        """Where such requests are counted, always."""
        key = (rule, member, status)
        at = self._rows.get(key)
        if at is None:
            name = b"\0".join((b"%d" % status, member.encode(), rule))
            at = self._rows[key] = self._traffic.row(name)
        return at

    def add(self, at: int, seconds: float) -> None:
        """One more in a row."""
        cells = self._traffic.cells
        spent = int(seconds * 1e6)
        cells[at] += 1
        cells[at + MICROSECONDS] += spent
        cells[at + SPREAD + (bisect_left(BOUNDS, spent) if spent > _QUICK else 0)] += 1

    def count(self, what: str) -> None:
        """Something else happened: a limit was met, a try was made again."""
        self._traffic.cells[self._traffic.row(b"!" + what.encode())] += 1

    def saw(self, member: str, pool: bytes, column: int) -> None:
        """What a backend did."""
        at = self._end(member, pool)
        cells = self._seen.cells
        cells[at + column] += 1
        if column in FAILED:
            cells[at + LAST] = int(time() * 1000)
            self._seen.ring()

    def stands(self, pool: bytes, found: dict[str, tuple[int, int]]) -> None:
        """Which endpoints of a pool cannot be reached, by member: how many, of how many. Said again each time
        that somebody was looked at in vain."""
        before = self._standing.get(pool, {})
        for member in before.keys() | found.keys():
            at, (out, of) = self._end(member, pool), found.get(member, (0, 0))
            self._seen.cells[at + OUT], self._seen.cells[at + ALL] = out, of
            if out:
                self._seen.cells[at + LAST] = int(time() * 1000)
        self._standing[pool] = found
        if before or found:
            self._seen.ring()

    def _end(self, member: str, pool: bytes) -> int:
        key = (member, pool)
        at = self._ends.get(key)
        if at is None:
            at = self._ends[key] = self._seen.row(b"\0".join((member.encode(), pool)))
            self._pools.setdefault(pool, []).append(at)
        return at

    def tries(self, pool: bytes) -> int:
        """All that were begun in a pool."""
        return sum(self._seen.cells[at + TRIES] for at in self._pools.get(pool, ()))


class Served(NamedTuple):
    """How many, how long together, and how many took at most so long as BOUNDS say, or longer."""

    requests: int
    seconds: float
    spread: tuple[int, ...]


def traffic(directory: str) -> tuple[dict[Traffic, Served], dict[str, int]]:
    """What all workers did with requests, and how often else what."""
    requests, others = {}, {}
    for name, row in ledger.read_all(directory, TRAFFIC).items():
        if name[:1] == b"!":
            others[name[1:].decode()] = row[REQUESTS]
            continue
        status, _, rest = name.partition(b"\0")
        member, _, rule = rest.partition(b"\0")
        number = int(status) if status.isdigit() else 0
        made = Served(row[REQUESTS], row[MICROSECONDS] / 1e6, row[SPREAD:])
        requests[Traffic(rule, member.decode(), number)] = made
    return requests, others


def seen(directory: str) -> dict[tuple[str, bytes], tuple[int, ...]]:
    """(member, pool) -> the columns of SEEN, summed over workers; LAST is the latest."""
    return summed(ledger.read(path) for path in files(directory))


def files(directory: str) -> list[str]:
    """Where workers keep SEEN."""
    try:
        return sorted(os.path.join(directory, each) for each in os.listdir(directory) if each.endswith(SEEN))
    except OSError:
        return []


def summed(rows: Iterable[Mapping[bytes, tuple[int, ...]]]) -> dict[tuple[str, bytes], tuple[int, ...]]:
    """What several workers saw. How it stands is the word of the one that can reach the fewest."""
    found: dict[tuple[str, bytes], tuple[int, ...]] = {}
    for name, row in chain.from_iterable(each.items() for each in rows):
        member, _, pool = name.partition(b"\0")
        before = found.get((member.decode(), pool), (0,) * ledger.COLUMNS)
        sums = [one + other for one, other in zip(before, row, strict=True)]
        sums[LAST] = max(before[LAST], row[LAST])
        sums[OUT:] = row[OUT:] if _lost(row) >= _lost(before) else before[OUT:]
        found[member.decode(), pool] = tuple(sums)
    return found


def _lost(row: tuple[int, ...]) -> float:
    """The part of the endpoints that cannot be reached."""
    return row[OUT] / (row[ALL] or 1)
