"""Copies of requests, to those who are to see them too.

Law: the original knows nothing of its copy. A copy leaves when its request is whole, has so much time, and
takes a place of a bounded number and room of a bounded size; where there is none it is dropped, and counted.
What the mirror answers is thrown away, and what it does is held against nobody.
"""

import asyncio
from collections import Counter
from typing import NamedTuple

from fedns.gateway import variables
from fedns.gateway.head import Head
from fedns.gateway.options import Mirror, Upstream
from fedns.proxy import aside, onward
from fedns.proxy.aside import Aside, Place
from fedns.servers.tally import Tally

AT_ONCE, OF_ONE = 256, 64
"""Copies under way of one worker, and of them to one mirror."""
BODY, ROOM = 1 << 20, 16 << 20
"""Octets of one copy's body, and of all that are under way."""
PATIENCE = 10.0
_IDEMPOTENT = (b"GET ", b"HEAD ", b"OPTIONS ", b"PUT ", b"DELETE ")
_FRAMING = frozenset((b"host", b"content-length", b"transfer-encoding", b"expect", b"connection", b"upgrade"))


class Way(NamedTuple):
    """Where a copy goes, and with which target and Host."""

    place: Place
    target: bytes
    host: bytes


class Copy:
    """Of one request. `add` what comes of its body, then `send`; `drop` when the request is over."""

    __slots__ = ("_body", "_held", "_mirrors", "_way", "_whole", "_wire")

    def __init__(self, mirrors: "Mirrors", way: Way, wire: bytes, body: bool) -> None:
        self._mirrors, self._way, self._wire, self._whole = mirrors, way, wire, body
        self._body: list[bytes] = []
        self._held = 0

    def add(self, pieces: list[bytes]) -> None:
        octets = sum(map(len, pieces))
        if not self._whole or self._held < 0:
            return
        if self._held + octets > BODY or not self._mirrors.take(octets):
            self.drop()
            self._held = -1
            return
        self._held += octets
        self._body += pieces

    def send(self) -> None:
        """The request is whole."""
        if self._held < 0:
            self._mirrors.dropped()
            return
        method, _, rest = self._wire.partition(b"\r\n")[0].partition(b" ")
        target, _, version = rest.rpartition(b" ")
        body = b"".join(self._body)
        fields = [(b"host", self._way.host)]
        if body:
            fields.append((b"content-length", b"%d" % len(body)))
        line = b" ".join((method, self._way.target or target, version))
        data = onward.altered(self._wire, line, _FRAMING, fields) + body
        held, self._held, self._body = self._held, 0, []
        self._mirrors.send(self._way.place, data, held)

    def drop(self) -> None:
        """Lets go of what it holds."""
        self._mirrors.give(max(self._held, 0))
        self._held, self._body = 0, []


class Mirrors:
    """One per worker."""

    def __init__(self, loop: asyncio.AbstractEventLoop, aside: Aside, tally: Tally) -> None:
        self._loop, self._aside, self._tally = loop, aside, tally
        self._under_way: set[asyncio.Task[None]] = set()
        self._places: Counter[Place] = Counter()
        self._room = ROOM

    def copy(self, asked: Mirror, head: Head, wire: bytes) -> Copy | None:
        """A copy of this request (its head as the backend gets it), to be sent when it is whole."""
        if len(self._under_way) >= AT_ONCE:
            self.dropped()
            return None
        try:
            way = _way(asked, head)
        except ValueError:
            self.dropped()
            return None
        return Copy(self, way, wire, asked.body)

    def dropped(self) -> None:
        self._tally.count("mirror_dropped")

    def take(self, octets: int) -> bool:
        """Room for so much of a body."""
        if octets > self._room:
            return False
        self._room -= octets
        return True

    def give(self, octets: int) -> None:
        self._room += octets

    def send(self, place: Place, data: bytes, held: int) -> None:
        """`held`: the room that it has."""
        if len(self._under_way) >= AT_ONCE or self._places[place] >= OF_ONE:
            self.give(held)
            self.dropped()
            return
        self._places[place] += 1
        task = self._loop.create_task(self._send(place, data, held))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _send(self, place: Place, data: bytes, held: int) -> None:
        try:
            await self._aside.ask(place, data, PATIENCE, data.startswith(_IDEMPOTENT))
            self._tally.count("mirrored")
        except OSError:
            self._tally.count("mirror_failed")
        finally:
            self.give(held)
            self._places[place] -= 1
            if not self._places[place]:
                del self._places[place]

    def close(self) -> None:
        for each in self._under_way:
            each.cancel()


def _way(asked: Mirror, head: Head) -> Way:
    """ValueError where the URL is none."""
    host = variables.fill(asked.vhost, head) if asked.vhost else head.host
    target = aside.clean(variables.fill(asked.target, head)) if asked.target else b""
    if not asked.url:
        return Way(Place(asked.pool, "", 0), target, host)
    found = aside.url(variables.fill(asked.url, head))
    upstream = Upstream(protocol="https", sni=True) if found.secure else None
    place = Place(asked.pool, found.host, found.port, upstream)
    return Way(place, target, host if asked.vhost else found.authority)
