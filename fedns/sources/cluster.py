"""One member's objects -> its facts: shards, places and nodes, kept up object by object.

Law: pure. An update recomputes only the services that the changed objects belong to, and names
only those whose facts differ. What configuration says about region and zones wins over node labels.
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from msgspec import Struct, structs

from fedns.model import buckets, facts
from fedns.model.facts import Backend, Export, NodeZone, ShardFacts, ZoneReadiness
from fedns.sources.inward import Hosted, Inward
from fedns.sources.objects import Declared, Endpoint, Node, Placed, Slice

ObjectKey = tuple[str, str, str]
Touched = frozenset[str] | None


class Member(Struct, frozen=True):
    """What configuration says of a member; empty region or zones: node labels tell them. `endpoints`: those
    of services that somebody names are told one by one. `inside`, `clusterset`: as in `subjects.Wish`;
    `backends`: those of exported services are told."""

    name: str
    region: str = ""
    zones: tuple[str, ...] = ()
    labels: Mapping[str, str] = {}
    endpoints: bool = False
    inside: bool = False
    clusterset: bool = False
    backends: bool = False


class Places(Struct, frozen=True):
    """Where a member is, its nodes per zone, and how it is called in its cluster set."""

    region: str
    zones: tuple[str, ...]
    nodes: tuple[NodeZone, ...]
    clusterid: str = ""


class Cluster:
    """The objects of one member by what they are about; `shards`, `places`, and what it offers to and has of
    its cluster set, are the outcome."""

    def __init__(self, member: Member) -> None:
        self.member = member
        self.shards: buckets.Buckets[ShardFacts] = buckets.NOTHING
        self.places = Places(member.region, member.zones, ())
        self.exports: buckets.Buckets[Export] = buckets.NOTHING
        self.imports: buckets.Buckets[tuple[str, ...]] = buckets.NOTHING
        self._clusterid, self._listed = "", False
        self._named: frozenset[str] = frozenset()
        self._declared: dict[str, Declared] = {}
        self._slices: dict[str, tuple[tuple[ObjectKey, Slice], ...]] = {}
        self._service_of: dict[ObjectKey, str] = {}
        self._nodes: dict[str, Node] = {}

    def update(self, changes: Iterable[tuple[ObjectKey, Any]]) -> Touched:
        """Take in changed objects (value None: gone). Services that differ; None: places differ too."""
        dirty: set[str] = set()
        nodes, offers, told = False, dict[str, Any](), dict[str, Any]()
        for key, value in changes:
            kind, service = key[0], f"{key[1]}/{key[2]}"
            if kind == "Node":
                self._put(self._nodes, key[2], value)
                nodes = True
            elif kind == "Service":
                self._put(self._declared, service, value)
                dirty.add(service)
            elif kind == "ServiceExport":
                offers[service] = value
            elif kind == "ServiceImport":
                told[service] = value
            elif kind == "ClusterProperty":
                nodes, self._clusterid = True, value or ""
            else:
                dirty |= self._put_slice(key, value)
        before, more = self.places, self._join(offers, told)
        if nodes:
            dirty |= self._move()
        touched = self._settle(dirty | more) | more
        if _names(before) != _names(self.places):
            return None
        return touched if before == self.places else frozenset(touched | self.shards.keys())

    def _join(self, offers: dict[str, Any], told: dict[str, Any]) -> frozenset[str]:
        """What it has to do with its cluster set; the services of which that differs."""
        if not self.member.clusterset:
            return frozenset()
        found = {key for key, value in offers.items() if self.exports.get(key) != value}
        found |= {key for key, value in told.items() if self.imports.get(key) != value}
        self.exports = self.exports.put(offers) if offers else self.exports
        self.imports = self.imports.put(told) if told else self.imports
        return frozenset(found)

    def detail(self, services: frozenset[str]) -> frozenset[str]:
        """Tells the endpoints of these services, and of no other; the services that differ."""
        before, self._named = self._named, services if self.member.endpoints else frozenset()
        return self._settle({key for key in before ^ self._named if key in self._declared})

    def listed(self, whole: bool) -> frozenset[str]:
        """Whether all endpoints are known: a Service that selects some and has none then has none ready. Who
        differs."""
        if whole == self._listed:
            return frozenset()
        self._listed = whole
        return self._settle(set(self._declared.keys() - self._slices.keys()))

    def objects(self, service: str) -> tuple[ObjectKey, ...]:
        """The objects that tell of a service."""
        namespace, _, name = service.partition("/")
        declared = (("Service", namespace, name),) if service in self._declared else ()
        return (*declared, *(key for key, _ in self._slices.get(service, ())))

    @staticmethod
    def _put(table: dict[str, Any], key: str, value: Any) -> None:
        if value is None:
            table.pop(key, None)
        else:
            table[key] = value

    def _put_slice(self, key: ObjectKey, value: Slice | None) -> set[str]:
        """File a slice under its service (which it may have changed); the services concerned."""
        dirty = set()
        before = self._service_of.pop(key, None)
        if before is not None:
            dirty.add(before)
            rest = {one: kept for one, kept in self._slices.pop(before) if one != key}
            if rest:
                self._slices[before] = tuple(rest.items())
        if value is not None:
            self._service_of[key] = value.key
            self._slices[value.key] = (*self._slices.get(value.key, ()), (key, value))
            dirty.add(value.key)
        return dirty

    def _move(self) -> set[str]:
        """Places from nodes again; the services whose zones hang on node labels."""
        self.places = structs.replace(_places(self.member, self._nodes), clusterid=self._clusterid)
        return {key for key, slices in self._slices.items() if any(one.legacy for _, one in slices)}

    def _settle(self, dirty: set[str]) -> frozenset[str]:
        found = ((key, self._shard(key)) for key in dirty)
        differing = {key: told for key, told in found if told != self.shards.get(key)}
        if differing:
            self.shards = self.shards.put(differing)
        return frozenset(differing)

    def _shard(self, key: str) -> ShardFacts | None:
        declared = self._declared.get(key)
        if declared is None:
            return None
        inside = self._inside(key, declared) if isinstance(declared, Inward) else None
        if inside is not None and not inside.published and inside.export is None:
            return None
        readiness = self._readiness(key)
        if declared.elsewhere and not readiness:
            return None
        told = self._endpoints(key) if key in self._named else None
        given = declared.addresses, declared.hostnames, declared.ports
        return ShardFacts(*given, readiness, told, inside, declared.parting)

    def _inside(self, key: str, declared: Inward) -> facts.Inside:
        """The Service as its cluster has it."""
        inside, export = declared.inside, self.exports.get(key)
        told = None
        if inside.headless or (export is not None and self.member.backends):
            told = self._backends(key, declared.unready)
        if told is None and export is None:
            return inside
        return structs.replace(inside, backends=told, export=export)

    def _backends(self, key: str, unready: bool) -> tuple[Backend, ...]:
        """Each address once, in order. `unready`: they count as ready whatever they are."""
        found: dict[str, Backend] = {}
        for one in self._current(key):
            if not isinstance(one, Placed):
                continue
            names = one.hostnames if isinstance(one, Hosted) else ("",) * len(one.addresses)
            for each, address, name in zip(one.endpoints, one.addresses, names, strict=False):
                zone, ready = each.zone or self._zone_of(each.node), each.ready or unready
                if address not in found or (ready and not found[address].ready):
                    found[address] = Backend(address, name, one.ports, zone, ready)
        return tuple(sorted(found.values()))

    def _current(self, key: str) -> list[Slice]:
        slices = [one for _, one in self._slices.get(key, ())]
        return [one for one in slices if not one.legacy] or slices

    def _endpoints(self, key: str) -> tuple[facts.Endpoint, ...] | None:
        """Each backend once, at its IPv4 address where it has one; None where that is not told."""
        current = [one for one in self._current(key) if isinstance(one, Placed)]
        if len(current) < len(self._current(key)):
            return None
        found: dict[int, facts.Endpoint] = {}
        for one in sorted(current, key=lambda one: any(":" in address for address in one.addresses)):
            for backend, address in zip(one.endpoints, one.addresses, strict=False):
                known = found.get(backend.identity)
                if known is None or (backend.ready and not known.ready):
                    found[backend.identity] = self._endpoint(backend, address, one.ports)
        return tuple(sorted(found.values()))

    def _endpoint(
        self, backend: Endpoint, address: str, ports: tuple[tuple[str, int], ...]
    ) -> facts.Endpoint:
        zone = backend.zone or self._zone_of(backend.node)
        return facts.Endpoint(address, ports, zone, backend.ready, backend.serving, backend.terminating)

    def _readiness(self, key: str) -> tuple[ZoneReadiness, ...] | None:
        current = self._current(key)
        if not current:
            return () if self._listed and self._declared[key].selects else None
        backends: dict[int, Endpoint] = {}
        for one in current:
            for endpoint in one.endpoints:
                known = backends.get(endpoint.identity)
                if known is None or (endpoint.ready and not known.ready):
                    backends[endpoint.identity] = endpoint
        return self._count(backends.values())

    def _count(self, endpoints: Iterable[Endpoint]) -> tuple[ZoneReadiness, ...]:
        counts: dict[str, list[int]] = {}
        for one in endpoints:
            count = counts.setdefault(one.zone or self._zone_of(one.node), [0, 0, 0, 0])
            count[0] += one.ready
            count[1] += one.serving
            count[2] += one.terminating
            count[3] += 1
        return _rows(tuple([(zone, *counts[zone]) for zone in sorted(counts)]))

    def _zone_of(self, node: str) -> str:
        known = self._nodes.get(node)
        return known.zone if known else ""


@lru_cache(maxsize=1 << 14)  # most shards of a member read the same: once is enough
def _rows(counts: tuple[tuple[str, int, int, int, int], ...]) -> tuple[ZoneReadiness, ...]:
    return tuple(ZoneReadiness(*row) for row in counts)


def _names(places: Places) -> tuple[str, tuple[str, ...], str]:
    """What names of the member are made of."""
    return places.region, places.zones, places.clusterid


def _places(member: Member, nodes: Mapping[str, Node]) -> Places:
    region = member.region or _most({node.region for node in nodes.values() if node.region}, nodes)
    zones = member.zones or tuple(sorted({node.zone for node in nodes.values() if node.zone}))
    counts: dict[str, list[int]] = {}
    for node in nodes.values():
        if node.zone:
            count = counts.setdefault(node.zone, [0, 0])
            count[0] += node.ready
            count[1] += 1
    return Places(region, zones, tuple(NodeZone(zone, *counts[zone]) for zone in sorted(counts)))


def _most(regions: set[str], nodes: Mapping[str, Node]) -> str:
    """The region of most nodes, the first by name among equals."""
    votes = {region: sum(node.region == region for node in nodes.values()) for region in regions}
    return min(votes, key=lambda region: (-votes[region], region), default="")
