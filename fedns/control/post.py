"""What one member is to have of the fleet's objects, and who brings it there.

Law: a copy waits for its namespace and for the definition of its kind; what others are in goes after them.
A namespace that goes along is made where there is none, and else used as it is.
More than half of the copies gone at once waits for somebody's word.
"""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any

from msgspec import structs

from fedns import logs
from fedns.control import outpost, parting
from fedns.distribute import docket, guard, holding, relics, rights, scalers, spaces, warrant, writer
from fedns.errors import Problem
from fedns.kube import backoff
from fedns.kube.failure import ApiError, Failure
from fedns.model import facts
from fedns.placement import assignment, fate, homes, item, marks, pod

HINT = holding.HINT
PACE = docket.Pace(hold=1.0)
LOOK = 0.2
"""Seconds for which what is held back is not looked at again, but for what else is to go by then."""
RATE = writer.Pace(settle=0.1, look=0.2, rate=25.0)
NAMESPACES, DEFINITIONS = ("", "Namespace"), ("apiextensions.k8s.io", "CustomResourceDefinition")
SEEK = backoff.Bounds(first=2.0, most=60.0)
FIRST = (NAMESPACES, DEFINITIONS)
"""What others need, in this order."""

Kind = assignment.Kind
Looked = tuple[float, frozenset[item.Ref], frozenset[item.Ref]]
"""When (monotonic), what was to go, and what of it waits for a word."""
log = logging.getLogger("fedns.control.post")


class Post:
    """One member's. `held`: the fleet's Lease; None: it has one of its own there."""

    def __init__(
        self,
        parts: outpost.Parts,
        member: str,
        held: writer.Held | None,
        look: parting.Look | None = None,
    ) -> None:
        self.member, self.outpost = member, outpost.Outpost(parts, member, held, rights.COPIES)
        self.news: Callable[[item.Ref], None] = lambda _: None
        """Told of copies that may stand otherwise."""
        self.moves = 1
        """Grows with whatever may stand otherwise."""
        self._copies: dict[item.Ref, assignment.Copy] = {}
        self._numbers: Counter[Kind] = Counter()
        """How many of each kind there are to be."""
        self._unsure: set[item.Ref] = set()
        """Those that may stand otherwise than people were told."""
        self._assigned: assignment.Assignment | None = None
        self._number = -1
        self._versions: dict[Kind, str] = {}
        self._looked: Looked = (0.0, frozenset(), frozenset())
        self._holdings: dict[Kind, holding.Holding] = {}
        self._guard: guard.Guard[item.Ref] = guard.Guard()
        self._parting = parting.Parting(look, parts.config.fleet.farewell)
        self._spaces = spaces.Spaces(self._spaced, HINT)
        self._scalers = scalers.Scalers(lambda what: self._touch((what,)), HINT)
        self._shelves: list[writer.Shelf] = [self._spaces]
        self._needed, self._away = asyncio.Event(), False
        self._attended: tuple[str, ...] = ()
        """What kept all copies, or those of a kind, from being written at the last look."""
        self.relics: relics.Relics | None = None
        """What is there of before; None: it is not known yet."""
        self._blind = ""
        self.writer = writer.Writer(self.outpost.api, self.outpost.lease, self._shelves, RATE)

    async def run(self) -> None:
        """Until cancelled. A member that is to have nothing is asked nothing but what it lets us do, and
        grants nothing."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._seek())
            group.create_task(self._bring())

    async def _seek(self) -> None:
        """Finds the kinds of which there are copies already, once."""
        again = backoff.Backoff(SEEK)
        while self.relics is None:
            away = LOOK
            if self.outpost.asked:
                try:
                    self.relics = await relics.held(self.outpost.api)
                except Failure as failure:
                    self._blind = f"{failure}" if isinstance(failure, ApiError) else self._blind
                    away = again.failed(time.monotonic(), failure.retry_after)
            await asyncio.sleep(away)
        self._blind = ""
        told = logs.fields(member=self.member, kinds=sorted(self.relics.kinds), unseen=self.relics.unseen)
        log.info("copies are there already of these kinds", extra=told)

    async def _bring(self) -> None:
        try:
            await self._needed.wait()
        except asyncio.CancelledError:
            await self.outpost.api.close()
            raise
        await self.outpost.run(self.writer)

    def remember(self, kinds: Iterable[tuple[str, str]]) -> None:
        """Kinds of which there may be copies from before."""
        named = {(version.rpartition("/")[0], kind): version for version, kind in kinds}
        if named.keys() - self._versions.keys():
            self._versions = {**named, **self._versions}
            self._stock()
            self.moves += 1

    def kinds(self) -> set[tuple[str, str]]:
        """Kinds (apiVersion and kind) of which it has, or may have, copies."""
        return {
            (version, kind[1])
            for kind, version in self._versions.items()
            if self._numbers[kind] or not self._holdings[kind].synced or self._holdings[kind].there
        }

    def counts(self, among: Iterable[item.Ref] | None = None) -> dict[item.Ref, int | None]:
        """The copies (`among` these) that are there, and their replicas."""
        if among is None:
            rows = (one.there.items() for one in self._holdings.values())
            return {what: there.replicas for found in rows for what, there in found}
        tables = {kind: one.there for kind, one in self._holdings.items()}
        found = ((what, tables.get((what.group, what.kind), {}).get(what)) for what in among)
        return {what: there.replicas for what, there in found if there is not None}

    def taking(self, told: assignment.Assignment, number: int) -> Iterator[None]:
        """Takes up, object by object, what it is to have by the assignment of that number. Who has taken the
        one before looks only at what changed since."""
        if number == self._number:
            return
        changed = told.changed if number == self._number + 1 else None
        fresh: dict[item.Ref, assignment.Copy | None] = {}
        for what in told.refs() if changed is None else changed:
            fresh[what] = told.copy(what, self.member)
            yield
        touched = {*self._copies, *self.counts(), *fresh} if changed is None else {*fresh}
        for what in touched:
            self._put(what, fresh.get(what))
        self._assigned, self._number = told, number
        self._touch(touched)
        self.moves += 1
        self.writer.news.set()

    @property
    def mark(self) -> tuple[object, ...]:
        """Another one where anything may stand otherwise."""
        return self.outpost.lease.lacks, self.outpost.refused, self._blind, self.moves, self.writer.stirs

    @property
    def doubted(self) -> bool:
        """Whether time alone may change how copies stand."""
        return self._parting.busy or any(one.doubted for one in self._holdings.values())

    def attend(self) -> None:
        """Takes note of what keeps many copies from being written, or does no more: people are told."""
        now = (self.outpost.lease.lacks, *(one.off for one in self._holdings.values()))
        if now != self._attended:
            self._attended, self.moves = now, self.moves + 1
            self._unsure.update(self._copies)

    def _put(self, what: item.Ref, copy: assignment.Copy | None) -> None:
        """It is to have this one, or none."""
        before = self._copies.pop(what, None)
        if copy is not None:
            self._copies[what] = copy
        self._numbers[(what.group, what.kind)] += (copy is not None) - (before is not None)

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
            self._unsure.update(found)
            if kind in self._holdings:
                self._holdings[kind].touch(found)

    def problems(self) -> Iterator[Problem]:
        for each in (*self.outpost.problems(HINT), *self.writer.problems()):
            named = each.where.replace(str(self.outpost.where), f"member {self.member}", 1)
            yield structs.replace(each, where=named)
        if self._blind:
            what = f"whether it has copies of kinds that no policy names is not known: {self._blind}"
            yield Problem(f"member {self.member}", what, "it is asked again")
        held = self._held()
        if held:
            what = f"{len(held)} of the {self._ours()} copies here are to go, and wait for a word"
            yield Problem(f"member {self.member}", what, "`fedns plan --yes-really` gives it")
        for each in self._parting.problems():
            yield structs.replace(each, where=f"member {self.member}: {each.where}")

    @property
    def count(self) -> int:
        """How many copies there are."""
        return sum(len(one.there) for one in self._holdings.values())

    def rows(self) -> Iterator[holding.Row]:
        for one in self._holdings.values():
            yield from one.rows()

    def row(self, what: item.Ref) -> holding.Row | None:
        """How one stands; None: none is there, nor is to be."""
        one = self._holdings.get((what.group, what.kind))
        return None if one is None else one.row(what)

    @property
    def righted(self) -> int:
        """Copies that somebody changed and that were put right."""
        return sum(one.righted for one in self._holdings.values())

    def stirred(self) -> Collection[item.Ref]:
        """Those that may stand otherwise than when this was asked last."""
        found, self._unsure = self._unsure, set()
        return found

    def allow(self) -> int:
        """What waits to be removed may go; how many."""
        _, _, held = self._look()
        self._guard.allow(held)
        self._looked = self._look()
        self.writer.news.set()
        return len(held) + self._parting.allow()

    def part(self) -> None:
        """Looks whether clients have left what is to go."""
        if self._assigned is None or not all(one.settled for one in self._holdings.values()):
            return
        services, first = self._holdings.get(parting.SERVICE), not self._parting.looked
        _, gone, held = self._looked = self._look()
        moved = self._parting.look(gone - held, self)
        if first and services is not None:  # some may say what nobody remembers
            moved |= {what for what, there in services.there.items() if there.told.parting}
        if moved:
            self._touch(moved)
            self.moves += 1
            self.writer.news.set()

    # what holdings ask

    def status(self, what: item.Ref) -> Any:
        """What it says of a copy; None: nothing."""
        one = self._holdings.get((what.group, what.kind))
        there, copy = None if one is None else one.there.get(what), self._copies.get(what)
        if there is None or there.status is None or copy is None:
            return None
        settled = there.settled.startswith(copy.digest) if copy.digest else False
        return {**there.status, "resourceTemplateGeneration": copy.generation if settled else 0}

    def heard(self, what: item.Ref | None = None) -> bool:
        """Whether it is known what the member says of a copy (of all of which statuses are told)."""
        told = (one for one in self._holdings.values() if one.subject.told)
        return all(one.settled for one in told if what is None or one.has(what))

    def refs(self) -> Iterable[item.Ref]:
        return [what for what in self._copies if self.copy(what) is not None]

    def copy(self, what: item.Ref) -> assignment.Copy | None:
        copy = self._copies.get(what)
        if copy is not None and copy.along and what.name in self._spaces:
            return copy if self._has(what) else None  # it is not ours, and used as it is
        return copy

    def _has(self, what: item.Ref) -> bool:
        """Whether a copy is there."""
        one = self._holdings.get((what.group, what.kind))
        return one is not None and what in one.there

    def fate(self, what: item.Ref, told: marks.Told) -> fate.Fate:
        if self._assigned is None:
            return fate.Fate("refuse", ("nobody has said yet what is to be here",))
        return self._assigned.fate(what, told, self.member)

    def scaled(self, what: item.Ref) -> bool:
        return what in self._scalers

    def waits(self, what: item.Ref, goes: bool) -> str:
        if goes:
            return self._stays(what)
        if self.outpost.lease.lacks:
            return self.outpost.lease.lacks
        if what.namespace and self._spaces.known and what.namespace not in self._spaces:
            return f"there is no namespace {what.namespace} here"
        if not self._spaces.known:
            return "namespaces are not known yet"
        scaling = (what.group, what.kind) in pod.REPLICAS and not self._scalers.known
        return "autoscalers are not known yet" if scaling else ""

    def moved(self, what: item.Ref) -> None:
        self.moves += 1
        self._unsure.add(what)
        self.news(what)
        if (what.group, what.kind) in FIRST:
            for one in self._holdings.values():
                one.hurry()

    def reach(self, verdict: facts.Api) -> None:
        """Whether its API server answers, as is found out beside what is written to it."""
        before, self._away = self._away, verdict == "unreachable"
        if before and verdict == "reachable":
            self.healed()

    def healed(self) -> None:
        for one in self._holdings.values():
            one.hurry()
        self.writer.news.set()

    def removed(self, what: item.Ref) -> None:
        self._guard.removed(what, time.monotonic())

    def _stays(self, what: item.Ref) -> str:
        """Why an object is not removed yet."""
        if not all(one.settled for one in self._holdings.values()):
            return "not all copies here are known"
        if what in self._held(what):
            return "more than half of the copies here would go: waits for a word"
        if (what.group, what.kind) == NAMESPACES and any(
            each.namespace == what.name for each in self.counts()
        ):
            return "there are copies in it"
        return self._parting.stays(what, self.spreads(what))

    # what is asked of who leaves first

    def parts(self, what: item.Ref) -> str:
        return self._parting.said.get(what, "") if self._parting.looked else self.says(what)

    def spreads(self, what: item.Ref) -> bool:
        return self._assigned is not None and bool(self._assigned.goes(what))

    def template(self, what: item.Ref) -> item.Item | None:
        return None if self._assigned is None else self._assigned.fleet.templates.get(what)

    def services(self, spaces: Iterable[str]) -> Iterable[item.Ref]:
        near = frozenset(spaces)
        found = (what for what in self._copies if near and what[:2] == parting.SERVICE)
        return [what for what in found if what.namespace in near and self._has(what)]

    def wanted(self, what: item.Ref) -> Mapping[str, Any]:
        copy = self._copies.get(what)
        return {} if copy is None else copy.item

    def says(self, what: item.Ref) -> str:
        one = self._holdings.get(parting.SERVICE)
        there = None if one is None else one.there.get(what)
        return "" if there is None else there.told.parting

    def _held(self, what: item.Ref | None = None) -> frozenset[item.Ref]:
        """What waits to be removed; looked at once in a while, and for one that was not to go then."""
        one = None if what is None or what in self._looked[1] else self._holdings.get((what.group, what.kind))
        if (one is not None and one.doubts(what)) or time.monotonic() - self._looked[0] > LOOK:
            self._looked = self._look()
        return self._looked[2]

    def _look(self) -> Looked:
        now, gone = time.monotonic(), self._gone()
        holds = bool(gone) and self._guard.holds(self._ours(), gone, now)
        return now, gone, gone if holds else frozenset()

    def _gone(self) -> frozenset[item.Ref]:
        """Copies that are to be removed."""
        return frozenset[item.Ref]().union(*(one.gone() for one in self._holdings.values() if one.doubted))

    def _ours(self) -> int:
        """How many copies there are that somebody asked for."""
        spaces = self._holdings.get(NAMESPACES)
        along = sum(homes.made(one.told.policy) for one in spaces.there.values()) if spaces else 0
        return self.count - along

    def _stock(self) -> None:
        """Holdings for the kinds there are, in their order."""
        for kind in sorted(self._versions.keys() - self._holdings.keys()):
            subject = holding.Subject(self._versions[kind], kind[1], kind in warrant.TOLD)
            self._holdings[kind] = holding.Holding(subject, self, PACE)
        if self._holdings:
            self._needed.set()
        order = sorted(self._holdings, key=lambda kind: (FIRST.index(kind) if kind in FIRST else 9, kind))
        scaling = [self._scalers] if any(kind in pod.REPLICAS for kind in order) else []
        self._shelves[:] = [self._spaces, *scaling, *(self._holdings[kind] for kind in order)]

    def _spaced(self, space: str) -> None:
        """A namespace came or went."""
        found = [what for what in self._copies if space in (what.namespace, what.name)]
        self._touch(found)
        for one in self._holdings.values():
            one.hurry([what for what in found if one.has(what)])
