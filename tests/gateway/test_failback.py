"""Levels that come back."""

from fedns.gateway import failback
from fedns.gateway.failback import Held


def test_leaving_is_at_once_and_returning_takes_its_time() -> None:
    turn = failback.turn([0, 1], None, 30.0, 0.0)
    assert turn.order == (0, 1) and turn.wake is None
    turn = failback.turn([1], turn.held, 30.0, 10.0)
    assert turn.order == (1,)
    turn = failback.turn([0, 1], turn.held, 30.0, 20.0)
    assert turn.order == (1, 0) and turn.wake == 50.0
    turn = failback.turn([0, 1], turn.held, 30.0, 49.0)
    assert turn.order == (1, 0) and turn.wake == 50.0
    turn = failback.turn([0, 1], turn.held, 30.0, 50.0)
    assert turn.order == (0, 1) and turn.wake is None


def test_who_goes_again_begins_again() -> None:
    held = Held(1, ((0, 20.0),))
    turn = failback.turn([1], held, 30.0, 30.0)
    assert turn.held == Held(1)
    turn = failback.turn([0, 1], turn.held, 30.0, 40.0)
    assert turn.wake == 70.0


def test_when_the_one_that_serves_goes_the_best_serves_at_once() -> None:
    turn = failback.turn([0, 2], Held(1, ((0, 20.0),)), 30.0, 25.0)
    assert turn.order == (0, 2)


def test_no_delay_and_nobody() -> None:
    assert failback.turn([0, 1], Held(1), 0.0, 5.0).order == (0, 1)
    nobody = failback.turn([], Held(1), 30.0, 5.0)
    assert nobody.order == () and nobody.held == Held(1)
