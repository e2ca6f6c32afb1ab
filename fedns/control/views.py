"""A snapshot as the admin API tells it: for people, so with ages instead of times where they ask "how long?".

Law: pure; nothing is judged here. What may serve is asked of the model, never worked out again.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from msgspec import structs

from fedns import metrics, traffic
from fedns.control import census
from fedns.distribute import advice
from fedns.dns import explanation, journal, node, zones
from fedns.errors import Problem
from fedns.kube import informer
from fedns.model import facts, snapshot
from fedns.placement import item
from fedns.servers import api, copied, counters, tally

Probes = Mapping[tuple[str, str], facts.ProbeCount]
"""(member, `namespace/name`) -> where the prober stands."""
EVERYTHING: Mapping[str, str] = {}
UNPROBED: Probes = {}
Feeds = Mapping[str, Sequence[informer.Informer]]
"""Member -> what is watched on its API server."""
UNWATCHED: Feeds = {}
Origins = Mapping[str, Callable[[str], tuple[str, ...]]]
"""Member -> who knows from which objects of an API server the facts of a service came."""


def member(value: snapshot.Member, states: Mapping[str, int], now: float) -> api.Member:
    return api.Member(
        name=value.name,
        region=value.region,
        zones=list(value.zones),
        labels=dict(value.labels),
        api=value.api,
        api_since=value.api_since,
        age=now - value.read_at if value.read_at else None,
        shards=sum(states.values()),
        states=dict(states),
        nodes_ready=sum(zone.ready for zone in value.nodes),
        nodes_total=sum(zone.total for zone in value.nodes),
    )


def watch(feed: informer.Informer, now: float) -> api.Watch:
    return api.Watch(
        resource=feed.name,
        objects=len(feed),
        synced=now - feed.synced_at if feed.synced_at else None,
        heard=now - feed.heard_at if feed.heard_at else None,
        lists=feed.lists,
        errors=dict(feed.errors),
        off=feed.off,
        trouble=feed.trouble,
    )


def members(snap: snapshot.Snapshot, now: float, feeds: Feeds = UNWATCHED) -> Iterator[api.Member]:
    """All members by name; `feeds`: the watches on their API servers."""
    counts: dict[str, Counter[str]] = {}
    for service in snap.services.values():
        for one in service.shards:
            counts.setdefault(one.member, Counter())[one.verdict.state] += 1
    for name in sorted(snap.members):
        told = member(snap.members[name], counts.get(name, {}), now)
        watches = [watch(feed, now) for feed in feeds.get(name, ())]
        yield structs.replace(told, watches=watches) if watches else told


def key(service: snapshot.Service) -> str:
    return f"{service.namespace}/{service.name}"


def services(snap: snapshot.Snapshot) -> Iterator[api.Service]:
    """All services by name."""
    for _, value in sorted(snap.services.items()):
        states: Counter[str] = Counter(one.verdict.state for one in value.shards)
        yield api.Service(
            service=key(value),
            strategy=value.policy.strategy,
            on_all_unhealthy=value.policy.on_all_unhealthy,
            serving=states["healthy"] + states["degraded"] + states["unknown"],
            total=len(value.shards),
            states=dict(states),
            last_good=list(value.last_good),
            declared=value.tombstone is None,
        )


def shards(
    snap: snapshot.Snapshot, now: float, wanted: Mapping[str, str] = EVERYTHING, probes: Probes = UNPROBED
) -> Iterator[api.Shard]:
    """Shards by service, then member; `wanted` may name a service, member, region or state. A fleet has
    hundreds of thousands, so what is not wanted is not told. `probes`: the prober's latest counts."""
    only = wanted.get("service")
    for name in sorted(snap.services) if only is None else {only} & snap.services.keys():
        for one in snap.services[name].shards:
            found = {"service": name, "member": one.member, "region": one.region, "state": one.verdict.state}
            if not wanted or all(found.get(key) == value for key, value in wanted.items()):
                yield shard(name, one, now, _seen(snap, probes, one.member, name))


def shard(service: str, value: snapshot.Shard, now: float, seen: Mapping[str, float]) -> api.Shard:
    """`seen`: when each kind of evidence was last confirmed, where that is later than it says itself."""
    verdict, readiness = value.verdict, value.facts.readiness
    return api.Shard(
        service=service,
        member=value.member,
        region=value.region,
        zones=list(value.zones),
        state=verdict.state,
        reason=verdict.reason,
        since=verdict.since,
        age=max(0.0, now - verdict.since) if verdict.since else 0.0,
        held_until=verdict.held_until,
        pending=verdict.pending,
        flaps=verdict.flaps,
        addresses=list(value.addresses),
        hostnames=list(value.facts.hostnames),
        endpoints_ready=None if readiness is None else sum(zone.ready for zone in readiness),
        endpoints_total=None if readiness is None else sum(zone.total for zone in readiness),
        evidence=[
            api.Evidence(one.kind, one.says, one.detail, _age(now, seen.get(one.kind, 0.0), one.at))
            for one in verdict.evidence
        ],
    )


def confirmed(
    told: explanation.Explanation, snap: snapshot.Snapshot, probes: Probes, now: float
) -> explanation.Explanation:
    """With evidence as old as it was last seen: what stays the same reaches no snapshot."""

    def fact(one: explanation.Fact, seen: Mapping[str, float]) -> explanation.Fact:
        return structs.replace(one, age=_age(now, seen[one.kind])) if seen.get(one.kind) else one

    def candidate(each: explanation.Candidate) -> explanation.Candidate:
        seen = _seen(snap, probes, each.member, told.service)
        return structs.replace(each, evidence=tuple(fact(one, seen) for one in each.evidence))

    return structs.replace(told, candidates=tuple(map(candidate, told.candidates)))


def sourced(told: explanation.Explanation, origins: Origins) -> explanation.Explanation:
    """With the objects that each candidate's facts came from."""

    def candidate(one: explanation.Candidate) -> explanation.Candidate:
        origin = origins.get(one.member)
        return structs.replace(one, objects=origin(told.service)) if origin else one

    return structs.replace(told, candidates=tuple(map(candidate, told.candidates)))


def _seen(snap: snapshot.Snapshot, probes: Probes, member: str, service: str) -> Mapping[str, float]:
    """When what a shard's evidence rests on was last looked at: its probe, and its member's objects."""
    count, read = probes.get((member, service)), snap.members.get(member)
    at = read.read_at if read else 0.0
    return {"probe": count.at if count else 0.0, "readiness": at, "nodes": at}


def _age(now: float, *times: float) -> float:
    """Seconds since the latest of `times`; 0 stands for never."""
    latest = max(times)
    return max(0.0, now - latest) if latest else 0.0


def states(snap: snapshot.Snapshot) -> dict[str, int]:
    """How many shards are in which state."""
    counts: Counter[str] = Counter()
    for value in snap.services.values():
        counts.update(one.verdict.state for one in value.shards)
    return dict(counts)


def once(by_source: Mapping[str, Iterable[Problem]], last: str) -> dict[str, tuple[Problem, ...]]:
    """Each problem by one source: some read the same files. What only the `last` says is its own."""
    told: set[Problem] = set()
    made: dict[str, tuple[Problem, ...]] = {}
    for source in sorted(by_source, key=lambda name: (name == last, name)):
        made[source] = tuple(one for one in by_source[source] if one not in told)
        told.update(made[source])
    return made


def problems(by_source: Mapping[str, Iterable[Problem]]) -> Iterator[api.Problem]:
    for source in sorted(by_source):
        for one in sorted(by_source[source]):
            yield api.Problem(source, one.where, one.what, one.hint, one.severity)


def order(value: facts.Order, farewell: api.Farewell | None = None) -> api.Order:
    return api.Order(value.target, value.word, value.issued, value.until, value.reason, farewell)


def shard_states(snap: snapshot.Snapshot) -> Iterator[metrics.ShardState]:
    """What the per-shard gauges show."""
    for name, value in snap.services.items():
        for one in value.shards:
            yield metrics.ShardState(name, one.member, one.verdict.state)


def secondaries(directory: str, served: Iterable[node.Zone], now: float) -> list[api.Secondary]:
    """Who copied which zone last, as the workers tell, beside the serials of now."""
    serials = {zone.apex: journal.number(zone) for zone in served}
    return [
        api.Secondary(
            one.address,
            zones.text(one.apex),
            one.serial,
            max(serials[one.apex] - one.serial, 0) if one.apex in serials else None,
            one.kind,
            max(0.0, now - one.at),
        )
        for one in copied.read_all(directory)
    ]


def watched(feeds: Feeds, now: float) -> Iterator[metrics.Watch]:
    """What the gauges of watches show."""
    for name, each in feeds.items():
        for feed in each:
            resource = feed.name
            heard = now - feed.heard_at if feed.heard_at else None
            synced = feed.known
            yield metrics.Watch(name, resource, len(feed), synced, heard, feed.lists, feed.errors)


def workers(directory: str) -> metrics.Workers:
    """The workers' counter files, added up; an absent directory counts nothing."""
    each = counters.read_all(directory)
    whole = counters.total(each.values())
    bounds = [bound / 1e6 for bound in counters.BOUNDS]
    spent = whole.fields.get("latency_sum_us", 0) / 1e6
    held = sum(count for (_, outcome), count in whole.limited.items() if outcome == "dropped")
    dropped = {name: whole.fields.get(name, 0) for name in ("dropped", "unsent", "failed", "tls_failed")}
    return metrics.Workers(
        queries=whole.queries,
        dropped={**dropped, "dropped": max(dropped["dropped"] - held, 0)},
        limited=whole.limited,
        connections={name: whole.fields.get(f"tcp_{name}", 0) for name in ("open", *metrics.CLOSED)},
        transfers={kind: whole.fields.get(kind, 0) for kind in counters.COPIES},
        sizes={key: metrics.Histogram(counters.SIZES, row[1:], row[0]) for key, row in whole.sizes.items()},
        latency=metrics.Histogram(bounds, whole.latency, spent) if whole.latency else None,
        generations={name: totals.fields.get("generation", 0) for name, totals in each.items()},
    )


KINDS = ("refused", "reset", "silent", "errors")
"""What backends fail at: the columns of `tally.SEEN` after the tries."""


def gateway(directory: str) -> traffic.Traffic:
    """The gateway workers' counter files, added up."""
    requests, events = tally.traffic(directory)
    seen = {(member, pool.decode("latin-1")): row for (member, pool), row in tally.seen(directory).items()}
    return traffic.Traffic(
        requests={_labels(row): served[:2] for row, served in requests.items()},
        spans=_spans(requests),
        tries={key: row[tally.TRIES] for key, row in seen.items()},
        failures={
            (*key, kind): count
            for key, row in seen.items()
            for kind, count in zip(KINDS, row[tally.REFUSED :], strict=False)
            if count
        },
        events=events,
    )


def _spans(requests: Mapping[tally.Traffic, tally.Served]) -> dict[str, traffic.Spans]:
    """How long requests took, by route."""
    found: dict[str, traffic.Spans] = {}
    for row, served in requests.items():
        route = _labels(row)[0]
        found[route] = traffic.joined(found.get(route), (served.spread, served.seconds))
    return found


def _labels(row: tally.Traffic) -> tuple[str, str, str]:
    """Rows beyond the capacity of a worker's ledger are one, without a status."""
    if not row.status:
        return traffic.OTHER, "", traffic.OTHER
    return row.rule.decode("latin-1"), row.member, str(row.status)


def copies(stands: Iterable[census.Stand]) -> Iterator[api.Copy]:
    """How each copy in each member stands."""
    for member, row, since in stands:
        name = _named(row.what)
        hint = advice.of(row.words)
        yield api.Copy(member, row.what.kind, name, row.policy, row.state, row.words, since, hint)


def reasons(rows: Iterable[census.Reason], place: Callable[[str], str]) -> Iterator[api.Whereabouts]:
    """Whether and why objects are in each member, or not."""
    for what, member, policy, why, stand in rows:
        row = (what.kind, _named(what), member, policy, place(policy), list(why))
        if stand is None:
            yield api.Whereabouts(*row, state="", what="", since=None)
        else:
            state, words = stand.row.state, stand.row.words
            yield api.Whereabouts(*row, state, words, stand.since, advice.of(words), stand.row.fit)


def portions(rows: Iterable[tuple[str, str, Mapping[str, int]]]) -> Iterator[api.Portion]:
    """By policy and member."""
    for policy, member, states in rows:
        desired = sum(n for state, n in states.items() if state not in ("removing", "leaving", "held"))
        yield api.Portion(policy, member, desired, dict(states))


def _named(what: item.Ref) -> str:
    return f"{what.namespace}/{what.name}" if what.namespace else what.name
