"""Where all objects go, as `targets.found` says it, kept so that a change is decided alone.

Law: pure; whatever was there before, a chart is what it would be if it were made at once (a test compares).
Making one is done object by object, so that whoever waits for it may do something else in between. What is
decided alike is decided once: objects of one policy share their targets, unless something of theirs matters.
"""

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from fedns.errors import Problem
from fedns.model.propagation import Override, Propagation, Resources
from fedns.placement import companions, item, legacy, matching, pod, schedule, shares, targets

MOST = 2000
"""Decisions that are remembered for others."""

Selector = tuple[int, int]
"""A policy by its `id`, and which of its selectors."""
Kind = tuple[str, str]
"""apiVersion and kind."""


class Said(NamedTuple):
    """What a chart is made of."""

    templates: Mapping[item.Ref, item.Item]
    policies: Sequence[Propagation]
    members: Sequence[matching.Member]
    loads: Mapping[item.Ref, schedule.Load]


class Chart:
    """`spreads`, and the troubles on the way; all else is for the one that comes after it. `known`: the one
    before, of the same members."""

    def __init__(self, said: Said, known: "Chart | None" = None) -> None:
        self.said, self._before = said, known
        self.spreads: dict[item.Ref, targets.Spread] = dict(known.spreads) if known else {}
        self.warnings: list[Problem] = []
        self.errors: list[Problem] = []
        self._own: dict[item.Ref, targets.Decided] = dict(known._own) if known else {}
        """By an object's own policy."""
        self._needs: dict[item.Ref, frozenset[item.Ref]] = dict(known._needs) if known else {}
        self._needers: dict[item.Ref, frozenset[item.Ref]] = dict(known._needers) if known else {}
        self._vague: dict[item.Ref, tuple[companions.Companion, ...]] = dict(known._vague) if known else {}
        """What some need is told by labels."""
        self._seen: dict[Selector, item.Ref | None] = dict(known._seen) if known else {}
        """One object that a selector selects."""
        self._alike: dict[Any, tuple[Propagation, targets.Decided]] = known._alike if known else {}

    def steps(self) -> Generator[None, None, set[item.Ref]]:
        """Fills it in; what goes elsewhere, or otherwise, than before."""
        rules = targets.Rules(self.said.policies, self.said.members)
        before, other = self._before, self._other(self._before)
        for what in other:
            self._decide(what, rules)
            yield
        vague = [what for what, told in self._vague.items() if _touches(told, other)]
        for what in (*other, *(what for what in vague if what not in other)):
            self._need(what)
            yield
        for what in self._around(other, vague, before):
            self._join(what)
            yield
        found = self._own.values()
        self.errors = [*rules.errors, *(one for each in found for one in each.errors)]
        self.warnings = [*self._idle(other), *(one for each in found for one in each.warnings)]
        self._before = None
        old, new = before.spreads if before is not None else {}, self.spreads
        return (old.keys() - new.keys()) | {what for what, each in new.items() if old.get(what) is not each}

    def _other(self, before: "Chart | None") -> set[item.Ref]:
        """What is to be decided."""
        new = self.said
        if before is None:
            return set(new.templates)
        old = before.said
        found = {what for what, each in new.templates.items() if old.templates.get(what) is not each}
        found |= old.templates.keys() - new.templates.keys()
        if old.loads is not new.loads:
            found |= {what for what in new.templates if old.loads.get(what) != new.loads.get(what)}
        for policy in differing(old.policies, new.policies):
            found |= {what for what, each in self._within(policy) if _selected(each, policy)}
        return found

    def _within(self, policy: Propagation) -> Iterator[tuple[item.Ref, item.Item]]:
        """The objects among which a policy selects."""
        wanted = {(each.api_version, each.kind) for each in policy.resources}
        for what, each in self.said.templates.items():
            own = not policy.namespace or policy.namespace == what.namespace
            if own and (each.get("apiVersion"), what.kind) in wanted:
                yield what, each

    def _decide(self, what: item.Ref, rules: targets.Rules) -> None:
        each = self.said.templates.get(what)
        chosen = None if each is None else rules.chosen(each)
        if each is None or chosen is None:
            self._own.pop(what, None)
            return
        load = self.said.loads.get(what, schedule.Load())
        key = (id(chosen.policy), chosen.why, *_matters(each, chosen.policy, self.said.members, load))
        kept = self._alike.get(key)
        if kept is not None and kept[0] is chosen.policy and not rules.wrong(chosen.policy):
            self._own[what] = kept[1]
            return
        made = self._own[what] = rules.decided(each, chosen, load)
        if not made.warnings and not made.errors and not made.spread.frozen:
            if len(self._alike) >= MOST:
                self._alike.clear()
            self._alike[key] = chosen.policy, made

    def _need(self, what: item.Ref) -> None:
        """Takes down what an object needs."""
        found: frozenset[item.Ref] = frozenset()
        self._vague.pop(what, None)
        own = self._own.get(what)
        if own is not None and targets.brings(own.spread):
            told = tuple(companions.of(self.said.templates[what]))
            vague = tuple(each for each in told if not each.name)
            if vague:
                self._vague[what] = vague
            found = frozenset(targets.needed(told, self.said.templates))
        before = self._needs.pop(what, frozenset())
        if found:
            self._needs[what] = found
        for other in before - found:
            self._needers[other] -= {what}
        for other in found - before:
            self._needers[other] = self._needers.get(other, frozenset()) | {what}

    def _around(
        self, other: Iterable[item.Ref], vague: Iterable[item.Ref], before: "Chart | None"
    ) -> set[item.Ref]:
        """Whose spread may be another now."""
        found = set(other)
        for what in (*other, *vague):
            found |= self._needs.get(what, frozenset())
            found |= before._needs.get(what, frozenset()) if before is not None else frozenset()
        return found

    def _join(self, what: item.Ref) -> None:
        """Where it goes by its own policy, and with those that need it."""
        own = self._own.get(what)
        needers = sorted(self._needers.get(what, ())) if what in self.said.templates else ()
        made = own.spread if own is not None else None
        if needers:
            made = targets.joined(made, [(each, self._own[each].spread) for each in needers])
        before = self.spreads.get(what)
        if made is None:
            self.spreads.pop(what, None)
        elif made != before:
            self.spreads[what] = made

    def _idle(self, other: set[item.Ref]) -> Iterator[Problem]:
        """Selectors that select nothing: who has selected something is asked again only when that differs."""
        templates, seen = self.said.templates, self._seen
        self._seen = {}
        for policy in self.said.policies:
            for at, selector in enumerate(() if policy.builtin else policy.resources):
                key = (id(policy), at)
                one = seen.get(key)
                if one is None or one in other:
                    few = other if key in seen and one is None else templates
                    one = _witness(policy, selector, few, templates)
                self._seen[key] = one
                if one is None:
                    yield targets.idle(policy, selector, templates)


Titled = TypeVar("Titled", bound=Propagation | Override)


def differing(old: Iterable[Titled], new: Iterable[Titled]) -> list[Titled]:
    """Policies that came, went or differ, and all of their names."""
    were, are = _titled(old), _titled(new)
    found: list[Titled] = []
    for name in were.keys() | are.keys():
        if were.get(name) != are.get(name):
            found += (*were.get(name, ()), *are.get(name, ()))
    return found


def _titled(policies: Iterable[Titled]) -> dict[str, list[Titled]]:
    found: dict[str, list[Titled]] = {}
    for each in policies:
        found.setdefault(each.title, []).append(each)
    return found


def _witness(
    policy: Propagation,
    selector: Resources,
    among: Iterable[item.Ref],
    templates: Mapping[item.Ref, item.Item],
) -> item.Ref | None:
    for what in among:
        each = templates.get(what)
        own = not policy.namespace or policy.namespace == what.namespace
        if each is not None and what.kind == selector.kind and own and matching.rank(each, selector):
            return what
    return None


def _selected(each: item.Item, policy: Propagation) -> bool:
    return bool(matching.explicitness(each, policy.resources))


def _touches(told: Iterable[companions.Companion], other: Iterable[item.Ref]) -> bool:
    """Whether any of these may be what is told by labels."""
    wanted = {(each.api_version.rpartition("/")[0], each.kind, each.namespace) for each in told}
    return any((what.group, what.kind, what.namespace) in wanted for what in other)


def _matters(
    each: item.Item, policy: Propagation, members: Iterable[matching.Member], load: schedule.Load
) -> tuple[Any, ...]:
    """What of an object and its load a decision depends on."""
    placement, division = policy.placement, policy.placement.division
    counted = item.number(each, "spec", "replicas") is not None
    told = (
        pod.kind(each) == ("", "Pod"),
        counted,
        pod.replicas(each),
        item.annotations(each).get(legacy.SELECTOR),
    )
    uid = shares.odd(str(item.metadata(each).get("uid") or "")) if division else False
    moving = division is not None and (division.available or division.preference == "Aggregated")
    if not (moving or placement.spread or any(member.taints for member in members)):
        return (*told, uid)
    rows = (tuple(sorted(counts.items())) for counts in (load.replicas, load.room))
    return (*told, uid, load.here, *rows)
