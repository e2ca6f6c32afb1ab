"""Views tell a snapshot; ages are counted to the moment asked about."""

from pathlib import Path

from msgspec import structs

from fedns.control import views
from fedns.dns import explanation
from fedns.errors import Problem
from fedns.model import facts, policy, snapshot
from fedns.servers import counters, tally

NOW = 100.0


def shard(member: str, state: snapshot.State, since: float = 90.0) -> snapshot.Shard:
    readiness = (facts.ZoneReadiness("z1", 1, 1, 0, 2), facts.ZoneReadiness("z2", 1, 1, 0, 1))
    seen = snapshot.Evidence("probe", "up", "200", 98.0)
    return snapshot.Shard(
        member=member,
        region="r",
        zones=("z1", "z2"),
        facts=facts.ShardFacts(addresses=("192.0.2.1",), readiness=readiness),
        addresses=("192.0.2.1",),
        verdict=snapshot.Verdict(state, "because", since, evidence=(seen,)),
    )


NODES = (facts.NodeZone("z1", 1, 2),)
MEMBER = snapshot.Member("m1", "r", ("z1", "z2"), {}, NODES, "reachable", 1.0, 99.0)
SNAP = snapshot.Snapshot(
    at=NOW,
    members={"m1": MEMBER},
    services={
        "shop/web": snapshot.Service(
            "shop", "web", policy.TrafficPolicy(), (shard("m1", "healthy"), shard("m2", "unhealthy")), ()
        )
    },
)  # fmt: skip


def test_a_member_is_told_with_its_shards_counted() -> None:
    (told,) = views.members(SNAP, NOW)
    assert (told.name, told.age, told.shards, told.states) == ("m1", 1.0, 1, {"healthy": 1})
    assert (told.nodes_ready, told.nodes_total) == (1, 2)


def test_a_shard_is_told_with_ages() -> None:
    first, second = views.shards(SNAP, NOW)
    assert (first.service, first.member, first.state, first.age) == ("shop/web", "m1", "healthy", 10.0)
    assert (first.endpoints_ready, first.endpoints_total) == (2, 3)
    assert first.evidence[0].age == 2.0
    assert second.state == "unhealthy"


def test_a_steady_probe_is_as_old_as_its_last_result() -> None:
    probes = {("m1", "shop/web"): facts.ProbeCount("up", 5, 0, "", 99.5)}
    first, second = views.shards(SNAP, NOW, probes=probes)
    assert (first.evidence[0].age, second.evidence[0].age) == (0.5, 2.0)


def test_steady_readiness_is_as_old_as_the_last_look_at_its_member() -> None:
    said = snapshot.Evidence("readiness", "up", "2 of 3 endpoints ready", 20.0)
    steady = structs.replace(
        shard("m1", "healthy"), verdict=snapshot.Verdict("healthy", "", 20.0, evidence=(said,))
    )
    service = structs.replace(SNAP.services["shop/web"], shards=(steady,))
    snap = structs.replace(SNAP, services={"shop/web": service})
    (told,) = views.shards(snap, NOW)
    assert told.evidence[0].age == 1.0
    fact = explanation.Fact("readiness", "up", said.detail, 80.0)
    reply = explanation.Reply("NOERROR", "QR", (), (), (), (), "")
    one = explanation.Candidate(
        "m1", "r", ("z1",), (), (), True, 1.0, "serves", "healthy", "", 80.0, 0.0, "", 0, (fact,)
    )
    asked = explanation.Explanation("n.", "A", "federated", "", 1, reply, (), "shop/web", candidates=(one,))
    (seen,) = views.confirmed(asked, snap, {}, NOW).candidates
    assert seen.evidence[0].age == 1.0
    (unknown,) = views.confirmed(asked, snapshot.Snapshot(), {}, NOW).candidates
    assert unknown.evidence[0].age == 80.0


def test_only_the_shards_that_are_wanted_are_told() -> None:
    (bad,) = views.shards(SNAP, NOW, {"state": "unhealthy"})
    assert bad.member == "m2"
    assert len(list(views.shards(SNAP, NOW, {"service": "shop/web", "region": "r"}))) == 2
    assert not list(views.shards(SNAP, NOW, {"service": "shop/api"}))


def test_a_service_counts_the_shards_that_can_serve() -> None:
    (told,) = views.services(SNAP)
    assert (told.serving, told.total, told.states) == (1, 2, {"healthy": 1, "unhealthy": 1})
    assert views.states(SNAP) == {"healthy": 1, "unhealthy": 1}
    assert {one.state for one in views.shard_states(SNAP)} == {"healthy", "unhealthy"}


def test_problems_name_their_source() -> None:
    (told,) = views.problems({"zones": (Problem("a.zone:3", "bad", "fix"),)})
    assert (told.source, told.where, told.what, told.hint) == ("zones", "a.zone:3", "bad", "fix")


def test_workers_counters_become_metrics(tmp_path: Path) -> None:
    assert views.workers(str(tmp_path / "none")).queries == {}
    cells = counters.Cells(str(tmp_path / "dns-0"))
    cells.set("generation", 7)
    cells.add("dropped", 2)
    cells.took(3_000_000, 4)
    found = views.workers(str(tmp_path))
    assert (found.generations, found.dropped["dropped"]) == ({"dns-0": 7}, 2)
    assert found.latency is not None
    assert (sum(found.latency.counts), found.latency.sum) == (4, 0.012)


def test_gateway_workers_counters_become_metrics(tmp_path: Path) -> None:
    made = tally.Tally(str(tmp_path / "gateway-0"))
    made.served(b"shop/web a.test/", "m1", 200, 0.25)
    made.served(b"", "", 400, 0.0)
    made.count("retries")
    made.saw("m1", b"shop/web/80", tally.TRIES)
    made.saw("m1", b"shop/web/80", tally.REFUSED)
    told = views.gateway(str(tmp_path))
    assert told.requests == {("shop/web a.test/", "m1", "200"): (1, 0.25), ("", "", "400"): (1, 0.0)}
    assert (told.tries, told.events) == ({("m1", "shop/web/80"): 1}, {"retries": 1})
    assert told.failures == {("m1", "shop/web/80", "refused"): 1}


def test_rows_beyond_the_capacity_are_other(tmp_path: Path) -> None:
    made = tally.Tally(str(tmp_path / "gateway-0"))
    for number in range(tally.ROWS + 5):
        made.served(b"r%d" % number, "m1", 200, 0.0)
    told = views.gateway(str(tmp_path)).requests
    assert len(told) == tally.ROWS and told["other", "", "other"][0] == 6


def test_what_two_sources_read_in_one_file_is_told_once() -> None:
    both, own = Problem("p.yaml:1", "bad"), Problem("member a", "away")
    told = views.once({"distribution": (own, both), "fleet": (both,), "zones": ()}, "distribution")
    assert told == {"fleet": (both,), "zones": (), "distribution": (own,)}
