"""A WebSocket, once client and backend have agreed on it: octets both ways.

Law: either side may say all it has and still hear the other. TLS cannot say so: there one end is both.
"""

import asyncio

from fedns.proxy.outbound import Outbound


class Tunnel:
    """Between a client's transport and a backend's connection. `ceased`: the backend has said all."""

    def __init__(self, here: asyncio.Transport, outbound: Outbound) -> None:
        self._here, self._there = here, outbound.transport
        self.ceased = False

    def write(self, data: bytes) -> None:
        """From the client."""
        self._there.write(data)

    def client_ends(self) -> bool:
        """It has said all. Whether it hears on."""
        if self.ceased or not (self._here.can_write_eof() and self._there.can_write_eof()):
            return False
        self._there.write_eof()
        return True

    def backend_ends(self) -> bool:
        """It has said all. Whether it hears on."""
        if not self._here.can_write_eof():
            return False
        self.ceased = True
        self._here.write_eof()
        return True
