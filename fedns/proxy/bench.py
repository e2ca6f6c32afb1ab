"""Endpoints that sit out: those that just failed, as this worker saw it.

Law: who cannot be reached sits out at once, who breaks off or keeps silent when it does so again; two of one
member that cannot be reached take the whole member with them. Who says again and again that it cannot serve
(502, 503, 504) sits out too, but few do at a time: what all say is not one's fault. Nobody's request finds
out whether somebody is back: a connection of our own does, and at once where one request is all there is to
go by. Each time lasts longer than the last, until an answer came. A member that left the pool
unreachable is looked at further for a while: the model may have taken it out because of what we saw.
"""

from collections import Counter
from typing import NamedTuple

from fedns.gateway.route import Endpoint, Pool

FIRST, LONGEST = 1.0, 30.0  # seconds; doubled each time
VISITED = 5.0  # the longest for who cannot be reached: to look costs little, and is all there is to know
PATIENCE = 2  # times that an endpoint may break off or keep silent in a row
TOGETHER = 2  # endpoints of a member that cannot be reached, after which it is the member
SICK, MOST = 5, 0.1
"""Answers of 502, 503 or 504 in a row, and the part of a pool that may sit out for them; one always may, the
last never. The numbers are those that Envoy begins with."""
WINDOW = 1.0  # seconds within which that counts
ABSENT = 600.0  # seconds that somebody who left is looked at


class Out(NamedTuple):
    """Who sits out until when (monotonic seconds); `times` it did in a row. `sure`: a connection of our own
    failed too."""

    endpoint: Endpoint
    until: float
    times: int
    sure: bool = False


class Bench:
    """Of one pool."""

    __slots__ = ("_asked", "_doubts", "_left", "_missed", "_returned", "_sick", "_strikes", "out")

    def __init__(self) -> None:
        self._left: dict[bytes, float] = {}
        self._doubts: dict[bytes, Endpoint] = {}
        self._returned: dict[bytes, Endpoint] = {}
        self.out: dict[bytes, Out] = {}
        self._strikes: dict[bytes, int] = {}
        self._sick: dict[bytes, int] = {}
        self._missed: dict[str, dict[bytes, float]] = {}
        self._asked: set[bytes] = set()

    @property
    def busy(self) -> bool:
        """Somebody is to be looked at, now or later."""
        return bool(self.out or self._doubts)

    @property
    def clean(self) -> bool:
        """Nothing is held against anybody."""
        return not self._strikes and not self._sick

    def missed(self, endpoint: Endpoint, pool: Pool, now: float) -> bool:
        """It could not be reached. Whether it, or another one, sits out therefore."""
        before = len(self.out)
        if endpoint.tag not in self.out:
            self._sit(endpoint, now, 2)
        recent = self._missed.setdefault(endpoint.member, {})
        recent[endpoint.tag] = now
        if sum(now - at <= WINDOW for at in recent.values()) < TOGETHER:
            return len(self.out) > before
        for each in _endpoints(pool):
            if each.member == endpoint.member and each.tag not in self.out:
                self._sit(each, now, 2)
        return len(self.out) > before

    def stumbled(self, endpoint: Endpoint, now: float) -> bool:
        """It broke off, or kept silent for too long. Whether it sits out now."""
        self._doubts[endpoint.tag] = endpoint
        strikes = self._strikes.get(endpoint.tag, 0) + 1
        self._strikes[endpoint.tag] = strikes
        if strikes < PATIENCE or endpoint.tag in self.out:
            return False
        self._sit(endpoint, now, 1)
        return True

    def sickened(self, endpoint: Endpoint, pool: Pool, now: float) -> bool:
        """It answered that it cannot serve. Whether it sits out now."""
        times = self._sick[endpoint.tag] = self._sick.get(endpoint.tag, 0) + 1
        if times < SICK:
            return False
        count = len({each.tag for each in _endpoints(pool)})
        if len(self.out) - len(self._left) >= min(max(1, int(count * MOST)), count - 1):
            return False
        del self._sick[endpoint.tag]
        self._sit(endpoint, now, 1)
        return True

    def answered(self, endpoint: Endpoint) -> bool:
        """Nothing is held against it any more. Whether that is news: nobody could reach it before."""
        self._strikes.pop(endpoint.tag, None)
        self._sick.pop(endpoint.tag, None)
        self._missed.pop(endpoint.member, None)
        seat = self.out.get(endpoint.tag)
        if seat is None or not seat.sure:
            return False
        self._doubts.pop(endpoint.tag, None)
        self.back(endpoint)
        return True

    def due(self, now: float) -> list[Endpoint]:
        """Those to be looked at again, each once: `back` or `away` follows."""
        for tag in [tag for tag, at in self._left.items() if now - at > ABSENT]:
            self._forget(tag)
        late = {tag: each.endpoint for tag, each in self.out.items() if each.until <= now}
        found = {tag: each for tag, each in (late | self._doubts).items() if tag not in self._asked}
        self._asked.update(found)
        return list(found.values())

    def back(self, endpoint: Endpoint) -> None:
        """It could be reached. What is held against it stays until it answers; who broke off sits on."""
        self._asked.discard(endpoint.tag)
        if self._doubts.pop(endpoint.tag, None) is None:
            self.out.pop(endpoint.tag, None)
            if self._left.pop(endpoint.tag, None) is not None:
                self._returned[endpoint.tag] = endpoint

    def away(self, endpoint: Endpoint, now: float, sure: bool = True) -> None:
        """It still cannot be reached."""
        self._asked.discard(endpoint.tag)
        doubted = self._doubts.pop(endpoint.tag, None) is not None
        seat = self.out.get(endpoint.tag)
        if seat is not None and doubted and seat.until > now:
            self.out[endpoint.tag] = seat._replace(sure=seat.sure or sure)
        elif seat is not None:
            self._sit(endpoint, now, 2, sure)
        elif doubted and sure:
            self._sit(endpoint, now, 1, sure)

    def keep(self, pool: Pool, now: float) -> None:
        """The pool has changed: who came back is looked at. Who left is forgotten, unless its whole member
        left."""
        here = {each.tag: each.member for each in _endpoints(pool)}
        members = set(here.values())
        for tag in [tag for tag, each in self._returned.items() if tag in here or each.member in members]:
            del self._returned[tag]
        for tag in self._left.keys() & here.keys():
            del self._left[tag]
            self.out[tag] = self.out[tag]._replace(until=now)
        for tag in (self.out.keys() | self._strikes.keys() | self._sick.keys()) - here.keys():
            seat = self.out.get(tag)
            kept = seat is not None and (seat.sure or seat.until <= now or tag in self._asked)
            if seat is not None and kept and seat.endpoint.member not in members:
                self._left.setdefault(tag, now)
            else:
                self._forget(tag)

    def unreachable(self, pool: Pool) -> dict[str, tuple[int, int]]:
        """By member: of how many endpoints that is sure, and how many it has; or had, when it left."""
        if not self.out:
            return {}
        every = {each.tag: each.member for each in _endpoints(pool)}
        every |= {tag: self.out[tag].endpoint.member for tag in self._left}
        every |= {tag: each.member for tag, each in self._returned.items()}
        counts = Counter(every.values())
        sure = Counter(seat.endpoint.member for seat in self.out.values() if seat.sure)
        return {member: (sure[member], counts[member]) for member in sure}

    def _forget(self, tag: bytes) -> None:
        for table in (self.out, self._strikes, self._sick, self._left, self._doubts):
            table.pop(tag, None)
        self._asked.discard(tag)

    def _sit(self, endpoint: Endpoint, now: float, soon: int, sure: bool = False) -> None:
        """`soon`: the time in a row from which on it lasts, and lasts longer."""
        before = self.out.get(endpoint.tag)
        times = max(self._strikes.get(endpoint.tag, 0) - PATIENCE, before.times if before else 0) + 1
        self._strikes[endpoint.tag] = times + PATIENCE
        most = VISITED if sure or soon > 1 else LONGEST
        lasts = min(FIRST * 2.0 ** (times - soon), most) if times >= soon else 0.0
        self.out[endpoint.tag] = Out(endpoint, now + lasts, times, sure or bool(before and before.sure))


def _endpoints(pool: Pool) -> list[Endpoint]:
    return [each for tier in pool.tiers for part in tier.parts for each in part.endpoints]
