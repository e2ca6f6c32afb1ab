"""Which members get an object by its policy's placement, and how many replicas each.

Law: pure. Groups of members are tried in their order, the first that works is it. For every member that does
not get the object there is the first condition that stopped it.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from fedns.model.propagation import Affinity, Placement
from fedns.placement import division, item, legacy, matching, pod, spreading

FEW = ": a larger share would give it one"
WHOLE = "what `spec.replicas` of a {} means is not known: it is not divided, every member gets it whole"


class Load(NamedTuple):
    """`here`: the members that have the object; `replicas`: how many of theirs; `room` as in `division`."""

    here: frozenset[str] = frozenset()
    replicas: Mapping[str, int] = {}
    room: Mapping[str, int] = {}


class Decision(NamedTuple):
    """`replicas` by member that gets the object (None: the kind has none), and why; `stopped`: why the others
    do not. `doubts` in words; `error`: nobody gets it; `short`: who gets it has not room for all."""

    replicas: dict[str, int | None]
    why: dict[str, tuple[str, ...]]
    stopped: dict[str, str]
    doubts: tuple[str, ...] = ()
    error: str = ""
    short: bool = False


class _Nobody(Exception):
    """A group of members in which nobody can take the object."""

    def __init__(self, what: str, stopped: dict[str, str]) -> None:
        super().__init__(what)
        self.what, self.stopped = what, stopped


def decided(
    found: item.Item, placement: Placement, members: Sequence[matching.Member], load: Load
) -> Decision:
    """Who gets an object. Unreadable (its own annotation)."""
    failed: list[str] = []
    stopped: dict[str, str] = {}
    tight: list[Decision] = []
    for affinity in placement.affinities:
        group = f"group {affinity.name}: " if affinity.name else ""
        try:
            made = _grouped(found, placement, affinity, members, load)
        except _Nobody as nobody:
            failed.append(group + nobody.what)
            stopped |= nobody.stopped
            continue
        if made.short and load.here.isdisjoint(
            made.replicas
        ):  # what runs there is not moved for want of room
            failed.append(group + made.doubts[0])
            tight.append(made)
            continue
        before = tuple(f"{each}; the next group is taken" for each in failed)
        return made._replace(doubts=(*before, *made.doubts))
    if tight:
        return tight[0]
    return Decision({}, {}, stopped, (), "; ".join(failed))


def _grouped(
    found: item.Item,
    placement: Placement,
    affinity: Affinity,
    members: Sequence[matching.Member],
    load: Load,
) -> Decision:
    stopped, able = _filtered(found, placement, affinity, members, load)
    if not able:
        raise _Nobody("no member is selected", stopped)
    order = {each.name: (int(each.name not in load.here), -_takes(load, each.name)) for each in able}
    taken = spreading.taken(able, placement.spread, order, _need(found, placement, load))
    stopped |= taken.left
    if taken.error:
        raise _Nobody(taken.error, stopped)
    because = f"group {affinity.name}" if affinity.name else "its placement selects the member"
    total = pod.replicas(found)
    if total is None or pod.kind(found) == ("", "Pod"):
        names = [each.name for each in taken.members]
        whole = placement.division and total is None and item.number(found, "spec", "replicas") is not None
        doubts = (WHOLE.format(item.ref(found).kind),) if whole else ()
        return Decision(dict.fromkeys(names), dict.fromkeys(names, (because,)), stopped, doubts)
    uid = str(item.metadata(found).get("uid") or "")
    told = division.Load(total, uid, load.replicas, load.room)
    made = (
        division.divided(placement.division, told, taken.members)
        if placement.division
        else division.duplicated(total, taken.members)
    )
    return _shared(made, total, because, stopped)


def _need(found: item.Item, placement: Placement, load: Load) -> spreading.Need:
    """What the members that are taken must have room for: where it is room that divides, what they have and
    can take beside."""
    by = placement.division
    if by is None or not (by.available or by.preference == "Aggregated"):
        return spreading.Need()
    return spreading.Need(pod.replicas(found) or 0, {name: _takes(load, name) for name in load.room})


def _takes(load: Load, name: str) -> int:
    """How many replicas a member has and can take beside."""
    return load.room.get(name, 0) + load.replicas.get(name, 0)


def _filtered(
    found: item.Item,
    placement: Placement,
    affinity: Affinity,
    members: Sequence[matching.Member],
    load: Load,
) -> tuple[dict[str, str], list[matching.Member]]:
    stopped: dict[str, str] = {}
    able = []
    for each in members:
        there = each.name in load.here
        reason = matching.misses(each, affinity.clusters) or legacy.excluded(found, each)
        taint = matching.repelled(each, placement.tolerations, there)
        if reason or taint:
            stopped[each.name] = reason or f"its taint {taint} is not tolerated"
        else:
            able.append(each)
    return stopped, able


def _shared(made: division.Divided, total: int, because: str, stopped: dict[str, str]) -> Decision:
    """Members with no replica do not get the object, unless none is wanted of it at all."""
    none = {name for name, count in made.replicas.items() if not count and total}
    replicas: dict[str, int | None] = {
        name: count for name, count in made.replicas.items() if name not in none
    }
    doubts = [f"{name} gets 0 of {total} replicas, and so not the object{FEW}" for name in sorted(none)]
    stopped = stopped | {name: made.why.get(name, "it gets no replicas") for name in none}
    why: dict[str, tuple[str, ...]] = {name: (because, made.why[name]) for name in replicas}
    return Decision(replicas, why, stopped, tuple(filter(None, (made.doubt, *doubts))), short=made.short)
