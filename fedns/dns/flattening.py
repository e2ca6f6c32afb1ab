"""A name that answers with the addresses of another: what an apex, which cannot be a CNAME, is given.

Law: the target is looked up by the rules that any question is. Where it ends, the addresses, their shares
and whether they are stale become the name's own, for the shortest time of any record on the way; where it
ends outside our zones they are what the resolver found. All other records of the name stay as they are.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from fedns.dns import answers, lookup, node, outcome, wire

OUTSIDE_TTL = 30  # seconds; the resolver asks again within 60
_FAMILIES = (node.A, node.AAAA)
_LONGEST = 0x7FFFFFFF
_TTL_AT = 6  # of a ready address record: after its owner (a pointer), type and class

Get = Callable[[bytes], bytes | None]
Outside = Callable[[bytes], Sequence[str]]
"""A host of others -> its addresses as text; none while they are not known."""


class Flat(NamedTuple):
    """The entry of a name with another's addresses. `needs`: keys of the table that were read for it; `host`:
    the name outside our zones where the target ends, empty where it ends inside. `lost`: no such target."""

    entry: bytes
    needs: frozenset[bytes]
    host: bytes = b""
    lost: bool = False


class _End(NamedTuple):
    """Where a target leads: the last name, and the RRsets and ready answers of its addresses."""

    rrsets: tuple[node.RRset, ...] = ()
    slots: Mapping[int, node.Slot] = {}
    stale: bool = False


class Reading:
    """The table, and which of its keys have been read."""

    def __init__(self, get: Get) -> None:
        self._get = get
        self.seen: set[bytes] = set()

    def get(self, key: bytes, /) -> bytes | None:
        self.seen.add(key)
        return self._get(key)


def flatten(
    base: node.Node, target: bytes, reading: Reading, apexes: Mapping[bytes, node.Zone], outside: Outside
) -> Flat:
    """`base` with the addresses of `target` (lower-case wire) in place of its own."""
    found = _look(reading, apexes, target, node.A)
    last, ttl = _last(found, target)
    if _foreign(found, last, apexes):
        families = zip(_FAMILIES, outcome.packed(outside(last)), strict=True)
        least = min(ttl, OUTSIDE_TTL)
        end = _End(tuple(node.RRset(rtype, least, each) for rtype, each in families if each))
        return Flat(_entry(base, end, least), frozenset(reading.seen), last)
    value = reading.get(last)
    if value is None:  # made by a wildcard
        records = (*found.answer, *_look(reading, apexes, target, node.AAAA).answer)
        end = _End(tuple(each.rrset for each in records if each.rrset.type in _FAMILIES))
        entry = _entry(base, end, ttl)
    elif node.placed(value):
        ends = [_held(view) for view in node.views(value)]
        entry = node.relocate(value, [_entry(base, end or ends[0] or _End(), ttl) for end in ends])
    else:
        entry = _entry(base, _held(value) or _End(), ttl)
    return Flat(entry, frozenset(reading.seen), lost=found.rcode == wire.NXDOMAIN)


def _held(value: bytes) -> _End | None:
    """What one entry says of addresses; None where it is a CNAME."""
    held = node.decode(value)
    if any(each.type == wire.CNAME for each in held.rrsets):
        return None
    return _End(tuple(each for each in held.rrsets if each.type in _FAMILIES), held.slots, held.stale)


def _look(reading: Reading, apexes: Mapping[bytes, node.Zone], target: bytes, rtype: int) -> lookup.Lookup:
    found = lookup.Lookup(reading, apexes, lookup.Asked(target, rtype), {})
    found.run()
    return found


def _last(found: lookup.Lookup, target: bytes) -> tuple[bytes, int]:
    """The name where the aliases end, and the shortest TTL among them."""
    ttl = _LONGEST
    for record in found.answer:
        if record.rrset.type == wire.CNAME:
            target, ttl = record.rrset.rdatas[0].lower(), min(ttl, record.rrset.ttl)
    return target, ttl


def _foreign(found: lookup.Lookup, last: bytes, apexes: Mapping[bytes, node.Zone]) -> bool:
    """Whether the last name is for others to answer: no zone of ours holds it, or one delegates it."""
    delegated = any(record.rrset.type == wire.NS for record in found.authority)
    return delegated or not any(each in apexes for each in wire.ancestors(last))


def _entry(base: node.Node, end: _End, ttl: int) -> bytes:
    rrsets = tuple(each._replace(ttl=min(each.ttl, ttl)) for each in end.rrsets)
    kept = tuple(each for each in base.rrsets if each.type not in _FAMILIES)
    slots = {rtype: _slot(rtype, rrsets, end.slots.get(rtype), ttl) for rtype in _FAMILIES}
    return node.encode(base._replace(rrsets=(*kept, *rrsets), slots=slots, stale=end.stale))


def _slot(rtype: int, rrsets: Sequence[node.RRset], ready: node.Slot | None, ttl: int) -> node.Slot:
    rrset = next((each for each in rrsets if each.type == rtype), None)
    if rrset is None:
        return node.Slot(0, b"", nodata=True, stale=ready is not None and ready.stale)
    if ready is None:
        return answers.slot(wire.ROOT, (), rtype, rrset.ttl, rrset.rdatas)
    variants = tuple((count, _shortened(body, ready.unit, ttl)) for count, body in ready.variants)
    return ready._replace(body=_shortened(ready.body, ready.unit, ttl), variants=variants)


def _shortened(body: bytes, unit: int, ttl: int) -> bytes:
    """Address records of `unit` octets each, with a TTL of at most this."""
    records = bytearray(body)
    for at in range(_TTL_AT, len(body), unit or 1):
        records[at : at + 4] = min(int.from_bytes(records[at : at + 4], "big"), ttl).to_bytes(4, "big")
    return bytes(records)
