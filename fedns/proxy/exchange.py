"""One request, from its first octet to the line in the log.

Law: it is decided once, by the routes as they are when its head is whole, and keeps to that. What is refused
is answered before anybody behind hears of it.
"""

import logging
from collections.abc import Sequence
from time import monotonic, time
from typing import NamedTuple

from msgspec import structs

from fedns.gateway import cors, decide
from fedns.gateway import head as heads
from fedns.gateway.normal import Rejected
from fedns.gateway.options import Limits, Retry, Upstream
from fedns.gateway.route import Endpoint
from fedns.proxy import accesslog, credential, dressing, external, framing, identity, onward, substitute
from fedns.proxy.admission import Case
from fedns.proxy.directory import Service
from fedns.proxy.journey import Journey
from fedns.proxy.outbound import Outbound
from fedns.proxy.pacing import Pacing
from fedns.proxy.trunk import Branch

AHEAD = 64 << 10  # octets of a body that are read before there is somebody to take them
ROUTE = b"x-fedns-route"
"""Who is trusted and says so is told which way it went."""
_AFRESH, _PLAIN = Retry(tries=0), Upstream()
GONE = 499  # nginx's number for a client that did not wait

_log = logging.getLogger("fedns.gateway")


class Adopted(NamedTuple):
    """A plain request that is under way to an endpoint, with all that was decided about it."""

    decision: decide.Decision
    head: heads.Head
    endpoint: Endpoint
    service: Service
    wire: bytes


class Exchange(Journey):
    """What an Inbound makes of each request."""

    __slots__ = ("_cookies", "_paced", "_places", "_request_id")

    _cookies: tuple[bytes, ...]
    """That who was asked for credentials gave."""
    _paced: Outbound | None
    _places: tuple[int, ...]
    """Where it is counted as long as it lasts."""
    _request_id: bytes

    def begin(self) -> None:
        """Decides where it goes, and sends what is there."""
        self._clear(monotonic(), b"")
        try:
            decision = self._decide()
        except credential.Elsewhere as page:
            self.say(302, ((b"Location", page.url),))
        except Rejected as no:
            self.refuse(no.status)
        else:
            if decision.status:
                self.say(decision.status, decision.fields)
            elif (self.plain and not decision.authenticate) or self._admitted(decision):
                self._depart(decision)

    def _clear(self, begun: float, request_id: bytes) -> None:
        self.begun, self._request_id, self._cookies, self._places = begun, request_id, (), ()
        self._paced = None

    def adopt(self, case: Adopted, outbound: Outbound, begun: float, request_id: bytes) -> None:
        """Goes on with what `swift` has begun."""
        self._clear(begun, request_id)
        self.ended = True
        self.decision, self.head, self.endpoint, self._service, self.wire = case
        self.tries, self.outbound = 1, outbound
        assert case.decision.options is not None
        self.options = case.decision.options

    def _admitted(self, decision: decide.Decision) -> bool:
        """Whether it may go on at once."""
        limits = self.options.limits
        if limits is not None and not self._within(limits, decision):
            return False
        if decision.authenticate:
            self.inbound.hall.directory.service(decision.pool)  # routes may be others when the word comes
            self._opening = self.inbound.hall.loop.create_task(self._authenticate(decision))
        return not decision.authenticate

    def _within(self, limits: Limits, decision: decide.Decision) -> bool:
        assert self.head is not None and decision.location is not None
        hall = self.inbound.hall
        self._places, said = hall.throttle.enter(limits, decision.location.rule, self.head)
        if said is not None:
            hall.tally.count("limited")
            self.say(*said)
        return said is None

    async def _authenticate(self, decision: decide.Decision) -> None:
        assert self.head is not None and decision.location is not None
        hall, case = self.inbound.hall, Case(self.options, decision.location.rule, self.head, self.wire)
        try:
            verdict = await hall.admission.judge(case)
        except Exception:  # whatever it is, it is no reason to let anybody pass
            _log.exception("nobody could be asked for credentials")
            verdict = external.FAILED
        self._opening = None
        if verdict.status:
            hall.tally.count(f"auth_{verdict.status}")
            self.say(verdict.status, verdict.fields)
            return
        self._cookies = verdict.cookies
        if verdict.removed or verdict.added:
            line = self.wire.partition(b"\r\n")[0]
            self.wire = onward.altered(self.wire, line, verdict.removed, verdict.added)
        self._depart(decision)

    def _depart(self, decision: decide.Decision) -> None:
        """On its way, and its copy too."""
        hall, mirror = self.inbound.hall, self.options.mirror
        if mirror is None or self.request.websocket or hall.draw() * 100 >= mirror.percent:
            self.set_out(decision)
            return
        assert self.head is not None
        self.copy = copy = hall.mirrors.copy(mirror, self.head, self.wire)
        self.set_out(decision)
        if copy is not None and self.request.bare:
            copy.send()

    def say(self, status: int, fields: Sequence[framing.Field] = (), text: bytes = b"") -> None:
        errors = self.options.errors
        if self.stands_for:
            status = self.stands_for
        elif errors is not None and status in errors.statuses and not (fields or text or self.started):
            self._replace(status, errors.pool)
            return
        if (
            self.options.cors is not None
            and self.head is not None
            and not (self.decision and self.decision.status)
        ):
            fields = (*fields, *cors.fields(self.options.cors, self.head))
        super().say(status, fields, text)

    def unwanted(self, outbound: Outbound) -> bool:
        limits = self.options.limits
        if limits is not None and limits.pace and self._paced is not outbound:
            self._paced, outbound.fresh = outbound, True
            outbound.taker = pacing = Pacing(self, outbound, limits)
            pacing.arrived(outbound)
            return True
        if super().unwanted(outbound):
            return True
        errors, end, decision = self.options.errors, self.endpoint, self.decision
        if errors is None or outbound.status not in errors.statuses or end is None or decision is None:
            return False
        self.answered(outbound.status)
        status = outbound.status
        self.turn_away(outbound)
        self._replace(status, errors.pool)
        return True

    def _replace(self, status: int, pool: bytes) -> None:
        """Has a default backend say it."""
        assert self.head is not None and self.decision is not None
        decision, self.stands_for = self.decision, status
        self.released()
        told = self.wire or substitute.meant(self.request, self.head, self._request_id)
        wire = substitute.wire(status, self.request, self.head, decision.location, told)
        self.options = structs.replace(
            self.options, errors=None, retry=_AFRESH, upstream=_PLAIN, affinity=None, balance="round"
        )
        self.limit(0)
        self.start_over(structs.replace(decision, pool=pool, want=None, tag=b""), wire)

    def refuse(self, status: int) -> None:
        """No request that can be served; what follows it is not believed."""
        self.inbound.hall.tally.count(f"refused_{status}")
        self.request.keep = False
        self.say(status)

    def _decide(self) -> decide.Decision:
        """Rejected where the request is none, or means two things."""
        request, inbound = self.request, self.inbound
        hall = inbound.hall
        if request.refusal is not None:
            raise request.refusal
        directory, sender = hall.directory, inbound.sender
        self.head = head = heads.asked(request.method, request.target, request.hosts, request.old)
        head.headers, head.client, head.secure = request.headers, sender.peer.address, sender.peer.secure
        if inbound.trusted:
            sender = self._told(head)
        if not self._request_id:
            self._request_id = hall.request_id()
        table = directory.look()
        if inbound.asked is not None:
            sender = self._vouched(head, sender)
        self.decision = decision = decide.decide(table, head, hall.draw(), directory.alive)
        if decision.options is not None:
            self.options = decision.options
            self.plain = decision.options is table.options[0] and not inbound.trusted
        if not self.plain and self.options.certified:
            self._prove(head)
        self.limit(self.options.timeouts.whole)
        if not decision.status:
            told = onward.head(request, head, decision.target, self.options, sender)
            self.wire = b"%bx-request-id: %b\r\n\r\n" % (told, self._request_id)
            if not self.plain and decision.pool == self.options.fallback:
                self.wire = substitute.deputy(request, head, decision.location, self.wire)
            if not request.bare and 0 < self._most < max(request.length, _octets(self.pieces)):
                raise Rejected(413, "the body is too long")
        return decision

    def _told(self, head: heads.Head) -> onward.Sender:
        """Who asks, in the words of a trusted peer."""
        inbound = self.inbound
        terms, peer = inbound.hall.terms, inbound.peer
        told = identity.told(peer, terms.trusted, self.request.marked)
        head.client, head.secure, self._request_id = told.client, told.secure, told.request_id
        head.outside = told.host
        return onward.Sender(told.lines, told.host, peer, terms.forwarded, True)

    def _vouched(self, head: heads.Head, sender: onward.Sender) -> onward.Sender:
        """With what a host wants to be told of its client's certificate."""
        asked = self.inbound.hall.seals.asked(head.host)
        if not asked.clients or asked.verify not in ("on", "optional"):
            return sender
        lines = credential.lines(asked, self.inbound.asked, self.inbound.shown, head)
        return sender._replace(lines=sender.lines + b"\r\n" + lines)

    def _prove(self, head: heads.Head) -> None:
        """Rejected where no certificate has been asked for on this connection, and so none was verified."""
        asked = self.inbound.hall.seals.asked(head.host)
        if self.inbound.asked is None or not asked.clients or asked.verify != "on":
            raise Rejected(403, "only with a certificate")

    @property
    def _most(self) -> int:
        """Octets of the body; 0: any."""
        asked = self.options.body_limit
        return asked if asked >= 0 else self.inbound.hall.terms.body

    def push(self) -> None:
        """Sends on what has come of the body."""
        outbound = self.outbound
        if self.request.bare or self._done or not (self.pieces or self.ended):
            return
        self.patience(self.options.timeouts.read)
        if self.request.length == framing.CHUNKED and 0 < self._most < self.received + _octets(self.pieces):
            self.inbound.hall.tally.count("refused_413")
            self.give_up(413)
        elif outbound is not None:
            data = self.body()
            if isinstance(outbound, Branch):
                outbound.send(data, self._done, self.trailers)
            elif data:
                outbound.transport.write(data)
        elif _octets(self.pieces) > AHEAD:
            self.inbound.hold()

    def dressed(self, lines: list[bytes]) -> list[bytes]:
        assert self.decision is not None and self.head is not None and self.endpoint is not None
        way = dressing.Way(self.decision, self.head, self.endpoint, self.tries > 1, time())
        dressed = framing.written(dressing.answer(framing.pairs(lines), self.options, way))
        if self._cookies and (self.status < 400 or self._cookies_always):
            dressed += [b"Set-Cookie: " + each for each in self._cookies]
        if self.inbound.trusted and self.head.get(ROUTE) is not None:
            dressed.append(b"X-Fedns-Route: " + dressing.route(way, self.tries))
        return dressed

    # The end.

    def expire(self) -> None:
        """Nothing moved for too long."""
        hall = self.inbound.hall
        theirs = self.ended or self.stuck
        late = "client" if self.inbound.clogged else "backend" if theirs else "body"
        hall.tally.count(f"late_{late}")
        if late == "backend" and not self.started and hall.now < self._until and self.silent():
            return
        self.give_up(504 if theirs else 408)

    @property
    def _cookies_always(self) -> bool:
        return self.options.external is not None and self.options.external.cookie_always

    def settle(self) -> None:
        if self.copy is not None:
            self.copy.drop()
        if self._places:
            self.inbound.hall.throttle.leave(self._places)
            self._places = ()
        hall, decision, end = self.inbound.hall, self.decision, self.endpoint
        location = decision.location if decision is not None else None
        rule = location.rule if location is not None else b""
        member = end.member if end is not None else ""
        seconds, status = monotonic() - self.begun, self.status or GONE
        hall.tally.served(rule, member, status, seconds)
        if hall.log is not None and self.options.logged:
            hall.log.note(self._entry(rule, member, status, seconds))

    def _entry(self, rule: bytes, member: str, status: int, seconds: float) -> accesslog.Entry:
        request, head, end = self.request, self.head, self.endpoint
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
            tries=self.tries,
        )


def _octets(pieces: list[bytes]) -> int:
    return sum(map(len, pieces))
