"""The tables at a path as a worker has them: opened when they appear, opened anew when they were replaced.

Law: whoever looks never waits. What is open stays good while the tables are moved aside, until there is
something new; why there are none is logged once.
"""

import logging

from fedns import logs, tables
from fedns.errors import StateError


class Current:
    """`reader` and its `marks` as of the last look; None while there are no tables."""

    def __init__(self, path: str, log: logging.Logger) -> None:
        self._path, self._log = path, log
        self._told = ""  # why there are no tables, as last logged
        self.reader: tables.Reader | None = None
        self.marks: memoryview | None = None

    def look(self, again: bool = False) -> bool:
        """Whether what was open is closed now, for tables opened anew if there are any. `again`: also where
        they are the same still, as an earlier version's may have got what they lacked."""
        try:
            if self.reader and self.reader.identity == tables.identity(self._path) and not again:
                return False
        except OSError:
            return False
        if self.reader:
            self.reader.close()  # LMDB allows an environment once per process
        self.reader = self.marks = None
        try:
            self.reader = tables.Reader(self._path)
            self.marks = self.reader.marks()
            self._told = ""
        except StateError as error:
            if str(error) != self._told:
                self._told = str(error)
                self._log.info("waiting for tables", extra=logs.fields(error=self._told))
        return True
