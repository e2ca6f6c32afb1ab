"""From when on what was drained can be removed."""

import pytest
from msgspec import structs

from fedns.control import farewell
from fedns.model.facts import Order
from fedns.model.snapshot import Shard, Snapshot, Verdict
from fedns.servers import api
from tests.model import test_selection as cases

DRAIN = Order("a", "drain", 100.0)
TTL = 30.0


def drained(since: float) -> Shard:
    return structs.replace(cases.shard("a"), verdict=Verdict("draining", "because", since))


def look(
    told: farewell.Farewell, now: float, *shards: Shard, order: Order = DRAIN, behind: tuple[str, ...] = ()
) -> api.Farewell:
    snapshot = Snapshot(services={"ns/s": cases.service(*shards)})
    return told.look(order, farewell.Scene(snapshot, lambda _: TTL, behind, now))


def turned(*turns: tuple[float, float]) -> farewell.Farewell:
    made = farewell.Farewell()
    for begun, published in turns:
        made.turned(begun, published)
    return made


@pytest.mark.parametrize("target", ["a", "a/ns/s", "region:eu", "zone:eu-1"])
def test_the_longest_ttl_counts_from_the_turn_that_took_it_out(target: str) -> None:
    told, order = turned((100.1, 100.2)), Order(target, "drain", 100.0)
    other = cases.shard("c")
    assert look(told, 100.2, drained(100.1), other, order=order).seconds == pytest.approx(31.9)
    assert look(told, 133.0, drained(100.1), other, order=order) == api.Farewell(0.0, [], 0, [])


def test_a_slow_turn_counts_from_its_end_and_an_order_nobody_heard_of_is_not_over() -> None:
    told = turned((100.1, 107.0), (110.0, 110.1))
    assert look(told, 110.0, drained(100.1), cases.shard("c")).seconds == pytest.approx(29.0)
    assert look(turned((99.0, 99.1)), 100.0, cases.shard("c")).seconds == farewell.LAG


def test_what_nobody_else_serves_stays_and_is_named() -> None:
    told = look(turned((101.0, 101.0)), 999.0, drained(101.0), behind=("dns-1",))
    assert told == api.Farewell(None, ["ns/s"], 1, ["dns-1"])


def test_workers_that_have_not_the_last_table_are_behind() -> None:
    generations = {"dns-0": 7.0, "dns-1": 6.0}
    assert list(farewell.behind(generations, (7, 100.0), 103.0)) == ["dns-1"]
    assert list(farewell.behind(generations, (7, 100.0), 101.0)) == []
