"""How many replicas each chosen member gets.

Law: pure. Static weights look at nothing that was before. By what is available, members keep what they have:
only what is added or taken is divided. Who is not mentioned by any weight gets nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from fedns.model.propagation import Clusters, Division
from fedns.placement import matching, shares

Weights = Iterable[tuple[Clusters, int]]


class Load(NamedTuple):
    """What is to be divided: `uid` is the object's; `before`: what members have of it; `room`: what each can
    take, a member that is not in it tells nothing."""

    total: int
    uid: str = ""
    before: Mapping[str, int] = {}
    room: Mapping[str, int] = {}


class Divided(NamedTuple):
    """Replicas by member and why, in words; `doubt`: what could not be done as it was asked. `short`: there
    is not room for all."""

    replicas: dict[str, int]
    why: dict[str, str]
    doubt: str = ""
    short: bool = False


def duplicated(total: int, members: Sequence[matching.Member]) -> Divided:
    why = f"all {total} replicas (Duplicated)"
    return Divided({each.name: total for each in members}, {each.name: why for each in members})


def divided(told: Division, load: Load, members: Sequence[matching.Member]) -> Divided:
    """By the policy's division, of whichever kind it is."""
    if told.preference == "Aggregated":
        return _packed(load, members)
    if told.available:
        return _available(load, members)
    rows = tuple((each.clusters, each.weight) for each in told.weights)
    replicas, weights = static(load.total, members, rows, load.uid), _weights(members, rows)
    whole = sum(weights.values())
    why = {
        name: f"{count} of {load.total} replicas by weight {weights.get(name, 0)} of {whole}"
        for name, count in replicas.items()
    }
    return Divided(replicas, why)


def static(
    total: int, members: Sequence[matching.Member], rows: Sequence[tuple[Clusters, int]], uid: str = ""
) -> dict[str, int]:
    """By fixed weights: the largest that selects a member is his; none for anybody is one for each."""
    return shares.divided(total, _weights(members, rows), uid)


def _weights(members: Sequence[matching.Member], rows: Iterable[tuple[Clusters, int]]) -> dict[str, int]:
    known = tuple(rows)
    found = {
        each.name: max((weight for who, weight in known if matching.selects(each, who)), default=0)
        for each in members
    }
    heard = {name: weight for name, weight in found.items() if weight}
    return heard or dict.fromkeys(found, 1)


def _available(load: Load, members: Sequence[matching.Member]) -> Divided:
    names = [each.name for each in members]
    unknown = [name for name in names if name not in load.room]
    if unknown:
        replicas = shares.divided(load.total, dict.fromkeys(names, 1), load.uid)
        why = {name: f"{replicas[name]} of {load.total} replicas, evenly" for name in names}
        return Divided(replicas, why, f"what {', '.join(unknown)} can take is not known: evenly divided")
    replicas = _steady(load, {name: load.room[name] for name in names})
    why = {name: f"{replicas[name]} of {load.total} replicas by room for {load.room[name]}" for name in names}
    tight = _tight(load, replicas)
    return Divided(replicas, why, tight, bool(tight))


def _packed(load: Load, members: Sequence[matching.Member]) -> Divided:
    """Into as few members as can take them, those first that have some, then those with most room."""
    room = {each.name: load.room.get(each.name, load.total) for each in members}
    before = _kept(load, room)
    more = load.total - sum(before.values())
    votes = room if more >= 0 else before
    order = sorted(votes, key=lambda name: (not before[name], -votes[name], name))
    few: dict[str, int] = {}
    for name in order:
        if few and sum(few.values()) >= (more if more >= 0 else load.total):
            break
        few[name] = votes[name]
    replicas = _steady(load, room, few)
    why = {name: f"{count} of {load.total} replicas (Aggregated)" for name, count in replicas.items()}
    unknown = [name for name in room if name not in load.room]
    doubt = f"what {', '.join(unknown)} can take is not known: taken as enough" if unknown else ""
    tight = _tight(load, replicas)
    return Divided(replicas, why, doubt or tight, bool(tight))


def _kept(load: Load, members: Iterable[str]) -> dict[str, int]:
    return {name: load.before.get(name, 0) for name in members}


def _steady(load: Load, room: Mapping[str, int], few: Mapping[str, int] | None = None) -> dict[str, int]:
    """Members keep what they have: what comes is divided by their room, and goes by what they have; `few`:
    among them only, by what is told there."""
    before = _kept(load, room)
    more = load.total - sum(before.values())
    if more < 0:
        return dict.fromkeys(room, 0) | shares.divided(load.total, before if few is None else few, load.uid)
    votes = room if few is None else few
    votes = votes if any(votes.values()) else dict.fromkeys(votes, 1)
    added = shares.divided(more, votes, load.uid)
    return {name: count + added.get(name, 0) for name, count in before.items()}


def _tight(load: Load, replicas: Mapping[str, int]) -> str:
    over = [
        name
        for name, count in replicas.items()
        if count - load.before.get(name, 0) > load.room.get(name, load.total)
    ]
    return f"{', '.join(over)} cannot take that many" if over else ""
