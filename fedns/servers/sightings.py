"""What gateway workers saw of backends, as control reads it: each worker's file is kept open.

Law: a look that finds nothing new costs a few words. Only what workers wrote is told; what it means is the
source's business.
"""

import os

from fedns.servers import ledger, tally

Row = tuple[int, ...]
"""The columns of `tally.SEEN`."""


class Sightings:
    """Of all workers whose counters are in a directory."""

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._readers: dict[str, ledger.Reader] = {}

    def rang(self) -> bool:
        """Whether somebody failed, or is back, since it was asked last."""
        rang = [reader.rang() for reader in self._readers.values()]
        return any(rang)

    def look(self) -> dict[tuple[str, bytes], Row]:
        """(member, pool) -> what all workers saw."""
        self._open()
        return tally.summed(reader.rows() for reader in self._readers.values())

    def _open(self) -> None:
        """Files come with workers, and are replaced at times."""
        paths = tally.files(self._directory)
        for path in self._readers.keys() - set(paths):
            self._readers.pop(path).close()
        for path in paths:
            known = self._readers.get(path)
            try:
                told = os.stat(path)
                if known is not None and known.identity == (told.st_dev, told.st_ino):
                    continue
                self._readers[path] = ledger.Reader(path)
            except (OSError, ValueError):  # it is being made
                continue
            if known is not None:
                known.close()
