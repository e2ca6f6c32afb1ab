"""Levels that come back: one that could not serve serves again only after it has been able for a while.

Law: pure, the state is a value. Leaving a level is never delayed, returning is; a better level that is able
but rests is the first reserve.
"""

from collections.abc import Sequence
from typing import NamedTuple

from msgspec import Struct


class Held(Struct, frozen=True, array_like=True):
    """The level that serves, and since when better ones have been able again (level, Unix seconds)."""

    level: int
    since: tuple[tuple[int, float], ...] = ()


class Turn(NamedTuple):
    """Levels in the order in which they serve; what to hold; when time alone changes it (None: never)."""

    order: tuple[int, ...]
    held: Held | None
    wake: float | None = None


def turn(able: Sequence[int], held: Held | None, delay: float, now: float) -> Turn:
    """`able` are the levels that can serve, the best first; `held` is what the turn before held."""
    if not able:
        return Turn((), held)
    if held is None or not delay or held.level not in able:
        return Turn(tuple(able), Held(able[0]))
    before = dict(held.since)
    since = {level: before.get(level, now) for level in able if level < held.level}
    ripe = [level for level, at in since.items() if now >= at + delay]
    level = min(ripe) if ripe else held.level
    waiting = {each: at for each, at in since.items() if each < level}
    order = (level, *(each for each in able if each != level))
    wake = min((at + delay for at in waiting.values()), default=None)
    return Turn(order, Held(level, tuple(sorted(waiting.items()))), wake)
