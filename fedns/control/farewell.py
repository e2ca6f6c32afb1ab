"""From when on nobody goes any more to what an operator has drained: what can be removed then.

Law: late rather than early. The last answer counts from the publishing of the turn that took an address out,
and then for as long as workers may be behind and caches may remember.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from fedns.model import exit, snapshot
from fedns.model.facts import Order
from fedns.servers import api

LAG = 2.0
"""Seconds after publishing in which every worker has the new table; one that has not is named."""
SLOW = 0.5
"""Seconds; a turn that took no longer is well within the lag."""
TURNS = 256
"""So many slow turns are remembered."""
NAMED = 10
"""Services that are named at most."""

Longest = Callable[[snapshot.Service], float]
"""For how many seconds caches keep what they were told of a service."""


class Scene(NamedTuple):
    """What there is now; `behind`: workers with an older table."""

    snapshot: snapshot.Snapshot
    longest: Longest
    behind: Sequence[str]
    now: float


class Farewell:
    """What is remembered of turns: when the last one began, and when slow ones began and were published."""

    def __init__(self) -> None:
        self._last = 0.0
        self._slow: deque[tuple[float, float]] = deque(maxlen=TURNS)

    def turned(self, begun: float, published: float) -> None:
        self._last = begun
        if published - begun > SLOW:
            self._slow.append((begun, published))

    def published(self, at: float) -> float:
        """When what was judged at a time was published."""
        return next((done for begun, done in self._slow if begun <= at <= done), at)

    def look(self, order: Order, scene: Scene) -> api.Farewell:
        """How far an order that takes out has come."""
        if self._last < order.issued:  # nobody has heard of it yet
            return api.Farewell(LAG, [], 0, sorted(scene.behind))
        staying, end = set(), 0.0
        for name, member in _meant(order.target, scene.snapshot):
            service = scene.snapshot.services[name]
            since = exit.since(service, member)
            if since is None:
                staying.add(name)
            elif since:
                end = max(end, self.published(since) + LAG + scene.longest(service))
        seconds = None if staying else max(0.0, end - scene.now)
        return api.Farewell(seconds, sorted(staying)[:NAMED], len(staying), sorted(scene.behind))


def behind(generations: Mapping[str, float], published: tuple[int, float], now: float) -> Iterator[str]:
    """Workers that should have the last table and have not."""
    generation, at = published
    if now - at > LAG:
        yield from (name for name, its in generations.items() if its < generation)


def _meant(target: str, snap: snapshot.Snapshot) -> Iterator[tuple[str, str]]:
    """(service, member) that an order is about; of a member with several zones each zone is."""
    member, _, only = target.partition("/")
    kind, _, place = target.partition(":")
    for name in (only,) if only else snap.services:
        service = snap.services.get(name)
        for shard in service.shards if service else ():
            here = shard.region if kind == "region" else place if place in shard.zones else ""
            if shard.member == member or (kind in ("region", "zone") and here == place):
                yield name, shard.member
