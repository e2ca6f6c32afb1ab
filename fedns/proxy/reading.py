"""What a client says, taken apart: heads, bodies, trailers (llhttp, strict).

Law: nothing is acted on here. A body of known length is counted, not parsed: llhttp sees what came with its
head, and another parser what follows it.
"""

from collections import deque
from typing import TYPE_CHECKING

import httptools

from fedns.gateway.normal import Rejected
from fedns.proxy import framing
from fedns.proxy.exchange import Exchange
from fedns.proxy.request import Request

if TYPE_CHECKING:
    from fedns.proxy.inbound import Inbound

KINDS = framing.KINDS
_NOTHING = Request()


class Reading:
    """`fed`: octets since a head began, or since a body went on last; `parsing`: whose head came last, and
    `rest`: octets of its body that are still to come, where it said how many. Requests go to `made`."""

    __slots__ = ("_asker", "_made", "_over", "_parser", "_request", "fed", "parsing", "rest")

    def __init__(self, asker: "Inbound", made: deque[Exchange]) -> None:
        self._asker, self._made = asker, made
        self._parser = httptools.HttpRequestParser(self)
        self.parsing: Exchange | None = None
        self._over = False
        self._request, self.fed, self.rest = _NOTHING, 0, 0

    def feed(self, data: bytes) -> None:
        """httptools.HttpParserError: it cannot be understood; HttpParserUpgrade: it is something else."""
        if data:
            if self._over and data.strip(b"\r\n"):
                raise httptools.HttpParserError("something follows the last request")
            self.fed += len(data)
            self._parser.feed_data(data)

    def afresh(self, data: memoryview) -> None:
        """The same, whatever came before."""
        self._parser = httptools.HttpRequestParser(self)
        self._parser.feed_data(data)

    def passed(self, data: bytes) -> bytes:
        """What is left after the body that goes on here."""
        parsing, rest = self.parsing, self.rest
        assert parsing is not None
        parsing.pieces.append(data if len(data) <= rest else data[:rest])
        self.rest = max(rest - len(data), 0)
        if not self.rest:
            parsing.ended = True
            self._over = not self._parser.should_keep_alive()
            self._parser = httptools.HttpRequestParser(self)
        return data[rest:]

    def on_message_begin(self) -> None:
        self._request, self.parsing = Request(), None

    def on_url(self, text: bytes) -> None:
        self._request.target += text

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.parsing is not None:
            if name.lower() in framing.HOP:
                raise Rejected(400, "a trailer about framing or the connection")
            self.parsing.trailers.append((name, value))
            return
        request, name = self._request, name.lower()
        kind = KINDS[name]
        if kind == framing.PASSES:
            request.lines.append(name + b": " + value)
        elif kind == framing.MARKED:
            request.marked.append((name, value))
        else:
            request.lookalike = True
        request.headers.append((name, value))

    def on_headers_complete(self) -> None:
        parser, request, asker = self._parser, self._request, self._asker
        asker.first = False
        request.method = parser.get_method()
        request.keep = parser.should_keep_alive()
        try:
            request.bounded(self._asker.hall.terms, self.fed)
            request.read(parser.get_http_version(), parser.should_upgrade())
        except Rejected as no:
            request.refusal = no
        self.parsing = made = Exchange(asker, request)
        self._made.append(made)
        self.fed, self.rest = 0, max(request.length, 0)

    def on_body(self, piece: bytes) -> None:
        assert self.parsing is not None
        self.parsing.pieces.append(piece)
        self.fed = 0
        if self.rest:
            self.rest -= len(piece)

    def on_message_complete(self) -> None:
        assert self.parsing is not None
        if len(self.parsing.trailers) > self._asker.hall.terms.fields:
            raise Rejected(431, "too many trailers")
        self.parsing.ended = True
        self.fed = 0
