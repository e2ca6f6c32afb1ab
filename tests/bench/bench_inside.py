"""What the cluster domain costs: its table for 10,000 services x 20 members with clients, a change of one
shard, and questions that hit or miss, over the tables that workers read: in Python, and by the compiled core
where there is one, which has each question once anew and then again. `make bench-walk` measures servers.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from ipaddress import IPv4Address
from pathlib import Path
from typing import NamedTuple

import msgspec

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from fedns import tables
from fedns.dns import (
    annex,
    atlas,
    client,
    federation,
    inside,
    names,
    node,
    places,
    rate,
    respond,
    skeleton,
    wire,
)
from fedns.model import facts, policy, snapshot
from fedns.servers import batch, counters, prompt
from tests.servers import forms

NOW = 1_800_000_000.0
ROUNDS = 20_000  # questions of each kind
CHANGES = 200
CORED = 9_600  # by the compiled core, each another one
_ASKS = b"\1\0\0\1\0\0\0\0\0\1"  # flags and counts
_OPT = b"\0\0\x29\x04\xd0\0\0\0\0\0\0"


class Shape(NamedTuple):
    services: int
    members: int


class Fleet(NamedTuple):
    snapshot: snapshot.Snapshot
    layout: names.Layout
    atlas: places.Atlas


def fleet(shape: Shape) -> Fleet:
    """Each member is alone in its zone, four zones to a region, and has a /16 of clients."""
    members = {}
    for number in range(shape.members):
        name, region = f"m{number}", f"region{number // 4}"
        place = region, (f"{region}-{number % 4}",)
        members[name] = snapshot.Member(name, *place, {}, (), "reachable", NOW, NOW)
    services = {f"ns{each % 100}/svc{each}": _service(each, members) for each in range(shape.services)}
    clients = {name: (f"10.{number}.0.0/16",) for number, name in enumerate(members)}
    drawn = atlas.draw(atlas.Settings(clients=clients), members.values())
    settings = names.Settings("fed", "example.com", {"ns1.example.com": ("127.0.0.1",)})
    layout = names.layout(settings, members.values(), 0, {}, drawn.places)
    return Fleet(snapshot.Snapshot(NOW, members, services), layout, drawn.atlas)


def _service(number: int, members: Mapping[str, snapshot.Member]) -> snapshot.Service:
    ports = (facts.Port("http", "tcp", 80),)
    shards = tuple(
        _shard(number * len(members) + at, each, ports) for at, each in enumerate(members.values())
    )
    order = tuple(sorted(shards, key=lambda shard: shard.member))
    return snapshot.Service(f"ns{number % 100}", f"svc{number}", policy.TrafficPolicy(), order, ports)


def _shard(number: int, member: snapshot.Member, ports: tuple[facts.Port, ...]) -> snapshot.Shard:
    published, own = str(IPv4Address(0xC6000000 + number)), str(IPv4Address(0xAC000000 + number))
    ready = (facts.ZoneReadiness(member.zones[0], 3, 3, 0, 3),)
    told = facts.Inside(cluster_ips=(own,))
    said = facts.ShardFacts((published,), (), ports, ready, None, told)
    verdict = snapshot.Verdict("healthy", "3 of 3 endpoints ready", NOW - 60)
    return snapshot.Shard(member.name, member.region, member.zones, said, (published,), verdict)


def down(service: snapshot.Service, at: int) -> snapshot.Service:
    """The service with one of its shards lost."""
    lost = snapshot.Verdict("unhealthy", "0 of 3 endpoints ready", NOW)
    shards = list(service.shards)
    shards[at] = msgspec.structs.replace(shards[at], verdict=lost)
    return msgspec.structs.replace(service, shards=tuple(shards))


def timed(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def write(made: Fleet, kinds: tuple[annex.Kind, ...], folder: str) -> tuple[float, int]:
    """CPU seconds of compiling and writing, and octets of the entries."""
    writer = tables.Writer(folder)
    size = 0

    def parts() -> Iterator[dict[bytes, bytes | None]]:
        nonlocal size
        served = [skeleton.zone(made.layout, 1)]
        yield dict(skeleton.skeleton(made.snapshot, made.layout))
        for service in made.snapshot.services.values():
            part = federation.changes(service, made.layout, NOW)
            size += sum(len(key) + len(value or b"") for key, value in part.items())
            yield part
        for kind in kinds:
            opened = kind.open(annex.Setting(made.layout, made.snapshot.members, len(served)))
            assert opened is not None
            served.append(opened.zone)
            for part in opened.whole(made.snapshot, NOW):
                size += sum(len(key) + len(value or b"") for key, value in part.items())
                yield part
        drawn = places.encode(made.atlas)
        yield {
            node.ATLAS: drawn,
            node.ATLAS_STAMP: places.stamp(drawn),
            node.ZONES: node.encode_zones(served),
            node.READY: b"1",
        }

    used = timed(lambda: writer.publish({"dns": parts()}, NOW))
    writer.close()
    return used, size


class Pod(client.Client):
    """Somebody in the member with this number, or (None) nowhere."""

    def __init__(self, member: int | None) -> None:
        super().__init__(client.NOBODY.host)
        self._address = bytes((10, member, 0, 9)) if member is not None else b"\xc0\0\2\1"

    def address(self) -> bytes:
        return self._address


QUESTIONS = (
    ("a federated global name", "svc%d.ns%d.fed.svc.example.com"),
    ("S.N.F.svc of a pod: the local service", "svc%d.ns%d.fed.svc.cluster.local"),
    ("S.N.svc of a pod", "svc%d.ns%d.svc.cluster.local"),
    ("S.N.F.<ns>.svc, the first step of a search", "svc%d.ns%d.fed.ns7.svc.cluster.local"),
    ("the same in a namespace that the fleet does not know", "svc%d.ns%d.fed.mine.svc.cluster.local"),
    ("an outside name .svc.cluster.local", "www%d.google%d.com.svc.cluster.local"),
    ("an outside name .cluster.local", "www%d.google%d.com.cluster.local"),
    ("an outside name, deep", "a%d.b%d.c.d.e.f.www.google.com.mine.svc.cluster.local"),
)


def packets(shape: Shape, pattern: str, count: int) -> list[bytes]:
    """Plain queries for A, with EDNS."""
    made = []
    for number in range(count):
        each = number % shape.services
        name = names.wire(pattern % (each, each % 100))
        made.append(number.to_bytes(2, "big") + _ASKS + name + b"\0\1\0\1" + _OPT)
    return made


class Core:
    """A compiled core without sockets, whose clients are all in one place."""

    opened = 0

    def __init__(self, form: prompt.Form, reader: tables.Reader, folder: str) -> None:
        self.view, self.marks = reader.view, reader.marks
        self._frames = forms.frames()
        rows = form.core.Rows(1, prompt.Reading(self))
        gate = form.gate.Gate(rate.Limiter(rate.Limits(), 1), self._frames, 1)
        layout = counters.layout(counters.Cells(str(Path(folder) / "counters")))
        self._core = form.core.Core(rows, self._frames, layout, self, gate)

    def signed(self) -> bool:
        return False

    def place(self, index: int, known: places.Places) -> int:
        return known.find(Pod(3).address(), None).place

    def speed(self, asked: list[bytes]) -> float:
        """Answers per CPU second."""
        used, frames = 0.0, self._frames
        for first in range(0, len(asked), batch.SIZE):
            some = asked[first : first + batch.SIZE]
            for at, packet in enumerate(some):
                frames.requests[at * batch.SLOT : at * batch.SLOT + len(packet)] = packet
                frames.received[at] = len(packet)
            began = time.process_time()
            left = self._core.answer(len(some))
            used += time.process_time() - began
            assert not left
        return len(asked) / used


def asked(shape: Shape, reader: tables.Reader) -> Iterator[tuple[str, float]]:
    """Answers per CPU second of one process that runs `respond`."""
    pod = Pod(3)
    for title, pattern in QUESTIONS:
        view, asked = reader.view(), packets(shape, pattern, ROUNDS)

        def run(asked: list[bytes] = asked, view: tables.View = view) -> None:
            for packet in asked:
                respond.respond(view, packet, wire.OWN_SIZE, pod)

        run()
        yield title, ROUNDS / timed(run)
        view.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--services", type=int, default=10_000)
    parser.add_argument("--members", type=int, default=20)
    options = parser.parse_args()
    shape = Shape(options.services, options.members)
    made, kind = fleet(shape), inside.Kind(inside.Settings())
    print(f"{shape.services:,} services x {shape.members} members with clients\n")
    with tempfile.TemporaryDirectory(prefix="fedns-inside-") as folder:
        alone, plain = write(made, (), str(Path(folder) / "alone"))
        both, size = write(made, (kind,), str(Path(folder) / "both"))
        print(f"federated names alone: {alone:.1f} s of CPU, {plain / 2**20:.0f} MiB of entries")
        print(f"with cluster.local:    {both:.1f} s of CPU, {size / 2**20:.0f} MiB of entries")
        zone = kind.open(annex.Setting(made.layout, made.snapshot.members, 1))
        assert zone is not None
        changed(made, zone)
        reader = tables.Reader(str(Path(folder) / "both"))
        print("\n| question | answers per CPU-second of `respond` |\n|---|---|")
        for title, speed in asked(shape, reader):
            print(f"| {title} | {speed:,.0f} |")
        if prompt.compiled is not None:
            print("\n| question | anew, of the compiled core | again |\n|---|---|---|")
            core = Core(prompt.compiled, reader, folder)
            for title, pattern in QUESTIONS[1:]:
                anew, again = (core.speed(packets(shape, pattern, CORED)) for _ in range(2))
                print(f"| {title} | {anew:,.0f} | {again:,.0f} |")
        reader.close()
    return 0


def changed(made: Fleet, zone: inside.Domain) -> None:
    """One shard is lost."""
    keys = sorted(made.snapshot.services)[:CHANGES]
    befores = [made.snapshot.services[key] for key in keys]
    afters = [down(service, at % len(service.shards)) for at, service in enumerate(befores)]
    old = [zone.entries(service, NOW) for service in befores]
    used = timed(lambda: [zone.entries(service, NOW) for service in afters])
    new = [zone.entries(service, NOW) for service in afters]
    written = sum(one[name] != two[name] for one, two in zip(old, new, strict=True) for name in one)
    print(
        f"one shard lost: {used / len(keys) * 1000:.2f} ms of CPU, {written / len(keys):.1f} entries written"
    )


if __name__ == "__main__":
    raise SystemExit(main())
