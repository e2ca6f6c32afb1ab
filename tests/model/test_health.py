"""Cases of the health law, one by one."""

import pytest

from fedns.model import health
from fedns.model.facts import NodeZone, Order, Passive, ProbeCount, ZoneReadiness
from fedns.model.policy import HealthSettings, ProbeSpec
from fedns.model.snapshot import Verdict

NOW = 1000.0
NUMBERS = HealthSettings()
UP, DOWN = ProbeCount("up", 5, 0), ProbeCount("down", 0, 3, "refused")


def zones(ready: int, serving: int, total: int) -> tuple[ZoneReadiness, ...]:
    return (ZoneReadiness("z", ready, serving, serving - ready, total),)


def order(target: str, word: str, issued: float = 1.0, until: float | None = None) -> Order:
    return Order(target, word, issued, until)  # type: ignore[arg-type]


CASES = [
    ("nothing is known", health.Input(), "unknown"),
    ("all ready", health.Input(zones(3, 3, 3)), "healthy"),
    ("less than half ready", health.Input(zones(1, 1, 3)), "degraded"),
    ("no endpoint at all", health.Input(zones(0, 0, 0)), "unhealthy"),
    ("none ready, some serve on", health.Input(zones(0, 2, 2)), "draining"),
    ("fewer than wanted", health.Input(zones(1, 1, 2), min_ready=2), "unhealthy"),
    ("none wanted, none there", health.Input(zones(0, 0, 0), min_ready=0), "healthy"),
    ("none wanted, none ready", health.Input(zones(0, 0, 2), min_ready=0), "degraded"),
    ("none wanted, probe down", health.Input(zones(0, 0, 0), min_ready=0, probe=DOWN), "unhealthy"),
    ("probe down, ready", health.Input(zones(3, 3, 3), probe=DOWN), "unhealthy"),
    ("probe up, none ready", health.Input(zones(0, 0, 3), probe=UP), "unhealthy"),
    ("probe up, readiness unknown", health.Input(probe=UP), "healthy"),
    ("not probed yet, ready", health.Input(zones(3, 3, 3), probe=ProbeCount()), "healthy"),
    ("gateways see failures", health.Input(zones(3, 3, 3), passive=Passive(40, 20, NOW)), "unhealthy"),
    ("gateways saw too little", health.Input(passive=Passive(19, 19, NOW)), "unknown"),
    ("gateways saw it long ago", health.Input(passive=Passive(40, 40, NOW - 60)), "unknown"),
    (
        "no endpoint can be reached",
        health.Input(zones(3, 3, 3), passive=Passive(5, 2, NOW, 3, 3)),
        "unhealthy",
    ),
    ("one of three cannot", health.Input(zones(3, 3, 3), passive=Passive(5, 2, NOW, 1, 3)), "healthy"),
    (
        "none could, long ago",
        health.Input(zones(3, 3, 3), passive=Passive(5, 2, NOW - 60, 3, 3)),
        "healthy",
    ),
    ("an order outdoes all", health.Input(zones(0, 0, 3), probe=DOWN, order=order("m", "up")), "healthy"),
    ("order: down", health.Input(zones(3, 3, 3), order=order("m", "down")), "unhealthy"),
    ("order: drain", health.Input(zones(3, 3, 3), order=order("m", "drain")), "draining"),
    (
        "nodes only degrade",
        health.Input(zones(3, 3, 3), nodes=health.nodes([NodeZone("z", 0, 3)], 1)),
        "degraded",
    ),
]


@pytest.mark.parametrize(("inp", "state"), [row[1:] for row in CASES], ids=[row[0] for row in CASES])
def test_first_verdict(inp: health.Input, state: str) -> None:
    verdict = health.judge(inp, health.NEW, NUMBERS, NOW)
    assert (verdict.state, verdict.since, verdict.flaps) == (state, NOW, 0)


def test_nodes_say_nothing_while_half_of_them_are_ready() -> None:
    assert health.nodes([NodeZone("a", 1, 2), NodeZone("b", 1, 2)], 1.0) is None
    assert health.nodes([], 1.0) is None


def probed(up: bool, previous: Verdict, now: float) -> Verdict:
    return health.judge(health.Input(zones(3, 3, 3), probe=UP if up else DOWN), previous, NUMBERS, now)


def test_the_first_change_is_free_and_then_holds_double() -> None:
    verdict = probed(True, health.NEW, 1.0)
    now, holds = 1000.0, []
    for flap in range(8):
        verdict = probed(bool(flap % 2), verdict, now)
        assert verdict.flaps == flap + 1 and verdict.since == now
        holds.append(max(verdict.held_until - now, 0))
        now = max(verdict.held_until, now + 1)
    assert holds == [0, 30, 60, 120, 240, 300, 300, 300]


def test_a_held_change_waits_and_acts_when_the_hold_ends() -> None:
    down = probed(False, probed(True, health.NEW, 1.0), 100.0)
    back = probed(True, down, 110.0)
    again = probed(False, back, 120.0)
    assert (again.state, again.pending, again.held_until) == ("healthy", "unhealthy", 140.0)
    assert probed(True, again, 130.0).pending == ""
    acted = probed(False, again, 140.0)
    assert (acted.state, acted.pending, acted.flaps) == ("unhealthy", "", 3)


def test_a_drain_is_no_bad_news_for_what_is_down() -> None:
    """Its probes are well again inside the hold, while its last endpoints terminate."""
    down = Verdict("unhealthy", "probe fails", 100.0, 130.0, 2, was_good=True)
    ending = (ZoneReadiness("z", 0, 2, 2, 2),)
    verdict = health.judge(health.Input(ending), down, HealthSettings(), 110.0)
    assert (verdict.state, verdict.pending) == ("unhealthy", "draining")
    assert health.judge(health.Input(ending), verdict, HealthSettings(), 130.0).state == "draining"


def test_readiness_at_zero_breaks_a_hold_and_lengthens_the_way_back() -> None:
    back = probed(True, probed(False, probed(True, health.NEW, 1.0), 100.0), 110.0)
    gone = health.judge(health.Input(zones(0, 0, 3), probe=UP), back, NUMBERS, 115.0)
    assert (gone.state, gone.held_until) == ("unhealthy", 175.0)
    assert probed(True, gone, 174.0).pending == "healthy"
    assert probed(True, gone, 175.0).state == "healthy"


def test_flaps_are_forgotten_after_quiet_time() -> None:
    back = probed(True, probed(False, probed(True, health.NEW, 1.0), 100.0), 110.0)
    assert probed(False, back, 711.0).flaps == 1


def test_the_end_of_an_order_acts_at_once() -> None:
    up = health.Input(zones(3, 3, 3))
    drain = health.Input(zones(3, 3, 3), order=order("m", "drain"))
    verdict = health.judge(up, health.NEW, NUMBERS, 1.0)
    for now in range(100, 110, 2):
        verdict = health.judge(drain, verdict, NUMBERS, float(now))
        assert verdict.state == "draining" and verdict.ordered
        verdict = health.judge(up, verdict, NUMBERS, now + 1.0)
        assert verdict.state == "healthy" and not verdict.ordered


SPEC = ProbeSpec(fall=3, rise=2)


@pytest.mark.parametrize(
    ("results", "states"),
    [
        ("+", "U"),
        ("-", "D"),
        ("+---", "UUUD"),
        ("+--+-", "UUUUD"),  # one success does not wipe out two failures
        ("+--++-", "UUUUUU"),  # two in a row do
        ("-+-++", "DDDDU"),
    ],
)
def test_probe_counts(results: str, states: str) -> None:
    counted, seen = ProbeCount(), ""
    for now, result in enumerate(results):
        counted = health.count(counted, result == "+", "refused", SPEC, float(now))
        seen += {"up": "U", "down": "D", "unknown": "?"}[counted.state]
    assert seen == states


def test_a_steady_target_keeps_equal_counts() -> None:
    first = health.count(ProbeCount(), True, "", SPEC, 1.0)
    assert health.count(first, True, "", SPEC, 1.0) == first


def test_time_until_probes_could_turn() -> None:
    assert health.until_probe(ProbeCount("up", 0, 1), SPEC) == 10.0
    assert health.until_probe(ProbeCount("down", 1, 3), SPEC) == 5.0
    assert health.until_probe(ProbeCount(), SPEC) is None
    assert health.until_probe(UP, None) is None


@pytest.mark.parametrize(
    ("orders", "word"),
    [
        ([order("region:eu", "down")], "down"),
        ([order("region:eu", "down", 9), order("zone:z1", "up"), order("zone:z2", "up")], "up"),
        ([order("zone:z1", "down")], None),
        ([order("region:eu", "down", 9), order("m", "up")], "up"),
        ([order("m", "down", 9), order("m/ns/s", "up")], "up"),
        ([order("m", "down"), order("m", "up", 2)], "up"),
        ([order("m", "up"), order("m", "drain")], "drain"),
        ([order("m", "down", until=NOW)], None),
        ([order("other", "down"), order("m/ns/other", "down")], None),
    ],
)
def test_the_most_specific_order_wins_then_the_newest(orders: list[Order], word: str | None) -> None:
    found = health.order_for(health.index(orders, NOW), "m", "eu", ("z1", "z2"), "ns/s")
    assert (found and found.word) == word
    back = health.order_for(health.index(orders[::-1], NOW), "m", "eu", ("z1", "z2"), "ns/s")
    assert back == found


def test_an_order_for_one_of_several_zones_shuts_that_zone() -> None:
    orders = health.index([order("zone:z1", "drain")], NOW)
    assert health.shut(orders, ("z1", "z2")) == ("z1",)
    assert health.shut(orders, ("z1",)) == ()


def test_what_a_first_instant_said_before_is_no_flap() -> None:
    first = probed(False, health.NEW, 5.0)
    assert probed(True, first, 5.0) == probed(True, health.NEW, 5.0)
    assert probed(True, first, 6.0).flaps == 1


def test_endpoints_that_come_and_go_do_not_delay_bad_news() -> None:
    verdict = probed(True, health.NEW, 1.0)
    for count, now in enumerate(range(100, 200, 10)):
        ready = 3 if count % 2 else 1
        verdict = health.judge(health.Input(zones(ready, ready, 3), probe=UP), verdict, NUMBERS, float(now))
        assert (verdict.state, verdict.since) == ("healthy" if count % 2 else "degraded", now)
    down = probed(False, verdict, 205.0)
    assert (down.state, down.flaps) == ("unhealthy", 1)


def test_that_no_endpoint_can_be_reached_breaks_a_hold() -> None:
    well, gone = (
        health.Input(zones(1, 1, 1)),
        health.Input(zones(1, 1, 1), passive=Passive(0, 0, NOW, 1, 1)),
    )
    verdict = health.judge(well, health.NEW, NUMBERS, NOW - 20)
    for number, inp in enumerate((gone, well)):
        verdict = health.judge(inp, verdict, NUMBERS, NOW - 10 + number)
    assert verdict.state == "healthy" and verdict.held_until > NOW + 1
    assert health.judge(gone, verdict, NUMBERS, NOW).state == "unhealthy"
