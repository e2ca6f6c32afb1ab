"""Which members are taken where a policy spreads an object over zones, regions, providers or labels.

Law: pure. Members that have the object come first, then those with most room, then by name. A member in
several zones counts in each. Fewer groups than asked for is no placement at all.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from fedns.model.propagation import Spread
from fedns.placement import matching

Members = Sequence[matching.Member]
NAMED = 5
"""Groups that are named at most."""


class Need(NamedTuple):
    """How many replicas there are to be room for, and who has how much; 0: room is no matter."""

    replicas: int = 0
    room: Mapping[str, int] = {}


NO_NEED = Need()


class Taken(NamedTuple):
    """`members` in order of preference; those that were left, and why; `error`: why there is no placement."""

    members: tuple[matching.Member, ...]
    left: Mapping[str, str] = {}
    error: str = ""


def taken(
    members: Members, spread: Sequence[Spread], order: Mapping[str, tuple[int, ...]], need: Need = NO_NEED
) -> Taken:
    """The members that the constraints leave. `order` sorts members, the smallest first."""
    ranked = sorted(members, key=lambda each: (order.get(each.name, ()), each.name))
    left: dict[str, str] = {}
    groups: dict[str, list[str]] = {}
    for each in spread:
        if each.field == "cluster":
            continue
        found = _grouped(ranked, each)
        what = each.field or f"label {each.label}"
        left |= {one.name: f"it has no {what} to be spread by" for one in ranked if not _groups(one, each)}
        if len(found) < each.least:
            return Taken((), left, f"{_number(len(found), what)}, and {each.least} are asked for")
        groups = dict(list(found.items())[: each.most or None])
        within = {name for names in groups.values() for name in names}
        out = [one.name for one in ranked if one.name not in within and one.name not in left]
        left |= dict.fromkeys(out, _full(what, each.most, groups))
        ranked = [one for one in ranked if one.name in within]
    return _limited(ranked, spread, (groups, need), left)


def _limited(
    ranked: Members,
    spread: Sequence[Spread],
    by: tuple[Mapping[str, Sequence[str]], Need],
    left: dict[str, str],
) -> Taken:
    """With no more members than asked for, one of each group before a second of any."""
    groups, need = by
    for each in spread:
        if each.field != "cluster":
            continue
        if len(ranked) < each.least:
            error = f"{_number(len(ranked), 'cluster')}, and {each.least} are asked for"
            return Taken((), left, error)
        if each.most and len(ranked) > each.most:
            turns = _turns(ranked, groups)
            chosen = turns[: each.most] if groups else _roomy(turns, each.most, need)
            full = _full("cluster", each.most, sorted(chosen))
            left |= {one.name: full for one in ranked if one.name not in chosen}
            ranked = [one for one in ranked if one.name in chosen]
    return Taken(tuple(ranked), left)


def _roomy(names: list[str], most: int, need: Need) -> list[str]:
    """The first, but for those that others with more room take the place of, the last first, until there is
    enough; where there never is, the first."""
    chosen, rest = names[:most], names[most:]
    for at in reversed(range(most)):
        best = max(rest, key=lambda name: need.room.get(name, need.replicas))
        if _enough(chosen, need):
            return chosen
        if need.room.get(best, need.replicas) > need.room.get(chosen[at], need.replicas):
            rest[rest.index(best)], chosen[at] = chosen[at], best
    return chosen if _enough(chosen, need) else names[:most]


def _enough(chosen: Sequence[str], need: Need) -> bool:
    return sum(need.room.get(name, need.replicas) for name in chosen) >= need.replicas


def _turns(ranked: Members, groups: Mapping[str, Sequence[str]]) -> list[str]:
    """Names: the first of each group, then the second of each, and so on."""
    queues = [list(names) for names in groups.values()] or [[each.name for each in ranked]]
    found: dict[str, None] = {}
    while any(queues):
        for queue in queues:
            while queue and queue[0] in found:
                queue.pop(0)
            if queue:
                found[queue.pop(0)] = None
    return list(found)


def _grouped(ranked: Members, spread: Spread) -> dict[str, list[str]]:
    """Names by group, the group of the best member first."""
    found: dict[str, list[str]] = {}
    for each in ranked:
        for group in _groups(each, spread):
            found.setdefault(group, []).append(each.name)
    return found


def _groups(member: matching.Member, spread: Spread) -> tuple[str, ...]:
    if spread.label:
        return tuple(filter(None, [member.labels.get(spread.label)]))
    fields = {"provider": (member.provider,), "region": (member.region,), "zone": member.zones}
    return tuple(filter(None, fields.get(spread.field, ())))


def _full(what: str, most: int, by: Collection[str]) -> str:
    """Why there is no place for one more."""
    names = f", filled by {', '.join(by)}" if len(by) <= NAMED else ""
    return f"`maxGroups` of {what} is {most}{names}"


def _number(count: int, what: str) -> str:
    return f"there {'is' if count == 1 else 'are'} {count} {what}{'' if count == 1 else 's'}"
