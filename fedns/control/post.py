"""What one member is to have of the fleet's objects, and who brings it there.

Law: a copy waits for its namespace and for the definition of its kind; what others are in goes after them.
More than half of the copies gone at once waits for somebody's word.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from fedns.control import outpost
from fedns.distribute import docket, guard, holding, rights, scalers, spaces, warrant, writer
from fedns.errors import Problem
from fedns.placement import assignment, fate, item, marks, pod

HINT = holding.HINT
PACE = docket.Pace(hold=1.0)
LOOK = 0.2
"""Seconds for which what is held back is not looked at again; never longer than news settle."""
RATE = writer.Pace(settle=0.1, look=0.2, rate=25.0)
NAMESPACES, DEFINITIONS = ("", "Namespace"), ("apiextensions.k8s.io", "CustomResourceDefinition")
FIRST = (NAMESPACES, DEFINITIONS)
"""What others need, in this order."""

Kind = assignment.Kind


class Post:
    """One member's. `held`: the fleet's Lease; None: it has one of its own there."""

    def __init__(self, parts: outpost.Parts, member: str, held: writer.Held | None) -> None:
        self.member, self.outpost = member, outpost.Outpost(parts, member, held, rights.COPIES)
        self.news: Callable[[item.Ref], None] = _nobody
        """Told of copies that may stand otherwise."""
        self.moves = 1
        """Grows with whatever may stand otherwise."""
        self._copies: dict[item.Ref, assignment.Copy] = {}
        self._assigned: assignment.Assignment | None = None
        self._versions: dict[Kind, str] = {}
        self._looked: tuple[float, frozenset[item.Ref]] = (0.0, frozenset())
        self._holdings: dict[Kind, holding.Holding] = {}
        self._guard: guard.Guard[item.Ref] = guard.Guard()
        self._spaces = spaces.Spaces(self._spaced, HINT)
        self._scalers = scalers.Scalers(self._scaled, HINT)
        self._shelves: list[writer.Shelf] = [self._spaces]
        self.writer = writer.Writer(self.outpost.api, self.outpost.lease, self._shelves, RATE)

    async def run(self) -> None:
        await self.outpost.run(self.writer)

    def remember(self, kinds: Iterable[tuple[str, str]]) -> None:
        """Kinds of which there may be copies from before."""
        for version, kind in kinds:
            self._versions.setdefault((version.rpartition("/")[0], kind), version)

    def kinds(self) -> set[tuple[str, str]]:
        """Kinds (apiVersion and kind) of which it has, or may have, copies."""
        wanted = {(what.group, what.kind) for what in self._copies}
        return {
            (version, kind[1])
            for kind, version in self._versions.items()
            if kind in wanted or not self._holdings[kind].synced or self._holdings[kind].there
        }

    def counts(self) -> dict[item.Ref, int | None]:
        """The copies that are there, and their replicas."""
        return {what: there.replicas for one in self._holdings.values() for what, there in one.there.items()}

    def assign(self, told: assignment.Assignment) -> None:
        """It is to have what this says by now."""
        if told.changed is None or self._assigned is None:
            touched = {*self._copies, *self.counts()}
            self._copies = told.copies(self.member)
            touched |= self._copies.keys()
        else:
            touched = set(told.changed)
            self._copies = {what: one for what, one in self._copies.items() if what not in touched}
            found = ((what, told.copy(what, self.member)) for what in touched)
            self._copies |= {what: one for what, one in found if one is not None}
        self._assigned = told
        self._touch(touched)
        self.moves += 1
        self.writer.news.set()

    def _touch(self, objects: Iterable[item.Ref]) -> None:
        """Something else may be wanted of these."""
        rows: dict[Kind, list[item.Ref]] = {}
        for what in objects:
            rows.setdefault((what.group, what.kind), []).append(what)
            copy = self._copies.get(what)
            if copy is not None and copy.digest:
                self._versions[(what.group, what.kind)] = str(copy.item.get("apiVersion"))
        self._stock()
        for kind, found in rows.items():
            if kind in self._holdings:
                self._holdings[kind].touch(found)

    def problems(self) -> Iterator[Problem]:
        yield from self.outpost.problems(HINT)
        yield from self.writer.problems()
        held = self._held()
        if held:
            what = f"{len(held)} of the {self._ours()} copies here are to go, and wait for a word"
            yield Problem(f"member {self.member}", what, "`fedns plan --yes-really` gives it")

    def rows(self) -> Iterator[holding.Row]:
        for one in self._holdings.values():
            yield from one.rows()

    def allow(self) -> int:
        """What waits to be removed may go; how many."""
        held = self._look()
        self._guard.allow(held)
        self._looked = (0.0, frozenset())
        self.writer.news.set()
        return len(held)

    # what holdings ask

    def status(self, what: item.Ref) -> Any:
        """What it says of a copy; None: nothing."""
        one = self._holdings.get((what.group, what.kind))
        there, copy = None if one is None else one.there.get(what), self._copies.get(what)
        if there is None or there.status is None or copy is None:
            return None
        settled = there.settled.startswith(copy.digest) if copy.digest else False
        return {**there.status, "resourceTemplateGeneration": copy.generation if settled else 0}

    def refs(self) -> Iterable[item.Ref]:
        return self._copies.keys()

    def copy(self, what: item.Ref) -> assignment.Copy | None:
        return self._copies.get(what)

    def fate(self, what: item.Ref, told: marks.Told) -> fate.Fate:
        if self._assigned is None:
            return fate.Fate("refuse", ("nobody has said yet what is to be here",))
        return self._assigned.fate(what, told, self.member)

    def scaled(self, what: item.Ref) -> bool:
        return what in self._scalers

    def waits(self, what: item.Ref, goes: bool) -> str:
        if goes:
            return self._stays(what)
        if what.namespace and self._spaces.known and what.namespace not in self._spaces:
            return f"there is no namespace {what.namespace} here"
        if not self._spaces.known:
            return "namespaces are not known yet"
        scaling = (what.group, what.kind) in pod.REPLICAS and not self._scalers.known
        return "autoscalers are not known yet" if scaling else ""

    def moved(self, what: item.Ref) -> None:
        self.moves += 1
        self.news(what)
        if (what.group, what.kind) in FIRST:
            for one in self._holdings.values():
                one.hurry()

    def removed(self, what: item.Ref) -> None:
        self._guard.removed(what, time.monotonic())

    def _stays(self, what: item.Ref) -> str:
        """Why an object is not removed yet."""
        if not all(one.settled for one in self._holdings.values()):
            return "not all copies here are known"
        if what in self._held():
            return "more than half of the copies here would go: waits for a word"
        if (what.group, what.kind) == NAMESPACES and any(
            each.namespace == what.name for each in self.counts()
        ):
            return "there are copies in it"
        return ""

    def _held(self) -> frozenset[item.Ref]:
        """What waits to be removed; looked at once in a while."""
        now = time.monotonic()
        if now - self._looked[0] > LOOK:
            self._looked = now, self._look()
        return self._looked[1]

    def _look(self) -> frozenset[item.Ref]:
        gone = frozenset(what for one in self._holdings.values() for what in one.gone())
        holds = self._guard.holds(self._ours(), gone, time.monotonic())
        return gone if holds else frozenset()

    def _ours(self) -> int:
        """How many copies there are."""
        return sum(len(one.there) for one in self._holdings.values())

    def _stock(self) -> None:
        """Holdings for the kinds there are, in their order."""
        for kind in self._versions.keys() - self._holdings.keys():
            subject = holding.Subject(self._versions[kind], kind[1], kind in warrant.TOLD)
            self._holdings[kind] = holding.Holding(subject, self, PACE)
        order = sorted(self._holdings, key=lambda kind: (FIRST.index(kind) if kind in FIRST else 9, kind))
        scaling: tuple[writer.Shelf, ...] = (
            (self._scalers,) if any(kind in pod.REPLICAS for kind in order) else ()
        )
        self._shelves[:] = [self._spaces, *scaling, *(self._holdings[kind] for kind in order)]

    def _spaced(self, space: str) -> None:
        """A namespace came or went."""
        for one in self._holdings.values():
            one.touch(what for what in self._copies if what.namespace == space and one.has(what))

    def _scaled(self, what: item.Ref) -> None:
        one = self._holdings.get((what.group, what.kind))
        if one is not None:
            one.touch((what,))


def _nobody(what: item.Ref) -> None:
    """Nobody wants to know."""
