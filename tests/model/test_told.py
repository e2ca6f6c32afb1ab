"""Judging only the shards that something was told of gives what judging their services whole gives."""

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct, structs

from fedns.model import assemble
from fedns.model.facts import MemberFacts, NodeZone, Order, ProbeCount, ShardFacts, ZoneReadiness
from fedns.model.policy import ProbeSpec, TrafficPolicy
from fedns.model.snapshot import Service, Snapshot
from tests.model.test_properties import LAWS

KEYS = ("n/api", "n/web")
ZONES = {"a": ("z1", "z2"), "b": ("z2",), "c": ("z3",)}
PROBED = TrafficPolicy(probe=ProbeSpec(fall=2, rise=2))
ORDERS = ("a", "b/n/web", "zone:z2", "region:eu")
WAITS = st.sampled_from([0.0, 0.5, 7.0, 40.0, 130.0])


class Step(Struct, frozen=True):
    """What happens `wait` seconds later; `how` many endpoints are ready (None: the shard is gone)."""

    wait: float
    kind: str
    member: str
    key: str
    how: int | None
    order: str


STEPS = st.lists(
    st.builds(
        Step,
        WAITS,
        st.sampled_from(["shard", "shard", "shard", "nodes", "member", "order", "policy", "probe", "time"]),
        st.sampled_from(sorted(ZONES)),
        st.sampled_from(KEYS),
        st.none() | st.integers(0, 3),
        st.sampled_from(ORDERS),
    ),
    max_size=25,
)


class Fleet:
    """Two services in three members, judged turn by turn."""

    def __init__(self) -> None:
        self.now, self.snapshot = 1_000_000.0, Snapshot()
        facts = {name: MemberFacts(name, "eu", zones, {}, {}) for name, zones in ZONES.items()}
        self.world = assemble.World(facts, tombstone=60.0)
        for name in ZONES:
            for key in KEYS:
                self.shard(name, key, 3)
        self.snapshot = assemble.assemble(self.snapshot, self.world, None, self.now)

    def _member(self, name: str, **fields: object) -> None:
        facts = self.world.members.get(name) or MemberFacts(name, "eu", ZONES[name], {}, {})
        facts = structs.replace(facts, read_at=self.now, **fields)  # type: ignore[arg-type]
        self.world = structs.replace(self.world, members={**self.world.members, name: facts})

    def shard(self, name: str, key: str, ready: int | None) -> None:
        known = self.world.members.get(name)
        shards = {each: facts for each, facts in (known.shards if known else {}).items() if each != key}
        if ready is not None:
            readiness = (ZoneReadiness(ZONES[name][-1], ready, ready, 0, 3),)
            shards[key] = ShardFacts((f"192.0.2.{ord(name)}",), readiness=readiness)
        self._member(name, shards=shards)

    def play(self, step: Step) -> tuple[frozenset[str], assemble.Told]:
        """The services touched, and what else was told."""
        self.now += step.wait
        due, world = assemble.due(self.snapshot, self.now), self.world
        if step.kind == "shard":
            self.shard(step.member, step.key, step.how)
            return due, assemble.Told({step.key: {step.member}})
        if step.kind == "nodes":
            self._member(step.member, nodes=(NodeZone(ZONES[step.member][0], step.how or 0, 3),))
        elif step.kind == "member":
            rest = {name: facts for name, facts in world.members.items() if name != step.member}
            self.world = structs.replace(world, members=rest)
        elif step.kind == "order":
            until = None if step.how is None else self.now + 20 * step.how
            self.world = structs.replace(world, orders=(Order(step.order, "drain", self.now, until),))
            return due.union(KEYS), assemble.NOTHING
        elif step.kind == "policy":
            self.world = structs.replace(world, policies={step.key: PROBED} if step.how else {})
            return due.union(KEYS), assemble.NOTHING
        elif step.kind == "probe":
            count = ProbeCount("up" if step.how else "down", 2, 2, "", self.now)
            probes = {**world.probes, (step.member, step.key): count}
            self.world = structs.replace(world, probes=probes)
            return due | {step.key}, assemble.NOTHING
        return due, assemble.NOTHING


def bare(services: Mapping[str, Service]) -> dict[str, Service]:
    """Without when evidence was last confirmed, which is told but judges nothing."""

    def shards(service: Service) -> Service:
        told = (
            structs.replace(
                shard,
                verdict=structs.replace(
                    shard.verdict,
                    evidence=tuple(structs.replace(each, at=0.0) for each in shard.verdict.evidence),
                ),
            )
            for shard in service.shards
        )
        return structs.replace(service, shards=tuple(told))

    return {key: shards(service) for key, service in services.items()}


@LAWS
@given(STEPS)
def test_what_was_told_is_enough(steps: list[Step]) -> None:
    fleet = Fleet()
    for step in steps:
        touched, told = fleet.play(step)
        before, now = fleet.snapshot, fleet.now
        whole = assemble.assemble(before, fleet.world, touched.union(told.shards), now)
        fleet.snapshot = assemble.assemble(before, fleet.world, touched, now, told)
        assert bare(fleet.snapshot.services) == bare(whole.services)
        assert fleet.snapshot.wakes == whole.wakes
        assert fleet.snapshot.members == whole.members


def test_a_member_that_is_heard_anew_is_judged_whole() -> None:
    fleet = Fleet()
    for key, ready in zip(KEYS, (None, 0), strict=True):
        fleet.now += 1.0
        fleet.shard("b", key, ready)
    after = assemble.assemble(
        fleet.snapshot, fleet.world, frozenset(), fleet.now, assemble.Told(members={"b"})
    )
    assert after == assemble.assemble(fleet.snapshot, fleet.world, None, fleet.now)
    assert after.services["n/web"].shards[0] is fleet.snapshot.services["n/web"].shards[0]


def test_a_shard_of_which_nothing_was_told_is_the_same_object() -> None:
    fleet = Fleet()
    touched, told = fleet.play(Step(10.0, "shard", "b", "n/web", 0, ""))
    after = assemble.assemble(fleet.snapshot, fleet.world, touched, fleet.now, told).services
    old, new = (services["n/web"].shards for services in (fleet.snapshot.services, after))
    assert [one is other for one, other in zip(old, new, strict=True)] == [True, False, True]
    assert after["n/api"] is fleet.snapshot.services["n/api"]
