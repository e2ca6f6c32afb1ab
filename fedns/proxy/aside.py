"""Requests of our own, beside the way of a client's: to mirrors, and to those who decide who may pass.

Law: connections of their own, so that whoever hangs here holds up nobody there; each question ends within its
patience. Names outside the fleet are asked of the system's resolver, once for all who want to know, and what
was found last serves while nobody answers.
"""

import asyncio
from time import monotonic
from typing import NamedTuple

from fedns.gateway import balance
from fedns.gateway.balance import Tried
from fedns.gateway.options import Upstream
from fedns.gateway.route import Endpoint
from fedns.proxy.depot import Depot
from fedns.proxy.directory import Directory
from fedns.proxy.outbound import Key, Outbound
from fedns.proxy.seals import Seals

MOST = 1 << 20  # octets of an answer's body that are listened to, and thrown away
TRIES, CONNECT = 3, 3.0
FRESH, STALE = 10.0, 300.0  # seconds that an address is believed, and that it serves if need be
NAMES = 1024
_PORTS = {b"http": 80, b"https": 443}


class Place(NamedTuple):
    """Where a question goes: to a pool, else to a host by its name. `upstream`: over TLS."""

    pool: bytes
    host: str
    port: int
    upstream: Upstream | None = None


class Answer(NamedTuple):
    """What was said: fields as lines."""

    status: int
    lines: list[bytes]


class Url(NamedTuple):
    """Taken apart: `target` may go on a request line as it is."""

    secure: bool
    authority: bytes
    host: str
    port: int
    target: bytes


def url(raw: bytes) -> Url:
    """ValueError where it is none of http or https."""
    scheme, mark, rest = raw.partition(b"://")
    at = min((place for place in map(rest.find, (b"/", b"?", b"#")) if place >= 0), default=len(rest))
    authority, target = rest[:at], rest[at:].partition(b"#")[0]
    if not mark or scheme.lower() not in _PORTS or b"@" in authority:
        raise ValueError("no URL of http or https")
    host, colon, number = authority.rpartition(b":")
    if not colon or number.endswith(b"]"):
        host, number = authority, b""
    name = host.strip(b"[]").decode("ascii")
    port = int(number) if number else _PORTS[scheme.lower()]
    if not name or not 0 < port < 65536:
        raise ValueError("a URL without a host")
    return Url(scheme.lower() == b"https", authority, name, port, clean(target))


def clean(target: bytes) -> bytes:
    """As it can stand on a request line: what cannot is escaped."""
    if not target.startswith(b"/"):
        target = b"/" + target
    if all(0x20 < each < 0x7F for each in target):
        return target
    return b"".join(bytes((each,)) if 0x20 < each < 0x7F else b"%%%02X" % each for each in target)


class Aside:
    """One per worker."""

    def __init__(self, loop: asyncio.AbstractEventLoop, directory: Directory, seals: Seals) -> None:
        self._loop, self._directory = loop, directory
        self.depot = Depot(loop, seals)
        self._names: dict[str, tuple[float, str]] = {}
        self._asking: dict[str, asyncio.Task[str]] = {}

    async def ask(self, place: Place, wire: bytes, patience: float, repeat: bool = True) -> Answer:
        """OSError (TimeoutError) where nobody answers in time. `repeat`: it may be sent twice."""
        async with asyncio.timeout(patience):
            return await self._ask(place, wire, repeat)

    async def _ask(self, place: Place, wire: bytes, repeat: bool) -> Answer:
        tried = Tried(set(), set())
        for _ in range(TRIES - 1):
            key = await self._key(place, tried)
            try:
                return await self._once(key, wire)
            except Taken:
                if not repeat:
                    raise
            except OSError:
                continue
        return await self._once(await self._key(place, tried), wire)

    async def _once(self, key: Key, wire: bytes) -> Answer:
        outbound = self.depot.take(key)
        if outbound is None:
            outbound = await self.depot.open(key, CONNECT)
        question = _Question(self._loop, self.depot, wire.startswith(b"HEAD "))
        outbound.taker = question
        outbound.transport.write(wire)
        try:
            return await question.answer
        finally:
            if outbound.taker is question:
                outbound.taker = None
                outbound.transport.abort()

    async def _key(self, place: Place, tried: Tried) -> Key:
        if not place.pool:
            return Key(await self._address(place.host), place.port, place.upstream, self._checked(place))
        found = self._endpoint(place.pool, tried)
        tried.hosts.add(found.tag)
        return Key(found.address, found.port, place.upstream, self._checked(place))

    def _endpoint(self, pool: bytes, tried: Tried) -> Endpoint:
        balancer = self._directory.service(pool).balancer
        found = balance.pick(balancer, balance.turn(balancer), tried if tried.hosts else None)
        if found is None:
            raise ConnectionError("no endpoint is left")
        return found

    @staticmethod
    def _checked(place: Place) -> str:
        return place.host if place.upstream is not None else ""

    async def _address(self, host: str) -> str:
        """Of a name; one that is an address stands for itself."""
        now = monotonic()
        until, known = self._names.get(host, (0.0, ""))
        if now < until:
            return known
        task = self._asking.get(host)
        if task is None:
            task = self._asking[host] = self._loop.create_task(self._resolve(host))
            task.add_done_callback(lambda _: self._asking.pop(host, None))
        if known and now < until + STALE:
            return known
        found = await asyncio.shield(task)
        if not found:
            raise ConnectionError("the name is not known")
        return found

    async def _resolve(self, host: str) -> str:
        try:
            found = await self._loop.getaddrinfo(host, None, type=1)
        except (OSError, UnicodeError):
            return ""
        address = str(found[0][4][0]) if found else ""
        if address:
            while len(self._names) >= NAMES:
                del self._names[next(iter(self._names))]
            self._names[host] = monotonic() + FRESH, address
        return address


class Taken(ConnectionError):
    """It was sent, and the connection ended without an answer."""


class _Question:
    """Who waits for one answer."""

    def __init__(self, loop: asyncio.AbstractEventLoop, depot: Depot, head_only: bool) -> None:
        self.answer: asyncio.Future[Answer] = loop.create_future()
        self.head_only = head_only
        self._depot, self._octets = depot, 0

    def arrived(self, outbound: Outbound) -> None:
        outbound.fresh = False
        self._octets += sum(map(len, outbound.pieces))
        outbound.pieces.clear()
        if not outbound.ended and self._octets <= MOST:
            return
        said = Answer(outbound.status, outbound.lines)
        outbound.taker = None
        if outbound.ended and outbound.persists:
            self._depot.give(outbound)
        else:
            outbound.transport.abort()
        if not self.answer.done():
            self.answer.set_result(said)

    def interim(self, outbound: Outbound) -> None:
        """Nothing that is waited for."""

    def switched(self, outbound: Outbound, rest: bytes) -> None:
        outbound.fail("switched without being asked")

    def ceased(self, outbound: Outbound) -> bool:
        return False

    def lost(self, outbound: Outbound, why: str) -> None:
        if not self.answer.done():
            self.answer.set_exception(Taken(why))

    def full(self) -> None:
        """What is sent is bounded already."""

    def drained(self) -> None:
        """As `full`."""
