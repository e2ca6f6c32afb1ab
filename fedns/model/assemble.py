"""Facts of all sources -> the snapshot: shards merged by service, judged, and remembered.

Law: pure and incremental. Only touched services are built again, with those of members whose place or
nodes changed, and of these only the shards whose evidence or whose time came; everything else is shared with
the previous snapshot. Equal results keep the old object.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from math import inf
from typing import NamedTuple

from msgspec import Struct, structs

from fedns.model import buckets, clusterset, health, selection
from fedns.model.facts import Hostname, MemberFacts, Order, Passive, Port, ProbeCount, ShardFacts
from fedns.model.policy import TrafficPolicy, Ttl
from fedns.model.snapshot import Evidence, Member, Service, Shard, Snapshot, Verdict

Target = tuple[str, str]
"""(member, `namespace/name`)."""


class World(Struct, frozen=True):
    """All facts of one turn. `policies` by `namespace/name`, or `*` for all; `tombstone` in seconds.

    A member with `read_at` 0 has not been heard yet: the shards it had in the previous snapshot stay.
    `hostname_compat`: shards known by hostname count only once resolved, as in federation v1.
    """

    members: Mapping[str, MemberFacts] = {}
    policies: Mapping[str, TrafficPolicy] = {}
    probes: Mapping[Target, ProbeCount] = {}
    orders: tuple[Order, ...] = ()
    hostnames: Mapping[str, Hostname] = {}
    passive: Mapping[Target, Passive] = {}
    defaults: TrafficPolicy = TrafficPolicy()
    tombstone: float = 0.0
    hostname_compat: bool = False


class Told(NamedTuple):
    """What members said since the last turn: by service those who said something about it, and those who may
    have said something about any."""

    shards: Mapping[str, Collection[str]] = {}
    members: Collection[str] = ()


NOTHING = Told()


class _Member(NamedTuple):
    """One member as all its shards see it in this turn."""

    facts: MemberFacts
    seen: Member
    nodes: Evidence | None
    heard: bool


class _Turn(NamedTuple):
    """What building any service of this turn needs. `ruled`: members that an order is about, `importing`:
    that may have addresses of a cluster set; `verdicts`: all of this turn, since most shards are alike."""

    previous: Snapshot
    world: World
    members: Mapping[str, _Member]
    orders: health.Index
    ruled: frozenset[str]
    now: float
    verdicts: dict[Verdict, Verdict]
    importing: tuple[MemberFacts, ...]


def assemble(
    previous: Snapshot, world: World, touched: frozenset[str] | None, now: float, told: Told = NOTHING
) -> Snapshot:
    """The next snapshot. `touched`: services whose inputs may differ in any way (None: all); `told`: what
    else differs."""
    members = {name: _member(previous, world.members[name]) for name in sorted(world.members)}
    orders = health.index(world.orders, now)
    importing = tuple(one.facts for one in members.values() if one.facts.imports or not one.heard)
    ruled = frozenset(_ruled(members, orders))
    turn = _Turn(previous, world, members, orders, ruled, now, {}, importing)
    seen = {name: member.seen for name, member in members.items()}
    moved = _moved(previous.members, seen)
    services: dict[str, Service | None] = {}
    wakes = dict(previous.wakes)
    for key, whom in _due(turn, touched, told):
        _rebuild(turn, (key, whom), services, wakes)
    return Snapshot(
        at=now,
        members=previous.members if seen == previous.members else seen,
        services=buckets.of(previous.services).put(services) if services else previous.services,
        touched=None if moved else frozenset(services),
        wakes=wakes,
    )


def _ruled(members: Mapping[str, _Member], orders: health.Index) -> Iterator[str]:
    """Members that an order about more than one service is for."""
    for name, member in members.items() if orders else ():
        seen = member.seen
        targets = (name, f"region:{seen.region}", *(f"zone:{zone}" for zone in seen.zones))
        if not orders.keys().isdisjoint(targets):
            yield name


def due(snapshot: Snapshot, now: float) -> frozenset[str]:
    """Services that time alone may have changed by now."""
    if snapshot.wake_at is None or snapshot.wake_at > now:
        return frozenset()
    return frozenset(key for key, at in snapshot.wakes.items() if at <= now)


def affected(snapshot: Snapshot, before: Iterable[Order], after: Iterable[Order]) -> frozenset[str] | None:
    """Services that a change of orders touches; None when it may be all of them."""
    keys, members = set(), set()
    for order in set(before) ^ set(after):
        member, _, key = order.target.partition("/")
        kind, _, place = order.target.partition(":")
        if key:
            keys.add(key)
        elif kind in ("region", "zone") and place:
            members |= {
                each.name for each in snapshot.members.values() if place in (each.region, *each.zones)
            }
        else:
            members.add(member)
    if members and members.issuperset(snapshot.members):
        return None
    return frozenset(keys).union(key for key, _ in _having(snapshot, members))


def _having(snapshot: Snapshot, members: set[str]) -> Iterator[tuple[str, str]]:
    """Services with a shard in one of these members, and in which."""
    for key, service in snapshot.services.items() if members else ():
        yield from ((key, shard.member) for shard in service.shards if shard.member in members)


def _member(previous: Snapshot, facts: MemberFacts) -> _Member:
    """An unheard member keeps the place, nodes and age that it was last known with."""
    old, heard = previous.members.get(facts.name), facts.read_at > 0
    known = old if old is not None and not heard else facts
    seen = Member(
        name=facts.name,
        region=facts.region or known.region,
        zones=facts.zones or known.zones,
        labels=facts.labels,
        nodes=known.nodes,
        api=facts.api,
        api_since=facts.api_since,
        read_at=known.read_at,
        clusterid=facts.clusterid or known.clusterid,
    )
    return _Member(facts, old if old == seen else seen, health.nodes(seen.nodes, seen.read_at), heard)


def _place(member: Member) -> tuple[str, tuple[str, ...], str]:
    """What names hang on."""
    return member.region, member.zones, member.clusterid


def _moved(before: Mapping[str, Member], after: Mapping[str, Member]) -> bool:
    """Whether names change: a member came, went, or changed its region, its zones or what it is called."""
    if before.keys() != after.keys():
        return True
    pairs = ((before[name], member) for name, member in after.items())
    return any(old is not new and _place(old) != _place(new) for old, new in pairs)


def _due(
    turn: _Turn, touched: frozenset[str] | None, told: Told
) -> Iterator[tuple[str, Collection[str] | None]]:
    """Services to build again, and which members' shards of each (None: all)."""
    old, now = turn.previous.members, turn.members
    if touched is None:
        shards = (member.facts.shards for member in now.values())
        yield from dict.fromkeys(turn.previous.services.keys() | set().union(*shards)).items()
        return
    yield from ((key, None) for key in touched)
    changed = {*told.members, *(old.keys() - now.keys())}
    changed.update(name for name in now if _changed(old.get(name), now[name]))
    more: dict[str, set[str]] = {key: set(members) for key, members in told.shards.items()}
    heard = [now[name].facts for name in changed & now.keys()]
    targets = [(key, each.name) for each in heard for key in (*each.shards, *each.imports)]
    for key, name in (*targets, *_having(turn.previous, changed & old.keys())):
        more.setdefault(key, set()).add(name)
    yield from ((key, members) for key, members in more.items() if key not in touched)


def _changed(old: Member | None, new: _Member) -> bool:
    if old is new.seen:
        return False
    if old is None or _place(old) != _place(new.seen):
        return True
    if old.nodes == new.seen.nodes:
        return False
    return (health.nodes(old.nodes, 0.0) is None) != (new.nodes is None)


def _rebuild(
    turn: _Turn,
    due: tuple[str, Collection[str] | None],
    services: dict[str, Service | None],
    wakes: dict[str, float],
) -> None:
    """Builds one service anew; it goes to `services` where it differs from what it was."""
    key, whom = due
    old = turn.previous.services.get(key)
    new, wake = _service(turn, key, old, whom)
    if wake < inf:
        wakes[key] = wake
    else:
        wakes.pop(key, None)
    if new != old:
        services[key] = new


def _service(
    turn: _Turn, key: str, old: Service | None, whom: Collection[str] | None
) -> tuple[Service | None, float]:
    """The service as it now is (None: gone), and when time alone changes it. `whom`: members whose facts
    about it may differ (None: all)."""
    policy = turn.world.policies.get(key) or turn.world.policies.get("*") or turn.world.defaults
    known = old if whom is not None and old is not None and old.policy == policy else None
    past = {shard.member: shard for shard in old.shards} if old is not None else {}
    again = {*turn.members, *past} if known is None or whom is None else _again(turn, key, known, whom)
    shards, wake = dict(past), inf
    for name in again:
        before = past.get(name)
        facts = _facts(turn, key, name, before)
        if facts is None:
            shards.pop(name, None)
            continue
        found, at = _shard(turn, key, turn.members[name], _Case(facts, policy, before))
        shards[name], wake = before if before == found else found, min(wake, at)
    if not shards:
        return _ended(turn, old, policy)
    names = shards if shards.keys() == past.keys() else sorted(shards)
    ordered = tuple([shards[name] for name in names])
    joined = _joined(key, policy, ordered, known)
    imports = clusterset.imports(key, turn.importing, old.imports if old is not None else ())
    return structs.replace(joined, imports=imports) if imports else joined, wake


def _joined(key: str, policy: TrafficPolicy, shards: tuple[Shard, ...], known: Service | None) -> Service:
    """The service of these shards. Where it is known what it was, only those that differ are looked at."""
    namespace, _, name = key.partition("/")
    if known is None or len(known.shards) != len(shards):
        restless = {shard.member for shard in shards if is_restless(shard)}
        alike = False
    else:
        pairs = [(one, other) for one, other in zip(known.shards, shards, strict=True) if one is not other]
        restless = set(known.restless).difference(one.member for one, _ in pairs)
        restless.update(other.member for _, other in pairs if is_restless(other))
        alike = all(_standing(one) == _standing(other) for one, other in pairs)
    good = known.last_good if known and alike else selection.last_good(shards)
    ports = known.ports if known and alike else _ports(shards)
    return Service(namespace, name, policy, shards, ports, good, restless=tuple(sorted(restless)))


def _standing(shard: Shard) -> tuple[object, ...]:
    """All of a shard that its service's ports and last good set hang on."""
    verdict = shard.verdict
    good = verdict.state, verdict.was_good, verdict.ordered, verdict.since
    return shard.member, shard.facts.ports, selection.candidate(shard), *good


def _again(turn: _Turn, key: str, old: Service, whom: Collection[str]) -> Collection[str]:
    """Members whose shards are to be judged again: those of which something was told, and those that would
    be judged otherwise by now though nothing was."""
    if any(target.endswith(f"/{key}") for target in turn.orders):
        return {*turn.members, *(shard.member for shard in old.shards)}
    failing = (shard.member for shard in old.shards if (shard.member, key) in turn.world.passive)
    return {*whom, *old.restless, *turn.ruled, *(failing if turn.world.passive else ())}


def is_restless(shard: Shard) -> bool:
    """Whether the same evidence makes another verdict later."""
    verdict = shard.verdict
    stands = not verdict.pending and verdict.origin is None and not verdict.ordered and verdict.since
    return shard.next_change is not None or not stands


def _facts(turn: _Turn, key: str, name: str, before: Shard | None) -> ShardFacts | None:
    """What the member says of the service; while it was not heard yet, what it said before a restart."""
    member = turn.members.get(name)
    if member is None:
        return None
    found = member.facts.shards.get(key)
    return before.facts if found is None and before is not None and not member.heard else found


def _ended(turn: _Turn, old: Service | None, policy: TrafficPolicy) -> tuple[Service | None, float]:
    """No member declares it any more: it stays as a tombstone for a while."""
    if old is None:
        return None, inf
    since = turn.now if old.tombstone is None else old.tombstone
    end = since + turn.world.tombstone
    if turn.now >= end:
        return None, inf
    return structs.replace(old, policy=policy, shards=(), last_good=(), tombstone=since), end


class _Case(NamedTuple):
    """One shard's own facts, what its service wants, and what it was before."""

    facts: ShardFacts
    policy: TrafficPolicy
    before: Shard | None


def _shard(turn: _Turn, key: str, member: _Member, case: _Case) -> tuple[Shard, float]:
    """The judged shard, and when time alone changes it."""
    world, seen, policy, now = turn.world, member.seen, case.policy, turn.now
    target = (seen.name, key)
    probe = world.probes.get(target) if policy.probe is not None else None
    passive = world.passive.get(target) if world.passive else None
    order = health.order(turn.orders, seen, key, case.facts.parting)
    evidence = health.Input(
        case.facts.readiness, policy.min_ready, probe, passive, member.nodes, order, seen.read_at
    )
    previous = health.NEW if case.before is None else case.before.verdict
    judged = health.judge(evidence, previous, policy.health, now)
    verdict = turn.verdicts.setdefault(judged, judged)
    wakes = list(_wakes(turn, member, evidence, policy)) if turn.orders or passive else []
    if verdict.pending:
        wakes.append(_nearing(verdict.held_until, policy.ttl, now))
    addresses = case.facts.addresses
    if case.facts.hostnames:
        addresses = _resolved(case, world.hostnames)
    facts = case.facts
    if world.hostname_compat and facts.hostnames:
        facts = structs.replace(facts, hostnames=())
    shard = Shard(
        seen.name,
        seen.region,
        seen.zones,
        facts,
        addresses,
        verdict,
        _next_change(evidence, verdict, policy, now),
        health.shut(turn.orders, seen.zones),
    )
    return shard, min(wakes, default=inf)


def _wakes(turn: _Turn, member: _Member, evidence: health.Input, policy: TrafficPolicy) -> Iterator[float]:
    """Times at which evidence ends by itself."""
    zones = (turn.orders.get(f"zone:{zone}") for zone in member.seen.zones)
    for order in (evidence.order, *zones):
        if order is not None and order.until is not None:
            yield order.until
    if evidence.passive is not None and evidence.passive.at + policy.health.passive_age > turn.now:
        yield evidence.passive.at + policy.health.passive_age


def _nearing(end: float, ttl: Ttl, now: float) -> float:
    """When to look again before a change that waits until `end`: a TTL told long before would outlast it, so
    it is halved on the way, down to the least one."""
    left = float(ttl.max)
    while left >= max(ttl.min, 1):
        if end - left > now:
            return end - left
        left /= 2
    return end


def _next_change(evidence: health.Input, verdict: Verdict, policy: TrafficPolicy, now: float) -> float | None:
    """Seconds until the state could next change for a reason that can be foreseen."""
    if evidence.order is not None:
        return None if evidence.order.until is None else evidence.order.until - now
    probing, held = health.until_probe(evidence.probe, policy.probe), verdict.held_until - now
    if held > 0:
        return held if verdict.pending else max(held, probing or 0.0)
    return probing


def _resolved(case: _Case, hostnames: Mapping[str, Hostname]) -> tuple[str, ...]:
    """The literal addresses and those of the hostnames. While none of these was resolved since a restart,
    what they were before it stays: a resolver that is silent takes nobody out."""
    facts, before = case.facts, case.before
    asked = (hostnames[name] for name in facts.hostnames if name in hostnames)
    found = [each.addresses for each in asked if each.at]
    if not found and before is not None and before.facts.hostnames in (facts.hostnames, ()):
        found = [tuple(each for each in before.addresses if each not in before.facts.addresses)]
    return tuple(sorted(set(facts.addresses).union(*found)))


def _ports(shards: Sequence[Shard]) -> tuple[Port, ...]:
    """All ports of all shards; where two members disagree about one, the first by name wins."""
    first = shards[0].facts.ports
    if all(shard.facts.ports is first or shard.facts.ports == first for shard in shards):
        return first
    ports: dict[Target, Port] = {}
    for shard in shards:
        for port in shard.facts.ports:
            ports.setdefault((port.name, port.protocol), port)
    return tuple(sorted(ports.values()))
