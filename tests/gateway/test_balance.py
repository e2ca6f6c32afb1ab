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
