"""Who else writes what we write, and sets it back: after a few rounds it is left to them, and told.

Law: times are arguments (monotonic). A round is a write of ours that somebody else undid; it counts once.
What is left alone is tried again after a long while, once.
"""

from typing import Generic, TypeVar

ROUNDS = 3
"""So many in a row, then it is left alone."""
PEACE = 600.0
"""Seconds until it is tried again, and until rounds are forgotten."""

Key = TypeVar("Key")


class Feuds(Generic[Key]):
    """Of many objects."""

    def __init__(self) -> None:
        self._wrote: set[Key] = set()
        self._rounds: dict[Key, tuple[int, float, str]] = {}

    def wrote(self, key: Key) -> None:
        """We wrote one."""
        self._wrote.add(key)

    def undone(self, key: Key, rival: str, now: float) -> None:
        """`rival` set it back."""
        if key not in self._wrote:
            return
        self._wrote.discard(key)
        count, at, _ = self._rounds.get(key, (0, now, ""))
        self._rounds[key] = (count + 1 if now - at < 2 * PEACE else 1), now, rival

    def rests(self, key: Key, now: float) -> bool:
        """Whether it is left alone."""
        count, at, _ = self._rounds.get(key, (0, now, ""))
        return count >= ROUNDS and now - at < PEACE

    def told(self) -> list[tuple[Key, str]]:
        """Those that are left alone, and to whom."""
        return [(key, rival) for key, (count, _, rival) in self._rounds.items() if count >= ROUNDS]

    def forget(self, key: Key) -> None:
        self._wrote.discard(key)
        self._rounds.pop(key, None)

    def clear(self) -> None:
        self._wrote.clear()
        self._rounds.clear()
