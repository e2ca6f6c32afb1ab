"""Who the client is, and what backends are told about it.

Law: the word of a peer counts only where it is trusted; from anybody else all that is said about clients is
said anew. Of a chain of addresses the client is the last one that no trusted peer put there.
"""

from functools import lru_cache
from typing import NamedTuple

from fedns.gateway import access
from fedns.gateway.terms import Network
from fedns.proxy.framing import Field

_ID = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.:/+=")
MAX_ID = 128
_HOST = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789-._:[]")


class Peer(NamedTuple):
    """Whoever is connected: its address, the port it came to, and whether over TLS."""

    address: str
    port: int
    secure: bool


UNKNOWN = Peer("", 0, False)


def connected(there: tuple[str, int] | None, own: tuple[str, int]) -> Peer:
    """Who is connected without TLS, by both ends of the socket."""
    return Peer(there[0].partition("%")[0] if there else "", own[1], False)


class Told(NamedTuple):
    """What goes on: `lines` for the backend, without those about host and request id."""

    client: str
    secure: bool
    host: bytes
    request_id: bytes
    lines: bytes


def trusts(networks: tuple[Network, ...], address: str) -> bool:
    return bool(networks) and access.within(networks, *access.numbered(address))


@lru_cache(maxsize=8192)
def own(peer: Peer) -> bytes:
    """Lines for requests of a peer that nobody has to believe."""
    return _lines(peer.address.encode(), peer.address.encode(), peer.secure, b"%d" % peer.port)


def told(peer: Peer, networks: tuple[Network, ...], marked: list[Field]) -> Told:
    """What a trusted peer says of its client, and adds itself to."""
    said: dict[bytes, bytes] = {}
    for name, value in marked:
        said[name] = said[name] + b", " + value if name in said else value
    chain = [each.strip() for each in said.get(b"x-forwarded-for", b"").split(b",")]
    chain = [each for each in chain if access.numbered(each.decode("latin-1"))[0]]
    client = _first_stranger(chain, networks) or peer.address
    scheme = said.get(b"x-forwarded-proto", b"").strip().lower()
    secure = peer.secure if scheme not in (b"http", b"https") else scheme == b"https"
    port = said.get(b"x-forwarded-port", b"")
    if not (port.isdigit() and len(port) < 6):
        port = b"%d" % peer.port if b"x-forwarded-proto" not in said else (b"80", b"443")[secure]
    host = said.get(b"x-forwarded-host", b"").lower()
    lines = _lines(b", ".join((*chain, peer.address.encode())), client.encode(), secure, port)
    request_id = said.get(b"x-request-id", b"")
    if not _ID.issuperset(request_id) or len(request_id) > MAX_ID:
        request_id = b""
    return Told(client, secure, host if _HOST.issuperset(host) else b"", request_id, lines)


def forwarded(before: list[Field], peer: Peer, host: bytes) -> bytes:
    """The field `Forwarded` (RFC 7239) with this hop at its end. `host` has been judged already."""
    node = peer.address if ":" not in peer.address else f'"[{peer.address}]"'
    scheme = b"https" if peer.secure else b"http"
    hop = b'for=%b;host="%b";proto=%b' % (node.encode(), host, scheme)
    said = [value for name, value in before if name == b"forwarded"]
    return b"forwarded: " + b", ".join((*said, hop))


def _first_stranger(chain: list[bytes], networks: tuple[Network, ...]) -> str:
    for each in reversed(chain):
        address = each.decode("latin-1")
        if not trusts(networks, address):
            return address
    return chain[0].decode("latin-1") if chain else ""


def _lines(chain: bytes, client: bytes, secure: bool, port: bytes) -> bytes:
    scheme = b"https" if secure else b"http"
    return b"\r\n".join(
        (
            b"x-forwarded-for: " + chain,
            b"x-real-ip: " + client,
            b"x-forwarded-port: " + port,
            b"x-forwarded-proto: " + scheme,
        )
    )
