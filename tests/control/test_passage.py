"""Ingresses and a snapshot become entries of the gateway's tables, and no more of them than differ."""

from msgspec import structs

from fedns import portal
from fedns.control import passage
from fedns.gateway import route
from fedns.model import facts, selection, snapshot
from fedns.model.ingress import Said
from fedns.model.policy import TrafficPolicy
from tests.gateway.ingresses import NS, ingress, one, path

KEY = f"{NS}/web"


def shard(member: str, *ready: str) -> snapshot.Shard:
    told = tuple(facts.Endpoint(address, (("http", 8080),)) for address in ready)
    rows = (facts.ZoneReadiness("", len(ready), len(ready), 0, len(ready)),)
    known = facts.ShardFacts(("192.0.2.1",), (), (facts.Port("http", "tcp", 80),), rows, told)
    return snapshot.Shard(member, "", (), known, ("192.0.2.1",), snapshot.Verdict("healthy"))


def fleet(*shards: snapshot.Shard) -> snapshot.Snapshot:
    ports = (facts.Port("http", "tcp", 80),)
    members = {
        each.member: snapshot.Member(each.member, "", (), {}, (), "reachable", 0.0, 0.0) for each in shards
    }
    service = snapshot.Service(NS, "web", TrafficPolicy(), shards, ports)
    return snapshot.Snapshot(1.0, members, {KEY: service})


def said(host: str) -> Said:
    return Said((ingress("web", one(host, path("/", "web"))),))


def members(entry: bytes | None) -> set[str]:
    assert entry is not None
    return {part.member for tier in route.pool(entry).tiers for part in tier.parts}


def test_everything_at_first_then_pools_of_touched_services_alone() -> None:
    made = passage.Passage(lambda: [(route.SERVICE + b"old", b""), (b"terms", b"")])
    assert made.compile(said("a.example"))
    assert made.named == {KEY}
    world = fleet(shard("east", "10.0.0.1"), shard("west", "10.1.0.1"))
    first = made.entries(world, frozenset(), 1.0)
    pool = next(key for key, value in first.items() if value and key.startswith(route.SERVICE))
    assert members(first[pool]) == {"east", "west"}
    assert first[route.SERVICE + b"old"] is None and b"terms" not in first
    assert made.entries(world, frozenset(), 1.0) == first  # it was not published
    made.published()
    assert made.entries(world, frozenset({"else/where"}), 2.0) == {}
    made.published()
    less = made.entries(fleet(shard("east"), shard("west", "10.1.0.1")), frozenset({KEY}), 3.0)
    assert less.keys() == {pool} and members(less[pool]) == {"west"}


def test_a_route_to_nothing_is_a_problem_until_it_leads_somewhere() -> None:
    made = passage.Passage(lambda: ())
    made.compile(said("a.example"))
    made.entries(snapshot.Snapshot(), None, 1.0)
    assert "is in no member" in str(made.problems)
    made.entries(fleet(shard("east", "10.0.0.1")), None, 1.0)
    assert made.problems == ()


def test_a_level_that_came_back_rests_over_a_restart() -> None:
    notes = {"fedns.io/clusters": "east;west", "fedns.io/failback": "60s"}
    told = Said((ingress("web", one("a.example", path("/", "web")), annotations=notes),))
    both = fleet(shard("east", "10.0.0.1"), shard("west", "10.1.0.1"))
    saved: dict[bytes, bytes | None] = {}
    serving = []
    for now, world in ((1.0, both), (2.0, fleet(shard("west", "10.1.0.1"))), (3.0, both), (63.0, both)):
        made = passage.Passage(lambda: ())
        made.restore((key, value) for key, value in saved.items() if value is not None)
        made.compile(told)
        entries = made.entries(world, None, now)
        saved |= made.unsaved
        made.published()
        pool = next(
            route.pool(value) for key, value in entries.items() if value and key.startswith(route.SERVICE)
        )
        serving.append((pool.tiers[0].parts[0].member, made.wake_at))
    assert serving == [("east", None), ("west", None), ("west", 63.0), ("east", None)]


PLACES = (selection.Place(), selection.Place("eu", "eu-1", ("us",)), selection.Place("us", "us-1", ("eu",)))


def near(home: portal.Place, *regions: str) -> tuple[set[str], str]:
    """Who is in the first tier of a pool by nearness, and the problems."""
    shards = tuple(
        structs.replace(shard(region, f"10.0.0.{at}"), region=region) for at, region in enumerate(regions, 1)
    )
    plain = fleet(*shards)
    service = structs.replace(plain.services[KEY], policy=TrafficPolicy(strategy="Nearest"))
    members = {name: structs.replace(each, region=name) for name, each in plain.members.items()}
    world = structs.replace(plain, services={KEY: service}, members=members)
    made = passage.Passage(lambda: (), home)
    made.compile(said("a.example"))
    made.stand(PLACES, world.members)
    entries = made.entries(world, None, 1.0)
    (raw,) = [value for key, value in entries.items() if key.startswith(route.SERVICE) and value]
    first = route.pool(raw).tiers[0]
    return {part.member for part in first.parts}, "; ".join(map(str, made.problems))


def test_policies_by_nearness_go_by_where_the_gateway_is() -> None:
    assert near(portal.Place(), "eu", "us") == ({"eu", "us"}, "")
    assert near(portal.Place(region="us"), "eu", "us") == ({"us"}, "")
    assert near(portal.Place(region="eu", zone="eu-9"), "eu", "us") == ({"eu"}, "")
    assert near(portal.Place(member="us"), "eu", "us") == ({"us"}, "")
    assert near(portal.Place(member="us", region="eu"), "eu", "us") == ({"us"}, "")
    assert near(portal.Place(region="us"), "eu", "asia") == ({"eu"}, "")
    members, problems = near(portal.Place(member="mars"), "eu", "us")
    assert members == {"eu", "us"} and "the gateway is nowhere: no member is mars" in problems


def test_the_gateway_inside_a_member_goes_there_first_then_to_its_neighbours() -> None:
    shards = tuple(
        structs.replace(shard(name, "10.0.0.1"), region="eu") for name in ("east", "north", "west")
    )
    plain = fleet(*shards)
    service = structs.replace(plain.services[KEY], policy=TrafficPolicy(strategy="Nearest"))
    members = {name: structs.replace(each, region="eu") for name, each in plain.members.items()}
    world = structs.replace(plain, services={KEY: service}, members=members)
    made = passage.Passage(lambda: (), portal.Place(member="north"))
    made.compile(said("a.example"))
    made.stand(PLACES, world.members)
    assert made.place == ("eu", "", ("us",), "north")
    entries = made.entries(world, None, 1.0)
    (raw,) = [value for key, value in entries.items() if key.startswith(route.SERVICE) and value]
    tiers = [{part.member for part in tier.parts} for tier in route.pool(raw).tiers]
    assert tiers == [{"north"}, {"east", "west"}]


def test_a_place_that_changes_makes_pools_anew() -> None:
    made = passage.Passage(lambda: (), portal.Place(member="east"))
    made.compile(said("a.example"))
    world = fleet(shard("east", "10.0.0.1"))
    made.stand((), {})
    made.entries(world, None, 1.0)
    made.published()
    assert made.entries(world, frozenset(), 2.0) == {}
    made.published()
    east = structs.replace(world.members["east"], region="eu")
    made.stand(PLACES, {"east": east})
    assert made.entries(world, frozenset(), 3.0)
