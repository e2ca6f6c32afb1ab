"""The change guard over one member's facts."""

from msgspec import structs

from fedns.model import guard
from fedns.model.facts import Export, Inside, MemberFacts, ShardFacts, ZoneReadiness


def facts(count: int, ready: int = 1, address: bool = True) -> MemberFacts:
    addresses = ("198.51.100.1",) if address else ()
    shard = ShardFacts(addresses, readiness=(ZoneReadiness("z", ready, ready, 0, 1),))
    return MemberFacts("m", "eu", ("z",), {}, {f"ns/s{n}": shard for n in range(count)})


def test_small_and_partial_removals_pass() -> None:
    for before, after in ((9, 0), (20, 10), (100, 51), (0, 0), (5, 50)):
        admitted = guard.admit(guard.NOTHING, facts(before), facts(after), None, 1.0)
        assert admitted[1:] == (facts(after), None), (before, after)
        assert admitted.state.services is None and admitted.state.shards is None


def test_an_empty_list_waits_for_a_second_look_that_agrees() -> None:
    before, empty = facts(30), facts(0)
    first = guard.admit(guard.NOTHING, before, empty, None, 1.0)
    assert first.facts.shards == before.shards and first.again == 2.0
    too_soon = guard.admit(first.state, first.facts, empty, frozenset(), 1.5)
    assert too_soon.facts.shards == before.shards and too_soon.again == 2.0
    second = guard.admit(too_soon.state, too_soon.facts, empty, frozenset(), 2.0)
    assert second == (guard.NOTHING, empty, None)


def test_a_list_that_came_back_releases_nothing() -> None:
    first = guard.admit(guard.NOTHING, facts(30), facts(0), None, 1.0)
    back = guard.admit(first.state, first.facts, facts(30), None, 5.0)
    assert back == (guard.NOTHING, facts(30), None)


def test_a_second_look_that_misses_others_starts_anew() -> None:
    held, _ = guard.look(None, 30, frozenset(map(str, range(16))), 1.0)
    held, accept = guard.look(held, 30, frozenset(map(str, range(14, 30))), 9.0)
    assert not accept and held is not None and held.since == 9.0


def test_health_evidence_and_additions_are_never_held() -> None:
    after = facts(12, ready=0)
    admitted = guard.admit(guard.NOTHING, facts(30), after, None, 1.0)
    assert len(admitted.facts.shards) == 30
    assert all(admitted.facts.shards[key] is shard for key, shard in after.shards.items())
    more = facts(60)
    assert guard.admit(guard.NOTHING, facts(30), more, None, 1.0).facts is more


def test_addresses_that_vanish_are_held_as_shards_with_fresh_health() -> None:
    admitted = guard.admit(guard.NOTHING, facts(30), facts(30, ready=0, address=False), None, 1.0)
    assert admitted.state.services is None and admitted.state.shards is not None
    assert admitted.facts.shards == facts(30, ready=0).shards


def exporting(count: int, export: Export | None, address: bool = True) -> MemberFacts:
    shard = ShardFacts(("198.51.100.1",) if address else (), inside=Inside(export=export))
    return MemberFacts("m", "eu", ("z",), {}, {f"ns/s{n}": shard for n in range(count)})


def test_exports_that_vanish_are_held_like_addresses() -> None:
    before, after = exporting(30, Export(1.0)), exporting(30, None)
    first = guard.admit(guard.NOTHING, before, after, None, 1.0)
    assert first.facts.shards == before.shards and first.again == 2.0
    second = guard.admit(first.state, first.facts, after, frozenset(), 2.0)
    assert second.facts.shards == after.shards
    few = guard.admit(guard.NOTHING, exporting(9, Export(1.0)), exporting(9, None), None, 1.0)
    assert few.facts.shards == exporting(9, None).shards


def test_what_is_held_has_what_is_known_otherwise_by_now() -> None:
    before, after = exporting(30, Export(1.0)), exporting(30, Export(2.0), address=False)
    told = guard.admit(guard.NOTHING, before, after, None, 1.0).facts.shards["ns/s1"]
    assert told.addresses == ("198.51.100.1",) and told.inside == Inside(export=Export(2.0))


def shrink(step: int, wait: float, until: int = 0) -> list[int]:
    """How many of 30 services are left after each look at a member that loses `step` of them each time."""
    state, before, now, left = guard.NOTHING, facts(30), 1.0, []
    for count in range(30 - step, until - 1, -step):
        state, before, _ = guard.admit(state, before, facts(count), None, now)
        left.append(len(before.shards))
        now += wait
    return left


def test_a_mass_removal_in_small_steps_is_held_like_one_at_once() -> None:
    assert shrink(5, 0.1) == [25, 20, 15, 15, 15, 15]
    assert shrink(1, 0.01)[-1] == 15


def test_a_removal_in_steps_passes_once_a_second_look_agrees() -> None:
    assert shrink(5, 0.5) == [25, 20, 15, 15, 15, 0]


def test_a_slow_removal_is_no_mass_removal() -> None:
    assert shrink(5, guard.WINDOW) == [25, 20, 15, 10, 5, 0]


def test_what_came_back_counts_no_more() -> None:
    first = guard.admit(guard.NOTHING, facts(30), facts(15), None, 1.0)
    back = guard.admit(first.state, first.facts, facts(30), None, 1.1)
    assert back.state == guard.NOTHING
    again = guard.admit(back.state, back.facts, facts(15), None, 1.2)
    assert again.facts == facts(15)


def test_addresses_lost_in_steps_are_held_too() -> None:
    some = facts(30)
    half = structs.replace(some, shards={**some.shards, **facts(15, address=False).shards})
    first = guard.admit(guard.NOTHING, some, half, None, 1.0)
    assert first.facts == half
    second = guard.admit(first.state, half, facts(30, address=False), None, 1.1)
    assert second.state.shards is not None and len(second.state.shards.missing) == 15
    assert second.facts == half


def test_names_are_sifted_as_services_are() -> None:
    before = frozenset(f"m{at}" for at in range(15))
    few, many = before - {"m1"}, frozenset(sorted(before)[:3])
    assert guard.sift(guard.NAMELESS, before, few, 0.0).kept == frozenset()
    first = guard.sift(guard.NAMELESS, before, many, 0.0)
    assert (first.kept, first.again) == (before - many, guard.APART)
    assert guard.sift(first.state, before, many, 0.5).kept == before - many
    assert guard.sift(first.state, before, many, 1.0) == (guard.NAMELESS, frozenset(), None)
    assert guard.sift(first.state, before, before, 1.0) == (guard.NAMELESS, frozenset(), None)


def test_names_that_go_in_steps_are_held_at_last() -> None:
    names, state, now = frozenset(f"m{at:02}" for at in range(15)), guard.NAMELESS, 0.0
    left = names
    for at in range(12):
        after = left - {f"m{at:02}"}
        sifted = guard.sift(state, left, after, now + at / 10)
        state, left = sifted.state, after | sifted.kept
    assert len(left) == len(names) - guard.LEAST + 1


def test_what_goes_while_a_removal_waits_goes_with_it() -> None:
    """Each look names only what it touched, as a watch does."""
    before, half, none = facts(24), facts(10), facts(0)
    gone = frozenset(before.shards) - frozenset(half.shards)
    first = guard.admit(guard.NOTHING, before, half, gone, 1.0)
    second = guard.admit(first.state, first.facts, none, frozenset(half.shards), 1.1)
    assert second.facts.shards == before.shards
    assert second.state.services is not None and second.state.services.names == frozenset(before.shards)
    last = guard.admit(second.state, second.facts, none, frozenset(), 1.0 + guard.APART)
    assert (last.facts.shards, last.again) == ({}, None)
