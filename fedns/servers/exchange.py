"""One request: decided, tried, and tried elsewhere until an answer begins.

Law: another try needs all that was sent to be still here. What was not sent may always be tried again; what a
backend may have taken only where twice is as good as once, or where somebody says so. Hosts and members that
were tried are not tried again while there are others, and further tries are a small part of all.
"""

import asyncio
from time import monotonic
from typing import TYPE_CHECKING

from fedns.gateway import balance, decide
from fedns.gateway import head as heads
from fedns.gateway.normal import Rejected
from fedns.gateway.options import Options
from fedns.gateway.route import Endpoint
from fedns.servers import framing
from fedns.servers.directory import Service
from fedns.servers.outbound import Outbound
from fedns.servers.relay import SILENCE, Relay
from fedns.servers.request import Request

if TYPE_CHECKING:
    from fedns.servers.inbound import Inbound

IDEMPOTENT = frozenset((b"GET", b"HEAD", b"OPTIONS", b"PUT", b"DELETE"))  # RFC 9110 section 9.2.2
AHEAD = 64 << 10  # octets of a body that are read before there is somebody to take them
_SOCKET_LINES = (b"connection: upgrade", b"upgrade: websocket")


class Exchange(Relay):
    """`pieces`: body that came and was not sent on yet."""

    __slots__ = (
        "_endpoint",
        "_kept",
        "_opening",
        "_options",
        "_sent",
        "_service",
        "_sized",
        "_tried",
        "_wire",
        "begun",
        "pieces",
        "retrying",
        "trailers",
        "tries",
    )

    def __init__(self, inbound: "Inbound", request: Request) -> None:
        super().__init__(inbound, request)
        self.pieces: list[bytes] = []
        self.trailers: list[framing.Field] = []
        self.tries = 0
        self.begun = 0.0
        self.retrying = False
        self._options = _USUAL
        self._service: Service | None = None
        self._endpoint: Endpoint | None = None
        self._tried: balance.Tried | None = None
        self._opening: asyncio.Task[None] | None = None
        self._wire = b""
        self._kept: list[bytes] | None = []
        self._sized = 0
        self._sent = False

    # The request, as the client sends it.

    def begin(self) -> None:
        """Decides where it goes, and sends what is there."""
        request, inbound = self.request, self.inbound
        hall = inbound.hall
        directory = hall.directory
        self.begun = monotonic()
        self.patience(SILENCE)
        try:
            if request.refusal is not None:
                raise request.refusal
            head = heads.read(request.method, request.target, request.headers, inbound.secure, request.old)
            head.client = inbound.client
            decision = decide.decide(directory.look(), head, hall.draw(), directory.alive)
            if not decision.status:
                self._wire = self._lines(head, decision.target)
        except Rejected as no:
            request.keep = False
            self.say(no.status)
            return
        if decision.status:
            self.say(decision.status, decision.fields)
            return
        if decision.options is not None:
            self._options = decision.options
        self._service = service = directory.service(decision.pool)
        service.active += 1
        self._try()

    def _lines(self, head: heads.Head, target: bytes) -> bytes:
        """The head of the request as the backend gets it."""
        request, inbound = self.request, self.inbound
        host = request.value(b"host") or head.host
        lines = [request.method + b" " + target + b" HTTP/1.1", b"host: " + host, inbound.identity]
        lines.append(b"x-forwarded-host: " + host)
        names = request.kept_back()
        lines += framing.without(request.lines, names) if names else request.lines
        if request.length != framing.NO_BODY:
            lines.append(framing.body(request.length))
            expectation = request.expectation()
            if expectation:
                lines.append(expectation)
        elif request.websocket:
            lines += _SOCKET_LINES
        lines.append(b"x-request-id: %032x\r\n\r\n" % inbound.hall.bits(128))
        return b"\r\n".join(lines)

    def push(self) -> None:
        """Sends on what has come of the body."""
        outbound = self.outbound
        if self.request.bare or self._sent or not (self.pieces or self.ended):
            return
        self.patience(SILENCE)
        if outbound is not None:
            data = self._body()
            if data:
                outbound.transport.write(data)
        elif sum(map(len, self.pieces)) > AHEAD:
            self.inbound.hold()

    def _body(self) -> bytes:
        """The next octets of the body for the backend, kept as long as another try may need them."""
        pieces = self.pieces
        if self.request.length == framing.CHUNKED:
            pieces = [framing.chunk(piece) for piece in pieces]
            if self.ended and not self._sent:
                pieces.append(framing.last(self.trailers))
        self._sent = self.ended
        data = b"".join(pieces)
        self.pieces = []
        if self._kept is not None:
            self._sized += len(data)
            if self._sized > self.inbound.hall.terms.replay:
                self._kept = None
            else:
                self._kept.append(data)
        return data

    # Tries.

    def _try(self) -> None:
        """To the endpoint that is next."""
        assert self._service is not None
        hall = self.inbound.hall
        endpoint = balance.pick(self._service.balancer, hall.draw(), self._tried)
        if endpoint is None:
            self.say(502 if self.tries else 503)
            return
        self.tries += 1
        self._endpoint = endpoint
        key = (endpoint.address, endpoint.port)
        outbound = None if self.request.websocket else hall.depot.take(key)
        if outbound is not None:
            self._use(outbound)
        else:
            self._opening = hall.loop.create_task(self._open(key))

    async def _open(self, key: tuple[str, int]) -> None:
        try:
            outbound = await self.inbound.hall.depot.open(key, self._options.timeouts.connect)
        except OSError as error:
            self._opening = None
            self._failed(str(error), False)
            return
        self._opening = None
        self._use(outbound)

    def _use(self, outbound: Outbound) -> None:
        self.outbound = outbound
        outbound.taker = self
        self.patience(SILENCE)
        if self.request.bare:
            outbound.transport.write(self._wire)
            return
        before = self._kept or ()
        outbound.transport.write(b"".join((self._wire, *before, self._body())))
        self.inbound.go_on()

    def lost(self, outbound: Outbound, why: str) -> None:
        """The backend is gone before its answer ended."""
        self.outbound = None
        if self.started:
            self.released()
            self.inbound.abort()
        elif outbound.used and not outbound.headed and self._kept is not None and self._repeatable():
            self._opening = self.inbound.hall.loop.create_task(self._open(outbound.key))
        else:
            self._failed(why, True)

    def _failed(self, why: str, taken: bool) -> None:
        """A try came to nothing. `taken`: the backend may have seen some of it."""
        assert self._service is not None and self._endpoint is not None
        if not self._again(taken):
            self.say(502)
            return
        if self._tried is None:
            self._tried = balance.Tried(set(), set())
        self._tried.hosts.add(self._endpoint.tag)
        self._tried.members.add(self._endpoint.member)
        if not self.retrying:
            self.retrying = True
            self._service.retrying += 1
        self._try()

    def _again(self, taken: bool) -> bool:
        """Whether another try is allowed."""
        assert self._service is not None
        terms, service, asked = self.inbound.hall.terms, self._service, self._options.retry
        if self._kept is None or (asked.tries and self.tries >= asked.tries):
            return False
        if taken and not self._repeatable():
            return False
        bound = max(terms.least_budget, terms.budget * service.active)
        return self.retrying or service.retrying < bound

    def _repeatable(self) -> bool:
        request = self.request
        if request.websocket:
            return False
        if request.method in IDEMPOTENT or self._options.retry.unsafe:
            return True
        return any(name == b"idempotency-key" for name, _ in request.headers)

    # The end.

    def released(self) -> None:
        if self._opening is not None:
            self._opening.cancel()
            self._opening = None
        service, self._service = self._service, None
        if service is not None:
            service.active -= 1
            service.retrying -= self.retrying

    def expire(self) -> None:
        """Nothing moved for too long."""
        self.give_up(504 if self.ended else 408)


_USUAL = Options()
