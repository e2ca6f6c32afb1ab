"""Connections to backends that wait for their next request, and new ones.

Law: the one used last goes first, and none waits so long that the backend would close it under a request.
Bounded per endpoint; nothing is opened in advance.
"""

import asyncio
import functools
from collections.abc import Callable
from time import monotonic
from typing import Any, TypeVar

from fedns.proxy.outbound import Key, Outbound
from fedns.proxy.seals import Seals
from fedns.proxy.trunk import Branch, Trunk

IDLE = 4.0  # seconds: servers are known to close after 5 (Node.js), and a request must not meet that
KEPT = 64  # idle connections per endpoint and worker
PATIENCE = 5.0  # seconds that a connection of HTTP/2 waits for its first stream

Made = TypeVar("Made", Outbound, Trunk)


class Depot:
    """All connections of one worker to backends."""

    def __init__(self, loop: asyncio.AbstractEventLoop, seals: Seals) -> None:
        self._loop, self._seals = loop, seals
        self._idle: dict[Key, list[Outbound]] = {}
        self.now = monotonic()
        self._trunks: dict[Key, list[Trunk]] = {}
        self._planting: dict[Key, asyncio.Task[Trunk]] = {}
        self.opened = 0

    def take(self, key: Key) -> Outbound | None:
        """One that can be used at once."""
        idle = self._idle.get(key)
        while idle:
            found = idle.pop()
            if not found.lost and not found.transport.is_closing():
                return found
        return self._branch(key) if key.shared else None

    def _branch(self, key: Key) -> Branch | None:
        trunk = next((each for each in self._trunks.get(key, ()) if each.free), None)
        return trunk.branch() if trunk is not None else None

    async def open(self, key: Key, patience: float) -> Outbound:
        """OSError, or TimeoutError."""
        if key.shared:
            return await self._share(key, patience)
        return await self._connect(key, patience, Outbound)

    async def _share(self, key: Key, patience: float) -> Branch:
        """A stream of a connection that is being opened already, or that many wait for together."""
        async with asyncio.timeout(patience):
            while True:
                found = self._branch(key)
                if found is not None:
                    return found
                task = self._planting.get(key)
                if task is None:
                    task = self._planting[key] = self._loop.create_task(self._plant(key, patience))
                    task.add_done_callback(functools.partial(self._planted, key))
                if (await asyncio.shield(task)).leaving:
                    raise ConnectionError("the backend ended it at once")

    def _planted(self, key: Key, task: asyncio.Task[Trunk]) -> None:
        del self._planting[key]
        if not task.cancelled():
            task.exception()  # whoever waited was told

    async def _plant(self, key: Key, patience: float) -> Trunk:
        made = await self._connect(key, patience, lambda depot, key: Trunk(depot, self._loop, key))
        shown = made.transport.get_extra_info("ssl_object")
        if shown is not None and shown.selected_alpn_protocol() != "h2":
            made.end()
            raise ConnectionError("the backend does not speak HTTP/2")
        made.until = self.now + PATIENCE
        self._trunks.setdefault(key, []).append(made)
        return made

    def fell(self, trunk: Trunk) -> None:
        """It was closed."""
        trunks = self._trunks.get(trunk.key, [])
        if trunk in trunks:
            trunks.remove(trunk)
        if not trunks:
            self._trunks.pop(trunk.key, None)

    async def _connect(self, key: Key, patience: float, make: Callable[["Depot", Key], Made]) -> Made:
        options: dict[str, Any] = {}
        if key.upstream is not None:
            context = self._seals.toward_backend(key.upstream)
            if context is None:
                raise ConnectionError("there is nothing to check the backend by")
            options = {"ssl": context, "server_hostname": key.name}
        async with asyncio.timeout(patience):
            _, made = await self._loop.create_connection(
                lambda: make(self, key), key.address, key.port, **options
            )
        self.opened += 1
        return made

    def give(self, outbound: Outbound) -> None:
        """Takes one back after an exchange that left nothing open."""
        outbound.begin()
        self.again(outbound)

    def again(self, outbound: Outbound) -> None:
        """The same, of one that is as it was when it was taken."""
        idle = self._idle.get(outbound.key)
        if idle is None:
            idle = self._idle[outbound.key] = []
        if len(idle) >= KEPT or outbound.lost:
            outbound.transport.close()
            return
        outbound.used += 1
        outbound.until = self.now + IDLE
        idle.append(outbound)

    def gone(self, outbound: Outbound) -> None:
        """It was closed."""
        idle = self._idle.get(outbound.key)
        if idle and outbound in idle:
            idle.remove(outbound)

    def sweep(self, now: float) -> None:
        """Closes those that waited long enough."""
        self.now = now
        for key, idle in list(self._idle.items()):
            late = [each for each in idle if each.until <= now]
            for each in late:
                each.transport.close()
            if late:
                idle[:] = [each for each in idle if each.until > now]
            if not idle:
                del self._idle[key]
        for trunk in [each for trunks in self._trunks.values() for each in trunks]:
            if not trunk.branches and trunk.until <= now:
                trunk.end()

    def close(self) -> None:
        for idle in self._idle.values():
            for each in idle:
                each.transport.close()
        self._idle.clear()
        for trunk in [each for trunks in self._trunks.values() for each in trunks]:
            trunk.end()
