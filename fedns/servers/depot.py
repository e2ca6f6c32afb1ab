"""Connections to backends that wait for their next request, and new ones.

Law: the one used last goes first, and none waits so long that the backend would close it under a request.
Bounded per endpoint; nothing is opened in advance.
"""

import asyncio
from time import monotonic
from typing import Any

from fedns.servers.outbound import Key, Outbound
from fedns.servers.seals import Seals

IDLE = 4.0  # seconds: servers are known to close after 5 (Node.js), and a request must not meet that
KEPT = 64  # idle connections per endpoint and worker


class Depot:
    """All connections of one worker to backends."""

    def __init__(self, loop: asyncio.AbstractEventLoop, seals: Seals) -> None:
        self._loop, self._seals = loop, seals
        self._idle: dict[Key, list[Outbound]] = {}
        self._now = monotonic()
        self.opened = 0

    def take(self, key: Key) -> Outbound | None:
        """One that can be used at once."""
        idle = self._idle.get(key)
        while idle:
            found = idle.pop()
            if not found.lost and not found.transport.is_closing():
                return found
        return None

    async def open(self, key: Key, patience: float) -> Outbound:
        """OSError, or TimeoutError."""
        options: dict[str, Any] = {}
        if key.upstream is not None:
            context = self._seals.toward_backend(key.upstream)
            if context is None:
                raise ConnectionError("there is nothing to check the backend by")
            options = {"ssl": context, "server_hostname": key.name}
        async with asyncio.timeout(patience):
            _, made = await self._loop.create_connection(
                lambda: Outbound(self, key), key.address, key.port, **options
            )
        self.opened += 1
        return made

    def give(self, outbound: Outbound) -> None:
        """Takes one back after an exchange that left nothing open."""
        idle = self._idle.get(outbound.key)
        if idle is None:
            idle = self._idle[outbound.key] = []
        if len(idle) >= KEPT or outbound.lost:
            outbound.transport.close()
            return
        outbound.used += 1
        outbound.until = self._now + IDLE
        outbound.begin()
        idle.append(outbound)

    def gone(self, outbound: Outbound) -> None:
        """It was closed."""
        idle = self._idle.get(outbound.key)
        if idle and outbound in idle:
            idle.remove(outbound)

    def sweep(self, now: float) -> None:
        """Closes those that waited long enough."""
        self._now = now
        for key, idle in list(self._idle.items()):
            late = [each for each in idle if each.until <= now]
            for each in late:
                each.transport.close()
            if late:
                idle[:] = [each for each in idle if each.until > now]
            if not idle:
                del self._idle[key]

    def close(self) -> None:
        for idle in self._idle.values():
            for each in idle:
                each.transport.close()
        self._idle.clear()
