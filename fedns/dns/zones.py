"""Compiles one static zone to answer-table entries: existing names, empty non-terminals, cuts, wildcards.

Law: every name of the zone and every name between it and the apex gets a node, so that "does it exist" is
one lookup. What a delegation or a DNAME hides is kept, flagged: glue is read from there, answers are not.
Bad data is a problem and is left out; a zone without its SOA is no zone.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from fedns import errors
from fedns.dns import answers, node, wire

_MAX_TTL = 0x7FFFFFFF  # a TTL with the top bit set counts as zero (RFC 2181 section 8)
_BESIDE_ALIAS = (wire.CNAME, wire.RRSIG, 47)  # RRSIG and NSEC may stand beside a CNAME (RFC 4034)
_SINGLE = {wire.CNAME: "CNAME", wire.SOA: "SOA", wire.DNAME: "DNAME"}
_BINDINGS = {wire.SVCB: "SVCB", wire.HTTPS: "HTTPS"}
_SOA_FIXED = 20  # octets after the two names of an SOA

Sets = dict[bytes, dict[int, node.RRset]]


class Compiled(NamedTuple):
    """One static zone, ready for the table. Without a `zone` there are no nodes and at least one problem."""

    zone: node.Zone | None
    nodes: dict[bytes, bytes]
    problems: tuple[errors.Problem, ...]


def compile(origin: bytes, rrsets: Iterable[tuple[bytes, node.RRset]], index: int) -> Compiled:
    """The zone at `origin` (lower-case wire) from its RRsets, to be the `index`th of the table's zones."""
    problems: list[errors.Problem] = []
    names = _gather(origin, rrsets, problems)
    for owner, sets in names.items():
        _prune(owner, sets, problems)
    soa = names.get(origin, {}).pop(wire.SOA, None)
    if soa is None or len(soa.rdatas[0]) < _SOA_FIXED + 2:
        problems.append(errors.Problem(text(origin), "the zone has no SOA record", "add one at its apex"))
        return Compiled(None, {}, tuple(problems))
    if wire.NS not in names[origin]:
        problems.append(
            errors.Problem(text(origin), "the zone has no NS record at its apex", "add at least one")
        )
    if names[origin].pop(wire.DS, None) is not None:
        problems.append(
            errors.Problem(text(origin), "has a DS record at its apex", "it belongs to the parent zone")
        )
    for owner in list(names):
        _fill_gaps(owner, origin, names)
    nodes = {owner: node.encode(_node(owner, origin, names, index)) for owner in names}
    return Compiled(node.Zone(origin, soa.rdatas[0], soa.ttl), nodes, tuple(problems))


def overlay(tables: Iterable[tuple[bytes, Mapping[bytes, bytes]]]) -> dict[bytes, bytes]:
    """Several zones' nodes, keyed by apex, in one table. At and below its apex the deeper zone has the word.

    The DS set that the upper zone holds for the apex of a lower one is kept there.
    """
    given = sorted(tables, key=lambda each: wire.labels(each[0]))
    apexes = {apex for apex, _ in given}
    joined: dict[bytes, bytes] = {}
    above: dict[bytes, bytes] = {}
    for apex, nodes in given:
        for name, value in nodes.items():
            closest = next(each for each in wire.ancestors(name) if each in apexes)
            if closest == apex:
                joined[name] = value
            elif closest == name:
                above[name] = value
    joined.update((name, _with_ds(joined[name], value)) for name, value in above.items() if name in joined)
    return joined


def text(name: bytes) -> str:
    """The name in presentation form, for people."""
    if name == wire.ROOT:
        return "."
    shown, position = [], 0
    while name[position]:
        label = name[position + 1 : position + 1 + name[position]]
        shown.append("".join(_escape(octet) for octet in label))
        position += 1 + name[position]
    return ".".join(shown) + "."


def _escape(octet: int) -> str:
    if octet in b'."();@$\\':
        return "\\" + chr(octet)
    return chr(octet) if 32 < octet < 127 else f"\\{octet:03d}"


def _gather(
    origin: bytes, rrsets: Iterable[tuple[bytes, node.RRset]], problems: list[errors.Problem]
) -> Sets:
    """The RRsets by owner and type, same types joined."""
    names: Sets = {}
    for owner, rrset in rrsets:
        if not wire.below(owner, origin):
            problems.append(
                errors.Problem(text(owner), f"is outside the zone {text(origin)}", "move or remove it")
            )
            continue
        sets = names.setdefault(owner, {})
        known = sets.get(rrset.type)
        ttl = rrset.ttl if rrset.ttl <= _MAX_TTL else 0
        rdatas = rrset.rdatas if known is None else known.rdatas + rrset.rdatas
        sets[rrset.type] = node.RRset(rrset.type, ttl, tuple(dict.fromkeys(rdatas)))
    return names


def _prune(owner: bytes, sets: dict[int, node.RRset], problems: list[errors.Problem]) -> None:
    """Leave out what must not stand together: the alias goes where other data is."""
    for rtype, label in _SINGLE.items():
        rrset = sets.get(rtype)
        if rrset is not None and len(rrset.rdatas) > 1:
            problems.append(
                errors.Problem(text(owner), f"has {len(rrset.rdatas)} {label} records", "keep one")
            )
            sets[rtype] = rrset._replace(rdatas=rrset.rdatas[:1])
    for rtype, label in _BINDINGS.items():
        modes = [rdata[:2] == b"\0\0" for rdata in sets[rtype].rdatas] if rtype in sets else []
        if len(modes) > 1 and any(modes):
            hint = "keep the one alias, or the others: clients heed one alias alone (RFC 9460)"
            problems.append(errors.Problem(text(owner), f"has a {label} alias beside other {label}s", hint))
    if wire.CNAME in sets and any(rtype not in _BESIDE_ALIAS for rtype in sets):
        problems.append(errors.Problem(text(owner), "has CNAME and other data", "a CNAME must stand alone"))
        del sets[wire.CNAME]


def _fill_gaps(owner: bytes, origin: bytes, names: Sets) -> None:
    """Add the empty non-terminals between a name and the apex."""
    while owner != origin:
        owner = wire.parent(owner)
        names.setdefault(owner, {})


def _node(owner: bytes, origin: bytes, names: Sets, index: int) -> node.Node:
    sets = names[owner]
    flags = _flags(owner, origin, names)
    hidden = flags & (node.CUT | node.OCCLUDED) or wire.CNAME in sets or wire.RRSIG in sets
    slots = {} if hidden else {rtype: _slot(owner, rtype, sets) for rtype in (wire.A, wire.AAAA)}
    return node.Node(index, flags, tuple(sets.values()), slots)


def _slot(owner: bytes, rtype: int, sets: dict[int, node.RRset]) -> node.Slot:
    rrset = sets.get(rtype, node.RRset(rtype, 0, ()))
    return answers.slot(owner, (), rtype, rrset.ttl, rrset.rdatas)


def _flags(owner: bytes, origin: bytes, names: Sets) -> int:
    sets = names[owner]
    flags = node.WILD if wire.WILD + owner in names else 0
    if wire.DNAME in sets:
        flags |= node.DNAME
    if owner == origin:
        return flags | node.APEX
    if wire.NS in sets:
        flags |= node.CUT
    above = owner
    while above != origin:
        above = wire.parent(above)
        if wire.DNAME in names[above] or (wire.NS in names[above] and above != origin):
            return flags | node.OCCLUDED
    return flags


def _with_ds(apex: bytes, above: bytes) -> bytes:
    """The lower zone's apex node with the DS set of the upper zone's delegation, and signatures over it."""
    upper = {each.type: each for each in node.decode(above).rrsets}
    extra = upper.get(wire.DS)
    if extra is None:
        return apex
    lower = node.decode(apex)
    covered = wire.DS.to_bytes(2, "big")
    upper_signatures = upper.get(wire.RRSIG, node.RRset(wire.RRSIG, extra.ttl, ()))
    signatures = tuple(each for each in upper_signatures.rdatas if each[:2] == covered)
    joined = (*lower.rrsets, extra, node.RRset(wire.RRSIG, extra.ttl, signatures))
    return node.encode(lower._replace(rrsets=joined if signatures else joined[:-1]))
