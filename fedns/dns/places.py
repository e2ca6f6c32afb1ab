"""Where clients are: the longest prefix that holds an address says the place, then a geographic database,
then the default; and the answers as a client at one place sees them.

Law: hot, and no library. Prefixes are flattened to spans of numbers, so that one search finds the place and
how far around an address it holds: all addresses in a scope that is told get the same answer (RFC 7871
section 7.2.1). An address is read, and a place looked for, only where an answer depends on it.
"""

import json
import math
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from ipaddress import ip_network
from typing import Any, NamedTuple, Protocol

from fedns.dns import client, node, wire

DEFAULT = 0
"""The place of who is nowhere else: index 0 of all places. Its answers are the default view."""
_OUTSIDE = -1  # of what no prefix holds
_MAPPED = bytes(10) + b"\xff\xff"  # IPv4 in IPv6 (RFC 4291 section 2.5.5.2)
_BITS = {4: 32, 16: 128}
_SIZES = {1: 4, 2: 16}  # address family of a client subnet -> octets of its addresses
_POSITIONS = 100_000  # of clients, whose nearest place is remembered: about 20 MB
_SPECIAL = 0xFF  # first octet of keys that are no names


class View(Protocol):
    """A consistent reading of the answer table."""

    def get(self, key: bytes, /) -> bytes | None: ...


class Prefix(NamedTuple):
    """Clients in `network` (presentation form) are at the place with this index; `rule` says who says so."""

    network: str
    place: int
    rule: str


class Position(NamedTuple):
    """Degrees north and east."""

    latitude: float
    longitude: float


class Spot(Protocol):
    """Where somebody is, whoever says it."""

    @property
    def region(self) -> str: ...
    @property
    def zone(self) -> str: ...
    @property
    def member(self) -> str: ...


class Row(NamedTuple):
    """A place as it is told. `member`: the one that clients there are inside of; empty: none."""

    region: str = ""
    zone: str = ""
    member: str = ""


class Inside(NamedTuple):
    """Where clients inside a member are: `own` its place; `of`: others by the place that a prefix says."""

    own: int
    of: Mapping[int, int] = {}


class Atlas(NamedTuple):
    """All that says where a client is, as published. `places` are `Row`s, the first is the default.
    `codes` are those of the `database`: `country:DE`, `continent:EU`, `subdivision:US-CA` -> place; an
    address with none of them is at the nearest of `positions`, by place. Client subnets are believed if
    `ecs`, from senders in `trust` (empty: all). `inside`: by member."""

    places: tuple[Row, ...] = (Row(),)
    prefixes: tuple[Prefix, ...] = ()
    codes: Mapping[str, int] = {}
    positions: Mapping[int, Position] = {}
    database: str = ""
    ecs: bool = True
    trust: tuple[str, ...] = ()
    inside: Mapping[str, Inside] = {}


class Found(NamedTuple):
    """A place, the length of the prefix around the address that all is in this place, and the reason."""

    place: int
    scope: int
    why: str


def encode(atlas: Atlas) -> bytes:
    return json.dumps(atlas._asdict()).encode()


def stamp(data: bytes) -> bytes:
    """What tells one encoded atlas from another."""
    return blake2b(data, digest_size=16).digest()


def decode(data: bytes | None) -> Atlas:
    """What `encode` made, also by an older or newer version."""
    told: dict[str, Any] = json.loads(data) if data else {}
    read = {name: make(told[name]) for name, make in _FIELDS.items() if name in told}
    return Atlas(**read)


_FIELDS: Mapping[str, Any] = {
    "places": lambda rows: tuple(Row(*row[:3]) for row in rows),
    "prefixes": lambda rows: tuple(Prefix(*row) for row in rows),
    "codes": dict,
    "positions": lambda rows: {int(place): Position(*row) for place, row in rows.items()},
    "database": str,
    "ecs": bool,
    "trust": tuple,
    "inside": lambda rows: {
        member: Inside(own, {int(place): other for place, other in of.items()})
        for member, (own, of) in rows.items()
    },
}


class Places:
    """An atlas, ready to be asked."""

    def __init__(self, atlas: Atlas) -> None:
        self.atlas = atlas
        rows = [(each.network, each.place) for each in atlas.prefixes]
        self._spans = {size: _Spans(rows, bits) for size, bits in _BITS.items()}
        self._known: dict[Position, int] = {}
        trusted = [(each, 1) for each in atlas.trust]
        self._trust = {size: _Spans(trusted, bits) for size, bits in _BITS.items()}

    def find(self, address: bytes, geo: client.Geo | None, member: str = "") -> Found:
        """Where the client at `address` (4 or 16 octets; empty: unknown) is; `member`: it is inside of."""
        spans = self._spans.get(len(address))
        inside = self.atlas.inside.get(member) if member else None
        if inside is not None:
            place, scope = spans.find(address) if spans is not None and inside.of else (_OUTSIDE, 0)
            return Found(inside.of.get(place, inside.own), scope, "inside")
        if spans is None:
            return Found(DEFAULT, 0, "default")
        place, scope = spans.find(address)
        if place != _OUTSIDE:
            return Found(place, scope, "prefix")
        if geo is None or not self.atlas.database:
            return Found(DEFAULT, scope, "default")
        spot = geo.find(self.atlas.database, address)
        place, why = self._locate(spot)
        return Found(place, max(scope, spot.length), why)

    def _locate(self, spot: client.Spot) -> tuple[int, str]:
        for code in spot.codes:
            if code in self.atlas.codes:
                return self.atlas.codes[code], code
        if spot.position is None or not self.atlas.positions:
            return DEFAULT, "default"
        return self._nearest(Position(*spot.position)), "position"

    def _nearest(self, here: Position) -> int:
        """The place whose position is the nearest; databases name few positions many times."""
        found = self._known.get(here)
        if found is None:
            rows = self.atlas.positions.items()
            found = min((distance(position, here), place) for place, position in rows)[1]
            if len(self._known) < _POSITIONS:
                self._known[here] = found
        return found

    def believes(self, sender: bytes) -> bool:
        """Whether this sender's word on its client's subnet counts."""
        if not self.atlas.ecs or not self.atlas.trust:
            return self.atlas.ecs
        return len(sender) in _BITS and self._trust[len(sender)].find(sender)[0] == 1


def distance(one: Position, other: Position) -> float:
    """Great-circle distance of two points, as part of the Earth's radius (haversine formula)."""
    north, south = math.radians(one.latitude), math.radians(other.latitude)
    east = math.radians(one.longitude - other.longitude)
    part = math.sin((north - south) / 2) ** 2 + math.cos(north) * math.cos(south) * math.sin(east / 2) ** 2
    return 2 * math.asin(min(1.0, math.sqrt(part)))


class _Spans:
    """Prefixes of one family as spans: from each start on up to the next one, the place is the same."""

    def __init__(self, rows: Iterable[tuple[str, int]], bits: int) -> None:
        self._bits = bits
        self._starts, self._places = [0], [_OUTSIDE]
        networks = ((ip_network(text), place) for text, place in rows)
        mine = [(int(net[0]), net.prefixlen, place) for net, place in networks if net.max_prefixlen == bits]
        around: list[tuple[int, int]] = [(1 << bits, _OUTSIDE)]  # the open ones: (end, place)
        for start, length, place in sorted(mine):
            self._close(around, start)
            self._cut(start, place)
            around.append((start + (1 << (bits - length)), place))
        self._close(around, (1 << bits) - 1)

    def find(self, address: bytes) -> tuple[int, int]:
        """(place, length of the shortest prefix around the address that is wholly there)."""
        number, bits = int.from_bytes(address, "big"), self._bits
        index = bisect_right(self._starts, number)
        scope = 0
        if index > 1:
            scope = bits - (number ^ (self._starts[index - 1] - 1)).bit_length() + 1
        if index < len(self._starts):
            scope = max(scope, bits - (number ^ self._starts[index]).bit_length() + 1)
        return self._places[index - 1], scope

    def _close(self, around: list[tuple[int, int]], until: int) -> None:
        while around[-1][0] <= until:
            end, _ = around.pop()
            self._cut(end, around[-1][1])

    def _cut(self, at: int, place: int) -> None:
        """From `at` on it is `place`."""
        if self._starts[-1] == at:
            self._starts.pop()
            self._places.pop()
        if not self._places or self._places[-1] != place:
            self._starts.append(at)
            self._places.append(place)


_last = [(b"", Places(Atlas()))]


def current(view: View) -> Places:
    """The places that go with the view; decoded again only when they differ."""
    wanted = view.get(node.ATLAS_STAMP) or b""
    known, places = _last[0]
    if wanted != known:
        places = Places(decode(view.get(node.ATLAS)))
        _last[0] = wanted, places
    return places


class Seen:
    """A view as one client sees it: what depends on the place is as it is at its place.

    `subnet`: the client subnet option of its query, well-formed (RFC 7871 section 6); empty: none.
    """

    def __init__(self, view: View, asker: client.Client, subnet: bytes = b"") -> None:
        self._view, self._asker, self._subnet = view, asker, subnet
        self._found: Found | None = None
        self._met: dict[bytes, bytes] = {}

    def get(self, key: bytes, /) -> bytes | None:
        value = self._view.get(key)
        if value is None or key[0] == _SPECIAL or not node.placed(value):
            return value
        self._met[key] = value
        seen = node.view(value, self.found.place)
        return None if node.absent(seen) else seen

    @property
    def found(self) -> Found:
        """The client's place."""
        if self._found is None:
            self._found = locate(self._view, self._asker, self._subnet)
        return self._found

    def scope(self, sought: Iterable[tuple[bytes, int]], signed: bool) -> int | None:
        """For how much of the client's subnet the answer made of these (name, type) holds; None: no word on
        that is due."""
        if not self._subnet or not current(self._view).believes(sender(self._asker)):
            return None
        if not self._met or not self._subnet[2]:
            return 0
        depends = any(self._depends(name, rtype, signed) for name, rtype in sought)
        return self.found.scope if depends else 0

    def _depends(self, name: bytes, rtype: int, signed: bool) -> bool:
        """Whether the place decides what is said about a type at a name (a denial that is signed tells which
        other types there are)."""
        owner = next((each for each in wire.ancestors(name) if each in self._met), None)
        if owner is None:
            return False
        labels = name[: len(name) - len(owner)]
        views = map(node.decode, node.views(self._met[owner]))
        return len({_told(each, labels, rtype, signed) for each in views}) > 1


def locate(view: View, asker: client.Client, subnet: bytes) -> Found:
    """Where the client is: its subnet says it if that is believed, else its resolver's address."""
    places, address = current(view), sender(asker)
    if subnet and subnet[2] and places.believes(address):
        address = subnet[4:].ljust(_SIZES[subnet[1]], b"\0")
    return places.find(address, asker.host.geo, asker.member)


def _told(here: node.Node, labels: bytes, rtype: int, signed: bool) -> tuple[object, ...]:
    """All that an answer about this type at the node, or at a child of it, hangs on."""
    rrsets = dict(here.children).get(labels, ()) if labels else here.rrsets
    chosen = tuple(each for each in rrsets if rtype in (each.type, wire.ANY) or each.type == wire.CNAME)
    return (chosen, here.flags & node.ABSENT, *(each.type for each in rrsets if signed and not chosen))


def sender(asker: client.Client) -> bytes:
    """The address that a query came from; of one from IPv4 over an IPv6 socket, the IPv4 address."""
    address = asker.address()
    return address[12:] if address[:12] == _MAPPED else address


def text(place: Spot) -> str:
    """A place for people: `inside ..., in ...`."""
    parts = [f"{what} {name}" for what, name in (("zone", place.zone), ("region", place.region)) if name]
    told = [f"inside member {place.member}"] if place.member else []
    told += [f"in {' of '.join(parts)}"] if parts else []
    return ", ".join(told) or "nowhere in particular"
