"""Numbers under names, in shared memory: one worker writes its own file, control reads them all.

Law: as `counters`, but rows come into being when they are first needed and stay: one writer, no locks, one
store per number. What is beyond the capacity shares the last row, OTHER. A replaced worker goes on with its
file.
"""

import logging
import mmap
import os
import struct
from collections.abc import Iterator

from fedns import logs

MAGIC = 0xFED5_1ED6_0001
COLUMNS = 8
_NAME = 192  # octets of a row's name; longer ones are cut
_HEAD = 64
_ROW = _NAME + COLUMNS * 8
_WORDS = _ROW // 8
_LENGTH = struct.Struct("<H")
OTHER = b"other"

_log = logging.getLogger("fedns.ledger")


class Ledger:
    """One worker's rows. `cells[row(name) + column]` is a number."""

    def __init__(self, path: str, capacity: int) -> None:
        self._capacity = capacity
        size = _HEAD + capacity * _ROW
        try:
            self._memory = _mapped(path, size)
        except OSError as error:  # a full disk must not keep anybody from serving
            _log.warning("nothing is counted", extra=logs.fields(path=path, error=error.strerror))
            self._memory = mmap.mmap(-1, size)
        self.cells = memoryview(self._memory).cast("Q")
        if self.cells[0] != MAGIC:
            self._memory[:] = bytes(size)
            self.cells[0] = MAGIC
        rows = _rows(self._memory, self.cells[1])
        self._rows = {name: (_HEAD + at * _ROW + _NAME) // 8 for at, name in enumerate(rows)}

    def row(self, name: bytes) -> int:
        """Where the numbers of this name are."""
        found = self._rows.get(name)
        if found is None:
            found = self._rows[name] = self._new(name)
        return found

    def ring(self) -> None:
        """Something is worth a look."""
        self.cells[2] += 1

    def clear(self, *columns: int) -> None:
        """Nothing stands in these columns any more."""
        for at in self._rows.values():
            for column in columns:
                self.cells[at + column] = 0

    def _new(self, name: bytes) -> int:
        used = self.cells[1]
        if used >= self._capacity - 1 and name != OTHER:
            return self._rows.get(OTHER) or self.row(OTHER)
        at = _HEAD + used * _ROW
        kept = name[: _NAME - _LENGTH.size]
        self._memory[at : at + _LENGTH.size + len(kept)] = _LENGTH.pack(len(kept)) + kept
        self.cells[1] = used + 1  # afterwards: a reader sees whole names only
        return (at + _NAME) // 8


def _mapped(path: str, size: int) -> mmap.mmap:
    """Its space is claimed at once: a page that has none would end us with SIGBUS."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        os.posix_fallocate(fd, 0, size)
        return mmap.mmap(fd, size)
    finally:
        os.close(fd)


def _rows(memory: mmap.mmap | bytes, used: int) -> Iterator[bytes]:
    for number in range(min(used, (len(memory) - _HEAD) // _ROW)):
        at = _HEAD + number * _ROW
        (length,) = _LENGTH.unpack_from(memory, at)
        yield bytes(memory[at + _LENGTH.size : at + _LENGTH.size + length])


class Reader:
    """Another's file, kept open. `rows` costs what is in use, `rang` two words."""

    def __init__(self, path: str) -> None:
        """OSError; ValueError where it is none yet."""
        with open(path, "rb") as file:
            told = os.fstat(file.fileno())
            self._memory = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
        self.identity = told.st_dev, told.st_ino
        self._words = memoryview(self._memory).cast("Q")
        self._names: list[bytes] = []
        self._heard = -1

    def rang(self) -> bool:
        """Whether something is worth a look since it was asked last."""
        before, self._heard = self._heard, self._words[2]
        return before != self._heard

    def rows(self) -> dict[bytes, tuple[int, ...]]:
        words = self._words
        if words[0] != MAGIC:
            return {}
        if words[1] != len(self._names):
            self._names = list(_rows(self._memory, words[1]))
        first = (_HEAD + _NAME) // 8
        places = range(first, first + len(self._names) * _WORDS, _WORDS)
        return {
            name: tuple(words[at : at + COLUMNS].tolist())
            for name, at in zip(self._names, places, strict=True)
        }

    def close(self) -> None:
        self._words.release()
        self._memory.close()


def read(path: str) -> dict[bytes, tuple[int, ...]]:
    """Name -> numbers, of one file; none where there is none (yet)."""
    try:
        with open(path, "rb") as file:
            raw = file.read()
    except OSError:
        return {}
    if len(raw) < _HEAD:
        return {}
    cells = memoryview(raw)[: len(raw) // 8 * 8].cast("Q")
    if cells[0] != MAGIC:
        return {}
    found = {}
    for number, name in enumerate(_rows(raw, cells[1])):
        at = (_HEAD + number * _ROW + _NAME) // 8
        found[name] = tuple(cells[at : at + COLUMNS].tolist())
    return found


def read_all(directory: str, suffix: str) -> dict[bytes, tuple[int, ...]]:
    """Name -> numbers, the sums over all files of a directory whose names end so."""
    total: dict[bytes, tuple[int, ...]] = {}
    try:
        names = sorted(os.listdir(directory))
    except OSError:
        return {}
    for each in names:
        for name, row in read(os.path.join(directory, each)).items() if each.endswith(suffix) else ():
            total[name] = tuple(map(sum, zip(total.get(name, (0,) * COLUMNS), row, strict=True)))
    return total
