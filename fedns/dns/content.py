"""What a zone consists of for those who copy it: the records of each node, by the zone they belong to.

Law: one node alone decides, so that what changed follows from two values of it. The union of a weighted
answer is given; `_explain` texts are not data of the zone. A name of the federation that has no record would
not exist in every copy: one of a type that nobody asks for keeps it there (NODATA, never NXDOMAIN). The
delegation of a zone to another one of ours stands in that one's apex.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from fedns.dns import node, wire

EXPLAIN = b"\x08_explain"
_HELD = node.RRset(0xFF00, 0, (b"\0",))  # the first of the types for private use (RFC 6895 section 3.1)


class Record(NamedTuple):
    """An RRset at `owner`, in the zone at `apex`."""

    apex: bytes
    owner: bytes
    rrset: node.RRset


class Zones:
    """The served zones, as nodes refer to them."""

    def __init__(self, zones: Sequence[node.Zone]) -> None:
        self.apexes = tuple(zone.apex for zone in zones)
        self.by_apex: Mapping[bytes, node.Zone] = {zone.apex: zone for zone in zones}

    def above(self, apex: bytes) -> bytes | None:
        """The apex of the closest zone of ours that encloses this one."""
        return next((name for name in wire.ancestors(apex)[1:] if name in self.by_apex), None)

    def concerns(self, value: bytes, apex: bytes) -> bool:
        """Whether this node may hold records of the zone at `apex`; cheap."""
        index, flags, _ = node.place(value)
        return self.apexes[index] == apex or bool(flags & node.APEX)


def moved(before: Zones, after: Zones) -> set[bytes]:
    """Zones that records may have come to or gone from though no node has another value: zones came or went,
    and with them what an index means, or who delegates."""
    if before.apexes == after.apexes:
        return set()
    found: set[bytes | None] = set()
    for old, new in zip(before.apexes, after.apexes, strict=False):
        if old != new and (wire.below(old, new) or wire.below(new, old)):
            found |= {old, new}
    for apex in before.by_apex.keys() & after.by_apex.keys():
        if before.above(apex) != after.above(apex):
            found |= {before.above(apex), after.above(apex)}
    return found - {None}  # type: ignore[return-value]


def of(owner: bytes, value: bytes, zones: Zones) -> Iterator[Record]:
    """All records at and below the name (its virtual children), apart from the SOA."""
    entry = node.decode(value)
    if entry.flags & node.ABSENT:
        return
    apex = zones.apexes[entry.zone]
    at_apex = bool(entry.flags & node.APEX)
    for rrset in entry.rrsets:
        if not (at_apex and rrset.type == wire.DS):
            yield Record(apex, owner, rrset)
    if entry.flags & (node.SERVICE | node.BETWEEN) and not entry.rrsets:
        yield Record(apex, owner, _HELD)
    for labels, rrsets in entry.children:
        if labels != EXPLAIN:
            yield from (Record(apex, labels + owner, rrset) for rrset in rrsets or (_HELD,))
    above = zones.above(apex) if at_apex else None
    if above is not None:
        cut = (rrset for rrset in entry.rrsets if rrset.type in (wire.NS, wire.DS))
        yield from (Record(above, owner, rrset) for rrset in cut)
