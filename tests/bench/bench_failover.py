"""What clients lose when things fail: `fedns serve` before two members, under mixed keep-alive clients.

A member is drained; endpoints change; all backends of a member die at once (kill -9); they hang; the
configuration changes under open WebSockets and downloads. Backends are one cheap process per member, clients
a process of their own that writes down the time and end of each request (`crowd.py`).
"""

import argparse
import signal
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.bench import crowd, herd, serving
from tests.fakes import kubecluster
from tests.scenarios import shops, world

MEMBERS = {"east": [f"127.1.1.{n}" for n in range(1, 4)], "west": [f"127.1.2.{n}" for n in range(1, 4)]}
OTHERS = [f"127.1.3.{n}" for n in range(1, 4)]
RATE, CONNECTIONS, SECONDS = 2200, 96, 12
WARM = 3.0  # seconds before something happens
CHANGES = 10  # of endpoints, a run
SOCKETS, DOWNLOADS = 200, 50
PATIENCE = 1  # seconds: `proxy-read-timeout` where backends hang
LEAST = 2000  # requests per second
SOON, LOST = 0.05, 0.001
"""Targets: seconds to the first request on a new target, and to the last failure; part that fails."""


class Clustered(shops.Shops):
    """The same fleet, its members on API servers."""

    ROW = "  - {{name: {0}, region: {0}, kubeconfig: {0}.kubeconfig, context: main}}\n"

    def __init__(self, root: Path, port: int, clusters: dict[str, kubecluster.Cluster]) -> None:
        self.clusters = clusters
        for name, each in clusters.items():
            each.kubeconfig(root / f"{name}.kubeconfig")
        super().__init__(root, clusters, port)

    def tells(self, member: str, name: str, text: str) -> None:
        self.clusters[member].put(*yaml.safe_load_all(text))


class Stage(NamedTuple):
    """All that runs."""

    fleet: shops.Shops
    served: shops.Served
    herds: dict[str, herd.Herd]
    rate: float

    def whole(self) -> None:
        """All as it was at first."""
        for each in self.herds.values():
            if each.process is None:
                each.start()
        for member, addresses in MEMBERS.items():
            self.fleet.serves(member, addresses)
        self.served.agrees(*MEMBERS)

    @contextmanager
    def asking(self, seconds: float = SECONDS, target: str = "/") -> Iterator[crowd.Running]:
        with crowd.asking(
            self.served.http, shops.HOST, self.rate, CONNECTIONS, seconds, target=target
        ) as clients:
            time.sleep(WARM)
            yield clients


class Figures(NamedTuple):
    """One run: what clients saw, and what the targets say of it."""

    title: str
    outcomes: Sequence[crowd.Outcome]
    at: float
    """When it happened."""
    told: str = ""
    missed: str = ""

    def failed(self) -> list[crowd.Outcome]:
        return [each for each in self.outcomes if not each.good]

    def rate(self) -> float:
        ends = sorted(each.ended for each in self.outcomes)
        return len(ends) / (ends[-1] - ends[0])

    def line(self) -> str:
        failed, spent = self.failed(), [each.ended - each.begun for each in self.outcomes]
        last = f", last {max(each.ended for each in failed) - self.at:.3f} s after" if failed else ""
        p50, p99 = (serving.percentile(spent, share) * 1e3 for share in (0.5, 0.99))
        return (
            f"{self.title:24} {self.rate():5.0f}/s  {len(failed)} of {len(self.outcomes)} failed{last};"
            f" p50 {p50:.1f} ms, p99 {p99:.1f} ms, worst {max(spent) * 1e3:.0f} ms. {self.told}"
        )


def drained(stage: Stage) -> Figures:
    with stage.asking() as clients:
        at = time.monotonic()
        assert stage.served.fedns("drain", "west", "--reason", "bench").returncode == 0
        done = time.monotonic()
        outcomes = clients.outcomes()
    assert stage.served.fedns("undrain", "west").returncode == 0
    last = max(each.begun for each in outcomes if each.member == "west")
    told = f"last request to it {max(last - done, 0.0) * 1e3:.0f} ms after the command returned"
    return Figures("planned drain", outcomes, at, told, "" if all(e.good for e in outcomes) else "failures")


def changed(stage: Stage) -> Figures:
    """West's endpoints become others, all at once, and back."""
    delays, times = [], []
    with herd.running(stage.fleet.port, other=OTHERS):
        with stage.asking(SECONDS + CHANGES * 0.5) as clients:
            for number in range(CHANGES):
                stage.fleet.serves("west", MEMBERS["west"] if number % 2 else OTHERS)
                times.append(time.monotonic())
                time.sleep(0.5)
            outcomes = clients.outcomes()
        stage.fleet.serves("west", MEMBERS["west"])
        time.sleep(1.0)
    for number, at in enumerate(times):
        new = "west" if number % 2 else "other"
        delays.append(min(each.begun for each in outcomes if each.member == new and each.begun > at) - at)
    told = (
        f"first request on new ones {statistics.median(delays) * 1e3:.0f} ms after (median of {CHANGES}), "
        f"at most {max(delays) * 1e3:.0f} ms"
    )
    missed = "failures" if not all(e.good for e in outcomes) else "late" if max(delays) > SOON else ""
    return Figures("EndpointSlice change", outcomes, times[0], told, missed)


def killed(stage: Stage, target: str = "/", title: str = "kill -9 of a member") -> Figures:
    with stage.asking(target=target) as clients:
        stage.herds["west"].kill()
        at = time.monotonic()
        left = until(lambda: stage.served.answer(shops.NAME) == world.records([shops.address("east")]))
        outcomes = clients.outcomes()
    failed = [each for each in outcomes if not each.good]
    last = max((each.ended - at for each in failed), default=0.0)
    missed = "too many failed" if len(failed) > LOST * len(outcomes) else "late" if last > SOON else ""
    return Figures(title, outcomes, at, f"DNS without it {left * 1e3:.0f} ms after", missed)


def hung(stage: Stage) -> Figures:
    stage.fleet.routes("shop", proxy_read_timeout=str(PATIENCE))
    time.sleep(1.0)
    with stage.asking() as clients:
        stage.herds["west"].signal(signal.SIGSTOP)
        at = time.monotonic()
        left = until(lambda: stage.served.answer(shops.NAME) == world.records([shops.address("east")]))
        outcomes = clients.outcomes()
        stage.herds["west"].signal(signal.SIGCONT)
    stage.fleet.routes("shop")
    stage.fleet.serves("west", (), MEMBERS["west"])
    stage.served.agrees("east")
    late = [each for each in outcomes if each.ended - each.begun > PATIENCE * 0.9]
    last = max((each.begun for each in late), default=at) - at
    told = f"{len(late)} requests waited for {PATIENCE} s, the last one begun {last:.1f} s after. "
    told += f"DNS without it {left:.1f} s after"
    return Figures("backends hang", outcomes, at, told)


def configured(stage: Stage) -> Figures:
    ask = b"GET %b HTTP/1.1\r\nHost: shop.example.com\r\n%b\r\n"
    upgrade = b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
    upgrade += b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    port = stage.served.http
    with stage.asking() as clients:
        sockets = [opened(port, ask % (b"/", upgrade)) for _ in range(SOCKETS)]
        heads = [each.read(12) for each in sockets]
        for each in sockets:
            while each.readline().strip():
                pass
        downloads = [opened(port, ask % (b"/download", b"Connection: close\r\n")) for _ in range(DOWNLOADS)]
        at = time.monotonic()
        stage.fleet.routes("shop", proxy_read_timeout="30", enable_cors="true")
        stage.fleet.routes("again", host="again.example.com")
        stage.fleet.policy(strategy="Weighted", weights={"east": 1, "west": 3})
        stage.fleet.configure(shops.QUICK.replace("0.1s}", "0.2s}"))
        world.until(lambda: "200" not in stage.served.who(1, host="again.example.com"), "the new route")
        bodies = [each.read().partition(b"\r\n\r\n")[2] for each in downloads]
        cut = sum(not echoes(each) for each in sockets)
        outcomes = clients.outcomes()
    stage.fleet.without("fleet/again.yaml", "fleet/policy-shop.yaml")
    stage.fleet.routes("shop")
    assert all(head.endswith(b"101") for head in heads)
    short = sum(len(body) != len(herd.PIECE) * herd.PIECES for body in bodies)
    told = f"{cut} of {SOCKETS} WebSockets and {short} of {DOWNLOADS} downloads cut"
    missed = "cut" if cut or short else "" if all(e.good for e in outcomes) else "failures"
    return Figures("configuration change", outcomes, at, told, missed)


def opened(port: int, request: bytes) -> BinaryIO:
    with socket.create_connection(("127.0.0.1", port), world.LONG) as sock:
        sock.sendall(request)
        return sock.makefile("rwb")


def echoes(channel: BinaryIO) -> bool:
    channel.write(b"still there?")
    channel.flush()
    return channel.read(12) == b"still there?"


def until(reached: Callable[[], bool]) -> float:
    """Seconds until it is so."""
    begun = time.monotonic()
    while not reached():
        time.sleep(0.005)
    return time.monotonic() - begun


RUNS: dict[str, Callable[[Stage], Figures]] = {
    "drain": drained,
    "change": changed,
    "kill": killed,
    "kill-slow": lambda stage: killed(stage, "/slow", "the same, answers of 20 ms"),
    "hang": hung,
    "configure": configured,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", nargs="*", choices=[*RUNS], default=[*RUNS], help="these only")
    parser.add_argument("--rate", type=float, default=RATE, help="requests per second")
    parser.add_argument("--api", action="store_true", help="members on API servers, not in directories")
    parser.add_argument("--times", type=int, default=1, help="how often each")
    options = parser.parse_args()
    missed = []
    with tempfile.TemporaryDirectory() as root, ExitStack() as stack:
        port = serving.free_port()
        clusters = {name: stack.enter_context(kubecluster.running()) for name in MEMBERS if options.api}
        fleet = Clustered(Path(root), port, clusters) if clusters else shops.Shops(Path(root), MEMBERS, port)
        fleet.routes("shop")
        with herd.running(port, **MEMBERS) as herds, shops.serve(fleet) as served:
            stage = Stage(fleet, served, herds, options.rate)
            for name in options.run:
                for _ in range(options.times):
                    stage.whole()
                    found = RUNS[name](stage)
                    print(found.line(), flush=True)
                    missed += [f"{name}: {found.missed}"] if found.missed else []
                    missed += (
                        [f"{name}: slow clients"] if found.rate() < min(LEAST, options.rate * 0.9) else []
                    )
    print("missed: " + ", ".join(missed) if missed else "all targets met")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
