"""Which overrides an object has, and which of their rules are for which member: asked for every copy.

Law: pure. Objects with the same overrides have one ruling, so that members are looked at once for all.
"""

from collections.abc import Collection, Generator, Mapping, Sequence

from fedns.errors import Problem
from fedns.model.propagation import Override
from fedns.placement import chart, choice, item, matching, targets


class Ruling:
    """`overrides` in the order in which they are applied. `stopped`: why none of it is to be touched."""

    def __init__(self, overrides: tuple[Override, ...], stopped: str) -> None:
        self.overrides, self.stopped = overrides, stopped
        self._rules: dict[str, tuple[tuple[int, int], ...]] = {}

    def rules(self, member: matching.Member) -> tuple[tuple[int, int], ...]:
        """Those for a member: which policy's, and which of its."""
        found = self._rules.get(member.name)
        if found is None:
            found = self._rules[member.name] = tuple(
                (first, second)
                for first, each in enumerate(self.overrides)
                for second, rule in enumerate(each.rules)
                if matching.selects(member, rule.clusters)
            )
        return found


class Rulings:
    """Of one state of overrides and members."""

    def __init__(self, overrides: Sequence[Override], members: Sequence[matching.Member]) -> None:
        known = {name for each in members for name in each.names}
        self._overrides = sorted(overrides, key=lambda each: each.title)
        self._doubtful = {id(each): targets.strangers(each, known) for each in self._overrides}
        wrong = [targets.unknown(each, known) for each in self._overrides]
        self.problems: tuple[Problem, ...] = tuple(one for rows in wrong for one in rows)
        self._able: dict[tuple[str, str], list[Override]] = {}
        """By kind: those that may concern it."""
        self._rulings: dict[tuple[int, ...], Ruling] = {}
        self._known: dict[item.Ref, Ruling] = {}

    def of(self, what: item.Ref, template: item.Item) -> Ruling:
        found = self._known.get(what)
        if found is None:
            found = self._known[what] = self._found(template)
        return found

    def follow(
        self, before: "Rulings", templates: Mapping[item.Ref, item.Item]
    ) -> Generator[None, None, set[item.Ref]]:
        """The objects for which something else is said than before, found object by object."""
        changed = chart.differing(before._overrides, self._overrides)
        if not changed and len(before._overrides) == len(self._overrides):
            self._overrides, self._doubtful = before._overrides, before._doubtful
            self._able, self._rulings = before._able, before._rulings
        found = set()
        for what, each in templates.items() if changed else ():
            if choice.overrides(each, changed):
                found.add(what)
            yield
        return found

    def keep(self, before: "Rulings", changed: Collection[item.Ref]) -> None:
        """What was known of all others is known."""
        self._known = {what: each for what, each in before._known.items() if what not in changed}

    def _found(self, template: item.Item) -> Ruling:
        kind = (str(template.get("apiVersion")), str(template.get("kind")))
        if kind not in self._able:
            self._able[kind] = [each for each in self._overrides if _concerns(each, kind)]
        found = tuple(choice.overrides(template, self._able[kind]))
        key = tuple(map(id, found))
        if key not in self._rulings:
            named = (targets.misnamed(each, self._doubtful[id(each)]) for each in found)
            self._rulings[key] = Ruling(found, next(filter(None, named), ""))
        return self._rulings[key]


def _concerns(each: Override, kind: tuple[str, str]) -> bool:
    return not each.resources or any((one.api_version, one.kind) == kind for one in each.resources)
