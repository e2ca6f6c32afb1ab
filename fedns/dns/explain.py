"""Why a name is answered as it is: rule, candidates with evidence, selection, TTL, and the reply itself.

Law: nothing is worked out a second way. Outcomes and TTL come from the functions that compile the table,
and the records are those of a real reply: `respond` is asked, and its octets are read back.
"""

from collections.abc import Iterator, Mapping, Sequence
from ipaddress import ip_address, ip_network
from typing import NamedTuple

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
from msgspec import Struct, structs

from fedns.dns import (
    annex,
    client,
    explanation,
    federation,
    inband,
    names,
    node,
    outcome,
    places,
    respond,
    standpoint,
    wire,
    zones,
)
from fedns.errors import FednsError
from fedns.model import selection
from fedns.model import snapshot as model

_REASONS = 6  # shards whose reasons one step tells
_PUBLISHED = 'type LoadBalancer, externalIPs, or the annotation fedns.io/publish: "true"'
_ADDRESSES = (wire.A, wire.AAAA)
_FULL_SIZE = 4096  # octets of UDP payload asked for, so that the reply is shown whole


class Question(NamedTuple):
    """`asker`: the client whose address is to count. `tellers`: zones that tell of their names."""

    name: str
    type: str
    asker: client.Client = client.NOBODY
    tellers: Sequence[annex.Teller] = ()


class _Found(Struct, frozen=True):
    """Where a question leads in the federated names. `child` are labels below the service's name; `where` is
    the client."""

    service: model.Service
    index: int
    child: bytes
    members: Mapping[str, model.Member]
    where: standpoint.Standpoint = standpoint.Standpoint(selection.Place())


def explain(
    snapshot: model.Snapshot,
    layout: names.Layout,
    view: respond.View,
    question: tuple[str, str] | Question,
    now: float,
) -> explanation.Explanation:
    """Explains one question. ValueError or FednsError where it cannot be one."""
    asked = Question(*question)
    owner, rtype = _name(asked.name), _type(asked.type)
    reply = _ask(view, owner, rtype, asked.asker)
    generation = int.from_bytes((view.get(node.META) or b"")[:8], "big")
    shown = (zones.text(owner), asked.type.upper())
    where = standpoint.of(view, asked.asker, layout)
    found = _find(snapshot, layout, owner)
    if found is not None:
        told = explanation.Explanation(*shown, "federated", "", generation, reply, ())
        return _federated(structs.replace(found, where=where), layout, told, now)
    kind, rule = _static(view, owner, reply)
    steps = (rule, *(_undeclared(layout, owner) if kind == "missing" else ()))
    place = layout.places.index(where.place)
    stories = (each.tell(owner, place, snapshot) for each in asked.tellers)
    story = next(filter(None, stories), None)
    if story is not None and (story.service is not None or kind == "missing"):
        kind, rule = "missing" if reply.rcode == "NXDOMAIN" else "inside", story.rule
        steps = (rule, *where.told(True), *story.steps)
    stood = list(_standing(layout, view, [owner, *_targets(reply)], asked)) if rtype in _ADDRESSES else []
    steps = (*steps, *(f"{zones.text(name)} has the addresses of {zones.text(to)}" for name, to, _ in stood))
    told = explanation.Explanation(*shown, kind, rule, generation, reply, steps)
    if story is not None and story.service is not None:
        told = structs.replace(told, service=f"{story.service.namespace}/{story.service.name}")
    leads = (*_targets(reply), *(name for _, _, through in stood for name in through))
    found = next(filter(None, (_find(snapshot, layout, target) for target in leads)), None)
    if found is None:
        return structs.replace(told, steps=(*told.steps, *_outgoing(told)))
    found = structs.replace(found, where=where)
    return structs.replace(_federated(found, layout, told, now), kind=kind, rule=rule)


def _federated(
    found: _Found, layout: names.Layout, told: explanation.Explanation, now: float
) -> explanation.Explanation:
    service, level = found.service, layout.levels[found.index]
    outcomes = outcome.outcomes(service, layout, now, found.where.place)
    steps = federation.chain(outcomes, layout.levels, found.index)
    last = steps[-1] if steps else found.index
    final = outcomes[last]
    prefix = names.prefix(service)
    via = tuple(zones.text(prefix + layout.levels[step].suffix) for step in steps)
    standing = selection.level(service, layout.levels[last].place, now)
    excluded = {each.member: each.reason for each in standing.excluded}
    candidates = tuple(
        structs.replace(each, evidence=(*each.evidence, *_lost(found.members.get(each.member), now)))
        for each in (_candidate(shard, final, excluded, now) for shard in service.shards)
    )
    ttl, why = federation.time_to_live(service, layout, now), federation.ttl_why(service, layout)
    key = f"{service.namespace}/{service.name}"
    story = [
        *told.steps,
        f"{level.kind} name of service {key}" + (" (short form)" if level.short else ""),
        *(_beneath(found, told.reply) if found.child else ()),
        *found.where.told(selection.local(service.policy)),
        *_descent(service, outcomes, layout, [found.index, *steps], now),
        *_choice(service, layout.levels[last].place, found.where.place, now),
        *_dealt(final),
        f"ttl {ttl}: {why}",
        *_outgoing(told),
    ]
    return structs.replace(
        told,
        rule=inband.RULES[final.rule],
        steps=tuple(dict.fromkeys(story)),
        service=key,
        level=level.kind,
        strategy=service.policy.strategy,
        via=via,
        candidates=candidates,
        selection=final.shares,
        ttl=ttl,
        ttl_why=why,
    )


def _choice(
    service: model.Service, level: selection.Level, place: selection.Place, now: float
) -> Iterator[str]:
    if service.tombstone is not None:
        gone = f"no member declares it since {inband.moment(service.tombstone)}"
        yield f"{gone}: its names stay for a while, without data"
        return
    chosen = selection.select(service, place, now, level)
    yield chosen.rule
    yield from chosen.steps


def _dealt(final: outcome.Outcome) -> Iterator[str]:
    """What DNS, which cannot tell clients of one place apart, makes of shares."""
    if final.choices:
        yield "each answer holds the addresses of one of them, as often as its share says"
    elif len(final.shares) > 1:
        yield "each answer holds all their addresses, turned around: clients come to each alike"


def _descent(
    service: model.Service, outcomes: list[outcome.Outcome], layout: names.Layout, path: list[int], now: float
) -> Iterator[str]:
    for position, index in enumerate(path):
        level, here = layout.levels[index], outcomes[index]
        place = f" {level.zone or level.region}" if level.kind != "global" else ""
        further = path[position + 1 :]
        rule = inband.RULES[here.rule] if here.serves or not further else _unable(service, level, layout, now)
        leads = f", alias of the {layout.levels[further[0]].kind} name" if further else ""
        yield f"{level.kind}{place}: {rule}{leads}"


def _unable(service: model.Service, level: names.Level, layout: names.Layout, now: float) -> str:
    """Why nobody can serve at a level: the reasons of the shards that are there."""
    excluded = selection.level(service, level.place, now).excluded
    reasons = [f"{each.member}: {each.reason}" for each in excluded if each.member in level.members]
    reasons = reasons or ["no member there declares the service"]
    more = f"; and {len(reasons) - _REASONS} more" if len(reasons) > _REASONS else ""
    return f"{inband.RULES['fallback']} ({'; '.join(reasons[:_REASONS])}{more})"


def _beneath(found: _Found, reply: explanation.Reply) -> Iterator[str]:
    """The labels before the service's name; where they are none of its ports', which it has."""
    yield f"below it: {zones.text(found.child + wire.ROOT)}"
    if reply.rcode == "NXDOMAIN":
        ports = [f"_{port.name}._{port.protocol}" for port in found.service.ports if port.name]
        yield f"no such name there; its named ports are {', '.join(ports) or 'none'}"


def _candidate(
    shard: model.Shard, final: outcome.Outcome, excluded: Mapping[str, str], now: float
) -> explanation.Candidate:
    share = dict(final.shares).get(shard.member)
    verdict = shard.verdict
    why = "serves" if share is not None else excluded.get(shard.member, "serves when those before it cannot")
    if share is not None and not shard.addresses and final.host not in map(names.wire, shard.facts.hostnames):
        share, why = None, f"could serve, but is not resolved: {', '.join(shard.facts.hostnames)}"
    return explanation.Candidate(
        shard.member,
        shard.region,
        shard.zones,
        shard.addresses,
        shard.facts.hostnames,
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
            explanation.Fact(each.kind, each.says, each.detail, max(0.0, now - each.at) if each.at else None)
            for each in verdict.evidence
        ),
    )


def _lost(member: model.Member | None, now: float) -> Iterator[explanation.Fact]:
    """That a member's API is lost judges nobody, but it is why evidence grows old."""
    if member is not None and member.api == "unreachable":
        told = "its API is unreachable: what it said last is kept"
        yield explanation.Fact("reachability", "unknown", told, max(0.0, now - member.api_since))


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
            return _Found(service, suffixes[wire.parent(namespace)], child, snapshot.members)
    return None


def _static(view: respond.View, owner: bytes, reply: explanation.Reply) -> tuple[str, str]:
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


def _standing(
    layout: names.Layout, view: respond.View, leads: list[bytes], asked: Question
) -> Iterator[tuple[bytes, bytes, list[bytes]]]:
    """(name, its target, all names that this leads through) where an answer ends at one of `aliases`."""
    told = {names.wire(name): names.wire(target) for name, target in layout.settings.aliases.items()}
    for _ in told:
        name = leads[-1]
        if name not in told or view.get(name) is None:
            return
        reply = _ask(view, told[name], _type(asked.type), asked.asker)
        leads = [told[name], *_targets(reply)]
        yield name, told[name], leads


def _undeclared(layout: names.Layout, owner: bytes) -> Iterator[str]:
    """What a name that looks like a service's lacks."""
    suffixes = {level.suffix for level in layout.levels}
    for above in wire.ancestors(owner):
        rest = list(names.labels(above))[:2]
        if len(rest) == 2 and above[sum(map(len, rest)) + 2 :] in suffixes:
            key = f"{rest[1].decode('latin-1')}/{rest[0].decode('latin-1')}"
            yield f"no member declares a service {key} that is to be published: {_PUBLISHED}"
            return


def _targets(reply: explanation.Reply) -> list[bytes]:
    """The names that the reply's aliases lead to."""
    rows = (record.split(maxsplit=4) for record in reply.answer)
    return [_name(rdata) for _, _, _, rtype, rdata in rows if rtype == "CNAME"]


def _name(text: str) -> bytes:
    """Presentation form, escapes and all -> lower-case wire."""
    try:
        return dns.name.from_text(text).to_digestable()
    except dns.exception.DNSException as error:
        raise FednsError(f"not a domain name: {text!r} ({error})") from None


def _ask(view: respond.View, owner: bytes, rtype: int, asker: client.Client) -> explanation.Reply:
    query = dns.message.make_query(zones.text(owner), dns.rdatatype.RdataType.make(rtype), id=0)
    query.flags = dns.flags.Flag(0)
    address = places.sender(asker)
    subnet: list[dns.edns.Option] = []
    if address:
        subnet.append(dns.edns.ECSOption(str(ip_address(address)), 8 * len(address)))
    query.use_edns(0, payload=_FULL_SIZE, options=subnet)
    raw = respond.respond(view, query.to_wire(), wire.STREAM, asker)
    if raw is None:
        raise FednsError("no reply is given to such a question")
    message = dns.message.from_wire(raw)
    answer, authority, additional = (tuple(_records(section)) for section in message.sections[1:])
    errors = tuple(option.to_text() for option in message.options if isinstance(option, dns.edns.EDEOption))
    scopes = [each for each in message.options if isinstance(each, dns.edns.ECSOption)]
    flags = dns.flags.to_text(message.flags)
    rcode = dns.rcode.to_text(message.rcode())
    subnets = (str(ip_network((each.address, each.scopelen), strict=False)) for each in scopes)
    return explanation.Reply(
        rcode, flags, answer, authority, additional, errors, raw.hex(), next(subnets, "")
    )


def _records(section: list[dns.rrset.RRset]) -> Iterator[str]:
    for rrset in section:
        yield from rrset.to_text().splitlines()


def _outgoing(told: explanation.Explanation) -> Iterator[str]:
    reply = told.reply
    yield f"reply: {reply.rcode}, {len(reply.answer)} records, {len(reply.wire) // 2} octets"
    yield from reply.errors
    if reply.subnet:
        everybody = ip_network(reply.subnet).prefixlen == 0
        yield f"it holds for {'all clients' if everybody else f'clients in {reply.subnet}'}"
    if reply.rcode != "NOERROR" or told.type == "CNAME":
        return
    last = _targets(reply)[-1:] if reply.answer and reply.answer[-1].split()[3] == "CNAME" else []
    if any(record.split()[3] == "SOA" for record in reply.authority):
        yield f"the name exists, and has no {told.type}: no data"
    elif last and any(record.split()[0].lower() == zones.text(last[0]) for record in reply.answer):
        yield f"the aliases go round in a ring: {zones.text(last[0])} was there before"
    elif last:
        yield f"the alias leads out of the zones served here: resolvers go on at {zones.text(last[0])}"


def _type(value: str) -> int:
    try:
        return int(dns.rdatatype.from_text(value))
    except dns.rdatatype.UnknownRdatatype:
        raise ValueError(f"{value!r} is not a record type") from None
