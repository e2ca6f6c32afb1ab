"""Why a name of the cluster domain is answered as it is, in words: what `explain` says of it.

Law: who serves is `locality`'s word, and what is led to is what the zone was compiled from; nothing is
decided here.
"""

from collections.abc import Iterator
from typing import NamedTuple

from fedns.dns import annex, names, zones
from fedns.model import locality
from fedns.model import snapshot as model

NOT_NAMED = "only S.N.F.svc and S.N.svc are names of this domain: all else is denied, so that searches go on"


class Point(NamedTuple):
    """The member that a client is inside of (empty: none), and the levels that its names lead to."""

    member: str
    levels: tuple[names.Level, ...]


def federated(service: model.Service, point: Point, local: bytes, rewrites: bool) -> annex.Story:
    """Of `S.N.F.svc`; `local` is what it leads to inside."""
    if not point.member:
        rule = "a federated name inside a cluster; who asks is inside no member"
        return annex.Story(rule, (f"it leads to {_level(point)}",), service)
    judged = locality.judge(service, point.member)
    there = locality.exists(judged.shard) if rewrites else judged.serves
    rule = f"a federated name as those inside member {point.member} have it"
    if rewrites:
        why = "the member has the service" if there else f"the member does not have the service: {judged.why}"
    else:
        why = f"the member's own shard {'serves' if there else 'does not'}: {judged.why}"
    leads = f"it leads to {zones.text(local)}, the cluster's own name"
    so = "its own addresses are given" if rewrites else leads
    return annex.Story(rule, (why, so if there else f"it leads to {_level(point)}"), service)


def own(service: model.Service, point: Point) -> annex.Story:
    """Of `S.N.svc`."""
    rule = "a service's own name inside a cluster"
    if not point.member:
        return annex.Story(rule, ("who asks is inside no member: for them there is no such name",), service)
    judged = locality.judge(service, point.member)
    if not locality.exists(judged.shard):
        why = f"for those inside member {point.member} there is no such name: {judged.why}"
        return annex.Story(rule, (why,), service)
    return annex.Story(rule, tuple(_inner(point.member, judged)), service)


def _inner(member: str, judged: locality.Local) -> Iterator[str]:
    told = judged.shard.facts.inside if judged.shard else None
    if told is None:
        return
    what = ", ".join(told.cluster_ips) or told.external_name
    if told.headless:
        ready = sum(each.ready for each in told.backends or ())
        what = f"headless, {ready} ready of {len(told.backends or ())} endpoints"
    yield f"as member {member} has it: {what}"
    if not judged.serves:
        yield f"the federated name leads elsewhere: {judged.why}"


def _level(point: Point) -> str:
    level = point.levels[0]
    if level.kind == "global":
        return "the global name" + (": the member has neither zone nor region" if point.member else "")
    place = level.zone or level.region
    return f"the name of {level.kind} {place}, the narrowest of who asks"
