"""The laws over random histories: what must hold whatever a fleet goes through.

`HYPOTHESIS_PROFILE=deep` tries many more of them.
"""

import os
from collections.abc import Sequence
from math import inf, isclose

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct, structs

from fedns.model import assemble, guard, health, selection, state
from fedns.model.facts import MemberFacts, Order, Passive, ProbeCount, ShardFacts, ZoneReadiness
from fedns.model.policy import HealthSettings, ProbeSpec, TrafficPolicy
from fedns.model.snapshot import Service, Shard, Snapshot, Verdict

LAWS = settings(max_examples=1500 if os.environ.get("HYPOTHESIS_PROFILE") == "deep" else 120, deadline=None)
KEY = "ns/svc"
PLACES = {"a": ("eu", ("eu-1",)), "b": ("eu", ("eu-1", "eu-2")), "c": ("us", ("us-1",))}
SPEC = ProbeSpec(fall=2, rise=2)
START = 1_000_000.0


class Step(Struct, frozen=True):
    """After `wait` seconds, one member says something."""

    wait: float
    member: str
    kind: str
    value: object = None


class Fleet:
    """A small fleet with one service; `run` plays steps against the laws, waking up when time is due."""

    def __init__(self, policy: TrafficPolicy) -> None:
        self.now = START
        self.snapshot = Snapshot()
        self.orders: dict[str, Order] = {}
        self.probes: dict[assemble.Target, ProbeCount] = {}
        self.passive: dict[assemble.Target, Passive] = {}
        self.members = {name: _member(name, place) for name, place in PLACES.items()}
        self.policy = policy
        self.turn(None)
        self.now += 1.0  # it has been healthy for a while

    def world(self) -> assemble.World:
        return assemble.World(
            members=dict(self.members),
            probes=dict(self.probes),
            passive=dict(self.passive),
            orders=tuple(self.orders.values()),
            defaults=self.policy,
        )

    def turn(self, touched: frozenset[str] | None = frozenset({KEY})) -> None:
        self.snapshot = assemble.assemble(self.snapshot, self.world(), touched, self.now)

    def advance(self, seconds: float) -> None:
        """Lets time pass; what is due on the way is judged on the way."""
        end = self.now + seconds
        while self.snapshot.wake_at is not None and self.snapshot.wake_at <= end:
            self.now = max(self.now, self.snapshot.wake_at)
            self.turn(assemble.due(self.snapshot, self.now))
        self.now = end

    def tell(self, step: Step) -> None:
        """Changes facts, without a turn."""
        member, target = self.members[step.member], (step.member, KEY)
        if step.kind == "readiness":
            shard = structs.replace(member.shards[KEY], readiness=_readiness(step))
            self.members[step.member] = structs.replace(member, shards={KEY: shard}, read_at=self.now)
        elif step.kind == "probe":
            previous = self.probes.get(target, ProbeCount())
            self.probes[target] = health.count(previous, bool(step.value), "no answer", SPEC, self.now)
        elif step.kind == "passive":
            self.passive[target] = Passive(100, int(str(step.value)), self.now)
        elif step.kind == "api":
            self.members[step.member] = structs.replace(member, api=step.value, api_since=self.now)
        elif step.value is None:
            self.orders.pop(step.member, None)
        else:
            word, lasts = step.value
            self.orders[step.member] = Order(step.member, word, self.now, self.now + lasts if lasts else None)

    def play(self, step: Step) -> None:
        self.advance(step.wait)
        self.tell(step)
        self.turn()

    @property
    def service(self) -> Service:
        return self.snapshot.services[KEY]

    def verdicts(self) -> list[Verdict]:
        return [shard.verdict for shard in self.service.shards]


def _member(name: str, place: tuple[str, tuple[str, ...]]) -> MemberFacts:
    region, zones = place
    shard = ShardFacts(
        addresses=(f"198.51.100.{ord(name)}",), readiness=(ZoneReadiness(zones[0], 3, 3, 0, 3),)
    )
    return MemberFacts(name, region, zones, {}, {KEY: shard}, (), "reachable", START, START)


def _readiness(step: Step) -> tuple[ZoneReadiness, ...] | None:
    if step.value is None:
        return None
    ready, serving = step.value
    return (ZoneReadiness(PLACES[step.member][1][-1], ready, serving, serving - ready, max(4, serving)),)


KINDS = {
    "readiness": st.none() | st.sampled_from([(0, 0), (0, 2), (1, 1), (3, 3), (4, 4)]),
    "probe": st.booleans(),
    "passive": st.sampled_from([0, 10, 90]),
    "api": st.sampled_from(["reachable", "unreachable"]),
    "order": st.none() | st.tuples(st.sampled_from(["up", "down", "drain"]), st.sampled_from([0, 20, 90])),
}
WAITS = st.sampled_from([0.0, 1.0, 5.0, 31.0, 61.0, 130.0, 700.0])
MEMBERS = st.sampled_from(sorted(PLACES))


def steps(*kinds: str, longest: int = 14) -> st.SearchStrategy[list[Step]]:
    one = st.sampled_from(kinds or tuple(KINDS)).flatmap(
        lambda kind: st.builds(Step, WAITS, MEMBERS, st.just(kind), KINDS[kind])
    )
    return st.lists(one, min_size=1, max_size=longest)


@st.composite
def policies(draw: st.DrawFn) -> TrafficPolicy:
    return TrafficPolicy(
        strategy=draw(st.sampled_from(["ActiveActive", "Weighted", "PrimarySecondary", "Nearest"])),
        order=tuple(draw(st.lists(MEMBERS, unique=True))),
        weights=draw(st.dictionaries(MEMBERS, st.integers(0, 9))),
        spill=draw(st.booleans()),
        probe=SPEC,
        on_all_unhealthy=draw(st.sampled_from(["open", "closed", "backup"])),
        backup=("192.0.2.1",),
    )


def played(policy: TrafficPolicy, history: Sequence[Step]) -> Fleet:
    fleet = Fleet(policy)
    for step in history:
        fleet.play(step)
    return fleet


PLACE = st.none() | st.sampled_from([selection.Place("eu", "eu-2"), selection.Place("us", "us-1")])


@LAWS
@given(policies(), steps(), PLACE)
def test_shares_are_non_negative_and_sum_to_one_when_anything_can_serve(
    policy: TrafficPolicy, history: list[Step], place: selection.Place | None
) -> None:
    service = played(policy, history).service
    chosen = selection.select(service, place, START)
    if selection.able(service.shards):
        assert not chosen.fail_open and chosen.tiers
    assert all(share.share >= 0 for tier in chosen.tiers for share in tier.shares)
    assert all(isclose(sum(share.share for share in tier.shares), 1) for tier in chosen.tiers)
    if chosen.tiers:
        assert isclose(sum(share.share for share in selection.flat(chosen)), 1)


def by_member(service: Service) -> dict[str, Shard]:
    return {shard.member: shard for shard in service.shards}


@LAWS
@given(policies(), steps("order", "readiness", "probe"), PLACE)
def test_a_drained_or_operator_down_shard_is_never_served_while_another_can(
    policy: TrafficPolicy, history: list[Step], place: selection.Place | None
) -> None:
    fleet = played(policy, history)
    shards = by_member(fleet.service)
    words = {order.target: order.word for order in fleet.world().orders if not _over(order, fleet.now)}
    out = {name for name, shard in shards.items() if shard.verdict.state in ("draining", "unhealthy")}
    out |= {name for name, word in words.items() if word != "up"}
    served = {
        share.member
        for tier in selection.select(fleet.service, place, fleet.now).tiers
        for share in tier.shares
    }
    if out < shards.keys():
        assert not served & out
    everything = {shard.member for level in LEVELS for shard in selection.serving(fleet.service, level)}
    if out < shards.keys():
        assert not everything & out


def _over(order: Order, now: float) -> bool:
    return order.until is not None and order.until <= now


LEVELS = (
    selection.GLOBAL,
    selection.Level("eu"),
    selection.Level("us"),
    selection.Level("eu", "eu-1"),
    selection.Level("eu", "eu-2"),
    selection.Level("", "us-1"),
)


@LAWS
@given(policies(), steps("readiness", "probe"))
def test_unknown_is_never_treated_as_down(policy: TrafficPolicy, history: list[Step]) -> None:
    fleet = played(policy, history)
    unknown = {shard.member for shard in fleet.service.shards if shard.verdict.state == "unknown"}
    assert unknown <= {shard.member for shard in selection.serving(fleet.service)}
    if unknown:
        assert not selection.select(fleet.service, None, fleet.now).fail_open
    for name in PLACES:
        facts = fleet.members[name].shards[KEY]
        probe = fleet.probes.get((name, KEY))
        says_down = facts.readiness is not None and not any(zone.ready for zone in facts.readiness)
        if not says_down and (probe is None or probe.state != "down"):
            verdict = by_member(fleet.service)[name].verdict
            assert verdict.state != "unhealthy" or verdict.held_until > fleet.now


@LAWS
@given(policies(), steps(), st.lists(MEMBERS, min_size=1, unique=True))
def test_losing_the_api_alone_never_changes_a_verdict(
    policy: TrafficPolicy, history: list[Step], lost: list[str]
) -> None:
    fleet = played(policy, history)
    before, good = fleet.verdicts(), fleet.service.last_good
    for name in lost:
        fleet.tell(Step(0, name, "api", "unreachable"))
    fleet.turn()
    assert fleet.verdicts() == before
    fleet.turn(None)
    assert fleet.verdicts() == before and fleet.service.last_good == good


@LAWS
@given(policies(), steps())
def test_fail_open_never_yields_nxdomain_for_a_declared_name(
    policy: TrafficPolicy, history: list[Step]
) -> None:
    fleet = played(structs.replace(policy, on_all_unhealthy="open"), history)
    for name in PLACES:
        fleet.tell(Step(0, name, "order", None))
        fleet.tell(Step(0, name, "readiness", (0, 0)))
    fleet.turn()
    service = fleet.service
    assert all(verdict.state == "unhealthy" for verdict in fleet.verdicts())
    chosen = selection.select(service, None, fleet.now)
    assert chosen.fail_open == "open" and service.tombstone is None
    served = {share.member for tier in chosen.tiers for share in tier.shares}
    assert served == set(service.last_good) and served, "every member was healthy at the start"
    assert all(by_member(service)[name].addresses for name in served)


@LAWS
@given(policies(), steps(), steps(longest=5), st.data())
def test_verdicts_do_not_depend_on_the_order_of_simultaneous_evidence(
    policy: TrafficPolicy, history: list[Step], news: list[Step], data: st.DataObject
) -> None:
    news = list({(step.member, step.kind): structs.replace(step, wait=0.0) for step in news}.values())
    other = data.draw(st.permutations(news))
    first, second = played(policy, history), played(policy, history)
    for fleet, order in ((first, news), (second, other)):
        fleet.advance(7.0)
        for step in order:
            fleet.tell(step)
            fleet.turn()
    assert first.verdicts() == second.verdicts()
    assert first.service == second.service


@LAWS
@given(steps("probe", "passive", longest=40))
def test_flapping_input_changes_a_state_at_most_once_per_hold_time(history: list[Step]) -> None:
    fleet = Fleet(TrafficPolicy(probe=SPEC))
    before = {shard.member: shard.verdict for shard in fleet.service.shards}
    numbers = HealthSettings()
    for step in history:
        fleet.play(structs.replace(step, wait=max(step.wait, 1.0)))  # an instant is judged as one
        for member, shard in by_member(fleet.service).items():
            old, new = before[member], shard.verdict
            if new.state != old.state:
                assert new.since >= old.since + health.hold(old.flaps, numbers)
                before[member] = new


@LAWS
@given(policies(), steps("readiness", "probe", "order", longest=30))
def test_inside_a_hold_only_orders_and_certain_bad_news_act(
    policy: TrafficPolicy, history: list[Step]
) -> None:
    fleet = Fleet(policy)
    for step in history:
        fleet.advance(step.wait)
        before = fleet.verdicts()
        fleet.tell(step)
        fleet.turn()
        for old, new in zip(before, fleet.verdicts(), strict=True):
            if old.state != new.state and old.held_until > fleet.now and old.since != fleet.now:
                certain = step.kind == "readiness" and new.state in ("unhealthy", "draining")
                assert certain or step.kind == "order" or old.ordered


@LAWS
@given(st.integers(0, 60), st.lists(st.tuples(st.floats(0, 5), st.sets(st.integers(0, 59))), min_size=1))
def test_the_change_guard_holds_back_a_mass_removal_until_confirmed(
    size: int, looks: list[tuple[float, set[int]]]
) -> None:
    now, held = START, None
    accepted = frozenset(map(str, range(size)))
    last_missing: frozenset[str] = frozenset()
    for wait, left in looks:
        now += wait
        missing = accepted - frozenset(map(str, left))
        held, accept = guard.look(held, len(accepted), missing, now)
        large = len(missing) >= 10 and len(missing) > len(accepted) / 2
        if large and accept:
            both = missing & last_missing
            assert len(both) >= 10 and len(both) > len(accepted) / 2, "another look missed most of the same"
        assert accept or large
        last_missing = frozenset() if accept else last_missing or missing
        if not accept and held is not None:
            last_missing = held.missing
        accepted = accepted - missing if accept else accepted


@LAWS
@given(policies(), steps(), steps())
def test_restart_from_persisted_state_equals_no_restart(
    policy: TrafficPolicy, before: list[Step], after: list[Step]
) -> None:
    stayed, restarted = played(policy, before), played(policy, before)
    entries = state.dump(restarted.snapshot, restarted.probes)
    restarted.snapshot, restarted.probes = state.load((k, v) for k, v in entries.items() if v is not None)
    restarted.turn(None)
    stayed.turn(None)
    assert restarted.snapshot.services == stayed.snapshot.services
    for step in after:
        stayed.play(step)
        restarted.play(step)
    assert restarted.snapshot.services == stayed.snapshot.services
    assert restarted.snapshot.wakes == stayed.snapshot.wakes


@LAWS
@given(policies(), steps())
def test_an_incremental_turn_equals_a_whole_one(policy: TrafficPolicy, history: list[Step]) -> None:
    one, all_at_once = Fleet(policy), Fleet(policy)
    for step in history:
        one.play(step)
        all_at_once.advance(step.wait)
        all_at_once.tell(step)
        all_at_once.turn(None)
    assert [v.state for v in one.verdicts()] == [v.state for v in all_at_once.verdicts()]
    assert one.snapshot.wakes == all_at_once.snapshot.wakes


@LAWS
@given(policies(), steps(), st.integers(1, 60), st.integers(0, 240))
def test_the_ttl_stays_in_its_bounds(policy: TrafficPolicy, history: list[Step], low: int, more: int) -> None:
    bounds = structs.replace(policy.ttl, min=low, max=low + more)
    fleet = played(structs.replace(policy, ttl=bounds), history)
    assert low <= selection.ttl(fleet.service, fleet.now) <= low + more
    changes = [shard.next_change for shard in fleet.service.shards]
    assert selection.ttl(fleet.service, fleet.now) <= max(
        low, min((c for c in changes if c is not None), default=inf)
    )
