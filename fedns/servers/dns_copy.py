"""Zone transfers of one worker: each reads one generation of the tables while its client takes it.

Law: a read transaction keeps the pages of its generation from being reused, so the tables' file grows while
one is open: few at a time, none for longer than LONGEST. Ends with OSError what cannot go on: the
connection is closed, and the client comes again.
"""

import errno
from collections.abc import Iterator
from ipaddress import ip_address
from time import monotonic, time
from typing import Protocol

from fedns import tables
from fedns.dns import client, journal, transfer
from fedns.servers import copied, counters

LONGEST = 300.0  # seconds; a million names take a tenth of it on a quick line
TOGETHER = 8  # per worker


class Source(Protocol):
    def snapshot(self) -> tables.Snapshot | None: ...


class Copies:
    """The transfers that are under way."""

    def __init__(self, source: Source, cells: counters.Cells, log: copied.Log) -> None:
        self._source, self._cells, self._log = source, cells, log
        self._open = 0

    def begin(self, packet: bytes, asker: client.Client) -> Iterator[bytes] | None:
        """The messages that answer this request (empty ones are pauses); None: an ordinary reply does."""
        if not transfer.asked(packet):
            return None
        snapshot = self._source.snapshot()
        if snapshot is None:
            return None
        try:
            found = transfer.begin(snapshot, packet, asker)
        except BaseException:
            snapshot.close()
            raise
        if found is None or self._open >= TOGETHER:
            snapshot.close()
            if found is not None:
                raise OSError(errno.EBUSY, "too many transfers")
            return None
        self._cells.add(found.kind)
        address = str(ip_address(asker.address()))
        serial = journal.number(found.zone)
        given = copied.Copied(address, found.zone.apex, serial, found.kind, time())
        return self._run(found.messages, snapshot, given)

    def _run(
        self, messages: Iterator[bytes], snapshot: tables.Snapshot, given: copied.Copied
    ) -> Iterator[bytes]:
        self._open += 1
        end = monotonic() + LONGEST
        try:
            for each in messages:
                if monotonic() > end:
                    raise OSError(errno.ETIMEDOUT, "the transfer takes too long")
                yield each
            self._log.note(given)
        except tables.DAMAGE:
            raise
        except tables.GONE as error:
            raise OSError(errno.ESTALE, str(error)) from error
        finally:
            self._open -= 1
            snapshot.close()
