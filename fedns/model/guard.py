"""The change guard (health law, rule 6): a sudden mass removal waits until a second look agrees.

Law: a value machine, one `State` per source. It holds back what disappears, services and shards
separately, and never what appears or what says how healthy the rest is.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from msgspec import Struct, structs

from fedns.model.facts import MemberFacts, ShardFacts

LEAST = 10
"""Fewer removals than this are never held: a small fleet is changed by hand."""
APART = 1.0
"""Seconds. Two looks closer together see the same moment of a file tree or of a sick API."""


class Held(Struct, frozen=True):
    """A removal that waits: what the first look missed, and when that was."""

    missing: frozenset[str]
    since: float


class State(Struct, frozen=True):
    """What one source has waiting."""

    services: Held | None = None
    shards: Held | None = None


class Admitted(NamedTuple):
    """Facts that may go on. `again`: when the source should look once more (None: nothing waits)."""

    state: State
    facts: MemberFacts
    again: float | None


NOTHING = State()


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
    return (None, True) if now >= held.since + APART else (held, False)


def admit(
    state: State, before: MemberFacts, after: MemberFacts, touched: frozenset[str] | None, now: float
) -> Admitted:
    """Passes one member's new facts on, with the old shards (or addresses) in place of held removals.

    `before` are the facts accepted last; `touched` the keys that may differ (None: all)."""
    keys = _suspects(state, before, touched)
    gone = frozenset(key for key in keys if key not in after.shards)
    lost = frozenset(key for key in keys if _addressed(before, key) and not _addressed(after, key))
    addressed = sum(1 for key in before.shards if _addressed(before, key)) if len(lost) >= LEAST else 0
    services, services_pass = look(state.services, len(before.shards), gone, now)
    shards, shards_pass = look(state.shards, addressed, lost, now)
    keep = (frozenset() if services_pass else gone) | (frozenset() if shards_pass else lost)
    facts = structs.replace(after, shards=_kept(before, after, keep)) if keep else after
    waiting = [held.since + APART for held in (services, shards) if held is not None]
    return Admitted(State(services, shards), facts, max(waiting, default=None))


def _suspects(state: State, before: MemberFacts, touched: frozenset[str] | None) -> Iterable[str]:
    """Keys that may be missing: those touched, and those that were missing at the last look."""
    if touched is None:
        return before.shards
    waiting = (held.missing for held in (state.services, state.shards) if held is not None)
    return touched.union(*waiting) & before.shards.keys()


def _addressed(facts: MemberFacts, key: str) -> bool:
    shard = facts.shards.get(key)
    return shard is not None and bool(shard.addresses or shard.hostnames)


def _kept(before: MemberFacts, after: MemberFacts, keep: frozenset[str]) -> Mapping[str, ShardFacts]:
    """The new shards with what is held put back; health evidence stays the new one."""
    shards = dict(after.shards)
    for key in keep:
        old, new = before.shards[key], after.shards.get(key)
        shards[key] = old if new is None else structs.replace(old, readiness=new.readiness, ports=new.ports)
    return shards
