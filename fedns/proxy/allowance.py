"""How much of what everybody may have: rates and numbers at once, shared by all workers of a host.

Law: one file of a fixed size, mapped by every worker. Rates are buckets that leak: one word says until when
they are full, so that nothing has to run. What is at once is counted by each worker in a column of its own,
which is its own as long as it holds a lock that dies with it, and which begins with nothing. A change takes a
lock, but nobody waits for it longer than a few tries: better one too many than a worker that stands still.
Who finds no place is let through, and the number of places bounds the file.
"""

import contextlib
import fcntl
import logging
import mmap
import os
import struct
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from time import monotonic_ns
from typing import NamedTuple

from fedns import logs

MAGIC = 0xFED5_1131_0001
WAYS = 8
"""Places that a name may be in."""
BUCKETS, ROWS = 1 << 16, 1 << 12
COLUMNS = 32
"""Workers of one host that count what is at once; those beyond count for themselves."""
_HEAD = 8
_BUCKET, _ROW = 2, COLUMNS + 1
_RATES = _HEAD
_COUNTS = _RATES + BUCKETS * _BUCKET
WORDS = _COUNTS + ROWS * _ROW
_TRIES = 50
_SECOND = 1_000_000_000
_CHANGE, _SEATS = 0, 1 << 40
"""Octets of the file that stand for the lock of a change, and for columns (none that hold anything)."""

_log = logging.getLogger("fedns.gateway")


class Rate(NamedTuple):
    """So many a second, and so many at once."""

    name: bytes
    rate: float
    burst: float


class Allowance:
    """One worker's hand on the file at `path`."""

    def __init__(self, path: str) -> None:
        self._fd = -1
        try:
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            os.posix_fallocate(self._fd, 0, WORDS * 8)
            memory = mmap.mmap(self._fd, WORDS * 8)
        except OSError as error:  # no reason to keep anybody from serving
            _log.warning("limits are a worker's own", extra=logs.fields(path=path, error=error.strerror))
            memory = mmap.mmap(-1, WORDS * 8)
        self._cells = memoryview(memory).cast("Q")
        boot = _tag(_boot())
        with self._changing():
            if (self._cells[0], self._cells[1]) != (MAGIC, boot):
                self._cells[:] = memoryview(bytes(WORDS * 8)).cast("Q")
                self._cells[0], self._cells[1] = MAGIC, boot
        self._column = self._seat()
        self._clear(self._column)
        for column in self._deserted():
            self._clear(column)

    def spend(self, rates: Sequence[Rate]) -> bool:
        """Takes one from each of them, or none where one has none left."""
        now = monotonic_ns()
        with self._changing():
            taken = [(self._bucket(_tag(each.name)), each) for each in rates]
            full = [max(self._cells[at + 1], now) for at, _ in taken]
            for until, (_, each) in zip(full, taken, strict=True):
                if until - now > int((each.burst - 1) * _SECOND / each.rate):
                    return False
            for until, (at, each) in zip(full, taken, strict=True):
                self._cells[at + 1] = until + int(_SECOND / each.rate)
        return True

    def enter(self, name: bytes, most: int) -> int:
        """Counts one more at once: where, to `leave` from; 0: it is not counted; -1: there are so many."""
        tag = _tag(name)
        with self._changing():
            at = self._row(tag)
            if not at:
                return 0
            if sum(self._cells[at + 1 : at + _ROW]) >= most:
                return -1
            self._cells[at] = tag
            self._cells[at + 1 + self._column] += 1
        return at

    def leave(self, at: int) -> None:
        if at > 0 and self._cells[at + 1 + self._column]:
            self._cells[at + 1 + self._column] -= 1

    def _bucket(self, tag: int) -> int:
        """Where a bucket is; a new one takes the place of the one that is emptiest."""
        cells, start = self._cells, _RATES + tag % (BUCKETS // WAYS) * WAYS * _BUCKET
        places = range(start, start + WAYS * _BUCKET, _BUCKET)
        for at in places:
            if cells[at] == tag:
                return at
        at = min(places, key=lambda each: cells[each + 1])
        cells[at], cells[at + 1] = tag, 0
        return at

    def _row(self, tag: int) -> int:
        """Where a name is counted; 0: all places are taken."""
        cells, start = self._cells, _COUNTS + tag % (ROWS // WAYS) * WAYS * _ROW
        free = 0
        for at in range(start, start + WAYS * _ROW, _ROW):
            if cells[at] == tag:
                return at
            if not free and not any(cells[at + 1 : at + _ROW]):
                free = at
        return free

    def _seat(self) -> int:
        """A column that no living worker has."""
        for column in range(COLUMNS if self._fd >= 0 else 0):
            if self._locked(_SEATS + column):
                return column
        return COLUMNS - 1

    def _deserted(self) -> Iterator[int]:
        """Columns of the dead, which nobody has taken yet."""
        for column in range(COLUMNS if self._fd >= 0 else 0):
            if column != self._column and self._locked(_SEATS + column):
                yield column
                self._unlock(_SEATS + column)

    def _clear(self, column: int) -> None:
        for at in range(_COUNTS, WORDS, _ROW):
            self._cells[at + 1 + column] = 0

    @contextlib.contextmanager
    def _changing(self) -> Iterator[None]:
        """Alone, as far as that can be had at once."""
        held = self._fd >= 0 and any(self._locked(_CHANGE) for _ in range(_TRIES))
        try:
            yield
        finally:
            if held:
                self._unlock(_CHANGE)

    def _unlock(self, octet: int) -> None:
        fcntl.fcntl(self._fd, fcntl.F_OFD_SETLK, _lock(fcntl.F_UNLCK, octet))

    def _locked(self, octet: int) -> bool:
        try:
            fcntl.fcntl(self._fd, fcntl.F_OFD_SETLK, _lock(fcntl.F_WRLCK, octet))
        except OSError:
            return False
        return True


def _lock(kind: int, octet: int) -> bytes:
    """struct flock of Linux, for one octet."""
    return struct.pack("hhqqi", kind, os.SEEK_SET, octet, 1, 0)


def _boot() -> bytes:
    """What the clock counts from."""
    try:
        with open("/proc/sys/kernel/random/boot_id", "rb") as file:
            return file.read()
    except OSError:
        return b""


def _tag(name: bytes) -> int:
    """Never 0, which marks an empty place."""
    return int.from_bytes(blake2b(name, digest_size=8).digest(), "little") or 1
