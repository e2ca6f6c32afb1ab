"""Octets out per octet in: what a forged query may be good for (`make bench-flood` runs it too).

Every name of three zones, with every type, EDNS in every size and with every option, other classes and
opcodes, over UDP: the demo's kind of fleet, the corporate zone of `zones/`, and a short name with as much TXT
as fits. fedns, Knot, NSD and BIND serve the same. Target: ours is never above the worst peer's.
"""

import argparse
import random
import re
import select
import socket
import struct
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import estate
import peers
import recipes

SERVICES = 40
STATIC = recipes.ROOT / "zones" / "acme.com.zone"
LARGE = """$ORIGIN t.
@ 300 SOA ns.t. h.t. 1 3600 900 86400 300
@ 300 NS ns.t.
ns.t. 300 A 192.0.2.1
"""
TEXTS = 4  # of 250 octets each
TYPES = (1, 2, 5, 6, 12, 15, 16, 28, 29, 33, 35, 39, 43, 44, 46, 47, 48, 52, 64, 65)
TYPES += (99, 251, 252, 253, 255, 257, 65280)
OPTIONS = {3: b"", 9: b"", 10: b"8 octets", 19: b"", 8: b"\0\1\x18\0\xc6\x33\x64"}  # EDNS
_SIGNED = frozenset((recipes.SIGNED,))
BURST, WAIT = 32, 0.3  # questions under way, seconds for the last of them
HEADERS = 28  # octets of IPv4 and UDP
ADDED = {
    "knot": '  - domain: {name}\n    file: "{file}"\n',
    "nsd": 'zone:\n  name: {name}\n  zonefile: "{file}"\n',
    "bind": 'zone "{name}" {{{{ type primary; file "{file}"; }}}};\n',
}


class Worst(NamedTuple):
    """The best that a forger finds: reply and query."""

    reply: int = 0
    query: bytes = bytes(512)

    @property
    def ratio(self) -> float:
        return self.reply / len(self.query)

    @property
    def wired(self) -> float:
        return (self.reply + HEADERS) / (len(self.query) + HEADERS)


class Both(estate.Estate):
    """The fleet and the static zones."""

    def configure(self, home: Path, features: frozenset[str], workers: int, ports: Mapping[str, int]) -> Path:
        path = super().configure(home, features, workers, ports)
        path.write_text(f"{path.read_text()}zones: [{self.root.parent / 'zones'}]\n")
        return path


def opts() -> list[bytes]:
    """No OPT record, and those of every size, option and flag."""
    bare = [
        struct.pack(">BHHHHH", 0, 41, size, 0, do, 0) for size in (512, 1232, 65535) for do in (0, 0x8000)
    ]
    told = [struct.pack(">HH", code, len(data)) + data for code, data in OPTIONS.items()]
    options = [
        struct.pack(">BHHHHH", 0, 41, 65535, 0, 0x8000, len(each)) + each for each in (*told, b"".join(told))
    ]
    return [b"", *bare, *options]


def questions(names: Sequence[str]) -> Iterator[bytes]:
    for name in names:
        labels = b"".join(bytes((len(each),)) + each.encode() for each in name.split(".") if each) + b"\0"
        for rtype in TYPES:
            for opt in opts():
                yield (
                    struct.pack(">6H", 0, 0, 1, 0, 0, bool(opt)) + labels + struct.pack(">HH", rtype, 1) + opt
                )
    for opt in opts():
        for name in (b"\7version\4bind\0", b"\2id\6server\0"):
            yield struct.pack(">6H", 0, 0, 1, 0, 0, bool(opt)) + name + struct.pack(">HH", 16, 3) + opt
        yield struct.pack(">6H", 0, 0, 0, 0, 0, bool(opt)) + opt
        for opcode in range(1, 16):
            flags = opcode << 11
            head = struct.pack(">6H", 0, flags, 1, 0, 0, bool(opt))
            yield head + b"\4acme\3com\0" + struct.pack(">HH", 6, 1) + opt


def owners(text: str, origin: str) -> set[str]:
    """Names that begin lines of a master file, the origin among them."""
    found = set(re.findall(r"^([-\w.*@]+)\s", text, re.M))
    full = {name.rstrip(".") if name.endswith(".") else f"{name}.{origin}" for name in found - {"@"}}
    return full | {origin}


def worst(port: int, asked: Sequence[bytes]) -> tuple[Worst, Worst]:
    """Of all questions, and of those without EDNS."""
    best = plain = Worst()
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.connect(("127.0.0.1", port))
        for start in range(0, len(asked), BURST):
            burst = asked[start : start + BURST]
            for number, packet in enumerate(burst):
                sock.send(number.to_bytes(2, "big") + packet[2:])
            for ident, size in _replies(sock, len(burst)):
                found = Worst(size, burst[ident])
                best = max(best, found, key=lambda each: each.ratio)
                if not burst[ident][11]:
                    plain = max(plain, found, key=lambda each: each.ratio)
    return best, plain


def _replies(sock: socket.socket, wanted: int) -> Iterator[tuple[int, int]]:
    """(ID, octets) of what comes; many a question rightly gets no reply."""
    for _ in range(wanted):
        if not select.select([sock], [], [], WAIT)[0]:
            return
        reply = sock.recv(65535)
        yield reply[1], len(reply)


def described(query: bytes) -> str:
    end = query.index(0, 12)
    labels, at = [], 12
    while at < end:
        labels.append(query[at + 1 : at + 1 + query[at]].decode())
        at += 1 + query[at]
    rtype = int.from_bytes(query[end + 1 : end + 3], "big")
    return f"`{'.'.join(labels)}.` type {rtype}, {len(query)} octets"


def _told(title: str, zone: str, port: int, many: Sequence[bytes]) -> float:
    """Prints the row of a server and zone; its worst ratio."""
    best, plain = worst(port, many)
    each = (title, zone, f"{best.ratio:.1f}", f"{best.wired:.1f}", described(best.query))
    print(f"| {' | '.join(each)} | {best.reply} | {plain.ratio:.1f} |", flush=True)
    return best.ratio


def main() -> int:
    argparse.ArgumentParser(description=__doc__).parse_args()
    with tempfile.TemporaryDirectory(prefix="fedns-amplification-") as text, ExitStack() as running:
        home = Path(text)
        zones = {"acme.com": home / "zones" / "acme.com.zone", "t": home / "zones" / "t.zone"}
        zones["t"].parent.mkdir()
        corporate = re.sub(r"^\$GENERATE.*\n", "", STATIC.read_text(), flags=re.M)  # Knot and NSD lack it
        zones["acme.com"].write_text(corporate)
        zones["t"].write_text(LARGE + "".join(f'@ 300 TXT "{n:02d}{"x" * 248}"\n' for n in range(TEXTS)))
        place = Both(home / "estate", SERVICES)
        sealed = Both(home / "sealed", SERVICES, signed=True)
        for each in (place, sealed):
            running.enter_context(each.control())
            each.dump()
        sealed.sign()
        fleet = ["example.com", "nosuch.example.com", *random.Random(5).sample(place.names(), 12)]
        asked = {
            "fleet": fleet,
            "`zones/`": [*sorted(owners(corporate, "acme.com")), "no.acme.com", "x.pages.acme.com"],
            "1 KB of TXT": ["t", "ns.t", "no.t"],
        }
        packets = {zone: list(questions(names)) for zone, names in asked.items()}
        secure = {"fleet, signed": packets["fleet"]}
        print(f"{sum(map(len, [*packets.values(), *secure.values()])):,} questions")
        print(
            "| server | zone | octets out/in | with IP and UDP headers | the query | reply | without EDNS |"
        )
        print("|---|---|---|---|---|---|---|")
        found: dict[str, dict[str, float]] = {}
        for who in (*peers.OURS[:1], *recipes.PEERS):
            if who.missing() or who.name not in ("fedns", *ADDED):
                continue
            if isinstance(who, recipes.Recipe):
                added = "".join(ADDED[who.name].format(name=name, file=file) for name, file in zones.items())
                who = replace(who, config=who.config + added)
            for features, where, wanted in ((frozenset(), place, packets), (_SIGNED, sealed, secure)):
                inside = home / who.name / where.root.name
                inside.mkdir(parents=True)
                with peers.running(who, peers.Setup(features), where, inside) as server:
                    for zone, many in wanted.items():
                        found.setdefault(zone, {})[who.name] = _told(who.title, zone, server.port, many)
    missed = [zone for zone, by in found.items() if by["fedns"] > 1.02 * max(by.values())]
    print("missed: worse than every peer in " + ", ".join(missed) if missed else "all targets met")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
