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
STEPS = 4000
"""Steps from one serial to another at most; who is further behind is better copied whole."""
OCTETS = 4 << 20
"""Size of these steps at most."""


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
    """The keys that lead from `serial` to `current`, in order; None where the history has a gap, does not
    reach back, or is longer than the zone is worth. `entries` are a zone's, the latest first."""
    found: list[bytes] = []
    size = 0
    for name, entry in entries:
        if current == serial:
            break
        start, end = struct.unpack_from(">II", entry)
        size += len(entry)
        if end != current or len(found) == STEPS or size > OCTETS:
            return None
        found.append(name)
        current = start
    return found[::-1] if current == serial else None


class Sum:
    """Several steps as one (RFC 1995 section 5): what came and went in between is not told."""

    def __init__(self) -> None:
        self._removed: dict[_Record, None] = {}
        self._added: dict[_Record, None] = {}

    def add(self, change: difference.Difference) -> None:
        _fold(change.removed, self._added, self._removed)
        _fold(change.added, self._removed, self._added)

    def change(self) -> difference.Difference:
        return difference.Difference(_joined(self._removed), _joined(self._added))


def number(zone: node.Zone) -> int:
    """A zone's serial."""
    return int.from_bytes(zone.serial, "big")


def newer(one: int, other: int) -> bool:
    """Whether serial `one` comes after `other` (RFC 1982 section 3.2)."""
    return 0 < (one - other) & 0xFFFFFFFF < 0x80000000


_Record = tuple[bytes, int, int, bytes]
"""Owner, type, TTL and rdata."""


def _fold(records: difference.Records, undone: dict[_Record, None], done: dict[_Record, None]) -> None:
    """What undoes an earlier change takes that back; the rest is a change."""
    for owner, (rtype, ttl, rdatas) in records:
        for rdata in rdatas:
            record = (owner, rtype, ttl, rdata)
            if record in undone:
                del undone[record]
            else:
                done[record] = None


def _joined(records: Iterable[_Record]) -> difference.Records:
    found: dict[tuple[bytes, int, int], list[bytes]] = {}
    for owner, rtype, ttl, rdata in records:
        found.setdefault((owner, rtype, ttl), []).append(rdata)
    return [(owner, node.RRset(rtype, ttl, tuple(each))) for (owner, rtype, ttl), each in found.items()]


def _packed(records: difference.Records) -> bytes:
    return node.encode(node.Node(0, 0, children=tuple((owner, (rrset,)) for owner, rrset in records)))


def _unpacked(data: bytes) -> difference.Records:
    return [(owner, rrset) for owner, rrsets in node.decode(data).children for rrset in rrsets]
