"""Endpoints that sit out: those that just failed, as this worker saw it.

Law: who cannot be reached sits out at once, who breaks off or keeps silent when it does so again; two of one
member that cannot be reached take the whole member with them. Who says again and again that it cannot serve
(502, 503, 504) sits out too, but few do at a time: what all say is not one's fault. Nobody's request finds
out whether somebody is back: a connection of our own does. Each time lasts longer than the last, until an
answer came.
"""

from typing import NamedTuple

from fedns.gateway.route import Endpoint, Pool

FIRST, LONGEST = 1.0, 30.0  # seconds; doubled each time
PATIENCE = 2  # times that an endpoint may break off or keep silent in a row
TOGETHER = 2  # endpoints of a member that cannot be reached, after which it is the member
SICK, MOST = 5, 0.1
"""Answers of 502, 503 or 504 in a row, and the part of a pool that may sit out for them; one always may, the
last never. The numbers are those that Envoy begins with."""
WINDOW = 1.0  # seconds within which that counts


class Out(NamedTuple):
    """Who sits out until when (monotonic seconds); `times` it did in a row."""

    endpoint: Endpoint
    until: float
    times: int


class Bench:
    """Of one pool."""

    __slots__ = ("_asked", "_missed", "_sick", "_strikes", "out")

    def __init__(self) -> None:
        self.out: dict[bytes, Out] = {}
        self._strikes: dict[bytes, int] = {}
        self._sick: dict[bytes, int] = {}
        self._missed: dict[str, dict[bytes, float]] = {}
        self._asked: set[bytes] = set()

    @property
    def clean(self) -> bool:
        """Nothing is held against anybody."""
        return not self._strikes and not self._sick

    def missed(self, endpoint: Endpoint, pool: Pool, now: float) -> None:
        """It could not be reached."""
        self._sit(endpoint, now)
        recent = self._missed.setdefault(endpoint.member, {})
        recent[endpoint.tag] = now
        if sum(now - at <= WINDOW for at in recent.values()) < TOGETHER:
            return
        for each in _endpoints(pool):
            if each.member == endpoint.member and each.tag not in self.out:
                self._sit(each, now)

    def stumbled(self, endpoint: Endpoint, now: float) -> bool:
        """It broke off, or kept silent for too long. Whether it sits out now."""
        strikes = self._strikes.get(endpoint.tag, 0) + 1
        self._strikes[endpoint.tag] = strikes
        if strikes < PATIENCE:
            return False
        self._sit(endpoint, now)
        return True

    def sickened(self, endpoint: Endpoint, pool: Pool, now: float) -> bool:
        """It answered that it cannot serve. Whether it sits out now."""
        times = self._sick[endpoint.tag] = self._sick.get(endpoint.tag, 0) + 1
        if times < SICK:
            return False
        count = len({each.tag for each in _endpoints(pool)})
        if len(self.out) >= min(max(1, int(count * MOST)), count - 1):
            return False
        del self._sick[endpoint.tag]
        self._sit(endpoint, now)
        return True

    def answered(self, endpoint: Endpoint) -> None:
        """Nothing is held against it any more."""
        self._strikes.pop(endpoint.tag, None)
        self._sick.pop(endpoint.tag, None)
        self._missed.pop(endpoint.member, None)

    def due(self, now: float) -> list[Endpoint]:
        """Those to be looked at again, each once: `back` or `away` follows."""
        found = [
            each.endpoint for tag, each in self.out.items() if each.until <= now and tag not in self._asked
        ]
        self._asked.update(each.tag for each in found)
        return found

    def back(self, endpoint: Endpoint) -> None:
        """It could be reached. What is held against it stays until it answers."""
        self._asked.discard(endpoint.tag)
        self.out.pop(endpoint.tag, None)

    def away(self, endpoint: Endpoint, now: float) -> None:
        """It still cannot be reached."""
        self._asked.discard(endpoint.tag)
        self._sit(endpoint, now)

    def keep(self, pool: Pool) -> None:
        """The pool has changed: forgets who is not there any more."""
        tags = {each.tag for each in _endpoints(pool)}
        for tag in self.out.keys() - tags:
            del self.out[tag]
        for held in (self._strikes, self._sick):
            for tag in held.keys() - tags:
                del held[tag]
        self._asked &= tags

    def _sit(self, endpoint: Endpoint, now: float) -> None:
        before = self.out.get(endpoint.tag)
        if before is not None and before.until > now:
            return
        times = max(self._strikes.get(endpoint.tag, 0) - PATIENCE, before.times if before else 0) + 1
        self._strikes[endpoint.tag] = times + PATIENCE
        self.out[endpoint.tag] = Out(endpoint, now + min(FIRST * 2.0 ** (times - 1), LONGEST), times)


def _endpoints(pool: Pool) -> list[Endpoint]:
    return [each for tier in pool.tiers for part in tier.parts for each in part.endpoints]
