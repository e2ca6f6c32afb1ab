"""One connection of HTTP/2, at either end: octets in, events out, and what many streams write.

Law: the protocol itself is the library's (libnghttp2): framing, field compression, windows, states. Writes of
one turn of the loop go out together. What a stream has written and the peer's window does not take yet is
bounded: whoever fills it is told to stop, as for HTTP/1.1, and to go on when it is nearly gone.
"""

import asyncio
from collections.abc import Callable
from typing import Any, ClassVar, Protocol, cast

import ngh2
from ngh2 import Configuration, Connection, Role, Setting
from ngh2.exceptions import DenialOfServiceError, NGH2Error

from fedns.gateway.terms import Terms

Event = Any
FAREWELL = b"\0\0\x08\x07\0\0\0\0\0" + b"\x7f\xff\xff\xff" + b"\0\0\0\x0b"
"""GOAWAY, ENHANCE_YOUR_CALM: for whom the library says nothing itself."""
PIECE = 64 << 10  # octets that are taken at once for the transport
HIGH, LOW = 64 << 10, 16 << 10  # octets of one stream that wait for the peer's window
WINDOW = 256 << 10  # octets of one stream that the peer may send ahead
BURST, RATE = 2000, 1000  # resets that the library bears: more than we do
LONGEST = 1 << 20  # octets of a head that goes out, as the library reckons: it came in, and within bounds
CALM = 11
"""ENHANCE_YOUR_CALM (RFC 9113 section 7)."""
Broken, Flood = NGH2Error, DenialOfServiceError


class Thread(Protocol):
    """One stream, to its connection. `number` is its id; `clogged`: it was told to stop."""

    number: int
    clogged: bool

    def full(self) -> None: ...
    def drained(self) -> None: ...
    def emptied(self) -> None:
        """All that was written has gone out."""


def settled(role: Role, terms: Terms, most: dict[Setting, int], window: int) -> Connection:
    """A connection that has said its first word. `most` are settings beside the usual; `window` is that of
    the whole connection."""
    made = Connection(
        role,
        Configuration(
            auto_window_update=False,
            max_outbound_ack=200,
            max_send_header_block_length=LONGEST,
            stream_reset_rate_limit=(BURST, RATE),
            max_inbound_header_list_size=2 * terms.head + 64 * terms.fields,
            max_inbound_header_count=2 * terms.fields,
        ),
    )
    usual = {Setting.INITIAL_WINDOW_SIZE: WINDOW, Setting.MAX_HEADER_LIST_SIZE: terms.head, **most}
    made.initiate_connection({int(key): value for key, value in usual.items()})
    made.set_local_window_size(window)
    return made


class Weave(asyncio.Protocol):
    """`clogged`: the transport takes nothing now. `spent`: the library's last word about this peer; it can be
    asked nothing more."""

    HEARD: ClassVar[dict[type, Callable[[Any, Event], None]]] = {}
    """What becomes of each kind of event."""

    def __init__(self, loop: asyncio.AbstractEventLoop, session: Connection) -> None:
        self.transport = cast(asyncio.Transport, None)
        self.session, self.clogged = session, False
        self._loop, self._woken = loop, False
        self._stirred: set[Thread] = set()
        self.spent: NGH2Error | None = None

    @property
    def live(self) -> bool:
        """Whether the protocol goes on."""
        return self.spent is None and self.session.want_read

    def stir(self, thread: Thread) -> None:
        """It has written something."""
        self._stirred.add(thread)
        self.wake()

    def wake(self) -> None:
        """There is something to send, at the end of this turn."""
        if not self._woken:
            self._woken = True
            self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        self._woken = False
        self.flush()

    def data_received(self, data: bytes) -> None:
        if not self.live:
            return
        try:
            self.session.receive_data(data)
        except NGH2Error as error:
            self.spent = error
            self.over()
            return
        self.heed(self.session.events())
        self.flush()

    def heed(self, events: list[Event]) -> None:
        """What has happened since."""
        heard = self.HEARD
        for event in events:
            hear = heard.get(type(event))
            if hear is not None:
                hear(self, event)

    def over(self) -> None:
        """Nothing more can come: the protocol is at its end, or broken."""

    def pump(self) -> None:
        """Sends what may be sent; of who is spent, that we want no more of it."""
        session, transport = self.session, self.transport
        if self.spent is not None:
            if not self.clogged and not transport.is_closing():
                transport.write(FAREWELL)
            return
        while not self.clogged and not transport.is_closing():
            data = session.data_to_send(PIECE)
            if not data:
                break
            transport.write(data)

    def flush(self) -> None:
        """Sends, and tells streams how they stand."""
        if self.spent is not None:
            return
        session = self.session
        self.pump()
        if self._stirred:
            stirred, self._stirred = self._stirred, set()
            for thread in stirred:
                self._weigh(thread, session.queued_body_size(thread.number))
        self.heed(session.events())
        if not self.live:
            self.over()

    def _weigh(self, thread: Thread, queued: int) -> None:
        if queued > HIGH and not thread.clogged:
            thread.clogged = True
            thread.full()
        elif queued <= LOW and thread.clogged:
            thread.clogged = False
            thread.drained()
        if queued:
            self._stirred.add(thread)
        else:
            thread.emptied()

    def pause_writing(self) -> None:
        self.clogged = True

    def resume_writing(self) -> None:
        self.clogged = False
        self.flush()


__all__ = ["CALM", "Broken", "Connection", "Flood", "Role", "Setting", "Thread", "Weave", "ngh2", "settled"]
