"""What a change of a service means for its names: whose shards serve in another way, whose are only told of.

Law: pure, and found by what is no longer the same object: a change costs the shards that differ.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from fedns.model import selection
from fedns.model import snapshot as model
from fedns.model.policy import TrafficPolicy


class Effect(NamedTuple):
    """Members whose shard may serve in another way than before, and those that serve the same but are told of
    in another way."""

    served: frozenset[str]
    told: frozenset[str]


def of(before: model.Service, after: model.Service, ttl: Callable[[model.Service], int]) -> Effect | None:
    """None: all of its names may answer in another way."""
    same = before.policy == after.policy and before.ports == after.ports
    if not same or before.tombstone != after.tombstone:
        return None
    old, new = (_others(one.shards, other.shards) for one, other in ((before, after), (after, before)))
    able = frozenset[str]()
    if old.keys() != new.keys() or any(_standing(old[member]) != _standing(new[member]) for member in new):
        if ttl(before) != ttl(after):
            return None
        once, still = ({shard.member for shard in selection.able(each.shards)} for each in (before, after))
        able = frozenset(once ^ still)
    moved = {member for member in old.keys() & new.keys() if _shown(old[member]) != _shown(new[member])}
    told = frozenset(member for member in moved - able if _alike(old[member], new[member], after.policy))
    return Effect(frozenset((old.keys() ^ new.keys()) | able | moved) - told, told)


def _others(shards: Sequence[model.Shard], known: Sequence[model.Shard]) -> dict[str, model.Shard]:
    """Those that are not among the known ones, by member."""
    if len(shards) == len(known):
        pairs = zip(shards, known, strict=True)
        return {shard.member: shard for shard, other in pairs if shard is not other}
    objects = set(map(id, known))
    return {shard.member: shard for shard in shards if id(shard) not in objects}


def _standing(shard: model.Shard) -> tuple[object, ...]:
    """All of a shard that its service's TTL hangs on, and which of its shards are able to serve."""
    return selection.candidate(shard), shard.verdict.state, shard.next_change


def _alike(old: model.Shard, new: model.Shard, policy: TrafficPolicy) -> bool:
    """Whether an able shard serves as before, though it is told of in another way. By other strategies than
    this one its share, and with it who serves, may hang on more."""
    surely = policy.strategy == "ActiveActive" and selection.candidate(new)
    return surely and new.verdict.state in selection.ABLE and _serves(old) == _serves(new)


def _serves(shard: model.Shard) -> tuple[object, ...]:
    """What a shard that is able serves, apart from shares. How its endpoints are spread over zones does not
    matter where it is in one."""
    facts = shard.facts
    counted = facts.readiness if len(shard.zones) > 1 else None
    return (
        *(shard.region, shard.zones, shard.shut, shard.addresses, shard.verdict.ordered),
        *(facts.addresses, facts.hostnames, facts.ports, counted, shard.verdict.state in selection.ABLE),
    )


def _shown(shard: model.Shard) -> tuple[object, ...]:
    """All of a shard that its service's entries are made of, their TTL apart."""
    verdict = shard.verdict
    told = (verdict.state, verdict.reason, verdict.since, verdict.ordered)
    return (shard.region, shard.zones, shard.shut, shard.facts, shard.addresses, *told)
