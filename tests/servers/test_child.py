"""Supervised processes: when they are started again."""

import selectors
import signal
import sys

import pytest

from fedns.servers import child
from tests.servers import running

SLEEPER = (sys.executable, "-c", "import time; time.sleep(1e6)")


def _ended(each: child.Child) -> int:
    with selectors.DefaultSelector() as selector:
        selector.register(each.fd, selectors.EVENT_READ)
        assert selector.select(running.LONG)
    return each.reap()


def test_a_failing_start_is_repeated_more_and_more_slowly() -> None:
    each = child.Child("false", (sys.executable, "-c", "raise SystemExit(3)"), ())
    delays = []
    for _ in range(3):
        each.start()
        assert each.alive and _ended(each) == 3
        each.postpone()
        assert not each.alive and each.start_at is not None
        delays.append(each.start_at - each.ended_at)
    assert delays == pytest.approx([0.0, 0.2, 0.4], abs=0.05)


def test_our_own_kill_is_not_held_against_it() -> None:
    each = child.Child("sleeper", SLEEPER, ())
    for _ in range(2):
        each.start()
        each.kill()
        assert _ended(each) == -signal.SIGKILL
        each.postpone()
        assert each.due()


def test_a_command_that_is_none_raises() -> None:
    with pytest.raises(OSError):
        child.Child("none", ("/does/not/exist",), ()).start()
