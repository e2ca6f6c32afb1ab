"""Bounds that double, full jitter, and health that forgets."""

from fedns.kube import backoff


def test_the_bound_doubles_up_to_the_most_and_every_wait_is_a_share_of_it() -> None:
    for _ in range(50):
        tried, now = backoff.Backoff(backoff.Bounds(1.0, 8.0, 60.0)), 0.0
        for bound in (1.0, 2.0, 4.0, 8.0, 8.0):
            wait = tried.failed(now)
            assert 0.0 <= wait <= bound
            now += wait


def test_waits_differ() -> None:
    assert len({backoff.Backoff(backoff.Bounds()).failed(0.0) for _ in range(20)}) > 10


def test_a_healthy_minute_forgets_failures() -> None:
    tried = backoff.Backoff(backoff.Bounds(1.0, 1000.0, 60.0))
    for _ in range(20):
        tried.failed(0.0)
    assert all(backoff.Backoff(backoff.Bounds()).failed(0.0) <= 0.8 for _ in range(20))
    assert tried.failed(5000.0) <= 1.0


def test_what_the_server_asks_for_is_the_least() -> None:
    assert backoff.Backoff(backoff.Bounds()).failed(0.0, 7.0) >= 7.0
    assert backoff.Backoff(backoff.Bounds()).failed(0.0, 9999.0) == 30.0
