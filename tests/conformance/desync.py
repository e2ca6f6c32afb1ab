"""A gateway worker before a backend that remembers each octet, for corpora of malformed requests.

Law: judged by what the backend received, read by a reader of its own that is stricter than any: a stream is a
list of whole messages that can be read in one way only, or it is ambiguous.
"""

import re
import socket
from dataclasses import dataclass

from fedns.gateway import route
from tests.servers import backends, gateways

_TOKEN = rb"[!#$%&'*+.^_`|~0-9a-z-]+"
_HEAD = re.compile(
    rb"([A-Z]+(?:-[A-Z]+)*) ([!-~]+) HTTP/1\.1\r\n((?:" + _TOKEN + rb": [\t -~\x80-\xff]*\r\n)+)\r\n"
)
_CHUNK = re.compile(rb"([0-9a-f]+)\r\n")
_LETTERS = re.compile(rb"[^a-z]")
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
    count = 0
    while raw:
        head = _HEAD.match(raw)
        if head is None:
            if b"\r\n\r\n" in raw:
                raise Ambiguous(raw)
            return count
        names = [line.partition(b":")[0] for line in head[3].split(b"\r\n")]
        framing = [
            name for name in names if _LETTERS.sub(b"", name) in (b"contentlength", b"transferencoding")
        ]
        if len(framing) > 1 or names.count(b"host") != 1:
            raise Ambiguous(raw)
        rest = raw[head.end() :]
        found = _body(framing[0] if framing else b"", head[3], rest)
        if found is None:
            return count
        raw = found
        count += 1
    return count


def _body(framing: bytes, head: bytes, rest: bytes) -> bytes | None:
    """What follows the body; None: it is not whole."""
    if not framing:
        return rest
    value = re.search(rb"(?m)^%b: (.*)\r$" % framing, head)
    assert value is not None
    if framing == b"content-length":
        if not re.fullmatch(rb"[0-9]+", value[1]):
            raise Ambiguous(head)
        return rest[int(value[1]) :] if len(rest) >= int(value[1]) else None
    if (framing, value[1]) != (b"transfer-encoding", b"chunked"):
        raise Ambiguous(head)
    while chunk := _CHUNK.match(rest):
        size, rest = int(chunk[1], 16), rest[chunk.end() :]
        if not size:
            end = re.match(rb"(?:[^\r\n]+\r\n)*\r\n", rest)
            return rest[end.end() :] if end else None
        if len(rest) >= size + 2 and rest[size : size + 2] != b"\r\n":
            raise Ambiguous(rest)
        rest = rest[size + 2 :]
    return None


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
