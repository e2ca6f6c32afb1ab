"""Plain requests on a short way: a GET that came whole, and an answer that came whole.

Law: it takes only what it wholly understands, strictly: where there is anything unusual about a request, its
route or its answer, nothing has happened yet and the long way (`exchange`) does all, or goes on from here
(`Ride.become`). Where both could serve, backend and client get the same octets. It serves compiled, as
`_swift`, or as Python.
"""

from time import monotonic
from typing import TYPE_CHECKING, cast

from fedns.gateway import balance, normal
from fedns.gateway.decide import Decision
from fedns.gateway.head import Head
from fedns.gateway.options import Options
from fedns.gateway.route import Host, Location
from fedns.proxy import accesslog, framing, plain
from fedns.proxy.exchange import Adopted, Exchange
from fedns.proxy.outbound import Key
from fedns.proxy.request import Request
from fedns.servers import tally
from fedns.servers.tally import Tally

if TYPE_CHECKING:
    from fedns.gateway.route import Endpoint, Table
    from fedns.proxy.directory import Service
    from fedns.proxy.hall import Hall
    from fedns.proxy.inbound import Inbound
    from fedns.proxy.outbound import Outbound, Taker

LONG = 8 << 10  # octets of a head, and
MANY = 64  # fields, beyond which it is not plain
HOSTS = 4096  # as requests name them, that are remembered
_USUAL = Options()
_READ = _USUAL.timeouts.read
_STATUSES = {b"%d " % each: each for each in range(200, 500) if each not in (204, 205, 304)}
_ASKED, _TOLD = plain.Asked(), plain.Told()
_PLAIN, _QUERY, _TEXT = plain.PATH, plain.QUERY, plain.TEXT
_HOST, _CONNECTION, _LENGTH = plain.HOST, plain.CONNECTION, plain.LENGTH


class Ride:
    """One plain request. To its Inbound and its Outbound it is the exchange that it may yet become."""

    def __init__(self, inbound: "Inbound") -> None:
        self.inbound = inbound
        self.hall = inbound.hall
        self.ended, self.started, self.tunnel, self.pieces = True, False, False, ()
        self.keep, self.target, self.query, self.path, self.host = True, b"", b"", b"", b""
        self.lines: list[bytes] = []

    def read(self, data: bytes) -> bool:
        """Whether these octets are one plain request, and nothing else."""
        if data[:5] != b"GET /" or not data.endswith(b"\r\n\r\n") or len(data) > LONG:
            return False
        rows = data.split(b"\r\n")
        count = len(rows) - 2
        first = rows[0]
        if count > MANY or not first.endswith(b" HTTP/1.1") or data.translate(None, _TEXT):
            return False
        if data.count(b"\r") != count + 1 or data.count(b"\n") != count + 1:
            return False
        self.target = first[4 : len(first) - 9]
        self.path, _, self.query = self.target.partition(b"?")
        if self.path.translate(None, _PLAIN) or b"//" in self.path or b"/." in self.path:
            return False
        if self.query.translate(None, _QUERY):
            return False
        return self._fields(rows, count) and self.host != b""

    def _fields(self, rows: list[bytes], count: int) -> bool:
        lines = self.lines
        for at in range(1, count):
            row = rows[at]
            colon = row.find(b": ")
            if colon < 0 or row.endswith(b" ") or row[colon + 2 : colon + 3] == b" ":
                return False
            name = row[:colon]
            kind = _ASKED[name]
            if len(kind) > 1:
                lines.append(row if name + b": " == kind else kind + row[colon + 2 :])
            elif kind == _HOST:
                if self.host:
                    return False
                self.host = row[colon + 2 :]
            elif kind == _CONNECTION:
                said = row[colon + 2 :].lower()
                if said == b"close":
                    self.keep = False
                elif said != b"keep-alive":
                    return False
            else:
                return False
        return True

    def set_out(self, place: "Place", service: "Service", endpoint: "Endpoint", outbound: "Outbound") -> None:
        """To the backend."""
        inbound, hall = self.inbound, self.hall
        self.place, self.service = place, service
        self.endpoint, self.outbound, self.status = endpoint, outbound, 0
        self.begun, self.request_id = monotonic(), hall.request_id()
        self._full: Exchange | None = None
        service.active += 1
        hall.tally.saw(endpoint.member, place.pool, tally.TRIES)
        inbound.exchange, inbound.due = self, hall.now + _READ
        outbound.taker, outbound.ride = cast("Taker", self), self
        outbound.transport.write(self._wire())

    def _wire(self) -> bytes:
        lines = [
            b"GET " + self.target + b" HTTP/1.1\r\nhost: " + self.host,
            self.inbound.sender.lines,
            b"x-forwarded-host: " + self.host,
            *self.lines,
            b"x-request-id: " + self.request_id + b"\r\n\r\n",
        ]
        return b"\r\n".join(lines)

    # What the backend says.

    def answered(self, outbound: "Outbound", data: bytes) -> bool:
        """Whether these octets are the whole answer, a plain one: then it is on its way to the client."""
        told = self._told(data)
        if not told:
            self.become()
            return False
        inbound, hall, service = self.inbound, self.hall, self.service
        if not service.bench.clean and service.bench.answered(self.endpoint):
            service.arrange()
        outbound.taker = None
        inbound.transport.write(told)
        if inbound.clogged:  # by this very answer: the connection has nothing to do with it any more
            outbound.transport.resume_reading()
        hall.depot.again(outbound)
        service.active -= 1
        self._settle(len(told))
        inbound.exchange = None
        inbound.free(self.keep, True, not self.keep)
        return True

    def _told(self, data: bytes) -> bytes:
        """The answer as the client gets it; empty where it is not plain."""
        end = data.find(b"\r\n\r\n")
        if end < 0 or end > LONG or data[:9] != b"HTTP/1.1 " or self.hall.draining:
            return b""
        head = data[:end]
        rows = head.split(b"\r\n")
        count, length, size = len(rows), -1, b""
        status = _STATUSES.get(data[9:13])
        if status is None or count > MANY or head.translate(None, _TEXT):
            return b""
        if head.count(b"\r") != count - 1 or head.count(b"\n") != count - 1:
            return b""
        lines = [rows[0]]
        for at in range(1, count):
            row = rows[at]
            colon = row.find(b": ")
            if colon < 0 or row.endswith(b" ") or row[colon + 2 : colon + 3] == b" ":
                return b""
            kind = _TOLD[row[:colon]]
            if len(kind) > 1:
                lines.append(row)
            elif kind == _LENGTH:
                said = row[colon + 2 :]
                if length >= 0 or not said.isdigit() or len(said) > 9:
                    return b""
                length = int(said)
                size = row[colon:]
            elif kind != _CONNECTION or row[colon + 2 :].lower() != b"keep-alive":
                return b""
        if length < 0 or end + 4 + length != len(data):
            return b""
        self.status = status
        lines.append(b"Content-Length" + size)
        if b"\r\nDate: " not in head and b"\r\ndate: " not in head.lower():
            lines.append(b"Date: " + self.hall.date())
        if not self.keep:
            lines.append(b"Connection: close")
        lines.append(b"")
        lines.append(data[end + 4 :])
        return b"\r\n".join(lines)

    def _settle(self, sent: int) -> None:
        hall, member = self.hall, self.endpoint.member
        seconds = monotonic() - self.begun
        if self.status == 200:
            hall.tally.add(self.place.row(hall.tally, member), seconds)
        else:
            hall.tally.served(self.place.location.rule, member, self.status, seconds)
        if hall.log is None:
            return
        said = dict(framing.pairs(reversed(self.lines)))
        entry = accesslog.Entry(
            client=self.inbound.sender.peer.address,
            method=b"GET",
            host=normal.host(self.host),
            target=self.target,
            version="1.1",
            status=self.status,
            received=0,
            sent=sent,
            seconds=seconds,
            referer=said.get(b"referer", b""),
            agent=said.get(b"user-agent", b""),
            request_id=self.request_id,
            rule=self.place.location.rule,
            member=member,
            endpoint=f"{self.endpoint.address}:{self.endpoint.port}",
            tries=1,
        )
        hall.log.note(entry)

    # The long way.

    def become(self) -> Exchange:
        """An exchange that has come as far as this."""
        inbound, request = self.inbound, Request()
        request.method, request.target, request.lines = b"GET", self.target, self.lines
        request.hosts, request.keep = [self.host], self.keep
        request.marked = [(b"host", self.host)]
        request.connections = [] if self.keep else [b"close"]
        request.headers = [(b"host", self.host), *framing.pairs(self.lines)]
        sender, location = inbound.sender, self.place.location
        head = Head(b"GET", normal.host(self.host), self.path, self.target, None, request.headers)
        head.query = self.query if b"?" in self.target else None
        head.client, head.secure = sender.peer.address, sender.peer.secure
        table = self.hall.directory.table
        decision = Decision(0, location=location, options=table.options[0], pool=location.pool)
        decision.tag, decision.target = location.tag, self.target
        made = Exchange(inbound, request)
        case = Adopted(decision, head, self.endpoint, self.service, self._wire())
        made.adopt(case, self.outbound, self.begun, self.request_id)
        self.outbound.taker, self.outbound.ride = made, None
        if inbound.exchange is self:
            inbound.exchange = made
        self._full = made
        return made

    def lost(self, outbound: "Outbound", why: str) -> None:
        self.become().lost(outbound, why)

    def full(self) -> None:
        self.inbound.hold()

    def drained(self) -> None:
        self.inbound.go_on()

    def push(self) -> None:
        """There is no body."""

    def expire(self) -> None:
        self.become().expire()

    def abandon(self) -> None:
        self.become().abandon()

    def settle(self) -> None:
        if self._full is not None:
            self._full.settle()


class Place:
    """Where requests of one location go, if it is a plain one. It knows the tally's rows of its answers 200,
    of two members: whatever else there is of a location is out of the processor's reach for long."""

    def __init__(self, location: Location) -> None:
        self.location, self.pool = location, location.pool
        self.plain = not (location.options or location.canaries)
        self._one = self._other = ""
        self._at = self._beside = -1

    def row(self, tally: "Tally", member: str) -> int:
        if member == self._one and self._at >= 0:
            return self._at
        if member == self._other and self._beside >= 0:
            return self._beside
        found = tally.row(self.location.rule, member, 200)
        if self._at < 0:
            self._one, self._at = member, found
        elif self._beside < 0:
            self._other, self._beside = member, found
        return found


class Way:
    """A host's places, found as `decide.locate` finds locations; none where it is not `plain`."""

    def __init__(self, host: Host | None, pools: dict[bytes, bytes]) -> None:
        self.plain = host is not None and _simple(host)
        if host is None or not self.plain:
            host = _NONE
        kinds = [
            {key: Place(each) for key, each in some.items()}
            for some in (host.exact, host.prefix, host.starts)
        ]
        for place in (each for some in kinds for each in some.values()):
            place.pool = pools.setdefault(place.pool, place.pool)  # one for all, which is near at hand
        self._exact, self._prefix, self._starts = kinds[0] or None, kinds[1], kinds[2]
        self._longest, self._lengths = host.longest, host.lengths

    def find(self, path: bytes) -> Place | None:
        found = self._exact.get(path) if self._exact is not None else None
        if found is not None:
            return found
        length, key = 0, path
        if len(key) > self._longest:
            key = key[: self._longest + 1]
            key = key[: key.rfind(b"/")]
        found = self._prefix.get(key)
        while found is None and key:
            key = key[: key.rfind(b"/")]
            found = self._prefix.get(key)
        if found is not None:
            length = len(key) + 1
        for size in self._lengths:
            if size <= length:
                break
            longer = self._starts.get(path[:size]) if size <= len(path) else None
            if longer is not None:
                return longer
        return found


class Lane:
    """One worker's short way: which hosts are plain, as the routes are now."""

    def __init__(self, hall: "Hall") -> None:
        self._hall = hall
        self._table: Table | None = None
        self._usual = self._vouched = False
        self._hosts: dict[bytes, Way] = {}
        self._ways: dict[bytes, Way] = {}
        self._pools: dict[bytes, bytes] = {}

    def takes(self, inbound: "Inbound", data: bytes) -> bool:
        """Whether a request that begins here is on its way; else nothing has happened."""
        ride = Ride(inbound)
        if not ride.read(data):
            return False
        hall = self._hall
        directory = hall.directory
        table = directory.look()
        if table is not self._table:
            self._renew(table)
        if not self._usual or hall.draining or (self._vouched and inbound.asked is not None):
            return False
        terms = hall.terms
        if len(ride.target) > terms.target or len(data) > terms.head or len(ride.lines) > terms.fields - 2:
            return False
        way = self._hosts.get(ride.host)
        if way is None:
            way = self._learn(table, ride.host)
        place = way.find(ride.path) if way.plain else None
        if place is None or not place.plain:
            return False
        service = directory.service(place.pool)
        balancer = service.balancer
        turns = balancer.turns
        endpoint = balance.pick(balancer, balance.turn(balancer))
        outbound = hall.depot.take(Key(endpoint.address, endpoint.port)) if endpoint is not None else None
        if endpoint is None or outbound is None:
            balancer.turns = turns
            return False
        ride.set_out(place, service, endpoint, outbound)
        return True

    def _renew(self, table: "Table") -> None:
        self._table = table
        self._usual = table.options[0] == _USUAL
        self._vouched = any(each.clients for each in table.tls.values())
        self._hosts, self._ways, self._pools = {}, {}, {}

    def _learn(self, table: "Table", raw: bytes) -> Way:
        """The way of a host as a request names it."""
        try:
            name = normal.host(raw)
        except normal.Rejected:
            return _NOWHERE
        host = table.hosts.get(name)
        if host is None:
            return _NOWHERE
        way = self._ways.get(name)
        if way is None:
            way = self._ways[name] = Way(host, self._pools)
        if len(self._hosts) < HOSTS:
            self._hosts[raw] = way
        return way


def _simple(host: Host) -> bool:
    if host.root or host.elsewhere or host.regexes:
        return False
    every = (*host.exact.values(), *host.prefix.values(), *host.starts.values())
    return not any(each.variants for each in every)


_NONE = Host()
_NOWHERE = Way(None, {})
