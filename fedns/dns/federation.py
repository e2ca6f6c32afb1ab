"""Compiles one federated service into the nodes of all its names.

Law: every level of the layout gets a node as soon as the service is declared: its own addresses, else
the whole CNAME chain to the next wider level that serves, else NODATA at the global name; never
NXDOMAIN (`compat: v1` excepted). A and AAAA are one path. A name that cannot be one costs itself only.
"""

from collections.abc import Iterator
from fractions import Fraction
from math import gcd, lcm
from typing import NamedTuple

from fedns.dns import answers, inband, names, node, outcome
from fedns.errors import Problem
from fedns.model import snapshot as model

SRV, TXT = 33, 16
EXPLAIN = b"\x08_explain"
V1_TTL = 180  # seconds; minDNSTTL of Kubernetes Federation v1
SLOTS = 100  # longest schedule of a weighted answer: shares are exact to 1 %
_FAMILIES = (node.A, node.AAAA)

Children = tuple[tuple[bytes, tuple[node.RRset, ...]], ...]


class _Work(NamedTuple):
    """What all levels of one service share while it is compiled."""

    service: model.Service
    layout: names.Layout
    prefix: bytes
    outcomes: list[outcome.Outcome]
    ttl: int
    ports: tuple[tuple[bytes, int], ...]
    tale: inband.Tale
    slots: dict[tuple[int, int], node.Slot]


def compile_service(service: model.Service, layout: names.Layout, now: float) -> dict[bytes, bytes]:
    """All table entries of one service: lower-case wire name -> encoded node."""
    prefix = names.prefix(service)
    if not prefix or _absent(service, layout):
        return {}
    found = outcome.outcomes(service, layout, now)
    ttl = time_to_live(service, layout, now)
    tale = inband.Tale(service, ttl)
    work = _Work(service, layout, prefix, found, ttl, _ports(service), tale, {})
    entries = {}
    for index, level in enumerate(layout.levels):
        owner = prefix + level.suffix
        if len(owner) <= names.MAX_NAME and not (index == 0 and _v1_hole(work)):
            entries[owner] = node.encode(_node(work, index, owner))
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
    found = [Problem(where, f"{names.text(owner)} is longer than 255 octets", "left out") for owner in long]
    for owner in owners:
        if owner in layout.static and layout.static[owner].rrsets:
            hint = "the federated name is served; take the static records out"
            found.append(Problem(where, f"{names.text(owner)} is also in a static zone", hint))
    return tuple(found)


def time_to_live(service: model.Service, layout: names.Layout, now: float) -> int:
    return V1_TTL if layout.settings.compat == "v1" else service.policy.ttl.max


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
    """Shares -> the smallest whole numbers in their proportion whose sum is at most `SLOTS`."""
    exact = [Fraction(share).limit_denominator(SLOTS) for share in shares]
    unit = lcm(*(each.denominator for each in exact))
    whole = [max(1, int(each * unit)) for each in exact]
    if sum(whole) > SLOTS:
        total = sum(shares)
        whole = [max(1, round(share / total * SLOTS)) for share in shares]
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


def _node(work: _Work, index: int, owner: bytes) -> node.Node:
    steps = chain(work.outcomes, work.layout.levels, index)
    final = work.outcomes[steps[-1] if steps else index]
    targets = [work.prefix + work.layout.levels[step].suffix for step in steps]
    rrsets = (node.RRset(node.CNAME, work.ttl, (targets[0],)),) if targets else _rrsets(final, work.ttl)
    slots = {} if final.host or (steps and _v1_hole(work)) else _slots(work, owner, targets, final)
    children = _children(work, index, owner, targets)
    static = work.layout.static.get(owner)
    flags = node.SERVICE | (static.flags & node.WILD if static else 0)
    return node.Node(work.layout.zone, flags, rrsets, slots, children, final.stale)


def _rrsets(final: outcome.Outcome, ttl: int) -> tuple[node.RRset, ...]:
    if final.host:
        return (node.RRset(node.CNAME, ttl, (final.host,)),)
    pairs = zip(_FAMILIES, (final.v4, final.v6), strict=True)
    return tuple(node.RRset(rtype, ttl, rdatas) for rtype, rdatas in pairs if rdatas)


def _slots(work: _Work, owner: bytes, targets: list[bytes], final: outcome.Outcome) -> dict[int, node.Slot]:
    """Ready answers. Those without a chain do not depend on the owner and are shared between levels."""
    if targets:
        return {rtype: _slot(work.ttl, owner, targets, rtype, final) for rtype in _FAMILIES}
    for rtype in _FAMILIES:
        if (id(final), rtype) not in work.slots:
            work.slots[id(final), rtype] = _slot(work.ttl, owner, targets, rtype, final)
    return {rtype: work.slots[id(final), rtype] for rtype in _FAMILIES}


def _slot(ttl: int, owner: bytes, targets: list[bytes], rtype: int, final: outcome.Outcome) -> node.Slot:
    family = _FAMILIES.index(rtype)
    choices = [(share, rdatas) for share, *both in final.choices if (rdatas := both[family])]
    if len(choices) > 1:
        weights = counts([share for share, _ in choices])
        turns = [(weight, rdatas) for weight, (_, rdatas) in zip(weights, choices, strict=True)]
        return answers.weighted(owner, targets, rtype, ttl, turns, stale=final.stale)
    rdatas = (final.v4, final.v6)[family]
    return answers.slot(owner, targets, rtype, ttl, rdatas, nodata=not rdatas, stale=final.stale)


def _children(work: _Work, index: int, owner: bytes, targets: list[bytes]) -> Children:
    """`_port._proto` and `_explain` below the name, with the empty names between."""
    if work.layout.settings.compat == "v1":
        return ()
    here = work.outcomes[index]
    room = names.MAX_NAME - len(owner)
    found: dict[bytes, tuple[node.RRset, ...]] = {}
    for labels, number in work.ports:
        if len(labels) > room:
            continue
        found.setdefault(labels[1 + labels[0] :], ())
        rdata = (labels + targets[0]) if targets else _srv(number, here.host or owner)
        if targets:
            found[labels] = (node.RRset(node.CNAME, work.ttl, (rdata,)),)
        elif here.serves:
            more = found[labels][0].rdatas if labels in found else ()
            found[labels] = (node.RRset(SRV, work.ttl, (*more, rdata)),)
        else:
            found[labels] = ()
    if len(EXPLAIN) <= room:
        level = work.layout.levels[index]
        found[EXPLAIN] = (node.RRset(TXT, 0, (inband.rdata(work.tale.lines(level, here, targets)),)),)
    return tuple(found.items())


def _srv(number: int, target: bytes) -> bytes:
    return b"\0\0\0\x64" + number.to_bytes(2, "big") + target


def _ports(service: model.Service) -> tuple[tuple[bytes, int], ...]:
    """Named ports as (`_name._proto` labels, number); RFC 2782 has no name for unnamed ones."""
    return tuple(_named(service))


def _named(service: model.Service) -> Iterator[tuple[bytes, int]]:
    for port in service.ports:
        name, protocol = names.label(port.name), names.label(port.protocol)
        if name and protocol and 0 <= port.number < 65536 and len(name) <= names.MAX_LABEL:
            yield _underscored(name) + _underscored(protocol), port.number


def _underscored(label: bytes) -> bytes:
    return bytes((len(label),)) + b"_" + label[1:]
