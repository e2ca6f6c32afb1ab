"""A client's connection of HTTP/2: its streams, and what it may do to us.

Law: each stream is an exchange of its own. What costs us more than the client (streams that are reset, by it
or because of it, pings, settings, empty frames) is paid from an allowance that served requests refill; who
overdraws it is told ENHANCE_YOUR_CALM and is gone (CVE-2023-44487, CVE-2019-9512 to 9518, CVE-2025-8671).
"""

import asyncio
import ssl
from collections.abc import Callable
from typing import Any, ClassVar, cast

from ngh2 import events

from fedns.gateway.options import Tls
from fedns.proxy import crossing, identity, onward, weave
from fedns.proxy.hall import Hall
from fedns.proxy.strand import Strand
from fedns.proxy.weave import Role, Setting

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
WINDOW = 4 << 20  # octets of all streams together that the client may send ahead
ALLOWANCE, REFILL, EARNED = 200.0, 20.0, 0.5  # at first and at most; per second; per request served
NOTICE = 0.1  # seconds between saying that the end is near, and refusing streams


def _failed(event: object) -> bool:
    return isinstance(event, events.ConnectionClosed) and event.error_code != 0


class Braid(weave.Weave):
    """As `Inbound`, for HTTP/2."""

    def __init__(self, hall: Hall, peer: identity.Peer = identity.UNKNOWN, asked: Tls | None = None) -> None:
        most = {Setting.MAX_CONCURRENT_STREAMS: hall.terms.streams}
        super().__init__(hall.loop, weave.settled(Role.SERVER, hall.terms, most, WINDOW))
        self.hall, self.asked, self.peer = hall, asked, peer
        self.sender, self.trusted = onward.Sender(b"", b"", peer, False), False
        self.strands: dict[int, Strand] = {}
        self._patience = hall.now + hall.terms.head_time
        self._allowance, self._counted = ALLOWANCE, hall.now
        self._gone: set[int] = set()
        self._cut: set[int] = set()
        self._deaf = False
        self._noticed = 0.0
        self._farewell = self._ended = False

    # What the transport says.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        if self.peer is identity.UNKNOWN:
            self.peer = identity.connected(
                transport.get_extra_info("peername"), transport.get_extra_info("sockname")
            )
        terms = self.hall.terms
        self.sender = onward.Sender(identity.own(self.peer), b"", self.peer, terms.forwarded)
        self.trusted = identity.trusts(terms.trusted, self.peer.address)
        status = self.hall.enter(self, self.peer.address, self.trusted)
        if status:
            self._part("crowded" if status == 503 else "crowded_client", weave.CALM)

    def data_received(self, data: bytes) -> None:
        if not self._deaf:
            super().data_received(data)

    def over(self) -> None:
        self._part("", 0)

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.hall.leave(self, self.peer.address)
        self._deaf = True
        self._empty()

    @property
    def shown(self) -> ssl.SSLObject | None:
        """The client's side of TLS."""
        found: ssl.SSLObject | None = self.transport.get_extra_info("ssl_object")
        return found

    # What the worker wants.

    @property
    def due(self) -> float:
        strands = self.strands
        return min(each.due for each in strands.values()) if strands else self._patience

    @property
    def exchange(self) -> object | None:
        return self.strands or None

    @property
    def idles(self) -> bool:
        return not self.strands

    def expire(self) -> None:
        """Patience ended, with a stream or with all of it."""
        if self._deaf or (self.clogged and not self.strands):
            self.transport.abort()
            return
        if not self.strands:
            self._part("", 0)
        for strand in [each for each in self.strands.values() if each.due < self.hall.now]:
            strand.expire()
        self.wake()

    def retire(self) -> None:
        """First the notice, so that nothing on its way here is lost; then no more streams, and away."""
        now = self.hall.now
        if self._deaf:
            return
        if not self._noticed:
            self._noticed = now
            self.session.send_shutdown_notice()
        elif not self._farewell and now - self._noticed >= NOTICE:
            self._farewell = True
            self.session.send_goaway(0)
        elif self._farewell and not self.strands:
            self._part("", 0)
        self.wake()

    def forgo(self, strand: Strand) -> None:
        """It was reset by us."""
        self.strands.pop(strand.number, None)
        self._cut.add(strand.number)
        self._rest()
        self.wake()

    def _rest(self) -> None:
        if not self.strands:
            self._patience = self.hall.now + self.hall.terms.idle

    def _part(self, why: str, code: int) -> None:
        """Ends it; `why` is counted."""
        if self._deaf:
            return
        self._deaf = True
        self._empty()
        if self.live:
            self.session.terminate_connection(code)
        self.pump()
        if self.spent is None:
            self.heed(self.session.events())
        if not why and (self._ended or self.spent is not None):
            why = "too_many_frames" if isinstance(self.spent, weave.Flood) else "broken_http2"
        if why:
            self.hall.tally.count(why)
        if self.clogged:
            self.transport.abort()
            return
        if self.peer.secure or self.transport.is_closing() or not self.transport.can_write_eof():
            self.transport.close()
            return
        self.transport.write_eof()
        if why:
            self.transport.pause_reading()
        self._patience = self.hall.now + self.hall.terms.linger

    def _empty(self) -> None:
        strands, self.strands = list(self.strands.values()), {}
        for strand in strands:
            strand.closed()

    # What the library says.

    def heed(self, happened: list[Any]) -> None:
        if self._deaf or not self.live:
            self._ended = self._ended or any(_failed(each) for each in happened)
            return
        self._gone = {each.stream_id for each in happened if type(each) is events.StreamReset}
        super().heed(happened)
        if self._allowance < 0:
            self._part("too_many_frames", weave.CALM)

    def _asked(self, event: events.RequestReceived) -> None:
        number = event.stream_id
        if number in self._gone or self._allowance < 0:
            return
        strand = Strand(self, number, crossing.request(event.headers, event.end_stream, self.hall.terms))
        self.strands[number] = strand
        strand.begin(event.end_stream)

    def _data(self, event: events.DataReceived) -> None:
        strand = self.strands.get(event.stream_id)
        if not event.data and not event.end_stream:
            self._spend()
        if strand is not None:
            strand.took(event.data, event.end_stream)
        elif event.data:
            self.session.acknowledge_received_data(len(event.data), event.stream_id)

    def _trailers(self, event: events.TrailersReceived) -> None:
        strand = self.strands.get(event.stream_id)
        if strand is not None:
            strand.trailed(event.headers)

    def _reset(self, event: events.StreamReset) -> None:
        self.hall.tally.count("streams_reset")
        self._spend()

    def _closed(self, event: events.StreamClosed) -> None:
        if event.stream_id in self._cut:
            self._cut.discard(event.stream_id)
        elif event.error_code and event.stream_id not in self._gone:  # the client made the library reset it
            self.hall.tally.count("streams_broken")
            self._spend()
        strand = self.strands.pop(event.stream_id, None)
        if strand is not None:
            strand.closed()
            if not event.error_code:
                self._allowance = min(ALLOWANCE, self._allowance + EARNED)
            self._rest()

    def _costly(self, event: object) -> None:
        self._spend()
        self._rest()

    def _spend(self) -> None:
        """Of the allowance."""
        now = self.hall.now
        refilled = self._allowance + REFILL * (now - self._counted)
        self._allowance, self._counted = min(ALLOWANCE, refilled) - 1, now

    HEARD: ClassVar[dict[type, Callable[[Any, Any], None]]] = {
        events.RequestReceived: _asked,
        events.DataReceived: _data,
        events.TrailersReceived: _trailers,
        events.StreamReset: _reset,
        events.StreamClosed: _closed,
        events.PingReceived: _costly,
        events.SettingsReceived: _costly,
    }
