"""What it costs a server that a pod looks up a name outside: the search path's walk (`make bench-walk`).

A pod with `ndots:5` asks for `www.example.org` under each of four search domains before it asks for the name
itself, for A and AAAA each time: ten questions. CoreDNS does the same with its zones in memory, and once more
with `autopath`, which finds the name for the client when it asks the first two. One worker each, on core 0;
dnsperf on core 1; rounds interleaved. What counts is walks per CPU-second.
"""

import argparse
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import dns.message
import dns.rcode
import estate
import fleet
import load
import peers
import questions
import recipes
import report

SEARCH = ("bench.svc.cluster.local", "svc.cluster.local", "cluster.local", "corp.internal")
OUTSIDE = "example.org"
HOSTS = 1000
TYPES = (1, 28)
SERVICES = 2000
TARGET = 1.0  # walks per CPU-second, of CoreDNS with autopath
HEAD = "$TTL 30\n@ SOA ns1.example.com. hostmaster.example.com. 1 7200 900 86400 30\n@ NS ns1.example.com.\n"
AUTOPATH = "CoreDNS, autopath"
COREDNS = """
.:{port} {{
  bind 127.0.0.1
  @AUTOPATH@
  file @ZONES@/cluster.local.zone cluster.local
  file @ZONES@/corp.internal.zone corp.internal
  file @ZONES@/example.org.zone example.org
  file {zone} example.com
}}
"""


class Estate(estate.Estate):
    """The usual fleet, with clients on loopback inside its first member, and the zones outside."""

    @property
    def zones(self) -> Path:
        return self.root / "zones"

    def write(self) -> None:
        super().write()
        self.zones.mkdir()
        hosts = "".join(f"h{n} A 192.0.2.{n % 256}\nh{n} AAAA 2001:db8::{n:x}\n" for n in range(HOSTS))
        (self.zones / f"{OUTSIDE}.zone").write_text(HEAD + hosts)
        (self.zones / "corp.internal.zone").write_text(HEAD + "intranet A 192.0.2.1\n")
        others = self.root / "others"
        others.mkdir()
        names = (fleet.service_name(n) for n in range(self.services))
        rows = (f"{name}.{fleet.NAMESPACE}.svc A 10.96.{n >> 8}.{n & 255}\n" for n, name in enumerate(names))
        (others / "cluster.local.zone").write_text(HEAD + "".join(rows))
        for path in self.zones.iterdir():
            (others / path.name).symlink_to(path)
        (others / "resolv.conf").write_text(f"search {' '.join(SEARCH)}\n")

    def configure(self, home: Path, features: frozenset[str], workers: int, ports: Mapping[str, int]) -> Path:
        path = super().configure(home, features, workers, ports)
        text = path.read_text().replace(", manifests: ", ", clients: [127.0.0.0/8], manifests: ", 1)
        path.write_text(f"{text}zones: [{self.zones}]\n")
        return path

    def coredns(self, title: str) -> recipes.Recipe:
        others = self.root / "others"
        path = f"autopath {others}/resolv.conf" if title == AUTOPATH else ""
        config = COREDNS.replace("@AUTOPATH@", path).replace("@ZONES@", str(others))
        words = ("-quiet", "-conf", "{config}")
        return recipes.Recipe(title, title, "coredns", config, words, {}, {"GOMAXPROCS": "{workers}"})


def walk(host: str) -> list[tuple[str, int]]:
    """What one pod asks for one name, in order."""
    return [(name, rtype) for name in (*(f"{host}.{each}" for each in SEARCH), host) for rtype in TYPES]


def asked(title: str, host: str) -> list[tuple[str, int]]:
    """With autopath the walk ends where it begins."""
    return walk(host)[: len(TYPES)] if title == AUTOPATH else walk(host)


def outcome(port: int, host: str, title: str) -> list[str]:
    """What the pod learns on its way: an rcode for each miss, the addresses at the end."""
    told = []
    for name, rtype in asked(title, host):
        reply = peers.ask(port, questions.packet(name, rtype=rtype))
        message = dns.message.from_wire(reply or b"")
        last = [row.to_text() for group in message.answer if group.rdtype == rtype for row in group]
        told.append(" ".join(sorted(last)) or dns.rcode.to_text(message.rcode()))
    return told


def disagreements(servers: Sequence[peers.Server]) -> list[str]:
    """Servers that lead a pod elsewhere."""
    misses = ["NXDOMAIN"] * len(TYPES) * len(SEARCH)
    found = []
    for number in (1, 77, 255):
        end = [f"192.0.2.{number}", f"2001:db8::{number:x}"]
        for server in servers:
            told = outcome(server.port, f"h{number}.{OUTSIDE}", server.name)
            if told != (end if server.name == AUTOPATH else [*misses, *end]):
                found.append(f"{server.name}: h{number}.{OUTSIDE} {told}")
    return found


class Effort(NamedTuple):
    rounds: int = 7
    seconds: float = 3.0


def measured(effort: Effort, home: Path) -> dict[str, list[load.Round]]:
    """Rounds of each server, in walks instead of answers."""
    place = Estate(home / "estate", SERVICES)
    rounds: dict[str, list[load.Round]] = {}
    with place.control(), ExitStack() as running:
        place.dump()
        servers = []
        for who in (*peers.OURS, place.coredns("CoreDNS"), place.coredns(AUTOPATH)):
            if who.missing():
                print(f"Left out: {who.title}: {who.missing()}")
                continue
            room = Path(tempfile.mkdtemp(prefix="server-", dir=home))
            started = running.enter_context(peers.running(who, peers.Setup(), place, room))
            servers.append(peers.Server(who.title, started.ports, started.pid))
        wrong = disagreements(servers)
        if wrong:
            raise RuntimeError("; ".join(wrong))
        manners = {each.name: load.Manner(_file(home, each.name), each.port) for each in servers}
        for _ in range(effort.rounds):
            for each in servers:
                told = load.measure(each, manners[each.name], effort.seconds)
                share = len(asked(each.name, OUTSIDE))
                walks = told._replace(answers=told.answers // share, lost=told.lost)
                rounds.setdefault(each.name, []).append(walks)
    return rounds


def _file(home: Path, title: str) -> Path:
    """The walks to every host, one after the other."""
    path = home / f"{title}.queries"
    walks = (asked(title, f"h{number}.{OUTSIDE}") for number in range(HOSTS))
    path.write_bytes(
        questions.stream(questions.packet(name, rtype=rtype) for one in walks for name, rtype in one)
    )
    return path


def table(rounds: Mapping[str, Sequence[load.Round]]) -> list[str]:
    """Medians; a ratio is the median of the rounds' ratios."""
    others = [name for name in rounds if name.startswith("CoreDNS")]
    titles = ["a name outside, by the search path", "walks per CPU-second", *(f"/ {each}" for each in others)]
    lines = list(report.head(titles))
    for name, each in rounds.items():
        speeds = [one.per_cpu for one in each]
        ratios = (report.ratio(speeds, [one.per_cpu for one in rounds[other]]) for other in others)
        lines.append(
            report.row([name, f"{statistics.median(speeds):,.0f}", *(f"{one:.2f}" for one in ratios)])
        )
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="short rounds: not for the record")
    with tempfile.TemporaryDirectory(prefix="fedns-bench-") as home:
        rounds = measured(Effort(3, 0.7) if parser.parse_args().quick else Effort(), Path(home))
    print("\n".join(table(rounds)))
    lost = {name: sum(each.lost for each in told) for name, told in rounds.items()}
    missed = [f"{name} lost {count}" for name, count in lost.items() if count]
    speeds = {name: [one.per_cpu for one in told] for name, told in rounds.items()}
    for mine in (each.title for each in peers.OURS if each.title in speeds):
        for other in (each for each in speeds if each.startswith("CoreDNS")):
            reached = report.ratio(speeds[mine], speeds[other])
            missed += [f"{mine} / {other} {reached:.2f} of {TARGET}"] if reached < TARGET else []
    print("missed: " + "; ".join(missed) if missed else "all targets met")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
