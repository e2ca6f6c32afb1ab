"""The selection law: which shards may serve a client now, and in which shares.

Law: shards that are healthy, degraded or unknown serve; draining ones only when no other can; then
the policy's last resort. One eligibility (`level`) for names of every width and for both schemes;
a narrow level without an able shard is simply empty and its name leads to the wider one.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Literal, NamedTuple

from msgspec import structs

from fedns.model.facts import ZoneReadiness
from fedns.model.policy import TrafficPolicy
from fedns.model.snapshot import Service, Shard

FailOpen = Literal["", "open", "closed", "backup"]

OVERPROVISION = 1.4
"""A tier that spills carries its full load until fewer than 1/1.4 of its endpoints are ready
(Envoy's priority levels use the same factor)."""
GOOD_WINDOW = 30.0
"""Seconds. Shards that went down this close to the last one count as lost together: probes that fail
for one common reason fail some seconds apart."""
ABLE = frozenset(("unknown", "healthy", "degraded"))


class Level(NamedTuple):
    """How wide a name is: a zone (region may be empty), a region, or everything (`GLOBAL`)."""

    region: str = ""
    zone: str = ""


GLOBAL = Level()


class Place(NamedTuple):
    """Where a client is. `near` are the other regions whose distance is known, the nearest first; `member` is
    the one that it is inside of."""

    region: str = ""
    zone: str = ""
    near: tuple[str, ...] = ()
    member: str = ""


class Excluded(NamedTuple):
    """A shard that may not answer at a level, and why."""

    member: str
    reason: str


class Standing(NamedTuple):
    """Shards that may answer at a level, and the others of the service with the reason."""

    shards: tuple[Shard, ...]
    excluded: tuple[Excluded, ...]


class Share(NamedTuple):
    """`share` of its tier's load; the shares of a tier sum to 1."""

    member: str
    share: float


class Tier(NamedTuple):
    """`load` is the tier's part of all; loads sum to 1 when anything can serve. Load 0: in reserve."""

    load: float
    shares: tuple[Share, ...]


class Selection(NamedTuple):
    """Tiers in order. `fail_open` is set when no shard can serve: what the policy then does."""

    tiers: tuple[Tier, ...]
    fail_open: FailOpen = ""
    rule: str = ""
    steps: tuple[str, ...] = ()


_NOWHERE = Selection((), rule="no shard can serve here")


def candidate(shard: Shard) -> bool:
    """Whether the shard ever had a load balancer: without an address nobody can be sent there."""
    return bool(shard.addresses or shard.facts.hostnames)


def reached(shard: Shard) -> Shard:
    """The shard as a gateway that goes to its endpoints reaches it: those are its addresses."""
    told = shard.facts.endpoints
    if told is None:
        return shard
    facts = structs.replace(shard.facts, hostnames=())
    return structs.replace(shard, facts=facts, addresses=tuple([each.address for each in told]))


def able(shards: Iterable[Shard]) -> tuple[Shard, ...]:
    """Shards that can serve now: those not down, and only if there are none, those draining."""
    candidates = [shard for shard in shards if shard.addresses or shard.facts.hostnames]  # `candidate`
    serving = [shard for shard in candidates if shard.verdict.state in ABLE]
    return tuple(serving or [shard for shard in candidates if shard.verdict.state == "draining"])


def serving(service: Service, where: Level = GLOBAL) -> tuple[Shard, ...]:
    """The shards of `level`, without the reasons."""
    return tuple(shard for shard in able(service.shards) if not outside(shard, where))


def level(service: Service, where: Level, now: float) -> Standing:
    """Who may answer at a level, and why not the others (`explain` prints it)."""
    chosen = serving(service, where)
    members = {shard.member for shard in chosen}
    rest = (shard for shard in service.shards if shard.member not in members)
    return Standing(chosen, tuple(Excluded(shard.member, _why(shard, where, now)) for shard in rest))


def _why(shard: Shard, where: Level, now: float) -> str:
    elsewhere = outside(shard, where)
    if elsewhere:
        return elsewhere
    if not candidate(shard):
        return "it has no address"
    verdict = shard.verdict
    if verdict.state == "draining":
        return f"it is draining and others can serve: {verdict.reason}"
    waits = ""
    if verdict.pending and verdict.held_until > now:
        waits = f"; it flapped, so {verdict.pending} waits {verdict.held_until - now:.0f} s more"
    return f"it is {verdict.state}: {verdict.reason}{waits}"


def outside(shard: Shard, where: Level) -> str:
    """Why an able shard may not answer at this level; empty when it may."""
    if where.region and shard.region != where.region:
        return f"it is not in region {where.region}"
    if not where.zone:
        return ""
    if where.zone not in shard.zones:
        return f"it is not in zone {where.zone}"
    if where.zone in shard.shut:
        return f"an operator took zone {where.zone} out"
    return "" if _zone_ready(shard, where.zone) else f"no endpoint is ready in zone {where.zone}"


def _zone_ready(shard: Shard, zone: str) -> bool:
    """Only endpoints that name their zone can deny it; the operator's `up` outdoes them."""
    zones = shard.facts.readiness
    if zones is None or len(shard.zones) == 1 or shard.verdict.ordered:
        return True
    live = {each.zone for each in zones if _live(each, shard)}
    return zone in live or "" in live or not live.intersection(shard.zones)


def _live(zone: ZoneReadiness, shard: Shard) -> bool:
    return bool(zone.serving if shard.verdict.state == "draining" else zone.ready)


def select(service: Service, place: Place | None, now: float, where: Level = GLOBAL) -> Selection:
    """Who serves a client at `place` (None: unknown). At a narrower level than `GLOBAL` nothing able
    means no tiers: the name then leads to the wider one."""
    chosen = serving(service, where)
    if not chosen:
        return last_resort(service, place) if where == GLOBAL else _NOWHERE
    policy = service.policy
    tiers = share_out(chosen, policy, place)
    names = ", ".join(shard.member for shard in chosen)
    steps = (f"{len(chosen)} of {len(service.shards)} shards can serve: {names}", *map(_told, tiers))
    return Selection(tiers, "", f"{policy.strategy} ({_RULES[policy.strategy]})", steps)


def share_out(shards: Sequence[Shard], policy: TrafficPolicy, place: Place | None = None) -> tuple[Tier, ...]:
    """The policy's tiers of shards that can serve; at least one."""
    return _STRATEGIES[policy.strategy](shards, policy, place)


def _told(tier: Tier) -> str:
    shares = ", ".join(f"{share.member} {share.share:.0%}" for share in tier.shares)
    return f"{tier.load:.0%} of clients: {shares}" if tier.load else f"in reserve: {shares}"


def last_resort(service: Service, place: Place | None = None) -> Selection:
    """Rule 5: no shard can serve. Tiers hold the last good set (`open`), by the policy's strategy as if it
    could; without one the name has no data."""
    policy = service.policy
    if policy.on_all_unhealthy == "closed":
        return Selection((), "closed", "all shards are down and the policy is closed: no data")
    if policy.on_all_unhealthy == "backup" and policy.backup:
        rule = "all shards are down: the policy's backup " + ", ".join(policy.backup)
        return Selection((), "backup", rule)
    good = once_good(service)
    if not good:
        return Selection((), "open", "no shard can serve and none was ever good: no data")
    tiers = share_out(good, policy, place)
    rule = "all shards are down: fail open to the last good set"
    return Selection(tiers, "open", rule, tuple(map(_told, tiers)))


def once_good(service: Service) -> list[Shard]:
    """The last set that was known good, as far as it still has addresses."""
    return [shard for shard in service.shards if shard.member in service.last_good and candidate(shard)]


def flat(selection: Selection) -> tuple[Share, ...]:
    """Each member's part of all load: they sum to 1 when anything can serve."""
    return tuple(
        Share(share.member, tier.load * share.share)
        for tier in selection.tiers
        if tier.load
        for share in tier.shares
    )


def last_good(shards: Sequence[Shard]) -> tuple[str, ...]:
    """Members that serve now; when none can, those that were lost last. What an operator took out on
    purpose is among them only when nothing else was ever good."""
    now_serving = {shard.member for shard in able(shards)}
    if any(shard.facts.endpoints is not None for shard in shards):
        shards = tuple(map(reached, shards))
        now_serving |= {shard.member for shard in able(shards)}
    if now_serving:
        return tuple(shard.member for shard in shards if shard.member in now_serving)
    lost = [shard for shard in shards if shard.verdict.was_good and candidate(shard)]
    lost = [shard for shard in lost if not shard.verdict.ordered] or lost
    latest = max((shard.verdict.since for shard in lost), default=0.0)
    return tuple(shard.member for shard in lost if shard.verdict.since >= latest - GOOD_WINDOW)


def ttl(service: Service, now: float) -> int:
    """Rule 7: seconds until the state could next change, halved while any shard is down, in bounds."""
    bounds = service.policy.ttl
    shards = [shard for shard in service.shards if shard.addresses or shard.facts.hostnames]  # `candidate`
    changes = [shard.next_change for shard in shards if shard.next_change is not None]
    seconds = min(changes, default=float(bounds.max))
    seconds = min(seconds, float(bounds.max))
    if "unhealthy" in [shard.verdict.state for shard in shards]:
        seconds /= 2
    return max(bounds.min, min(bounds.max, int(seconds)))


def _shares(shards: Sequence[Shard], weigh: Callable[[Shard], float]) -> tuple[Share, ...]:
    return _parts(shards, [weigh(shard) for shard in shards])


def _parts(shards: Sequence[Shard], weights: Sequence[float]) -> tuple[Share, ...]:
    total = sum(weights)
    return tuple([Share(shard.member, each / total) for shard, each in zip(shards, weights, strict=True)])


def replicas(shard: Shard) -> int:
    """Endpoints that take requests; 0 when that is not known."""
    return sum([zone.ready or zone.serving for zone in shard.facts.readiness or ()])


def by_replicas(shards: Sequence[Shard]) -> tuple[Share, ...]:
    """Shares by ready replicas; a shard with an unknown count counts as the mean of the others."""
    counts = [replicas(shard) for shard in shards]
    known = [count for count in counts if count]
    mean = sum(known) / len(known) if known else 1.0
    return _parts(shards, [float(count) or mean for count in counts])


def _active_active(shards: Sequence[Shard], policy: TrafficPolicy, place: Place | None) -> tuple[Tier, ...]:
    return (Tier(1.0, by_replicas(shards)),)


def _weighted(shards: Sequence[Shard], policy: TrafficPolicy, place: Place | None) -> tuple[Tier, ...]:
    """A member without a weight weighs nothing, unless no weights are given at all."""
    weights = policy.weights
    if not any(weights.values()):
        return (Tier(1.0, _shares(shards, lambda _: 1.0)),)
    heavy = [shard for shard in shards if weights.get(shard.member, 0) > 0]
    light = [shard for shard in shards if weights.get(shard.member, 0) <= 0]
    groups = [
        _shares(heavy, lambda shard: float(weights[shard.member])) if heavy else (),
        _shares(light, lambda _: 1.0) if light else (),
    ]
    return _strict(groups)


def _strict(groups: Iterable[tuple[Share, ...]]) -> tuple[Tier, ...]:
    """The first group that has anyone takes all; the others are in reserve."""
    filled = [shares for shares in groups if shares]
    return tuple(Tier(0.0 if number else 1.0, shares) for number, shares in enumerate(filled))


def _primary(shards: Sequence[Shard], policy: TrafficPolicy, place: Place | None) -> tuple[Tier, ...]:
    """One tier per member of `order`, then all others together."""
    named = {shard.member: shard for shard in shards}
    groups = [[named.pop(member)] for member in policy.order if member in named]
    groups += [list(named.values())] if named else []
    return stacked(groups, by_replicas, OVERPROVISION if policy.spill else 0.0)


def stacked(
    groups: Sequence[Sequence[Shard]], share: Callable[[Sequence[Shard]], tuple[Share, ...]], spare: float
) -> tuple[Tier, ...]:
    """A tier for each group, the first before the others. `spare`: how many times its part of the load a
    ready endpoint can carry, so that the next tier helps with what is left; 0: it helps when none is
    ready."""
    if not spare:
        return _strict(share(group) for group in groups)
    capacities = [_capacity(group, spare) for group in groups]
    loads, left = [], 1.0
    for capacity in capacities:
        loads.append(min(left, capacity))
        left = max(left - capacity, 0.0)
    total = sum(loads)
    return tuple(Tier(load / total, share(group)) for load, group in zip(loads, groups, strict=True))


def _capacity(shards: Iterable[Shard], spare: float) -> float:
    """Part of the whole load that a tier can carry, by its ready endpoints; unknown counts as all."""
    ready = live = 0
    for shard in shards:
        up = replicas(shard)
        if not up:
            return 1.0
        ready += up
        live += max(sum(zone.total - zone.terminating for zone in shard.facts.readiness or ()), up)
    return min(1.0, spare * ready / live)


def _nearest(shards: Sequence[Shard], policy: TrafficPolicy, place: Place | None) -> tuple[Tier, ...]:
    """The client's own member, then zone, then region, then region by region as they come, then the rest.
    Without a place everybody is equally near."""
    rings: dict[int, list[Shard]] = {}
    for shard, distance in zip(shards, _distances(shards, place or Place()), strict=True):
        rings.setdefault(distance, []).append(shard)
    return _strict(by_replicas(rings[distance]) for distance in sorted(rings))


def nearest(shards: Sequence[Shard], place: Place) -> tuple[str, ...]:
    """Members of those shards that `Nearest` has in its first tier; cheap, for it is asked place by place."""
    distances = _distances(shards, place)
    least = min(distances)
    return tuple([shard.member for shard, each in zip(shards, distances, strict=True) if each == least])


def _distances(shards: Sequence[Shard], place: Place) -> list[int]:
    """-1: the member that the client is inside of. 0: in its zone. Other distances are by region alone."""
    ranks, far, zone = _ranks(place.region, place.near), len(place.near) + 2, place.zone
    return [
        -1
        if shard.member == place.member
        else 0
        if zone and zone in shard.zones and not outside(shard, Level(place.region, zone))
        else ranks.get(shard.region, far)
        for shard in shards
    ]


@lru_cache(maxsize=4096)
def _ranks(region: str, near: tuple[str, ...]) -> Mapping[str, int]:
    ranks = {each: number for number, each in enumerate(near, 2)}
    return {**ranks, region: 1} if region else ranks


def local(policy: TrafficPolicy) -> bool:
    """Whether the client's place may decide who serves it."""
    return policy.strategy == "Nearest"


_STRATEGIES: Mapping[str, Callable[[Sequence[Shard], TrafficPolicy, Place | None], tuple[Tier, ...]]] = {
    "ActiveActive": _active_active,
    "Weighted": _weighted,
    "PrimarySecondary": _primary,
    "Nearest": _nearest,
}
_RULES: Mapping[str, str] = {
    "ActiveActive": "shares by ready replicas",
    "Weighted": "shares by weight, weight 0 in reserve",
    "PrimarySecondary": "in the policy's order",
    "Nearest": "member, then zone, then region, then the nearest regions, then the rest",
}
