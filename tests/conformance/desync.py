"""A gateway worker before a backend that remembers each octet, for corpora of malformed requests.

Law: judged by what the backend received, read by `strict` and in the one plain form that the gateway writes:
a stream is a list of whole messages that can be read in one way only, or it is ambiguous.
"""

import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass

from fedns.gateway import route
from tests.conformance import strict
from tests.proxy import backends, gateways

_TOKEN = rb"[!#$%&'*+.^_`|~0-9a-z-]+"
_HEAD = re.compile(
    rb"([A-Z]+(?:-[A-Z]+)*) ([!-~]+) HTTP/1\.1\r\n((?:" + _TOKEN + rb": [\t -~\x80-\xff]*\r\n)+)\r\n"
)
_LETTERS = re.compile(rb"[^a-z]")
_FRAMES = (b"contentlength", b"transferencoding")
_SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
WAIT = 1.0  # seconds without a word after which a connection counts as open


class Ambiguous(Exception):
    """The backend was sent what two readers may read differently."""


@dataclass
class Seen:
    """What became of one vector: statuses the client got, whether its connection was ended, how many whole
    messages came to the backend."""

    statuses: list[int]
    closed: bool
    messages: int


def once(backend: backends.Backend, wire: backends.Wire) -> None:
    """Answers one request of a connection, whatever it thinks of it, and ends it."""
    wire.message()
    wire.reply(b"ok", fields=b"Connection: close\r\n")


def table() -> route.Table:
    """All requests go to the one pool."""
    return route.Table(default=route.Location(b"ns/all */", b"/", gateways.POOL))


def messages(raw: bytes) -> int:
    """How many whole messages a backend's stream has; Ambiguous where that is not clear."""
    return len(read(raw))


def read(raw: bytes) -> list[strict.Message]:
    """The whole messages of a backend's stream; Ambiguous where somebody may read them in another way."""
    stream = strict.requests(raw)
    if stream.wrong:
        raise Ambiguous(stream.wrong, raw)
    at = 0
    for each in stream.messages:
        _plain(raw[at : at + each.octets])
        at += each.octets
    if stream.open and b"\r\n\r\n" in raw[at:]:
        _plain(raw[at:])
    return stream.messages


def _plain(raw: bytes) -> None:
    """Nobody sees another framing in this head than we do."""
    head = _HEAD.match(raw)
    if head is None:
        raise Ambiguous("a head in no plain form", raw)
    names = [_LETTERS.sub(b"", line.partition(b":")[0]) for line in head[3].split(b"\r\n")]
    if sum(name in _FRAMES for name in names) > 1:
        raise Ambiguous("framed twice", raw)


def mixed(header: bytes) -> Iterator[bytes]:
    """Requests with this field beside the other one that frames a body."""
    body = b"0\r\n\r\n" + _SMUGGLED
    lower = header.lower()
    if b"length" not in lower or b"encoding" in lower:
        yield b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n%b\r\n\r\n%b" % (len(body), header, body)
    if b"encoding" not in lower or b"length" in lower:
        yield b"POST / HTTP/1.1\r\nHost: a\r\n%b\r\nTransfer-Encoding: chunked\r\n\r\n%b" % (header, body)


def play(gateway: gateways.Gateway, backend: backends.Backend, raw: bytes) -> Seen:
    """Sends a vector and nothing else, and sees what becomes of it."""
    before = len(backend.raw)
    with gateway.client() as client:
        heard, closed = b"", True
        try:
            client.send(raw)
            client.sock.shutdown(socket.SHUT_WR)
            while data := client.sock.recv(65536):
                heard += data
        except TimeoutError:
            closed = False
        except ConnectionError:
            pass
    statuses = [int(each) for each in re.findall(rb"(?:^|\n|ok)HTTP/1\.1 (\d\d\d) ", heard)]
    return Seen(statuses, closed, sum(messages(bytes(each)) for each in backend.raw[before:]))


def probe(gateway: gateways.Gateway, raw: bytes) -> tuple[int | None, str]:
    """The status of the answer to a vector, and what became of the connection, in the prober's words."""
    with gateway.client() as client:
        client.sock.settimeout(WAIT)
        try:
            client.send(raw)
            head = client.head()
        except TimeoutError:
            return None, "TimedOut"
        except (EOFError, ConnectionError):
            return None, "ClosedByServer"
        closed = (head.value(b"connection") or b"").lower() == b"close"
        return int(head.line.split()[1]), "ClosedByServer" if closed else "Open"
