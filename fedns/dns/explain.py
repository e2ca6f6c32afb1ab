"""Why a name is answered as it is: rule, candidates with evidence, selection, TTL, and the reply itself.

Law: nothing is worked out a second way. Outcomes and TTL come from the functions that compile the table,
and the records are those of a real reply: `respond` is asked, and its octets are read back.
"""

from collections.abc import Iterator, Mapping

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
from msgspec import Struct, structs

from fedns.dns import federation, inband, names, node, outcome, respond, wire, zones
from fedns.errors import FednsError
from fedns.model import selection
from fedns.model import snapshot as model

_FULL_SIZE = 4096  # octets of UDP payload asked for, so that the reply is shown whole


class Fact(Struct, frozen=True):
    """One piece of evidence. `age`: seconds since it was last confirmed; None: never."""

    kind: str
    says: str
    detail: str
    age: float | None


class Candidate(Struct, frozen=True):
    """One shard of the service as this name sees it. `why` says why it is in or out."""

    member: str
    region: str
    zones: tuple[str, ...]
    addresses: tuple[str, ...]
    serves: bool
    share: float
    why: str
    state: str
    reason: str
    age: float | None
    held_for: float
    pending: str
    flaps: int
    evidence: tuple[Fact, ...]


class Reply(Struct, frozen=True):
    """What goes out, as read back from its octets (`wire`, hexadecimal)."""

    rcode: str
    flags: str
    answer: tuple[str, ...]
    authority: tuple[str, ...]
    additional: tuple[str, ...]
    errors: tuple[str, ...]
    wire: str


class Explanation(Struct, frozen=True):
    """One question explained, `steps` in order. `kind` is what the name is: federated, static, between (an
    empty non-terminal), missing or foreign; `via` are the names that an alias leads through."""

    name: str
    type: str
    kind: str
    rule: str
    generation: int
    reply: Reply
    steps: tuple[str, ...]
    service: str = ""
    level: str = ""
    strategy: str = ""
    via: tuple[str, ...] = ()
    candidates: tuple[Candidate, ...] = ()
    selection: tuple[tuple[str, float], ...] = ()
    ttl: int | None = None
    ttl_why: str = ""


class _Found(Struct, frozen=True):
    """Where a question leads in the federated names. `child` are labels below the service's name."""

    service: model.Service
    index: int
    child: bytes


def explain(
    snapshot: model.Snapshot,
    layout: names.Layout,
    view: respond.View,
    question: tuple[str, str],
    now: float,
) -> Explanation:
    """Explains (name, type). ValueError or FednsError where the question cannot be one."""
    owner = _name(question[0])
    rtype = _type(question[1])
    reply = _ask(view, owner, rtype)
    generation = int.from_bytes((view.get(node.META) or b"")[:8], "big")
    shown = (zones.text(owner), question[1].upper())
    found = _find(snapshot, layout, owner)
    if found is not None:
        told = Explanation(*shown, "federated", "", generation, reply, ())
        return _federated(found, layout, told, now)
    kind, rule = _static(view, owner, reply)
    told = Explanation(*shown, kind, rule, generation, reply, (rule,))
    found = next(filter(None, (_find(snapshot, layout, target) for target in _targets(reply))), None)
    if found is None:
        return structs.replace(told, steps=(*told.steps, *_outgoing(reply)))
    return structs.replace(_federated(found, layout, told, now), kind=kind, rule=rule)


def lines(told: Explanation) -> Iterator[str]:
    """The explanation as short lines of text, for people."""
    yield f"{told.name} {told.type} (generation {told.generation})"
    for step in told.steps:
        yield f"  {step}"
    for each in told.candidates:
        mark = "+" if each.serves else "-"
        share = f" share {each.share:.0%}" if each.serves else ""
        yield f"  {mark} {each.member} ({'/'.join((each.region, *each.zones))}): {each.why}{share}"
        yield f"      {each.state}{_for(each.age)}: {each.reason}"
        for fact in each.evidence:
            yield f"      {fact.kind} says {fact.says}{_ago(fact.age)}: {fact.detail}"
    for record in (*told.reply.answer, *told.reply.authority):
        yield f"  > {record}"


def _federated(found: _Found, layout: names.Layout, told: Explanation, now: float) -> Explanation:
    service, level = found.service, layout.levels[found.index]
    outcomes = outcome.outcomes(service, layout, now)
    steps = federation.chain(outcomes, layout.levels, found.index)
    last = steps[-1] if steps else found.index
    final = outcomes[last]
    prefix = names.prefix(service)
    via = tuple(zones.text(prefix + layout.levels[step].suffix) for step in steps)
    standing = selection.level(service, outcome.where(layout.levels[last], layout), now)
    excluded = {each.member: each.reason for each in standing.excluded}
    candidates = tuple(_candidate(shard, final, excluded, now) for shard in service.shards)
    ttl, why = federation.time_to_live(service, layout, now), federation.ttl_why(service, layout)
    key = f"{service.namespace}/{service.name}"
    story = [
        *told.steps,
        f"{level.kind} name of service {key}" + (" (short form)" if level.short else ""),
        *([f"below it: {zones.text(found.child + wire.ROOT)}"] if found.child else ()),
        *_descent(outcomes, layout, [found.index, *steps]),
        *_choice(service, outcome.where(layout.levels[last], layout), now),
        f"ttl {ttl}: {why}",
        *_outgoing(told.reply),
    ]
    return structs.replace(
        told,
        rule=inband.RULES[final.rule],
        steps=tuple(story),
        service=key,
        level=level.kind,
        strategy=service.policy.strategy,
        via=via,
        candidates=candidates,
        selection=final.shares,
        ttl=ttl,
        ttl_why=why,
    )


def _choice(service: model.Service, place: selection.Level, now: float) -> Iterator[str]:
    if service.tombstone is not None:
        gone = f"no member declares it since {inband.moment(service.tombstone)}"
        yield f"{gone}: its names stay for a while, without data"
    chosen = selection.select(service, None, now, place)
    yield chosen.rule
    yield from chosen.steps


def _descent(outcomes: list[outcome.Outcome], layout: names.Layout, path: list[int]) -> Iterator[str]:
    for position, index in enumerate(path):
        level, here = layout.levels[index], outcomes[index]
        place = f" {level.zone or level.region}" if level.kind != "global" else ""
        leads = (
            f", alias of the {layout.levels[path[position + 1]].kind} name" if path[position + 1 :] else ""
        )
        yield f"{level.kind}{place}: {inband.RULES[here.rule]}{leads}"


def _candidate(
    shard: model.Shard, final: outcome.Outcome, excluded: Mapping[str, str], now: float
) -> Candidate:
    share = dict(final.shares).get(shard.member)
    verdict = shard.verdict
    why = "serves" if share is not None else excluded.get(shard.member, "serves when those before it cannot")
    return Candidate(
        shard.member,
        shard.region,
        shard.zones,
        shard.addresses,
        share is not None,
        share or 0.0,
        why,
        verdict.state,
        verdict.reason,
        max(0.0, now - verdict.since) if verdict.since else None,
        max(0.0, verdict.held_until - now),
        verdict.pending,
        verdict.flaps,
        tuple(
            Fact(each.kind, each.says, each.detail, max(0.0, now - each.at) if each.at else None)
            for each in verdict.evidence
        ),
    )


def _find(snapshot: model.Snapshot, layout: names.Layout, owner: bytes) -> _Found | None:
    """The service and level that `owner` belongs to, if it is a federated name or below one."""
    suffixes = {level.suffix: index for index, level in enumerate(layout.levels)}
    for above in wire.ancestors(owner)[:-1]:
        namespace = wire.parent(above)
        if not namespace or not namespace[0] or wire.parent(namespace) not in suffixes:
            continue
        name, space = above[1 : 1 + above[0]], namespace[1 : 1 + namespace[0]]
        service = snapshot.services.get(f"{space.decode('latin-1')}/{name.decode('latin-1')}")
        if service is not None:
            child = owner[: len(owner) - len(above)]
            return _Found(service, suffixes[wire.parent(namespace)], child)
    return None


def _static(view: respond.View, owner: bytes, reply: Reply) -> tuple[str, str]:
    """(kind, rule) of a name that is no service's."""
    served = node.decode_zones(view.get(node.ZONES) or b"")
    apexes = [zone.apex for zone in served if wire.below(owner, zone.apex)]
    if not apexes:
        return "foreign", "in no zone that is served: refused"
    apex = zones.text(max(apexes, key=len))
    closest = next((name for name in wire.ancestors(owner) if view.get(name) is not None), wire.ROOT)
    if "AA" not in reply.flags.split():
        return "static", f"delegated to other servers by zone {apex}"
    if reply.rcode == "NXDOMAIN":
        return "missing", f"not a name of zone {apex}; the closest that exists is {zones.text(closest)}"
    value = view.get(owner)
    if value is None:
        return "static", f"made in zone {apex} by a wildcard or DNAME at {zones.text(closest)}"
    if node.decode(value).rrsets:
        return "static", f"static data of zone {apex}"
    return "between", f"exists in zone {apex} only because names below it do: no data"


def _targets(reply: Reply) -> Iterator[bytes]:
    """The names that the reply's aliases lead to."""
    for record in reply.answer:
        _, _, _, rtype, rdata = record.split(maxsplit=4)
        if rtype == "CNAME":
            yield _name(rdata)


def _name(text: str) -> bytes:
    """Presentation form, escapes and all -> lower-case wire."""
    try:
        return dns.name.from_text(text).to_digestable()
    except dns.exception.DNSException as error:
        raise FednsError(f"not a domain name: {text!r} ({error})") from None


def _ask(view: respond.View, owner: bytes, rtype: int) -> Reply:
    query = dns.message.make_query(zones.text(owner), dns.rdatatype.RdataType.make(rtype), id=0)
    query.flags = dns.flags.Flag(0)
    query.use_edns(0, payload=_FULL_SIZE)
    raw = respond.respond(view, query.to_wire(), wire.STREAM)
    if raw is None:
        raise FednsError("no reply is given to such a question")
    message = dns.message.from_wire(raw)
    answer, authority, additional = (tuple(_records(section)) for section in message.sections[1:])
    errors = tuple(option.to_text() for option in message.options if isinstance(option, dns.edns.EDEOption))
    flags = dns.flags.to_text(message.flags)
    rcode = dns.rcode.to_text(message.rcode())
    return Reply(rcode, flags, answer, authority, additional, errors, raw.hex())


def _records(section: list[dns.rrset.RRset]) -> Iterator[str]:
    for rrset in section:
        yield from rrset.to_text().splitlines()


def _outgoing(reply: Reply) -> Iterator[str]:
    yield f"reply: {reply.rcode}, {len(reply.answer)} records, {len(reply.wire) // 2} octets"
    yield from reply.errors


def _type(value: str) -> int:
    try:
        return int(dns.rdatatype.from_text(value))
    except dns.rdatatype.UnknownRdatatype:
        raise ValueError(f"{value!r} is not a record type") from None


def _for(age: float | None) -> str:
    return "" if age is None else f" for {age:.0f} s"


def _ago(age: float | None) -> str:
    return "" if age is None else f" {age:.0f} s ago"
