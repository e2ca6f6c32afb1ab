"""Answers per server CPU-second, beside Knot, NSD, BIND and gdnsd with the same zone (`make bench-dns`).

One zone of 2,000 services in 7 zones, compiled by fedns and exported as a zone file; one worker each, on
core 0; dnsperf with EDNS and DO on core 1; rounds interleaved, so that a busy machine slows all alike.
Ratios are what counts. Targets: 0.9 of Knot, 1.4 of BIND, p99 at half load at most 1.5 times Knot's.
"""

import argparse
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import dns.message
import dns.rcode
import peers

from fedns import tables
from fedns.dns import dump, federation, names, node, skeleton
from fedns.model import facts, policy
from fedns.model import snapshot as model

LOAD_CORE = "1"
QUERIES = 200_000  # in the file dnsperf repeats
LOST = 1.0  # seconds: what dnsperf waits for an answer
MISSING = 0.1  # share of queries for names that do not exist
PLACES = (
    ("us-central1", "us-central1-a"),
    ("us-central1", "us-central1-b"),
    ("us-central1", "us-central1-f"),
    ("us-east1", "us-east1-b"),
    ("europe-west1", "europe-west1-b"),
    ("europe-west1", "europe-west1-c"),
    ("asia-east1", "asia-east1-b"),
)
SETTINGS = names.Settings("myfederation", "example.com", {"ns1.example.com": ("127.0.0.1",)})

Meaning = tuple[str, frozenset[str]]


def fleet(services: int, chance: random.Random) -> model.Snapshot:
    """A member per zone; of each service about a third of the shards cannot serve."""
    members = {
        f"gce-{zone}": model.Member(f"gce-{zone}", region, (zone,), {}, (), "reachable", 0.0, 0.0)
        for region, zone in PLACES
    }
    found = {}
    for number in range(services):
        shards = tuple(_shard(each, number, chance.random() < 0.3) for each in sorted(members))
        ports = (facts.Port("http", "tcp", 80),)
        service = model.Service(
            f"team{number % 40}", f"service{number}", policy.TrafficPolicy(), shards, ports
        )
        found[f"{service.namespace}/{service.name}"] = service
    return model.Snapshot(1.0, members, found, None)


def _shard(member: str, number: int, down: bool) -> model.Shard:
    at = [zone for _, zone in PLACES].index(member.removeprefix("gce-"))
    region, zone = PLACES[at]
    address = f"104.{at + 10}.{number >> 8}.{number & 255}"
    verdict = model.Verdict("unhealthy" if down else "healthy", "bench")
    return model.Shard(member, region, (zone,), facts.ShardFacts((address,)), (address,), verdict)


def compiled(snapshot: model.Snapshot) -> dict[bytes, bytes]:
    layout = names.layout(SETTINGS, snapshot.members.values())
    entries = skeleton.skeleton(snapshot, layout)
    for service in snapshot.services.values():
        entries.update(federation.compile_service(service, layout, 1.0))
    zones = node.encode_zones([skeleton.zone(layout, 1)])
    return {**entries, node.ZONES: zones, node.READY: b"1"}


def lay_out(home: Path, services: int) -> tuple[Path, Path]:
    """Tables under `home`, and the same as a zone file; then the queries."""
    chance = random.Random(20)
    entries = compiled(fleet(services, chance))
    writer = tables.Writer(str(home / "tables"))
    writer.publish({"dns": entries}, time.time())
    writer.close()
    lines = dump.zone(entries, entries.get, SETTINGS.domain)
    assert lines is not None
    zone = home / "example.com.zone"
    zone.write_text("\n".join(lines) + "\n")
    owners = [
        key for key in entries if key[-1] == 0 and key.count(b"\x03svc") and len(list(names.labels(key))) > 6
    ]
    text = [
        b".".join(names.labels(key)).decode()
        for key in owners
        if key.startswith(b"\x07service") or b"service" in key
    ]
    queries = home / "queries"
    with queries.open("w") as file:
        for _ in range(QUERIES):
            name = chance.choice(text)
            absent = chance.random() < MISSING
            file.write(f"nosuch{name} A\n" if absent else f"{name} A\n")
    return zone, queries


def dnsperf(server: peers.Server, queries: Path, seconds: float, *more: str) -> str:
    """What it prints, by way of a file: a pipe would have us read while it measures."""
    command = ["taskset", "-c", LOAD_CORE, "dnsperf", "-s", "127.0.0.1", "-p", str(server.port)]
    command += ["-d", str(queries), "-e", "-D", "-t", str(LOST), "-l", str(seconds), *more]
    with tempfile.TemporaryFile("w+") as output:
        subprocess.run(command, stdout=output, stderr=subprocess.STDOUT, check=True)
        output.seek(0)
        return output.read()


def load(server: peers.Server, queries: Path, seconds: float) -> tuple[float, float]:
    """Answers per CPU-second of the server, and per second of the clock."""
    before = server.cpu()
    told = dnsperf(server, queries, seconds)
    used = server.cpu() - before
    answers = int(_found(r"Queries completed:\s+(\d+)", told))
    return answers / used, float(_found(r"Queries per second:\s+([\d.]+)", told))


def latency(server: peers.Server, queries: Path, seconds: float, rate: float) -> float:
    """The 99th percentile in microseconds at so many queries per second."""
    told = dnsperf(server, queries, seconds, "-Q", str(int(rate)), "-v")
    lines = [line for line in told.splitlines() if line.startswith("> ")]
    times = sorted(LOST if line.startswith("> T ") else float(line.rsplit(" ", 1)[1]) for line in lines)
    return times[int(len(times) * 0.99)] * 1e6


def _found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    if match is None:
        raise RuntimeError(f"dnsperf said: {text}")
    return match[1]


def disagreements(servers: list[peers.Server], queries: Path, count: int) -> list[str]:
    """Names to which a peer's answer is not ours (as sets; rcode, answer)."""
    lines = random.Random(7).sample(queries.read_text().splitlines(), count)
    wrong = []
    for line in lines:
        name, rtype = line.split()
        packet = dns.message.make_query(name, rtype, use_edns=0, payload=1232).to_wire()
        told = {each.name: _meaning(peers.ask(each.port, packet)) for each in servers}
        wrong += [
            f"{name}: {who} {what}" for who, what in told.items() if not _agrees(who, what, told["fedns"])
        ]
    return wrong


def _agrees(who: str, theirs: Meaning, ours: Meaning) -> bool:
    """gdnsd leaves following a CNAME to the resolver, on purpose."""
    return theirs == ours or (who == "gdnsd" and theirs[0] == ours[0] and theirs[1] < ours[1])


def _meaning(reply: bytes | None) -> Meaning:
    if reply is None:
        return "no reply", frozenset()
    read = dns.message.from_wire(reply)
    return dns.rcode.to_text(read.rcode()), frozenset(
        line for rrset in read.answer for line in rrset.to_text().splitlines()
    )


def report(rates: dict[str, list[tuple[float, float]]], delays: dict[str, list[float]]) -> bool:
    """Prints the table; True when the targets are met. Ratios are medians over the rounds."""
    print("server    answers/CPU-s  ours/theirs   answers/s   p99 us at half load  ours/theirs")
    speed, delay = {}, {}
    for name, rounds in rates.items():
        speed[name] = _ratio([each[0] for each in rates["fedns"]], [each[0] for each in rounds])
        delay[name] = _ratio(delays["fedns"], delays[name])
        per_cpu = statistics.median(each[0] for each in rounds)
        per_second = statistics.median(each[1] for each in rounds)
        late = statistics.median(delays[name])
        row = f"{per_cpu:15,.0f}{speed[name]:13.2f}{per_second:12,.0f}{late:22,.0f}{delay[name]:13.2f}"
        print(f"{name:8}{row}")
    fast = speed.get("knot", 1.0) >= 0.9 and speed.get("bind", 2.0) >= 1.4
    return fast and delay.get("knot", 1.0) <= 1.5


def _ratio(ours: list[float], theirs: list[float]) -> float:
    return statistics.median(mine / other for mine, other in zip(ours, theirs, strict=True))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--services", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0, help="per server and round")
    parser.add_argument("--only", default="", help="peers to run, comma-separated; empty for all")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fedns-bench-") as home, ExitStack() as running:
        zone, queries = lay_out(Path(home), options.services)
        servers = [running.enter_context(peers.ours(Path(home)))]
        for kind in peers.installed():
            if not options.only or kind.name in options.only.split(","):
                servers.append(running.enter_context(peers.peer(kind, zone, Path(home) / kind.name)))
        wrong = disagreements(servers, queries, 200)
        print(f"{len(wrong)} differing answers in 200 names", *wrong[:5], sep="\n  ")
        rates: dict[str, list[tuple[float, float]]] = {each.name: [] for each in servers}
        delays: dict[str, list[float]] = {each.name: [] for each in servers}
        for _ in range(options.rounds):
            for each in servers:
                rates[each.name].append(load(each, queries, options.seconds))
            for each in servers:
                half = rates[each.name][-1][1] / 2
                delays[each.name].append(latency(each, queries, options.seconds, half))
        return 0 if report(rates, delays) else 1


if __name__ == "__main__":
    sys.exit(main())
