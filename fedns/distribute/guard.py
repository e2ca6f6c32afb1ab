"""Whether copies in a member may be removed: more than half of them at once wait for somebody's word.

Law: pure; time is an argument. What went within the last minutes counts too, so that a slow loss is seen as
what it is. Few objects are somebody's decision, and need no second one. A word is for what was told, and
nothing that comes later.
"""

from collections.abc import Collection
from typing import Generic, TypeVar

LEAST = 3
"""Objects gone, until it may be a mistake."""
WINDOW = 120.0
"""Seconds for which what went is remembered."""

Thing = TypeVar("Thing")


class Guard(Generic[Thing]):
    """Of one member."""

    def __init__(self) -> None:
        self._went: list[float] = []
        self._allowed: frozenset[Thing] = frozenset()

    def holds(self, ours: int, gone: Collection[Thing], now: float) -> bool:
        """Whether to wait; `ours`: copies there are, `gone`: those of them that are to be removed."""
        self._went = [at for at in self._went if now - at < WINDOW]
        lost, had = len(gone) + len(self._went), ours + len(self._went)
        if lost < LEAST or 2 * lost <= had:
            return False
        return not self._allowed.issuperset(gone)

    def allow(self, gone: Collection[Thing]) -> None:
        """Somebody means it."""
        self._allowed = frozenset(gone)

    def removed(self, what: Thing, now: float) -> None:
        if what not in self._allowed:
            self._went.append(now)
