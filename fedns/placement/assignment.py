"""Which copies every member is to have, as they are sent there: what a plan says, kept for a running server.

Law: as `plan` decides, from the same parts; what many members get alike is made once. Without looking at what
a member has, but for who has which object and how many replicas of it (`loads`).
"""

import hashlib
from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from fedns.errors import Problem
from fedns.model.propagation import Override, Propagation
from fedns.placement import (
    changes,
    chart,
    choice,
    copies,
    defaults,
    elsewhere,
    fate,
    homes,
    item,
    marks,
    matching,
    pod,
    rulings,
    schedule,
    targets,
)

Kind = tuple[str, str]
"""Group and kind."""
Loads = Mapping[item.Ref, schedule.Load]
UNHEARD = "not every Namespace of the fleet can be read: it may have one of this name"


class Fleet(Struct, frozen=True):
    """What the fleet says. `unheard`: kinds of which not all templates are known; `whole` False: nor all
    policies."""

    templates: Mapping[item.Ref, item.Item] = {}
    policies: Sequence[Propagation] = ()
    overrides: Sequence[Override] = ()
    unheard: frozenset[Kind] = frozenset()
    whole: bool = True


class Copy(Struct, frozen=True, gc=False):
    """One object for a member. `digest` is empty where it is not to be touched, for the reason `stopped`;
    `overwrite`: what stands there already is taken over; `along`: it is used as it is, and this one is made
    only where there is none. `generation` is the template's."""

    item: Mapping[str, Any]
    digest: bytes
    policy: str
    overwrite: bool = False
    why: tuple[str, ...] = ()
    stopped: str = ""
    generation: int = 0
    along: bool = False


class Assignment:
    """Of one state of the fleet and its members."""

    def __init__(
        self,
        fleet: Fleet,
        members: Sequence[matching.Member],
        loads: Loads,
        before: "Assignment | None" = None,
        at_once: bool = True,
    ) -> None:
        """`before`: what of it still holds is not decided again. Unless `at_once`, `steps` are to be done."""
        self.fleet, self._members = fleet, {each.name: each for each in members}
        self._policies = choice.awaited(defaults.sure(fleet.policies, fleet.whole), fleet.overrides)
        self.changed: frozenset[item.Ref] | None = None
        """Templates that go elsewhere or otherwise than `before`; None: any may."""
        known = before if before is not None and before._members == self._members else None
        said = chart.Said(fleet.templates, self._policies, tuple(members), loads)
        self._before = known
        self._found: chart.Chart = chart.Chart(said, None if known is None else known._found)
        self._rulings = rulings.Rulings(fleet.overrides, tuple(members))
        self._homes: dict[item.Ref, targets.Spread] = {}
        self._lonely: dict[item.Ref, frozenset[str]] = {}
        self._spreads: dict[item.Ref, targets.Spread] = {}
        self.problems: tuple[Problem, ...] = ()
        self._made: dict[item.Ref, dict[Any, Copy]] = {}
        if at_once:
            deque(self.steps(), 0)

    def steps(self) -> Iterator[None]:
        """Decides it, object by object."""
        moved = yield from self._found.steps()
        told = (*self._found.errors, *self._found.warnings, *self._rulings.problems)
        self.problems = tuple(sorted(set(told)))
        before, self._before = self._before, None
        if before is None:
            self._homes, self._lonely = self._housed(None), self._left(None)
            self._spreads = {**self._found.spreads, **self._homes}
            return
        old, new = before.fleet, self.fleet
        other = {what for what, each in new.templates.items() if old.templates.get(what) is not each}
        moved |= other | (old.templates.keys() - new.templates.keys())
        yield
        moved |= self._follow(before, {what.namespace or what.name for what in moved})
        yield
        every = {**{what: homes.bare(what.name) for what in self._homes}, **new.templates}
        changed = frozenset(moved | (yield from self._rulings.follow(before._rulings, every)))
        self._made = {what: made for what, made in before._made.items() if what not in changed}
        self._rulings.keep(before._rulings, changed)
        if (old.whole, old.unheard) == (new.whole, new.unheard):
            self.changed = changed

    def _follow(self, before: "Assignment", spaces: set[str]) -> set[item.Ref]:
        """What namespaces go along, and which Services are alone, where something moved in these; what of
        that is otherwise than before."""
        near, lone = self._housed(spaces), self._left(spaces)
        self._homes = {what: each for what, each in before._homes.items() if what.name not in spaces} | near
        kept = {what: each for what, each in before._lonely.items() if what.namespace not in spaces}
        self._lonely = kept | lone
        self._spreads = {**self._found.spreads, **self._homes}
        moved = {what for what in map(homes.home, spaces) if before._homes.get(what) != near.get(what)}
        both = before._lonely.keys() | lone.keys()
        return moved | {what for what in both if before._lonely.get(what) != self._lonely.get(what)}

    def _housed(self, only: Collection[str] | None) -> dict[item.Ref, targets.Spread]:
        """The namespaces (`only` these) that go along."""
        members = self._members.values()
        return homes.found(self._found.spreads, self._policies, self.fleet.templates, members, only)

    def _left(self, only: Collection[str] | None) -> dict[item.Ref, frozenset[str]]:
        """The Services (in `only` these namespaces) that go where none of their workloads does."""
        return elsewhere.found(self._found.spreads, self.fleet.templates, only)

    def refs(self) -> Collection[item.Ref]:
        """Templates that a policy selects, or that another one needs."""
        return self._spreads.keys()

    def policy(self, what: item.Ref) -> str:
        spread = self._spreads.get(what)
        return spread.policy if spread else ""

    def goes(self, what: item.Ref) -> Collection[str]:
        """The members that get an object."""
        spread = self._spreads.get(what)
        return spread.targets.keys() if spread else ()

    def gives(self, member: str) -> bool:
        """Whether a member gets anything."""
        return any(member in spread.targets for spread in self._spreads.values())

    def copies(self, member: str) -> dict[item.Ref, Copy]:
        """All that a member is to have."""
        who = self._members.get(member)
        if who is None:
            return {}
        return {
            what: self._copy(what, spread, who)
            for what, spread in self._spreads.items()
            if member in spread.targets
        }

    def copy(self, what: item.Ref, member: str) -> Copy | None:
        """One of them."""
        spread, who = self._spreads.get(what), self._members.get(member)
        if spread is None or who is None or member not in spread.targets:
            return None
        return self._copy(what, spread, who)

    @property
    def members(self) -> Collection[str]:
        return self._members.keys()

    def why(self, what: item.Ref, member: str) -> tuple[str, ...]:
        """Why a member gets an object, or the first condition that stopped it."""
        copy, spread = self.copy(what, member), self._spreads.get(what)
        if copy is not None:
            return copy.why
        if spread is None:
            gone = "no policy selects it" if what in self.fleet.templates else "the fleet has it no more"
            return (gone,)
        known = (spread.frozen, spread.stopped.get(member, ""))
        return tuple(filter(None, known)) or ("it does not go there",)

    def fate(self, what: item.Ref, told: marks.Told, member: str) -> fate.Fate:
        """What becomes of a copy that a member has and is not to have."""
        fleet = self.fleet
        if not fleet.whole or member not in self._members:
            return fate.Fate("refuse", ("not all policies can be read",))
        if what not in fleet.templates and (what.group, what.kind) in fleet.unheard:
            return fate.Fate("refuse", (f"not every {what.kind} of the fleet can be read",))
        return fate.of(what, told, fleet.templates, self._spreads.get(what), member)

    def _copy(self, what: item.Ref, spread: targets.Spread, member: matching.Member) -> Copy:
        target = spread.targets[member.name]
        policy = target.policy
        if policy.suspends(member.names):
            return Copy({}, b"", policy.title, why=target.why, stopped=f"{policy.title} is suspended")
        if homes.along(policy) and homes.KIND in self.fleet.unheard:
            return Copy({}, b"", policy.title, why=target.why, stopped=UNHEARD, along=True)
        ruling = self._rulings.of(what, homes.template(what, self.fleet.templates))
        if ruling.stopped:
            return Copy({}, b"", policy.title, why=target.why, stopped=ruling.stopped)
        own = member.name if what.kind == "Job" else ""
        key = (
            target.replicas,
            policy.title,
            own,
            ruling.rules(member),
            member.name in self._lonely.get(what, ()),
        )
        made = self._made.setdefault(what, {})
        if key not in made:
            made[key] = self._make(what, spread, member, ruling.overrides)
        return made[key]

    def _make(
        self,
        what: item.Ref,
        spread: targets.Spread,
        member: matching.Member,
        overrides: Sequence[Override],
    ) -> Copy:
        target = spread.targets[member.name]
        template = homes.template(what, self.fleet.templates)
        lonely = member.name in self._lonely.get(what, ())
        if lonely:
            template = elsewhere.marked(template)
        counts = {name: each.replicas for name, each in spread.targets.items()}
        total = {name: count for name, count in counts.items() if count is not None}
        wanted = copies.Wanted(template, target.policy, target.replicas, total)
        title = target.policy.title
        try:
            changed = changes.overridden(copies.revised(wanted, member), overrides, member)
        except changes.Impossible as error:
            return Copy({}, b"", title, why=target.why, stopped=str(error))
        sent = marks.marked(changed.item, target.policy)
        generation = item.metadata(template).get("generation") or 0
        told = (*target.why, *((elsewhere.WHY,) if lonely else ()))
        why = (*told, *(f"{name} applies" for name in dict.fromkeys(changed.applied)))
        along, overwrite = homes.along(target.policy), copies.overwrites(wanted)
        return Copy(sent, digest(sent), title, overwrite, why, generation=generation, along=along)


def digest(found: item.Item) -> bytes:
    return hashlib.blake2b(msgspec.json.encode(found, order="deterministic"), digest_size=16).digest()


def loads(there: Mapping[str, Mapping[item.Ref, int | None]]) -> dict[item.Ref, schedule.Load]:
    """Of what members have from us: member -> object -> its replicas."""
    here: dict[item.Ref, set[str]] = {}
    counts: dict[item.Ref, dict[str, int]] = {}
    for member, rows in there.items():
        for what, replicas in rows.items():
            here.setdefault(what, set()).add(member)
            if replicas is not None:
                counts.setdefault(what, {})[member] = replicas
    return {what: schedule.Load(frozenset(names), counts.get(what, {})) for what, names in here.items()}


def without_replicas(found: item.Item) -> dict[str, Any]:
    """A copy whose replicas are an autoscaler's business."""
    made = item.own(found)
    field = pod.REPLICAS.get(pod.kind(found))
    if field is not None:
        item.drop(made, "spec", field)
    return made
