"""Connections of HTTP/2 to backends, each shared by the requests of many clients.

Law: to a journey a stream is what a connection of its own is. Few connections, as many streams on each as the
backend allows; one that the backend wants to leave gets no more of them. What a backend says it has not taken
may be asked again anywhere. A client that does not take its answer holds up its own stream alone.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, cast

from ngh2 import events

from fedns.gateway.normal import Rejected
from fedns.gateway.terms import Terms
from fedns.proxy import crossing, framing, weave
from fedns.proxy.outbound import Key, Outbound
from fedns.proxy.weave import Role, Setting

if TYPE_CHECKING:
    from fedns.proxy.depot import Depot

STREAMS = 100  # at once on one connection, if the backend allows as many
IDLE = 30.0  # seconds without any stream
WINDOW = weave.WINDOW * STREAMS  # octets: streams are bounded, all of them together never
MAX_INTERIM = 16
NO_ERROR, REFUSED, CANCEL = 0, 7, 8
"""RFC 9113 section 7."""


class Branch(Outbound):
    """One stream. `refused`: the backend has not taken the request."""

    __slots__ = ("_held", "_owed", "clogged", "number", "open", "refused", "trunk")
    shared = True

    def __init__(self, trunk: "Trunk") -> None:
        self.trunk, self.key, self.depot = trunk, trunk.key, trunk.depot
        self.used, self.until = trunk.used, 0.0
        self.lost = self.clogged = self.refused = self.open = False
        self.number, self._owed, self._held = 0, 0, False
        self.transport = cast(asyncio.Transport, self)
        self.begin()

    # The request.

    def start(self, wire: bytes, bare: bool, trailers: bool) -> None:
        """Sends the head. `bare`: nothing follows; `trailers`: the client takes some."""
        fields = crossing.sent(wire, self.key.upstream is not None, trailers)
        try:
            self.number = self.trunk.session.send_request(fields, end_stream=bare)
        except weave.Broken as error:
            self.fail(str(error))
            return
        self.open = True
        self.trunk.branches[self.number] = self
        self.trunk.wake()

    def send(self, data: bytes, done: bool, trailers: Sequence[framing.Field]) -> None:
        """More of the body; `done`: all of it."""
        session = self.trunk.session
        if not self.open or not self.trunk.live:
            return
        if data:
            session.send_data(self.number, data)
        if done:
            said = crossing.trailers(trailers)
            if said:
                session.send_trailers(self.number, said)
            else:
                session.end_stream(self.number)
        self.trunk.stir(self)

    def full(self) -> None:
        if self.taker is not None:
            self.taker.full()

    def drained(self) -> None:
        if self.taker is not None:
            self.taker.drained()

    def emptied(self) -> None:
        """Nobody waits for that."""

    # What a transport would do.

    def pause_reading(self) -> None:
        self._held = True

    def resume_reading(self) -> None:
        self._held = False
        self._repay()

    def is_closing(self) -> bool:
        return not self.open

    def abort(self) -> None:
        self._reset(CANCEL)

    def close(self) -> None:
        self._reset(NO_ERROR)

    def _reset(self, code: int) -> None:
        self._held = False
        self._repay()
        if self.open:
            self.open = False
            self.trunk.forgo(self, code)

    # The answer.

    def replied(self, headers: Sequence[framing.Field], over: bool) -> None:
        """Its head."""
        head_only = self.taker is not None and self.taker.head_only
        try:
            self.status, self.lines, length = crossing.replied(headers)
        except Rejected as no:
            self.fail(no.why)
            return
        self.reason = framing.REASONS.get(self.status, b"")
        self.headed = self.fresh = True
        self.dated = any(line[:5].lower() == b"date:" for line in self.lines)
        self.ended = over
        self.unbounded = not (length or head_only or self.status in (204, 304))

    def hinted(self, headers: Sequence[framing.Field]) -> None:
        """An answer before the answer."""
        self._interim += 1
        try:
            if self._interim > MAX_INTERIM:
                raise Rejected(502, "too many interim answers")
            self.status, self.lines, _ = crossing.replied(headers)
        except Rejected as no:
            self.fail(no.why)
            return
        self.reason = framing.REASONS.get(self.status, b"")
        if self.taker is not None:
            self.taker.interim(self)
        self.lines = []

    def took(self, piece: bytes, over: bool) -> None:
        self._owed += len(piece)
        self.ended = over
        if piece:
            self.pieces.append(piece)

    def deliver(self) -> None:
        """Hands on what came."""
        taker = self.taker
        if taker is None:
            self.pieces = []
        elif self.fresh or self.pieces or self.ended:
            taker.arrived(self)
        if not self._held:
            self._repay()

    def _repay(self) -> None:
        owed, self._owed = self._owed, 0
        session = self.trunk.session
        if owed and self.trunk.live:
            session.acknowledge_received_data(owed, self.number)
            self.trunk.wake()

    def closed(self, code: int) -> None:
        """The stream is no more."""
        self.open, self.refused = False, code == REFUSED
        self.deliver()
        self._held = False
        self._repay()
        taker, self.taker = self.taker, None
        if taker is not None and not self.ended:
            taker.lost(self, "reset")

    def fail(self, why: str) -> None:
        taker, self.taker = self.taker, None
        self._reset(CANCEL)
        if taker is not None:
            taker.lost(self, why)


class Trunk(weave.Weave):
    """One connection. `used` counts requests; `leaving`: no more of them."""

    def __init__(self, depot: "Depot", loop: asyncio.AbstractEventLoop, key: Key) -> None:
        most = {Setting.ENABLE_PUSH: 0, Setting.MAX_CONCURRENT_STREAMS: 0}
        super().__init__(loop, weave.settled(Role.CLIENT, Terms(), most, WINDOW))
        self.depot, self.key = depot, key
        self.branches: dict[int, Branch] = {}
        self.used, self.until, self.leaving = 0, 0.0, False
        self._touched: dict[int, Branch] = {}
        self._allowed = STREAMS

    @property
    def free(self) -> bool:
        """Whether another stream fits."""
        return not self.leaving and len(self.branches) < self._allowed and self.session.can_send_request

    def branch(self) -> Branch:
        made = Branch(self)
        self.used += 1
        return made

    def forgo(self, branch: Branch, code: int) -> None:
        """We have ended its stream."""
        if self.branches.pop(branch.number, None) is not None and self.live:
            self.session.reset_stream(branch.number, code)
            self.wake()
        self._rest()

    def _rest(self) -> None:
        if self.branches:
            return
        self.until = self.depot.now + IDLE
        if self.leaving:
            self.end()

    def end(self) -> None:
        """With a last word."""
        self.leaving = True
        if not self.transport.is_closing():
            if self.live:
                self.session.terminate_connection(NO_ERROR)
            self.pump()
            self.transport.close()

    # What the transport says.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.flush()

    def connection_lost(self, exc: Exception | None) -> None:
        self.leaving = True
        self.depot.fell(self)
        branches, self.branches = list(self.branches.values()), {}
        for branch in branches:
            branch.lost = True
            branch.closed(NO_ERROR)

    def over(self) -> None:
        self.leaving = True
        self.pump()
        self.transport.close()

    # What the library says.

    def heed(self, happened: list[Any]) -> None:
        super().heed(happened)
        while self._touched:
            self._touched.popitem()[1].deliver()

    def _replied(self, event: events.ResponseReceived) -> None:
        branch = self.branches.get(event.stream_id)
        if branch is not None:
            branch.replied(event.headers, event.end_stream)
            self._touched[event.stream_id] = branch

    def _hinted(self, event: events.InformationalResponseReceived) -> None:
        branch = self.branches.get(event.stream_id)
        if branch is not None:
            branch.hinted(event.headers)

    def _data(self, event: events.DataReceived) -> None:
        branch = self.branches.get(event.stream_id)
        if branch is not None:
            branch.took(event.data, event.end_stream)
            self._touched[event.stream_id] = branch
        elif event.data:
            self.session.acknowledge_received_data(len(event.data), event.stream_id)

    def _trailers(self, event: events.TrailersReceived) -> None:
        branch = self.branches.get(event.stream_id)
        if branch is not None:
            branch.trailers, branch.ended = list(event.headers), True
            self._touched[event.stream_id] = branch

    def _closed(self, event: events.StreamClosed) -> None:
        branch = self.branches.pop(event.stream_id, None)
        self._touched.pop(event.stream_id, None)
        if branch is not None:
            branch.closed(event.error_code)
        self._rest()

    def _away(self, event: events.GoAwayReceived) -> None:
        self.leaving = True
        self._rest()

    def _settled(self, event: events.SettingsReceived) -> None:
        most = self.session.remote_settings.get(int(Setting.MAX_CONCURRENT_STREAMS), STREAMS)
        self._allowed = min(most, STREAMS)

    HEARD: ClassVar[dict[type, Callable[[Any, Any], None]]] = {
        events.ResponseReceived: _replied,
        events.InformationalResponseReceived: _hinted,
        events.DataReceived: _data,
        events.TrailersReceived: _trailers,
        events.StreamClosed: _closed,
        events.GoAwayReceived: _away,
        events.SettingsReceived: _settled,
    }
