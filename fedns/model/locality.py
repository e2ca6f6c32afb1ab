"""Whether who is inside a member is sent to that member's own shard: kube-dns' rule for federated names.

Law: the local shard serves when it has ready endpoints and is not down; while it drains, only if nobody else
can serve. All else leads away, whatever is still there: a cluster IP without endpoints refuses connections.
"""

from typing import NamedTuple

from fedns.model import selection
from fedns.model.facts import Inside
from fedns.model.snapshot import Service, Shard


class Local(NamedTuple):
    """Whether a member's own shard serves those inside it, and why (not)."""

    serves: bool
    why: str
    shard: Shard | None = None


def judge(service: Service, member: str) -> Local:
    shard = next((each for each in service.shards if each.member == member), None)
    if shard is None:
        return Local(False, "it does not declare the service")
    return Local(*_judged(service, shard), shard)


def exists(shard: Shard | None) -> bool:
    """Whether the cluster's own DNS would know the service: a headless one has ready endpoints."""
    told = None if shard is None else shard.facts.inside
    if told is None:
        return False
    return any(each.ready for each in told.backends or ()) if told.headless else _reachable(told)


def _reachable(told: Inside) -> bool:
    return bool(told.cluster_ips or told.external_name)


def _judged(service: Service, shard: Shard) -> tuple[bool, str]:
    told, verdict = shard.facts.inside, shard.verdict
    if told is None:
        return False, "its cluster IP is not known"
    if told.external_name:
        return True, f"it is an alias of {told.external_name}"
    if verdict.state == "unhealthy":
        return False, f"it is unhealthy: {verdict.reason}"
    if verdict.state == "draining" and _others(service, shard):
        return False, f"it is draining and others can serve: {verdict.reason}"
    if not (told.headless or _reachable(told)):
        return False, "it has no cluster IP"
    return _ready(shard, told)


def _others(service: Service, shard: Shard) -> bool:
    """Whether others can serve that do not drain."""
    rest = [each for each in service.shards if each is not shard and each.verdict.state in selection.ABLE]
    return bool(selection.able(rest))


def _ready(shard: Shard, told: Inside) -> tuple[bool, str]:
    readiness = shard.facts.readiness
    if told.headless:
        ready = sum(each.ready for each in told.backends or ())
    else:
        ready = sum(zone.ready for zone in readiness or ())
    if ready:
        return True, f"{ready} ready endpoint{'s' if ready > 1 else ''}"
    if readiness is None and not told.headless:
        ordered = shard.verdict.ordered
        return ordered, shard.verdict.reason if ordered else "nothing is known of its endpoints"
    return False, "it has no ready endpoint"
