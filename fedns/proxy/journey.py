"""The way of a request to a backend: tried, and tried elsewhere until an answer begins.

Law: another try needs all that was sent to be still here. What was not sent may always be tried again; what a
backend may have taken only where twice is as good as once, or where somebody says so. Hosts and members that
were tried are not tried again while there are others, and further tries are a small part of all.
"""

import asyncio
from time import monotonic
from typing import TYPE_CHECKING

from fedns.gateway import balance
from fedns.gateway.balance import Tried, Want
from fedns.gateway.decide import Decision
from fedns.gateway.head import Head
from fedns.gateway.route import Endpoint
from fedns.proxy import blame, fitting, framing, manner
from fedns.proxy.directory import Service
from fedns.proxy.mirrors import Copy
from fedns.proxy.outbound import Key, Outbound
from fedns.proxy.relay import Relay
from fedns.proxy.request import Request
from fedns.proxy.trunk import Branch
from fedns.servers import tally

if TYPE_CHECKING:
    from fedns.proxy.guest import Asker

IDEMPOTENT = frozenset((b"GET", b"HEAD", b"OPTIONS", b"PUT", b"DELETE"))  # RFC 9110 section 9.2.2
LEAST = "least"  # of `Options.balance`: only then is it counted who is busy
HARMLESS = frozenset((403, 404))
"""Statuses that are held against nobody, as in nginx, though somebody else may be asked."""
BUFFERED = 256 << 10
"""Of a body, kept for another try where the route wants it whole (`proxy-request-buffering`)."""
_SOON = ((b"Retry-After", b"1"),)
"""Said while nothing is known of routes yet: then all lead to a pool without a name."""
_ENDED = 0  # of `Retry.tries`: as many as there are endpoints


class Journey(Relay):
    """`pieces`: body that came and was not sent on yet; `wire`: the head as backends get it; `copy`: for a
    mirror. `stands_for`: the status of an answer that somebody else is asked to replace. `tries` were made so
    far, the last one at `endpoint`."""

    __slots__ = (
        "_done",
        "_kept",
        "_opening",
        "_service",
        "_tried",
        "begun",
        "copy",
        "decision",
        "endpoint",
        "head",
        "pieces",
        "received",
        "stands_for",
        "trailers",
        "tries",
        "wire",
    )

    def __init__(self, inbound: "Asker", request: Request) -> None:
        super().__init__(inbound, request)
        self.pieces: list[bytes] = []
        self.trailers: list[framing.Field] = []
        self.received = self.tries = self.stands_for = 0
        self.begun = 0.0
        self.wire = b""
        self.head: Head | None = None
        self.decision: Decision | None = None
        self.endpoint: Endpoint | None = None
        self._service: Service | None = None
        self._tried: Tried | None = None
        self._opening: asyncio.Task[None] | None = None
        self._kept: list[bytes] | None = []
        self._done = False
        self.copy: Copy | None = None

    def set_out(self, decision: Decision) -> None:
        """To the pool that was decided on."""
        self._service = service = self.inbound.hall.directory.service(decision.pool)
        service.active += 1
        self._try()

    def start_over(self, decision: Decision, wire: bytes) -> None:
        """To somebody else, with another request, which has no body."""
        self.released()
        self._tried, self._kept, self._done = None, [], True
        self.pieces, self.decision, self.wire = [], decision, wire
        self.inbound.hold()
        self.set_out(decision)

    def body(self) -> bytes:
        """The next octets of the body for the backend, kept as long as another try may need them."""
        pieces = self.pieces
        self.received += sum(map(len, pieces))
        if self.copy is not None:
            self.copy.add(pieces)
            if self.ended and not self._done:
                self.copy.send()
        if self.request.length == framing.CHUNKED and not isinstance(self.outbound, Branch):
            pieces = [framing.chunk(piece) for piece in pieces]
            if self.ended and not self._done:
                pieces.append(framing.last(self.trailers))
        self._done = self.ended
        data = b"".join(pieces)
        self.pieces = []
        if self._kept is not None:
            room = self.inbound.hall.terms.replay
            if self.received > room and not (self.options.buffer_request and self.received <= BUFFERED):
                self._kept = None
            else:
                self._kept.append(data)
        return data

    # One try.

    def _try(self) -> None:
        """To the endpoint that is next."""
        assert self._service is not None
        hall = self.inbound.hall
        endpoint = self._choice(self._service)
        if endpoint is not None and not self.plain:
            endpoint = self._fitting(self._service, endpoint)
        if endpoint is None:
            self.say(502 if self.tries else 503, () if self._service.key else _SOON)
            return
        self.tries += 1
        self.endpoint = endpoint
        if self.options.balance == LEAST or (not self.plain and self.options.upstream.per_endpoint):
            self._service.busy[endpoint.tag] += 1
        hall.tally.saw(endpoint.member, self._service.key, tally.TRIES)
        assert self.head is not None
        key = manner.key(self.options, self.head, self.request.websocket, endpoint)
        outbound = None if self.request.websocket else hall.depot.take(key)
        if outbound is not None:
            self._use(outbound)
        else:
            self._opening = hall.loop.create_task(self._open(key))

    def _choice(self, service: Service) -> Endpoint | None:
        balancer, tried, draw = service.balancer, self._tried, self.inbound.hall.draw
        assert self.decision is not None
        want, kind = self.decision.want, self.options.balance
        if tried is not None and self.options.retry.leave == "off" and self.endpoint is not None:
            want = Want(self.endpoint.member, True)
        if want is not None:
            return balance.choose(balancer, want, draw(), tried)
        if tried is not None or kind == "random":
            return balance.pick(balancer, draw(), tried)
        if kind == LEAST:
            return balance.lighter(balancer, draw(), service.busy)
        return balance.pick(balancer, balance.turn(balancer))

    def _fitting(self, service: Service, endpoint: Endpoint) -> Endpoint | None:
        options, hall, tried = self.options, self.inbound.hall, self._tried or fitting.NOBODY
        assert self.decision is not None
        if options.warmup and self.decision.want is None:
            endpoint = fitting.warm(options, service, endpoint, tried, hall.now)
        found = fitting.busy(options, service, endpoint, tried)
        if found is None:
            hall.tally.count("pool_full")
        return found

    async def _open(self, key: Key) -> None:
        try:
            outbound = await self.inbound.hall.depot.open(key, self.options.timeouts.connect)
        except OSError as error:
            self._opening = None
            if not blame.theirs(error):
                self.inbound.hall.tally.count("not_begun")
                self.say(503)
                return
            self._failed(tally.SILENT if isinstance(error, TimeoutError) else tally.REFUSED, False)
            return
        self._opening = None
        if outbound.lost:  # and nobody was there to be told
            self._failed(tally.RESET, False)
        else:
            self._use(outbound)

    def _use(self, outbound: Outbound) -> None:
        self.outbound = outbound
        outbound.taker = self
        self.patience(self.options.timeouts.read)
        if outbound.shared:
            self._share(outbound)
            return
        if self.request.bare or self.stands_for:
            outbound.transport.write(self.wire)
            return
        before = self._kept or ()
        outbound.transport.write(b"".join((self.wire, *before, self.body())))
        self.inbound.go_on()

    def _share(self, outbound: Outbound) -> None:
        """The same on a stream of HTTP/2."""
        assert isinstance(outbound, Branch)
        request = self.request
        bare = request.bare or bool(self.stands_for)
        outbound.start(self.wire, bare, b"trailers" in request.value(b"te").lower())
        if not bare:
            before = self._kept or ()
            outbound.send(b"".join((*before, self.body())), self._done, self.trailers)
            self.inbound.go_on()

    # What may go wrong with it.

    def lost(self, outbound: Outbound, why: str) -> None:
        """The backend is gone before its answer ended."""
        self.outbound = None
        hall = self.inbound.hall
        if self.tunnel:
            self.released()
            self.inbound.done(self)
        elif self.started:
            hall.tally.count("broken_off")
            self.released()
            self.inbound.abort()
        elif outbound.shared:
            self._withered(outbound)
        elif outbound.used and not outbound.headed and self._kept is not None and self._repeatable():
            hall.tally.count("stale")
            self._opening = hall.loop.create_task(self._open(outbound.key))
        else:
            self._failed(tally.RESET, True, outbound.garbled)

    def _withered(self, outbound: Outbound) -> None:
        """A stream ended before its answer. The connection may live on; what was refused was not taken."""
        refused, stale = outbound.refused, outbound.lost and outbound.used
        if not ((refused or stale) and self._again(not refused)):
            self._failed(tally.RESET, True)
            return
        hall = self.inbound.hall
        hall.tally.count("streams_refused" if refused else "stale")
        if refused and self._others():
            self._elsewhere(False)
        else:
            self.tries += 1
            self._opening = hall.loop.create_task(self._open(outbound.key))

    def silent(self) -> bool:
        """The backend did not answer in time. Whether it is tried elsewhere."""
        outbound, self.outbound = self.outbound, None
        if outbound is None:
            return False
        outbound.taker = None
        outbound.transport.abort()
        self._failed(tally.SILENT, True)
        return True

    def unwanted(self, outbound: Outbound) -> bool:
        """An answer that is reason enough to ask somebody else, if there is anybody."""
        assert self._service is not None and self.endpoint is not None
        if outbound.status not in self.options.retry.statuses:
            return False
        hall, service = self.inbound.hall, self._service
        if outbound.status not in HARMLESS and service.held_against(self.endpoint, True, hall.now):
            hall.tally.count("ejections")
        if not self._again(True) or not self._others():
            return False
        if outbound.status in tally.UNABLE:
            hall.tally.saw(self.endpoint.member, service.key, tally.ERRORS)
        self.turn_away(outbound)
        self._elsewhere(True)
        return True

    def _others(self) -> bool:
        """Whether anybody is there who was not tried."""
        assert self._service is not None and self.endpoint is not None
        hosts = {self.endpoint.tag} | (self._tried.hosts if self._tried is not None else set())
        within = self.endpoint.member if self.options.retry.leave == "off" else ""
        return balance.left(self._service.balancer, hosts, within)

    def _failed(self, column: int, taken: bool, garbled: bool = False) -> None:
        """A try came to nothing, in the way that `tally` counts there. `taken`: the backend may have seen
        some of it; `garbled`: what it said is no answer."""
        assert self._service is not None and self.endpoint is not None
        hall, service = self.inbound.hall, self._service
        hall.tally.saw(self.endpoint.member, service.key, column)
        if service.held_against(self.endpoint, taken, hall.now):
            hall.tally.count("ejections")
        asked = self.options.retry
        wanted = asked.timeout if column == tally.SILENT else asked.invalid if garbled else asked.error
        if wanted and self._again(taken) and self._others():
            self._elsewhere(taken)
        else:
            self.say(504 if column == tally.SILENT else 502)

    def _elsewhere(self, taken: bool) -> None:
        """Another try."""
        assert self._service is not None and self.endpoint is not None
        self.inbound.hall.tally.count("retries")
        if self._tried is None:
            self._tried = Tried(set(), set())
        self._tried.hosts.add(self.endpoint.tag)
        self._left(self._service, self.endpoint)
        if not taken or self._repeatable():
            self._tried.members.add(self.endpoint.member)
        self._try()

    def _again(self, taken: bool) -> bool:
        """Whether another try is allowed."""
        assert self._service is not None
        hall, service, asked = self.inbound.hall, self._service, self.options.retry
        if self._kept is None or (asked.tries != _ENDED and self.tries >= asked.tries):
            return False
        if asked.within and monotonic() - self.begun >= asked.within:
            return False
        if taken and not self._repeatable():
            return False
        tries, terms = hall.tally.tries(service.key), hall.terms
        allowed = service.budget.grant(tries, terms.budget, terms.least_budget)
        if not allowed:
            hall.tally.count("budget_spent")
        return allowed

    def _repeatable(self) -> bool:
        request = self.request
        if self.stands_for:
            return True
        if request.websocket:
            return False
        if request.method in IDEMPOTENT or self.options.retry.unsafe:
            return True
        return any(name == b"idempotency-key" for name, _ in request.headers)

    def answered(self, status: int) -> None:
        service, endpoint = self._service, self.endpoint
        if service is None or endpoint is None:
            return
        if status >= 502 and status in tally.UNABLE:
            self.inbound.hall.tally.saw(endpoint.member, service.key, tally.ERRORS)
            if service.sickened(endpoint, self.inbound.hall.now):
                self.inbound.hall.tally.count("ejections")
        elif not service.bench.clean and service.bench.answered(endpoint):
            service.arrange()

    def released(self) -> None:
        if self._opening is not None:
            self._opening.cancel()
            self._opening = None
        service, self._service = self._service, None
        if service is not None:
            service.active -= 1
            if self.endpoint is not None:
                self._left(service, self.endpoint)

    def _left(self, service: Service, endpoint: Endpoint) -> None:
        """The endpoint has nothing more to do with it."""
        if self.options.balance == LEAST or (not self.plain and self.options.upstream.per_endpoint):
            service.busy[endpoint.tag] -= 1
            if service.busy[endpoint.tag] <= 0:
                del service.busy[endpoint.tag]
