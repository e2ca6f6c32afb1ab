"""The health law: evidence about one shard -> its verdict, one pure function of values and a time.

Law: an operator's word wins; else the worst evidence decides. Reachability of a member's API is no
evidence about its services, so `Input` does not even hold it: readiness just stays as last read.
Damping: from the second change of who may serve on, a state is held; only bad news that is certain
(readiness at zero, no endpoint reachable, a drain) and operators break a hold.
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import NamedTuple

from msgspec import Struct, structs

from fedns.model.facts import NodeZone, Order, Passive, ProbeCount, Word, ZoneReadiness
from fedns.model.policy import HealthSettings, ProbeSpec
from fedns.model.snapshot import Evidence, Member, Says, State, Verdict

NEW = Verdict()
"""What is known before the first judgement."""
GOOD: frozenset[State] = frozenset(("healthy", "degraded"))
MILD: frozenset[State] = frozenset(("unknown", "healthy", "degraded"))
"""Changes among these take nobody in or out: endpoints that come and go shall not delay bad news."""
NODES_DEGRADED_BELOW = 0.5
"""Share of Ready nodes. Nodes never bring a shard down: a kubelet that is silent is no dead pod."""
PARTING = "its copy, or what is behind it, is to go from there: clients leave first"
MAX_DOUBLINGS = 30
"""Of the hold time; far past any `hold_max`, and the power stays a small number."""

Index = Mapping[str, Order]
"""Order target -> the order that counts for it now."""


class Input(Struct, frozen=True, gc=False):
    """All evidence about one shard at one time. `nodes` is the member's, shared by its shards."""

    readiness: tuple[ZoneReadiness, ...] | None = None
    min_ready: int = 1
    probe: ProbeCount | None = None
    passive: Passive | None = None
    nodes: Evidence | None = None
    order: Order | None = None
    read_at: float = 0.0


class _Weighed(NamedTuple):
    """What the evidence says by itself. `forced`: it is certain, and acts at once where it is bad news."""

    state: State
    reason: str
    evidence: tuple[Evidence, ...]
    forced: bool


_STATE: Mapping[Says, State] = {
    "down": "unhealthy",
    "draining": "draining",
    "degraded": "degraded",
    "up": "healthy",
    "unknown": "unknown",
}
_WORST: tuple[Says, ...] = ("down", "draining", "degraded", "up")
_SAYS: Mapping[Word, Says] = {"up": "up", "down": "down", "drain": "draining"}


def judge(inp: Input, previous: Verdict, settings: HealthSettings, now: float) -> Verdict:
    """The verdict on one shard. `previous` is `NEW` for a shard never seen before."""
    base = _base(previous, now)
    weighed = _weigh(inp, settings, now)
    if weighed.state == base.state and base.since:
        return _standing(base, weighed, inp.order is not None, now)
    if base.held_until > now and not (base.ordered or _breaks(weighed, base, inp.order)):
        return structs.replace(
            base, pending=weighed.state, evidence=weighed.evidence, judged=0.0, origin=None
        )
    return _changed(weighed, base, settings, now, inp.order is not None)


def _breaks(weighed: _Weighed, base: Verdict, order: Order | None) -> bool:
    """Whether this acts inside a hold: an operator's word, and certain bad news that is worse than before."""
    return order is not None or (weighed.forced and base.state != "unhealthy")


def _base(previous: Verdict, now: float) -> Verdict:
    """What stood before this instant."""
    if previous.origin is not None and previous.judged == now:
        return previous.origin
    return NEW if previous.since == now and previous.origin is None else previous


def _standing(base: Verdict, weighed: _Weighed, ordered: bool, now: float) -> Verdict:
    """The state stays; what is said of it may differ."""
    origin = None if weighed.reason == base.reason and ordered == base.ordered else _past(base)
    return Verdict(
        base.state,
        weighed.reason,
        base.since,
        base.held_until,
        base.flaps,
        "",
        weighed.evidence,
        ordered,
        base.was_good,
        0.0 if origin is None else now,
        origin,
    )


def _past(base: Verdict) -> Verdict:
    return structs.replace(base, pending="", evidence=(), judged=0.0, origin=None)


def _changed(
    weighed: _Weighed, base: Verdict, settings: HealthSettings, now: float, ordered: bool
) -> Verdict:
    """A change of state: it counts as a flap unless it is the first word about a shard, or mild."""
    first = base.state == "unknown" and not base.flaps
    mild = base.state in MILD and weighed.state in MILD
    flaps = base.flaps if first or mild else 1 if now - base.since > settings.hold_reset else base.flaps + 1
    until = now if mild else now + hold(flaps, settings)
    return Verdict(
        weighed.state,
        weighed.reason,
        now,
        max(base.held_until, until) if flaps > 1 else 0.0,
        flaps,
        "",
        weighed.evidence,
        ordered,
        weighed.state not in GOOD and (base.was_good or base.state in GOOD),
        now if base.since else 0.0,
        _past(base) if base.since else None,
    )


def hold(flaps: int, settings: HealthSettings) -> float:
    """Seconds that a state entered with this flap is held; the first change is free."""
    if flaps < 2:
        return 0.0
    return min(settings.hold * 2.0 ** min(flaps - 2, MAX_DOUBLINGS), settings.hold_max)


def _weigh(inp: Input, settings: HealthSettings, now: float) -> _Weighed:
    ready = _readiness(inp.readiness, inp.min_ready, settings.degraded_below, inp.read_at)
    if inp.order is None and inp.probe is None and inp.passive is None and inp.nodes is None:
        return _alone(ready)
    others = (
        None if inp.order is None else _order(inp.order),
        ready,
        None if inp.probe is None else _probe(inp.probe),
        None if inp.passive is None else _passive(inp.passive, settings, now),
        inp.nodes,
    )
    evidence = tuple(each for each in others if each is not None)
    if inp.order is not None:
        return _Weighed(_STATE[evidence[0].says], evidence[0].detail, evidence, True)
    for says in _WORST:
        telling = [each for each in evidence if each.says == says]
        if telling:
            forced = ready in telling and says in ("down", "draining")
            forced = forced or (
                says == "down" and inp.passive is not None and _gone(inp.passive, settings, now)
            )
            return _Weighed(_STATE[says], telling[0].detail, evidence, forced)
    return _Weighed("unknown", "; ".join(each.detail for each in evidence), evidence, False)


@lru_cache(maxsize=16384)
def _alone(ready: Evidence) -> _Weighed:
    return _Weighed(_STATE[ready.says], ready.detail, (ready,), ready.says in ("down", "draining"))


@lru_cache(maxsize=16384)
def _readiness(
    zones: tuple[ZoneReadiness, ...] | None, min_ready: int, degraded_below: float, at: float
) -> Evidence:
    if zones is None:
        return Evidence("readiness", "unknown", "no endpoints seen", at)
    ready = sum(zone.ready for zone in zones)
    live = max(sum(zone.total - zone.terminating for zone in zones), ready)
    detail = f"{ready} of {live} endpoints ready"
    if ready == 0 and min_ready and (serving := sum(zone.serving for zone in zones)):
        return Evidence("readiness", "draining", f"{serving} endpoints serve while terminating", at)
    if ready < min_ready:
        wanted = f", {min_ready} wanted" if min_ready > 1 else ""
        return Evidence("readiness", "down", detail + wanted, at)
    return Evidence("readiness", "degraded" if ready < live * degraded_below else "up", detail, at)


def _order(order: Order) -> Evidence:
    if order.reason == PARTING:
        return Evidence("operator", _SAYS[order.word], PARTING, order.issued)
    why = f": {order.reason}" if order.reason else ""
    return Evidence(
        "operator", _SAYS[order.word], f"operator says {order.word} of {order.target}{why}", order.issued
    )


def _probe(probe: ProbeCount) -> Evidence:
    if probe.state == "unknown":
        return Evidence("probe", "unknown", "not probed yet", probe.at)
    if probe.state == "up":
        run = f", {probe.failures} failed lately ({probe.reason})" if probe.failures else ""
        return Evidence("probe", "up", f"probe succeeds{run}", probe.at)
    run = f", {probe.successes} succeeded since" if probe.successes else ""
    return Evidence("probe", "down", f"probe fails: {probe.reason}{run}", probe.at)


def _passive(seen: Passive, settings: HealthSettings, now: float) -> Evidence:
    bad = min(seen.errors, seen.requests)
    detail = f"{bad} of {seen.requests} requests failed at the gateways"
    if seen.unreachable:
        detail = f"gateways cannot reach {seen.unreachable} of {seen.endpoints} endpoints; {detail}"
    if now >= seen.at + settings.passive_age:
        return Evidence("passive", "unknown", f"{detail}, too long ago", seen.at)
    if _gone(seen, settings, now):
        return Evidence("passive", "down", detail, seen.at)
    if seen.requests < max(settings.passive_requests, 1):
        return Evidence("passive", "unknown", f"{detail}, too few to tell", seen.at)
    failing = bad >= seen.requests * settings.passive_errors
    return Evidence("passive", "down" if failing else "up", detail, seen.at)


def _gone(seen: Passive, settings: HealthSettings, now: float) -> bool:
    """Whether no endpoint can be reached: as certain as a readiness of zero. One of several is its own
    matter: the gateway goes around it."""
    return 0 < seen.endpoints <= seen.unreachable and now < seen.at + settings.passive_age


def nodes(zones: Iterable[NodeZone], at: float) -> Evidence | None:
    """What a member's nodes say about all its shards; None when they have nothing bad to say."""
    counts = [(zone.ready, zone.total) for zone in zones]
    ready, total = sum(each[0] for each in counts), sum(each[1] for each in counts)
    if ready >= total * NODES_DEGRADED_BELOW:
        return None
    return Evidence("nodes", "degraded", "fewer than half of the nodes are ready", at)


def count(previous: ProbeCount, ok: bool, reason: str, spec: ProbeSpec, now: float) -> ProbeCount:
    """One more probe result. gdnsd's rule: the first decides at once, and failures are forgotten only
    after `rise` successes in a row. A target that stays well (or ill) keeps equal counts."""
    rise, fall = max(spec.rise, 1), max(spec.fall, 1)
    good, bad = ProbeCount("up", rise, 0, "", now), ProbeCount("down", 0, fall, reason, now)
    if previous.state == "unknown":
        return good if ok else bad
    if ok:
        successes = min(previous.successes + 1, rise)
        if successes >= rise:
            return good
        return ProbeCount(previous.state, successes, previous.failures, previous.reason, now)
    failures = min(previous.failures + 1, fall)
    if failures >= fall:
        return bad
    return ProbeCount(previous.state, 0, failures, reason, now)


def until_probe(probe: ProbeCount | None, spec: ProbeSpec | None) -> float | None:
    """Seconds until results could turn this target over; None when it is not probed (yet)."""
    if probe is None or spec is None or probe.state == "unknown":
        return None
    left = spec.fall - probe.failures if probe.state == "up" else spec.rise - probe.successes
    return max(left, 1) * spec.interval


def index(orders: Iterable[Order], now: float) -> Index:
    """Unexpired orders by target: the newest counts, and of equally new ones the most cautious."""
    found: dict[str, Order] = {}
    for order in orders:
        if order.until is not None and order.until <= now:
            continue
        rival = found.get(order.target)
        if rival is None or _newness(order) > _newness(rival):
            found[order.target] = order
    return found


def _newness(order: Order) -> tuple[float, int, float, str]:
    caution = ("up", "drain", "down").index(order.word)
    return order.issued, caution, float("inf") if order.until is None else order.until, order.reason


def order(orders: Index, member: Member, key: str, parting: float) -> Order | None:
    """The order that rules one shard; without any, one that is parting (since then) is drained by it."""
    found = order_for(orders, member.name, member.region, member.zones, key)
    if found is None and parting:
        return Order(f"{member.name}/{key}", "drain", parting, None, PARTING)
    return found


def order_for(orders: Index, member: str, region: str, zones: tuple[str, ...], key: str) -> Order | None:
    """The order that rules one shard: shard, then member, then zone, then region. A zone's order
    rules a shard only when all zones of its member have one (see `shut` for the others)."""
    if not orders:
        return None
    found = orders.get(f"{member}/{key}") or orders.get(member)
    if found is not None:
        return found
    if zones and all(f"zone:{zone}" in orders for zone in zones):
        return max((orders[f"zone:{zone}"] for zone in zones), key=_newness)
    return orders.get(f"region:{region}") if region else None


def shut(orders: Index, zones: tuple[str, ...]) -> tuple[str, ...]:
    """Zones of a multi-zone member that an operator took out of service."""
    if not orders or len(zones) < 2:
        return ()
    words = ((zone, orders.get(f"zone:{zone}")) for zone in zones)
    return tuple(zone for zone, order in words if order is not None and order.word != "up")
