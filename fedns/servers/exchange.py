"""One request and its answer: decided, tried, tried elsewhere, and streamed both ways.

Law: another try happens before the first octet of an answer, and only if all that was sent is still here.
What was not sent may always be tried again; what a backend may have taken only where twice is as good as
once, or where somebody says so. Neither side is read faster than the other side takes it.
"""

import asyncio
from collections.abc import Sequence
from time import monotonic
from typing import TYPE_CHECKING

from fedns.gateway import balance, decide, normal
from fedns.gateway import head as heads
from fedns.gateway.route import Endpoint
from fedns.servers import framing
from fedns.servers.directory import Service
from fedns.servers.outbound import Outbound

if TYPE_CHECKING:
    from fedns.servers.inbound import Inbound

IDEMPOTENT = frozenset((b"GET", b"HEAD", b"OPTIONS", b"PUT", b"DELETE", b"TRACE"))  # RFC 9110 section 9.2.2
TRIES = 3
CONNECT, SILENCE = 5.0, 60.0  # seconds


class Request:
    """What was parsed. `length` frames the body; `keep`: the client wants the connection to persist."""

    __slots__ = ("headers", "keep", "length", "method", "old", "refusal", "target", "upgrade")

    def __init__(self, method: bytes, target: bytes, headers: list[framing.Field]) -> None:
        self.method, self.target, self.headers = method, target, headers
        self.length = framing.NO_BODY
        self.keep, self.old, self.upgrade = True, False, b""
        self.refusal: normal.Rejected | None = None


class Exchange:
    """`pieces`: body that came and was not sent on yet; `ended`: it came whole."""

    __slots__ = (
        "_begun",
        "_endpoint",
        "_kept",
        "_opening",
        "_retrying",
        "_service",
        "_sized",
        "_started",
        "_tried",
        "_wire",
        "ended",
        "head_only",
        "inbound",
        "outbound",
        "pieces",
        "request",
        "status",
        "trailers",
        "tries",
    )

    def __init__(self, inbound: "Inbound", request: Request) -> None:
        self.inbound, self.request = inbound, request
        self.head_only = request.method == b"HEAD"
        self.pieces: list[bytes] = []
        self.trailers: list[framing.Field] = []
        self.ended = False
        self.outbound: Outbound | None = None
        self.status = self.tries = 0
        self._service: Service | None = None
        self._endpoint: Endpoint | None = None
        self._tried: balance.Tried | None = None
        self._opening: asyncio.Task[None] | None = None
        self._wire: bytes = b""
        self._kept: list[bytes] | None = []
        self._sized = 0
        self._started = self._retrying = False
        self._begun = 0.0

    # The request, as the client sends it.

    def begin(self) -> None:
        """Decides where it goes, and sends what is there."""
        request, inbound = self.request, self.inbound
        hall = inbound.hall
        self._begun = monotonic()
        inbound.due = hall.now + SILENCE
        try:
            if request.refusal is not None:
                raise request.refusal
            head = heads.read(request.method, request.target, request.headers, inbound.secure, request.old)
            head.client = inbound.client
            decision = decide.decide(hall.directory.look(), head, hall.draw(), hall.directory.alive)
        except normal.Rejected as no:
            self.refuse(no.status, no.why)
            return
        if decision.status:
            self.answer(decision.status, decision.fields)
            return
        self._wire = self._head(head, decision.target)
        self._service = service = hall.directory.service(decision.pool)
        service.active += 1
        self._try()

    def push(self) -> None:
        """Sends on what has come of the body."""
        outbound = self.outbound
        self.inbound.due = self.inbound.hall.now + SILENCE
        if outbound is None or not (self.pieces or self.ended) or self.request.length == framing.NO_BODY:
            return
        data = self._body()
        if data:
            outbound.transport.write(data)

    def _body(self) -> bytes:
        """The next octets of the body for the backend, kept as long as another try may need them."""
        pieces = self.pieces
        if self.request.length == framing.CHUNKED:
            pieces = [framing.chunk(piece) for piece in pieces]
            if self.ended:
                pieces.append(framing.last(self.trailers))
        data = b"".join(pieces)
        self.pieces = []
        if self._kept is not None:
            self._sized += len(data)
            if self._sized > self.inbound.hall.terms.replay:
                self._kept = None
            else:
                self._kept.append(data)
        return data

    def _head(self, head: heads.Head, target: bytes) -> bytes:
        """The head of the request as the backend gets it."""
        request, inbound = self.request, self.inbound
        values = [value for name, value in request.headers if name == b"connection"]
        also = framing.nominated(values) if values else frozenset()
        lines = [request.method + b" " + target + b" HTTP/1.1", b"host: " + self._host(head)]
        lines.append(inbound.identity)
        lines += framing.passing(request.headers, also)
        if request.length != framing.NO_BODY:
            lines.append(framing.body(request.length))
        lines.append(b"x-request-id: %032x\r\n\r\n" % inbound.hall.bits(128))
        return b"\r\n".join(lines)

    def _host(self, head: heads.Head) -> bytes:
        return head.get(b"host") or head.host

    # Tries.

    def _try(self) -> None:
        """To the endpoint that is next."""
        assert self._service is not None
        hall = self.inbound.hall
        endpoint = balance.pick(self._service.balancer, hall.draw(), self._tried)
        if endpoint is None:
            self.answer(502 if self.tries else 503)
            return
        self.tries += 1
        self._endpoint = endpoint
        key = (endpoint.address, endpoint.port)
        outbound = hall.depot.take(key)
        if outbound is not None:
            self._use(outbound)
        else:
            self._opening = hall.loop.create_task(self._open(key))

    async def _open(self, key: tuple[str, int]) -> None:
        try:
            outbound = await self.inbound.hall.depot.open(key, CONNECT)
        except OSError as error:
            self._opening = None
            self._failed(str(error), False)
            return
        self._opening = None
        self._use(outbound)

    def _use(self, outbound: Outbound) -> None:
        self.outbound = outbound
        outbound.taker = self
        self.inbound.due = self.inbound.hall.now + SILENCE
        if self.request.length == framing.NO_BODY:
            outbound.transport.write(self._wire)
            return
        before = b"".join(self._kept or ())
        outbound.transport.write(b"".join((self._wire, before, self._body())))

    def _failed(self, why: str, taken: bool) -> None:
        """A try came to nothing. `taken`: the backend may have seen some of it."""
        assert self._service is not None and self._endpoint is not None
        if not self._again(taken):
            self.answer(502)
            return
        if self._tried is None:
            self._tried = balance.Tried(set(), set())
        self._tried.hosts.add(self._endpoint.tag)
        self._tried.members.add(self._endpoint.member)
        if not self._retrying:
            self._retrying = True
            self._service.retrying += 1
        self._try()

    def _again(self, taken: bool) -> bool:
        """Whether another try is allowed."""
        assert self._service is not None
        terms, service = self.inbound.hall.terms, self._service
        if self.tries >= TRIES or self._kept is None or (taken and not self._repeatable()):
            return False
        bound = max(terms.least_budget, terms.budget * service.active)
        return self._retrying or service.retrying < bound

    def _repeatable(self) -> bool:
        request = self.request
        return request.method in IDEMPOTENT or any(name == b"idempotency-key" for name, _ in request.headers)

    # The answer, as the backend sends it.

    def arrived(self, outbound: Outbound) -> None:
        """Sends on what came."""
        inbound = self.inbound
        parts: list[bytes] = []
        if outbound.fresh:
            outbound.fresh = False
            if outbound.status == 101:
                outbound.fail("switched without being asked")
                return
            parts.append(self._answer_head(outbound))
        chunked = outbound.unbounded and not self.request.old
        if outbound.pieces:
            parts += [framing.chunk(each) for each in outbound.pieces] if chunked else outbound.pieces
            outbound.pieces = []
        if outbound.ended and chunked:
            parts.append(framing.last(outbound.trailers))
        inbound.due = inbound.hall.now + SILENCE
        inbound.transport.write(b"".join(parts))
        if outbound.ended:
            self._finish(outbound)

    def _answer_head(self, outbound: Outbound) -> bytes:
        self._started = True
        self.status, request = outbound.status, self.request
        if not self.ended or (request.old and outbound.unbounded) or self.inbound.hall.draining:
            request.keep = False
        lines = [b"HTTP/1.1 %d %b" % (outbound.status, outbound.reason)]
        nominating = False
        for name, value in outbound.headers:
            lower = name.lower()
            if lower not in framing.HOP:
                lines.append(name + b": " + value)
            elif lower == b"connection":
                nominating = nominating or value.lower() not in (b"close", b"keep-alive")
            elif lower == b"content-length" and not outbound.unbounded and outbound.status != 204:
                lines.append(name + b": " + value)
        if nominating:
            lines = self._without(lines, outbound.headers)
        if outbound.unbounded and not request.old:
            lines.append(b"Transfer-Encoding: chunked")
        if not request.keep:
            lines.append(b"Connection: close")
        elif request.old:
            lines.append(b"Connection: keep-alive")
        lines.append(b"\r\n")
        return b"\r\n".join(lines)

    @staticmethod
    def _without(lines: list[bytes], headers: list[framing.Field]) -> list[bytes]:
        gone = framing.nominated(value for name, value in headers if name.lower() == b"connection")
        return [lines[0], *(each for each in lines[1:] if each[: each.index(b":")].lower() not in gone)]

    def interim(self, outbound: Outbound) -> None:
        """100 and 103 go on to who understands them."""
        if self.request.old or self._started:
            return
        lines = [b"HTTP/1.1 %d %b" % (outbound.status, outbound.reason)]
        lines += [name + b": " + value for name, value in outbound.headers if name.lower() not in framing.HOP]
        self.inbound.transport.write(b"\r\n".join((*lines, b"", b"")))

    def switched(self, outbound: Outbound, rest: bytes) -> None:
        outbound.fail("switched without being asked")

    def lost(self, outbound: Outbound, why: str) -> None:
        """The backend is gone before its answer ended."""
        self.outbound = None
        if self._started:
            self._release()
            self.inbound.abort()
        elif outbound.used and not outbound.headed and self._kept is not None and self._repeatable():
            self._opening = self.inbound.hall.loop.create_task(self._open(outbound.key))
        else:
            self._failed(why, True)

    def full(self) -> None:
        self.inbound.hold()

    def drained(self) -> None:
        self.inbound.go_on()

    # The end.

    def answer(self, status: int, fields: Sequence[framing.Field] = ()) -> None:
        """An answer of our own, instead of a backend's."""
        request = self.request
        if not self.ended:
            request.keep = False
        self.status, self._started = status, True
        text = b"" if self.head_only else framing.REASONS[status] + b"\n"
        said = (*fields, (b"Content-Type", b"text/plain; charset=utf-8"))
        self.inbound.transport.write(framing.answer(status, said, text, not request.keep))
        self._release()
        self.inbound.done(self)

    def refuse(self, status: int, why: str) -> None:
        """Answers a request that is none; nothing behind it can be believed."""
        self.request.keep = False
        self.answer(status)

    def _finish(self, outbound: Outbound) -> None:
        self.outbound = outbound.taker = None
        if outbound.persists and self.ended:
            self.inbound.hall.depot.give(outbound)
        else:
            outbound.transport.close()
        self._release()
        self.inbound.done(self)

    def _release(self) -> None:
        service, self._service = self._service, None
        if service is not None:
            service.active -= 1
            service.retrying -= self._retrying

    def abandon(self) -> None:
        """The client is gone, or cannot be understood any more."""
        if self._opening is not None:
            self._opening.cancel()
        outbound, self.outbound = self.outbound, None
        if outbound is not None:
            outbound.taker = None
            outbound.transport.abort()
        self._release()

    def broken(self) -> None:
        """What the client sends is no body."""
        waiting = not self._started
        self.abandon()
        self.request.keep = False
        if waiting:
            self.answer(400)
        else:
            self.inbound.abort()

    def expire(self) -> None:
        """Nothing moved for too long."""
        waiting = not self._started
        self.abandon()
        if waiting:
            self.answer(504 if self.ended else 408)
        else:
            self.inbound.abort()
