"""Backends for the gateway's tests: real listeners that remember each octet they were sent.

Law: a backend is a function of one connection, run in a thread of its own; what it gets wrong is on purpose.
"""

import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

LONG = 20.0  # seconds; a deadline, never a pace


@dataclass
class Message:
    """One request as it came: its head, its body without chunk framing, and what ended a chunked body."""

    head: bytes
    body: bytes = b""
    trailers: bytes = b""

    @property
    def line(self) -> bytes:
        return self.head.partition(b"\r\n")[0]

    def values(self, name: bytes) -> list[bytes]:
        return re.findall(rb"(?im)^%b: *(.*?)\r$" % re.escape(name), self.head)

    def value(self, name: bytes) -> bytes | None:
        found = self.values(name)
        return found[0] if found else None


class Wire:
    """One connection, as a backend sees it. EOFError when the peer has ended it."""

    def __init__(self, sock: socket.socket, raw: bytearray) -> None:
        self.sock, self._raw, self._rest = sock, raw, b""

    def until(self, mark: bytes) -> bytes:
        while mark not in self._rest:
            self._more()
        at = self._rest.index(mark) + len(mark)
        found, self._rest = self._rest[:at], self._rest[at:]
        return found

    def exactly(self, count: int) -> bytes:
        while len(self._rest) < count:
            self._more()
        found, self._rest = self._rest[:count], self._rest[count:]
        return found

    def _more(self) -> None:
        data = self.sock.recv(65536)
        if not data:
            raise EOFError
        self._raw += data
        self._rest += data

    def pending(self) -> bytes:
        """What came already, behind what was asked for."""
        found, self._rest = self._rest, b""
        return found

    def head(self) -> Message:
        return Message(self.until(b"\r\n\r\n"))

    def message(self) -> Message:
        got = self.head()
        if (got.value(b"transfer-encoding") or b"").lower() == b"chunked":
            while size := int(self.until(b"\r\n").split(b";")[0], 16):
                got.body += self.exactly(size + 2)[:-2]
            while (line := self.until(b"\r\n")) != b"\r\n":
                got.trailers += line
        else:
            got.body = self.exactly(int(got.value(b"content-length") or 0))
        return got

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def reply(self, body: bytes = b"", status: bytes = b"200 OK", fields: bytes = b"") -> None:
        self.send(b"HTTP/1.1 %b\r\n%bContent-Length: %d\r\n\r\n%b" % (status, fields, len(body), body))


Play = Callable[["Backend", Wire], None]


def echo(backend: "Backend", wire: Wire) -> None:
    """Answers each request with the backend's name, and remembers it."""
    while True:
        got = wire.message()
        backend.messages.append(got)
        if got.line.startswith(b"HEAD "):
            wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
        else:
            wire.reply(backend.name.encode())


@dataclass
class Backend:
    """A listener. `raw` has one entry per connection: all octets that came on it."""

    name: str
    play: Play = echo
    port: int = 0
    messages: list[Message] = field(default_factory=list)
    raw: list[bytearray] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=512)
        self.port = self._listener.getsockname()[1]
        self._open: set[socket.socket] = set()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                sock, _ = self._listener.accept()
                self._open.add(sock)
                self.raw.append(bytearray())
                threading.Thread(target=self._serve, args=(sock, self.raw[-1]), daemon=True).start()

    def _serve(self, sock: socket.socket, raw: bytearray) -> None:
        sock.settimeout(LONG)
        with suppress(OSError, EOFError), sock:
            self.play(self, Wire(sock, raw))
        self._open.discard(sock)

    @property
    def connected(self) -> int:
        """How many connections there are."""
        return len(self._open)

    def cut(self) -> None:
        """Resets all connections; the listener stays."""
        for sock in list(self._open):
            with suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                sock.shutdown(socket.SHUT_RDWR)

    def stop(self) -> None:
        """No listener any more, and no connection."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()


@contextmanager
def running(*plays: tuple[str, Play] | str) -> Iterator[list[Backend]]:
    """Backends with these names: each an echo, or what is said with its name."""
    made = [Backend(each) if isinstance(each, str) else Backend(*each) for each in plays]
    try:
        yield made
    finally:
        for each in made:
            each.stop()
