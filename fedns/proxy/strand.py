"""One stream of a client's HTTP/2 connection: a request among others, and its answer.

Law: to an exchange a stream is what a connection of HTTP/1.1 is; only how an answer is written differs. What
is not taken on is not acknowledged, so that the client's window holds it back. A stream that ends before its
answer is a request given up.
"""

import logging
import ssl
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from fedns import logs
from fedns.proxy import accesslog, crossing, framing, weave
from fedns.proxy.exchange import Exchange
from fedns.proxy.outbound import Outbound
from fedns.proxy.relay import Relay
from fedns.proxy.request import Request

if TYPE_CHECKING:
    from fedns.proxy.braid import Braid

NO_ERROR, INTERNAL_ERROR, CANCEL = 0, 2, 8
"""RFC 9113 section 7."""

_log = logging.getLogger("fedns.gateway")


class Passage(Exchange):
    """A request that came on a stream. `_over`: the answer's head was its end."""

    __slots__ = ("_over", "strand")

    def __init__(self, strand: "Strand", request: Request) -> None:
        super().__init__(strand, request)
        self.strand = strand
        self.chunks = self._over = False

    def limit(self, seconds: float) -> None:
        """Not longer than a caller waits."""
        asked = crossing.patience(self.request)
        super().limit(min((each for each in (seconds, asked) if each), default=0.0))

    def write(self, data: bytes) -> None:
        if data:
            self.sent += len(data)
            self.strand.send(data)

    def _answer(self, outbound: Outbound) -> bytes:
        self.started, self.status = True, outbound.status
        lines = outbound.lines if self.plain else self.dressed(outbound.lines)
        self._over = outbound.ended and not outbound.pieces and not outbound.trailers
        self.strand.answer(crossing.answer(outbound.status, lines), self._over)
        return b""

    def interim(self, outbound: Outbound) -> None:
        if not self.started:
            self.strand.interim(crossing.answer(outbound.status, outbound.lines))

    def _finish(self, outbound: Outbound) -> None:
        if not self._over:
            self.strand.finish(crossing.trailers(outbound.trailers))
        super()._finish(outbound)

    def tell(self, status: int, fields: Sequence[framing.Field], text: bytes) -> None:
        strand, request = self.strand, self.request
        if crossing.calls(request):
            late = self.inbound.hall.now >= self._until
            strand.answer(crossing.failed(status, framing.REASONS.get(status, b""), late), True)
            return
        bare = not text or self.head_only
        strand.answer(crossing.own(status, fields, len(text)), bare)
        if not bare:
            self.write(text)
            strand.finish([])

    def _entry(self, rule: bytes, member: str, status: int, seconds: float) -> accesslog.Entry:
        return super()._entry(rule, member, status, seconds)._replace(version="2")


class Strand:
    """`number` is the stream's id, `open` until both sides have ended it; `ended`: the client has."""

    __slots__ = (
        "_held",
        "_owed",
        "asked",
        "braid",
        "clogged",
        "due",
        "ended",
        "exchange",
        "hall",
        "number",
        "open",
        "peer",
        "sender",
        "transport",
        "trusted",
    )

    def __init__(self, braid: "Braid", number: int, request: Request) -> None:
        self.braid, self.number = braid, number
        self.hall, self.transport, self.asked = braid.hall, braid.transport, braid.asked
        self.peer, self.sender, self.trusted = braid.peer, braid.sender, braid.trusted
        self.due = braid.hall.now + braid.hall.terms.idle
        self.clogged, self.ended, self.open = False, False, True
        self._held, self._owed = False, 0
        self.exchange: Passage | None = Passage(self, request)

    @property
    def shown(self) -> ssl.SSLObject | None:
        return self.braid.shown

    # What the client sends.

    def begin(self, ended: bool) -> None:
        exchange = self.exchange
        assert exchange is not None
        exchange.ended = self.ended = ended
        exchange.begin()

    def took(self, piece: bytes, ended: bool) -> None:
        """A part of the body."""
        self._owed += len(piece)
        exchange, self.ended = self.exchange, ended
        if exchange is None:
            self._repay()
            return
        exchange.ended = ended
        if piece:
            exchange.pieces.append(piece)
        if exchange.decision is not None:
            exchange.push()
        if not self._held:
            self._repay()

    def trailed(self, fields: Sequence[framing.Field]) -> None:
        """What follows the body."""
        exchange, self.ended = self.exchange, True
        if exchange is not None:
            exchange.trailers = list(fields)
            exchange.ended = True
            exchange.push()

    def hold(self) -> None:
        self._held = True

    def go_on(self) -> None:
        self._held = False
        self._repay()

    def _repay(self) -> None:
        owed, self._owed = self._owed, 0
        if owed and self.braid.live:
            self.braid.session.acknowledge_received_data(owed, self.number)
            self.braid.wake()

    def closed(self) -> None:
        """The stream is no more."""
        self.open, exchange = False, self.exchange
        self.exchange = None
        self._repay()
        if exchange is not None:
            exchange.abandon()
            exchange.settle()

    # What the client gets.

    def _tell(self, call: Callable[..., None], *what: object, **how: bool) -> None:
        """Has the library say it; where it will not, the connection ends, and nobody else is troubled."""
        if not self.open or not self.braid.live:
            return
        try:
            call(self.number, *what, **how)
        except weave.Broken as error:
            self.hall.tally.count("unsayable")
            self.open = False
            _log.error("HTTP/2 to a client", extra=logs.fields(error=str(error)))
            self.transport.abort()
            return
        self.braid.stir(self)

    def answer(self, fields: list[framing.Field], over: bool) -> None:
        self._tell(self.braid.session.send_response, fields, end_stream=over)

    def interim(self, fields: list[framing.Field]) -> None:
        self._tell(self.braid.session.send_informational_response, fields)

    def send(self, data: bytes) -> None:
        self._tell(self.braid.session.send_data, data)

    def finish(self, trailers: list[framing.Field]) -> None:
        if trailers:
            self._tell(self.braid.session.send_trailers, trailers)
        else:
            self._tell(self.braid.session.end_stream)

    def full(self) -> None:
        """More is written than the client takes."""
        if self.exchange is not None and self.exchange.outbound is not None:
            self.exchange.outbound.transport.pause_reading()

    def drained(self) -> None:
        if self.exchange is not None and self.exchange.outbound is not None:
            self.exchange.outbound.transport.resume_reading()

    def emptied(self) -> None:
        if self.exchange is None and self.open and not self.ended:
            self.reset(NO_ERROR)  # the answer is whole: no more of the body (RFC 9113 section 8.1)

    # The end.

    def done(self, exchange: Relay) -> None:
        """The answer is written."""
        self.exchange = None
        self._held = False
        self._repay()
        exchange.settle()
        self.due = self.hall.now + self.hall.terms.idle

    def abort(self) -> None:
        """The client is to see that the answer is not whole."""
        exchange, self.exchange = self.exchange, None
        self.reset(INTERNAL_ERROR)
        self._repay()
        if exchange is not None:
            exchange.settle()

    def reset(self, code: int) -> None:
        self._tell(self.braid.session.reset_stream, code)
        if self.open:
            self.open = False
            self.braid.forgo(self)

    def tunnel(self, outbound: Outbound) -> None:
        """No stream is one."""
        raise AssertionError

    def ceased(self) -> bool:
        return False

    def expire(self) -> None:
        if self.exchange is not None:
            self.exchange.expire()
        else:
            self.reset(CANCEL)
