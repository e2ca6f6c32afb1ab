"""A connection to a backend: its answers taken apart.

Law: one exchange at a time, and between two of them not one octet. What comes in one read is gathered while
it is parsed, and handed on once. Only a connection on which request and answer ended as framed, with nothing
behind, is used again. The parser (llhttp) does not know what was asked: an answer to HEAD ends with its head,
and the parser goes with it. A body of known length is counted: the parser sees what came with its head.
"""

import asyncio
from typing import TYPE_CHECKING, NamedTuple, Protocol, cast

import httptools

from fedns.gateway.options import Upstream
from fedns.proxy import framing

if TYPE_CHECKING:
    from fedns.proxy.swift import Ride

MAX_HEAD = 64 << 10  # octets of the head of an answer, and of its trailers
MAX_FIELDS = 200
HOP = framing.HOP
_REASONS = frozenset(framing.REASONS.values())
_PRINTABLE = bytes((9, *range(32, 127), *range(128, 256)))
MAX_INTERIM = 16  # answers of 1xx before the final one: a backend may not keep us busy with them


class Key(NamedTuple):
    """Where a connection leads; `upstream` where it is over TLS, and the `name` that is asked for then.
    `shared`: HTTP/2."""

    address: str
    port: int
    upstream: Upstream | None = None
    name: str = ""
    shared: bool = False


class Broken(Exception):
    """The backend does not speak HTTP/1.1, or not within bounds."""


class Keeper(Protocol):
    """Whose connections these are."""

    def gone(self, outbound: "Outbound") -> None: ...


class Taker(Protocol):
    """Who gets what comes back."""

    head_only: bool
    """HEAD was asked: no answer has a body."""

    def arrived(self, outbound: "Outbound") -> None: ...
    def interim(self, outbound: "Outbound") -> None: ...
    def switched(self, outbound: "Outbound", rest: bytes) -> None: ...
    def ceased(self, outbound: "Outbound") -> bool:
        """It has no more to say on a tunnel. Whether it is listened for."""

    def lost(self, outbound: "Outbound", why: str) -> None: ...
    def full(self) -> None: ...
    def drained(self) -> None: ...


class Outbound(asyncio.Protocol):
    """`pieces` and `ended` are what came since they were taken; `length` frames the answer's body. `lines` go
    on, `marked` stay on this connection; `dated`: Date goes on. `shared`: it is one stream of HTTP/2."""

    shared = refused = False

    __slots__ = (
        "_fed",
        "_interim",
        "_parser",
        "_rest",
        "_tunnel",
        "dated",
        "depot",
        "ended",
        "fresh",
        "garbled",
        "headed",
        "key",
        "length",
        "lines",
        "lost",
        "marked",
        "persists",
        "pieces",
        "reason",
        "ride",
        "status",
        "taker",
        "trailers",
        "transport",
        "unbounded",
        "until",
        "used",
    )

    def __init__(self, depot: Keeper, key: Key) -> None:
        self.depot, self.key = depot, key
        self.transport: asyncio.Transport = cast(asyncio.Transport, None)
        self.used, self.until = 0, 0.0
        self.lost = self.garbled = self._tunnel = False
        self._parser = httptools.HttpResponseParser(self)
        self._fed = self._interim = 0
        self.begin()

    def begin(self) -> None:
        """Ready for the next answer."""
        self.taker: Taker | None = None
        self.ride: Ride | None = None
        self.status, self.reason = 0, b""
        self.lines: list[bytes] = []
        self.marked: list[framing.Field] = []
        self.trailers: list[framing.Field] = []
        self.pieces: list[bytes] = []
        self.length, self.unbounded = framing.NO_BODY, False
        self.dated = self.headed = self.fresh = self.ended = self.persists = False
        self._fed = self._interim = self._rest = 0

    # What the transport says.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        taker = self.taker
        if taker is None:  # nobody asked
            self.transport.abort()
            return
        if self.ride is not None:
            ride, self.ride = self.ride, None
            if ride.answered(self, data):
                return
            taker = cast(Taker, self.taker)
        if self._rest or self._tunnel:
            self._passes(data)
            taker.arrived(self)
            return
        try:
            self._parser.feed_data(data)
            if not self.headed:
                self._bounded(len(data))
            elif taker.head_only and data.find(b"\r\n\r\n") != len(data) - 4:
                self.persists = False  # more than a head, or nearly so
        except httptools.HttpParserUpgrade as stopped:
            self._tunnel = True
            taker.switched(self, data[stopped.args[0] :])
            return
        except httptools.HttpParserError as error:
            if not self.ended:
                self.fail(str(error))
                return
            self.persists = False  # more than the answer
        if self.fresh or self.pieces or self.ended:
            if self.fresh and self.length > 0 and not self.ended:
                self._rest = self.length - sum(map(len, self.pieces))
            taker.arrived(self)

    def _passes(self, data: bytes) -> None:
        """Octets that nobody has to understand: of a tunnel, or of a body whose length is known."""
        if self._rest:
            self._rest -= len(data)
            if self._rest < 0:
                self.persists = False  # more than the answer
                data, self._rest = data[: self._rest], 0
            if not self._rest:
                self._spent()
        self.pieces.append(data)

    def eof_received(self) -> bool:
        if self.headed and not self.ended and self.length == framing.TO_THE_END and self.taker is not None:
            self.ended = True
            self.taker.arrived(self)
        return self._tunnel and self.taker is not None and self.taker.ceased(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        self.depot.gone(self)
        taker, self.taker = self.taker, None
        if taker is not None and not self.ended:
            taker.lost(self, str(exc) if exc else "closed")

    def pause_writing(self) -> None:
        if self.taker is not None:
            self.taker.full()

    def resume_writing(self) -> None:
        if self.taker is not None:
            self.taker.drained()

    def fail(self, why: str) -> None:
        """What it says cannot be gone on with."""
        taker, self.taker = self.taker, None
        self.garbled = True
        self.transport.abort()
        if taker is not None:
            taker.lost(self, why)

    # What the parser says.

    def on_message_begin(self) -> None:
        if self.ended:
            self.persists = False
            raise Broken("more than one answer")

    def on_status(self, text: bytes) -> None:
        if text not in _REASONS and text.translate(None, _PRINTABLE):
            raise Broken("a reason that cannot be printed")
        self.reason += text

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.headed:
            lower = name.lower()
            if lower in HOP:
                self.marked.append((lower, value))
            else:
                self.lines.append(name + b": " + value)
                if lower == b"date":
                    self.dated = True
            return
        if name.lower() in HOP:  # llhttp believes it, or a part of it
            self.persists = False
        self.trailers.append((name, value))
        self._fed += len(name) + len(value)
        if len(self.trailers) > MAX_FIELDS or self._fed > MAX_HEAD:
            raise Broken("too many trailers")

    def on_headers_complete(self) -> None:
        self.status = status = self._parser.get_status_code()
        if status < 200 and status != 101:
            if status < 100:
                raise Broken("a status that is none")
            return
        self.headed = self.fresh = True
        self.persists = self._parser.should_keep_alive()
        if len(self.lines) + len(self.marked) > MAX_FIELDS:
            raise Broken("too many fields")
        self.length = length = self._framed(status)
        self.unbounded = length in (framing.CHUNKED, framing.TO_THE_END)
        if self.length == framing.NO_BODY and self.taker is not None and self.taker.head_only:
            self._spent()

    def on_body(self, piece: bytes) -> None:
        if self.ended:
            raise Broken("an answer without a body has one")
        self.pieces.append(piece)

    def on_message_complete(self) -> None:
        if self.headed:
            self.ended = True
            return
        self._interim += 1
        if self._interim > MAX_INTERIM:
            raise Broken("too many interim answers")
        if any(
            name == b"transfer-encoding" or (name == b"content-length" and int(value))
            for name, value in self.marked
        ):
            raise Broken("an interim answer with a body")
        if self.taker is not None and self.status != 101:
            self.taker.interim(self)
        self.lines, self.marked, self.reason = [], [], b""

    def _framed(self, status: int) -> int:
        """How the body ends, as the marked fields say; llhttp has refused what contradicts itself."""
        length, coded, gone = framing.TO_THE_END, False, []
        for name, value in self.marked:
            if name == b"content-length":
                length = int(value)
                if status != 204:
                    self.lines.append(b"Content-Length: " + value)
            elif name == b"connection":
                gone.append(value)
                if b"close" in value.lower():  # whatever else it says, or said before
                    self.persists = False
            elif name == b"transfer-encoding":
                if coded or value.strip().lower() != b"chunked":
                    raise Broken("a transfer coding that is not chunked")
                coded = True
        names = framing.nominated(gone) if gone else None
        if names:
            self.lines = framing.without(self.lines, names)
        if coded and self._parser.get_http_version() == "1.0":
            raise Broken("a transfer coding in HTTP/1.0")
        if status == 204 and (coded or length > 0):
            self.persists = False  # it may come all the same
        if status in (101, 204, 304) or (self.taker is not None and self.taker.head_only):
            return framing.NO_BODY
        return framing.CHUNKED if coded else length

    def _spent(self) -> None:
        """The answer is over, and llhttp waits for a body that it does not get."""
        self.ended = True
        self._parser = httptools.HttpResponseParser(self)

    def _bounded(self, octets: int) -> None:
        self._fed += octets
        if self._fed > MAX_HEAD:
            self.fail("the head is too long")
