"""Further tries as a part of all."""

from fedns.proxy.budget import Budget


def granted(made: Budget, tries: int, wanted: int = 1000) -> int:
    return sum(made.grant(tries, 0.25, 10) for _ in range(wanted))


def test_a_few_are_always_allowed_and_then_a_part_of_what_was_tried_lately() -> None:
    made = Budget()
    assert granted(made, 0) == 10
    assert granted(made, 1000) == 240
    made.note(1000)
    assert granted(made, 1000) == 0
    assert granted(made, 1400) == 100


def test_what_was_long_ago_counts_no_more() -> None:
    made = Budget()
    made.note(100_000)
    assert granted(made, 100_000, 100) == 100
    made.note(100_000)
    assert granted(made, 100_000) == 0
    made.note(100_000)
    assert granted(made, 100_000) == 10
