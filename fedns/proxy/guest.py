"""Whoever is connected, and whoever asks, whatever version of HTTP that is in.

Law: an exchange knows its client by these words alone. Over HTTP/1.1 a connection is both; over HTTP/2 each
stream asks for itself.
"""

import ssl
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import asyncio

    from fedns.gateway.options import Tls
    from fedns.proxy import identity, onward
    from fedns.proxy.hall import Hall
    from fedns.proxy.outbound import Outbound
    from fedns.proxy.relay import Relay


class Guest(Protocol):
    """A client's connection. `due` is when patience ends; `idles`: nothing of a request is there; `exchange`:
    what is under way."""

    transport: "asyncio.Transport"
    peer: "identity.Peer"

    @property
    def due(self) -> float: ...
    @property
    def exchange(self) -> object | None: ...
    @property
    def idles(self) -> bool: ...
    def expire(self) -> None: ...
    def retire(self) -> None:
        """The worker ends: nothing new, and away with it when nothing is under way."""


class Asker(Protocol):
    """Where a request came from and its answer goes. `clogged`: it does not take what was written."""

    hall: "Hall"
    transport: "asyncio.Transport"
    due: float
    clogged: bool
    peer: "identity.Peer"
    sender: "onward.Sender"
    trusted: bool
    asked: "Tls | None"

    @property
    def shown(self) -> ssl.SSLObject | None: ...
    def hold(self) -> None:
        """No more of the body."""

    def go_on(self) -> None: ...
    def done(self, exchange: "Relay") -> None: ...
    def abort(self) -> None: ...
    def tunnel(self, outbound: "Outbound") -> None: ...
    def ceased(self) -> bool:
        """There is nothing more for a tunnel's client. Whether it may go on talking."""
