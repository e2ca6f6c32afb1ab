"""Which copies every member is to have, as they are sent there: what a plan says, kept for a running server.

Law: as `plan` decides, from the same parts; what many members get alike is made once. Without looking at what
a member has, but for who has which object and how many replicas of it (`loads`).
"""

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from fedns.errors import Problem
from fedns.model.propagation import Override, Propagation
from fedns.placement import (
    changes,
    choice,
    copies,
    fate,
    item,
    marks,
    matching,
    pod,
    schedule,
    targets,
)

Kind = tuple[str, str]
"""Group and kind."""
Loads = Mapping[item.Ref, schedule.Load]


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
    `overwrite`: what stands there already is taken over. `generation` is the template's."""

    item: Mapping[str, Any]
    digest: bytes
    policy: str
    overwrite: bool = False
    why: tuple[str, ...] = ()
    stopped: str = ""
    generation: int = 0


class Assignment:
    """Of one state of the fleet and its members."""

    def __init__(
        self,
        fleet: Fleet,
        members: Sequence[matching.Member],
        loads: Loads,
        before: "Assignment | None" = None,
    ) -> None:
        """`before`: what of it still holds is not decided again (its warnings stand for a while longer)."""
        self.fleet, self._members, self._loads = fleet, {each.name: each for each in members}, loads
        self.changed = None if before is None else before._other(self)
        """Templates that go elsewhere or otherwise than `before`; None: any may."""
        if before is None or self.changed is None:
            self._found = targets.found(fleet.templates, fleet.policies, tuple(members), loads)
        else:
            self._found = before._renewed(self, self.changed)
        known = {name for each in members for name in each.names}
        self._overrides = sorted(fleet.overrides, key=lambda each: each.title)
        wrong = [(each, targets.unknown(each, known)) for each in self._overrides]
        self._doubtful = tuple(each for each, problems in wrong if problems)
        self.problems: tuple[Problem, ...] = tuple(
            sorted({*self._found.errors, *self._found.warnings, *(one for _, rows in wrong for one in rows)})
        )
        self._made: dict[item.Ref, dict[Any, Copy]] = {}
        self._chosen: dict[item.Ref, tuple[Override, ...]] = {}
        if before is not None and self.changed is not None:
            kept = before._made.keys() - self.changed
            self._made = {what: before._made[what] for what in kept}
            self._chosen = {what: before._chosen[what] for what in before._chosen.keys() - self.changed}

    def refs(self) -> Collection[item.Ref]:
        """Templates that a policy selects, or that another one needs."""
        return self._found.spreads.keys()

    def policy(self, what: item.Ref) -> str:
        spread = self._found.spreads.get(what)
        return spread.policy if spread else ""

    def goes(self, what: item.Ref) -> Collection[str]:
        """The members that get an object."""
        spread = self._found.spreads.get(what)
        return spread.targets.keys() if spread else ()

    def copies(self, member: str) -> dict[item.Ref, Copy]:
        """All that a member is to have."""
        who = self._members.get(member)
        if who is None:
            return {}
        return {
            what: self._copy(what, spread, who)
            for what, spread in self._found.spreads.items()
            if member in spread.targets
        }

    def copy(self, what: item.Ref, member: str) -> Copy | None:
        """One of them."""
        spread, who = self._found.spreads.get(what), self._members.get(member)
        if spread is None or who is None or member not in spread.targets:
            return None
        return self._copy(what, spread, who)

    def fate(self, what: item.Ref, told: marks.Told, member: str) -> fate.Fate:
        """What becomes of a copy that a member has and is not to have."""
        fleet = self.fleet
        if not fleet.whole or member not in self._members:
            return fate.Fate("refuse", ("not all policies can be read",))
        if what not in fleet.templates and (what.group, what.kind) in fleet.unheard:
            return fate.Fate("refuse", (f"not every {what.kind} of the fleet can be read",))
        return fate.of(what, told, fleet.templates, self._found.spreads.get(what), member)

    def _copy(self, what: item.Ref, spread: targets.Spread, member: matching.Member) -> Copy:
        target = spread.targets[member.name]
        policy, suspended = target.policy, target.policy.suspended
        if suspended is None or not set(suspended).isdisjoint(member.names):
            return Copy({}, b"", policy.title, why=target.why, stopped=f"{policy.title} is suspended")
        overrides = self._chosen.get(what)
        if overrides is None:
            found = choice.overrides(self.fleet.templates[what], self._overrides)
            overrides = self._chosen[what] = tuple(found)
        for each in overrides:
            if each in self._doubtful:
                stopped = f"{each.title} names a member that is not known"
                return Copy({}, b"", policy.title, why=target.why, stopped=stopped)
        ruled = tuple(_ruling(overrides, member))
        own = member.name if what.kind == "Job" else ""
        key = (target.replicas, policy.title, own, ruled)
        made = self._made.setdefault(what, {})
        if key not in made:
            made[key] = self._make(what, spread, member, overrides)
        return made[key]

    def _other(self, now: "Assignment") -> frozenset[item.Ref] | None:
        """The templates of `now` that are others, or held by others; None: more than that differs."""
        old, new = self.fleet, now.fleet
        rules = (old.policies, old.overrides, old.whole, old.unheard) == (
            new.policies, new.overrides, new.whole, new.unheard
        )  # fmt: skip
        if not rules or self._members != now._members or any(one.dependencies for one in new.policies):
            return None
        both = old.templates.keys() & new.templates.keys()
        other = {what for what in both if old.templates[what] is not new.templates[what]}
        held = {what for what in both if self._loads.get(what) != now._loads.get(what)}
        return frozenset(other | held | (old.templates.keys() ^ new.templates.keys()))

    def _renewed(self, now: "Assignment", changed: frozenset[item.Ref]) -> targets.Found:
        fresh = {what: now.fleet.templates[what] for what in changed & now.fleet.templates.keys()}
        found = targets.found(fresh, now.fleet.policies, tuple(now._members.values()), now._loads)
        kept = {what: spread for what, spread in self._found.spreads.items() if what not in changed}
        return targets.Found({**kept, **found.spreads}, self._found.warnings, self._found.errors)

    def _make(
        self,
        what: item.Ref,
        spread: targets.Spread,
        member: matching.Member,
        overrides: Sequence[Override],
    ) -> Copy:
        target, template = spread.targets[member.name], self.fleet.templates[what]
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
        why = (*target.why, *(f"{name} changes it" for name in dict.fromkeys(changed.applied)))
        return Copy(sent, digest(sent), title, copies.overwrites(wanted), why, generation=generation)


def digest(found: item.Item) -> bytes:
    return hashlib.blake2b(msgspec.json.encode(found, order="deterministic"), digest_size=16).digest()


def _ruling(overrides: Iterable[Override], member: matching.Member) -> Iterator[tuple[str, int]]:
    """The rules that are for a member."""
    for each in overrides:
        for at, rule in enumerate(each.rules):
            if matching.selects(member, rule.clusters):
                yield each.title, at


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
