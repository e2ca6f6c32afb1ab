"""A thousand health changes a second while a worker answers: does it answer less, later, or not at all?

Law: a change is a shard whose endpoints become ready or cease to be, in a file of BLOCK slices that is
replaced on disk; each shard changes once, so that no damping hides one. They go the whole
way: file notification, control, tables, worker. Control and the load share a core, the worker has the
other to itself.
"""

import os
import statistics
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import ask
import estate
import fleet
import load
import peers
import serving

RATE = 1000  # changes per second
BLOCK = 20  # shards per file
SERVICES = 6000  # 42,000 shards: as many changes as there can be
QUESTIONS = 20_000  # per second, while delays are measured
ROUNDS = 3  # of at most 3 s twice, for two builds of fedns: then all shards have changed
SEEN = 5.0  # seconds in which the last change must show
SAMPLE = 100


class Rounds(NamedTuple):
    """Rounds and delays (microseconds) without and with changes; `late`: seconds until the last showed."""

    title: str
    still: list[load.Round]
    moving: list[load.Round]
    still_delays: list[float]
    moving_delays: list[float]
    cost: list[float]  # control's CPU seconds per change
    rates: list[float]  # changes per second that were made
    late: list[float]
    unseen: list[str]


def nothing(title: str) -> Rounds:
    return Rounds(title, [], [], [], [], [], [], [], [])


class Tide:
    """Turns block after block of a fleet, in a thread of its own."""

    def __init__(self, place: estate.Estate) -> None:
        self._fleet = place.fleet
        starts = range(0, place.services, BLOCK)
        self._blocks = iter([(member, first) for member in range(estate.MEMBERS) for first in starts])
        self.turned: list[tuple[int, int]] = []

    @contextmanager
    def rising(self) -> Iterator[None]:
        """RATE changes a second as long as the block runs. RuntimeError where no shard was left to change."""
        ended = threading.Event()
        thread = threading.Thread(target=self._rise, args=(ended,))
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
        if next(self._blocks, None) is None:
            raise RuntimeError("every shard has changed: fewer rounds, please")

    def _rise(self, ended: threading.Event) -> None:
        os.sched_setaffinity(0, {int(load.CORE)})
        due = time.monotonic()
        for block in self._blocks:
            self._fleet.turn(*block)
            self.turned.append(block)
            due += BLOCK / RATE
            if ended.wait(max(due - time.monotonic(), 0.0)):
                return

    def ready(self, member: int, service: int) -> bool:
        block = (member, service // BLOCK * BLOCK)
        return ((member, service) in self._fleet.shape.down) == (block in self.turned)


class Watch:
    """Looks whether changes are seen on the wire."""

    def __init__(self, tide: Tide, port: int) -> None:
        self._tide, self._asker = tide, ask.Asker(port)

    def last(self) -> float:
        """Seconds until the last change shows."""
        begun = time.monotonic()
        member, first = self._tide.turned[-1]
        while not self._shown(member, first) and time.monotonic() < begun + SEEN:
            time.sleep(0.002)
        return time.monotonic() - begun

    def unseen(self) -> list[str]:
        """Of SAMPLE shards that changed those that do not show it."""
        blocks = self._tide.turned[:: max(len(self._tide.turned) // SAMPLE, 1)]
        return [f"{each}" for each in blocks if not self._shown(*each)]

    def _shown(self, member: int, service: int) -> bool:
        """Whether the shard is answered for exactly if it is ready; where none is, the law fails open."""
        if not any(self._tide.ready(each, service) for each in range(estate.MEMBERS)):
            return True
        found = self._asker.ask(fleet.names(member, service)[2])
        shown = found is not None and fleet.address(member, service) in found.addresses
        return shown == self._tide.ready(member, service)


def keep_to_load_core(control: int) -> None:
    """Control's processes and threads move to the core where the load is."""
    for pid in (control, *serving.children(control)):
        for task in Path(f"/proc/{pid}/task").iterdir():
            os.sched_setaffinity(int(task.name), {int(load.CORE)})


class Stage(NamedTuple):
    """Who is measured: a build of fedns at work, its control's process id, what changes and who looks."""

    server: peers.Server
    control: int
    tide: Tide
    watch: Watch


def measure(stage: Stage, manner: load.Manner, seconds: float, told: Rounds) -> None:
    """One round; what was found is added to `told`."""
    server, before = stage.server, len(stage.tide.turned)
    told.still.append(load.measure(server, manner, seconds))
    told.still_delays.append(load.latency(manner, seconds, QUESTIONS))
    used = _cpu(stage.control)
    with stage.tide.rising():
        told.moving.append(load.measure(server, manner, seconds))
        told.moving_delays.append(load.latency(manner, seconds, QUESTIONS))
    told.late.append(stage.watch.last())
    made = (len(stage.tide.turned) - before) * BLOCK
    told.cost.append((_cpu(stage.control) - used) / made)
    told.rates.append(made / (2 * seconds))
    told.unseen.extend(stage.watch.unseen())


def _cpu(control: int) -> float:
    return sum(serving.busy(pid) for pid in (control, *serving.children(control)))


def table(rows: Sequence[Rounds]) -> Iterator[Sequence[str]]:
    """The cells of the table, its head first."""
    yield ("health changes", "answers per CPU-second without", "with", "p99 without", "with", "answers lost",
           "changes/s", "last one seen after", "control CPU per change")  # fmt: skip
    for each in rows:
        middle = statistics.median
        speeds = [middle(r.per_cpu for r in rounds) for rounds in (each.still, each.moving)]
        delays = [middle(found) for found in (each.still_delays, each.moving_delays)]
        lost = sum(r.lost for r in each.moving)
        yield (
            each.title,
            *(f"{speed:,.0f}" for speed in speeds),
            *(f"{delay / 1000:,.1f} ms" for delay in delays),
            f"{lost} of {lost + sum(r.answers for r in each.moving):,}",
            f"{middle(each.rates):,.0f}",
            f"{max(each.late) * 1000:.0f} ms",
            f"{middle(each.cost) * 1000:.2f} ms",
        )
