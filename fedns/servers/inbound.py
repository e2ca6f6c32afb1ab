"""A client's connection: its requests taken apart, one answered after the other.

Law: what comes in one read is gathered while it is parsed (llhttp, strict), and acted on afterwards. One
request is under way; those that came behind it in the same read wait, and nothing more is read meanwhile.
What cannot be understood is answered in its turn, and ends the connection.
"""

import asyncio
from collections import deque
from typing import cast

import httptools

from fedns.gateway import normal
from fedns.servers import framing
from fedns.servers.exchange import Exchange, Request
from fedns.servers.hall import Hall

_UNKNOWN = "Invalid method encountered"


class Inbound(asyncio.Protocol):
    """`due` is when patience ends, for whatever is waited for now."""

    __slots__ = (
        "_deaf",
        "_eof",
        "_fed",
        "_headers",
        "_held",
        "_parser",
        "_parsing",
        "_url",
        "_waiting",
        "client",
        "due",
        "exchange",
        "hall",
        "identity",
        "secure",
        "transport",
    )

    def __init__(self, hall: Hall) -> None:
        self.hall = hall
        self.transport: asyncio.Transport = cast(asyncio.Transport, None)
        self.exchange: Exchange | None = None
        self._parser = httptools.HttpRequestParser(self)
        self._waiting: deque[Exchange] = deque()
        self._parsing: Exchange | None = None
        self._url, self._fed = b"", 0
        self._headers: list[framing.Field] = []
        self._deaf = self._eof = self._held = False
        self.client, self.secure, self.identity = "", False, b""
        self.due = hall.now + hall.terms.head_time

    # What the transport says.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        peer, own = transport.get_extra_info("peername"), transport.get_extra_info("sockname")
        self.client = peer[0].partition("%")[0] if peer else ""
        scheme = b"https" if self.secure else b"http"
        name = self.client.encode()
        pairs = zip(framing.FORWARDED[::2], (name, b"%d" % own[1]), strict=True)
        lines = [name + b": " + value for name, value in pairs]
        self.identity = b"\r\n".join((*lines, b"x-forwarded-proto: " + scheme, b"x-real-ip: " + name))
        self.hall.clients.add(self)

    def data_received(self, data: bytes) -> None:
        if self._deaf:
            return
        self._fed += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._misunderstood(error)
        else:
            if self._parsing is None and self._fed > self.hall.terms.head:
                self._refuse(431, "the head is too long")
        exchange = self.exchange
        if exchange is not None:
            if exchange.pieces or exchange.ended:
                exchange.push()
            if self._waiting:
                self.hold()
        elif self._waiting:
            self._next()

    def eof_received(self) -> bool:
        self._eof = True
        if self.exchange is None or not self.exchange.ended:
            return False
        return not self.secure

    def connection_lost(self, exc: Exception | None) -> None:
        self.hall.clients.discard(self)
        self._deaf = True
        exchange, self.exchange = self.exchange, None
        self._waiting.clear()
        if exchange is not None:
            exchange.abandon()

    def pause_writing(self) -> None:
        if self.exchange is not None and self.exchange.outbound is not None:
            self.exchange.outbound.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.exchange is not None and self.exchange.outbound is not None:
            self.exchange.outbound.transport.resume_reading()

    # What the parser says.

    def on_message_begin(self) -> None:
        self._url, self._headers = b"", []
        self._parsing = None

    def on_url(self, text: bytes) -> None:
        self._url += text

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._parsing is None:
            self._headers.append((name.lower(), value))
        else:
            self._parsing.trailers.append((name, value))

    def on_headers_complete(self) -> None:
        parser, headers = self._parser, self._headers
        request = Request(parser.get_method(), self._url, headers)
        request.keep = parser.should_keep_alive()
        version = parser.get_http_version()
        request.old = version != "1.1"
        try:
            if version not in ("1.1", "1.0"):
                raise normal.Rejected(505, "HTTP/1.1 is spoken here")
            self._bounded(request)
            request.length = self._framed(request)
        except normal.Rejected as no:
            request.refusal = no
        self._parsing = made = Exchange(self, request)
        self._waiting.append(made)
        self._fed = 0

    def on_body(self, piece: bytes) -> None:
        assert self._parsing is not None
        self._parsing.pieces.append(piece)

    def on_message_complete(self) -> None:
        assert self._parsing is not None
        self._parsing.ended = True
        self._fed = 0

    def _bounded(self, request: Request) -> None:
        terms = self.hall.terms
        if len(request.target) > terms.target:
            raise normal.Rejected(414, "the target is too long")
        if len(request.headers) > terms.fields:
            raise normal.Rejected(431, "too many header fields")
        if self._fed > terms.head:
            octets = sum(len(name) + len(value) + 4 for name, value in request.headers)
            if octets > terms.head:
                raise normal.Rejected(431, "the head is too long")

    def _framed(self, request: Request) -> int:
        """How the body ends. llhttp has refused what contradicts itself."""
        length, coded = framing.NO_BODY, False
        for name, value in request.headers:
            if name == b"content-length":
                length = int(value)
            elif name == b"transfer-encoding":
                if request.old:
                    raise normal.Rejected(400, "HTTP/1.0 knows no transfer codings")
                if coded or value.strip(b" \t").lower() != b"chunked":
                    raise normal.Rejected(501, "the one transfer coding known is chunked")
                coded = True
        return framing.CHUNKED if coded else length

    # What becomes of it.

    def _misunderstood(self, error: Exception) -> None:
        parsing = self._parsing
        if parsing is not None and not parsing.ended and parsing is self.exchange:
            self._deaf = True
            parsing.broken()
            return
        self._refuse(501 if _UNKNOWN in str(error) else 400, str(error))

    def _refuse(self, status: int, why: str) -> None:
        """The answer to what is no request, in its turn."""
        self._deaf = True
        if self._parsing is not None and not self._parsing.ended and self._waiting:
            self._waiting.pop()
        request = Request(b"", b"", [])
        request.refusal = normal.Rejected(status, why)
        self._waiting.append(Exchange(self, request))

    def _next(self) -> None:
        self.exchange = self._waiting.popleft()
        self.exchange.begin()

    def done(self, exchange: Exchange) -> None:
        """The answer is written."""
        self.exchange = None
        if not exchange.request.keep or self._eof:
            self._part()
        elif self._waiting:
            self.hall.loop.call_soon(self._on)
        else:
            self.due = self.hall.now + self.hall.terms.idle
            self.go_on()

    def _on(self) -> None:
        if self.exchange is None and self._waiting and not self.transport.is_closing():
            self._next()

    def _part(self) -> None:
        """Ends it so that the last answer is read: what still comes is thrown away for a while."""
        self._deaf = True
        self._waiting.clear()
        if self._eof or self.secure or not self.transport.can_write_eof():
            self.transport.close()
            return
        self.transport.write_eof()
        self.due = self.hall.now + self.hall.terms.linger
        self.go_on()

    def hold(self) -> None:
        """Reads nothing more."""
        if not self._held:
            self._held = True
            self.transport.pause_reading()

    def go_on(self) -> None:
        if self._held and not self._waiting:
            self._held = False
            self.transport.resume_reading()

    def abort(self) -> None:
        """Ends it so that the client sees that the answer is not whole."""
        self.exchange = None
        self._deaf = True
        self.transport.abort()

    def expire(self) -> None:
        """Patience ended."""
        if self.exchange is not None:
            self.exchange.expire()
        elif self._deaf or not self._fed:
            self.transport.close()
        else:
            self._refuse(408, "the head did not come")
            self._next()
