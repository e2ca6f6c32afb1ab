"""Builds ready answers (`node.Slot`) at compile time, so that no worker composes one per packet.

Law: a body is compressed against the question name at offset 12 and nothing else before it; the CNAME
chain comes first, the addresses last, because some stub resolvers (glibc) read in order.
"""

import struct
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from fedns.dns import node, wire

_FIXED = struct.Struct(">2sHHIH")  # owner pointer, type, class, ttl, rdata length
_OWNER = b"\xc0\x0c"
_BLANK = node.RRset(0, 0, ())
_NO_LINKS = b"", _OWNER, 0

Families = tuple[Sequence[bytes], Sequence[bytes]]


def slot(owner: bytes, chain: Sequence[bytes], rtype: int, ttl: int, rdatas: Sequence[bytes]) -> node.Slot:
    """The answer to `owner` (lower-case wire name): CNAMEs along `chain`, then all of `rdatas`.

    Without `rdatas` it says that the last name has none of this type; all names are then of one zone.
    """
    links, pointer, _ = _links(owner, tuple(chain), ttl) if chain else _NO_LINKS
    if not rdatas:
        return node.Slot(len(chain), links, nodata=True)
    lead = _FIXED.pack(pointer, rtype, 1, ttl, len(rdatas[0]))
    body = links + lead + lead.join(rdatas)
    return node.Slot(len(chain) + len(rdatas), body, len(links), len(lead) + len(rdatas[0]))


class Path(NamedTuple):
    """A name and the names that it leads through, all lower-case wire; `SELF` leads nowhere. Where they end
    in another zone than the owner's, that is the one at `apex`, with this number."""

    owner: bytes
    chain: tuple[bytes, ...]
    apex: bytes = b""
    zone: int = 0


SELF = Path(wire.ROOT, ())


def stem(node_of: tuple[int, int], ttl: int, families: Families, path: Path = SELF) -> bytes:
    """`node.encode` of a childless node of (zone, flags), with both slots ready and the RRsets that go with
    them: these (IPv4, IPv6) addresses, or a CNAME to the first name of the path that ends at them.

    The same octets in a fraction of the time, for almost all names are such.
    """
    v4, v6 = families
    if len(v4) == 1 and not v6 and not path.chain:  # most names of one zone
        before, between = _lone(node_of, ttl)
        return before + v4[0] + between + v4[0]
    links, pointer, top = _links(path.owner, path.chain, ttl, path.apex) if path.chain else _NO_LINKS
    parts = [_start(node_of, (len(path.chain), len(links), top, path.zone), len(v4), len(v6))]
    for rtype, rdatas in ((wire.A, v4), (wire.AAAA, v6)):
        parts.append(links)
        if rdatas:
            lead = _FIXED.pack(pointer, rtype, 1, ttl, len(rdatas[0]))
            parts += (lead, lead.join(rdatas))
    if path.chain:
        parts.append(node.rrset(wire.CNAME, ttl, path.chain[:1]))
        return b"".join(parts)
    if v4:
        parts.append(node.rrset(wire.A, ttl, v4))
    if v6:
        parts.append(node.rrset(wire.AAAA, ttl, v6))
    return b"".join(parts)


@lru_cache(maxsize=1024)
def _lone(node_of: tuple[int, int], ttl: int) -> tuple[bytes, bytes]:
    """What stands before and between the two places of a lone IPv4 address."""
    lead = _FIXED.pack(_OWNER, wire.A, 1, ttl, 4)
    return _start(node_of, (0, 0, 0, 0), 1, 0) + lead, node.rrset(wire.A, ttl, (bytes(4),))[:-4]


@lru_cache(maxsize=1024)
def _start(node_of: tuple[int, int], links: tuple[int, int, int, int], v4: int, v6: int) -> bytes:
    """What `node.encode` puts before the bodies: it hangs on (zone, flags), on how many links in how many
    octets there are, where in them the apex of another zone stands and which that is, and on how many
    addresses."""
    count, size, top, other = links
    slots = {
        rtype: node.Slot(count + number, bytes(size + unit * number), *((size, unit) if number else (0, 0)))
        for rtype, number, unit in ((wire.A, v4, _FIXED.size + 4), (wire.AAAA, v6, _FIXED.size + 16))
    }
    ready = {rtype: slot if slot.unit else _denied(slot, top, other) for rtype, slot in slots.items()}
    rrsets = (_BLANK,) if count else (_BLANK,) * (bool(v4) + bool(v6))
    return node.encode(node.Node(*node_of, rrsets, ready))[: node.BODIES]


def _denied(slot: node.Slot, top: int, zone: int) -> node.Slot:
    return slot._replace(nodata=True, rotate_at=top, unit=zone if top else 0)


def weighted(
    owner: bytes,
    chain: Sequence[bytes],
    rtype: int,
    ttl: int,
    choices: Sequence[tuple[int, Sequence[bytes]]],
) -> node.Slot:
    """The answer that gives each of `choices` (weight, rdatas) in turn, in proportion to its weight.

    Weights are small whole numbers (their sum is the schedule's length, at most 65535); at most 256 choices.
    """
    slots = [slot(owner, chain, rtype, ttl, rdatas) for _, rdatas in choices]
    schedule = _schedule([weight for weight, _ in choices])
    first = slots[0]
    variants = tuple((each.ancount, each.body) for each in slots)
    return node.Slot(first.ancount, b"", first.rotate_at, first.unit, schedule, variants)


@lru_cache(maxsize=8)  # the other family's answer comes next
def _links(owner: bytes, chain: tuple[bytes, ...], ttl: int, apex: bytes = b"") -> tuple[bytes, bytes, int]:
    """The CNAME records along the chain, the pointer to the last name, and the offset of a name above one of
    them (0: of none)."""
    known: dict[bytes, int] = {}
    wire.compress(owner, known, 12)
    at, pointer, parts = 12 + len(owner) + 4, _OWNER, []
    for target in chain:
        at += _FIXED.size
        packed = wire.compress(target, known, at)
        parts.append(_FIXED.pack(pointer, node.CNAME, 1, ttl, len(packed)) + packed)
        pointer = (0xC000 | known[target]).to_bytes(2, "big")
        at += len(packed)
    return b"".join(parts), pointer, known.get(apex, 0)


def _schedule(weights: Sequence[int]) -> bytes:
    """Smooth weighted round robin: each index as often as its weight, spread evenly."""
    total, current, order = sum(weights), [0] * len(weights), bytearray()
    for _ in range(total):
        current = [have + weight for have, weight in zip(current, weights, strict=True)]
        best = max(range(len(current)), key=current.__getitem__)
        current[best] -= total
        order.append(best)
    return bytes(order)
