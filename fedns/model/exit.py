"""When the last client was sent to a shard that was taken out.

Law: by the selection law alone, as DNS and gateways follow it; late rather than early.
"""

from collections.abc import Sequence

from fedns.model import selection
from fedns.model.snapshot import Service, Shard


def since(service: Service, member: str) -> float | None:
    """From when on nobody is sent to a member's shard: it is out, and somebody else has been able all along
    (0: it has nothing to be sent to). None: clients are sent there."""
    views: list[Sequence[Shard]] = [service.shards]
    if any(one.facts.endpoints is not None for one in service.shards):
        views.append(tuple(map(selection.reached, service.shards)))
    found = [_since(shards, member) for shards in views]
    return None if None in found else max(filter(None, found), default=0.0)


def _since(shards: Sequence[Shard], member: str) -> float | None:
    there = [one for one in shards if selection.candidate(one)]
    mine = next((one for one in there if one.member == member), None)
    if mine is None:
        return 0.0
    others = [one.verdict.since for one in there if one.verdict.state in selection.ABLE]
    if mine.verdict.state in selection.ABLE or not others:
        return None
    return max(mine.verdict.since, min(others))
