"""What a gateway worker did and what it saw of backends, in its two ledgers.

Law: TRAFFIC is for people and metrics, by route, member and status; SEEN is evidence, by member and pool, and
says only what backends did, never what clients did. Rows are found once and then known.
"""

import os
from time import time
from typing import NamedTuple

from fedns.servers import ledger

TRAFFIC, SEEN = ".traffic", ".seen"
ROWS = 8192  # rows of each ledger and worker: 2 MiB
REQUESTS, MICROSECONDS = 0, 1
"""Columns of TRAFFIC; of what is counted beside requests, only the first."""
TRIES, REFUSED, RESET, SILENT, ERRORS, LAST = range(6)
"""Columns of SEEN: tries begun, connections refused, broken off before an answer, silent for too long,
answers of 5xx, and when it last failed (Unix milliseconds)."""
FAILED = frozenset((REFUSED, RESET, SILENT))


class Traffic(NamedTuple):
    """A row of TRAFFIC. `member` is empty for answers of our own."""

    rule: bytes
    member: str
    status: int


class Tally:
    """One worker's. `path` without suffix."""

    def __init__(self, path: str) -> None:
        self._traffic = ledger.Ledger(path + TRAFFIC, ROWS)
        self._seen = ledger.Ledger(path + SEEN, ROWS)
        self._rows: dict[tuple[bytes, str, int], int] = {}
        self._ends: dict[tuple[str, bytes], int] = {}

    def served(self, rule: bytes, member: str, status: int, seconds: float) -> None:
        """A request was answered, or given up."""
        key = (rule, member, status)
        at = self._rows.get(key)
        if at is None:
            name = b"\0".join((b"%d" % status, member.encode(), rule))
            at = self._rows[key] = self._traffic.row(name)
        cells = self._traffic.cells
        cells[at] += 1
        cells[at + 1] += int(seconds * 1e6)

    def count(self, what: str) -> None:
        """Something else happened: a limit was met, a try was made again."""
        self._traffic.cells[self._traffic.row(b"!" + what.encode())] += 1

    def saw(self, member: str, pool: bytes, column: int) -> None:
        """What a backend did."""
        key = (member, pool)
        at = self._ends.get(key)
        if at is None:
            at = self._ends[key] = self._seen.row(b"\0".join((member.encode(), pool)))
        cells = self._seen.cells
        cells[at + column] += 1
        if column in FAILED:
            cells[at + LAST] = int(time() * 1000)


def traffic(directory: str) -> tuple[dict[Traffic, tuple[int, float]], dict[str, int]]:
    """What all workers did: requests and their seconds, and how often else what."""
    requests, others = {}, {}
    for name, row in ledger.read_all(directory, TRAFFIC).items():
        if name[:1] == b"!":
            others[name[1:].decode()] = row[REQUESTS]
            continue
        status, _, rest = name.partition(b"\0")
        member, _, rule = rest.partition(b"\0")
        number = int(status) if status.isdigit() else 0
        requests[Traffic(rule, member.decode(), number)] = row[REQUESTS], row[MICROSECONDS] / 1e6
    return requests, others


def seen(directory: str) -> dict[tuple[str, bytes], tuple[int, ...]]:
    """(member, pool) -> the columns of SEEN, summed over workers; LAST is the latest."""
    found: dict[tuple[str, bytes], tuple[int, ...]] = {}
    for each in os.listdir(directory) if os.path.isdir(directory) else ():
        for name, row in ledger.read(os.path.join(directory, each)).items() if each.endswith(SEEN) else ():
            member, _, pool = name.partition(b"\0")
            before = found.get((member.decode(), pool), (0,) * ledger.COLUMNS)
            sums = [one + other for one, other in zip(before, row, strict=True)]
            sums[LAST] = max(before[LAST], row[LAST])
            found[member.decode(), pool] = tuple(sums)
    return found
