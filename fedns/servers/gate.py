"""What queries pass before the core: they are counted by their senders' networks.

Law: below the limits, this is all that limits cost. It names who may be beyond one, and the limiter judges.
It serves compiled, as `_gate`; the same source runs as Python.
"""

import mmap
from array import array

import cython

from fedns.dns import rate
from fedns.servers import batch

if cython.compiled:
    from cython.cimports.fedns.servers import octets
else:
    from fedns.servers import octets

_SECOND, _NAME, _ROWS = rate.SECOND, batch.NAME, rate.ROWS
_ODD, _WORD = 0x9E3779B97F4A7C15, 0xFFFFFFFFFFFFFFFF  # 2**64 / golden ratio; 64 ones


class Gate:
    """Counts of this second by digests of networks: two may share one, so none is too low."""

    def __init__(self, limiter: rate.Limiter, frames: batch.Frames, seed: int) -> None:
        self._limiter, self._seed = limiter, seed
        self._names, self._source, self._width = frames.names, frames.source, frames.width
        self._seen = memoryview(mmap.mmap(-1, 4 * _ROWS)).cast("I")
        self._exempt = memoryview(array("Q", (0,)))
        self._accounts = limiter.accounts
        self._due = self._mask = self._floor = self._exempted = 0

    def renew(self) -> None:
        """The limits are others now: the next batch is counted by them."""
        self._due = 0

    def count(self, count: int, now: int) -> list[int] | None:
        """Counts a batch: None if nobody in it can be near a limit, else the sources that may be."""
        if now >= self._due:
            self._sweep(now)
        loud: list[int] | None = [] if self._accounts else None
        for place in range(count):
            word = octets.word(self._names, place * _NAME + self._source, self._width)
            row = ((word & self._mask ^ self._seed) * _ODD & _WORD) >> 48
            seen = self._seen[row] + 1
            self._seen[row] = seen
            if seen > self._floor and not self._free(word):
                loud = [*loud, word] if loud else [word]
        return loud

    def _free(self, word: int) -> bool:
        at = 1
        while at < self._exempted and (word & self._exempt[at]) != self._exempt[at + 1]:
            at += 2
        return at < self._exempted

    def _sweep(self, now: int) -> None:
        """Once a second: counting begins anew, with the limits of now."""
        self._due = now + _SECOND
        for row in range(_ROWS):
            self._seen[row] = 0
        limiter = self._limiter
        limiter.quiet(0, now)
        self._mask, self._floor = limiter.mask, limiter.floor
        pairs = [word for pair in limiter.exempt for word in pair]
        self._exempt = memoryview(array("Q", (0, *pairs)))
        self._exempted = 1 + len(pairs)
