"""The cluster domain: federated services as those see them who are inside a member.

Law: `S.N.F.svc` leads to the local name `S.N.svc` where the member's own shard serves (`model.locality`),
else to the narrowest federated name of the client's place, and the whole chain is in one answer. `S.N.svc` is
there for those inside a member that has the service, and for nobody else. All other names below the domain
are not there, so that a resolver's search goes on.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from ipaddress import ip_address
from struct import Struct
from typing import Literal, NamedTuple

from fedns.dns import account, annex, answers, federation, names, node, outcome, skeleton, wire
from fedns.errors import FednsError, Problem
from fedns.model import locality, selection
from fedns.model import snapshot as model
from fedns.model.facts import Backend, Inside, Port

Style = Literal["cname", "rewrite"]

VERSION = b"\x0bdns-version"
_VERSION_TTL = 28800  # seconds; as in the specification of DNS-based service discovery
_SCHEMA = b"\x051.1.0"
_SVC = b"\x03svc"
_SRV = Struct(">HHH")  # priority, weight, port
_EVEN = 100  # weight that the addresses behind an SRV record share


class Settings(NamedTuple):
    """`style`: `cname` is kube-dns' way, `rewrite` that of CoreDNS' federation plugin, which gives the local
    addresses at the name that was asked for and leads away only where there is no local service. `served`:
    though nobody is known to be inside a member."""

    domain: str = "cluster.local"
    style: Style = "cname"
    served: bool = False


class Spot(NamedTuple):
    """Where a client is, as names have it: inside which member (empty: none), and the levels of its federated
    names, the narrowest first."""

    member: str
    levels: tuple[int, ...]


class Kind:
    """The cluster domain as configured."""

    def __init__(self, settings: Settings) -> None:
        self.settings, self.apex = settings, names.wire(settings.domain)

    def open(self, setting: annex.Setting) -> "Domain | None":
        wanted = self.settings.served or any(place.member for place in setting.layout.places)
        return Domain(self, setting) if wanted else None


class Domain(annex.Services):
    """The cluster domain of a fleet. Nobody may copy it: what it holds is for whoever is inside a member."""

    copied = False
    problems: tuple[Problem, ...] = ()

    def __init__(self, kind: Kind, setting: annex.Setting) -> None:
        super().__init__(self)
        self.style, self.layout, self._number = kind.settings.style, setting.layout, setting.zone
        soa = skeleton.zone(setting.layout, 0)
        hosts = soa.soa[: wire.skip_name(soa.soa, 0)]
        self.zone = soa._replace(
            apex=kind.apex,
            soa=hosts + b"\x0ahostmaster" + kind.apex + soa.soa[-20:],
            flat=not any(wire.below(names.wire(each), kind.apex) for each in setting.layout.settings.aliases),
        )
        self.local = _SVC + kind.apex
        self.federated = (names.label(setting.layout.settings.federation) or b"") + self.local
        self.spots = spots(setting.layout, setting.members)
        self._hosts = hosts
        self._nobody = node.encode(node.Node(setting.zone, node.SERVICE | node.ABSENT))

    def names(self, service: model.Service) -> tuple[bytes, ...]:
        prefix = names.prefix(service)
        both = (prefix + self.federated, prefix + self.local) if prefix else ()
        return tuple(name for name in both if len(name) <= names.MAX_NAME)

    def skeleton(self, snapshot: model.Snapshot) -> dict[bytes, bytes]:
        apex, blank = self.zone.apex, node.Node(self._number, 0)
        between = node.encode(blank._replace(flags=node.BETWEEN))
        spaces = {service.namespace for service in snapshot.services.values()}
        heads = [head for each in sorted(spaces) if (head := names.label(each))]
        tops = (self.local, self.federated)
        found = dict.fromkeys((*tops, *(head + top for head in heads for top in tops)), between)
        servers = node.RRset(wire.NS, skeleton.NS_TTL, (self._hosts,))
        found[apex] = node.encode(_answering(blank._replace(flags=node.APEX, rrsets=(servers,))))
        schema = node.RRset(wire.TXT, _VERSION_TTL, (_SCHEMA,))
        found[VERSION + apex] = node.encode(_answering(blank._replace(rrsets=(schema,))))
        return {name: value for name, value in found.items() if len(name) <= names.MAX_NAME}

    def entries(self, service: model.Service, now: float) -> annex.Changes:
        found: annex.Changes = dict.fromkeys(self.names(service))
        if not found:
            return found
        made = _Service(self, service, now)
        for name, view in zip(found, (made.federated, made.own), strict=False):
            views = [view(spot, place) for place, spot in enumerate(self.spots)]
            found[name] = self._located([each or self._nobody for each in views])
        return found

    def tell(self, name: bytes, place: int, snapshot: model.Snapshot) -> annex.Story | None:
        """Why a name of the domain is answered as it is."""
        if not wire.below(name, self.zone.apex):
            return None
        spot = self.spots[place]
        point = account.Point(spot.member, tuple(self.layout.levels[each] for each in spot.levels))
        for above in wire.ancestors(name):
            service = self._named(above, self.federated, snapshot)
            if service is not None and above == name:
                local = names.prefix(service) + self.local
                return account.federated(service, point, local, self.style == "rewrite")
            service = self._named(above, self.local, snapshot)
            if service is not None:
                return account.own(service, point)
        return annex.Story(account.NOT_NAMED) if name != self.zone.apex else None

    @staticmethod
    def _named(name: bytes, suffix: bytes, snapshot: model.Snapshot) -> model.Service | None:
        """The service whose name this is."""
        labels = list(names.labels(name[: len(name) - len(suffix)])) if name.endswith(suffix) else []
        key = "/".join(label.decode("latin-1") for label in reversed(labels))
        return snapshot.services.get(key) if len(labels) == 2 else None

    def _located(self, seen: Sequence[bytes]) -> bytes | None:
        """One node that is these at the places; None where it is nowhere."""
        numbers: dict[bytes, int] = {}
        choices = [numbers.setdefault(each, len(numbers)) for each in seen]
        return node.locate(list(numbers), choices) if list(numbers) != [self._nobody] else None

    @property
    def number(self) -> int:
        return self._number


class Inner(NamedTuple):
    """What a shard is inside its cluster: addresses, or the name that it stands for (wire form)."""

    v4: outcome.Family = ()
    v6: outcome.Family = ()
    host: bytes = b""


class _Service:
    """One service being compiled. A name's view is None where it is not there for a client."""

    def __init__(self, domain: Domain, service: model.Service, now: float) -> None:
        self._domain, self._service, self._layout = domain, service, domain.layout
        self._prefix = names.prefix(service)
        self._owner, self._own = self._prefix + domain.federated, self._prefix + domain.local
        self._ttl = federation.time_to_live(service, domain.layout, now)
        self._outcomes = outcome.Outcomes(service, domain.layout, now)
        self._shards = {shard.member: shard for shard in service.shards}
        self._placed: dict[int, list[outcome.Outcome]] = {}
        self._away: dict[tuple[tuple[int, ...], int], bytes | None] = {}
        self._near: dict[str, bytes | None] = {}
        self._there: dict[str, bytes | None] = {}
        self._ports: dict[tuple[tuple[Port, ...], int], list[bytes]] = {}

    def federated(self, spot: Spot, place: int) -> bytes | None:
        """The view of `S.N.F.svc`."""
        if spot.member not in self._near:
            self._near[spot.member] = self._locally(spot.member) if spot.member in self._shards else None
        return self._near[spot.member] or self._leading(spot.levels, place)

    def own(self, spot: Spot, place: int) -> bytes | None:
        """The view of `S.N.svc`."""
        if spot.member not in self._there:
            shard = self._shards.get(spot.member)
            self._there[spot.member] = self._here(shard) if shard and locality.exists(shard) else None
        return self._there[spot.member]

    def _locally(self, member: str) -> bytes | None:
        """`S.N.F.svc` where the member's own shard serves."""
        shard, kind = self._shards[member], (self._domain.number, node.SERVICE)
        if self._domain.style == "rewrite":
            return self._stem(shard, answers.SELF) if locality.exists(shard) else None
        if not locality.judge(self._service, member).serves or len(self._own) > names.MAX_NAME:
            return None
        found = inner(shard)
        if found.host:
            return node.encode(node.Node(*kind, (node.RRset(wire.CNAME, self._ttl, (self._own,)),)))
        return self._stem(shard, answers.Path(self._owner, (self._own,)))

    def _here(self, shard: model.Shard) -> bytes:
        """`S.N.svc` of a member that has the service."""
        told = shard.facts.inside or Inside()
        stem = self._stem(shard, answers.SELF)
        if told.external_name:
            return stem
        if told.headless:
            return node.adopt(stem, list(_children(shard, self._own, self._ttl)))
        alike = shard.facts.ports, len(told.cluster_ips)
        if alike not in self._ports:
            self._ports[alike] = list(_children(shard, self._own, self._ttl))
        return node.adopt(stem, self._ports[alike])

    def _stem(self, shard: model.Shard, path: answers.Path) -> bytes:
        found, kind = inner(shard), (self._domain.number, node.SERVICE)
        if found.host:
            return node.encode(node.Node(*kind, (node.RRset(wire.CNAME, self._ttl, (found.host,)),)))
        return answers.stem(kind, self._ttl, (found.v4, found.v6), path)

    def _leading(self, levels: tuple[int, ...], place: int) -> bytes | None:
        """`S.N.F.svc` as it leads to a federated name, for a client at a place."""
        key = levels, place if self._outcomes.local else 0
        if key not in self._away:
            self._away[key] = self._alias(levels, place)
        return self._away[key]

    def _alias(self, levels: tuple[int, ...], place: int) -> bytes | None:
        suffixes = self._layout.levels
        fits = (each for each in levels if len(self._prefix + suffixes[each].suffix) <= names.MAX_NAME)
        first = next(fits, None)
        if first is None:
            return None
        steps = [first, *federation.chain(self._outcomes, self._layout.levels, first)]
        final, targets = (
            self._final(steps[-1], place),
            [self._prefix + suffixes[each].suffix for each in steps],
        )
        kind = self._domain.number, node.SERVICE | node.CROSSING
        if final.serves and not (final.host or final.choices or final.stale):
            path = answers.Path(self._owner, tuple(targets), self._layout.origin, self._layout.zone)
            return answers.stem(kind, self._ttl, (final.v4, final.v6), path)
        slots: Mapping[int, node.Slot] = {}
        if final.choices and not final.stale:
            slots = federation.slots(self._ttl, self._owner, targets, final)
        slots = {rtype: slot for rtype, slot in slots.items() if not slot.nodata}
        alias = (node.RRset(wire.CNAME, self._ttl, (targets[0],)),)
        return node.encode(node.Node(*kind, alias, slots, (), final.stale))

    def _final(self, index: int, place: int) -> outcome.Outcome:
        """What a level gives a client at a place."""
        places = self._layout.places
        if not self._outcomes.local or len(places) < 2:
            return self._outcomes[index]
        if index not in self._placed:
            self._placed[index] = self._outcomes.by_place(index, places)
        return self._placed[index][place]


def spots(layout: names.Layout, members: Mapping[str, model.Member]) -> tuple[Spot, ...]:
    """Where the clients of each place are."""
    return tuple(_spot(layout, members.get(place.member), place) for place in layout.places)


def _spot(layout: names.Layout, home: model.Member | None, place: selection.Place) -> Spot:
    """A member's clients have its first zone's names unless it is known in which of its zones they are."""
    if home is None:
        return Spot("", (0,))
    zone = place.zone if place.zone in home.zones else next(iter(home.zones), "")
    wanted = [*([(home.region, zone)] if zone else []), *([(home.region, "")] if home.region else [])]
    index = {(level.region, level.zone): level.same for level in layout.levels}
    return Spot(home.name, (*(index[each] for each in wanted if each in index), 0))


def inner(shard: model.Shard) -> Inner:
    """The shard's addresses inside its cluster."""
    told = shard.facts.inside
    if told is None:
        return Inner()
    if told.external_name:
        try:
            return Inner(host=names.wire(told.external_name))
        except FednsError:
            return Inner()
    if told.headless:
        return Inner(*outcome.packed([each.address for each in told.backends or () if each.ready]))
    return Inner(*outcome.packed(told.cluster_ips))


def _answering(one: node.Node) -> node.Node:
    """With the ready answer that it has no addresses."""
    return one._replace(slots=dict.fromkeys(node.SLOT_AT, node.Slot(0, b"", nodata=True)))


def _children(shard: model.Shard, owner: bytes, ttl: int) -> Iterator[bytes]:
    """Ports and endpoints below `S.N.svc`, each once, and the names between."""
    told = shard.facts.inside or Inside()
    if told.headless:
        found = _endpoints(shard, [each for each in told.backends or () if each.ready], owner)
    else:
        found = _numbers(shard.facts.ports, _EVEN // max(1, len(told.cluster_ips)), owner)
    between = {wire.parent(labels) for labels in found if labels.startswith(b"_", 1)} - {b""}
    yield from (node.child(labels, ()) for labels in sorted(between))
    for labels, sets in sorted(found.items()):
        yield node.child(labels, [node.RRset(rtype, ttl, tuple(rdatas)) for rtype, rdatas in sets.items()])


Sets = dict[bytes, dict[int, list[bytes]]]
"""Labels below a name -> type -> rdata."""


def _numbers(ports: Iterable[Port], weight: int, owner: bytes) -> Sets:
    """SRV of the named ports of a service with cluster IPs."""
    found: Sets = {}
    for port in ports:
        if labels := ported(port):
            _put(found, labels, wire.SRV, _SRV.pack(0, weight, port.number) + owner)
    return found


def _endpoints(shard: model.Shard, ready: Sequence[Backend], owner: bytes) -> Sets:
    """Each ready endpoint by its name, and SRV of each at each named port."""
    found: Sets = {}
    for each in ready:
        packed = ip_address(each.address).packed
        host = names.label(each.hostname) or dashed(each.address)
        _put(found, host, wire.A if len(packed) == 4 else wire.AAAA, packed)
        listens = dict(each.ports)
        for port in shard.facts.ports:
            number = listens.get(port.name, port.number)
            if (labels := ported(port)) and len(host) + len(owner) <= names.MAX_NAME:
                rdata = _SRV.pack(0, max(1, _EVEN // len(ready)), number) + host + owner
                _put(found, labels, wire.SRV, rdata)
    return {labels: sets for labels, sets in found.items() if len(labels) + len(owner) <= names.MAX_NAME}


def dashed(address: str) -> bytes:
    """The label of an endpoint that has no hostname: its address, as CoreDNS writes it."""
    return names.label(str(ip_address(address)).replace(".", "-").replace(":", "-").strip("-")) or b""


def ported(port: Port) -> bytes:
    """`_name._protocol`; nothing for a port without a name."""
    parts = names.label(port.name), names.label(port.protocol)
    if not all(parts) or not 0 <= port.number < 1 << 16:
        return b""
    return b"".join(bytes((len(part),)) + b"_" + part[1:] for part in parts if part)


def _put(into: Sets, labels: bytes, rtype: int, rdata: bytes) -> None:
    there = into.setdefault(labels, {}).setdefault(rtype, [])
    if rdata not in there:
        there.append(rdata)
