"""What it costs to bring a fleet's objects to its members: all of them, one that changes, and nothing at all.

1,000 objects x 50 members, which are fake API servers; a real `fedns serve` has a core of its own, the API
servers and the bench share the other. Whether a member has an object is seen in its server; CPU is what the
operating system counted for all processes of fedns. The fleet is an API server, or (`--directory`) a folder.
"""

import argparse
import http.client
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import apiservers
import fleet
import serving
import wares

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.fakes import kubeapi_kinds, kubeapi_rules, kubecluster

CORES = ({0}, {1}) if len(os.sched_getaffinity(0)) > 1 else ({0}, {0})
"""Of fedns, and of everything else."""
COLD, LATE, IDLE, STILL = 180.0, 2.0, 0.01, 0.05
"""Targets: seconds until all have all; for a change, p99; part of a core; seconds without an answer."""
GIVE_UP = 600.0
QUIET, SETTLED = 5.0, 120.0  # seconds without a write; until it is settled at most
PAUSE, BETWEEN = 0.05, 0.4
CANARIES = 10  # one member of so many


class Servers:
    """The members' API servers: one process."""

    def __init__(self, members: int) -> None:
        command = [sys.executable, str(Path(__file__).with_name("depots.py")), "--members", str(members)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        told = json.loads(self.process.stdout.readline())
        self.ports: dict[int, int] = {int(number): port for number, port in told["members"].items()}
        self._orders = socket.create_connection(("127.0.0.1", told["orders"])).makefile("rw")

    def ask(self, order: str) -> Any:
        self._orders.write(f"{order}\n")
        self._orders.flush()
        return json.loads(self._orders.readline())

    def copies(self) -> int:
        """In the member that has fewest."""
        return min(row[0] for row in self.ask("count").values())

    def writes(self) -> int:
        return sum(row[1] for row in self.ask("count").values())

    def close(self) -> None:
        self.process.kill()
        self.process.wait()


class Hub:
    """The fleet: its own API server, or a directory."""

    def __init__(self, root: Path, cluster: kubecluster.Cluster | None) -> None:
        self.folder, self._cluster = root / "fleet", cluster
        self.folder.mkdir()

    def section(self) -> str:
        if self._cluster is None:
            return f"manifests: {self.folder}"
        return f'api: {{server: "{self._cluster.url}", token: x}}'

    def put(self, *objects: wares.Object) -> None:
        if self._cluster is not None:
            self._cluster.put(*map(whole, objects))
            return
        for each in objects:
            meta = each["metadata"]
            path = self.folder / f"{each['kind']}.{meta.get('namespace', '')}.{meta['name']}.json".lower()
            fresh = self.folder.parent / "fresh.json"
            fresh.write_text(json.dumps(each))
            fresh.replace(path)


def whole(told: wares.Object) -> wares.Object:
    """With the defaults that an API server gives to what is made: else the first status that is written would
    bring them, and every copy be written once more."""
    kinds = kubeapi_kinds.SERVED[told["apiVersion"]].values()
    kind = next(one for one in kinds if one.name == told["kind"])
    return kubeapi_rules.settled(kind, None, told, "")


class Bench(NamedTuple):
    options: argparse.Namespace
    root: Path
    servers: Servers
    hub: Hub

    def configure(self, distribute: bool) -> tuple[Path, int]:
        """The configuration, and the port of the admin API."""
        path, admin = self.root / "fedns.yaml", serving.free_port()
        rows = (
            f"  - {{name: {fleet.member_name(m)}, region: {fleet.region(m)}, zones: [{fleet.zone(m)}], "
            f"labels: {{tier: {'canary' if m % CANARIES == 1 else 'main'}, region: {fleet.region(m)}}}, "
            f'api: {{server: "http://127.0.0.1:{port}", token: x}}}}\n'
            for m, port in sorted(self.servers.ports.items())
        )
        path.write_text(
            f"federation: {fleet.FEDERATION}\n"
            f"domain: {fleet.DOMAIN}\n"
            "nameservers: {ns1.example.com: [127.0.0.1]}\n"
            f"state: {self.root}/state\n"
            f'dns: {{listen: ["127.0.0.1:{serving.free_port()}"], workers: 1}}\n'
            f'admin: {{listen: "127.0.0.1:{admin}"}}\n'
            f"fleet: {{{self.hub.section()}, distribute: {str(distribute).lower()}}}\n"
            f"members:\n{''.join(rows)}"
        )
        return path, admin


@contextmanager
def served(config: Path) -> Iterator[int]:
    """fedns on its core."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, CORES[0])
    with ExitStack() as stack:
        try:
            pid = stack.enter_context(serving.serve(config))
        finally:
            os.sched_setaffinity(0, before)
        yield pid


def cpu(pid: int) -> float:
    """Seconds of all processes of fedns."""
    return sum(serving.cpu(each) for each in (pid, *serving.children(pid)))


def until(done: Callable[[], bool], seconds: float, what: str) -> float:
    """Seconds that it took."""
    begun = time.monotonic()
    while not done():
        if time.monotonic() - begun > seconds:
            raise SystemExit(f"never: {what}")
        time.sleep(PAUSE)
    return time.monotonic() - begun


def settled(servers: Servers) -> None:
    """Until nothing has been written for a while."""
    begun = since = time.monotonic()
    before = servers.writes()
    while time.monotonic() - since < QUIET and time.monotonic() - begun < SETTLED:
        time.sleep(0.5)
        now = servers.writes()
        if now != before:
            before, since = now, time.monotonic()


class Silence(threading.Thread):
    """Asks control over and over whether it is ready; `most`: the longest answer, seconds."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self._port, self._over, self.delays = port, threading.Event(), [0.0]

    def run(self) -> None:
        line = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        while not self._over.wait(0.01):
            begun = time.perf_counter()
            line.request("GET", "/healthz")
            line.getresponse().read()
            self.delays.append(time.perf_counter() - begun)
        line.close()

    def __enter__(self) -> "Silence":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.join()

    def told(self) -> str:
        p99, most = serving.percentile(self.delays, 0.99), max(self.delays)
        return f"control answers within {p99 * 1e3:.0f} ms (p99), {most * 1e3:.0f} ms at most"


class Found(NamedTuple):
    cold: float
    delays: list[float]
    still: float
    idle: float
    writes: int


def changes(bench: Bench, pid: int, objects: list[wares.Object]) -> list[float]:
    """One object after the other; seconds until the last member has each."""
    found, burnt = [], cpu(pid)
    inside = [each for each in objects if each["kind"] != "Namespace"]
    for number in range(bench.options.changes):
        each, mark = inside[number * 7919 % len(inside)], f"mark-{number}"
        if each["kind"] == "ConfigMap":
            each = {**each, "data": {**each["data"], "number": mark}}
        begun = time.monotonic()
        bench.hub.put(wares.marked(each, mark))
        found.append(reached(bench.servers, mark) - begun)
        time.sleep(BETWEEN)
    p50, p99 = (serving.percentile(found, share) for share in (0.5, 0.99))
    say(f"one change until all have it: p50 {p50:.2f} s, p99 {p99:.2f} s ({len(found)} changes)")
    say(f"   {(cpu(pid) - burnt) / len(found) * 1e3:.0f} ms of CPU each")
    return found


def reached(servers: Servers, mark: str) -> float:
    """When the last member had it."""
    until(lambda: None not in servers.ask(mark), 60.0, mark)
    last: float = max(servers.ask(mark))
    return last


def idle(bench: Bench, pid: int) -> tuple[float, int]:
    """The part of a core that fedns takes, and writes to members."""
    seconds = bench.options.seconds
    settled(bench.servers)
    writes, burnt, begun = bench.servers.writes(), cpu(pid), time.monotonic()
    time.sleep(seconds)
    return (cpu(pid) - burnt) / (time.monotonic() - begun), bench.servers.writes() - writes


def measure(bench: Bench) -> Found:
    options, servers = bench.options, bench.servers
    objects = wares.objects(options.objects)
    bench.hub.put(kubecluster.namespace("fedns"), *wares.policies(), *objects)
    config, admin = bench.configure(True)
    begun = time.monotonic()
    with served(config) as pid:
        until(lambda: servers.copies() >= len(objects), GIVE_UP, "all have all")
        cold, burnt, writes = time.monotonic() - begun, cpu(pid), servers.writes()
        say(f"{len(objects)} objects x {options.members} members: all have all after {cold:.1f} s")
        say(f"   {burnt:.1f} s of CPU, {burnt / writes * 1e3:.2f} ms for each of {writes:,} writes")
        settled(servers)
        held = serving.memory(serving.role(pid, serving.CONTROL)[0])["resident"]
        say(f"   {cpu(pid):.1f} s of CPU until nothing moves; control has {held:.0f} MiB")
        delays = changes(bench, pid, objects)
        still = release(bench, pid, admin)
        share, written = idle(bench, pid)
        say(f"idle: {share:.2%} of a core over {options.seconds:.0f} s, {written} writes")
    if options.beside:
        without(bench)
    return Found(cold, delays, still, share, written)


def say(text: str) -> None:
    print(text, flush=True)


def release(bench: Bench, pid: int, admin: int) -> float:
    """Another override for all Deployments, everywhere; the longest silence of control, seconds."""
    settled(bench.servers)
    before, burnt, begun = bench.servers.writes(), cpu(pid), time.monotonic()
    with Silence(admin) as silence:
        bench.hub.put(wares.release("v2"))
        until(lambda: bench.servers.writes() > before, 60.0, "a policy that changes all")
        settled(bench.servers)
    took, written = time.monotonic() - begun - QUIET, bench.servers.writes() - before
    say(f"a policy that changes {written:,} copies: {took:.1f} s, {cpu(pid) - burnt:.1f} s of CPU")
    say(f"   {silence.told()}")
    return max(silence.delays)


def without(bench: Bench) -> None:
    """The same fleet, and nothing is brought anywhere."""
    config, _ = bench.configure(False)
    with served(config) as pid:
        time.sleep(15.0)
        share, _ = idle(bench, pid)
    say(f"the same fleet without `distribute`: {share:.2%} of a core")


def missed(found: Found) -> Iterator[str]:
    if found.cold > COLD:
        yield f"cold sync {found.cold:.0f} s of {COLD:.0f}"
    late = serving.percentile(found.delays, 0.99)
    if late > LATE:
        yield f"a change {late:.2f} s (p99) of {LATE:.0f}"
    if found.still > STILL:
        yield f"control was silent for {found.still * 1e3:.0f} ms of {STILL * 1e3:.0f}"
    if found.idle > IDLE:
        yield f"idle {found.idle:.2%} of {IDLE:.0%}"
    if found.writes:
        yield f"{found.writes} writes without a reason"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--objects", type=int, default=1000)
    parser.add_argument("--members", type=int, default=50)
    parser.add_argument("--changes", type=int, default=40)
    parser.add_argument("--seconds", type=float, default=60.0, help="of idling")
    parser.add_argument("--quick", action="store_true", help="200 objects, 10 members, for a short while")
    parser.add_argument("--directory", action="store_true", help="the fleet is a directory")
    parser.add_argument("--beside", action="store_true", help="what the fleet costs without `distribute` too")
    parser.add_argument("--log", action="store_true", help="the end of control's log too")
    options = parser.parse_args()
    if options.quick:
        options.objects, options.members, options.changes, options.seconds = 200, 10, 10, 15.0
    os.sched_setaffinity(0, CORES[1])
    with ExitStack() as stack:
        root = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        cluster = None if options.directory else stack.enter_context(kubecluster.running())
        if cluster is not None:
            cluster.faults(bookmarks=apiservers.BOOKMARK)  # else it sends hundreds of times as many
        servers = Servers(options.members)
        stack.callback(servers.close)
        try:
            misses = list(missed(measure(Bench(options, root, servers, Hub(root, cluster)))))
        finally:
            if options.log:
                print((root / "serve.log").read_text()[-4000:])
    print("missed: " + "; ".join(misses) if misses else "all targets met")
    return 1 if misses else 0


if __name__ == "__main__":
    sys.exit(main())
