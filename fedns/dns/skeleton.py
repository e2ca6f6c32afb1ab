"""The federated zone apart from its services: apex, name servers, and the names in between.

Law: a name that lies above a served name exists (RFC 8020: NODATA, never NXDOMAIN), and a static zone with
the same origin keeps all its nodes: here records are joined, at a service's own name the service wins.
"""

from collections.abc import Iterator, Mapping
from ipaddress import ip_address

from fedns.dns import answers, names, node, wire
from fedns.model import snapshot as model

NS = 2
NS_TTL = 3600  # seconds; delegations change seldom
SOA_TTL = 30  # seconds; also the limit of negative answers, since a declared name may appear at any time
REFRESH, RETRY = 60, 15  # seconds, for secondaries
EXPIRE = 604800  # seconds; a secondary that lost us gives stale answers for a week rather than none
NOWHERE = b"\x02ns\x07invalid\0"  # RFC 6761: where the configuration names no server


def zone(layout: names.Layout, serial: int) -> node.Zone:
    """The zone with its SOA; mname is the first name server, minimum at most 30 s."""
    hosts = _hosts(layout)
    rname = b"\x0ahostmaster" + layout.origin
    mname = hosts[0] if hosts else NOWHERE
    numbers = (serial & 0xFFFFFFFF, REFRESH, RETRY, EXPIRE, SOA_TTL)
    soa = mname + rname + b"".join(number.to_bytes(4, "big") for number in numbers)
    return node.Zone(layout.origin, soa, SOA_TTL)


def serial(zone: node.Zone) -> int:
    """The serial of a zone's SOA."""
    return int.from_bytes(zone.soa[-20:-16], "big")


def skeleton(snapshot: model.Snapshot, layout: names.Layout) -> dict[bytes, bytes]:
    """All entries of the zone that are no service's: to be renewed when the layout or the set of declared
    services changes, not when their health does."""
    nodes = dict(_plain(layout))
    blank = node.Node(layout.zone, 0)
    apex = nodes.get(layout.origin, blank)
    nodes[layout.origin] = _joined(layout.origin, apex._replace(flags=apex.flags | node.APEX), _apex(layout))
    for host, rrsets in _addresses(layout):
        nodes[host] = _joined(host, nodes.get(host, blank), rrsets)
    between = set(_between(list(nodes), layout.origin))
    between.update(_ladders(snapshot, layout))
    entries = dict.fromkeys(between, node.encode(blank._replace(flags=node.BETWEEN)))
    entries.update((name, node.encode(each)) for name, each in nodes.items())
    for name in _claimed(snapshot, layout):
        entries.pop(name, None)
    return entries


def _plain(layout: names.Layout) -> Iterator[tuple[bytes, node.Node]]:
    for name, each in layout.static.items():
        yield name, each._replace(zone=layout.zone)


def _joined(name: bytes, old: node.Node, rrsets: Mapping[int, node.RRset]) -> node.Node:
    """The node with more RRsets; the types given here replace those of the static zone."""
    joined = (*(rrset for rrset in old.rrsets if rrset.type not in rrsets), *rrsets.values())
    slots = {
        rrset.type: answers.slot(name, (), rrset.type, rrset.ttl, rrset.rdatas)
        for rrset in joined
        if rrset.type in (node.A, node.AAAA)
    }
    return old._replace(rrsets=joined, slots=slots)


def _apex(layout: names.Layout) -> dict[int, node.RRset]:
    static = layout.static.get(layout.origin)
    hosts = _hosts(layout)
    if not hosts and static and any(rrset.type == NS for rrset in static.rrsets):
        return {}
    return {NS: node.RRset(NS, NS_TTL, tuple(hosts) or (NOWHERE,))}


def _hosts(layout: names.Layout) -> list[bytes]:
    return [names.wire(host) for host in layout.settings.nameservers]


def _addresses(layout: names.Layout) -> Iterator[tuple[bytes, dict[int, node.RRset]]]:
    """Addresses of the name servers that lie in the zone."""
    for host, literals in layout.settings.nameservers.items():
        owner = names.wire(host)
        if not wire.below(owner, layout.origin):
            continue
        found: dict[int, set[bytes]] = {}
        for literal in literals:
            address = ip_address(literal)
            found.setdefault(node.A if address.version == 4 else node.AAAA, set()).add(address.packed)
        yield owner, {rtype: node.RRset(rtype, NS_TTL, tuple(sorted(rds))) for rtype, rds in found.items()}


def _between(owners: list[bytes], origin: bytes) -> Iterator[bytes]:
    for owner in owners:
        name = owner
        while len(name) > len(origin):
            name = wire.parent(name)
            yield name


def _ladders(snapshot: model.Snapshot, layout: names.Layout) -> Iterator[bytes]:
    """The names above every service: `N.F.svc.<level>`, `F.svc.<level>`, and so on up."""
    namespaces = {service.namespace for service in snapshot.services.values()}
    heads = [head for namespace in sorted(namespaces) if (head := names.label(namespace))]
    for level in layout.levels:
        yield level.suffix
        yield from _between([level.suffix], layout.origin)
        for head in heads:
            if len(head) + len(level.suffix) <= names.MAX_NAME:
                yield head + level.suffix


def _claimed(snapshot: model.Snapshot, layout: names.Layout) -> Iterator[bytes]:
    """Static names that a declared service has: the service's node stands there."""
    suffixes = {level.suffix for level in layout.levels}
    for name in layout.static:
        found = list(names.labels(name))[:2]
        if len(found) == 2 and name[sum(map(len, found)) + 2 :] in suffixes:
            key = f"{found[1].decode('latin-1')}/{found[0].decode('latin-1')}"
            if key in snapshot.services:
                yield name
