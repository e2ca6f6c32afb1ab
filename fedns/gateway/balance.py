"""The choice of one endpoint of a pool: by shares, by what the request wants, and away from what was tried.

Law: deterministic, given a number drawn from [0, 1). A pool is prepared once when it changes; a first
choice is then one look-up. Exclusion is the slow road: hosts that were tried never come again, members that
were tried only when no other is left, tier after tier; those ejected only when nobody else is left at all.
"""

from bisect import bisect_right
from collections.abc import Mapping, Set
from itertools import accumulate

from msgspec import Struct, structs

from fedns.gateway import ring
from fedns.gateway.ring import Ring
from fedns.gateway.route import Endpoint, Pool, Tier

GOLDEN = 0.6180339887498949
"""Multiples of it, without their whole part, are spread evenly however many there are: a smooth round."""
_ALMOST = 1 - 2**-53


class Level(Struct, gc=False):
    """One tier, flat. `sums` are the running weights of `endpoints`; none where all weigh the same.
    `upto` is the running load of the tiers; a tier in reserve adds nothing."""

    endpoints: list[Endpoint]
    sums: list[float]
    upto: float


class Balancer(Struct):
    """A pool made ready. `first` is set where one tier has all the load; `tiers` are without ejected ones."""

    pool: Pool
    tiers: tuple[Tier, ...]
    levels: list[Level]
    first: Level | None
    turns: float = 0.0
    hashed: Ring | None = None


class Want(Struct, gc=False):
    """What a request wants of its pool. `member`: to go there, and nowhere else if `strict`. `session` is the
    key of its affinity cookie, which names an endpoint if `persistent` and a point of the ring if not.
    `key` is hashed; with a `subset` it finds that many, of which one is drawn."""

    member: str = ""
    strict: bool = False
    session: bytes = b""
    persistent: bool = False
    key: bytes = b""
    subset: int = 0


class Tried(Struct):
    """What one request has tried: tags of endpoints, names of members."""

    hosts: set[bytes]
    members: set[str]


def prepare(pool: Pool, ejected: Set[bytes] = frozenset()) -> Balancer:
    """What `choose` reads, to be kept as long as pool and ejections are the same. `ejected` are tags; when
    they are all there is, they count as not ejected."""
    tiers = tuple(_without(pool.tiers, ejected)) if ejected else pool.tiers
    tiers = tiers or pool.tiers
    total = sum(tier.load for tier in tiers)
    levels, upto = [], 0.0
    for number, tier in enumerate(tiers):
        upto += tier.load / total if total else float(not number)
        levels.append(_level(tier, upto))
    first = levels[0] if levels and (not total or tiers[0].load / total > _ALMOST) else None
    return Balancer(pool, tiers, levels, first)


def _without(tiers: tuple[Tier, ...], ejected: Set[bytes]) -> list[Tier]:
    """What an ejected endpoint had falls to the others of its tier by their shares."""
    kept = []
    for tier in tiers:
        parts = []
        for part in tier.parts:
            left = tuple(each for each in part.endpoints if each.tag not in ejected)
            share = part.share * len(left) / len(part.endpoints)
            if left:
                parts.append(structs.replace(part, endpoints=left, share=share))
        if parts:
            kept.append(structs.replace(tier, parts=tuple(parts)))
    return kept


def _level(tier: Tier, upto: float) -> Level:
    weighed = _weighed(tier)
    weights = [weight for _, weight in weighed]
    even = max(weights) - min(weights) < 1e-9
    return Level([each for each, _ in weighed], [] if even else list(accumulate(weights)), upto)


def _weighed(tier: Tier) -> list[tuple[Endpoint, float]]:
    return [(each, part.share / len(part.endpoints)) for part in tier.parts for each in part.endpoints]


def turn(balancer: Balancer) -> float:
    """The next number of a smooth round, to `pick` with."""
    balancer.turns = turns = (balancer.turns + GOLDEN) % 1.0
    return turns


def choose(balancer: Balancer, want: Want, draw: float, tried: Tried | None = None) -> Endpoint | None:
    """The endpoint for one try of a request that wants something; None: there is none, or none is left. After
    a failure habit and hash no longer count."""
    first = tried is None or not tried.hosts
    if want.member and (first or want.strict):
        found = _of_member(balancer, want.member, draw, frozenset() if tried is None else tried.hosts)
        if found is not None or want.strict:
            return found
    if not first:
        return pick(balancer, draw, tried)
    found = None
    if want.session and want.persistent:
        found = _tagged(balancer, want.session)
    elif want.session or want.key:
        found = _hashed(balancer, want, draw)
    return found if found is not None else pick(balancer, draw)


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


def lighter(balancer: Balancer, draw: float, busy: Mapping[bytes, int]) -> Endpoint | None:
    """Of two different endpoints the one with fewer requests; `busy` counts them by tag."""
    level = balancer.first
    if level is None:
        if not balancer.levels:
            return None
        level, draw = _share(balancer.levels, draw)
    at, beside = _two(level, draw, (draw * 7919.0 + GOLDEN) % 1.0)
    one, other = level.endpoints[at], level.endpoints[beside]
    return one if busy.get(one.tag, 0) <= busy.get(other.tag, 0) else other


def _two(level: Level, draw: float, another: float) -> tuple[int, int]:
    """Two different places, drawn by weight; the same one twice where there is only one."""
    count, sums = len(level.endpoints), level.sums
    if not sums:
        at = int(draw * count)
        return at, (at + 1 + int(another * (count - 1))) % count
    at = min(bisect_right(sums, draw * sums[-1]), count - 1)
    start = sums[at - 1] if at else 0.0
    found = another * (sums[-1] - sums[at] + start)
    if found >= start:  # what is drawn already is cut out
        found += sums[at] - start
    return at, min(bisect_right(sums, found), count - 1)


def _share(levels: list[Level], draw: float) -> tuple[Level, float]:
    """The level that this draw falls into, and the draw stretched to that level's own."""
    before = 0.0
    for level in levels:
        if draw < level.upto:
            return level, min((draw - before) / (level.upto - before), _ALMOST)
        before = level.upto
    return levels[0], draw


def _again(balancer: Balancer, draw: float, tried: Tried) -> Endpoint | None:
    """Another member, at once of the next tier where this one has none; then other hosts; then ejected
    ones."""
    for tiers, members in (
        (balancer.tiers, tried.members),
        (balancer.tiers, frozenset()),
        (balancer.pool.tiers, frozenset()),
    ):
        for tier in tiers:
            rows = [each for each in _weighed(tier) if _fresh(each[0], tried.hosts, members)]
            found = _drawn(rows, draw)
            if found is not None:
                return found
    return None


def left(balancer: Balancer, hosts: Set[bytes], member: str = "") -> bool:
    """Whether anybody but `hosts` is there, sitting out or not; of this member if one is named."""
    return any(
        each.tag not in hosts and member in ("", each.member)
        for tier in balancer.pool.tiers
        for part in tier.parts
        for each in part.endpoints
    )


def _fresh(endpoint: Endpoint, hosts: Set[bytes], members: Set[str]) -> bool:
    return endpoint.tag not in hosts and endpoint.member not in members


def _of_member(balancer: Balancer, member: str, draw: float, without: Set[bytes]) -> Endpoint | None:
    for tier in balancer.tiers:
        rows = [row for row in _weighed(tier) if row[0].member == member and row[0].tag not in without]
        found = _drawn(rows, draw)
        if found is not None:
            return found
    return None


def _drawn(rows: list[tuple[Endpoint, float]], draw: float) -> Endpoint | None:
    if not rows:
        return None
    sums = list(accumulate(weight for _, weight in rows))
    return rows[min(bisect_right(sums, draw * sums[-1]), len(rows) - 1)][0]


def _tagged(balancer: Balancer, tag: bytes) -> Endpoint | None:
    """The endpoint of this tag, if its tier has load."""
    return next((each for each, _ in _loaded(balancer.tiers) if each.tag == tag), None)


def _hashed(balancer: Balancer, want: Want, draw: float) -> Endpoint | None:
    if not balancer.tiers:
        return None
    if balancer.hashed is None:
        balancer.hashed = ring.build(_loaded(balancer.tiers))
    if want.session or not want.subset:
        return ring.walk(balancer.hashed, want.session or want.key, 1)[0]
    several = ring.walk(balancer.hashed, want.key, want.subset)
    return several[int(draw * len(several))]


def _loaded(tiers: tuple[Tier, ...]) -> list[tuple[Endpoint, float]]:
    """Endpoints of all tiers that have load, by their part of all."""
    loaded = [tier for tier in tiers if tier.load] or [*tiers[:1]]
    return [(each, weight * (tier.load or 1.0)) for tier in loaded for each, weight in _weighed(tier)]
