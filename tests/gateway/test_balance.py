"""Choices among endpoints: shares, tiers, and what was tried."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from fedns.gateway import balance
from fedns.gateway.route import Endpoint, Part, Pool, Tier


def part(member: str, share: float, count: int) -> Part:
    return Part(
        member,
        share,
        tuple(Endpoint(f"10.0.0.{n}", 80, member, f"{member}{n}".encode()) for n in range(count)),
    )


def counted(pool: Pool, tried: balance.Tried | None = None, draws: int = 1000) -> Counter[str]:
    """Members over evenly spread draws."""
    ready = balance.prepare(pool)
    picks = [balance.pick(ready, n / draws, tried) for n in range(draws)]
    return Counter(each.member if each is not None else "" for each in picks)


def test_shares_of_one_tier() -> None:
    assert counted(Pool((Tier(1.0, (part("a", 0.75, 3), part("b", 0.25, 1))),))) == {"a": 750, "b": 250}
    assert counted(Pool((Tier(1.0, (part("a", 0.9, 2), part("b", 0.1, 3))),))) == {"a": 900, "b": 100}


def test_a_reserve_gets_nothing_and_a_spilling_tier_its_load() -> None:
    reserve = Pool((Tier(1.0, (part("a", 1.0, 2),)), Tier(0.0, (part("b", 1.0, 2),))))
    assert counted(reserve) == {"a": 1000}
    spilling = Pool((Tier(0.7, (part("a", 1.0, 2),)), Tier(0.3, (part("b", 1.0, 2),))))
    assert counted(spilling) == {"a": 700, "b": 300}


def test_a_retry_leaves_the_member_then_the_tier_then_the_host() -> None:
    pool = Pool((Tier(1.0, (part("a", 0.5, 2), part("b", 0.5, 2))), Tier(0.0, (part("c", 1.0, 1),))))
    tried = balance.Tried({b"a0"}, {"a"})
    assert counted(pool, tried) == {"b": 1000}
    tried = balance.Tried({b"a0", b"b0"}, {"a", "b"})
    assert counted(pool, tried) == {"c": 1000}
    tried = balance.Tried({b"a0", b"b0", b"c0"}, {"a", "b", "c"})
    assert counted(pool, tried) == {"a": 500, "b": 500}
    tried = balance.Tried({b"a0", b"a1", b"b0", b"b1", b"c0"}, {"a", "b", "c"})
    assert counted(pool, tried) == {"": 1000}


def test_nobody_serves_from_an_empty_pool() -> None:
    assert balance.pick(balance.prepare(Pool()), 0.5) is None


PAIR = Pool((Tier(1.0, (part("a", 0.75, 3), part("b", 0.25, 1))), Tier(0.0, (part("c", 1.0, 2),))))


def wanted(draws: int = 200, tried: balance.Tried | None = None, **want: object) -> Counter[str]:
    ready, asked = balance.prepare(PAIR), balance.Want(**want)  # type: ignore[arg-type]
    picks = [balance.choose(ready, asked, n / draws, tried) for n in range(draws)]
    return Counter(each.tag.decode() if each is not None else "" for each in picks)


def test_a_round_is_smooth() -> None:
    """However few requests there are, each member has about its share of them."""
    ready = balance.prepare(PAIR)
    members = [
        (balance.pick(ready, balance.turn(ready)) or Endpoint("", 0, "", b"")).member for _ in range(400)
    ]
    for window in (8, 20, 100):
        for start in range(0, 300, 7):
            share = members[start : start + window].count("b") / window
            assert abs(share - 0.25) <= 1.5 / window


def test_the_lighter_of_two() -> None:
    ready = balance.prepare(Pool((Tier(1.0, (part("a", 1.0, 2),)),)))
    busy = {b"a0": 9, b"a1": 0}
    picks = Counter(
        (balance.lighter(ready, n / 100, busy) or Endpoint("", 0, "", b"")).tag for n in range(100)
    )
    assert picks == {b"a1": 100} and balance.lighter(balance.prepare(Pool()), 0.5, busy) is None


def test_the_two_are_different_and_drawn_by_weight() -> None:
    ready = balance.prepare(Pool((Tier(1.0, (part("a", 3.0, 3), part("b", 1.0, 2))),)))
    picks = Counter(
        (balance.lighter(ready, n / 7000, {b"a0": 1}) or Endpoint("", 0, "", b"")).tag for n in range(7000)
    )
    assert set(picks) == {b"a1", b"a2", b"b0", b"b1"}
    assert picks[b"a1"] > picks[b"b0"] and picks[b"a2"] > picks[b"b1"]
    alone = balance.prepare(Pool((Tier(1.0, (part("a", 1.0, 1),)),)))
    assert (balance.lighter(alone, 0.7, {b"a0": 5}) or Endpoint("", 0, "", b"")).tag == b"a0"


def test_who_is_ejected_serves_only_when_nobody_else_is_there() -> None:
    def counted_without(*ejected: bytes) -> Counter[str]:
        ready = balance.prepare(PAIR, frozenset(ejected))
        return Counter(
            (balance.pick(ready, n / 300) or Endpoint("", 0, "", b"")).tag.decode() for n in range(300)
        )

    assert counted_without(b"a0") == {"a1": 100, "a2": 100, "b0": 100}
    assert counted_without(b"a0", b"a1", b"a2") == {"b0": 300}
    assert counted_without(b"a0", b"a1", b"a2", b"b0") == {"c0": 150, "c1": 150}
    everybody = counted_without(b"a0", b"a1", b"a2", b"b0", b"c0", b"c1")
    assert sorted(everybody) == ["a0", "a1", "a2", "b0"]
    ready, tried = balance.prepare(PAIR, frozenset((b"a0", b"a1", b"a2"))), balance.Tried({b"b0"}, {"b"})
    assert (balance.pick(ready, 0.1, tried) or Endpoint("", 0, "", b"")).member == "c"


def test_a_member_that_is_named() -> None:
    assert wanted(member="b") == {"b0": 200}
    assert set(wanted(member="c")) == {"c0", "c1"}
    assert set(wanted(member="lost")) == {"a0", "a1", "a2", "b0"}
    assert wanted(member="lost", strict=True) == {"": 200}
    gone = balance.Tried({b"b0"}, {"b"})
    assert "b0" not in wanted(member="b", tried=gone)
    assert wanted(member="b", strict=True, tried=gone) == {"": 200}


def test_keys_find_the_same_and_subsets_are_drawn_from() -> None:
    for number in range(30):
        assert len(wanted(key=b"k%d" % number)) == 1
    assert len(set().union(*(wanted(key=b"k%d" % number) for number in range(60)))) == 4
    two = wanted(key=b"k", subset=2)
    assert len(two) == 2 and set(two.values()) == {100}
    one = next(iter(wanted(key=b"k")))
    assert one not in wanted(key=b"k", tried=balance.Tried({one.encode()}, {one[0]}))


parts = st.lists(st.tuples(st.integers(1, 5), st.integers(1, 9)), min_size=1, max_size=4)


@given(st.lists(parts, min_size=1, max_size=3), st.floats(0, 1, exclude_max=True), st.data())
def test_a_choice_is_never_one_that_was_tried(
    shape: list[list[tuple[int, int]]], draw: float, data: st.DataObject
) -> None:
    tiers = []
    for at, tier in enumerate(shape):
        total = sum(weight for _, weight in tier)
        made = tuple(part(f"m{at}-{n}", weight / total, count) for n, (count, weight) in enumerate(tier))
        tiers.append(Tier(0.0 if at else 1.0, made))
    everyone = [each for tier in tiers for part in tier.parts for each in part.endpoints]
    hosts = data.draw(st.sets(st.sampled_from([each.tag for each in everyone])))
    tried = balance.Tried(hosts, {each.member for each in everyone if each.tag in hosts})
    chosen = balance.pick(balance.prepare(Pool(tuple(tiers))), draw, tried)
    if chosen is None:
        assert len(hosts) == len({each.tag for each in everyone})
    else:
        assert chosen.tag not in hosts
        if any(each.member not in tried.members for each in everyone):
            assert chosen.member not in tried.members
