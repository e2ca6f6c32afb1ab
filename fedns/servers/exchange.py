"""One request: decided, tried, and tried elsewhere until an answer begins.

Law: another try needs all that was sent to be still here. What was not sent may always be tried again; what a
backend may have taken only where twice is as good as once, or where somebody says so. Hosts and members that
were tried are not tried again while there are others, and further tries are a small part of all.
"""

import asyncio
from time import monotonic
from typing import TYPE_CHECKING

from fedns.gateway import balance, decide, normal, variables
from fedns.gateway import head as heads
from fedns.gateway.normal import Rejected
from fedns.gateway.route import Endpoint
from fedns.servers import accesslog, credential, framing, identity, onward, tally
from fedns.servers.directory import Service
from fedns.servers.outbound import Key, Outbound
from fedns.servers.relay import Relay
from fedns.servers.request import Request

if TYPE_CHECKING:
    from fedns.servers.inbound import Inbound

IDEMPOTENT = frozenset((b"GET", b"HEAD", b"OPTIONS", b"PUT", b"DELETE"))  # RFC 9110 section 9.2.2
SEALED = frozenset(("https", "grpcs"))
AHEAD = 64 << 10  # octets of a body that are read before there is somebody to take them
GONE = 499  # nginx's number for a client that did not wait


class Exchange(Relay):
    """`pieces`: body that came and was not sent on yet; `received` counts its octets."""

    __slots__ = (
        "_begun",
        "_decision",
        "_done",
        "_endpoint",
        "_head",
        "_kept",
        "_opening",
        "_request_id",
        "_retrying",
        "_service",
        "_tried",
        "_tries",
        "_wire",
        "pieces",
        "received",
        "trailers",
    )

    def __init__(self, inbound: "Inbound", request: Request) -> None:
        super().__init__(inbound, request)
        self.pieces: list[bytes] = []
        self.trailers: list[framing.Field] = []
        self.received = self._tries = 0
        self._begun = 0.0
        self._done = self._retrying = False
        self._head: heads.Head | None = None
        self._decision: decide.Decision | None = None
        self._service: Service | None = None
        self._endpoint: Endpoint | None = None
        self._tried: balance.Tried | None = None
        self._opening: asyncio.Task[None] | None = None
        self._wire = self._request_id = b""
        self._kept: list[bytes] | None = []

    # The request, as the client sends it.

    def begin(self) -> None:
        """Decides where it goes, and sends what is there."""
        hall = self.inbound.hall
        directory = hall.directory
        self._begun = monotonic()
        try:
            decision = self._decide()
        except credential.Elsewhere as page:
            self.say(302, ((b"Location", page.url),))
            return
        except Rejected as no:
            hall.tally.count(f"refused_{no.status}")
            self.request.keep = False
            self.say(no.status)
            return
        if decision.status:
            self.say(decision.status, decision.fields)
            return
        self._service = service = directory.service(decision.pool)
        service.active += 1
        self._try()

    def _decide(self) -> decide.Decision:
        """Rejected where the request is none, or means two things."""
        request, inbound = self.request, self.inbound
        hall = inbound.hall
        if request.refusal is not None:
            raise request.refusal
        peer, terms = inbound.peer, hall.directory.terms
        client, secure = peer.address, peer.secure
        lines, host, request_id = inbound.identity, b"", b""
        if inbound.trusted:
            client, secure, host, request_id, lines = identity.told(peer, terms.trusted, request.marked)
        head = heads.read(request.method, request.target, request.headers, secure, request.old)
        head.client = client
        self._head = head
        self._request_id = request_id = request_id or b"%032x" % hall.bits(128)
        directory = hall.directory
        if inbound.asked is not None:
            lines = self._vouched(head, lines)
        self._decision = decision = decide.decide(directory.look(), head, hall.draw(), directory.alive)
        if decision.options is not None:
            self.options = decision.options
        self.patience(self.options.timeouts.read)
        if not decision.status:
            sender = onward.Sender(lines, host, request_id, peer, terms.forwarded)
            self._wire = onward.head(request, head, decision.target, self.options, sender)
            if 0 < self._limit < max(request.length, _octets(self.pieces)):
                raise Rejected(413, "the body is too long")
        return decision

    def _vouched(self, head: heads.Head, lines: bytes) -> bytes:
        """With what a host wants to be told of its client's certificate."""
        asked = self.inbound.hall.seals.asked(head.host)
        if not asked.clients or asked.verify not in ("on", "optional"):
            return lines
        return lines + b"\r\n" + credential.lines(asked, self.inbound.asked, self.inbound.shown, head)

    @property
    def _limit(self) -> int:
        """Octets of the body; 0: any."""
        asked = self.options.body_limit
        return asked if asked >= 0 else self.inbound.hall.terms.body

    def push(self) -> None:
        """Sends on what has come of the body."""
        outbound = self.outbound
        if self.request.bare or self._done or not (self.pieces or self.ended):
            return
        self.patience(self.options.timeouts.read)
        if self.request.length == framing.CHUNKED and 0 < self._limit < self.received + _octets(self.pieces):
            self.inbound.hall.tally.count("refused_413")
            self.give_up(413)
        elif outbound is not None:
            data = self._body()
            if data:
                outbound.transport.write(data)
        elif _octets(self.pieces) > AHEAD:
            self.inbound.hold()

    def _body(self) -> bytes:
        """The next octets of the body for the backend, kept as long as another try may need them."""
        pieces = self.pieces
        self.received += _octets(pieces)
        if self.request.length == framing.CHUNKED:
            pieces = [framing.chunk(piece) for piece in pieces]
            if self.ended and not self._done:
                pieces.append(framing.last(self.trailers))
        self._done = self.ended
        data = b"".join(pieces)
        self.pieces = []
        if self._kept is not None:
            if self.received > self.inbound.hall.terms.replay:
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
            self.say(502 if self._tries else 503)
            return
        self._tries += 1
        self._endpoint = endpoint
        hall.tally.saw(endpoint.member, self._service.key, tally.TRIES)
        key = Key(endpoint.address, endpoint.port)
        if self.options.upstream.protocol in SEALED:
            key = self._sealed(key)
        outbound = None if self.request.websocket else hall.depot.take(key)
        if outbound is not None:
            self._use(outbound)
        else:
            self._opening = hall.loop.create_task(self._open(key))

    def _sealed(self, key: Key) -> Key:
        """Over TLS, to the name that the backend is checked for."""
        upstream, head = self.options.upstream, self._head
        assert head is not None
        host = variables.fill(upstream.vhost, head) if upstream.vhost else head.host
        name = (upstream.name or normal.host(host)).decode("latin-1")
        return Key(key.address, key.port, upstream, name if upstream.sni or upstream.verify else "")

    async def _open(self, key: Key) -> None:
        try:
            outbound = await self.inbound.hall.depot.open(key, self.options.timeouts.connect)
        except OSError as error:
            self._opening = None
            self._failed(tally.SILENT if isinstance(error, TimeoutError) else tally.REFUSED)
            return
        self._opening = None
        self._use(outbound)

    def _use(self, outbound: Outbound) -> None:
        self.outbound = outbound
        outbound.taker = self
        self.patience(self.options.timeouts.read)
        if self.request.bare:
            outbound.transport.write(self._wire)
            return
        before = self._kept or ()
        outbound.transport.write(b"".join((self._wire, *before, self._body())))
        self.inbound.go_on()

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
        elif outbound.used and not outbound.headed and self._kept is not None and self._repeatable():
            hall.tally.count("stale")
            self._opening = hall.loop.create_task(self._open(outbound.key))
        else:
            self._failed(tally.RESET)

    def _failed(self, column: int) -> None:
        """A try came to nothing, in the way that `tally` counts there."""
        assert self._service is not None and self._endpoint is not None
        hall = self.inbound.hall
        hall.tally.saw(self._endpoint.member, self._service.key, column)
        if not self._again(column == tally.RESET):
            self.say(504 if column == tally.SILENT else 502)
            return
        hall.tally.count("retries")
        if self._tried is None:
            self._tried = balance.Tried(set(), set())
        self._tried.hosts.add(self._endpoint.tag)
        self._tried.members.add(self._endpoint.member)
        if not self._retrying:
            self._retrying = True
            self._service.retrying += 1
        self._try()

    def _again(self, taken: bool) -> bool:
        """Whether another try is allowed. `taken`: the backend may have seen some of it."""
        assert self._service is not None
        hall, service, asked = self.inbound.hall, self._service, self.options.retry
        if self._kept is None or (asked.tries and self._tries >= asked.tries):
            return False
        if taken and not self._repeatable():
            return False
        bound = max(hall.terms.least_budget, hall.terms.budget * service.active)
        allowed = self._retrying or service.retrying < bound
        if not allowed:
            hall.tally.count("budget_spent")
        return allowed

    def _repeatable(self) -> bool:
        request = self.request
        if request.websocket:
            return False
        if request.method in IDEMPOTENT or self.options.retry.unsafe:
            return True
        return any(name == b"idempotency-key" for name, _ in request.headers)

    # The end.

    def expire(self) -> None:
        """Nothing moved for too long."""
        late = "client" if self.inbound.clogged else "backend" if self.ended else "body"
        self.inbound.hall.tally.count(f"late_{late}")
        if late == "backend" and self._service is not None and self._endpoint is not None:
            self.inbound.hall.tally.saw(self._endpoint.member, self._service.key, tally.SILENT)
        self.give_up(504 if self.ended else 408)

    def released(self) -> None:
        if self._opening is not None:
            self._opening.cancel()
            self._opening = None
        service, self._service = self._service, None
        if service is not None:
            service.active -= 1
            service.retrying -= self._retrying

    def settle(self) -> None:
        hall, decision = self.inbound.hall, self._decision
        location = decision.location if decision is not None else None
        rule = location.rule if location is not None else b""
        member = self._endpoint.member if self._endpoint is not None else ""
        seconds, status = monotonic() - self._begun, self.status or GONE
        hall.tally.served(rule, member, status, seconds)
        if hall.log is not None:
            hall.log.note(self._entry(rule, member, status, seconds))

    def _entry(self, rule: bytes, member: str, status: int, seconds: float) -> accesslog.Entry:
        request, head, end = self.request, self._head, self._endpoint
        return accesslog.Entry(
            client=head.client if head is not None else self.inbound.peer.address,
            method=request.method,
            host=head.host if head is not None else b"",
            target=request.target,
            version="1.0" if request.old else "1.1",
            status=status,
            received=self.received,
            sent=self.sent,
            seconds=seconds,
            referer=(head.get(b"referer") if head is not None else None) or b"",
            agent=(head.get(b"user-agent") if head is not None else None) or b"",
            request_id=self._request_id,
            rule=rule,
            member=member,
            endpoint=f"{end.address}:{end.port}" if end is not None else "",
            tries=self._tries,
        )


def _octets(pieces: list[bytes]) -> int:
    return sum(map(len, pieces))
