"""The head of one request, as everything that decides reads it.

Law: made once per request by `read`, which rejects what could mean two things; after it nobody looks at
the raw target or counts Host headers again. Header names are lower case, values as they came.
"""

from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from fedns.gateway import normal

Fields = Sequence[tuple[bytes, bytes]]


class Head(Struct, gc=False):
    """`path` is matched, `target` goes on (path and query), `query` follows `?` (None: no `?`). `client` is
    an IP literal, `secure`: it came over TLS."""

    method: bytes
    host: bytes
    path: bytes
    target: bytes
    query: bytes | None
    headers: Fields
    secure: bool = False
    client: str = ""
    outside: bytes = b""
    """The host that a trusted peer says was asked for; empty: nobody says so."""
    others: tuple[bytes, ...] = ()
    """What the path may be to backends that read it in another way."""
    found: Any = None
    """What the pattern of its location found in the path."""

    def get(self, name: bytes) -> bytes | None:
        """The first header of this (lower-case) name."""
        for each, value in self.headers:
            if each == name:
                return value
        return None

    def cookie(self, name: bytes) -> bytes | None:
        """The first cookie of this name."""
        for each, value in self.headers:
            found = _crumb(value, name) if each == b"cookie" and name in value else None
            if found is not None:
                return found
        return None

    def argument(self, name: bytes) -> bytes | None:
        """The first parameter of the query of this name, as it came."""
        query = self.query
        if not query or name not in query:
            return None
        for pair in query.split(b"&"):
            key, _, value = pair.partition(b"=")
            if key == name:
                return value
        return None


def _crumb(value: bytes, name: bytes) -> bytes | None:
    for pair in value.split(b";"):
        key, _, content = pair.partition(b"=")
        if key.strip() == name:
            return content.strip()
    return None


def read(method: bytes, target: bytes, headers: Fields, secure: bool = False, old: bool = False) -> Head:
    """The head of a request; normal.Rejected where it is ambiguous. `old`: HTTP/1.0, where Host may lack."""
    hosts = [value for name, value in headers if name == b"host"]
    made = asked(method, target, hosts, old)
    made.headers, made.secure = headers, secure
    return made


def asked(method: bytes, target: bytes, hosts: Sequence[bytes], old: bool) -> Head:
    """As `read`, for who knows the values of Host already. Fields and client are to be filled in."""
    if len(hosts) != 1 and (hosts or not old):
        raise normal.Rejected(400, "a request has one Host header")
    found = normal.target(target)
    host = normal.host(hosts[0]) if hosts and hosts[0] else b""
    if found.authority:
        named = normal.host(found.authority)
        if hosts and (named != host or normal.port(found.authority) != normal.port(hosts[0])):
            raise normal.Rejected(400, "target and Host header name different hosts")
        host = named
    if found.path == b"*" and method != b"OPTIONS":
        raise normal.Rejected(400, "only OPTIONS may be asked of *")
    return Head(method, host, found.path, found.sent, found.query, (), others=found.others)
