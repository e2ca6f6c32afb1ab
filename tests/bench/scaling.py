"""From one worker to two, on a machine whose cores the load must share.

Law: CPU time is compared, since the clock would mostly tell how workers and load divide two cores. Both
times a dnsperf runs on each core, so that the same share of packets crosses from core to core; with two
workers twice as many questions are under way, so that each worker finds as many waiting. Two workers that
hinder each other (locks, shared pages, caches) spend more on an answer than one: `times` is twice what one
spends over what two spend. Peers measured the same way tell what the machine does to anybody.
"""

import statistics
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import load

WORKERS = (("0",), ("0", "1"))  # their cores
LOADS = ("0", "1")
CLIENTS, UNDER_WAY = 16, 100  # sockets of each dnsperf; questions under way for each of its workers


class Rounds(NamedTuple):
    """Rounds of one server with one worker and with two, side by side."""

    title: str
    one: list[load.Round]
    two: list[load.Round]

    @property
    def times(self) -> float:
        """How much two workers can answer of what one can, each with a core's whole time."""
        pairs = zip(self.one, self.two, strict=True)
        return 2 * statistics.median(two.per_cpu / one.per_cpu for one, two in pairs)


def options(workers: int) -> tuple[str, ...]:
    """Of each dnsperf."""
    return ("-c", str(CLIENTS), "-q", str(UNDER_WAY * workers))


def table(rows: Sequence[Rounds]) -> Iterator[Sequence[str]]:
    """The cells of the table, its head first."""
    yield "answers per CPU-second of a worker", "one worker", "two workers", "two can do"
    for each in rows:
        speeds = (statistics.median(r.per_cpu for r in rounds) for rounds in (each.one, each.two))
        yield each.title, *(f"{speed:,.0f}" for speed in speeds), f"{each.times:.2f}x"
