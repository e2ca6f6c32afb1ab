"""Who gets answers while one network floods the server with random names (`make bench-flood`).

`fedns serve` with two workers, a flood of 50,000 queries a second from one /24, and clients in four other
networks that ask for real names, 250 times a second each, without asking again: in silence, under the flood
without limits, and with them. All share the machine. Target: with limits, 99 % of the clients' questions are
answered while at least 90 % of the flood is offered.
"""

import argparse
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import fleet
import serving

from fedns.servers import counters

MEMBERS, SERVICES = 5, 400
NETWORKS = 4  # of clients: 127.70.0.0/24 to 127.73.0.0/24
RATE = 250  # questions a second from each
WAIT = 2.0  # seconds in which an answer counts: about what a resolver waits
START = 60.0  # seconds the server may take
ANSWERED, OFFERED = 0.99, 0.9
LIMITS: dict[str, dict[str, object]] = {"off": {"enabled": False}, "on": {"exempt": []}}


class Phase(NamedTuple):
    """What happened: seconds, the flood's queries, clients' questions and those lost, their mean and worst
    latency (ms), the workers' CPU seconds, replies sent to all and those limited, octets out per octet in,
    the flood's queries per second of its own clock."""

    seconds: float
    flood: int
    asked: int
    lost: int
    mean: float
    worst: float
    cpu: float
    replies: int
    limited: int
    ratio: float
    offered: float

    @property
    def answered(self) -> float:
        return 1 - self.lost / self.asked


class Served(NamedTuple):
    """A running server."""

    pid: int
    port: int
    state: Path

    def counted(self) -> counters.Totals:
        return counters.total(counters.read_all(str(self.state / "counters")).values())

    def cpu(self) -> float:
        return sum(serving.cpu(pid) for pid in serving.role(self.pid, serving.WORKER))


@contextmanager
def served(disk: fleet.Fleet, limits: dict[str, object]) -> Iterator[Served]:
    port = admin = serving.free_port()
    while admin == port:
        admin = serving.free_port()
    dns = {"listen": [f"127.0.0.1:{port}"], "workers": 2, "rate_limit": limits}
    disk.configure(disk.config, dns, admin)
    with serving.serve(disk.config) as pid:
        deadline = time.monotonic() + START
        while not _ready(admin):
            if time.monotonic() > deadline:
                raise RuntimeError((disk.root / "serve.log").read_text()[-2000:])
            time.sleep(0.1)
        time.sleep(1.5)  # workers look at settings once a second
        yield Served(pid, port, disk.root / "state")


def _ready(admin: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{admin}/readyz", timeout=1) as reply:
            return bool(reply.status == 200)
    except OSError:
        return False


def phase(server: Served, questions: Path, rate: int, seconds: float) -> Phase:
    """Clients ask for so long, and the flood begins before and ends after them."""
    before, used, begun = server.counted(), server.cpu(), time.monotonic()
    flooder = [sys.executable, str(Path(__file__).with_name("flooder.py")), str(server.port), fleet.DOMAIN]
    flood = None
    if rate:
        flood = subprocess.Popen([*flooder, str(rate), str(seconds + 2)], stdout=subprocess.PIPE, text=True)
        time.sleep(1)
    told = [_finish(each) for each in [_client(server, questions, n, seconds) for n in range(NETWORKS)]]
    sent, clock = map(float, flood.communicate()[0].split()) if flood else (0.0, 1.0)
    passed, spent, after = time.monotonic() - begun, server.cpu() - used, server.counted()
    asked, lost = (sum(int(_found(rf"Queries {what}:\s+(\d+)", each)) for each in told)
                   for what in ("sent", "lost"))  # fmt: skip
    mean = sum(float(_found(r"Average Latency \(s\):\s+([\d.]+)", each)) for each in told) / NETWORKS
    worst = max(float(_found(r"Average Latency.*max ([\d.]+)", each)) for each in told)
    replies = sum(after.queries.values()) - sum(before.queries.values())
    limited = sum(after.limited.values()) - sum(before.limited.values())
    octets = [_octets(after, way) - _octets(before, way) for way in ("reply", "query")]
    return Phase(passed, int(sent), asked, lost, mean * 1e3, worst * 1e3, spent, replies, limited,
                 octets[0] / max(octets[1], 1), sent / clock)  # fmt: skip


def _octets(totals: counters.Totals, way: str) -> int:
    return totals.sizes.get(("udp", way), (0,))[0]


def _client(server: Served, questions: Path, number: int, seconds: float) -> "subprocess.Popen[str]":
    command = ["dnsperf", "-s", "127.0.0.1", "-p", str(server.port), "-a", f"127.{70 + number}.0.1"]
    command += ["-d", str(questions), "-e", "-c", "8", "-q", "1000", "-t", str(WAIT)]
    command += ["-l", str(seconds), "-Q", str(RATE)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def _finish(process: "subprocess.Popen[str]") -> str:
    return process.communicate()[0]


def _found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    if match is None:
        raise RuntimeError(f"dnsperf said: {text[-2000:]}")
    return match[1]


HEAD = """\
| limits | flood offered | clients answered | mean, worst latency | CPU | replies/s | limited/s | out/in |
|---|---|---|---|---|---|---|---|"""


def row(name: str, one: Phase) -> str:
    each = (
        name,
        f"{one.offered:,.0f}/s" if one.flood else "none",
        f"{one.answered:.2%} of {one.asked:,}",
        f"{one.mean:.1f} ms, {one.worst:.0f} ms",
        f"{one.cpu / one.seconds:.0%}",
        f"{one.replies / one.seconds:,.0f}",
        f"{one.limited / one.seconds:,.0f}",
        f"{one.ratio:.2f}",
    )
    return f"| {' | '.join(each)} |"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=int, default=50_000, help="queries a second of the flood")
    parser.add_argument("--seconds", type=float, default=10.0, help="that clients ask in each phase")
    options = parser.parse_args()
    print(HEAD)
    with tempfile.TemporaryDirectory(prefix="fedns-flood-") as home:
        disk = fleet.Fleet(Path(home) / "fleet", fleet.Shape(MEMBERS, SERVICES))
        disk.write(serving.free_port(), serving.free_port())
        questions = Path(home) / "questions"
        questions.write_text(disk.queries(10_000))
        phases = {}
        for limits, settings in LIMITS.items():
            with served(disk, settings) as server:
                if limits == "off":
                    print(row("off", phase(server, questions, 0, options.seconds)), flush=True)
                phases[limits] = phase(server, questions, options.rate, options.seconds)
                print(row(limits, phases[limits]), flush=True)
    one = phases["on"]
    missed = []
    if one.answered < ANSWERED:
        missed.append(f"{one.answered:.2%} of the clients' questions answered")
    if one.offered < OFFERED * options.rate:
        missed.append(f"{one.flood:,} queries of the flood offered")
    print("missed: " + ", ".join(missed) if missed else "all targets met")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
