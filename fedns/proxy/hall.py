"""What all connections of one gateway worker share.

Law: one thread, so nothing here is locked. Time is a number that the worker renews, precise to its tick.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from time import monotonic, time
from typing import TYPE_CHECKING

from fedns.gateway import access, affinity
from fedns.proxy import pace
from fedns.proxy.accesslog import Log
from fedns.proxy.admission import Admission
from fedns.proxy.aside import Aside
from fedns.proxy.depot import Depot
from fedns.proxy.directory import Directory
from fedns.proxy.mirrors import Mirrors
from fedns.proxy.seals import Seals
from fedns.proxy.throttle import Throttle
from fedns.servers.tally import Tally

if TYPE_CHECKING:
    from fedns.proxy.guest import Guest

_SHORT = 64  # bits of an IPv6 address that are the client's own
SOME = 100  # of all connections a part of 1/SOME is closed at once when there are too many


class Hall:
    """One per worker."""

    def __init__(self, loop: asyncio.AbstractEventLoop, directory: Directory, tally: Tally) -> None:
        self.loop, self.directory, self.tally = loop, directory, tally
        self.seals = Seals(directory)
        self.depot = Depot(loop, self.seals)
        self.aside = Aside(loop, directory, self.seals)
        self.admission = Admission(self.aside)
        self.throttle = Throttle(tally.beside("limits"))
        self.mirrors = Mirrors(loop, self.aside, tally)
        self.log: Log | None = None
        chance = random.Random()
        self.draw: Callable[[], float] = chance.random
        self.now = monotonic()
        self.draining = False
        self.clients: set[Guest] = set()
        self._crowd: Counter[tuple[int, int]] = Counter()
        self.terms = directory.terms
        self._dated = (0, b"")
        self._prefix, self._count = b"%016x" % chance.getrandbits(64), chance.getrandbits(32)
        self.lane = pace.form().Lane(self)
        self.renew()

    def renew(self) -> None:
        """Follows the terms."""
        self.terms = self.directory.terms
        terms, log = self.terms, self.log
        if ((log.kind, log.path) if log else ("", "")) != (terms.log, terms.log_path if terms.log else ""):
            if log:
                log.close()
            self.log = Log(terms.log, terms.log_path) if terms.log else None

    def request_id(self) -> bytes:
        """One that nobody else has."""
        self._count += 1
        return b"%b%016x" % (self._prefix, self._count)

    def date(self) -> bytes:
        """Now, as HTTP writes it."""
        now = int(time())
        if now != self._dated[0]:
            self._dated = now, affinity.date(now)
        return self._dated[1]

    def enter(self, guest: "Guest", address: str, exempt: bool) -> int:
        """Takes a connection in; else the status that says why not."""
        terms, key = self.terms, self._key(address)
        if not exempt and 0 < terms.per_client <= self._crowd[key]:
            return 429
        if 0 < terms.connections <= len(self.clients) and not self._make_room():
            return 503
        self._crowd[key] += 1
        self.clients.add(guest)
        return 0

    def leave(self, guest: "Guest", address: str) -> None:
        if guest not in self.clients:
            return
        self.clients.remove(guest)
        key = self._key(address)
        self._crowd[key] -= 1
        if not self._crowd[key]:
            del self._crowd[key]

    def _make_room(self) -> bool:
        """Closes those that have idled longest; else those whose head has been due for longest, which is what
        slow clients are shown out by."""
        free = [each for each in self.clients if each.exchange is None]
        free.sort(key=lambda each: (not each.idles, each.due))
        for each in free[: len(self.clients) // SOME + 1]:
            self.tally.count("evicted")
            self.leave(each, each.peer.address)
            each.transport.close()
        return bool(free)

    @staticmethod
    def _key(address: str) -> tuple[int, int]:
        version, number = access.numbered(address)
        return version, number if version == 4 else number >> _SHORT
