"""The way of an answer back to the client.

Law: what came in one read goes out in one write. After the first octet of an answer there is no other try:
what breaks then is broken off, so that the client sees it. Neither side is read faster than the other side
takes it.
"""

from math import inf
from typing import TYPE_CHECKING

from fedns.gateway.options import Options
from fedns.proxy import framing
from fedns.proxy.outbound import Outbound
from fedns.proxy.request import Request

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fedns.proxy.guest import Asker

_USUAL = Options()
_TEXT = (b"Content-Type", b"text/plain; charset=utf-8")


class Relay:
    """`chunks`: the client frames bodies without a length by chunks. `ended`: the request came whole.
    `started`: of the answer something went out; `sent` counts octets. `status` is the answer's. `stuck`: the
    backend takes nothing more. `plain`: nothing about it is changed."""

    __slots__ = (
        "_until",
        "chunks",
        "ended",
        "head_only",
        "inbound",
        "options",
        "outbound",
        "plain",
        "request",
        "sent",
        "started",
        "status",
        "stuck",
        "tunnel",
    )

    def __init__(self, inbound: "Asker", request: Request) -> None:
        self.inbound, self.request = inbound, request
        self.head_only = request.method == b"HEAD"
        self.options = _USUAL
        self.outbound: Outbound | None = None
        self.status = self.sent = 0
        self.ended = self.started = self.tunnel = self.stuck = False
        self.plain, self._until = True, inf
        self.chunks = not request.old

    def patience(self, seconds: float) -> None:
        """Something moved; the next thing has to within so long."""
        due = self.inbound.hall.now + seconds
        self.inbound.due = due if due < self._until else self._until

    def limit(self, seconds: float) -> None:
        """It may take so long as a whole; 0: any time."""
        if seconds:
            self._until = self.inbound.hall.now + seconds
        self.patience(self.options.timeouts.read)

    def write(self, data: bytes) -> None:
        """Octets for the client."""
        self.sent += len(data)
        self.inbound.transport.write(data)

    # What the backend says.

    def arrived(self, outbound: Outbound) -> None:
        """Sends on what came."""
        inbound = self.inbound
        if self.tunnel:
            self.patience(inbound.hall.terms.quiet)
            self.write(b"".join(outbound.pieces))
            outbound.pieces.clear()
            return
        parts: list[bytes] = []
        if outbound.fresh:
            outbound.fresh = False
            if not self.plain and self.unwanted(outbound):
                return
            self.answered(outbound.status)
            if outbound.status == 101:
                outbound.fail("switched without being asked")
                return
            if not outbound.dated:  # RFC 9110 section 6.6.1
                outbound.lines.append(b"Date: " + inbound.hall.date())
            parts.append(self._answer(outbound))
        chunked = outbound.unbounded and self.chunks
        if outbound.pieces:
            parts += [framing.chunk(each) for each in outbound.pieces] if chunked else outbound.pieces
            outbound.pieces = []
        if outbound.ended and chunked:
            parts.append(framing.last(outbound.trailers))
        self.patience(self.options.timeouts.read)
        self.write(b"".join(parts))
        if outbound.ended:
            self._finish(outbound)

    def _answer(self, outbound: Outbound) -> bytes:
        self.started, request = True, self.request
        self.status = status = outbound.status
        old = request.old
        if not self.ended or request.websocket or (old and outbound.unbounded) or self.inbound.hall.draining:
            request.keep = False
        end = framing.ending(outbound.unbounded and not old, request.keep, old)
        lines = outbound.lines if self.plain else self.dressed(outbound.lines)
        return framing.answer(b"%d %b" % (status, outbound.reason), lines, end)

    def dressed(self, lines: list[bytes]) -> list[bytes]:
        """Fields of the backend's answer as the location wants them."""
        return lines

    def answered(self, status: int) -> None:
        """The backend's answer has begun."""

    def unwanted(self, outbound: Outbound) -> bool:
        """Whether somebody else is asked instead."""
        return False

    def interim(self, outbound: Outbound) -> None:
        """100 and 103 go on to who understands them."""
        if not self.request.old and not self.started:
            said = b"%d %b" % (outbound.status, outbound.reason)
            self.write(framing.answer(said, outbound.lines, b"\r\n"))

    def switched(self, outbound: Outbound, rest: bytes) -> None:
        """From here on octets are octets, if that is what was asked for."""
        agreed = [value.lower() for name, value in outbound.marked if name == b"upgrade"]
        if not self.request.websocket or agreed != [framing.WEBSOCKET]:
            outbound.fail("switched without being asked")
            return
        self.started = self.tunnel = True
        outbound.ended, self._until = False, inf
        self.status, self.request.keep = 101, False
        self.patience(self.inbound.hall.terms.quiet)
        head = framing.switched(b"101 " + outbound.reason, outbound.lines)
        self.write(head + rest)
        self.inbound.tunnel(outbound)

    def ceased(self, outbound: Outbound) -> bool:
        """The backend has said all on a tunnel, and may be told more."""
        return self.inbound.ceased()

    def full(self) -> None:
        self.stuck = True
        self.inbound.hold()
        self.patience(self.options.timeouts.send)

    def drained(self) -> None:
        self.stuck = False
        self.inbound.go_on()
        self.patience(self.options.timeouts.read)

    # The end.

    def say(self, status: int, fields: "Sequence[framing.Field]" = (), text: bytes = b"") -> None:
        """An answer of our own, instead of a backend's."""
        request = self.request
        if not self.ended or request.websocket or self.inbound.hall.draining:
            request.keep = False
        self.status, self.started = status, True
        if not text:
            text, fields = framing.REASONS.get(status, b"") + b"\n", (*fields, _TEXT)
        if status == 204:
            text = b""
        fields = (*fields, (b"Date", self.inbound.hall.date()))
        self.tell(status, fields, text)
        self.released()
        self.inbound.done(self)

    def tell(self, status: int, fields: "Sequence[framing.Field]", text: bytes) -> None:
        """Writes an answer of our own; to HEAD without its text, of which the length is told all the same."""
        said = framing.own(status, fields, text, self.request.keep)
        self.write(said[: len(said) - len(text)] if self.head_only else said)

    def _finish(self, outbound: Outbound) -> None:
        self.outbound = outbound.taker = None
        if outbound.persists and self.ended and (self.plain or self._again_used(outbound)):
            if self.inbound.clogged:  # by the end of this very answer
                outbound.transport.resume_reading()
            self.inbound.hall.depot.give(outbound)
        else:
            outbound.transport.close()
        self.released()
        self.inbound.done(self)

    def turn_away(self, outbound: Outbound) -> None:
        """An answer that is not passed on. The connection may be used again if that was all of it."""
        self.outbound = outbound.taker = None
        if outbound.ended and outbound.persists and self.ended and self._again_used(outbound):
            self.inbound.hall.depot.give(outbound)
        else:
            outbound.transport.abort()

    def _again_used(self, outbound: Outbound) -> bool:
        """Whether another request may go over it."""
        most = self.options.upstream.requests
        return not most or outbound.shared or outbound.used + 1 < most

    def abandon(self) -> None:
        """The client is gone, or cannot be understood any more."""
        outbound, self.outbound = self.outbound, None
        if outbound is not None:
            outbound.taker = None
            if self.tunnel:  # what was said last is to arrive
                outbound.transport.close()
                hall = self.inbound.hall
                hall.loop.call_later(hall.terms.linger, outbound.transport.abort)
            else:
                outbound.transport.abort()
        self.released()

    def give_up(self, status: int) -> None:
        """Ends it, with this answer if there was none."""
        waiting = not self.started
        self.abandon()
        if waiting:
            self.request.keep = False
            self.say(status)
        else:
            self.inbound.abort()

    def released(self) -> None:
        """Nothing is under way any more."""

    def settle(self) -> None:
        """It is over: writes down what became of it."""
