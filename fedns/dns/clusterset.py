"""The zone of a cluster set: services that members export, as the Multi-Cluster Services API names them.

Law: `S.N.svc` is there while somebody exports the service, and of a headless one while an endpoint is ready;
all else is not. Answers are what `model.clusterset` merges. Who is unable to serve is not told, though
nobody else is able, unless that is wanted.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice
from struct import Struct
from typing import NamedTuple

from msgspec import structs

from fedns.dns import annex, answers, federation, inside, names, node, outcome, skeleton, wire
from fedns.errors import FednsError, Problem
from fedns.model import clusterset, selection
from fedns.model import snapshot as model
from fedns.model.facts import Backend, Port

VERSION = b"\x0bdns-version"
SCHEMA = b"\x051.0.0"
_VERSION_TTL = 28800  # seconds; as the specification has it
SVC = b"\x03svc"
MOST = 200
"""Endpoints of a headless service that its own name tells: their SRV records with the longest names fit into
a message. All have names of their own."""
_SRV = Struct(">HHH")  # priority, weight, port
_WEIGHT = 100


class Settings(NamedTuple):
    """`addresses`: where clients reach services that have no addresses of their own; `fail_open`: what served
    last is told when nothing can serve."""

    domain: str = "clusterset.local"
    addresses: tuple[str, ...] = ()
    fail_open: bool = False


class Kind:
    """The zone as configured."""

    def __init__(self, settings: Settings) -> None:
        self.settings, self.apex = settings, names.wire(settings.domain)

    def open(self, setting: annex.Setting) -> "Set":
        return Set(self.settings, setting)


class Set:
    """The zone of a fleet. Others may copy it, and have what who is at no place has."""

    copied = True

    def __init__(self, settings: Settings, setting: annex.Setting) -> None:
        self.settings, self.layout, self.number = settings, setting.layout, setting.zone
        apex = names.wire(settings.domain)
        told = skeleton.zone(setting.layout, 0)
        self.host = told.soa[: wire.skip_name(told.soa, 0)]
        self.zone = told._replace(apex=apex, soa=self.host + b"\x0ahostmaster" + apex + told.soa[-20:])
        self.top = SVC + apex
        self.ids, self._doubts = ids(setting.members)
        self._found: dict[str, tuple[Problem, ...]] = {}
        # what the table holds
        self._held: dict[str, tuple[bytes, ...]] = {}
        self._spaces: Counter[bytes] = Counter()
        self.between = node.encode(node.Node(self.number, node.BETWEEN))

    @property
    def problems(self) -> tuple[Problem, ...]:
        return (*self._doubts, *(problem for each in self._found.values() for problem in each))

    def whole(self, snapshot: model.Snapshot, now: float) -> Iterator[annex.Changes]:
        self._held, self._spaces, self._found = {}, Counter(), {}
        yield dict(self._skeleton())
        todo = iter(sorted(snapshot.services))
        while some := tuple(islice(todo, annex.PART)):
            part: annex.Changes = {}
            for key in some:
                self._put(key, snapshot.services[key], now, part)
            yield part

    def difference(self, before: model.Snapshot, after: model.Snapshot, now: float) -> annex.Changes:
        changes: annex.Changes = {}
        for key in sorted(after.touched or ()):
            self._put(key, after.services.get(key), now, changes)
        return changes

    def names(self, service: model.Service) -> tuple[bytes, ...]:
        """Those that the service has just now."""
        return tuple(self.entries(service, 0.0))

    def entries(self, service: model.Service, now: float) -> dict[bytes, bytes]:
        """All of one service."""
        prefix = names.prefix(service)
        merged = clusterset.merge(service)
        if not prefix or not merged.exporters or len(prefix + self.top) > names.MAX_NAME:
            return {}
        if merged.headless:
            return dict(_Headless(self, service, merged, now).entries())
        return {prefix + self.top: _Balanced(self, service, merged, now).entry()}

    def _put(self, key: str, service: model.Service | None, now: float, into: annex.Changes) -> None:
        """The entries that a service has by now, and the removal of those that it had."""
        made = self.entries(service, now) if service is not None else {}
        had = self._held.pop(key, ())
        into.update(dict.fromkeys(had))
        into.update(made)
        if made:
            self._held[key] = tuple(made)
        if bool(had) != bool(made):
            self._space(key, 1 if made else -1, into)
        found = _conflicts(service) if service is not None else ()
        if found:
            self._found[key] = found
        else:
            self._found.pop(key, None)

    def _space(self, key: str, step: int, into: annex.Changes) -> None:
        """The name of a namespace is there while a service in it is."""
        owner = (names.label(key.partition("/")[0]) or b"") + self.top
        self._spaces[owner] += step
        into[owner] = self.between if self._spaces[owner] else None

    def _skeleton(self) -> Iterator[tuple[bytes, bytes]]:
        servers = node.RRset(wire.NS, skeleton.NS_TTL, (self.host,))
        schema = node.RRset(wire.TXT, _VERSION_TTL, (SCHEMA,))
        denied = dict.fromkeys(node.SLOT_AT, node.Slot(0, b"", nodata=True))
        yield self.zone.apex, node.encode(node.Node(self.number, node.APEX, (servers,), denied))
        yield VERSION + self.zone.apex, node.encode(node.Node(self.number, 0, (schema,), denied))
        yield self.top, self.between


class _Balanced:
    """A service with one address for all: its clusterset IP, or addresses that its members publish."""

    def __init__(self, zone: Set, service: model.Service, merged: clusterset.Merged, now: float) -> None:
        self._zone, self._layout = zone, zone.layout
        self._owner = names.prefix(service) + zone.top
        shards = tuple(map(_addressed, merged.shards))
        ports = tuple(offer.port for offer in merged.offers)
        self._service = structs.replace(service, shards=shards, ports=ports)
        self._ttl = federation.time_to_live(service, zone.layout, now)
        self._outcomes = outcome.Outcomes(self._service, zone.layout, now)
        self._own = own(service, zone.layout)

    def entry(self) -> bytes:
        places = self._layout.places
        if len(places) < 2 or not (self._own or self._outcomes.local):
            return self._view(self._default(self._usual()))
        default = self._default(self._usual())
        near = self._near(default)
        found = [self._own.get(place.member) or near[at] for at, place in enumerate(places)]
        views: dict[int, bytes] = {}
        for each in found:
            if id(each) not in views:
                views[id(each)] = self._view(each)
        distinct = list(dict.fromkeys(views.values()))
        return node.locate(distinct, [distinct.index(views[id(each)]) for each in found])

    def _near(self, default: outcome.Outcome) -> Sequence[outcome.Outcome]:
        """What the law gives at each place; the default one where all have an address in common."""
        places = self._layout.places
        if self._common() or not self._outcomes.local:
            return [default] * len(places)
        return [self._default(each) for each in self._outcomes.by_place(0, places)]

    def _common(self) -> outcome.Outcome | None:
        """The clusterset IP, where all that have one have the same."""
        told = list(self._own.values())
        return told[0] if told and all(each == told[0] for each in told) else None

    def _usual(self) -> outcome.Outcome:
        return self._common() or self._outcomes[0]

    def _default(self, found: outcome.Outcome) -> outcome.Outcome:
        """What is told of an outcome: a last resort only where it is wanted."""
        if found.rule == "open" and not self._zone.settings.fail_open:
            found = outcome.Outcome("closed")
        if found.serves or any(map(selection.candidate, self._service.shards)):
            return found
        return outcome.Outcome("serve", (), *outcome.packed(self._zone.settings.addresses))

    def _view(self, found: outcome.Outcome) -> bytes:
        kind, ttl = (self._zone.number, node.SERVICE), self._ttl
        if found.host:
            alias = (node.RRset(wire.CNAME, ttl, (found.host,)),)
            stem = node.encode(node.Node(*kind, alias, {}, (), found.stale))
        elif found.choices or found.stale:
            slots = federation.slots(ttl, wire.ROOT, [], found)
            stem = node.encode(node.Node(*kind, federation.rrsets(found, ttl), slots, (), found.stale))
        else:
            stem = answers.stem(kind, ttl, (found.v4, found.v6))
        return node.adopt(stem, list(self._children(found)))

    def _children(self, found: outcome.Outcome) -> Iterator[bytes]:
        """`_port._proto`, at the service's own name."""
        rows = {labels: port for port in self._service.ports if (labels := _labels(port, self._owner))}
        yield from _between(rows)
        for labels, port in rows.items():
            rdata = _SRV.pack(0, _WEIGHT, port.number) + (found.host or self._owner)
            records = (node.RRset(wire.SRV, self._ttl, (rdata,)),) if found.serves else ()
            yield node.child(labels, records)


class _Endpoint(NamedTuple):
    """One that has a name of its own, with all its addresses."""

    owner: bytes
    shard: model.Shard
    backends: tuple[Backend, ...]


class _Headless:
    """A service of which every ready endpoint is told."""

    def __init__(self, zone: Set, service: model.Service, merged: clusterset.Merged, now: float) -> None:
        self._zone, self._merged = zone, merged
        self._owner = names.prefix(service) + zone.top
        self._ttl = federation.time_to_live(service, zone.layout, now)

    def entries(self) -> Iterator[tuple[bytes, bytes]]:
        """None at all while no endpoint is ready."""
        groups = [list(self._endpoints(shard)) for shard in _serving(self._merged.shards)]
        found = [each for group in groups for each in group]
        if not found:
            return
        kind = self._zone.number, node.SERVICE
        shown = list(islice(_dealt(groups), MOST))
        stem = answers.stem(kind, self._ttl, _families(chain(*(each.backends for each in shown))))
        yield self._owner, node.adopt(stem, list(self._services(shown)))
        for name in {name for each in found for name in self._above(each.owner)}:
            yield name, self._zone.between
        for each in found:
            yield each.owner, answers.stem(kind, self._ttl, _families(each.backends))

    def _endpoints(self, shard: model.Shard) -> Iterator[_Endpoint]:
        """Those of a member by name; one without a hostname is called as its address."""
        below = self._zone.ids.get(shard.member, b"") + self._owner
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

    def _services(self, shown: Sequence[_Endpoint]) -> Iterator[bytes]:
        """`_port._proto`: each endpoint with the number at which it listens."""
        rows: dict[bytes, list[bytes]] = {}
        for offer in self._merged.offers:
            labels = _labels(offer.port, self._owner)
            if not labels:
                continue
            numbers = ((each.owner, _number(each, offer.port)) for each in shown)
            rows[labels] = [_SRV.pack(0, _WEIGHT, number) + owner for owner, number in numbers if number]
        yield from _between(rows)
        for labels, rdatas in rows.items():
            yield node.child(labels, (node.RRset(wire.SRV, self._ttl, tuple(rdatas)),) if rdatas else ())


def ids(members: Mapping[str, model.Member]) -> tuple[Mapping[str, bytes], tuple[Problem, ...]]:
    """How each member is called in the set, as labels; those that cannot be told apart are problems."""
    found: dict[str, bytes] = {}
    problems = []
    for name in sorted(members):
        told = members[name].clusterid
        label = _labelled(told) or _labelled(name)
        if told and not _labelled(told):
            what = f"it calls itself {told!r} in its cluster set, which is no name"
            problems.append(Problem(f"member {name}", what, "it is called by its own name meanwhile"))
        rival = next((other for other, each in found.items() if each == label), None)
        if rival is not None:
            what = f"it is called {told or name!r} in its cluster set, and so is {rival}"
            problems.append(Problem(f"member {name}", what, "endpoints of both answer to one name"))
        found[name] = label
    return found, tuple(problems)


def own(service: model.Service, layout: names.Layout) -> Mapping[str, outcome.Outcome]:
    """The clusterset IPs that members have, each once where they are the same."""
    made: dict[tuple[str, ...], outcome.Outcome] = {}
    found = {}
    for member, addresses in service.imports:
        if member in layout.homes:
            if addresses not in made:
                made[addresses] = outcome.Outcome("serve", (), *outcome.packed(addresses))
            found[member] = made[addresses]
    return found


def _labelled(name: str) -> bytes:
    try:
        return names.wire(name)[:-1]
    except FednsError:
        return b""


def _addressed(shard: model.Shard) -> model.Shard:
    """By its addresses, and not by the name that they were found by."""
    if not shard.facts.hostnames or not shard.addresses:
        return shard
    return structs.replace(shard, facts=structs.replace(shard.facts, hostnames=()))


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


def _families(backends: Iterator[Backend] | Sequence[Backend]) -> tuple[outcome.Family, outcome.Family]:
    return outcome.packed([each.address for each in backends])


def _number(one: _Endpoint, port: Port) -> int:
    """Where an endpoint listens for a port of the service; 0: nowhere."""
    offered = port in one.shard.facts.ports
    listens = (dict(each.ports).get(port.name, 0) for each in one.backends)
    return next(filter(None, listens), 0) or (port.number if offered and not one.backends[0].ports else 0)


def _labels(port: Port, owner: bytes) -> bytes:
    """`_name._protocol`; nothing for a port without a name, or where that is too long."""
    labels = inside.ported(port)
    return labels if len(labels + owner) <= names.MAX_NAME else b""


def _between(rows: Mapping[bytes, object]) -> Iterator[bytes]:
    return (node.child(labels, ()) for labels in sorted({wire.parent(each) for each in rows}))


def _conflicts(service: model.Service) -> tuple[Problem, ...]:
    """Members that disagree about a service, and exports that cannot be."""
    merged = clusterset.merge(service)
    where = f"ServiceExport {service.namespace}/{service.name} of member "
    first = f"{merged.exporters[0].member} exported it first, and counts" if merged.exporters else ""
    what, hint = "its Service is of type ExternalName, which cannot be exported", "remove one of the two"
    return (
        *(Problem(where + each.member, each.detail, first) for each in merged.conflicts),
        *(Problem(where + member, what, hint) for member in merged.refused),
    )
