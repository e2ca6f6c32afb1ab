"""What `fedns plan` costs: of a fleet that is nowhere yet, everywhere, and of which one object changed.

1,000 objects x 50 members, which are fake API servers, as `bench_distribute.py` has them; the fleet is a
directory (`--api`: an API server). CPU and memory are the command's own, as the operating system counted
them; it is pinned to one core, API servers and the bench share the other.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import bench_distribute
import fleet
import msgspec
import wares
from bench_distribute import Bench, Hub, Servers, say

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from fedns import config
from fedns.cli import prospect
from tests.fakes import kubecluster

PLAN = [sys.executable, "-c", "from fedns.cli.main import app; app()", "plan", "--color", "never", "--config"]
BURNT = 5.0
"""Target: seconds of CPU, where all copies are in place."""


class Spent(NamedTuple):
    """Seconds by the clock, and of CPU; MiB at most; the last line that was said."""

    took: float
    burnt: float
    held: float
    said: str

    def __str__(self) -> str:
        return f"{self.burnt:.1f} s of CPU, {self.took:.1f} s by the clock, {self.held:.0f} MiB; {self.said}"


def planned(path: Path, options: tuple[str, ...] = ()) -> Spent:
    """One plan, by the command."""
    begun = time.monotonic()
    with tempfile.TemporaryFile() as told:
        command = [*PLAN, str(path), *options]
        process = subprocess.Popen(command, stdout=told, preexec_fn=_pinned)
        _, _, used = os.wait4(process.pid, 0)
        process.returncode = 0
        took = time.monotonic() - begun
        told.seek(0)
        *_, last = told.read().decode().splitlines() or [""]
    return Spent(took, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, last.strip())


def _pinned() -> None:
    os.sched_setaffinity(0, bench_distribute.CORES[0])
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def endow(bench: Bench, path: Path) -> None:
    """All members have what the plan would bring them."""
    settings = config.load(str(path)).config
    assert settings is not None
    numbers = {fleet.member_name(number): number for number in bench.servers.ports}
    found: dict[int, tuple[object, list[int]]] = {}
    for step in prospect.planned(settings).plan.steps:
        if step.sent is not None:
            found.setdefault(id(step.sent), (step.sent, []))[1].append(numbers[step.member])
    file = bench.root / "copies.jsonl"
    rows = (msgspec.json.encode({"object": one, "members": who}) for one, who in found.values())
    file.write_bytes(b"\n".join(rows))
    count = bench.servers.ask(f"have {file}")
    say(f"   ({count} different copies in {bench.servers.copies()} or more places)")


def measure(bench: Bench, rounds: int) -> float:
    options = bench.options
    objects = wares.objects(options.objects)
    bench.hub.put(*wares.policies(), *objects)
    path, _ = bench.configure(False)
    say(f"{len(objects)} objects x {options.members} members")
    for _ in range(rounds):
        say(f"nothing is there: {planned(path)}")
    endow(bench, path)
    spent = [planned(path) for _ in range(rounds)]
    for each in spent:
        say(f"all copies are in place: {each}")
    one = next(each for each in objects if each["kind"] == "Deployment")
    bench.hub.put(wares.marked(one, "mark"))
    for _ in range(rounds):
        say(f"one object changed: {planned(path)}")
    bench.hub.put(wares.release("v2"))
    say(f"an override changes all Deployments: {planned(path)}")
    if options.json:
        say(f"the same for programs: {planned(path, ('-o', 'json'))}")
    return min(each.burnt for each in spent)


def missed(burnt: float) -> Iterator[str]:
    if burnt > BURNT:
        yield f"{burnt:.1f} s of CPU of {BURNT:.0f} where all copies are in place"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--objects", type=int, default=1000)
    parser.add_argument("--members", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="200 objects, 10 members")
    parser.add_argument("--api", action="store_true", help="the fleet is an API server")
    parser.add_argument("--json", action="store_true", help="what `-o json` costs, too")
    options = parser.parse_args()
    if options.quick:
        options.objects, options.members = 200, 10
    os.sched_setaffinity(0, bench_distribute.CORES[1])
    with ExitStack() as stack:
        root = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        cluster = stack.enter_context(kubecluster.running()) if options.api else None
        servers = Servers(options.members)
        stack.callback(servers.close)
        misses = list(missed(measure(Bench(options, root, servers, Hub(root, cluster)), options.rounds)))
    print("missed: " + "; ".join(misses) if misses else "all targets met")
    return 1 if misses else 0


if __name__ == "__main__":
    sys.exit(main())
