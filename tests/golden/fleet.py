"""A small fleet written as YAML -> the values that DNS is compiled from, and the table compiled from them.

settings: {federation: F, domain: D, nameservers: {...}, compat: fedns}
members: {NAME: {region: R, zones: [Z], clusterid: NAME}}
services: {NAMESPACE/NAME: {policy: {...}, ports: [[name, protocol, number]], last_good: [MEMBER], shards:
  {MEMBER: {addresses: [IP], hostnames: [NAME], resolved: [IP], state: healthy, endpoints: [IP],
  inside: {cluster_ips: [IP], backends: [{address: IP}], export: {created: 1}}, listens: [...]}},
  imports: {MEMBER: [IP]}}}
static: master file text of a static zone with the domain as its origin
clusterset: `clusterset.Settings`; its zone is meant then
where: an `atlas.Settings`, for places of clients
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import dns.zone
import msgspec
import yaml

from fedns.dns import annex, atlas, federation, names, node, places, skeleton, zones
from fedns.model import facts, policy, snapshot

NOW = 1_800_000_000.0


class Fleet(NamedTuple):
    snapshot: snapshot.Snapshot
    layout: names.Layout
    atlas: places.Atlas = places.Atlas()

    def table(self, *kinds: annex.Kind) -> dict[bytes, bytes]:
        """The whole answer table, as a turn would publish it, with the zones of these kinds."""
        entries = skeleton.skeleton(self.snapshot, self.layout)
        for service in self.snapshot.services.values():
            entries.update(federation.compile_service(service, self.layout, NOW))
        served = [skeleton.zone(self.layout, 1)]
        for kind in kinds:
            opened = kind.open(annex.Setting(self.layout, self.snapshot.members, len(served)))
            if opened is not None:
                served.append(opened.zone)
                parts = opened.whole(self.snapshot, NOW)
                entries.update((key, value) for part in parts for key, value in part.items() if value)
        drawn = places.encode(self.atlas)
        heads = {node.ATLAS: drawn, node.ATLAS_STAMP: places.stamp(drawn)}
        return {**entries, **heads, node.ZONES: node.encode_zones(served), node.READY: b"1"}


def load(path: Path) -> Fleet:
    return build(yaml.safe_load(path.read_text()))


def build(world: Mapping[str, Any]) -> Fleet:
    settings = msgspec.convert(world["settings"], names.Settings)
    members = {name: _member(name, **fields) for name, fields in world["members"].items()}
    services = {
        key: _service(key, members, **fields) for key, fields in (world.get("services") or {}).items()
    }
    static = _static(world.get("static", ""), names.wire(settings.domain))
    drawn = atlas.draw(world.get("where", atlas.NONE), members.values())
    layout = names.layout(settings, members.values(), 0, static, drawn.places)
    return Fleet(snapshot.Snapshot(NOW, members, services), layout, drawn.atlas)


def _member(name: str, region: str = "", zones: tuple[str, ...] = (), clusterid: str = "") -> snapshot.Member:
    return snapshot.Member(name, region, tuple(zones), {}, (), "reachable", NOW, NOW, clusterid)


def _service(key: str, members: Mapping[str, snapshot.Member], **fields: Any) -> snapshot.Service:
    namespace, _, name = key.partition("/")
    ports = tuple(facts.Port(*port) for port in fields.get("ports", ()))
    shards = tuple(
        _shard(members[member], ports, **shard) for member, shard in sorted(fields.get("shards", {}).items())
    )
    return snapshot.Service(
        namespace,
        name,
        msgspec.convert(fields.get("policy", {}), policy.TrafficPolicy),
        shards,
        ports,
        tuple(fields.get("last_good", ())),
        fields.get("tombstone"),
        imports=tuple((member, tuple(told)) for member, told in sorted(fields.get("imports", {}).items())),
    )


def _shard(member: snapshot.Member, ports: tuple[facts.Port, ...], **fields: Any) -> snapshot.Shard:
    ports = tuple(facts.Port(*port) for port in fields["listens"]) if "listens" in fields else ports
    addresses = tuple(fields.get("addresses", ()))
    state = fields.get("state", "healthy")
    ready = 3 if state in ("healthy", "unknown") else 0
    counts: tuple[facts.ZoneReadiness, ...] | None = (
        facts.ZoneReadiness(member.zones[0] if member.zones else "", ready, ready, 0, 3),
    )
    if "readiness" in fields:
        counts = msgspec.convert(fields["readiness"], tuple[facts.ZoneReadiness, ...] | None)
    told = fields.get("endpoints")
    numbers = tuple((port.name, port.number + 8000) for port in ports)
    endpoints = None if told is None else tuple(facts.Endpoint(address, numbers) for address in told)
    inside = fields.get("inside")
    shard_facts = facts.ShardFacts(
        addresses,
        tuple(fields.get("hostnames", ())),
        ports,
        counts,
        endpoints,
        None if inside is None else _inside(**inside),
    )
    says = {"healthy": "up", "unhealthy": "down"}.get(state, state)
    detail = f"{ready} of 3 endpoints ready"
    evidence = (msgspec.convert(["readiness", says, detail, NOW], _Row),)
    verdict = snapshot.Verdict(
        state, detail, NOW - 60, evidence=tuple(snapshot.Evidence(*row) for row in evidence)
    )
    resolved = addresses + tuple(fields.get("resolved", ()))
    return snapshot.Shard(member.name, member.region, member.zones, shard_facts, resolved, verdict)


def _inside(**fields: Any) -> facts.Inside:
    """`backends` and `export` are objects here."""
    if "export" in fields:
        fields["export"] = facts.Export(**fields["export"])
    told = fields.pop("backends", None)
    backends = None if told is None else tuple(facts.Backend(**_frozen(each)) for each in told)
    return facts.Inside(**_frozen(fields), backends=backends)


def _frozen(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: tuple(map(tuple, value))
        if name == "ports"
        else tuple(value)
        if isinstance(value, list)
        else value
        for name, value in fields.items()
    }


_Row = tuple[str, str, str, float]


def _static(text: str, origin: bytes) -> dict[bytes, node.Node]:
    if not text:
        return {}
    parsed = dns.zone.from_text(text, origin=zones.text(origin), relativize=False, check_origin=False)
    rrsets = [
        (
            name.to_digestable(),
            node.RRset(int(rds.rdtype), rds.ttl, tuple(rdata.to_digestable() for rdata in rds)),
        )
        for name, entry in parsed.nodes.items()
        for rds in entry.rdatasets
    ]
    compiled = zones.compile(origin, rrsets, 0)
    return {name: node.decode(value) for name, value in compiled.nodes.items()}
