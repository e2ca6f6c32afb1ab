"""Which member gets which object of the fleet, and by which policy.

Law: pure. An object whose policy names a member that nobody knows is left as it is, everywhere: a misspelt
name must not empty a cluster. What an object cannot do without goes where it goes, if its policy says so.
"""

import difflib
from collections.abc import Collection, Container, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from fedns.errors import Problem
from fedns.model.propagation import Clusters, Override, Propagation, Resources
from fedns.placement import choice, companions, item, legacy, matching, schedule

NEAR = 0.75
"""So alike are the names of kinds of which one may be meant by the other; Secret and Service are not."""
NAMED = 20
"""Members that are named of many."""
WAITS = "what is there stays as it is until then"
NOTHING = "the fleet has no such object yet; if it never will, take the selector out"


class Target(NamedTuple):
    """One member of one object."""

    policy: Propagation
    why: tuple[str, ...]
    replicas: int | None = None


class Spread(NamedTuple):
    """Where one object goes. `stopped`: why it goes nowhere else; `frozen`: it stays as it is everywhere."""

    targets: dict[str, Target]
    stopped: dict[str, str]
    policy: str = ""
    frozen: str = ""


class Found(NamedTuple):
    spreads: dict[item.Ref, Spread]
    warnings: list[Problem]
    errors: list[Problem]


class Decided(NamedTuple):
    """Of one object, by its own policy."""

    spread: Spread
    warnings: tuple[Problem, ...] = ()
    errors: tuple[Problem, ...] = ()


class Rules:
    """Policies and members as they are asked for one object after the other. `errors`: what is wrong with
    the policies themselves."""

    def __init__(self, policies: Sequence[Propagation], members: Sequence[matching.Member]) -> None:
        known = {name for each in members for name in each.names}
        self._members = members
        self._wrong = {each.title: strangers(each, known) for each in policies}
        self.errors = [problem for each in policies for problem in unknown(each, known)]
        self.errors += [Problem(each.title, _waits(each), WAITS) for each in policies if each.lacks]
        self._kinds: dict[tuple[str, str], list[Propagation]] = {}
        for policy in policies:
            for kind in {(each.api_version, each.kind) for each in policy.resources}:
                self._kinds.setdefault(kind, []).append(policy)

    def chosen(self, each: item.Item) -> choice.Chosen | None:
        """The policy of an object; None: none selects it."""
        able = self._kinds.get((str(each.get("apiVersion")), str(each.get("kind"))))
        return choice.policy(each, able) if able else None

    def wrong(self, policy: Propagation) -> str:
        """What it says of members that nobody knows; empty: it names none."""
        return misnamed(policy, self._wrong.get(policy.title, ()))

    def decided(self, each: item.Item, chosen: choice.Chosen, load: schedule.Load) -> Decided:
        what, policy = item.ref(each), chosen.policy
        wrong = self.wrong(policy)
        if wrong:
            return Decided(Spread({}, {}, policy.title, wrong))
        if policy.lacks:
            return Decided(Spread({}, {}, policy.title, f"{policy.title}: {_waits(policy)}"))
        where = f"{policy.title}: {what}"
        try:
            decision = schedule.decided(each, policy.placement, self._members, load)
        except legacy.Unreadable as error:
            frozen = Spread({}, {}, policy.title, str(error))
            return Decided(frozen, errors=(Problem(str(what), str(error)),))
        warnings = tuple(Problem.warning(where, doubt) for doubt in decision.doubts)
        if decision.error:
            why = f"it goes to no member: {decision.error}"
            told = Problem.warning(where, why, "copies that are there stay as they are")
            return Decided(Spread({}, decision.stopped, policy.title, why), (*warnings, told))
        targets = {
            name: Target(policy, (chosen.why, *decision.why[name]), count)
            for name, count in decision.replicas.items()
        }
        return Decided(Spread(targets, decision.stopped, policy.title), warnings)


def found(
    templates: Mapping[item.Ref, item.Item],
    policies: Sequence[Propagation],
    members: Sequence[matching.Member],
    loads: Mapping[item.Ref, schedule.Load],
) -> Found:
    """For every object that a policy selects."""
    rules = Rules(policies, members)
    made = Found({}, _idle(templates, policies), rules.errors)
    for what, each in templates.items():
        chosen = rules.chosen(each)
        if chosen is not None:
            decided = rules.decided(each, chosen, loads.get(what, schedule.Load()))
            made.spreads[what] = decided.spread
            made.warnings.extend(decided.warnings)
            made.errors.extend(decided.errors)
    return made._replace(spreads={**made.spreads, **_accompanied(made.spreads, templates)})


def _accompanied(
    spreads: Mapping[item.Ref, Spread], templates: Mapping[item.Ref, item.Item]
) -> dict[item.Ref, Spread]:
    """Where what others need goes with them."""
    needers: dict[item.Ref, list[tuple[item.Ref, Spread]]] = {}
    for what in sorted(spreads):
        if brings(spreads[what]):
            for other in needed(companions.of(templates[what]), templates):
                needers.setdefault(other, []).append((what, spreads[what]))
    return {other: joined(spreads.get(other), rows) for other, rows in needers.items() if other in templates}


def brings(spread: Spread) -> bool:
    """Whether an object takes along what it needs."""
    return any(each.policy.dependencies for each in spread.targets.values())


def joined(own: Spread | None, needers: Iterable[tuple[item.Ref, Spread]]) -> Spread:
    """Where an object goes by its `own` policy, and with those that need it (in their order)."""
    rows = list(needers)
    made = own or Spread({}, {}, rows[0][1].policy)
    goes, stopped = dict(made.targets), dict(made.stopped)
    for what, spread in rows:
        for name, each in spread.targets.items():
            if each.policy.dependencies:
                why = f"{what} needs it (propagateDeps of {each.policy.title})"
                goes.setdefault(name, Target(each.policy, (why,)))
                stopped.pop(name, None)
    return made._replace(targets=goes, stopped=stopped)


def needed(
    told: Iterable[companions.Companion], templates: Mapping[item.Ref, item.Item]
) -> Iterator[item.Ref]:
    """What is meant: by a name, whether it is there or not; by labels, what has them."""
    for one in told:
        group = one.api_version.rpartition("/")[0]
        if one.name:
            yield item.Ref(group, one.kind, one.namespace, one.name)
            continue
        for what, other in templates.items():
            same = (what.group, what.kind, what.namespace) == (group, one.kind, one.namespace)
            if same and matching.labelled(item.labels(other), one.requirements):
                yield what


def _idle(templates: Mapping[item.Ref, item.Item], policies: Sequence[Propagation]) -> list[Problem]:
    """Selectors that select nothing."""
    found = []
    for policy in policies:
        within = [
            each
            for what, each in templates.items()
            if not policy.namespace or policy.namespace == what.namespace
        ]
        for selector in () if policy.builtin else policy.resources:
            if not any(matching.rank(each, selector) for each in within):
                found.append(idle(policy, selector, templates))
    return found


def idle(policy: Propagation, selector: Resources, templates: Mapping[item.Ref, item.Item]) -> Problem:
    """A selector that selects nothing."""
    labels = "; ".join(map(matching.shown, selector.labels or ()))
    named = f"{selector.kind} {selector.name}" if selector.name else f"any {selector.kind}"
    named += f" with the labels {labels}" if labels and not selector.name else ""
    what = f"its selector of {named} ({selector.api_version}) matches nothing"
    return Problem.warning(
        policy.title, what, _spaceless(policy, selector, templates) or _meant(selector, templates)
    )


def _spaceless(policy: Propagation, selector: Resources, templates: Mapping[item.Ref, item.Item]) -> str:
    """What to do where objects of this kind are in no namespace, and one is wanted."""
    sample = {"apiVersion": selector.api_version, "kind": selector.kind, "metadata": {"namespace": "x"}}
    bare = not item.ref(sample).namespace or any(
        what.kind == selector.kind and not what.namespace for what in templates
    )
    if not (bare and selector.namespace):
        return ""
    wide = "a ClusterPropagationPolicy selects it" if policy.namespace else "take out the selector's"
    return f"a {selector.kind} is in no namespace: {wide}"


def _meant(selector: Resources, templates: Mapping[item.Ref, item.Item]) -> str:
    kind, version, name = selector.kind, selector.api_version, selector.name
    kinds = {what.kind for what in templates}
    versions = {each.get("apiVersion") for what, each in templates.items() if what.kind == kind}
    if versions and version not in versions:
        return f"there, {kind} is of apiVersion {', '.join(sorted(map(str, versions)))}"
    elsewhere = sorted({what.namespace for what in templates if (what.kind, what.name) == (kind, name)})
    if elsewhere:
        return f"it is in namespace {', '.join(elsewhere)}"
    names = {what.name for what in templates if (what.kind, what.namespace) == (kind, selector.namespace)}
    like = difflib.get_close_matches(name, sorted(names), 1) if name else []
    if like:
        return f"did you mean {like[0]}?"
    near = difflib.get_close_matches(kind.lower(), [each.lower() for each in kinds], 1, NEAR)
    meant = [each for each in kinds if near and each.lower() == near[0] and each != kind]
    return f"did you mean {meant[0]}?" if meant else NOTHING


def strangers(policy: Propagation | Override, known: Container[str]) -> tuple[str, ...]:
    """Members that a policy names and that do not exist."""
    named = dict.fromkeys(name for each in _clusters(policy) for name in (*each.names, *each.exclude))
    return tuple(name for name in named if name not in known)


def misnamed(policy: Propagation | Override, names: Sequence[str]) -> str:
    """What is said of an object that stays as it is because of them; empty: of none."""
    return f"{policy.title} names a member that is not known: {', '.join(names)}" if names else ""


def unknown(policy: Propagation | Override, known: set[str]) -> list[Problem]:
    """The same as problems."""
    found = []
    for name in strangers(policy, known):
        near = difflib.get_close_matches(name, known, 1)
        hint = f"did you mean {near[0]}?" if near else f"known: {_few(known) or 'none'}"
        found.append(Problem(policy.title, f"there is no member {name}", hint))
    return found


def _few(names: Collection[str]) -> str:
    more = len(names) - NAMED
    return ", ".join(sorted(names)[:NAMED]) + (f" and {more} more" if more > 0 else "")


def _waits(policy: Propagation) -> str:
    kind, space = (
        ("OverridePolicy ", f"{policy.namespace}/") if policy.namespace else ("ClusterOverridePolicy ", "")
    )
    return f"it waits for {kind}{', '.join(space + name for name in policy.lacks)} (dependentOverrides)"


def _clusters(policy: Propagation | Override) -> Iterable[Clusters]:
    if isinstance(policy, Override):
        return [rule.clusters for rule in policy.rules]
    groups = [each.clusters for each in policy.placement.affinities]
    division = policy.placement.division
    weights = [each.clusters for each in division.weights] if division else []
    return [*groups, *weights, Clusters(names=policy.suspended or ())]
