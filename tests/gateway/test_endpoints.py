"""Pools from judged services: the members that DNS would give, as endpoints."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from fedns.gateway import endpoints, failback
from fedns.gateway.choice import CLUSTER, Choice
from fedns.gateway.endpoints import Wanted
from fedns.gateway.route import Pool
from fedns.model import selection
from fedns.model.facts import Endpoint, Port, ShardFacts, ZoneReadiness
from fedns.model.policy import TrafficPolicy
from fedns.model.snapshot import Member, Service, Shard, Snapshot, State, Verdict

HTTP = (("http", 8080),)


def shard(member: str, ready: int, state: State = "healthy", told: bool = True, **more: bool) -> Shard:
    found = tuple(Endpoint(f"10.{len(member)}.0.{n}", HTTP, **more) for n in range(ready))
    facts = ShardFacts(
        ("192.0.2.1",),
        ports=(Port("http", "tcp", 80),),
        readiness=(ZoneReadiness("", ready, ready, 0, ready),),
        endpoints=found if told else None,
    )
    return Shard(member, "r", ("z",), facts, facts.addresses, Verdict(state))


def service(*shards: Shard, **policy: object) -> Service:
    return Service("shop", "web", TrafficPolicy(**policy), shards, ())  # type: ignore[arg-type]


def made(wanted: Wanted, judged: Service | None) -> Pool:
    return endpoints.pool(wanted, endpoints.Seen(judged), 0.0).pool


def test_shares_follow_ready_endpoints() -> None:
    pool = made(Wanted(b"k", "shop/web", "80"), service(shard("a", 3), shard("bb", 1)))
    assert [(part.member, part.share, len(part.endpoints)) for part in pool.tiers[0].parts] == [
        ("a", 0.75, 3),
        ("bb", 0.25, 1),
    ]
    only = pool.tiers[0].parts[1].endpoints[0]
    assert (only.address, only.port, only.member) == ("10.2.0.0", 8080, "bb")


def test_members_are_those_of_the_selection() -> None:
    judged = service(
        shard("a", 2),
        shard("bb", 2, "unhealthy"),
        shard("ccc", 2),
        strategy="PrimarySecondary",
        order=("ccc",),
    )
    pool = made(Wanted(b"k", "shop/web", "http"), judged)
    chosen = selection.select(judged, None, 0.0)
    assert [[part.member for part in tier.parts] for tier in pool.tiers] == [["ccc"], ["a"]]
    assert [(tier.load, [s.member for s in tier.shares]) for tier in chosen.tiers] == [
        (1.0, ["ccc"]),
        (0.0, ["a"]),
    ]


def test_a_member_that_tells_no_endpoints_serves_at_its_addresses() -> None:
    pool = made(Wanted(b"k", "shop/web", "80"), service(shard("a", 2, told=False)))
    assert [(each.address, each.port) for each in pool.tiers[0].parts[0].endpoints] == [("192.0.2.1", 80)]


def test_a_service_without_addresses_is_reached_at_its_endpoints() -> None:
    bare = shard("a", 2)
    bare = Shard(
        "a", "r", ("z",), ShardFacts((), (), bare.facts.ports, None, bare.facts.endpoints), (), bare.verdict
    )
    assert not selection.select(service(bare), None, 0.0).tiers
    assert len(made(Wanted(b"k", "shop/web", ""), service(bare)).tiers[0].parts[0].endpoints) == 2


def test_ending_endpoints_serve_only_when_no_other_does() -> None:
    ending = Endpoint("10.0.0.9", HTTP, ready=False, serving=True, terminating=True)
    ready = shard("a", 1)
    facts = ShardFacts(("192.0.2.1",), (), ready.facts.ports, None, (*(ready.facts.endpoints or ()), ending))
    both = Shard("a", "r", ("z",), facts, facts.addresses, ready.verdict)
    assert [each.address for each in endpoints.endpoints(both, "80")] == ["10.1.0.0"]
    facts = ShardFacts(("192.0.2.1",), (), ready.facts.ports, None, (ending,))
    alone = Shard("a", "r", ("z",), facts, facts.addresses, ready.verdict)
    assert [each.address for each in endpoints.endpoints(alone, "80")] == ["10.0.0.9"]


def test_a_port_of_http_2_is_told() -> None:
    plain = shard("a", 1)
    facts = structs.replace(plain.facts, ports=(Port("http", "tcp", 80, h2c=True),))
    assert [each.h2c for each in endpoints.endpoints(plain, "80")] == [False]
    assert [each.h2c for each in endpoints.endpoints(structs.replace(plain, facts=facts), "80")] == [True]


def test_no_such_port_no_such_service() -> None:
    assert not made(Wanted(b"k", "shop/web", "81"), service(shard("a", 1))).tiers
    assert not made(Wanted(b"k", "shop/web", "81"), None).tiers


def test_a_member_without_endpoints_leaves_its_share_to_the_others() -> None:
    empty = service(shard("a", 0), shard("bb", 2), strategy="Weighted", weights={"a": 3, "bb": 1})
    pool = made(Wanted(b"k", "shop/web", "80"), empty)
    assert [(part.member, part.share) for part in pool.tiers[0].parts] == [("bb", 1.0)]


def chosen(
    judged: Service, now: float = 0.0, held: failback.Held | None = None, **choice: object
) -> endpoints.Made:
    members = {
        each.member: Member(
            each.member, each.region, each.zones, {"tier": each.member[0]}, (), "reachable", 0.0, 0.0
        )
        for each in judged.shards
    }
    wanted = Wanted(b"k", "shop/web", "80", Choice(**choice))  # type: ignore[arg-type]
    return endpoints.pool(wanted, endpoints.Seen(judged, members), now, held)


def told(made: endpoints.Made) -> list[tuple[float, list[str]]]:
    return [(round(tier.load, 3), [part.member for part in tier.parts]) for tier in made.pool.tiers]


def test_levels_in_order_and_nobody_else() -> None:
    levels = (("ccc", "a"), ("bb",))
    full = service(shard("a", 2), shard("bb", 2), shard("ccc", 2), shard("dddd", 2))
    assert told(chosen(full, levels=levels)) == [(1.0, ["a", "ccc"]), (0.0, ["bb"])]
    lost = service(shard("a", 2, "unhealthy"), shard("bb", 2), shard("ccc", 0, "unhealthy"), shard("dddd", 2))
    assert told(chosen(lost, levels=levels)) == [(1.0, ["bb"])]


def test_weights_within_a_level() -> None:
    made = chosen(
        service(shard("a", 2), shard("bb", 2)), levels=(("a", "bb"),), weights=(("a", 3), ("bb", 1))
    )
    assert [(part.member, part.share) for part in made.pool.tiers[0].parts] == [("a", 0.75), ("bb", 0.25)]
    made = chosen(service(shard("a", 2), shard("bb", 2)), weights=(("a", 9), ("bb", 1)))
    assert [(part.member, part.share) for part in made.pool.tiers[0].parts] == [("a", 0.9), ("bb", 0.1)]


def partly(member: str, ready: int, total: int) -> Shard:
    whole = shard(member, ready)
    facts = structs.replace(whole.facts, readiness=(ZoneReadiness("", ready, ready, 0, total),))
    return structs.replace(whole, facts=facts)


def test_spill_is_strict_unless_told() -> None:
    half, levels = service(partly("a", 1, 2), shard("bb", 2)), (("a",), ("bb",))
    assert told(chosen(half, levels=levels)) == [(1.0, ["a"]), (0.0, ["bb"])]
    assert told(chosen(half, levels=levels, spill=100)) == [(0.5, ["a"]), (0.5, ["bb"])]
    assert told(chosen(half, levels=levels, spill=50)) == [(1.0, ["a"]), (0.0, ["bb"])]


def test_failback_waits_and_the_rested_level_is_first_in_reserve() -> None:
    levels = (("a",), ("bb",))
    up, down = service(shard("a", 2), shard("bb", 2)), service(shard("a", 2, "unhealthy"), shard("bb", 2))
    made = chosen(up, 0.0, None, levels=levels, failback=30.0)
    made = chosen(down, 1.0, made.held, levels=levels, failback=30.0)
    assert told(made) == [(1.0, ["bb"])]
    made = chosen(up, 2.0, made.held, levels=levels, failback=30.0)
    assert told(made) == [(1.0, ["bb"]), (0.0, ["a"])] and made.wake == 32.0
    made = chosen(up, 32.0, made.held, levels=levels, failback=30.0)
    assert told(made) == [(1.0, ["a"]), (0.0, ["bb"])]


def test_failback_of_the_services_own_order() -> None:
    policy = {"strategy": "PrimarySecondary", "order": ("bb",)}
    up = service(shard("a", 2), shard("bb", 2), **policy)
    down = service(shard("a", 2), shard("bb", 2, "unhealthy"), **policy)
    made = chosen(down, 1.0, chosen(up, 0.0, failback=30.0).held, failback=30.0)
    assert told(chosen(up, 2.0, made.held, failback=30.0)) == [(1.0, ["a"]), (0.0, ["bb"])]


def test_a_level_needs_its_least() -> None:
    made = chosen(service(shard("a", 1), shard("bb", 3)), levels=(("a",), ("bb",)), least=2)
    assert told(made) == [(1.0, ["bb"]), (0.0, ["a"])]
    made = chosen(service(shard("a", 1), shard("bb", 1)), levels=(("a",), ("bb",)), least=2)
    assert told(made) == [(1.0, ["a"]), (0.0, ["bb"])]


def test_labels_narrow_unless_nobody_is_left() -> None:
    full = service(shard("a", 2), shard("bb", 2))
    assert told(chosen(full, labels=((CLUSTER, "bb"),))) == [(1.0, ["bb"])]
    assert told(chosen(full, labels=(("tier", "a"),))) == [(1.0, ["a"])]
    assert told(chosen(full, labels=((CLUSTER, "none"),))) == [(1.0, ["a", "bb"])]
    lost = service(shard("a", 2), shard("bb", 2, "unhealthy"))
    assert told(chosen(lost, labels=((CLUSTER, "bb"),))) == [(1.0, ["a"])]


def test_all_down_is_the_last_good_or_nothing() -> None:
    lost = structs.replace(
        service(shard("a", 2, "unhealthy"), shard("bb", 2, "unhealthy")), last_good=("bb",)
    )
    made = chosen(lost, levels=(("a",), ("bb",)))
    assert told(made) == [(1.0, ["bb"])] and made.pool.open
    closed = structs.replace(lost, policy=TrafficPolicy(on_all_unhealthy="closed"))
    assert told(chosen(closed, levels=(("a",), ("bb",)))) == []
    assert told(chosen(closed)) == []


def test_a_backup_outside_of_all_members() -> None:
    policy = TrafficPolicy(on_all_unhealthy="backup", backup=("192.0.2.99", "sorry.example.net"))
    lost = structs.replace(
        service(shard("a", 2, "unhealthy")), policy=policy, ports=(Port("http", "tcp", 80),)
    )
    for choice in ({}, {"levels": (("a",),)}):
        pool = chosen(lost, **choice).pool
        assert [(each.member, each.address, each.port) for each in pool.tiers[0].parts[0].endpoints] == [
            ("backup", "192.0.2.99", 80),
            ("backup", "sorry.example.net", 80),
        ]


def test_routes_to_nothing_are_told() -> None:
    member = Member("a", "eu", (), {"tier": "gold"}, (), "reachable", 0.0, 0.0)
    known = Snapshot(
        members={name: structs.replace(member, name=name) for name in ("a", "b")},
        services={"shop/web": structs.replace(service(shard("a", 1)), ports=(Port("http", "tcp", 80),))},
    )
    wanted = [
        Wanted(b"1", "shop/web", "81", where="x"),
        Wanted(b"2", "shop/none", "80", where="y"),
        Wanted(b"3", "shop/web", "http", Choice(levels=(("lost",),)), "z"),
        Wanted(b"4", "shop/web", "http", Choice(levels=(("a",), ("b",))), "secondary"),
        Wanted(b"5", "shop/web", "80", Choice(weights=(("a", 1), ("b", 1)), levels=(("b",),)), "weights"),
        Wanted(b"6", "shop/web", "80", Choice(labels=(("tier", "lead"),)), "labels"),
        Wanted(b"7", "shop/web", "80", Choice(labels=(("tier", "gold"),)), "fine"),
    ]
    never = "can never be reached"
    assert [(each.where, each.what) for each in endpoints.doubts(wanted, known)] == [
        ("x", "service shop/web has no port 81, but http 80"),
        ("y", "service shop/none is in no member"),
        ("z", f"cluster lost {never}: no member has that name"),
        ("secondary", f"cluster b {never}: shop/web is not there"),
        ("weights", f"cluster a {never}: it has a weight, and no level names it"),
        ("weights", f"cluster b {never}: shop/web is not there"),
        ("labels", "no member has the labels tier=lead: all serve"),
    ]


states: st.SearchStrategy[State] = st.sampled_from(
    ("unknown", "healthy", "degraded", "draining", "unhealthy")
)
shards = st.builds(shard, st.sampled_from(("a", "bb", "ccc")), st.integers(0, 3), states, st.booleans())


@given(
    st.lists(shards, min_size=1, max_size=3, unique_by=lambda each: each.member),
    st.sampled_from(("ActiveActive", "Weighted", "PrimarySecondary", "Nearest")),
)
def test_the_gateway_and_dns_agree_on_who_may_serve(given_shards: list[Shard], strategy: str) -> None:
    """Where members publish addresses, all who serve are those that DNS gives, in the same order."""
    judged = service(*sorted(given_shards, key=lambda each: each.member), strategy=strategy, order=("bb",))
    judged = structs.replace(judged, last_good=selection.last_good(judged.shards))
    dns = [tuple(share.member for share in tier.shares) for tier in selection.select(judged, None, 0.0).tiers]
    pool = made(Wanted(b"k", "shop/web", "80"), judged)
    gateway = [tuple(part.member for part in tier.parts) for tier in pool.tiers]
    able = {each.member for each in judged.shards if endpoints.endpoints(each, "80")}
    if all(each.facts.endpoints is None or each.facts.endpoints for each in judged.shards):
        assert gateway == [kept for kept in (tuple(m for m in tier if m in able) for tier in dns) if kept]
    assert {member for tier in gateway for member in tier} <= able
