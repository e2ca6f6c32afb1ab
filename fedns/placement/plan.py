"""What has to be done in every member so that it has what the fleet's policies say: the plan.

Law: pure. The same objects, policies and members give the same plan, in whichever order they come. Nothing is
planned from what is not known: a member that tells nothing, or not all, loses nothing.
"""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from fedns.errors import Problem
from fedns.model.propagation import Override, Propagation
from fedns.placement import (
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
    room,
    rulings,
    schedule,
    targets,
)


class Cluster(Struct, frozen=True):
    """A member and what it has; `items` None: it tells nothing. `whole`: what is not in them is not there.
    `missing`: kinds (apiVersion and kind) that it does not serve."""

    member: matching.Member
    items: Mapping[item.Ref, item.Item] | None = None
    whole: bool = True
    missing: frozenset[tuple[str, str]] = frozenset()


Kind = tuple[str, str]
"""Group and kind."""


class World(Struct, frozen=True):
    """All that a plan is made of. `whole`: what is not told is not in the fleet; it was asked for `kinds`
    (None: for all), and copies of other kinds are not looked at."""

    templates: Sequence[item.Item] = ()
    policies: Sequence[Propagation] = ()
    overrides: Sequence[Override] = ()
    clusters: Sequence[Cluster] = ()
    whole: bool = True
    kinds: frozenset[Kind] | None = None


class Step(Struct, frozen=True):
    """One object in one member: as it is (None: it is not there) and as it will be. `sent` is applied for
    that, with `force` from whoever else has it; of what is kept, `stands` says all that we have a say in."""

    member: str
    ref: item.Ref
    action: copies.Action
    policy: str
    why: tuple[str, ...]
    before: item.Item | None = None
    after: item.Item | None = None
    sent: item.Item | None = None
    force: bool = False
    stands: item.Item | None = None


class Absence(Struct, frozen=True):
    """An object that does not go to a member (empty: to none), and the first condition that stopped it."""

    member: str
    ref: item.Ref
    policy: str
    why: str


class Loss(Struct, frozen=True):
    """How many of our objects in a member the plan removes."""

    member: str
    gone: int
    ours: int

    @property
    def dangerous(self) -> bool:
        return 2 * self.gone > self.ours


class Plan(Struct, frozen=True):
    steps: tuple[Step, ...] = ()
    absences: tuple[Absence, ...] = ()
    losses: tuple[Loss, ...] = ()
    warnings: tuple[Problem, ...] = ()
    errors: tuple[Problem, ...] = ()

    @property
    def dangers(self) -> tuple[Loss, ...]:
        """The members that would lose more than half of what we have there."""
        return tuple(each for each in self.losses if each.dangerous)

    @property
    def work(self) -> tuple[Step, ...]:
        """The steps that change something."""
        return tuple(each for each in self.steps if each.action not in ("keep", "refuse"))


STOPS = "correct the policy; other objects and members go on"
REPLICAS = "if that is not meant, take the replicas out of the override"
USED = "it is there already, and is used as it is"
UNREAD = "not all of the fleet can be read: it may be there"
FIRST = {("", "Namespace"): 0, ("apiextensions.k8s.io", "CustomResourceDefinition"): 1}
"""What other objects need to be there before them; removed last."""


def made(world: World) -> Plan:
    """The plan."""
    templates = {item.ref(each): each for each in sorted(world.templates, key=_named)}
    clusters = sorted(world.clusters, key=lambda each: each.member.name)
    members = [each.member for each in clusters]
    nodes = {each.member.name: room.free(_room(each)) for each in clusters}
    loads = {what: _load(each, clusters, nodes) for what, each in templates.items()}
    written = [each for each in world.policies if not each.builtin]
    policies = choice.awaited(defaults.sure(_sorted(world.policies), world.whole), world.overrides)
    found = targets.found(templates, policies, members, loads)
    housed = homes.found(found.spreads, policies, templates, members)
    found.spreads.update(housed)
    templates |= {what: homes.bare(what.name) for what in housed if what not in templates}
    told = rulings.Rulings(world.overrides, members)
    errors = [*found.errors, *told.problems]
    warnings = [
        *found.warnings,
        *_idle(world.overrides, templates.values()),
        *_twice([*world.policies, *world.overrides]),
        *_paused(world),
    ]
    making = _Making(world, templates, found.spreads, told)
    for cluster in clusters:
        making.cluster(cluster)
    absences = [*_absent(found.spreads), *_unselected(templates, found.spreads, written)]
    absences += making.used
    return Plan(
        tuple(sorted(making.steps, key=_order)),
        tuple(sorted(absences, key=lambda each: (each.ref, each.member))),
        tuple(making.losses),
        tuple(sorted({*warnings, *making.warnings})),
        tuple(sorted({*errors, *making.errors})),
    )


def _absent(spreads: Mapping[item.Ref, targets.Spread]) -> Iterator[Absence]:
    for what, spread in spreads.items():
        yield from (Absence(name, what, spread.policy, why) for name, why in spread.stopped.items())
        if spread.frozen and not spread.targets:
            yield Absence("", what, spread.policy, spread.frozen)


def _unselected(
    templates: Mapping[item.Ref, item.Item], selected: Container[item.Ref], policies: Sequence[Propagation]
) -> Iterator[Absence]:
    for what, each in templates.items():
        if what not in selected:
            yield Absence("", what, "", choice.missed(each, policies))


def _doubt(where: str, doubt: str, overrides: Iterable[Override], refused: bool) -> Problem:
    """About an object in a member; of the policy that it names. One that cannot be applied is wrong."""
    title, _, what = doubt.partition(": ")
    ours = any(each.title == title for each in overrides)
    if ours and refused:
        return Problem(f"{title}: {where}", what, STOPS)
    return Problem.warning(f"{title}: {where}", what, STOPS) if ours else Problem.warning(where, doubt)


def _sorted(policies: Iterable[Propagation]) -> list[Propagation]:
    """Each title once."""
    found = {each.title: each for each in sorted(policies, key=repr, reverse=True)}
    return [found[title] for title in sorted(found)]


def _twice(policies: Iterable[Propagation | Override]) -> Iterator[Problem]:
    titles = [each.title for each in policies]
    for title in sorted({each for each in titles if titles.count(each) > 1}):
        yield Problem.warning(
            title, "there is more than one of that name; one of them is used", "rename the others"
        )


def _paused(world: World) -> Iterator[Problem]:
    if not world.whole and defaults.SERVICES in world.policies:
        yield Problem.warning(defaults.SERVICES.title, "not all policies can be read, so it takes nothing")


def _named(each: item.Item) -> tuple[item.Ref, str]:
    return item.ref(each), str(each.get("apiVersion"))


def _room(cluster: Cluster) -> Iterator[item.Item]:
    """What tells how much room a member has."""
    return (each for what, each in (cluster.items or {}).items() if what[:2] in room.KINDS)


def _load(
    template: item.Item, clusters: Iterable[Cluster], nodes: Mapping[str, room.Nodes | None]
) -> schedule.Load:
    what = item.ref(template)
    there = {each.member.name: (each.items or {}).get(what) for each in clusters}
    replicas = {name: pod.replicas(each) or 0 for name, each in there.items() if each and marks.ours(each)}
    pods = {name: room.pods(template, each) for name, each in nodes.items() if each is not None}
    able = {name: count for name, count in pods.items() if count is not None}
    return schedule.Load(frozenset(name for name, each in there.items() if each), replicas, able)


def _idle(overrides: Iterable[Override], templates: Iterable[item.Item]) -> Iterator[Problem]:
    known = list(templates)
    for each in overrides:
        if not any(choice.overrides(template, (each,)) for template in known):
            yield Problem.warning(each.title, "it selects nothing", targets.NOTHING)


def _order(step: Step) -> tuple[str, bool, int, item.Ref]:
    """By member; deletions after all else, and in the opposite order."""
    early = FIRST.get(step.ref[:2], 9)
    gone = step.action == "delete"
    return step.member, gone, -early if gone else early, step.ref


def _lives(what: item.Ref, cluster: Cluster) -> bool:
    """Whether a namespace is there, and not ours: then it is used as it is."""
    items = cluster.items or {}
    there = items.get(what)
    if there is not None:
        return not marks.ours(there)
    return any(each.namespace == what.name for each in items)


class _Making:
    """The steps of all members, one after the other."""

    def __init__(
        self,
        world: World,
        templates: Mapping[item.Ref, item.Item],
        spreads: Mapping[item.Ref, targets.Spread],
        told: rulings.Rulings,
    ) -> None:
        self._world, self._templates, self._spreads, self._rulings = world, templates, spreads, told
        self._made: dict[item.Ref, dict[Any, copies.Ready]] = {}
        self._seen: dict[tuple[int, ...], bool] = {}
        self._totals: dict[item.Ref, dict[str, int]] = {}
        self._lonely = elsewhere.found(spreads, templates)
        self.steps: list[Step] = []
        self.used: list[Absence] = []
        self.warnings: list[Problem] = []
        self.errors: list[Problem] = []
        self.losses: list[Loss] = []

    def cluster(self, cluster: Cluster) -> None:
        name, before = cluster.member.name, len(self.steps)
        if cluster.items is None:
            self.warnings.append(
                Problem.warning(f"member {name}", "what it has is not known: nothing is planned")
            )
            return
        scaled = copies.scaled(cluster.items)
        for what, spread in self._spreads.items():
            target = spread.targets.get(name)
            if target is not None:
                self._put(cluster, what, target, what in scaled)
        kinds = self._world.kinds
        ours = {
            what: each
            for what, each in cluster.items.items()
            if marks.ours(each) and (kinds is None or what[:2] in kinds)
        }
        for what, there in ours.items():
            known = self._spreads.get(what)
            if known is None or name not in known.targets:
                self._leave(cluster, what, there, known)
        gone = sum(each.action == "delete" for each in self.steps[before:])
        had = sum(not homes.made(marks.policy(each)) for each in ours.values())
        self.losses.append(Loss(name, gone, had))

    def _put(self, cluster: Cluster, what: item.Ref, target: targets.Target, scaled: bool) -> None:
        name, there = cluster.member.name, (cluster.items or {}).get(what)
        title = target.policy.title
        if homes.along(target.policy) and _lives(what, cluster):
            self.used.append(Absence(name, what, title, USED))
            return
        stopped = self._stopped(what, target, cluster)
        if stopped:
            self.steps.append(Step(name, what, "refuse", title, (*target.why, stopped), there, there))
            return
        lonely = name in self._lonely.get(what, ())
        found = self._ready(what, cluster.member, target, lonely)
        made = copies.made(found, there, scaled, self._seen)
        where = f"{what} in {name}"
        if made.beaten:
            self.warnings.append(
                Problem.warning(f"{made.beaten.policy}: {where}", made.beaten.what, REPLICAS)
            )
        overrides = self._ruling(what).overrides
        for doubt in made.doubts:
            one = _doubt(where, doubt, overrides, made.action == "refuse")
            (self.errors if one.severity == "error" else self.warnings).append(one)
        after = there if made.action == "refuse" else made.after
        why = (*target.why, *((elsewhere.WHY,) if lonely else ()), *made.why)
        step = Step(
            name, what, made.action, title, why, there, after, made.sent, found.overwrite, made.stands
        )
        self.steps.append(step)

    def _ready(
        self, what: item.Ref, member: matching.Member, target: targets.Target, lonely: bool
    ) -> copies.Ready:
        """As many members get it."""
        ruling, policy = self._ruling(what), target.policy
        own = member.name if what.kind == "Job" else ""
        key = (target.replicas, policy.title, own, lonely, ruling.rules(member))
        made = self._made.setdefault(what, {})
        if key not in made:
            template = elsewhere.marked(self._templates[what]) if lonely else self._templates[what]
            wanted = copies.Wanted(template, policy, target.replicas, self._total(what))
            made[key] = copies.ready(wanted, member, ruling.overrides)
        return made[key]

    def _total(self, what: item.Ref) -> Mapping[str, int]:
        """The replicas of an object by member."""
        if what not in self._totals:
            targets = self._spreads[what].targets.items()
            self._totals[what] = {
                member: each.replicas for member, each in targets if each.replicas is not None
            }
        return self._totals[what]

    def _ruling(self, what: item.Ref) -> rulings.Ruling:
        return self._rulings.of(what, self._templates[what])

    def _stopped(self, what: item.Ref, target: targets.Target, cluster: Cluster) -> str:
        """Why an object is not touched in a member; empty: it may be."""
        if target.policy.suspends(cluster.member.names):
            return f"{target.policy.title} is suspended"
        if self._ruling(what).stopped:
            return self._ruling(what).stopped
        version = (str(self._templates[what].get("apiVersion")), what.kind)
        if version in cluster.missing:
            return f"the member does not serve {what.kind} ({version[0]})"
        if not cluster.whole and what not in (cluster.items or {}):
            return "not all that the member has can be read: it may be there"
        return ""

    def _leave(
        self, cluster: Cluster, what: item.Ref, there: item.Item, spread: targets.Spread | None
    ) -> None:
        """A copy that nobody wants there any more."""
        told, name = marks.told(there), cluster.member.name
        found = fate.of(what, told, self._templates, spread, name)
        if spread is None and not self._world.whole:
            found = fate.Fate("refuse", (UNREAD,))
        after = {"refuse": there, "orphan": marks.unmarked(there), "delete": None}[found.action]
        self.steps.append(Step(name, what, found.action, told.policy, found.why, there, after))
