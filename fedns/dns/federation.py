"""Compiles one federated service into the nodes of all its names.

Law: every level of the layout gets a node as soon as the service is declared: its own addresses, else
the whole CNAME chain to the next wider level that serves, else NODATA at the global name; never
NXDOMAIN (`compat: v1` excepted). A and AAAA are one path. A name that cannot be one costs itself only.
"""

from collections.abc import Iterator
from fractions import Fraction
from math import gcd, lcm
from struct import Struct
from typing import NamedTuple

from fedns.dns import answers, inband, names, node, outcome, wire, zones
from fedns.errors import Problem
from fedns.model import selection
from fedns.model import snapshot as model

V1_TTL = 180  # seconds; minDNSTTL of Kubernetes Federation v1
SLOTS = 100  # longest schedule of a weighted answer: shares are exact to 1 %
_SRV = Struct(">HHH")  # priority, weight, port
_FAMILIES = (node.A, node.AAAA)

Ports = dict[bytes, list[bytes]]


class _Work(NamedTuple):
    """What all levels of one service share while it is compiled."""

    service: model.Service
    layout: names.Layout
    prefix: bytes
    outcomes: list[outcome.Outcome]
    ttl: int
    ports: Ports
    between: list[bytes]
    tale: inband.Tale
    stems: dict[tuple[int, int], bytes]


def compile_service(service: model.Service, layout: names.Layout, now: float) -> dict[bytes, bytes]:
    """All table entries of one service: lower-case wire name -> encoded node."""
    prefix = names.prefix(service)
    if not prefix or _absent(service, layout):
        return {}
    found = outcome.outcomes(service, layout, now)
    ttl = time_to_live(service, layout, now)
    ports = {} if layout.settings.compat == "v1" else _ports(service)
    between = [node.child(labels, ()) for labels in sorted({wire.parent(labels) for labels in ports})]
    work = _Work(service, layout, prefix, found, ttl, ports, between, inband.Tale(service, ttl), {})
    entries = {}
    for index, level in enumerate(layout.levels):
        owner = prefix + level.suffix
        if len(owner) <= names.MAX_NAME and not (index == 0 and _v1_hole(work)):
            entries[owner] = _entry(work, index, owner)
    return entries


def keys(service: model.Service, layout: names.Layout) -> list[bytes]:
    """Every name that the service may have in this layout."""
    prefix = names.prefix(service)
    owners = [prefix + level.suffix for level in layout.levels] if prefix else []
    return [owner for owner in owners if len(owner) <= names.MAX_NAME]


def withdraw(service: model.Service, layout: names.Layout) -> dict[bytes, bytes | None]:
    """What takes the place of a service's names when it goes: a static node, or nothing."""
    static = layout.static
    return {key: node.encode(static[key]) if key in static else None for key in keys(service, layout)}


def problems(service: model.Service, layout: names.Layout) -> tuple[Problem, ...]:
    """Names that cannot be, and names that a static zone holds already."""
    where = f"service {service.namespace}/{service.name}"
    prefix = names.prefix(service)
    if not prefix:
        hint = "the service has no DNS names; a label is 1 to 63 letters, digits and hyphens"
        return (Problem(where, "its name or namespace is not a DNS label", hint),)
    owners = [prefix + level.suffix for level in layout.levels]
    long = [owner for owner in owners if len(owner) > names.MAX_NAME]
    found = [Problem(where, f"{zones.text(owner)} is longer than 255 octets", "left out") for owner in long]
    for owner in owners:
        if owner in layout.static and layout.static[owner].rrsets:
            hint = "the federated name is served; take the static records out"
            found.append(Problem(where, f"{zones.text(owner)} is also in a static zone", hint))
    return tuple(found)


def time_to_live(service: model.Service, layout: names.Layout, now: float) -> int:
    return V1_TTL if layout.settings.compat == "v1" else selection.ttl(service, now)


def ttl_why(service: model.Service, layout: names.Layout) -> str:
    """How the TTL came about (health law, rule 7)."""
    if layout.settings.compat == "v1":
        return "compat: v1"
    bounds = service.policy.ttl
    changes = [shard.next_change for shard in service.shards if shard.next_change is not None]
    known = f"next possible change in {min(changes):.0f} s" if changes else "no change in sight"
    down = any(shard.verdict.state == "unhealthy" for shard in service.shards)
    return f"{known}{', halved while a shard is down' if down else ''}, within {bounds.min} to {bounds.max} s"


def chain(found: list[outcome.Outcome], levels: tuple[names.Level, ...], index: int) -> list[int]:
    """The wider levels that the name of a level leads through, the last one answers."""
    if index == 0 or found[index].serves:
        return []
    steps = []
    for wider in levels[index].up:
        steps.append(wider)
        if found[wider].serves:
            break
    return steps


def counts(shares: list[float]) -> list[int]:
    """Shares -> the smallest whole numbers in their proportion whose sum is at most `SLOTS`; to one slot
    where there are none. None is 0, so more than `SLOTS` shares give more."""
    total = sum(shares)
    shares = [share / total for share in shares]
    exact = [Fraction(share).limit_denominator(SLOTS) for share in shares]
    unit = lcm(*(each.denominator for each in exact))
    if unit <= SLOTS and all(abs(each - share) < 1e-9 for each, share in zip(exact, shares, strict=True)):
        whole = [int(each * unit) for each in exact]
    else:
        whole = [max(1, round(share * SLOTS)) for share in shares]
        while sum(whole) > max(SLOTS, len(whole)):
            whole[whole.index(max(whole))] -= 1
    part = gcd(*whole)
    return [each // part for each in whole]


def _absent(service: model.Service, layout: names.Layout) -> bool:
    """v1 wrote nothing for a service that never had a load balancer in any member."""
    return layout.settings.compat == "v1" and not service.shards and service.tombstone is None


def _v1_hole(work: _Work) -> bool:
    """v1's global name vanished with its last healthy shard."""
    return work.layout.settings.compat == "v1" and not work.outcomes[0].serves


def _entry(work: _Work, index: int, owner: bytes) -> bytes:
    steps = chain(work.outcomes, work.layout.levels, index)
    if steps:
        targets = [work.prefix + work.layout.levels[step].suffix for step in steps]
        stem = node.encode(_alias(work, owner, targets, work.outcomes[steps[-1]]))
        wider = work.layout.levels[steps[0]].kind
        return node.adopt(stem, _children(work, index, owner, targets[0], wider))
    final = work.outcomes[index]
    key = (id(final), _flags(work, owner))
    if key not in work.stems:
        work.stems[key] = node.encode(_direct(work, owner, final))
    return node.adopt(work.stems[key], _children(work, index, owner, b"", ""))


def _alias(work: _Work, owner: bytes, targets: list[bytes], final: outcome.Outcome) -> node.Node:
    """The node of a name that leads to a wider one. Where the chain leaves our own names, or ends at a
    name that is not there, no answer is ready and the slow path finds its end."""
    slots = {} if final.host or _v1_hole(work) else _slots(work.ttl, owner, targets, final)
    rrsets = (node.RRset(node.CNAME, work.ttl, (targets[0],)),)
    return node.Node(work.layout.zone, _flags(work, owner), rrsets, slots, (), final.stale)


def _direct(work: _Work, owner: bytes, final: outcome.Outcome) -> node.Node:
    """The node of a name that answers itself: the same at all levels with this outcome."""
    slots = {} if final.host else _slots(work.ttl, owner, [], final)
    rrsets = _rrsets(final, work.ttl)
    return node.Node(work.layout.zone, _flags(work, owner), rrsets, slots, (), final.stale)


def _flags(work: _Work, owner: bytes) -> int:
    static = work.layout.static.get(owner)
    return node.SERVICE | (static.flags & node.WILD if static else 0)


def _rrsets(final: outcome.Outcome, ttl: int) -> tuple[node.RRset, ...]:
    if final.host:
        return (node.RRset(node.CNAME, ttl, (final.host,)),)
    pairs = zip(_FAMILIES, (final.v4, final.v6), strict=True)
    return tuple(node.RRset(rtype, ttl, rdatas) for rtype, rdatas in pairs if rdatas)


def _slots(ttl: int, owner: bytes, targets: list[bytes], final: outcome.Outcome) -> dict[int, node.Slot]:
    return {rtype: _slot(ttl, owner, targets, rtype, final) for rtype in _FAMILIES}


def _slot(ttl: int, owner: bytes, targets: list[bytes], rtype: int, final: outcome.Outcome) -> node.Slot:
    family = _FAMILIES.index(rtype)
    choices = [(share, rdatas) for share, *both in final.choices if (rdatas := both[family])]
    if len(choices) > 1:
        weights = counts([share for share, _ in choices])
        turns = [(weight, rdatas) for weight, (_, rdatas) in zip(weights, choices, strict=True)]
        return answers.weighted(owner, targets, rtype, ttl, turns)._replace(stale=final.stale)
    rdatas = (final.v4, final.v6)[family]
    ready = answers.slot(owner, targets, rtype, ttl, rdatas)
    return ready._replace(stale=True) if final.stale else ready


def _children(work: _Work, index: int, owner: bytes, alias: bytes, wider: str) -> list[bytes]:
    """`_port._proto` and `_explain` below the name, with the empty names between, encoded."""
    here = work.outcomes[index]
    room = names.MAX_NAME - len(owner)
    found = []
    for labels, numbers in work.ports.items():
        if len(labels) > room:
            continue
        if alias:
            found.append(node.single(labels, wire.CNAME, work.ttl, (labels + alias,)))
        elif here.serves:
            target = here.host or owner
            found.append(node.single(labels, wire.SRV, work.ttl, [number + target for number in numbers]))
        else:
            found.append(node.child(labels, ()))
    if found:
        found += work.between
    if len(inband.EXPLAIN) <= room and work.layout.settings.compat != "v1":
        found.append(work.tale.child(work.layout.levels[index], here, wider))
    return found


def _ports(service: model.Service) -> Ports:
    """Named ports: `_name._proto` labels -> starts of SRV rdata (priority 0, weight 100, the number);
    RFC 2782 has no name for unnamed ones."""
    found: Ports = {}
    for labels, number in sorted(_named(service)):
        wired = _SRV.pack(0, 100, number)
        if wired not in found.setdefault(labels, []):
            found[labels].append(wired)
    return found


def _named(service: model.Service) -> Iterator[tuple[bytes, int]]:
    for port in service.ports:
        name, protocol = names.label(port.name), names.label(port.protocol)
        if name and protocol and 0 <= port.number < 65536 and len(name) <= names.MAX_LABEL:
            yield _underscored(name) + _underscored(protocol), port.number


def _underscored(label: bytes) -> bytes:
    return bytes((len(label),)) + b"_" + label[1:]
