"""Throws packets at `respond`: mutated queries and mutated outside packets, over both transports.

Law: no exception; a reply exactly when one may be sent; its id, size and shape hold; an error reply is
no longer than its cause; nothing grows. Prints the figures, exits 1 when an invariant broke.
Run: python tests/fuzz/fuzz_packets.py [packets] [seed]
"""

import json
import os
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import dns.exception  # noqa: E402
import dns.message  # noqa: E402

from fedns.dns import answers, node, respond, wire  # noqa: E402
from tests.conformance import probes, worlds  # noqa: E402
from tests.fuzz import findings  # noqa: E402
from tests.fuzz.findings import Findings  # noqa: E402

PACKETS = 200_000
PARSE_EVERY = 16  # dnspython reads every so many-th reply; it costs more than the rest together
WARM = 20_000  # packets before memory is first measured
VECTORS = Path(os.environ.get("FEDNS_VECTORS", ROOT.parent / "shared" / "vectors"))
_INTERESTING = (0, 1, 12, 41, 63, 64, 127, 128, 192, 255)
_SERVICE = b"\x03svc\x05probe\x07example\0"

Mutation = Callable[[random.Random, bytearray], None]


def view() -> worlds.View:
    """The probe zone, and beside it one service-like node of each slot kind."""
    table = worlds.view({probes.ORIGIN: probes.ZONE})
    four, six = [bytes([192, 0, 2, last]) for last in range(3)], [(5, [b"6" * 16]), (2, [b"7" * 16] * 2)]
    slots = {
        wire.A: answers.slot(_SERVICE, (), wire.A, 5, four),
        wire.AAAA: answers.weighted(_SERVICE, (), wire.AAAA, 5, six),
    }
    rrsets = (node.RRset(wire.A, 5, tuple(four)), node.RRset(wire.AAAA, 5, (b"6" * 16, b"7" * 16)))
    children = (
        (b"\x04_tcp", ()),
        (b"\x05_http\x04_tcp", (node.RRset(wire.SRV, 5, (b"\0" * 6 + _SERVICE,)),)),
    )
    table[_SERVICE] = node.encode(node.Node(0, node.SERVICE, rrsets, slots, children))
    return table


def seeds() -> list[bytes]:
    """Well-formed queries, the probes, and what other servers' fuzzers kept."""
    owners = ["@", "host", "svc", "_http._tcp.svc", "alias", "x.tree", "x.sub", "a.wild", "no.such", "big"]
    tails = (
        b"",
        probes.opt(),
        probes.opt(4096, flags=0x8000),
        probes.opt(options=probes.option(10, b"8" * 8)),
    )
    found = [
        probes.query(owner, rtype, tail) for owner in owners for rtype in (1, 28, 33, 255) for tail in tails
    ]
    found += [probe.packet for probe in probes.ALL]
    path = VECTORS / "dns_fuzz_packets.json"
    if path.exists():
        found += [bytes.fromhex(each["hex"]) for each in json.loads(path.read_text())["vectors"]]
    return found


def check(table: worlds.View, packet: bytes, limit: int, parse: bool) -> str:
    """The invariant that the reply to `packet` breaks; empty when none."""
    try:
        reply = respond.respond(table, packet, limit)
    except Exception as trouble:  # any exception at all is what is looked for
        return f"raised {trouble!r}"
    silent = len(packet) < wire.HEADER or bool(packet[2] & 0x80)
    if reply is None or silent:
        return "" if (reply is None) == silent else "replies where it must not, or not where it must"
    if reply[:2] != packet[:2] or not reply[2] & 0x80:
        return "another id, or no reply at all"
    if len(reply) > limit or (limit != wire.STREAM and len(reply) > 512 and b"\0\0\x29" not in packet):
        return f"{len(reply)} octets are too many"
    if reply[3] & 15 == wire.FORMERR and len(reply) > len(packet) + 17:  # 17: our OPT with an extended error
        return "amplifies an error"
    return _parses(reply) if parse else ""


def _parses(reply: bytes) -> str:
    try:
        dns.message.from_wire(reply)
    except dns.message.Truncated:
        return ""
    except dns.exception.DNSException as trouble:
        return f"does not parse: {trouble!r}"
    return ""


def _flip(chance: random.Random, packet: bytearray) -> None:
    for _ in range(chance.randint(1, 4)):
        if packet:
            packet[chance.randrange(len(packet))] = chance.choice((*_INTERESTING, chance.randrange(256)))


def _cut(chance: random.Random, packet: bytearray) -> None:
    del packet[chance.randint(0, len(packet)) :]


def _insert(chance: random.Random, packet: bytearray) -> None:
    at = chance.randint(0, len(packet))
    packet[at:at] = chance.randbytes(chance.choice((1, 2, 11, 64, 300)))


def _count(chance: random.Random, packet: bytearray) -> None:
    if len(packet) >= wire.HEADER:
        packet[chance.randrange(4, 12)] = chance.choice(_INTERESTING)


def _repeat(chance: random.Random, packet: bytearray) -> None:
    at = chance.randint(0, len(packet))
    packet += packet[at : at + chance.randint(0, 64)] * chance.randint(1, 8)


def _noise(chance: random.Random, packet: bytearray) -> None:
    packet[:] = chance.randbytes(chance.choice((0, 11, 12, 17, 40, 512, 4096)))


def _query(chance: random.Random, packet: bytearray) -> None:
    """Make a message a query again, so that mutations reach beyond the first test."""
    if len(packet) >= wire.HEADER:
        packet[2] &= 0x01
        packet[4:6] = b"\0\1"


MUTATIONS: tuple[Mutation, ...] = (_flip, _flip, _flip, _cut, _insert, _count, _repeat, _noise, _query)


def mutate(chance: random.Random, packet: bytes) -> bytes:
    changed = bytearray(packet)
    for _ in range(chance.randint(1, 3)):
        chance.choice(MUTATIONS)(chance, changed)
    return bytes(changed[:65535])


def run(packets: int, seed: int) -> Findings:
    chance, table, start = random.Random(seed), view(), seeds()
    found = Findings("packets", WARM)
    for number in range(packets):
        packet = start[number] if number < len(start) else mutate(chance, chance.choice(start))
        limit = chance.choice((wire.OWN_SIZE, wire.OWN_SIZE, wire.STREAM))
        began = time.perf_counter()
        trouble = check(table, packet, limit, number % PARSE_EVERY == 0)
        due = len(packet) >= wire.HEADER and not packet[2] & 0x80
        found.note("replies due" if due else "no reply due", time.perf_counter() - began)
        if trouble:
            found.blame(f"{trouble}: {packet.hex()}")
    if check(table, probes.query("@", wire.SOA), wire.OWN_SIZE, True):
        found.blame("the zone no longer answers")
    return found


if __name__ == "__main__":
    sys.exit(findings.main(run, PACKETS))
