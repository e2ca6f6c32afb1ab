"""The change guard (health law, rule 6): a sudden mass removal waits until a second look agrees.

Law: a value machine, one `State` per source. It holds back what disappears, services and shards
separately, and never what appears or what says how healthy the rest is. A removal in small steps
is the sum of its steps: what went lately counts with what goes now.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from msgspec import Struct, structs

from fedns.model.facts import Export, MemberFacts, ShardFacts

LEAST = 10
"""Fewer removals than this are never held: a small fleet is changed by hand."""
APART = 1.0
"""Seconds. Two looks closer together see the same moment of a file tree or of a sick API."""
WINDOW = 10.0
"""Seconds for which a removal that passed counts as a part of the next one. A directory is emptied file
by file, and a sick API forgets page by page."""

Recent = tuple[tuple[float, frozenset[str]], ...]
"""Removals that passed lately: when, and what."""


class Held(Struct, frozen=True):
    """A removal that waits: what the first look missed, and when that was; `later`: what has gone since, and
    waits with it."""

    missing: frozenset[str]
    since: float
    later: frozenset[str] = frozenset()

    @property
    def names(self) -> frozenset[str]:
        """All that waits."""
        return self.missing | self.later


class State(Struct, frozen=True):
    """What one source has waiting, and what it lately lost: services as a whole, or their addresses and
    exports."""

    services: Held | None = None
    shards: Held | None = None
    removed: Recent = ()
    emptied: Recent = ()


class Admitted(NamedTuple):
    """Facts that may go on. `again`: when the source should look once more (None: nothing waits)."""

    state: State
    facts: MemberFacts
    again: float | None


class Names(Struct, frozen=True):
    """As `State`, for what has names and nothing else to be missed: the members of a fleet."""

    held: Held | None = None
    removed: Recent = ()


class Sifted(NamedTuple):
    """`kept`: the missing names that are held back. `again`: when to look once more (None: nothing waits)."""

    state: Names
    kept: frozenset[str]
    again: float | None


NOTHING = State()
NAMELESS = Names()


def mass(before: int, missing: int) -> bool:
    """Whether a removal is large: more than half of what there was, and at least ten."""
    return missing >= LEAST and missing * 2 > before


def look(held: Held | None, before: int, missing: frozenset[str], now: float) -> tuple[Held | None, bool]:
    """One look that misses some of the `before` names accepted so far -> (what waits, accept it?).

    A second look agrees when what both miss is itself a mass removal; one that disagrees starts anew.
    """
    if not mass(before, len(missing)):
        return None, True
    if held is None or not mass(before, len(held.missing & missing)):
        return Held(missing, now), False
    if now >= held.since + APART:
        return None, True
    return structs.replace(held, later=missing - held.missing), False


def admit(
    state: State, before: MemberFacts, after: MemberFacts, touched: frozenset[str] | None, now: float
) -> Admitted:
    """Passes one member's new facts on, with the old shards (or addresses) in place of held removals.

    `before` are the facts accepted last; `touched` the keys that may differ (None: all)."""
    keys = _suspects(state, before, touched)
    gone = frozenset(key for key in keys if key not in after.shards)
    lost = frozenset(key for key in keys if _lost(before.shards.get(key), after.shards.get(key)))
    removed = _lately(state.removed, lambda key: key not in after.shards, now)
    emptied = _lately(state.emptied, lambda key: not _addressed(after, key), now)
    some = len(lost) + sum(len(names) for _, names in emptied) >= LEAST
    addressed = sum(map(_offered, before.shards.values())) if some else 0
    services, removed, keep = _pass(state.services, removed, len(before.shards), gone, now)
    shards, emptied, bare = _pass(state.shards, emptied, addressed, lost, now)
    facts = structs.replace(after, shards=_kept(before, after, keep | bare)) if keep or bare else after
    waiting = [held.since + APART for held in (services, shards) if held is not None]
    return Admitted(State(services, shards, removed, emptied), facts, max(waiting, default=None))


def sift(state: Names, before: frozenset[str], after: frozenset[str], now: float) -> Sifted:
    """One look at the names that a source tells; `before` are those accepted last."""
    removed = _lately(state.removed, lambda key: key not in after, now)
    held, removed, kept = _pass(state.held, removed, len(before), before - after, now)
    return Sifted(Names(held, removed), kept, None if held is None else held.since + APART)


def _lately(recent: Recent, still: Callable[[str], bool], now: float) -> Recent:
    """What of recent removals is not long ago and still missing."""
    rest = ((at, frozenset(filter(still, names))) for at, names in recent if now - at < WINDOW)
    return tuple((at, names) for at, names in rest if names)


def _pass(
    held: Held | None, recent: Recent, before: int, missing: frozenset[str], now: float
) -> tuple[Held | None, Recent, frozenset[str]]:
    """One look at one kind of removal -> (what waits, what went lately, what of `missing` is held back)."""
    past = frozenset[str]().union(*(names for _, names in recent))
    if not missing:
        return None, recent, missing
    known = None if held is None else Held(held.missing | past, held.since)
    waits, accept = look(known, before + len(past), missing | past, now)
    if waits is not None:
        return structs.replace(waits, missing=waits.missing - past, later=waits.later - past), recent, missing
    confirmed = accept and mass(before + len(past), len(missing | past))
    return None, () if confirmed else (*recent, (now, missing)), frozenset()


def _suspects(state: State, before: MemberFacts, touched: frozenset[str] | None) -> Iterable[str]:
    """Keys that may be missing: those touched, and those that were missing at the last look."""
    if touched is None:
        return before.shards
    waiting = (held.names for held in (state.services, state.shards) if held is not None)
    return touched.union(*waiting) & before.shards.keys()


def _addressed(facts: MemberFacts, key: str) -> bool:
    shard = facts.shards.get(key)
    return shard is not None and bool(shard.addresses or shard.hostnames)


def _offered(shard: ShardFacts) -> bool:
    return bool(shard.addresses or shard.hostnames) or _export(shard) is not None


def _lost(old: ShardFacts | None, new: ShardFacts | None) -> bool:
    """Whether a shard has no addresses any more, or is exported no more."""
    if old is None or not _offered(old):
        return False
    if new is None or not _offered(new):
        return True
    reached = bool(old.addresses or old.hostnames) and not (new.addresses or new.hostnames)
    return reached or (_export(old) is not None and _export(new) is None)


def _export(shard: ShardFacts) -> Export | None:
    return None if shard.inside is None else shard.inside.export


def _held(old: ShardFacts, new: ShardFacts) -> ShardFacts:
    """The new shard with what the old one had to offer."""
    inside = new.inside
    if inside is not None and inside.export is None:
        inside = structs.replace(inside, export=_export(old))
    found = structs.replace(old, readiness=new.readiness, ports=new.ports, inside=inside)
    if new.addresses or new.hostnames:
        found = structs.replace(found, addresses=new.addresses, hostnames=new.hostnames)
    return found


def _kept(before: MemberFacts, after: MemberFacts, keep: frozenset[str]) -> Mapping[str, ShardFacts]:
    """The new shards with what is held put back; health evidence stays the new one."""
    shards = dict(after.shards)
    for key in keep:
        old, new = before.shards[key], after.shards.get(key)
        shards[key] = old if new is None else _held(old, new)
    return shards
