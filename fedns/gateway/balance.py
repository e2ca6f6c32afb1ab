"""The choice of one endpoint of a pool: by shares, and away from what was tried.

Law: deterministic, given a number drawn from [0, 1). A pool is prepared once when it changes; a first
choice is then one look-up. Exclusion is the slow road: hosts that were tried never come again, members that
were tried only when no other is left, tier after tier.
"""

from bisect import bisect_right
from itertools import accumulate

from msgspec import Struct

from fedns.gateway.route import Endpoint, Pool, Tier


class Level(Struct, gc=False):
    """One tier, flat. `sums` are the running weights of `endpoints`; none where all weigh the same.
    `upto` is the running load of the tiers; a tier in reserve adds nothing."""

    endpoints: list[Endpoint]
    sums: list[float]
    upto: float


class Balancer(Struct):
    """A pool made ready. `first` is set where one tier has all the load."""

    pool: Pool
    levels: list[Level]
    first: Level | None


class Tried(Struct):
    """What one request has tried: tags of endpoints, names of members."""

    hosts: set[bytes]
    members: set[str]


def prepare(pool: Pool) -> Balancer:
    """What `pick` reads. To be kept as long as the pool is the same."""
    levels, upto = [], 0.0
    for tier in pool.tiers:
        upto += tier.load
        levels.append(_level(tier, upto))
    loaded = [level for level, tier in zip(levels, pool.tiers, strict=True) if tier.load]
    return Balancer(pool, levels, loaded[0] if len(loaded) == 1 else None)


def _level(tier: Tier, upto: float) -> Level:
    endpoints = [each for part in tier.parts for each in part.endpoints]
    weights = [part.share / len(part.endpoints) for part in tier.parts for _ in part.endpoints]
    even = max(weights) - min(weights) < 1e-9
    return Level(endpoints, [] if even else list(accumulate(weights)), upto)


def pick(balancer: Balancer, draw: float, tried: Tried | None = None) -> Endpoint | None:
    """The endpoint for one try; None: there is none, or none is left."""
    if tried is not None and tried.hosts:
        return _again(balancer, draw, tried)
    level = balancer.first
    if level is None:
        if not balancer.levels:
            return None
        level, draw = _share(balancer.levels, draw)
    endpoints, sums = level.endpoints, level.sums
    if not sums:
        return endpoints[int(draw * len(endpoints))]
    return endpoints[min(bisect_right(sums, draw * sums[-1]), len(endpoints) - 1)]


def _share(levels: list[Level], draw: float) -> tuple[Level, float]:
    """The level that this draw falls into, and the draw stretched to that level's own."""
    total, before = levels[-1].upto, 0.0
    at = draw * total
    for level in levels:
        if at < level.upto:
            return level, min((at - before) / (level.upto - before), 1 - 1e-12)
        before = level.upto
    return levels[0], draw


def _again(balancer: Balancer, draw: float, tried: Tried) -> Endpoint | None:
    """Another member, at once of the next tier where this one has none; then other hosts of the same."""
    hosts, members = tried.hosts, tried.members
    for fresh in (True, False):
        for tier in balancer.pool.tiers:
            rows = [
                (each, part.share / len(part.endpoints))
                for part in tier.parts
                if not fresh or part.member not in members
                for each in part.endpoints
                if each.tag not in hosts
            ]
            if rows:
                sums = list(accumulate(weight for _, weight in rows))
                return rows[min(bisect_right(sums, draw * sums[-1]), len(rows) - 1)][0]
    return None
