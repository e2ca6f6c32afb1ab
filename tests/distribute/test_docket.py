"""When what failed is tried again."""

import time

from fedns.distribute import docket
from fedns.kube import informer
from fedns.kube.failure import ApiError, Unreachable

TIMES = 12
"""Failures in a row: the longest bound is reached."""


def keys(count: int) -> list[informer.Key]:
    return [("ConfigMap", "n", f"m{at}") for at in range(count)]


def failing(book: docket.Docket, found: list[informer.Key], times: int = TIMES) -> float:
    """All of them have failed for long; when that is."""
    for _ in range(times):
        for key in found:
            book.failed(key, Unreachable("no answer"))
    return time.monotonic()


def ready(book: docket.Docket, found: list[informer.Key], now: float) -> int:
    return sum(book.ready(key, now) for key in found)


def test_few_that_fail_are_tried_every_minute_and_many_less_often() -> None:
    for _ in range(50):
        few, book = keys(5), docket.Docket()
        now = failing(book, few)
        assert ready(book, few, now + book.pace.few) == len(few)
    many, book = keys(500), docket.Docket()
    now = failing(book, many)
    assert ready(book, many, now + book.pace.few) < len(many) // 2
    assert ready(book, many, now + book.pace.bounds.most) == len(many)


def test_what_failed_is_tried_within_seconds_when_the_reason_may_be_gone() -> None:
    found, book = keys(200), docket.Docket()
    now = failing(book, found)
    assert ready(book, found, now + docket.SOON) < len(found) // 2
    book.hurry(now)
    assert ready(book, found, now) < len(found) // 2, "not all at one moment"
    assert ready(book, found, now + docket.SOON) == len(found)


def test_nothing_is_hurried_again_and_again() -> None:
    found, book = keys(200), docket.Docket()
    book.hurry(failing(book, found))
    now = failing(book, found)
    book.hurry(now)
    assert ready(book, found, now + docket.SOON) < len(found) // 2
    later = now + docket.CALM
    book.hurry(later)
    assert ready(book, found, later + docket.SOON) == len(found)


def test_only_those_that_are_meant_are_hurried() -> None:
    found, book = keys(200), docket.Docket()
    now = failing(book, found)
    book.hurry(now, found[:100])
    assert ready(book, found[:100], now + docket.SOON) == 100
    assert ready(book, found[100:], now + docket.SOON) < 50


def test_a_kind_that_is_refused_is_tried_later_each_time_and_soon_when_it_may_be_let_in() -> None:
    (key,), book = keys(1), docket.Docket()
    away = []
    for _ in range(TIMES):
        now = time.monotonic()
        book.failed(key, ApiError(403, "Forbidden", "cannot patch"))
        away.append(next(wait for wait in range(1, 99) if not book.closed(now + wait + 0.5)))
    assert away[:3] == [3, 6, 12] and away[-1] == book.pace.refused
    now = time.monotonic()
    book.hurry(now)
    assert not book.closed(now + docket.SOON) and book.ready(key, now + docket.SOON)


def test_who_wrote_one_knows_whether_it_had_failed() -> None:
    (key,), book = keys(1), docket.Docket()
    assert not book.wrote(key)
    failing(book, [key], 1)
    assert book.wrote(key)
    assert not book.wrote(key)


def test_what_need_not_be_written_any_more_has_not_failed() -> None:
    found, book = keys(2), docket.Docket()
    failing(book, found)
    for key in found:
        book.failed(key, ApiError(403, "Forbidden", "cannot patch"))
    book.settled(found[0])
    assert book.refused and [key for key, _ in book.lasting()] == found[1:]
    book.settled(found[1])
    now = time.monotonic()
    assert not book.refused and not book.closed(now) and not [*book.lasting()]
    assert ready(book, found, now) == 2
    book.wrote(found[0])
    book.settled(found[0])
    assert not book.ready(found[0], time.monotonic()), "who was just written rests all the same"
