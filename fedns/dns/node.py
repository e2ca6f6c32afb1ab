"""What one name of the answer table holds, and its bytes.

Law: a value begins with two fixed slot records (A at 0, AAAA at SLOT.size), so that the hot path reads
one record with one unpack and copies a ready body. Everything else follows for the slow path.
No special key of the table (`\\xffzones`, ...) ends in a zero byte, so no question can reach one.
"""

import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import NamedTuple

A, CNAME, SOA, AAAA = 1, 5, 6, 28

# Node flags
APEX, CUT, DNAME, OCCLUDED, WILD, SERVICE, STALE, PLACED = 1, 2, 4, 8, 16, 32, 64, 128
BETWEEN = 256  # a name of the federation that exists for those below it
ABSENT = 512  # as seen from this place there is no such name, though others see one
CROSSING = 1024  # a ready answer goes on in another zone, which may be signed

# Slot kinds as stored. SLOW is also the value of an absent slot.
SLOW, PLAIN, ROTATE, NODATA, WEIGHTED = range(5)
STALE_SLOT = 8
PLACED_SLOT = 16  # it depends on the client's place; what is said here is the default view

ZONES, READY, META = b"\xffzones", b"\xffready", b"\xffmeta"
ATLAS, ATLAS_STAMP = b"\xffatlas", b"\xffatlas stamp"

SLOT = struct.Struct("<B2sIIHB")  # kind, ancount (network order), start, end, rotate_at, unit
SLOT_AT = {A: 0, AAAA: SLOT.size}
_ABSENT = SLOT.pack(SLOW, b"\0\0", 0, 0, 0, 0)
_HEAD = struct.Struct("<HHIHH")  # zone, flags, start of rrsets, rrsets, children
BODIES = 2 * SLOT.size + _HEAD.size  # where they begin; all before has a fixed size
_RRSET = struct.Struct("<HIH")  # type, ttl, count
_VARIANTS = struct.Struct("<HH")  # schedule length, variants
_VARIANT = struct.Struct("<HI")  # ancount, length
_ZONE = struct.Struct("<BHI")  # apex length, soa length, soa ttl
_FLAT = 1 << 31  # in the place of a TTL's top bit, which none has (RFC 2181 section 8)
_FLAGS_AT = 2 * SLOT.size + 2
_PLACES = struct.Struct("<HH")  # places, views; at the very end, after their index and their ends


class RRset(NamedTuple):
    """One RRset; `rdatas` are uncompressed wire rdata."""

    type: int
    ttl: int
    rdatas: tuple[bytes, ...]


class Slot(NamedTuple):
    """A ready answer for one type: all that follows the question, compressed against a name at offset 12.

    From `rotate_at` on the body is equal-sized address records of `unit` bytes. A weighted slot has a
    `schedule` of indices into `variants`, each (ancount, body), and an empty `body`. `nodata`: the zone's SOA
    is appended as authority; where the body leads into another zone it is that of zone `unit`, whose apex
    stands at offset `rotate_at` of the message. `stale`: an EDNS query is told so (EDE 3).
    """

    ancount: int
    body: bytes
    rotate_at: int = 0
    unit: int = 0
    schedule: bytes = b""
    variants: tuple[tuple[int, bytes], ...] = ()
    nodata: bool = False
    stale: bool = False


class Node(NamedTuple):
    """One existing name. `children` is a virtual subtree: relative wire labels without the root -> RRsets."""

    zone: int
    flags: int
    rrsets: tuple[RRset, ...] = ()
    slots: Mapping[int, Slot] = {}
    children: tuple[tuple[bytes, tuple[RRset, ...]], ...] = ()
    stale: bool = False


class Zone(NamedTuple):
    """An authoritative zone: lower-case wire apex and its SOA rdata (uncompressed). `flat`: no name in it
    holds others (virtual children, wildcards, ...) but those two labels below `svc`."""

    apex: bytes
    soa: bytes
    soa_ttl: int
    flat: bool = False

    @property
    def denial(self) -> bytes:
        """The SOA record of a negative answer without its owner name (RFC 2308 section 5)."""
        return struct.pack(">HHIH", SOA, 1, self.negative_ttl, len(self.soa)) + self.soa

    @property
    def serial(self) -> bytes:
        return self.soa[-20:-16]

    @property
    def negative_ttl(self) -> int:
        """Seconds a negative answer may be kept (RFC 2308 section 5)."""
        return min(self.soa_ttl, int.from_bytes(self.soa[-4:], "big"))


def encode(node: Node) -> bytes:
    records, bodies, at = [], [], BODIES
    for rtype in (A, AAAA):
        slot = node.slots.get(rtype)
        if slot is None:
            records.append(_ABSENT)
            continue
        body = _weighted_body(slot) if slot.schedule else slot.body
        ancount = slot.ancount.to_bytes(2, "big")
        records.append(SLOT.pack(_kind(slot), ancount, at, at + len(body), slot.rotate_at, slot.unit))
        bodies.append(body)
        at += len(body)
    flags = node.flags | STALE if node.stale else node.flags
    records.append(_HEAD.pack(node.zone, flags, at, len(node.rrsets), len(node.children)))
    records += bodies
    records += [rrset(*each) for each in node.rrsets]
    records += [child(labels, rrsets) for labels, rrsets in node.children]
    return b"".join(records)


def child(labels: bytes, rrsets: Sequence[RRset]) -> bytes:
    """One entry of a node's virtual subtree, as stored."""
    return bytes((len(labels), len(rrsets))) + labels + b"".join([rrset(*each) for each in rrsets])


def lead(labels: bytes, rtype: int, ttl: int, count: int) -> bytes:
    """How a child with one RRset begins; `count` rdatas follow, each after its length in two octets."""
    return bytes((len(labels), 1)) + labels + _RRSET.pack(rtype, ttl, count)


def rrset(rtype: int, ttl: int, rdatas: Sequence[bytes]) -> bytes:
    """One RRset, as stored."""
    head = _RRSET.pack(rtype, ttl, len(rdatas))
    return head + b"".join([len(rdata).to_bytes(2, "big") + rdata for rdata in rdatas])


def adopt(data: bytes, children: Sequence[bytes]) -> bytes:
    """An encoded childless node with these encoded children: what many names share is encoded once."""
    return b"".join((data[: BODIES - 2], len(children).to_bytes(2, "little"), data[BODIES:], *children))


def locate(views: Sequence[bytes], choices: Sequence[int]) -> bytes:
    """One encoded node that is another one by place: place i sees `views[choices[i]]`. To who knows nothing
    of places it is `views[0]`, the default view; a slot that is the same in all of them stays ready."""
    default = bytearray(views[0])
    if len(views) == 1:
        return views[0]
    for record in SLOT_AT.values():
        if len({_ready(view, record) for view in views}) > 1:
            default[record] |= PLACED_SLOT
    default[_FLAGS_AT] |= PLACED
    ends = accumulate(map(len, views))
    index = struct.pack(f"<{len(choices)}H{len(views)}I", *choices, *ends)
    return b"".join((default, *views[1:], index, _PLACES.pack(len(choices), len(views))))


def relocate(data: bytes, views: Sequence[bytes]) -> bytes:
    """A placed node with these views in place of its own, one for each."""
    places, count = _PLACES.unpack_from(data, len(data) - _PLACES.size)
    at = len(data) - _PLACES.size - 4 * count - 2 * places
    return locate(views, struct.unpack_from(f"<{places}H", data, at))


def placed(data: bytes) -> bool:
    """Whether `locate` made this encoded node."""
    return bool(data[_FLAGS_AT] & PLACED)


def view(data: bytes, place: int) -> bytes:
    """The encoded node that a placed one is at a place; the default view at a place that it does not know."""
    places, count = _PLACES.unpack_from(data, len(data) - _PLACES.size)
    at = len(data) - _PLACES.size - 4 * count - 2 * places
    (chosen,) = struct.unpack_from("<H", data, at + 2 * place) if place < places else (0,)
    return _views(data, (chosen,))[0]


def views(data: bytes) -> list[bytes]:
    """All that a placed node may be, the default view first."""
    return _views(data, range(_PLACES.unpack_from(data, len(data) - _PLACES.size)[1]))


def _views(data: bytes, chosen: Iterable[int]) -> list[bytes]:
    count = _PLACES.unpack_from(data, len(data) - _PLACES.size)[1]
    ends = (0, *struct.unpack_from(f"<{count}I", data, len(data) - _PLACES.size - 4 * count))
    return [data[ends[each] : ends[each + 1]] if each else _default(data[: ends[1]]) for each in chosen]


def _default(data: bytes) -> bytes:
    """The first view as it was before `locate` put its marks on it."""
    whole = bytearray(data)
    for record in SLOT_AT.values():
        whole[record] &= ~PLACED_SLOT & 0xFF
    whole[_FLAGS_AT] &= ~PLACED & 0xFF
    return bytes(whole)


def _ready(data: bytes, record: int) -> tuple[bytes | int, ...]:
    """A ready answer without where it lies."""
    kind, ancount, start, end, *turn = SLOT.unpack_from(data, record)
    return (kind, ancount, data[start:end], *turn)


def decode(data: bytes) -> Node:
    zone, flags, at, rrset_count, child_count = _HEAD.unpack_from(data, 2 * SLOT.size)
    rrsets, at = _rrsets(data, at, rrset_count)
    children = []
    for _ in range(child_count):
        size, count = data[at], data[at + 1]
        labels = data[at + 2 : at + 2 + size]
        child, at = _rrsets(data, at + 2 + size, count)
        children.append((labels, child))
    slots = {rtype: slot for rtype in (A, AAAA) if (slot := _slot(data, SLOT_AT[rtype])) is not None}
    return Node(zone, flags & ~(STALE | PLACED), rrsets, slots, tuple(children), bool(flags & STALE))


def place(data: bytes) -> tuple[int, int, int]:
    """Zone index, flags and number of children of an encoded node, without decoding the rest."""
    zone, flags, _, _, children = _HEAD.unpack_from(data, 2 * SLOT.size)
    return zone, flags, children


def absent(data: bytes) -> bool:
    """Whether this view of a placed node says that there is no such name."""
    return bool(_HEAD.unpack_from(data, 2 * SLOT.size)[1] & ABSENT)


def encode_zones(zones: Sequence[Zone]) -> bytes:
    return b"".join([part for zone in zones for part in (_zone(zone), zone.apex, zone.soa)])


def _zone(zone: Zone) -> bytes:
    return _ZONE.pack(len(zone.apex), len(zone.soa), zone.soa_ttl | _FLAT * zone.flat)


def decode_zones(data: bytes) -> tuple[Zone, ...]:
    return _heads(data).zones


def apexes(data: bytes) -> Mapping[bytes, Zone]:
    """The encoded zones by apex."""
    return _heads(data).apexes


def denials(data: bytes) -> tuple[tuple[int, bytes], ...]:
    """For each of the encoded zones: the length of its apex, and its `denial`."""
    return _heads(data).denials


def authority(denial: tuple[int, bytes], size: int, top: int = 0) -> bytes:
    """One of `denials` with its owner, which points to the end of the question's name (of this size), or to
    offset `top`."""
    apex, record = denial
    return (0xC000 + (top or 12 + size - apex)).to_bytes(2, "big") + record


def flats(data: bytes) -> tuple[tuple[bytes, int], ...]:
    """Apex and number of those of the encoded zones that are flat."""
    return _heads(data).flats


def variant(body: bytes, number: int) -> tuple[bytes, bytes]:
    """The (ancount as two octets, body) that a stored weighted body gives to the query with this number."""
    length, count = _VARIANTS.unpack_from(body)
    index: int = body[_VARIANTS.size + number % length]
    ancount, chosen = _variants(body, _VARIANTS.size + length, count)[index]
    return ancount.to_bytes(2, "big"), chosen


def _kind(slot: Slot) -> int:
    if slot.schedule:
        kind = WEIGHTED
    elif slot.nodata:
        kind = NODATA
    elif slot.unit and len(slot.body) - slot.rotate_at > slot.unit:
        kind = ROTATE
    else:
        kind = PLAIN
    return kind | STALE_SLOT if slot.stale else kind


def _weighted_body(slot: Slot) -> bytes:
    parts = [_VARIANTS.pack(len(slot.schedule), len(slot.variants)), slot.schedule]
    parts += [_VARIANT.pack(count, len(body)) + body for count, body in slot.variants]
    return b"".join(parts)


def _variants(body: bytes, at: int, count: int) -> list[tuple[int, bytes]]:
    variants = []
    for _ in range(count):
        ancount, size = _VARIANT.unpack_from(body, at)
        at += _VARIANT.size
        variants.append((ancount, body[at : at + size]))
        at += size
    return variants


def _slot(data: bytes, record: int) -> Slot | None:
    kind, ancount, start, end, rotate_at, unit = SLOT.unpack_from(data, record)
    if kind & ~PLACED_SLOT == SLOW:
        return None
    body, stale, kind = data[start:end], bool(kind & STALE_SLOT), kind & ~(STALE_SLOT | PLACED_SLOT)
    count = int.from_bytes(ancount, "big")
    if kind != WEIGHTED:
        return Slot(count, body, rotate_at, unit, nodata=kind == NODATA, stale=stale)
    length, number = _VARIANTS.unpack_from(body)
    schedule = body[_VARIANTS.size : _VARIANTS.size + length]
    variants = tuple(_variants(body, _VARIANTS.size + length, number))
    return Slot(count, b"", rotate_at, unit, schedule, variants, stale=stale)


def _rrsets(data: bytes, at: int, count: int) -> tuple[tuple[RRset, ...], int]:
    rrsets = []
    for _ in range(count):
        rtype, ttl, number = _RRSET.unpack_from(data, at)
        at += _RRSET.size
        rdatas = []
        for _ in range(number):
            end = at + 2 + (data[at] << 8 | data[at + 1])
            rdatas.append(data[at + 2 : end])
            at = end
        rrsets.append(RRset(rtype, ttl, tuple(rdatas)))
    return tuple(rrsets), at


class _Heads(NamedTuple):
    """The encoded zones, decoded in the shapes that queries need."""

    data: bytes = b""
    zones: tuple[Zone, ...] = ()
    apexes: Mapping[bytes, Zone] = {}
    denials: tuple[tuple[int, bytes], ...] = ()
    flats: tuple[tuple[bytes, int], ...] = ()


_last = [_Heads()]  # comparing the octets is far cheaper than decoding or hashing them for each query


def _heads(data: bytes) -> _Heads:
    known = _last[0]
    if known.data != data:
        zones = tuple(_zones(data))
        ends = tuple((len(zone.apex), zone.denial) for zone in zones)
        flat = tuple((zone.apex, number) for number, zone in enumerate(zones) if zone.flat)
        _last[0] = known = _Heads(data, zones, {zone.apex: zone for zone in zones}, ends, flat)
    return known


def _zones(data: bytes) -> Iterator[Zone]:
    at = 0
    while at < len(data):
        apex, soa, ttl = _ZONE.unpack_from(data, at)
        at += _ZONE.size
        octets = data[at : at + apex], data[at + apex : at + apex + soa]
        yield Zone(*octets, ttl & ~_FLAT, bool(ttl & _FLAT))
        at += apex + soa
