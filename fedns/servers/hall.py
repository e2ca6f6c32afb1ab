"""What all exchanges of one gateway worker share, and the terms they are held to.

Law: one thread, so nothing here is locked. Time is a number that the worker renews, precise to its tick.
"""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic, time
from typing import TYPE_CHECKING

from fedns.gateway import affinity
from fedns.servers.depot import Depot
from fedns.servers.directory import Directory

if TYPE_CHECKING:
    from fedns.servers.inbound import Inbound


@dataclass(frozen=True)
class Terms:
    """Limits, each with the status that answers who goes beyond it, and deadlines in seconds."""

    head: int = 64 << 10  # octets: 431
    fields: int = 200  # 431
    target: int = 8 << 10  # octets: 414
    head_time: float = 10.0  # for the whole head: 408
    idle: float = 60.0  # between requests: closed
    linger: float = 5.0  # for what a client still sends after the last word
    replay: int = 64 << 10  # octets of a body that are kept for another try
    budget: float = 0.25  # part of a pool's requests that may be further tries
    least_budget: int = 10


class Hall:
    """One per worker."""

    def __init__(self, loop: asyncio.AbstractEventLoop, directory: Directory, terms: Terms) -> None:
        self.loop, self.directory, self.terms = loop, directory, terms
        self.depot = Depot(loop)
        chance = random.Random()
        self.draw: Callable[[], float] = chance.random
        self.bits: Callable[[int], int] = chance.getrandbits
        self.now = monotonic()
        self.draining = False
        self._dated = (0, b"")
        self.clients: set[Inbound] = set()

    def date(self) -> bytes:
        """Now, as HTTP writes it."""
        now = int(time())
        if now != self._dated[0]:
            self._dated = now, affinity.date(now)
        return self._dated[1]
