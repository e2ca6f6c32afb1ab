"""One EndpointSlice changes on disk: how long until the wire says so, under load?

20 members x 2,000 services, dnsperf asking 20,000 questions a second. Phase one: changes one by
one, p50 and p99 from the rename of the file to the first changed answer (file notification
included). Phase two: 500 changes a second, sustained. Every answer seen must be the complete old
or the complete new set, none may be lost, and the lag must not grow.
"""

import argparse
import re
import subprocess
import sys
import tempfile
import time
from collections import defaultdict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import ask
import fleet
import serving

MEMBERS, SERVICES = 20, 2000
SINGLE = 200
RATE, SECONDS = 500, 20
QUERIES = 20_000
SAMPLE = 10
"""In phase two every tenth change is watched until it is seen."""
GIVE_UP = 10.0
PAUSE = 0.0005
"""Seconds between two questions of ours, so that asking does not take the CPU from what is measured."""
P50, P99 = 0.030, 0.100
LAG = 1.0
"""Seconds that a change may wait at the end of phase two: who falls behind is far above it."""


def single(index: int) -> tuple[int, int]:
    """(member, service) of change `index` in phase one."""
    return (index * 11 + 3) % MEMBERS, index * 11 % SERVICES


def sustained(index: int) -> tuple[int, int]:
    """(member, service) of change `index` in phase two; a service loses one member per pass."""
    service, stage = index % SERVICES, index // SERVICES
    return (service + 7 * stage) % MEMBERS, service


class World:
    """What may be answered: the fleet's addresses less the shards taken down, step by step."""

    def __init__(self) -> None:
        self._down: defaultdict[int, list[int]] = defaultdict(list)

    def take_down(self, member: int, service: int) -> int:
        """Notes the change and returns how many this service has had with it."""
        self._down[service].append(member)
        return len(self._down[service])

    def step(self, view: "View", addresses: frozenset[str]) -> int:
        """After how many of its service's changes this was the whole answer; -1: never."""
        for count in range(len(self._down[view.service]), -1, -1):
            if self.expected(view, count) == addresses:
                return count
        return -1

    def expected(self, view: "View", count: int) -> frozenset[str]:
        """The complete answer after the first `count` changes of the service."""
        down = self._down[view.service][:count]
        live = [m for m in range(MEMBERS) if m not in down]
        near = [m for m in live if fleet.region(m) == fleet.region(view.member)]
        own = [m for m in live if m == view.member]
        chosen = (live, near or live, own or near or live)[view.level]
        return frozenset(fleet.address(m, view.service) for m in chosen)


class View(NamedTuple):
    """A name at which a shard is seen: `level` 0 global, 1 region, 2 zone."""

    member: int
    service: int
    level: int


class Watched(NamedTuple):
    """A change that was made: the `step`-th of its service."""

    view: View
    step: int
    at: float


class Bench:
    """`wrong` lists answers that never were a complete one; `unseen` counts changes that never showed."""

    def __init__(self, disk: fleet.Fleet, asker: ask.Asker) -> None:
        self._disk = disk
        self._world = World()
        self._asker = asker
        self.wrong: list[str] = []
        self.unseen = 0

    def change(self, member: int, service: int, level: int) -> Watched:
        step = self._world.take_down(member, service)
        at = time.monotonic()
        self._disk.change(member, service, ready=False)
        return Watched(View(member, service, level), step, at)

    def seen(self, watched: Watched) -> bool:
        """Asks once; True where the change shows, or will never."""
        view = watched.view
        name = fleet.names(view.member, view.service)[view.level]
        found = self._asker.ask(name)
        if found is not None:
            step = self._world.step(view, found.addresses)
            if step < 0 or found.rcode or found.doubled:
                self.wrong.append(f"{name}: {found.rcode} {sorted(found.addresses)}")
            elif step >= watched.step:
                return True
        if time.monotonic() > watched.at + GIVE_UP:
            self.unseen += 1
            return True
        return False

    def one_by_one(self) -> list[float]:
        """Seconds from each change to its first changed answer."""
        delays = []
        for index in range(SINGLE):
            watched = self.change(*single(index), level=index % 3)
            while not self.seen(watched):
                time.sleep(PAUSE)
            delays.append(time.monotonic() - watched.at)
            time.sleep(0.02 + index % 7 / 100)  # spreads the changes over the phases of every timer
        return delays

    def at_rate(self) -> list[tuple[float, float]]:
        """(when, lag) of the watched changes while RATE changes a second are made."""
        pending: deque[Watched] = deque()
        lags: list[tuple[float, float]] = []
        start = time.monotonic()
        made = 0
        while made < RATE * SECONDS or pending:
            due = min(RATE * SECONDS, int((time.monotonic() - start) * RATE))
            while made < due:
                watched = self.change(*sustained(made), level=made % 3)
                if made % SAMPLE == 0:
                    pending.append(watched)
                made += 1
            if pending:
                watched = pending.popleft()
                if self.seen(watched):
                    lags.append((watched.at - start, time.monotonic() - watched.at))
                else:
                    pending.append(watched)
            time.sleep(PAUSE)
        return lags


class Load(NamedTuple):
    """What dnsperf reported."""

    sent: int
    lost: int
    rate: float
    codes: str


@contextmanager
def background(port: int, disk: fleet.Fleet, out: list[Load]) -> Iterator[None]:
    """dnsperf for as long as the block runs; its report is appended to `out`."""
    questions = disk.root / "queries.txt"
    questions.write_text(disk.queries(6000))
    command = ["dnsperf", "-s", "127.0.0.1", "-p", str(port), "-d", str(questions)]
    command += ["-e", "-Q", str(QUERIES), "-l", "600", "-c", "8", "-q", "1000"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        yield
    finally:
        process.send_signal(2)  # dnsperf reports when it is interrupted
        text, _ = process.communicate(timeout=30)
        out.append(report(text))


def report(text: str) -> Load:
    def number(label: str) -> float:
        found = re.search(rf"{label}:\s+([\d.]+)", text)
        return float(found[1]) if found else -1.0

    codes = re.search(r"Response codes:\s+(.*)", text)
    sent, lost = int(number("Queries sent")), int(number("Queries lost"))
    return Load(sent, lost, number("Queries per second"), codes[1] if codes else text[-300:])


def shape() -> fleet.Shape:
    moving = {single(index) for index in range(SINGLE)}
    moving |= {sustained(index) for index in range(RATE * SECONDS)}
    return fleet.Shape(MEMBERS, SERVICES, frozenset(moving))


def measure(root: Path) -> int:
    """Exit status: 0 where every target is met."""
    disk = fleet.Fleet(root, shape())
    port = serving.free_port()
    disk.write(port, serving.free_port())
    with serving.serve(disk.config) as pid:
        asker = ask.Asker(port)
        last = SERVICES - 1
        everyone = frozenset(fleet.address(m, last) for m in range(MEMBERS))
        if not asker.until(fleet.names(0, last)[0], everyone, time.monotonic() + 120):
            print("never ready; see serve.log", (root / "serve.log").read_text()[-2000:])
            return 1
        asker.lost = 0  # until the first sync there was nothing to lose
        bench = Bench(disk, asker)
        control = serving.role(pid, serving.CONTROL)[0]
        loads: list[Load] = []
        with background(port, disk, loads):
            time.sleep(1)
            delays = bench.one_by_one()
            before = serving.cpu(control)
            lags = bench.at_rate()
            used = serving.cpu(control) - before
        asker.close()
    return verdict(bench, delays, lags, Result(loads[0], asker.lost, used))


class Result(NamedTuple):
    load: Load
    lost: int
    used: float


def verdict(bench: Bench, delays: list[float], lags: list[tuple[float, float]], result: Result) -> int:
    """Prints the figures and what was missed."""
    p50, p99 = (serving.percentile(delays, share) for share in (0.5, 0.99))
    first = [lag for at, lag in lags if at < SECONDS / 4]
    late = [lag for at, lag in lags if at >= SECONDS * 3 / 4]
    load = result.load
    changes = RATE * SECONDS
    print(f"one change    p50 {p50 * 1e3:.1f} ms, p99 {p99 * 1e3:.1f} ms, most {max(delays) * 1e3:.1f} ms")
    for title, values in (("first quarter", first), ("last quarter ", late)):
        a, b = serving.percentile(values, 0.5), serving.percentile(values, 0.99)
        print(f"{RATE}/s, {title}  lag p50 {a * 1e3:.1f} ms, p99 {b * 1e3:.1f} ms ({len(values)} watched)")
    print(f"control CPU   {result.used / changes * 1e3:.2f} ms per change over {changes} changes")
    print(f"background    {load.rate:.0f} answers/s, {load.lost} of {load.sent} lost; {load.codes}")
    print(f"asked         {result.lost} lost, {len(bench.wrong)} mixed, {bench.unseen} changes never seen")
    misses = {
        "p50": p50 > P50,
        "p99": p99 > P99,
        "falls behind": serving.percentile(late, 0.99) > LAG,
        "lost": bool(result.lost or load.lost),
        "load": load.rate < 0.95 * QUERIES,
        "mixed": bool(bench.wrong),
        "unseen": bool(bench.unseen),
    }
    missed = [name for name, miss in misses.items() if miss]
    print("missed: " + ", ".join(missed) if missed else "all targets met")
    for line in bench.wrong[:5]:
        print("  " + line)
    return 1 if missed else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", type=Path, help="a directory for the fleet that stays afterwards")
    keep = parser.parse_args().keep
    if keep:
        return measure(keep)
    with tempfile.TemporaryDirectory() as root:
        return measure(Path(root))


if __name__ == "__main__":
    sys.exit(main())
