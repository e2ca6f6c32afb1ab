"""Who copied which zone last: each worker writes a file of its own, control reads them all.

Law: it is for people to look at, so it is written about once a second at most, and what cannot be written or
read is left out. Only who may copy zones gets an entry, and KEPT of them at most.
"""

import contextlib
import json
import os
from collections.abc import Iterator
from typing import NamedTuple

SUFFIX = ".copies"
KEPT = 500  # pairs of secondary and zone, per worker


class Copied(NamedTuple):
    """The secondary at `address` got the zone at `apex` (wire form): its serial, how, and when (Unix)."""

    address: str
    apex: bytes
    serial: int
    kind: str
    at: float


class Log:
    """What one worker gave away."""

    def __init__(self, path: str) -> None:
        self._path = path + SUFFIX
        self._last: dict[tuple[str, bytes], Copied] = {}
        self._fresh = False

    def note(self, copied: Copied) -> None:
        self._last.pop((copied.address, copied.apex), None)
        self._last[copied.address, copied.apex] = copied
        if len(self._last) > KEPT:
            del self._last[next(iter(self._last))]
        self._fresh = True

    def save(self) -> None:
        """Writes it where there is news."""
        if not self._fresh:
            return
        self._fresh = False
        rows = [each._replace(apex=each.apex.hex()) for each in self._last.values()]  # type: ignore[arg-type]
        with contextlib.suppress(OSError):
            with open(self._path + ".new", "w") as file:
                json.dump(rows, file)
            os.replace(self._path + ".new", self._path)


def read_all(directory: str) -> list[Copied]:
    """The last word of all workers on each secondary and zone, in order of these."""
    found: dict[tuple[str, bytes], Copied] = {}
    for each in sorted(_rows(directory), key=lambda each: each.at):
        found[each.address, each.apex] = each
    return [found[key] for key in sorted(found)]


def _rows(directory: str) -> Iterator[Copied]:
    with contextlib.suppress(OSError):
        for name in os.listdir(directory):
            if name.endswith(SUFFIX):
                yield from _read(os.path.join(directory, name))


def _read(path: str) -> list[Copied]:
    try:
        with open(path, "rb") as file:
            rows = [Copied(*row) for row in json.load(file)]
        return [each._replace(apex=bytes.fromhex(each.apex)) for each in rows]  # type: ignore[arg-type]
    except (OSError, ValueError, TypeError):
        return []
