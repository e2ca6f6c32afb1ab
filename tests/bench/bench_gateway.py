"""Requests per CPU-second of gateways: fedns beside Envoy, HAProxy, nginx, Caddy and an aiohttp proxy.

Each has one worker, on core 0; nginx as backend and wrk share core 1. Rounds are interleaved; a figure is the
median over them, a ratio the median of the rounds' ratios. Prints the tables of docs/benchmarks.md, then
`all targets met` or what was missed, and exits 1 when anything was.
"""

import argparse
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import proxies
import proxying
import serving
import wrk
from proxies import World

ONE, ROUTES, MANY = World(), World(100, 20), World(1000, 10)
RATE = 2500.0  # requests a second for p99: what each of them can hold on a core
FEW, CROWD = 50, 2000
MEMORY, LATE, HOSTS = "memory", "late", "hosts"
OURS = tuple(each.name for each in proxying.OURS)
LOGGED = "log"
TITLES = {each.name: each.title for each in (*proxying.OURS, *proxies.PEERS)}


class Line(NamedTuple):
    """What is asked. `secure`: over TLS; `least`: times the CPU efficiency of these peers that is to be."""

    name: str
    title: str
    world: World = ONE
    target: str = "/items?id=1"
    script: str = ""
    connections: int = wrk.CONNECTIONS
    close: bool = False
    secure: bool = False
    least: tuple[tuple[str, float], ...] = (("envoy", 1.0), ("caddy", 2.0))

    def manner(self, server: proxying.Server) -> wrk.Manner:
        port = server.tls_port if self.secure else server.port
        script = self.script
        if self.world != ONE:
            script = wrk.requests(self.world.names(), self.world.prefixes())
        url = f"{'https' if self.secure else 'http'}://127.0.0.1:{port}{self.target}"
        return wrk.Manner(url, "h0.example.com", script, self.connections, self.close)


TLS_LEAST = (("envoy", 0.7),)
LINES = (
    Line("get", "small GET, keep-alive"),
    Line("routes", "100 hosts x 20 paths", ROUTES),
    Line("download", "download of 1 MiB", target="/big", connections=16),
    Line("upload", "upload of 1 MiB", script=wrk.UPLOAD, connections=16),
    Line("connect", "a connection per request", connections=32, close=True),
    Line("tls", "small GET, keep-alive, TLS", secure=True, least=TLS_LEAST),
    Line(
        "tls-connect",
        "a TLS connection per request",
        connections=16,
        close=True,
        secure=True,
        least=TLS_LEAST,
    ),
)
_SPREAD = Line(HOSTS, "1,000 hosts x 10 paths", MANY, least=())
_SINGLE = Line(
    "one", "the same requests to one rule", ONE, script=wrk.requests(MANY.names()[:1], MANY.prefixes())
)


Rounds = defaultdict[str, list[wrk.Round]]


class Effort(NamedTuple):
    rounds: int = 3
    seconds: float = 2.0


QUICK = Effort(1, 1.0)


class Bench:
    """Everything that is started stays until the end."""

    def __init__(self, home: Path, effort: Effort, only: Sequence[str], stack: ExitStack) -> None:
        self._home, self._effort, self._stack = home, effort, stack
        self.left_out: list[str] = []
        self._who: list[proxying.Participant] = []
        for each in (*proxying.OURS, *proxies.PEERS):
            why = "" if not only or each.name in only else "not asked for"
            why = why or proxying.missing(each)
            if why:
                self.left_out.append(f"{each.title}: {why}")
            else:
                self._who.append(each)
        found = [each.name for each in self._who if each.name in OURS and each.name != LOGGED]
        self.judged = found[-1] if found else ""
        self._certificate, self._key = home / "certificate.pem", home / "key.pem"
        names = ("-subj", "/CN=h0.example.com", "-addext", "subjectAltName=DNS:h0.example.com,IP:127.0.0.1")
        serving.certify(self._certificate, self._key, *names)
        (home / "backends").mkdir()
        self._backends = proxying.Backends(home / "backends", stack)
        self._servers: dict[tuple[str, World], proxying.Server] = {}
        self.rounds: defaultdict[str, defaultdict[str, list[wrk.Round]]] = defaultdict(
            lambda: defaultdict(list)
        )
        self.late: defaultdict[str, list[float]] = defaultdict(list)
        self.memory: dict[str, float] = {}

    def server(self, who: proxying.Participant, world: World) -> proxying.Server:
        found = self._servers.get((who.name, world))
        if found is None:
            home = self._home / f"{who.name}-{world.hosts}-{world.paths}"
            home.mkdir()
            ports = serving.free_port(), serving.free_port()
            setup = proxies.Setup(world, home, *ports, self._backends.ports, self._certificate, self._key)
            found = self._stack.enter_context(proxying.running(who, setup))
            self._servers[who.name, world] = found
        return found

    def speed(self, line: Line) -> None:
        who = [each for each in self._who if each.name != LOGGED or line.name == "get"]
        for number in range(self._effort.rounds):
            for each in who if number % 2 else reversed(who):
                server = self.server(each, line.world)
                told = wrk.measure(line.manner(server), self._effort.seconds, server.cpu)
                self.rounds[line.name][each.name].append(told)

    def hosts(self) -> None:
        """Many routes beside one, of fedns alone."""
        ours = next((each for each in self._who if each.name == self.judged), None)
        if ours is None:
            return
        for _ in range(self._effort.rounds):
            for line in (_SPREAD, _SINGLE):
                server = self.server(ours, line.world)
                told = wrk.measure(line.manner(server), self._effort.seconds, server.cpu)
                self.rounds[line.name][ours.name].append(told)

    def delays(self) -> None:
        """At a rate that all of them hold."""
        for _ in range(self._effort.rounds):
            for each in self._who:
                manner = LINES[0].manner(self.server(each, ONE))
                self.late[each.name].append(wrk.latency(manner, self._effort.seconds, RATE))

    def idle(self) -> None:
        """Memory that an idle connection takes, of servers that have served a few before."""
        for each in self._who:
            server = self.server(each, ONE)
            proxying.Crowd(server.port, FEW).leave()
            before = server.resident()
            crowd = proxying.Crowd(server.port, CROWD)
            self.memory[each.name] = (server.resident() - before) / CROWD
            crowd.leave()


def tables(bench: Bench) -> Iterator[str]:
    names = [
        name
        for name in TITLES
        if any(name in each for each in (*bench.rounds.values(), bench.late, bench.memory))
    ]
    yield from _head(["requests per CPU-second", *(TITLES[name] for name in names)])
    for line in (*LINES, _SINGLE, _SPREAD):
        rounds = bench.rounds.get(line.name)
        if rounds:
            yield _row([line.title, *(_shown(rounds.get(name), "per_cpu") for name in names)])
    if bench.late:
        cells = (f"{wrk.middle(bench.late[name]):,.0f} µs" if name in bench.late else "–" for name in names)
        yield _row([f"p99 at {RATE:,.0f} requests/s", *cells])
    if bench.memory:
        cells = (f"{bench.memory[name] / 1024:.1f} KiB" if name in bench.memory else "–" for name in names)
        yield _row(["memory of an idle connection", *cells])
    others = [name for name in names if name not in OURS]
    yield from _head(["fedns / peer", *(TITLES[name] for name in others)])
    for line in LINES:
        rounds = bench.rounds.get(line.name, {})
        for mine in (name for name in OURS if name in rounds):
            cells = [f"{ratio(rounds[mine], rounds[name]):.2f}" if name in rounds else "–" for name in others]
            yield _row([line.title if mine == OURS[0] else f"{line.title}: {TITLES[mine]}", *cells])
    yield ""
    if bench.left_out:
        yield f"Left out: {'; '.join(bench.left_out)}."


def _head(cells: Sequence[str]) -> Iterator[str]:
    yield ""
    yield _row(cells)
    yield "|---" * len(cells) + "|"


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _shown(rounds: Sequence[wrk.Round] | None, what: str) -> str:
    return f"{wrk.middle([getattr(each, what) for each in rounds]):,.0f}" if rounds else "–"


def ratio(ours: Sequence[wrk.Round], theirs: Sequence[wrk.Round]) -> float:
    return wrk.middle([mine.per_cpu / other.per_cpu for mine, other in zip(ours, theirs, strict=True)])


def missed(bench: Bench) -> Iterator[str]:
    """By the best build of fedns."""
    ours = bench.judged
    for line in LINES:
        rounds = bench.rounds.get(line.name, {})
        for other, least in line.least if ours in rounds else ():
            if other in rounds and ratio(rounds[ours], rounds[other]) < least:
                yield f"{line.name} {ratio(rounds[ours], rounds[other]):.2f} of {least} x {TITLES[other]}"
    if HOSTS in bench.rounds:
        spread, single = (bench.rounds[line.name][ours] for line in (_SPREAD, _SINGLE))
        if ratio(spread, single) < 1 / 1.1:
            yield f"1,000 hosts x 10 paths cost {1 / ratio(spread, single) - 1:.0%} more than one"
    if ours in bench.late and "envoy" in bench.late:
        late = wrk.middle([a / b for a, b in zip(bench.late[ours], bench.late["envoy"], strict=True)])
        if late > 1.2:
            yield f"p99 {late:.2f} times Envoy's"
    if bench.memory.get(ours, 0.0) > 20 << 10:
        yield f"an idle connection takes {bench.memory[ours] / 1024:.1f} KiB"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    names = [*(each.name for each in LINES), HOSTS, LATE, MEMORY]
    parser.add_argument("--line", nargs="*", choices=names, metavar="NAME", help=", ".join(names))
    parser.add_argument("--only", nargs="*", default=[], help="servers to run; all where none is named")
    parser.add_argument("--quick", action="store_true", help="short rounds: not for the record")
    parser.add_argument("--rounds", type=int, help="instead of the usual number")
    options = parser.parse_args()
    effort = QUICK if options.quick else Effort()
    effort = effort._replace(rounds=options.rounds or effort.rounds)
    wanted = options.line or names
    proxying.more_files()
    with tempfile.TemporaryDirectory(prefix="fedns-bench-") as home, ExitStack() as stack:
        bench = Bench(Path(home), effort, options.only, stack)
        if MEMORY in wanted:  # first: who has freed memory takes that
            bench.idle()
        for line in LINES:
            if line.name in wanted:
                bench.speed(line)
        for name, part in ((HOSTS, bench.hosts), (LATE, bench.delays)):
            if name in wanted:
                part()
    print("\n".join(tables(bench)))
    short = list(missed(bench))
    print("missed: " + "; ".join(short) if short else "all targets met")
    return 1 if short else 0


if __name__ == "__main__":
    sys.exit(main())
