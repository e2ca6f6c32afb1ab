"""Webster's division: the sum is right, nobody loses by more, weights count by their relation."""

from fractions import Fraction

import hypothesis
from hypothesis import strategies

from fedns.placement import shares

WEIGHTS = strategies.dictionaries(strategies.sampled_from("abcdef"), strategies.integers(1, 100), min_size=1)
TOTALS = strategies.integers(0, 200)
UIDS = strategies.sampled_from(["", "a", "b"])


@hypothesis.given(TOTALS, WEIGHTS, UIDS)
def test_the_sum_is_what_was_divided(total: int, weights: dict[str, int], uid: str) -> None:
    assert sum(shares.divided(total, weights, uid).values()) == total


@hypothesis.given(TOTALS, WEIGHTS, UIDS)
def test_one_more_takes_from_nobody(total: int, weights: dict[str, int], uid: str) -> None:
    less, more = (shares.divided(each, weights, uid) for each in (total, total + 1))
    assert all(more[name] >= less[name] for name in weights)


@hypothesis.given(TOTALS, WEIGHTS, UIDS, strategies.integers(2, 9))
def test_weights_count_by_their_relation(total: int, weights: dict[str, int], uid: str, by: int) -> None:
    times = {name: weight * by for name, weight in weights.items()}
    assert shares.divided(total, weights, uid) == shares.divided(total, times, uid)


@hypothesis.given(TOTALS, WEIGHTS)
def test_each_share_is_as_near_as_webster_has_it(total: int, weights: dict[str, int]) -> None:
    found = shares.divided(total, weights)
    last = (
        min(Fraction(weights[name], 2 * count - 1) for name, count in found.items() if count) if total else 0
    )
    assert all(Fraction(weights[name], 2 * count + 1) <= last for name, count in found.items() if total)


def test_what_members_have_stays_theirs() -> None:
    assert shares.divided(2, {"a": 1, "b": 1}, before={"a": 3, "b": 0}) == {"a": 3, "b": 2}


def test_nobody_to_divide_among() -> None:
    assert shares.divided(3, {}) == {}
