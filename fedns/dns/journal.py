"""The steps from one serial of a zone to the next, as the journal keeps them (RFC 1995).

Law: one entry per zone and generation, keyed so that a zone's entries lie in order. An entry tells from
which serial it leads to which; a history is a chain without a gap, or there is none.
"""

import struct
from collections.abc import Iterable
from typing import NamedTuple

from fedns.dns import difference, node

_HEAD = struct.Struct(">IIHHIII")  # serials before and after, SOA sizes, SOA TTLs, size of what was removed
_GENERATION = 8  # octets
RECORDS = 60_000
"""RRsets in one entry at most; who changes more is better copied whole."""


class Step(NamedTuple):
    """From one version of a zone to another."""

    before: node.Zone
    after: node.Zone
    change: difference.Difference


def key(apex: bytes, generation: int) -> bytes:
    return apex + generation.to_bytes(_GENERATION, "big")


def generation(key: bytes) -> int:
    return int.from_bytes(key[-_GENERATION:], "big")


def encode(step: Step) -> bytes | None:
    """The entry; None for a step that is too large to be one."""
    before, after, (removed, added) = step
    if len(removed) > RECORDS or len(added) > RECORDS:
        return None
    went, came = _packed(removed), _packed(added)
    sizes = (len(before.soa), len(after.soa), before.soa_ttl, after.soa_ttl, len(went))
    head = _HEAD.pack(number(before), number(after), *sizes)
    return head + before.soa + after.soa + went + came


def decode(apex: bytes, entry: bytes) -> Step:
    _, _, old, new, old_ttl, new_ttl, size = _HEAD.unpack_from(entry)
    middle = _HEAD.size + old
    end = middle + new
    before = node.Zone(apex, entry[_HEAD.size : middle], old_ttl)
    after = node.Zone(apex, entry[middle:end], new_ttl)
    change = difference.Difference(_unpacked(entry[end : end + size]), _unpacked(entry[end + size :]))
    return Step(before, after, change)


def chain(entries: Iterable[tuple[bytes, bytes]], serial: int, current: int) -> list[bytes] | None:
    """The keys that lead from `serial` to `current`, in order; None where the history has a gap or does not
    reach back. `entries` are a zone's, the latest first."""
    found: list[bytes] = []
    for name, entry in entries:
        if current == serial:
            break
        start, end = struct.unpack_from(">II", entry)
        if end != current:
            return None
        found.append(name)
        current = start
    return found[::-1] if current == serial else None


def number(zone: node.Zone) -> int:
    """A zone's serial."""
    return int.from_bytes(zone.serial, "big")


def newer(one: int, other: int) -> bool:
    """Whether serial `one` comes after `other` (RFC 1982 section 3.2)."""
    return 0 < (one - other) & 0xFFFFFFFF < 0x80000000


def _packed(records: difference.Records) -> bytes:
    return node.encode(node.Node(0, 0, children=tuple((owner, (rrset,)) for owner, rrset in records)))


def _unpacked(data: bytes) -> difference.Records:
    return [(owner, rrset) for owner, rrsets in node.decode(data).children for rrset in rrsets]
