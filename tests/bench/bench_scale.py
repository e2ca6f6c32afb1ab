"""How fedns grows: 5, 10 and 20 members x 10,000 services from JSON dumps.

Measured at each size: cold start (empty state) until every member's last service is answered
whole; memory of the control process and of a worker; control CPU per single change.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import ask
import fleet
import serving

SERVICES = 10_000
SIZES = (5, 10, 20)
CHANGES = 50
START, CONTROL_MIB, WORKER_MIB, CHANGE_MS = 40.0, 1024.0, 60.0, 20.0
GROWTH = 1.5
"""Cost per change at the largest size over that at the smallest; what is above 1 is measurement noise."""


class Row(NamedTuple):
    """One size. Times in seconds, memory in MiB."""

    members: int
    start: float
    burnt: float
    """Control's CPU seconds until then: what other load on the machine does not change."""
    control: dict[str, float]
    worker: dict[str, float]
    change: float
    unseen: int


def moving(members: int) -> frozenset[tuple[int, int]]:
    return frozenset((index % members, index * 97 % SERVICES) for index in range(CHANGES))


def addresses(members: int, service: int) -> frozenset[str]:
    return frozenset(fleet.address(m, service) for m in range(members))


def change_all(disk: fleet.Fleet, asker: ask.Asker) -> int:
    """Takes the moving shards down one by one, each seen before the next; how many never showed."""
    unseen = 0
    for member, service in sorted(disk.shape.moving):
        disk.change(member, service, ready=False)
        rest = addresses(disk.shape.members, service) - {fleet.address(member, service)}
        unseen += not asker.until(fleet.names(member, service)[0], rest, time.monotonic() + 10)
    return unseen


def measure(root: Path, members: int) -> Row:
    disk = fleet.Fleet(root, fleet.Shape(members, SERVICES, moving(members)))
    port = serving.free_port()
    disk.write(port, serving.free_port())
    began = time.monotonic()
    with serving.serve(disk.config) as pid:
        asker = ask.Asker(port, timeout=0.5)
        for service in (0, SERVICES // 2 + 1, SERVICES - 1):
            name = fleet.names(0, service)[0]
            if not asker.until(name, addresses(members, service), began + 300):
                raise SystemExit(f"never ready: {(root / 'serve.log').read_text()[-2000:]}")
        start = time.monotonic() - began
        control = serving.role(pid, serving.CONTROL)[0]
        burnt = serving.cpu(control)
        worker = serving.role(pid, serving.WORKER)[0]
        settle(control)
        idle = idle_rate(control)
        before, at = serving.cpu(control), time.monotonic()
        unseen = change_all(disk, asker)
        used = serving.cpu(control) - before - idle * (time.monotonic() - at)
        sizes = serving.memory(control), serving.memory(worker)
        row = Row(members, start, burnt, *sizes, used / CHANGES, unseen)
        asker.close()
    return row


def settle(pid: int) -> None:
    """Waits until the process has rested for half a second (or 30 s have passed)."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        before = serving.cpu(pid)
        time.sleep(0.5)
        if serving.cpu(pid) - before < 0.05:
            return


def idle_rate(pid: int) -> float:
    """CPU seconds per second while nothing changes."""
    before = serving.cpu(pid)
    time.sleep(3)
    return (serving.cpu(pid) - before) / 3


def show(row: Row) -> None:
    memory = ", ".join(f"{key} {value:.0f}" for key, value in row.control.items())
    worker = ", ".join(f"{key} {value:.0f}" for key, value in row.worker.items())
    print(
        f"{row.members:2d} members x {SERVICES}: cold start {row.start:.1f} s, {row.burnt:.1f} s of CPU",
        flush=True,
    )
    print(f"   control MiB: {memory}\n   worker MiB: {worker}")
    print(f"   one change: {row.change * 1e3:.1f} ms control CPU; {row.unseen} never seen", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--members", type=int, nargs="*", default=SIZES, help="fleet sizes to measure")
    rows = []
    for members in parser.parse_args().members:
        with tempfile.TemporaryDirectory() as root:
            rows.append(measure(Path(root), members))
        show(rows[-1])
    largest = rows[-1]
    misses = {
        "cold start": largest.start > START,
        "control memory": largest.control["private"] > CONTROL_MIB,
        "worker memory": largest.worker["private"] > WORKER_MIB,
        "one change": largest.change * 1e3 > CHANGE_MS,
        "growth": largest.change > GROWTH * rows[0].change + 0.002,
        "unseen": any(row.unseen for row in rows),
    }
    missed = [name for name, miss in misses.items() if miss]
    print("missed: " + ", ".join(missed) if missed else "all targets met")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
