"""A client's connection: its requests taken apart, one answered after the other.

Law: what comes in one read is gathered while it is parsed (llhttp, strict), and acted on afterwards. One
request is under way; those that came behind it in the same read wait, and nothing more is read meanwhile.
What cannot be understood is answered in its turn, and ends the connection.
"""

import asyncio
import re
import ssl
from collections import deque
from typing import TYPE_CHECKING, cast

import httptools

from fedns.gateway.normal import Rejected
from fedns.gateway.options import Tls
from fedns.proxy import braid, framing, identity, onward
from fedns.proxy.exchange import Exchange
from fedns.proxy.hall import Hall
from fedns.proxy.outbound import Outbound
from fedns.proxy.reading import Reading
from fedns.proxy.relay import Relay
from fedns.proxy.request import Request
from fedns.proxy.tunnel import Tunnel

if TYPE_CHECKING:
    from fedns.proxy.swift import Ride

_BAD_METHOD = "Invalid method"
_MULTIPLEXED = "Pause on PRI/Upgrade"
_NOBODY = onward.Sender(b"", b"", identity.UNKNOWN, False)
_METHOD = re.compile(rb"(?:\r\n)*[A-Za-z][A-Za-z-]{0,31} ")


class Inbound(asyncio.Protocol):
    """`due` is when patience ends, for whatever is waited for now; `asked` how TLS was opened, if it was."""

    __slots__ = (
        "_deaf",
        "_eof",
        "_heading",
        "_held",
        "_leaving",
        "_quick",
        "_reading",
        "_tunnel",
        "_waiting",
        "asked",
        "clogged",
        "due",
        "exchange",
        "first",
        "hall",
        "peer",
        "sender",
        "transport",
        "trusted",
    )

    def __init__(self, hall: Hall, peer: identity.Peer = identity.UNKNOWN, asked: Tls | None = None) -> None:
        self.hall, self.asked = hall, asked
        self.transport: asyncio.Transport = cast(asyncio.Transport, None)
        self.exchange: Exchange | Ride | None = None
        self._reading: Reading | None = None
        self._leaving: asyncio.TimerHandle | None = None
        self._waiting: deque[Exchange] = deque()
        self._tunnel: Tunnel | None = None
        self.clogged = self._deaf = self._eof = self._held = False
        self._heading = self.first = self._quick = True
        self.peer, self.sender, self.trusted = peer, _NOBODY, False
        self.due = hall.now + hall.terms.head_time

    # What the transport says.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        peer = self.peer
        if peer is identity.UNKNOWN:
            there, own = transport.get_extra_info("peername"), transport.get_extra_info("sockname")
            peer = self.peer = identity.connected(there, own)
        elif not peer.address:  # of a listener that knows its own
            there = transport.get_extra_info("peername")
            peer = self.peer = identity.connected(there, ("", peer.port))
        self.sender = onward.Sender(identity.own(peer), b"", peer, self.hall.terms.forwarded)
        self.trusted = identity.trusts(self.hall.terms.trusted, peer.address)
        self._quick = not (self.trusted or self.sender.forwarded)
        status = self.hall.enter(self, peer.address, self.trusted)
        if status:
            self.hall.tally.count("crowded" if status == 503 else "crowded_client")
            self._deaf = True
            self.transport.write(framing.own(status, (), framing.REASONS[status] + b"\n", False))
            self.transport.close()

    @property
    def shown(self) -> ssl.SSLObject | None:
        """The client's side of TLS."""
        found: ssl.SSLObject | None = self.transport.get_extra_info("ssl_object")
        return found

    @property
    def idles(self) -> bool:
        """Whether nothing of a request is there."""
        return self.exchange is None and not self._heading

    def data_received(self, data: bytes) -> None:
        if self._deaf:
            if self._tunnel is not None:
                self.due = self.hall.now + self.hall.terms.quiet
                self._tunnel.write(data)
            return
        reading = self._reading
        fresh = self.exchange is None and not self._waiting and (reading is None or not reading.fed)
        if fresh and self._quick and self.hall.lane.takes(self, data):
            self.first = False
            return
        if reading is None:
            reading = self._reading = Reading(self, self._waiting)
        try:
            if reading.rest:
                data = reading.passed(data)
            reading.feed(data)
        except httptools.HttpParserUpgrade as stopped:
            self._others(reading, memoryview(data)[stopped.args[0] :])
        except httptools.HttpParserError as error:
            self._misunderstood(str(error), data, _status(error))
        else:
            if reading.fed > self.hall.terms.head:
                self._misunderstood("too much before a head or a body goes on", data, 431)
        exchange = self.exchange
        if exchange is None:
            if self._waiting:
                self._next()
                if self._waiting:
                    self.hold()
            elif not self._heading:  # the first octets of a head
                self._heading = True
                self.due = self.hall.now + self.hall.terms.head_time
            return
        if exchange.pieces or exchange.ended:
            exchange.push()
        if self._waiting:
            self.hold()

    def eof_received(self) -> bool:
        self._eof = True
        if self._tunnel is not None:
            return self._tunnel.client_ends()
        if self.exchange is None or not self.exchange.ended or self.exchange.tunnel:
            return False
        self._hurry()
        return self.transport.can_write_eof()

    def connection_lost(self, exc: Exception | None) -> None:
        self.hall.leave(self, self.peer.address)
        self._deaf = True
        self._waiting.clear()
        if self._leaving is not None:
            self._leaving.cancel()
        exchange, self.exchange, self._tunnel = self.exchange, None, None
        self._reading = None  # which knows us: without it all this goes at once
        if exchange is not None:
            exchange.abandon()
            exchange.settle()

    def pause_writing(self) -> None:
        self.clogged = True
        if self.exchange is not None and self.exchange.outbound is not None:
            self.exchange.outbound.transport.pause_reading()

    def resume_writing(self) -> None:
        self.clogged = False
        if self.exchange is None:
            self._next()
        elif self.exchange.outbound is not None:
            self.exchange.outbound.transport.resume_reading()

    # What becomes of it.

    def _others(self, reading: Reading, rest: memoryview) -> None:
        """Another protocol was asked for, `rest` follows, and so again as long as requests do so."""
        while self._stopped(reading.parsing, rest):
            try:
                reading.afresh(rest)
            except httptools.HttpParserUpgrade as stopped:
                rest = rest[stopped.args[0] :]
            except httptools.HttpParserError as error:
                self._misunderstood(str(error), bytes(rest), _status(error))
                return
            else:
                return

    def _stopped(self, parsing: Exchange | None, rest: memoryview) -> bool:
        """Whether `rest` is HTTP still, as llhttp does not think. It is a WebSocket that we wait for the
        backend to agree to; anything else is not heard of, and the next request follows."""
        assert parsing is not None
        if parsing.request.websocket:
            self._deaf = True
            self.hold()
            if rest:  # RFC 6455 section 4.1: not before the answer
                parsing.request.refusal = Rejected(400, "data before the WebSocket is there")
        elif parsing.request.refusal is not None:
            self._deaf = True
        return not self._deaf

    def _misunderstood(self, why: str, data: bytes, status: int = 400) -> None:
        """Nothing that follows can be believed, unless it is HTTP/2."""
        reading = self._reading
        assert reading is not None
        known = reading.fed - len(data)
        if why == _MULTIPLEXED and self.first and not self.peer.secure and self._switches(known, data):
            return
        self._deaf = True
        parsing = reading.parsing
        if parsing is not None and parsing is self.exchange and not parsing.ended:
            self.hall.tally.count(f"refused_{status}")
            parsing.give_up(status)
            return
        if _BAD_METHOD in why and _METHOD.match(data):
            status = 501
        if parsing is not None and not parsing.ended and self._waiting:
            self._waiting.pop()
        request = Request()
        request.refusal = Rejected(status, why)
        self._waiting.append(Exchange(self, request))

    def _switches(self, known: int, data: bytes) -> bool:
        """To HTTP/2, which the client knows to be spoken here (RFC 9113 section 3.3)."""
        rest = braid.PREFACE[known:]
        if not data.startswith(rest) and not rest.startswith(data):
            return False
        self._deaf = True
        self.hall.leave(self, self.peer.address)
        made = braid.Braid(self.hall, self.peer, self.asked)
        self.transport.set_protocol(made)
        made.connection_made(self.transport)
        made.data_received(braid.PREFACE[:known] + data)
        return True

    def _next(self) -> None:
        """The next request, once the client has taken what was answered before."""
        if self.exchange is not None or not self._waiting or self.transport.is_closing():
            return
        if self.clogged:
            self.hold()
            return
        self.exchange = next_one = self._waiting.popleft()
        if self._eof:
            self._hurry()
        next_one.begin()

    def _hurry(self) -> None:
        """The client has said all, and may be gone altogether: a backend that keeps silent is not kept for
        long, as nobody may be there to hear it."""
        if self._leaving is not None:
            self._leaving.cancel()
        self._leaving = self.hall.loop.call_later(self.hall.terms.linger, self._leave)

    def _leave(self) -> None:
        exchange = self.exchange
        if exchange is not None and not exchange.started:
            self.hall.tally.count("left")
            exchange.abandon()
            self.abort()

    def done(self, exchange: Relay) -> None:
        """The answer is written."""
        self.exchange = None
        exchange.settle()
        self.free(exchange.request.keep, exchange.ended)

    def free(self, keep: bool, whole: bool, last: bool = False) -> None:
        """Nothing is under way. `whole`: all that the request announced has come; `last`: and the client
        said that nothing follows it."""
        if not keep or (self._eof and not self._waiting):
            self._part(whole, last)
        elif self._waiting:
            self.hall.loop.call_soon(self._next)
        else:
            self._heading = False
            self.due = self.hall.now + self.hall.terms.idle
            self.go_on()

    def tunnel(self, outbound: Outbound) -> None:
        """All that comes goes there."""
        self._tunnel, self._deaf = Tunnel(self.transport, outbound), True
        self.go_on()

    def ceased(self) -> bool:
        return self._tunnel is not None and not self._eof and self._tunnel.backend_ends()

    def _part(self, whole: bool, last: bool) -> None:
        """Ends it so that the last answer is read: what still comes is thrown away for a while."""
        self._deaf = True
        self._waiting.clear()
        last = last or self._eof or (self._tunnel is not None and self._tunnel.ceased)
        self._tunnel = None
        closable = self.transport.can_write_eof()
        if last or (whole and not closable):
            self.transport.close()
            return
        if closable:
            self.transport.write_eof()
        self.due = self.hall.now + self.hall.terms.linger
        self.go_on()

    def hold(self) -> None:
        """Reads nothing more."""
        if not self._held:
            self._held = True
            self.transport.pause_reading()

    def go_on(self) -> None:
        if self._held and not self._waiting and not self.transport.is_closing():
            self._held = False
            self.transport.resume_reading()

    def abort(self) -> None:
        """Ends it so that the client sees that the answer is not whole."""
        exchange, self.exchange = self.exchange, None
        if exchange is not None:
            exchange.settle()
        self._deaf = True
        self.transport.abort()

    def retire(self) -> None:
        if self.exchange is None:
            self.transport.close()

    def expire(self) -> None:
        """Patience ended."""
        if self.exchange is not None:
            self.exchange.expire()
        elif self.transport.is_closing() or self.clogged:
            self.transport.abort()
        elif self._deaf or self._reading is None or not self._reading.fed:
            self.transport.close()
        else:
            self.hall.tally.count("late_head")
            self._misunderstood("the head did not come in time", b"", 408)
            self._next()


def _status(error: httptools.HttpParserError) -> int:
    """What is answered: we may have refused it ourselves, while it was parsed."""
    ours = error.__context__
    return ours.status if isinstance(ours, Rejected) else 400
