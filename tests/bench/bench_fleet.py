"""A fleet of API servers: first sync, memory, events a second, and a member whose API breaks all the time.

10, 30 and 100 members x 10,000 services (the same names everywhere) x 3 endpoints, watched over HTTP by a
real `fedns serve`. Control has a core of its own; API servers, DNS workers and the bench share the other.
Each event is an EndpointSlice of another shard: one endpoint of three ceases to be ready, and in every tenth
of them all do, which takes the shard out of the answers and is watched until the wire says so.
"""

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import ask
import fleet
import serving

SIZES = (10, 30, 100)
SERVICES = 10_000
RATE, SECONDS = 1000, 30
WATCH = 10  # of so many events that take a shard out one is watched, and all where they are fewer
PROCESSES = 2  # of API servers
GIVE_UP = 20.0
PAUSE = 0.001
FLAP = 2.0  # seconds between two breaks of one member's API
FLAPPING = 1  # that member
START, MEMORY, P99 = 120.0, 4096.0, 0.2
CORES = ({0}, {1}) if len(os.sched_getaffinity(0)) > 1 else ({0}, {0})
"""Of control, and of everything else."""


class Row(NamedTuple):
    """One size: seconds, CPU seconds and MiB of the first sync; per event CPU and delays."""

    members: int
    start: float
    burnt: float
    memory: dict[str, float]
    peak: float
    flows: dict[str, "Flow"]


class Flow(NamedTuple):
    """Events at a rate: control's CPU for each, delays of those watched, how many never showed."""

    events: int
    seconds: float
    cpu: float
    delays: list[float]
    unseen: int
    wrong: int

    def told(self) -> str:
        p50, p99 = (serving.percentile(self.delays, share) * 1e3 for share in (0.5, 0.99))
        return (
            f"{self.events / self.seconds:.0f} events/s, {self.cpu / self.events * 1e3:.2f} ms of CPU each; "
            f"p50 {p50:.0f} ms, p99 {p99:.0f} ms, most {max(self.delays) * 1e3:.0f} ms "
            f"({len(self.delays)} watched, {self.unseen} never seen, {self.wrong} wrong)"
        )


class Servers:
    """The fake API servers of all members."""

    def __init__(self, options: argparse.Namespace, members: int, root: Path) -> None:
        self.root, self.tls = root, options.tls
        self._processes: list[subprocess.Popen[str]] = []
        self._orders: dict[int, socket.socket] = {}
        self.ports: dict[int, int] = {}
        if self.tls:
            self._certify()
        for part in range(PROCESSES):
            numbers = range(part, members, PROCESSES)
            self._start(numbers, options)

    def _certify(self) -> None:
        names = ("-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1")
        serving.certify(self.root / "ca.pem", self.root / "key.pem", *names)

    def _start(self, members: range, options: argparse.Namespace) -> None:
        command = [sys.executable, str(Path(__file__).with_name("apiservers.py"))]
        command += ["--services", str(options.services), "--members", *map(str, members)]
        command += ["--paged"] if options.paged else []
        if self.tls:
            command += ["--certificate", str(self.root / "ca.pem"), "--key", str(self.root / "key.pem")]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self._processes.append(process)
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        orders = socket.create_connection(("127.0.0.1", told["orders"]))
        for number, port in told["members"].items():
            self.ports[int(number)] = port
            self._orders[int(number)] = orders

    def configure(self, path: Path, dns: int, admin: int) -> None:
        scheme, ca = ("https", f", ca: {self.root}/ca.pem") if self.tls else ("http", "")
        rows = (
            f"  - {{name: {fleet.member_name(m)}, region: {fleet.region(m)}, zones: [{fleet.zone(m)}], "
            f'api: {{server: "{scheme}://127.0.0.1:{port}", token: x{ca}}}}}\n'
            for m, port in sorted(self.ports.items())
        )
        path.write_text(
            f"federation: {fleet.FEDERATION}\n"
            f"domain: {fleet.DOMAIN}\n"
            "nameservers: {ns1.example.com: [127.0.0.1]}\n"
            f"state: {path.parent}/state\n"
            f'dns: {{listen: ["127.0.0.1:{dns}"], workers: 1}}\n'
            f'admin: {{listen: "127.0.0.1:{admin}"}}\n'
            f"members:\n{''.join(rows)}"
        )

    def turn(self, member: int, service: int, ready: int) -> None:
        self._orders[member].sendall(f"turn {member} {service} {ready}\n".encode())

    def flap(self, member: int) -> None:
        self._orders[member].sendall(f"flap {member}\n".encode())

    def close(self) -> None:
        for process in self._processes:
            process.kill()
            process.wait()


class Watched(NamedTuple):
    """An event that was made: a shard that is to leave the answers of its zone's or its region's name."""

    name: str
    address: str
    at: float


class Bench:
    """Makes events and looks for them on the wire."""

    def __init__(self, servers: Servers, members: int, options: argparse.Namespace, asker: ask.Asker) -> None:
        self._servers, self._members = servers, members
        self._services, self.outages = options.services, 1.0
        self._asker = asker
        self._made = 0
        self._pending: deque[Watched] = deque()
        self.delays: list[float] = []
        self.unseen = self.wrong = 0

    def next(self) -> None:
        """One more event, each of another shard; a service has one a pass."""
        made, self._made = self._made, self._made + 1
        stage, at = divmod(made, self._services)
        service = at * 7 % self._services
        member = (service + stage * 3) % self._members
        turn = made + stage
        out = turn % round(1 / self.outages) == 0
        at, address = time.monotonic(), fleet.address(member, service)
        self._servers.turn(member, service, 0 if out else 2)
        if out and turn % WATCH == 0 and member != FLAPPING:
            name = fleet.names(member, service)[1 + made // WATCH % 2]
            self._pending.append(Watched(name, address, at))

    def look(self) -> None:
        """Asks for one of those that are awaited."""
        if not self._pending:
            return
        watched = self._pending.popleft()
        found, now = self._asker.ask(watched.name), time.monotonic()
        if found is not None and (found.rcode or found.doubled or not found.addresses):
            self.wrong += 1
        elif found is not None and watched.address not in found.addresses:
            self.delays.append(now - watched.at)
            return
        if now > watched.at + GIVE_UP:
            self.unseen += 1
        else:
            self._pending.append(watched)

    def flow(self, control: int, rate: int, seconds: float, flapping: bool) -> Flow:
        """Events at this rate for so long, until the last one shows."""
        self.delays, self.unseen, self.wrong = [], 0, 0
        before, begun, made, flaps = serving.cpu(control), time.monotonic(), 0, 0
        while made < rate * seconds or self._pending:
            gone = time.monotonic() - begun
            for _ in range(made, min(int(rate * seconds), int(gone * rate))):
                self.next()
                made += 1
            if flapping and gone < seconds and gone > flaps * FLAP:
                self._servers.flap(FLAPPING)
                flaps += 1
            self.look()
            time.sleep(PAUSE)
        took = max(seconds, time.monotonic() - begun)
        return Flow(made, took, serving.cpu(control) - before, self.delays, self.unseen, self.wrong)


@contextmanager
def world(options: argparse.Namespace, members: int) -> Iterator[tuple[Servers, Path]]:
    with tempfile.TemporaryDirectory() as folder:
        servers = Servers(options, members, Path(folder))
        try:
            yield servers, Path(folder)
        finally:
            servers.close()


def pinned(pid: int) -> int:
    """Control, on its own core; waits until it is there."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if found := serving.role(pid, serving.CONTROL):
            for task in Path(f"/proc/{found[0]}/task").iterdir():
                os.sched_setaffinity(int(task.name), CORES[0])
            return found[0]
        time.sleep(0.01)
    raise SystemExit("control never started")


def synced(control: int, asker: ask.Asker, members: int, services: int, begun: float) -> None:
    """Waits until services read first and last are answered whole."""
    near = [m for m in range(members) if fleet.region(m) == fleet.region(0)]
    for service in (0, services // 2 + 1, services - 1):
        whole = frozenset(fleet.address(m, service) for m in near)
        if not asker.until(fleet.names(0, service)[1], whole, begun + 900):
            raise SystemExit("never ready")


def peak(pid: int) -> float:
    """MiB resident at the worst moment."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    return 0.0


def measure(options: argparse.Namespace, members: int) -> Row:
    with world(options, members) as (servers, root):
        port, config = serving.free_port(), root / "fedns.yaml"
        servers.configure(config, port, serving.free_port())
        begun = time.monotonic()
        with serving.serve(config) as pid:
            asker = ask.Asker(port, sockets=2)
            control = pinned(pid)
            print(f"control {control}", file=sys.stderr, flush=True)
            try:
                synced(control, asker, members, options.services, begun)
            except SystemExit:
                print((root / "serve.log").read_text()[-3000:])
                raise
            start, burnt = time.monotonic() - begun, serving.cpu(control)
            time.sleep(options.rest)
            memory = serving.memory(control)
            row = Row(members, start, burnt, memory, peak(control), {})
            print(f"{members} members x {options.services}: first sync {start:.1f} s, {burnt:.1f} s of CPU")
            print(
                "   MiB: " + ", ".join(f"{k} {v:.0f}" for k, v in memory.items()) + f", peak {row.peak:.0f}"
            )
            bench = Bench(servers, members, options, asker)
            for share, flapping in ((share, each) for share in options.outages for each in (False, True)):
                if options.seconds:
                    bench.outages = share
                    flow = bench.flow(control, options.rate, options.seconds, flapping)
                    title = f"{share:.0%} outages{', one API flaps' if flapping else ''}"
                    print(f"   {title}: {flow.told()}", flush=True)
                    row.flows[title] = flow
            asker.close()
            if options.log:
                print((root / "serve.log").read_text()[-3000:])
            return row


def missed(row: Row) -> Iterator[str]:
    if row.start > START:
        yield f"first sync {row.start:.0f} s of {START:.0f}"
    if row.memory["private"] > MEMORY:
        yield f"memory {row.memory['private']:.0f} MiB of {MEMORY:.0f}"
    for title, flow in row.flows.items():
        late = serving.percentile(flow.delays, 0.99)
        if late > P99:
            yield f"{title}: p99 {late * 1e3:.0f} ms of {P99 * 1e3:.0f}"
        if flow.unseen or flow.wrong:
            yield f"{title}: {flow.unseen} never seen, {flow.wrong} wrong"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--members", type=int, nargs="+", default=SIZES)
    parser.add_argument("--services", type=int, default=SERVICES)
    parser.add_argument("--rate", type=int, default=RATE)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--rest", type=float, default=5.0, help="seconds between the first sync and events")
    parser.add_argument(
        "--outages", type=float, nargs="+", default=[0.1], help="shares of events that take a shard out"
    )
    parser.add_argument("--paged", action="store_true", help="servers without lists as streams")
    parser.add_argument("--tls", action="store_true")
    parser.add_argument("--log", action="store_true", help="the end of control's log too")
    options = parser.parse_args()
    os.sched_setaffinity(0, CORES[1])
    rows = [measure(options, members) for members in options.members]
    misses = list(missed(rows[-1]))
    print("missed: " + "; ".join(misses) if misses else "all targets met")
    return 1 if misses else 0


if __name__ == "__main__":
    sys.exit(main())
