"""Which member gets which object of the fleet, and by which policy.

Law: pure. An object whose policy names a member that nobody knows is left as it is, everywhere: a misspelt
name must not empty a cluster. What an object cannot do without goes where it goes, if its policy says so.
"""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from fedns.errors import Problem
from fedns.model.propagation import Clusters, Override, Propagation
from fedns.placement import choice, companions, item, legacy, matching, schedule


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


def found(
    templates: Mapping[item.Ref, item.Item],
    policies: Sequence[Propagation],
    members: Sequence[matching.Member],
    loads: Mapping[item.Ref, schedule.Load],
) -> Found:
    """For every object that a policy selects."""
    known = {name for each in members for name in each.names}
    errors = [problem for each in policies for problem in unknown(each, known)]
    wrong = {problem.where for problem in errors}
    made = Found({}, _idle(templates, policies), errors)
    for what, each in templates.items():
        chosen = choice.policy(each, policies)
        if chosen is None:
            continue
        if chosen.policy.title in wrong:
            frozen = f"{chosen.policy.title} names a member that is not known"
            made.spreads[what] = Spread({}, {}, chosen.policy.title, frozen)
        else:
            _decide(made, each, chosen, members, loads.get(what, schedule.Load()))
    _accompany(made, templates)
    return made


def _decide(
    made: Found,
    each: item.Item,
    chosen: choice.Chosen,
    members: Sequence[matching.Member],
    load: schedule.Load,
) -> None:
    what, policy = item.ref(each), chosen.policy
    where = f"{policy.title}: {what}"
    try:
        decision = schedule.decided(each, policy.placement, members, load)
    except legacy.Unreadable as error:
        made.errors.append(Problem(str(what), str(error)))
        made.spreads[what] = Spread({}, {}, policy.title, str(error))
        return
    made.warnings.extend(Problem(where, doubt) for doubt in decision.doubts)
    if decision.error:
        frozen = f"it goes to no member: {decision.error}"
        made.warnings.append(Problem(where, frozen, "copies that are there stay as they are"))
        made.spreads[what] = Spread({}, decision.stopped, policy.title, frozen)
        return
    targets = {
        name: Target(policy, (chosen.why, *decision.why[name]), count)
        for name, count in decision.replicas.items()
    }
    made.spreads[what] = Spread(targets, decision.stopped, policy.title)


def _accompany(made: Found, templates: Mapping[item.Ref, item.Item]) -> None:
    for what, spread in list(made.spreads.items()):
        wanting = {name: each for name, each in spread.targets.items() if each.policy.dependencies}
        if not wanting:
            continue
        for other in _needed(templates[what], templates):
            joined = made.spreads.get(other) or Spread({}, {}, spread.policy)
            for name, each in wanting.items():
                target = Target(each.policy, (f"{what} needs it (propagateDeps of {each.policy.title})",))
                joined.targets.setdefault(name, target)
                joined.stopped.pop(name, None)
            made.spreads[other] = joined


def _needed(each: item.Item, templates: Mapping[item.Ref, item.Item]) -> Iterable[item.Ref]:
    for one in companions.of(each):
        group = one.api_version.rpartition("/")[0]
        if one.name:
            what = item.Ref(group, one.kind, one.namespace, one.name)
            yield from (what,) if what in templates else ()
            continue
        for what, other in templates.items():
            same = (what.group, what.kind, what.namespace) == (group, one.kind, one.namespace)
            if same and matching.labelled(item.labels(other), one.requirements):
                yield what


def _idle(templates: Mapping[item.Ref, item.Item], policies: Sequence[Propagation]) -> list[Problem]:
    """Selectors that select nothing."""
    found = []
    for policy in policies:
        for selector in policy.resources:
            within = [
                each
                for what, each in templates.items()
                if not policy.namespace or policy.namespace == what.namespace
            ]
            if any(matching.rank(each, selector) for each in within):
                continue
            named = selector.name or ("those labels" if selector.labels else "any name")
            what = f"its selector of {selector.kind} {named} ({selector.api_version}) matches nothing"
            found.append(Problem(policy.title, what, _meant(selector.kind, selector.api_version, templates)))
    return found


def _meant(kind: str, version: str, templates: Mapping[item.Ref, item.Item]) -> str:
    kinds = {what.kind for what in templates}
    versions = {each.get("apiVersion") for what, each in templates.items() if what.kind == kind}
    if versions and version not in versions:
        return f"there, {kind} is of apiVersion {', '.join(sorted(map(str, versions)))}"
    near = difflib.get_close_matches(kind.lower(), [each.lower() for each in kinds], 1) if kinds else []
    meant = [each for each in kinds if near and each.lower() == near[0] and each != kind]
    return f"did you mean {meant[0]}?" if meant else ""


def unknown(policy: Propagation | Override, known: set[str]) -> list[Problem]:
    """Members that a policy names and that do not exist."""
    found = []
    for name in dict.fromkeys(name for each in _clusters(policy) for name in (*each.names, *each.exclude)):
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(sorted(known)) or 'none'}"
            found.append(Problem(policy.title, f"there is no member {name}", hint))
    return found


def _clusters(policy: Propagation | Override) -> Iterable[Clusters]:
    if isinstance(policy, Override):
        return [rule.clusters for rule in policy.rules]
    groups = [each.clusters for each in policy.placement.affinities]
    division = policy.placement.division
    weights = [each.clusters for each in division.weights] if division else []
    return [*groups, *weights, Clusters(names=policy.suspended or ())]
