"""A headless service of a cluster set: every ready endpoint of its members, each by a name of its own.

Law: nothing of it is there while no endpoint is ready. Its own name tells a fair part of very many, the same
in both families, and no target of a record is a name that has no answer.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from struct import Struct
from typing import NamedTuple

from fedns.dns import answers, inside, names, node, outcome, wire
from fedns.model import clusterset, selection
from fedns.model import snapshot as model
from fedns.model.facts import Backend, Port

MOST = 200
"""Endpoints that the service's own name tells: their SRV records with the longest names fit into a message.
All have names of their own."""
SRV = Struct(">HHH")  # priority, weight, port
WEIGHT = 100  # that the addresses of a service share
_RECORD, _ROOM = 12, 60000  # octets of a record beside its data, and of all together in one message
Rows = dict[bytes, list[bytes]]
"""`_port._proto` -> data of SRV records."""


class Home(NamedTuple):
    """Where a service's names are: the number of the zone, the service's own name, and how long answers hold;
    `ids`: how each member is called, as labels."""

    zone: int
    owner: bytes
    ttl: int
    ids: Mapping[str, bytes]


class _Endpoint(NamedTuple):
    """One that has a name of its own, with all its addresses."""

    owner: bytes
    shard: model.Shard
    backends: tuple[Backend, ...]


class Headless:
    """A service of which every ready endpoint is told."""

    def __init__(self, merged: clusterset.Merged, home: Home) -> None:
        self._merged, self._home, self._owner, self._ttl = merged, home, home.owner, home.ttl

    def entries(self) -> Iterator[tuple[bytes, bytes]]:
        """None at all while no endpoint is ready."""
        groups = [list(self._endpoints(shard)) for shard in _serving(self._merged.shards)]
        found = [each for group in groups for each in group]
        if not found:
            return
        kind = self._home.zone, node.SERVICE
        shown = list(islice(_dealt(groups), MOST))
        stem = answers.stem(kind, self._ttl, _families(chain(*(each.backends for each in shown))))
        yield self._owner, ported(stem, self._rows(shown), self._ttl)
        between = node.encode(node.Node(self._home.zone, node.BETWEEN))
        for name in {name for each in found for name in self._above(each.owner)}:
            yield name, between
        for each in found:
            yield each.owner, answers.stem(kind, self._ttl, _families(each.backends))

    def _endpoints(self, shard: model.Shard) -> Iterator[_Endpoint]:
        """Those of a member by name; one without a hostname is called as its address."""
        below = self._home.ids.get(shard.member, b"") + self._owner
        told = shard.facts.inside
        named: dict[bytes, list[Backend]] = {}
        for each in (told.backends if told is not None else None) or ():
            if each.ready:
                label = names.label(each.hostname) or inside.dashed(each.address)
                named.setdefault(label, []).append(each)
        for label, backends in sorted(named.items()):
            if len(label + below) <= names.MAX_NAME:
                yield _Endpoint(label + below, shard, tuple(backends))

    def _above(self, owner: bytes) -> Iterator[bytes]:
        name = wire.parent(owner)
        while name != self._owner:
            yield name
            name = wire.parent(name)

    def _rows(self, shown: Sequence[_Endpoint]) -> Rows:
        """Each named port: the endpoints with the numbers at which they listen."""
        rows: Rows = {}
        weight = WEIGHT // sum(len(each.backends) for each in shown) or 1
        for offer in self._merged.offers:
            here = labels(offer.port, self._owner)
            if not here:
                continue
            numbers = ((each.owner, _number(each, offer.port)) for each in shown)
            rows[here] = [SRV.pack(0, weight, number) + owner for owner, number in numbers if number]
        return rows


def _serving(shards: Sequence[model.Shard]) -> Sequence[model.Shard]:
    """Those that can serve; those that drain, if there are no others."""
    able = [shard for shard in shards if shard.verdict.state in selection.ABLE and _ready(shard)]
    return able or [shard for shard in shards if shard.verdict.state == "draining"]


def _ready(shard: model.Shard) -> bool:
    told = shard.facts.inside
    return any(each.ready for each in (told.backends if told is not None else None) or ())


def _dealt(groups: Sequence[Sequence[_Endpoint]]) -> Iterator[_Endpoint]:
    """One of each member, then the next of each, so that a part of them is a fair one."""
    for at in range(max(map(len, groups))):
        yield from (group[at] for group in groups if at < len(group))


def _families(backends: Iterable[Backend]) -> tuple[outcome.Family, outcome.Family]:
    return outcome.packed([each.address for each in backends])


def _number(one: _Endpoint, port: Port) -> int:
    """Where an endpoint listens for a port of the service; 0: nowhere."""
    offered = port in one.shard.facts.ports
    listens = (dict(each.ports).get(port.name, 0) for each in one.backends)
    return next(filter(None, listens), 0) or (port.number if offered and not one.backends[0].ports else 0)


def labels(port: Port, owner: bytes) -> bytes:
    """`_name._protocol`; nothing for a port without a name, or where that is too long."""
    found = inside.ported(port)
    return found if len(found + owner) <= names.MAX_NAME else b""


def ported(stem: bytes, rows: Rows, ttl: int) -> bytes:
    """The node of a service with its named ports below it, and as CoreDNS has it all of them at its own name,
    as far as they fit into a message."""
    own = tuple(rdata for rdatas in rows.values() for rdata in rdatas)
    if own and sum(map(len, own)) + _RECORD * len(own) < _ROOM:
        whole = node.decode(stem)
        if not any(each.type == wire.CNAME for each in whole.rrsets):
            stem = node.encode(whole._replace(rrsets=(*whole.rrsets, node.RRset(wire.SRV, ttl, own))))
    between = (node.child(each, ()) for each in sorted({wire.parent(each) for each in rows}))
    ports = (node.child(each, _records(rdatas, ttl)) for each, rdatas in rows.items())
    return node.adopt(stem, [*between, *ports])


def _records(rdatas: Sequence[bytes], ttl: int) -> tuple[node.RRset, ...]:
    return (node.RRset(wire.SRV, ttl, tuple(rdatas)),) if rdatas else ()
