"""Cases of the selection law, one by one."""

from collections.abc import Mapping

import pytest
from msgspec import structs

from fedns.model import selection
from fedns.model.facts import Endpoint, ShardFacts, ZoneReadiness
from fedns.model.policy import TrafficPolicy, Ttl
from fedns.model.selection import GLOBAL, Level, Place
from fedns.model.snapshot import Service, Shard, Verdict

PLAIN = TrafficPolicy()
ZONES = {"a": ("eu", ("eu-1",)), "b": ("eu", ("eu-1", "eu-2")), "c": ("us", ("us-1",))}


def shard(member: str, state: str = "healthy", ready: int = 2, total: int = 2, zone: str = "") -> Shard:
    region, zones = ZONES[member]
    address = (f"198.51.100.{ord(member)}",)
    counts = ZoneReadiness(zone or zones[0], ready, ready, 0, total)
    verdict = Verdict(state, "because", 1.0)  # type: ignore[arg-type]
    return Shard(member, region, zones, ShardFacts(address, readiness=(counts,)), address, verdict)


def lost(member: str, since: float, ordered: bool = False) -> Shard:
    verdict = Verdict("unhealthy", "x", since, ordered=ordered, was_good=True)
    return structs.replace(shard(member), verdict=verdict)


def service(*shards: Shard, policy: TrafficPolicy = PLAIN) -> Service:
    last_good = selection.last_good(shards)
    return Service("ns", "s", policy, shards, (), last_good)


def loads(chosen: selection.Selection) -> list[tuple[float, Mapping[str, float]]]:
    return [
        (round(tier.load, 3), {share.member: round(share.share, 3) for share in tier.shares})
        for tier in chosen.tiers
    ]


ALL = (shard("a", ready=3), shard("b", ready=1), shard("c", ready=4))
HALF = (shard("a", ready=2, total=4), shard("b", ready=1, total=4), shard("c", ready=4, total=4))


@pytest.mark.parametrize(
    ("shards", "policy", "place", "expected"),
    [
        (ALL, TrafficPolicy(), None, [(1, {"a": 0.375, "b": 0.125, "c": 0.5})]),
        (
            ALL,
            TrafficPolicy("Weighted", weights={"a": 3, "b": 1}),
            None,
            [(1, {"a": 0.75, "b": 0.25}), (0, {"c": 1})],
        ),
        (
            (shard("a", "unhealthy"), shard("b"), shard("c")),
            TrafficPolicy("Weighted", weights={"a": 3, "b": 0}),
            None,
            [(1, {"b": 0.5, "c": 0.5})],
        ),
        (ALL, TrafficPolicy("Weighted"), None, [(1, {"a": 0.333, "b": 0.333, "c": 0.333})]),
        (
            ALL,
            TrafficPolicy("PrimarySecondary", ("c", "a")),
            None,
            [(1, {"c": 1}), (0, {"a": 1}), (0, {"b": 1})],
        ),
        (
            (shard("a"), shard("b"), shard("c", "unhealthy")),
            TrafficPolicy("PrimarySecondary", ("c", "a")),
            None,
            [(1, {"a": 1}), (0, {"b": 1})],
        ),
        (
            HALF,
            TrafficPolicy("PrimarySecondary", ("a", "b", "c"), spill=True),
            None,
            [(0.7, {"a": 1}), (0.3, {"b": 1}), (0, {"c": 1})],
        ),
        (
            HALF[1:],
            TrafficPolicy("PrimarySecondary", ("b", "c"), spill=True),
            None,
            [(0.35, {"b": 1}), (0.65, {"c": 1})],
        ),
        (HALF[1:2], TrafficPolicy("PrimarySecondary", ("b",), spill=True), None, [(1, {"b": 1})]),
        (ALL, TrafficPolicy("Nearest"), Place("us", "us-9"), [(1, {"c": 1}), (0, {"a": 0.75, "b": 0.25})]),
        (ALL, TrafficPolicy("Nearest"), Place("eu", "eu-1"), [(1, {"a": 0.75, "b": 0.25}), (0, {"c": 1})]),
        (
            ALL,
            TrafficPolicy("Nearest"),
            Place("eu", "eu-1", (), "b"),
            [(1, {"b": 1}), (0, {"a": 1}), (0, {"c": 1})],
        ),
        (ALL, TrafficPolicy("Nearest"), Place(member="b"), [(1, {"b": 1}), (0, {"a": 0.429, "c": 0.571})]),
        (ALL, TrafficPolicy("Nearest"), None, [(1, {"a": 0.375, "b": 0.125, "c": 0.5})]),
    ],
)
def test_strategies(
    shards: tuple[Shard, ...], policy: TrafficPolicy, place: Place | None, expected: list[object]
) -> None:
    assert loads(selection.select(service(*shards, policy=policy), place, 9.0)) == expected


LEVELS = [
    (GLOBAL, ["a", "b", "c"]),
    (Level("eu"), ["a", "b"]),
    (Level("eu", "eu-1"), ["a"]),  # b has its endpoints in eu-2
    (Level("", "eu-2"), ["b"]),
    (Level("us", "eu-1"), []),
]


@pytest.mark.parametrize(("where", "members"), LEVELS)
def test_levels_tell_who_answers_and_why_not_the_others(where: Level, members: list[str]) -> None:
    standing = selection.level(service(shard("a"), shard("b", zone="eu-2"), shard("c")), where, 9.0)
    assert [each.member for each in standing.shards] == members
    assert sorted(members + [each.member for each in standing.excluded]) == ["a", "b", "c"]
    assert all(each.reason for each in standing.excluded)


def test_a_narrow_level_without_an_able_shard_leads_up() -> None:
    chosen = selection.select(service(shard("a"), shard("c", "unhealthy")), None, 9.0, Level("us"))
    assert not chosen.tiers and not chosen.fail_open


def test_reasons() -> None:
    held = structs.replace(
        shard("a", "unhealthy"), verdict=Verdict("unhealthy", "x", 1.0, 39.0, 2, "healthy")
    )
    bare = structs.replace(shard("c"), addresses=(), facts=ShardFacts())
    shut = structs.replace(shard("b"), shut=("eu-1",))
    told = selection.level(service(held, shut, bare), Level(), 9.0).excluded
    assert [each.reason for each in told] == [
        "it is unhealthy: x; it flapped, so healthy waits 30 s more",
        "it has no address",
    ]
    zone = selection.level(service(shut), Level("eu", "eu-1"), 9.0).excluded
    assert zone[0].reason == "an operator took zone eu-1 out"


def test_draining_serves_only_when_nothing_else_can() -> None:
    draining = shard("a", "draining")
    assert [s.member for s in selection.serving(service(draining, shard("b")))] == ["b"]
    assert [s.member for s in selection.serving(service(draining, shard("b", "unhealthy")))] == ["a"]


@pytest.mark.parametrize(
    ("policy", "fail_open", "tiers"),
    [
        (TrafficPolicy(), "open", [(1, {"a": 1})]),
        (TrafficPolicy(on_all_unhealthy="closed"), "closed", []),
        (TrafficPolicy(on_all_unhealthy="backup", backup=("192.0.2.1",)), "backup", []),
    ],
)
def test_the_last_resort(policy: TrafficPolicy, fail_open: str, tiers: list[object]) -> None:
    down = service(lost("a", 1.0), shard("b", "unhealthy"), policy=policy)
    chosen = selection.select(down, None, 9.0)
    assert (chosen.fail_open, loads(chosen)) == (fail_open, tiers)


def test_failing_open_keeps_to_the_strategy() -> None:
    both = lost("a", 1.0), lost("b", 1.0)
    ordered = TrafficPolicy("PrimarySecondary", order=("b", "a"))
    weighted = TrafficPolicy("Weighted", weights={"a": 1, "b": 0})
    for policy, first in ((ordered, "b"), (weighted, "a")):
        chosen = selection.select(service(*both, policy=policy), None, 9.0)
        assert chosen.fail_open == "open"
        assert [dict(tier.shares) for tier in chosen.tiers if tier.load] == [{first: 1.0}]


def test_what_was_never_good_is_not_failed_open_to() -> None:
    assert not selection.select(service(shard("a", "unhealthy")), None, 9.0).tiers


def test_the_last_good_set_is_what_was_lost_together_last() -> None:
    assert selection.last_good([lost("a", 100), lost("b", 190), lost("c", 200)]) == ("b", "c")
    assert selection.last_good([lost("a", 100), lost("b", 200, True)]) == ("a",)
    assert selection.last_good([lost("b", 200, True)]) == ("b",)


@pytest.mark.parametrize(
    ("changes", "down", "bounds", "expected"),
    [
        ((None,), False, Ttl(5, 30), 30),
        ((15.0, None), False, Ttl(5, 30), 15),
        ((15.0, 10.0), True, Ttl(5, 30), 5),
        ((None,), True, Ttl(5, 30), 15),
        ((1.0,), True, Ttl(5, 30), 5),
        ((400.0,), False, Ttl(5, 30), 30),
        ((15.0,), True, Ttl(180, 180), 180),
    ],
)
def test_ttl(changes: tuple[float | None, ...], down: bool, bounds: Ttl, expected: int) -> None:
    shards = [
        structs.replace(shard(name), next_change=each) for name, each in zip("ab", changes, strict=False)
    ]
    shards += [shard("c", "unhealthy")] if down else []
    assert selection.ttl(service(*shards, policy=TrafficPolicy(ttl=bounds)), 9.0) == expected


def test_who_is_reached_at_endpoints_alone_is_remembered_too() -> None:
    """A Service without addresses is nothing to DNS; a gateway fails open to its endpoints all the same."""
    told = (Endpoint("10.0.0.1", (("http", 80),)),)
    inside = structs.replace(shard("b"), addresses=(), facts=ShardFacts((), endpoints=told))
    assert not selection.candidate(inside) and selection.candidate(selection.reached(inside))
    assert selection.last_good((shard("a"), inside)) == ("a", "b")
    down = structs.replace(inside, verdict=lost("b", 5.0).verdict)
    assert selection.last_good((down,)) == ("b",)
    assert selection.select(structs.replace(service(inside), last_good=("b",)), None, 0.0).tiers == ()
    assert selection.reached(shard("a")) == shard("a")
