"""Merging: what is shared, what is touched, what wakes up, what stays of services that are gone."""

from math import inf

import pytest
from msgspec import structs

from fedns.model import assemble, health, selection
from fedns.model.assemble import World
from fedns.model.facts import (
    Hostname,
    MemberFacts,
    NodeZone,
    Order,
    Passive,
    Port,
    ProbeCount,
    ShardFacts,
    ZoneReadiness,
)
from fedns.model.policy import ProbeSpec, TrafficPolicy
from fedns.model.snapshot import Snapshot

READY = (ZoneReadiness("eu-1", 2, 2, 0, 2),)
WEB, API = ShardFacts(("198.51.100.1",), readiness=READY), ShardFacts(("198.51.100.2",), readiness=READY)


def member(name: str, shards: dict[str, ShardFacts], region: str = "eu", read_at: float = 1.0) -> MemberFacts:
    return MemberFacts(name, region, ("eu-1",), {}, shards, (), "reachable", 1.0, read_at)


def world(*members: MemberFacts, **rest: object) -> World:
    return World({facts.name: facts for facts in members}, **rest)  # type: ignore[arg-type]


TWO = world(member("a", {"n/web": WEB, "n/api": API}), member("b", {"n/web": WEB}))


def first(facts: World = TWO, now: float = 10.0) -> Snapshot:
    return assemble.assemble(Snapshot(), facts, None, now)


def test_shards_are_merged_by_service_and_sorted() -> None:
    services = first(world(*reversed(TWO.members.values()))).services
    assert [shard.member for shard in services["n/web"].shards] == ["a", "b"]
    assert [shard.member for shard in services["n/api"].shards] == ["a"]


def test_untouched_services_are_shared_and_equal_ones_keep_the_old_object() -> None:
    before = first()
    same = assemble.assemble(before, TWO, None, 20.0)
    assert same.touched == frozenset() and same.services is before.services and same.members is before.members
    changed = member("a", {"n/web": structs.replace(WEB, readiness=()), "n/api": API})
    after = assemble.assemble(before, world(changed, TWO.members["b"]), frozenset({"n/web"}), 20.0)
    assert after.touched == {"n/web"} and after.services["n/api"] is before.services["n/api"]
    assert before.services["n/web"].shards[0].verdict.state == "healthy", "the past stays as it was"


def test_a_moved_member_touches_everything_and_rebuilds_its_own() -> None:
    moved = world(TWO.members["a"], member("b", {"n/web": WEB}, region="us"))
    after = assemble.assemble(first(), moved, frozenset(), 20.0)
    assert after.touched is None
    assert [shard.region for shard in after.services["n/web"].shards] == ["eu", "us"]


def test_a_member_that_left_takes_its_shards_along() -> None:
    after = assemble.assemble(first(), world(TWO.members["b"]), frozenset(), 20.0)
    assert after.touched is None and after.services.keys() == {"n/web"}


def test_nodes_that_fail_degrade_the_whole_member_without_being_named() -> None:
    sick = structs.replace(TWO.members["a"], nodes=(NodeZone("eu-1", 0, 3),))
    after = assemble.assemble(first(), world(sick, TWO.members["b"]), frozenset(), 20.0)
    assert after.touched == {"n/web", "n/api"}
    assert [shard.verdict.state for shard in after.services["n/web"].shards] == ["degraded", "healthy"]


def test_an_unheard_member_keeps_the_shards_it_was_last_known_with() -> None:
    silent = member("a", {}, region="", read_at=0.0)
    after = assemble.assemble(first(), world(silent, TWO.members["b"]), None, 20.0)
    assert after.services.keys() == {"n/web", "n/api"} and after.touched == frozenset()
    assert (after.members["a"].region, after.members["a"].read_at) == ("eu", 1.0)


@pytest.mark.parametrize(("seconds", "gone_at"), [(0.0, 20.0), (60.0, 80.0), (inf, None)])
def test_a_service_that_nobody_declares_stays_as_a_tombstone(seconds: float, gone_at: float | None) -> None:
    without = world(member("a", {"n/web": WEB}), TWO.members["b"], tombstone=seconds)
    after = assemble.assemble(first(), without, frozenset({"n/api"}), 20.0)
    if seconds == 0:
        assert "n/api" not in after.services and after.touched == {"n/api"}
        return
    assert after.services["n/api"].shards == () and after.services["n/api"].tombstone == 20.0
    assert after.wake_at == gone_at
    if gone_at is not None:
        assert assemble.due(after, gone_at - 1) == frozenset() and assemble.due(after, gone_at) == {"n/api"}
        last = assemble.assemble(after, without, assemble.due(after, gone_at), gone_at)
        assert "n/api" not in last.services and last.wake_at is None


def test_a_tombstone_ends_when_the_service_is_declared_again() -> None:
    without = world(member("a", {"n/web": WEB}), TWO.members["b"], tombstone=60.0)
    dead = assemble.assemble(first(), without, frozenset({"n/api"}), 20.0)
    alive = assemble.assemble(dead, TWO, frozenset({"n/api"}), 30.0)
    assert alive.services["n/api"].tombstone is None and alive.wake_at is None


def test_orders_wake_up_what_they_rule_when_they_expire() -> None:
    orders = (Order("a", "drain", 10.0, 50.0), Order("b/n/web", "down", 10.0, 40.0))
    ruled = structs.replace(TWO, orders=orders)
    keys = assemble.affected(first(), (), orders)
    assert keys == {"n/web", "n/api"}
    drained = assemble.assemble(first(), ruled, keys, 20.0)
    assert drained.wakes == {"n/web": 40.0, "n/api": 50.0} and drained.wake_at == 40.0
    after = assemble.assemble(drained, ruled, assemble.due(drained, 40.0), 40.0)
    assert [shard.verdict.state for shard in after.services["n/web"].shards] == ["draining", "healthy"]
    assert after.wakes == {"n/web": 50.0, "n/api": 50.0}


@pytest.mark.parametrize(
    ("target", "keys"),
    [
        ("a/n/api", {"n/api"}),
        ("b", {"n/web"}),
        ("region:eu", None),
        ("zone:eu-1", None),
        ("region:us", set()),
        ("nobody", set()),
    ],
)
def test_services_that_a_change_of_orders_touches(target: str, keys: set[str] | None) -> None:
    assert assemble.affected(first(), (), (Order(target, "drain", 1.0),)) == keys
    assert assemble.affected(first(), (Order(target, "drain", 1.0),), ()) == keys


def test_old_passive_evidence_wakes_its_service() -> None:
    failing = structs.replace(TWO, passive={("a", "n/web"): Passive(100, 90, 20.0)})
    down = assemble.assemble(first(), failing, frozenset({"n/web"}), 20.0)
    assert down.wake_at == 80.0 and down.services["n/web"].shards[0].verdict.state == "unhealthy"
    after = assemble.assemble(down, failing, assemble.due(down, 80.0), 80.0)
    assert after.services["n/web"].shards[0].verdict.state == "healthy" and after.wake_at is None


def test_a_held_change_wakes_its_service() -> None:
    probing = structs.replace(TWO, defaults=TrafficPolicy(probe=ProbeSpec()))
    now = first(probing)
    for at, up in ((20.0, False), (21.0, True), (22.0, False)):
        probe = health.count(ProbeCount(), up, "refused", ProbeSpec(), at)
        probing = structs.replace(probing, probes={("a", "n/web"): probe})
        now = assemble.assemble(now, probing, frozenset({"n/web"}), at)
    assert now.services["n/web"].shards[0].verdict.held_until == 51.0
    assert now.services["n/web"].shards[0].next_change == 29.0
    told, at = [], 22.0
    while now.services["n/web"].shards[0].verdict.pending:
        told.append((at, selection.ttl(now.services["n/web"], at)))
        assert now.wake_at is not None and now.wake_at > at
        at = now.wake_at
        now = assemble.assemble(now, probing, assemble.due(now, at), at)
    assert told == [(22.0, 29), (36.0, 15), (43.5, 7)], (
        "a TTL that was told early does not outlast the hold for long"
    )
    assert at == 51.0 and now.services["n/web"].shards[0].verdict.state == "unhealthy"


def test_hostnames_resolve_to_addresses_and_compat_forgets_them() -> None:
    hosted = ShardFacts(("198.51.100.9",), ("lb.example.net", "gone.example.net"), readiness=READY)
    resolved = {"lb.example.net": Hostname(("198.51.100.1", "198.51.100.9"), 1.0)}
    shard = first(world(member("a", {"n/s": hosted}), hostnames=resolved)).services["n/s"].shards[0]
    assert shard.addresses == ("198.51.100.1", "198.51.100.9") and shard.facts.hostnames
    unresolved = ShardFacts((), ("lb.example.net",), readiness=READY)
    for compat, serves in ((False, 1), (True, 0)):
        service = first(world(member("a", {"n/s": unresolved}), hostname_compat=compat)).services["n/s"]
        assert len(selection.serving(service)) == serves


@pytest.mark.parametrize("compat", [True, False])
def test_what_hostnames_resolved_to_before_a_restart_stays_until_they_resolve_again(compat: bool) -> None:
    name, facts = "lb.example.net", ShardFacts(("192.0.2.1",), ("lb.example.net",), readiness=READY)
    known = world(member("a", {"n/s": facts}), hostname_compat=compat)
    found = {name: Hostname(("198.51.100.1",), 1.0)}
    snapshot = first(structs.replace(known, hostnames=found))
    for hostnames in ({}, {name: Hostname((), 0.0, "no answer in time")}):
        after = assemble.assemble(snapshot, structs.replace(known, hostnames=hostnames), None, 20.0)
        assert after.services["n/s"].shards[0].addresses == ("192.0.2.1", "198.51.100.1")
    found = {name: Hostname(("198.51.100.2",), 21.0)}
    after = assemble.assemble(snapshot, structs.replace(known, hostnames=found), None, 30.0)
    assert after.services["n/s"].shards[0].addresses == ("192.0.2.1", "198.51.100.2")


def test_policies_by_service_then_for_all_then_defaults() -> None:
    one, every = TrafficPolicy(min_ready=5), TrafficPolicy(min_ready=6)
    services = first(structs.replace(TWO, policies={"n/web": one, "*": every})).services
    assert (services["n/web"].policy, services["n/api"].policy) == (one, every)


def test_ports_of_all_shards_are_offered_and_the_first_member_wins() -> None:
    ours = ShardFacts(("198.51.100.1",), ports=(Port("http", "tcp", 80),))
    theirs = ShardFacts(("198.51.100.2",), ports=(Port("dns", "udp", 53), Port("http", "tcp", 8080)))
    service = first(world(member("a", {"n/s": ours}), member("b", {"n/s": theirs}))).services["n/s"]
    assert service.ports == (Port("dns", "udp", 53), Port("http", "tcp", 80))


def test_a_shard_that_is_parting_is_left_unless_an_operator_says_otherwise() -> None:
    parting = structs.replace(WEB, parting=5.0)
    said = world(member("a", {"n/web": parting}), TWO.members["b"])
    after = assemble.assemble(first(), said, frozenset({"n/web"}), 20.0)
    verdict = after.services["n/web"].shards[0].verdict
    assert (verdict.state, verdict.reason) == ("draining", health.PARTING)
    assert [one.member for one in selection.serving(after.services["n/web"])] == ["b"]
    forced = structs.replace(said, orders=(Order("a", "up", 6.0),))
    again = assemble.assemble(after, forced, frozenset({"n/web"}), 30.0)
    assert again.services["n/web"].shards[0].verdict.state == "healthy"
    stays = assemble.assemble(after, TWO, frozenset({"n/web"}), 30.0)
    assert stays.services["n/web"].shards[0].verdict.state == "healthy", "it is wanted again"
