"""On what terms the gateway serves anybody: limits, deadlines, whom it believes, what it writes down.

Law: each limit has one status that answers who goes beyond it, and a counter. Octets, seconds, numbers. An
array on the wire: a new field goes to the end, with a default.
"""

from typing import Literal

import msgspec
from msgspec import Struct

TERMS = b"terms"
"""The key in db `gateway`."""
Network = tuple[int, int | bytes, int]
"""As in `options`."""


class Terms(Struct, frozen=True, array_like=True, omit_defaults=True):
    """`trusted`: peers whose word about clients counts (X-Forwarded-*), and who are not limited in number."""

    head: int = 64 << 10
    """431"""
    fields: int = 200
    """431; the same for trailers."""
    target: int = 8 << 10
    """414"""
    body: int = 0
    """413; 0: no limit but what annotations ask for."""
    head_time: float = 10.0
    """408, for the whole head."""
    idle: float = 60.0
    """Between requests; then closed."""
    linger: float = 5.0
    """For what a client still sends after the last word."""
    quiet: float = 3600.0
    """Silence of a WebSocket, unless its location has a time of its own."""
    connections: int = 10_000
    """Of one worker; the one that has idled longest gives way, else 503."""
    per_client: int = 256
    """Connections of one address (IPv6: /64) at one worker; 429."""
    replay: int = 64 << 10
    """Of a body, kept for another try."""
    budget: float = 0.25
    """Part of a pool's requests that may be further tries."""
    least_budget: int = 10
    trusted: tuple[Network, ...] = ()
    proxied: bool = False
    """Connections begin with a header of the PROXY protocol."""
    forwarded: bool = False
    """Backends are told by `Forwarded` too."""
    log: Literal["", "json", "combined"] = ""
    log_path: str = ""
    """Empty: standard output."""
    streams: int = 100
    """Of one HTTP/2 connection at once; the library answers more by an error of the connection."""


_decoder = msgspec.msgpack.Decoder(Terms)


def encode(terms: Terms) -> bytes:
    return msgspec.msgpack.encode(terms)


def decode(data: bytes | None) -> Terms:
    """The defaults where nothing is said."""
    return _decoder.decode(data) if data else Terms()
