"""Pools from judged services: the members that DNS would give, as endpoints."""

from fedns.gateway import endpoints
from fedns.gateway.endpoints import Wanted
from fedns.model import selection
from fedns.model.facts import Endpoint, Port, ShardFacts, ZoneReadiness
from fedns.model.policy import TrafficPolicy
from fedns.model.snapshot import Service, Shard, State, Verdict

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


def test_shares_follow_ready_endpoints() -> None:
    pool = endpoints.pool(Wanted(b"k", "shop/web", "80"), service(shard("a", 3), shard("bb", 1)), 0.0)
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
    pool = endpoints.pool(Wanted(b"k", "shop/web", "http"), judged, 0.0)
    chosen = selection.select(judged, None, 0.0)
    assert [[part.member for part in tier.parts] for tier in pool.tiers] == [["ccc"], ["a"]]
    assert [(tier.load, [s.member for s in tier.shares]) for tier in chosen.tiers] == [
        (1.0, ["ccc"]),
        (0.0, ["a"]),
    ]


def test_a_member_that_tells_no_endpoints_serves_at_its_addresses() -> None:
    pool = endpoints.pool(Wanted(b"k", "shop/web", "80"), service(shard("a", 2, told=False)), 0.0)
    assert [(each.address, each.port) for each in pool.tiers[0].parts[0].endpoints] == [("192.0.2.1", 80)]


def test_a_service_without_addresses_is_reached_at_its_endpoints() -> None:
    bare = shard("a", 2)
    bare = Shard(
        "a", "r", ("z",), ShardFacts((), (), bare.facts.ports, None, bare.facts.endpoints), (), bare.verdict
    )
    assert not selection.select(service(bare), None, 0.0).tiers
    assert (
        len(endpoints.pool(Wanted(b"k", "shop/web", ""), service(bare), 0.0).tiers[0].parts[0].endpoints) == 2
    )


def test_ending_endpoints_serve_only_when_no_other_does() -> None:
    ending = Endpoint("10.0.0.9", HTTP, ready=False, serving=True, terminating=True)
    ready = shard("a", 1)
    facts = ShardFacts(("192.0.2.1",), (), ready.facts.ports, None, (*(ready.facts.endpoints or ()), ending))
    both = Shard("a", "r", ("z",), facts, facts.addresses, ready.verdict)
    assert [each.address for each in endpoints.endpoints(both, "80")] == ["10.1.0.0"]
    facts = ShardFacts(("192.0.2.1",), (), ready.facts.ports, None, (ending,))
    alone = Shard("a", "r", ("z",), facts, facts.addresses, ready.verdict)
    assert [each.address for each in endpoints.endpoints(alone, "80")] == ["10.0.0.9"]


def test_no_such_port_no_such_service() -> None:
    assert not endpoints.pool(Wanted(b"k", "shop/web", "81"), service(shard("a", 1)), 0.0).tiers
    assert not endpoints.pool(Wanted(b"k", "shop/web", "81"), None, 0.0).tiers


def test_a_member_without_endpoints_leaves_its_share_to_the_others() -> None:
    empty = service(shard("a", 0), shard("bb", 2), strategy="Weighted", weights={"a": 3, "bb": 1})
    pool = endpoints.pool(Wanted(b"k", "shop/web", "80"), empty, 0.0)
    assert [(part.member, part.share) for part in pool.tiers[0].parts] == [("bb", 1.0)]
