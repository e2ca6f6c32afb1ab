"""Builds ready answers (`node.Slot`) at compile time, so that no worker composes one per packet.

Law: a body is compressed against the question name at offset 12 and nothing else before it; the CNAME
chain comes first, the addresses last, because some stub resolvers (glibc) read in order.
"""

import struct
from collections.abc import Sequence

from fedns.dns import node, wire

_FIXED = struct.Struct(">2sHHIH")  # owner pointer, type, class, ttl, rdata length
_OWNER = b"\xc0\x0c"


def slot(owner: bytes, chain: Sequence[bytes], rtype: int, ttl: int, rdatas: Sequence[bytes]) -> node.Slot:
    """The answer to `owner` (lower-case wire name): CNAMEs along `chain`, then all of `rdatas`.

    Without `rdatas` it says that the last name has none of this type; all names are then of one zone.
    """
    links, pointer = _links(owner, chain, ttl) if chain else (b"", _OWNER)
    if not rdatas:
        return node.Slot(len(chain), links, nodata=True)
    lead = _FIXED.pack(pointer, rtype, 1, ttl, len(rdatas[0]))
    body = links + lead + lead.join(rdatas)
    return node.Slot(len(chain) + len(rdatas), body, len(links), len(lead) + len(rdatas[0]))


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


def _links(owner: bytes, chain: Sequence[bytes], ttl: int) -> tuple[bytes, bytes]:
    """The CNAME records along the chain, and the pointer to the last name."""
    known: dict[bytes, int] = {}
    wire.compress(owner, known, 12)
    at, pointer, parts = 12 + len(owner) + 4, _OWNER, []
    for target in chain:
        at += _FIXED.size
        packed = wire.compress(target, known, at)
        parts.append(_FIXED.pack(pointer, node.CNAME, 1, ttl, len(packed)) + packed)
        pointer = (0xC000 | known[target]).to_bytes(2, "big")
        at += len(packed)
    return b"".join(parts), pointer


def _schedule(weights: Sequence[int]) -> bytes:
    """Smooth weighted round robin: each index as often as its weight, spread evenly."""
    total, current, order = sum(weights), [0] * len(weights), bytearray()
    for _ in range(total):
        current = [have + weight for have, weight in zip(current, weights, strict=True)]
        best = max(range(len(current)), key=current.__getitem__)
        current[best] -= total
        order.append(best)
    return bytes(order)
