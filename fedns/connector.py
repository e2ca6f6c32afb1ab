"""Connections to HTTP servers that are gone when their session is closed.

Law: a reply that is left unread ends its connection, and over TLS asyncio then waits half a minute for the
other end's farewell, which who closes the session is not told. What still waits then is cut.
"""

import asyncio
from typing import Any

import aiohttp


class Connector(aiohttp.TCPConnector):
    """As aiohttp's, without a limit. `close` leaves nothing open."""

    def __init__(self, **options: Any) -> None:
        super().__init__(limit=0, **options)
        self._begun: dict[asyncio.Future[None], Any] = {}
        """Transports (uvloop's have no class in common with asyncio's), by what tells that they ended."""

    async def connect(self, *asked: Any, **more: Any) -> Any:
        found = await super().connect(*asked, **more)
        ends = None if found.protocol is None else found.protocol.closed
        if ends is not None and ends not in self._begun:
            self._begun[ends] = found.transport
            ends.add_done_callback(self._ended)
        return found

    def _ended(self, ends: "asyncio.Future[None]") -> None:
        del self._begun[ends]
        if not ends.cancelled():
            ends.exception()  # who had a request there was told

    async def close(self, **how: Any) -> None:
        await super().close(**how)
        for transport in tuple(self._begun.values()):
            transport.abort()
        await asyncio.sleep(0)  # the loop closes their sockets
