"""The highest serial that each zone may have been served with, in a file beside the tables.

Law: tables may be lost, damaged and rebuilt, or restored from a copy of last week; a serial must not go
backwards for it, or no secondary follows any more. So a mark is on disk before a serial up to it is served,
and that of a zone which moves all the time runs AHEAD of it, that not every generation needs a write.
"""

import contextlib
import json
import os
from collections.abc import Mapping
from typing import NamedTuple

from fedns.dns import journal

AHEAD = 1000
"""Serials that one write of the file is good for; what a loss of the tables skips at most."""


class Mark(NamedTuple):
    """Of one zone: a serial that it was served with, and the last that it may have been served with."""

    least: int
    most: int


class Marks:
    """The file at `path`; zones by apex."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._marks = _read(path)

    def above(self, apex: bytes, served: int | None) -> int | None:
        """The serial that the next one has to be newer than, if any; `served` is the last that the tables
        know of: less than what was served, where they are older than the file."""
        mark = self._marks.get(apex)
        if mark is None or (served is not None and not journal.newer(mark.least, served)):
            return served
        return mark.most

    def reserve(self, serials: Mapping[bytes, int], busy: bytes) -> None:
        """Before these are served; `busy` is the zone that moves all the time. OSError: it cannot be kept."""
        passed = {apex: serial for apex, serial in serials.items() if self._passed(apex, serial)}
        if not passed:
            return
        marks = dict(self._marks)
        for apex, serial in passed.items():
            marks[apex] = Mark(serial, (serial + AHEAD * (apex == busy)) & 0xFFFFFFFF)
        _write(self._path, marks)
        self._marks = marks

    def _passed(self, apex: bytes, serial: int) -> bool:
        mark = self._marks.get(apex)
        return mark is None or journal.newer(serial, mark.most)


def _read(path: str) -> dict[bytes, Mark]:
    """What was kept; nothing where there is nothing of use."""
    found: dict[bytes, Mark] = {}
    with contextlib.suppress(OSError, ValueError, TypeError, AttributeError), open(path, "rb") as file:
        for apex, (least, most) in json.load(file).items():
            found[bytes.fromhex(apex)] = Mark(int(least) & 0xFFFFFFFF, int(most) & 0xFFFFFFFF)
    return found


def _write(path: str, marks: Mapping[bytes, Mark]) -> None:
    fresh = path + ".new"
    with open(fresh, "w") as file:
        json.dump({apex.hex(): mark for apex, mark in marks.items()}, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(fresh, path)
