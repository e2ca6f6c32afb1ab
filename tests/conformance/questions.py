"""Random questions around given zones: names in, below and beside them, any type and class, odd EDNS.

Law: a seed gives the same questions for ever; each stands for itself. Half are what resolvers ask, half
are what nobody should.
"""

import random
import struct
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import dns.name

from fedns.dns import wire
from tests.conformance import probes

COMMON = (1, 28, 5, 2, 6, 12, 15, 16, 33, 35, 39, 43, 48, 46, 47, 44, 52, 64, 65, 255, 257, 99, 13, 29, 24)
"""Types that are asked in the wild; the rest of the 16 bits is drawn evenly."""
META = (0, 41, 128, 249, 250, 251, 252, 253, 254, 255)
SIZES = (0, 100, 511, 512, 513, 1232, 1400, 4096, 65535)
LABELS = (b"a", b"*", b"www", b"_tcp", b"_25", b"xn--nxasmq6b", b"\0", b"a.b", b" ", b"\xff", b"0", b"x" * 63)
BESIDE = ("com.", ".", "net.", "other.com.", "xacme.com.", "acme.com.other.", "localhost.", "in-addr.arpa.")
_OPTIONS = (
    (3, b""),
    (8, b"\0\1\x18\0\xc0\0\2"),
    (8, b"\0\2\x38\0\x20\x01\x0d\xb8\0\0\0"),
    (8, b"\0\0\0\0"),
    (9, b""),
    (10, b"12345678"),
    (10, b"12345678" + b"s" * 16),
    (11, b""),
    (12, b"\0" * 9),
    (13, b"\0"),
    (14, b"\x4f\x66"),
    (15, b"\0\0"),
    (18, b"\0"),
    (100, b""),
    (65001, b"any"),
    (65535, b""),
)


class Question(NamedTuple):
    """One packet and how it goes out. `edns` tells of its OPT record: (version, flags, option codes)."""

    packet: bytes
    stream: bool
    name: bytes
    type: int
    klass: int
    opcode: int
    edns: tuple[int, int, tuple[int, ...]] | None

    @property
    def size(self) -> int:
        """Octets of reply that the asker takes over UDP."""
        if self.edns is None:
            return wire.CLASSIC_SIZE
        return max(wire.CLASSIC_SIZE, int.from_bytes(self.packet[-self._opt + 3 : -self._opt + 5], "big"))

    @property
    def _opt(self) -> int:
        return len(self.packet) - wire.HEADER - len(self.name) - 4

    def about(self, name: bytes) -> "Question":
        """The same about another name."""
        packet = self.packet[: wire.HEADER] + name + self.packet[wire.HEADER + len(self.name) :]
        return self._replace(packet=packet, name=name)

    def __str__(self) -> str:
        shown = dns.name.from_wire(self.name, 0)[0].to_text()
        flags = int.from_bytes(self.packet[2:4], "big")
        how = "tcp" if self.stream else f"udp {self.size}"
        return f"{shown} type {self.type} class {self.klass} flags {flags:04x} {how} edns {self.edns}"


def draw(seed: int, count: int, names: Sequence[bytes]) -> Iterator[Question]:
    """`count` questions about and around `names` (lower-case wire)."""
    chance = random.Random(seed)
    for _ in range(count):
        yield _question(chance, names)


def _question(chance: random.Random, names: Sequence[bytes]) -> Question:
    name = _case(chance, _name(chance, names))
    rtype = _type(chance)
    klass = 1 if chance.random() < 0.93 else chance.choice((0, 2, 3, 4, 254, 255, chance.randrange(65536)))
    opcode = 0 if chance.random() < 0.95 else chance.randrange(16)
    flags = opcode << 11 | _flags(chance)
    edns, tail = _edns(chance)
    packet = probes.header(flags, extras=int(bool(tail))) + name + struct.pack(">HH", rtype, klass) + tail
    ident = chance.randrange(65536).to_bytes(2, "big")
    return Question(ident + packet[2:], chance.random() < 0.1, name, rtype, klass, opcode, edns)


def _name(chance: random.Random, names: Sequence[bytes]) -> bytes:
    kind = chance.random()
    if kind < 0.1:
        name = dns.name.from_text(chance.choice(BESIDE)).to_wire()
    else:
        name = chance.choice(names)
    if kind < 0.55 and kind >= 0.1:
        return name
    if chance.random() < 0.3 and name[0]:
        name = wire.parent(name)
    for _ in range(chance.choice((0, 1, 1, 1, 2, 3))):
        label = chance.choice(LABELS) if chance.random() < 0.7 else _label(chance, names)
        if len(label) + 1 + len(name) <= wire.MAX_NAME:
            name = bytes((len(label),)) + label + name
    return name


def _label(chance: random.Random, names: Sequence[bytes]) -> bytes:
    """The first label of another name, or some octets."""
    name = chance.choice(names)
    return name[1 : 1 + name[0]] or bytes(chance.randrange(256) for _ in range(chance.randint(1, 9)))


def _case(chance: random.Random, name: bytes) -> bytes:
    """The name as a resolver that plays with case writes it."""
    if chance.random() < 0.5:
        return name
    return bytes(
        each ^ 32 if chr(each).isascii() and chr(each).isalpha() and chance.random() < 0.5 else each
        for each in name
    )


def _type(chance: random.Random) -> int:
    kind = chance.random()
    if kind < 0.75:
        return chance.choice(COMMON)
    if kind < 0.85:
        return chance.choice(META)
    return chance.randrange(300) if kind < 0.95 else chance.randrange(65536)


def _flags(chance: random.Random) -> int:
    flags = 0
    for bit in (wire.RD, 0x20, 0x10):
        flags |= bit * (chance.random() < 0.3)
    for bit in (wire.AA, wire.TC, 0x80, 0x40, chance.randrange(16)):
        flags |= bit * (chance.random() < 0.02)
    return flags


def _edns(chance: random.Random) -> tuple[tuple[int, int, tuple[int, ...]] | None, bytes]:
    if chance.random() < 0.35:
        return None, b""
    version = 0 if chance.random() < 0.93 else chance.randrange(256)
    flags = 0x8000 * (chance.random() < 0.3) | 0x4000 * (chance.random() < 0.1)
    if chance.random() < 0.05:
        flags |= chance.randrange(0x4000)
    chosen = chance.sample(_OPTIONS, chance.choice((0, 0, 0, 1, 1, 2, 3)))
    codes = tuple(code for code, _ in chosen)
    if len(set(codes)) < len(codes):
        chosen, codes = [], ()
    options = b"".join(probes.option(code, data) for code, data in chosen)
    size = chance.choice(SIZES)
    return (version, flags, codes), probes.opt(size, version, flags, options)
