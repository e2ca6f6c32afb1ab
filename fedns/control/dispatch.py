"""Who brings copies to the members: what the fleet has, assigned to them, and a post for each.

Law: as the scribe's, tasks whose troubles are problems, and nobody waits for them. Nothing is written without
the Lease, nor to a cluster that is not the one this name has always meant. Kinds of which a member had copies
are remembered, so that none is left behind because nobody looks for it any more.
"""

import asyncio
import gc
import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Protocol

import msgspec
from msgspec import structs

from fedns import beat, fleet, logs
from fedns.control import census, gists, outpost, parting, post, reports, vacancy
from fedns.distribute import holding, writer
from fedns.errors import Problem
from fedns.kube import client
from fedns.model import facts
from fedns.placement import assignment, item, matching, schedule, union
from fedns.sources import change, originals, templates

SOURCE = "distribution"
LOOK = 1.0
"""Seconds between two looks at who is a member; what the fleet has is heard at once."""
COUNT = 3
"""So many looks for a count of all, and for one at what is wrong."""
PART = 20
"""Objects of which all members are asked at a time what they have."""
SLICE = 0.005
"""Seconds after which everything else in this process has its turn."""
MOVED = 1000
"""So many copies stand otherwise until they are set apart from what is looked through for garbage."""
FILE = "distribution.json"
UNKEPT = "make it writable: after a restart, copies of kinds that no policy names any more would stay"

log = logging.getLogger("fedns.control.dispatch")
_kept = msgspec.json.Decoder(dict[str, list[tuple[str, str]]])


class Source(Protocol):
    """Where what the fleet has comes from."""

    def also(self, more: frozenset[originals.Kind]) -> None: ...

    async def run(self, publish: originals.Publish) -> None: ...


class Parts(outpost.Parts, Protocol):
    """What is needed of the control process."""

    @property
    def served(self) -> frozenset[str] | None:
        """Ingresses that the gateway serves; None: nobody knows yet."""


class Dispatch:
    """All of them. `held`: the fleet's Lease; None: each member has one of its own."""

    def __init__(
        self,
        parts: Parts,
        source: Source,
        held: writer.Held | None,
        fleet_api: client.Client | None = None,
    ) -> None:
        self._parts, self._source, self._held = parts, source, held
        self._path, self._unkept = os.path.join(parts.config.state, FILE), ""
        self._kinds = self._restored()
        self._relics: frozenset[originals.Kind] = frozenset()
        """Kinds of which members had copies already."""
        self._heard: frozenset[originals.Kind] | None = frozenset()
        """Those that the assignment knows of; None: all."""
        self._builtin = fleet.builtin(parts.config.fleet)
        self._told, self._news = originals.Originals(whole=False), asyncio.Event()
        self._members: tuple[matching.Member, ...] = ()
        self._loads: assignment.Loads = {}
        self._moved: set[item.Ref] = set()
        """Those of which members may have more, or less, than `_loads` says."""
        self._stale, self._number, self._frozen = False, 0, 0
        self.assignment = assignment.Assignment(assignment.Fleet(whole=False), (), {})
        self.posts: dict[str, post.Post] = {}
        self._vacancies: dict[str, vacancy.Vacancy] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._problems: tuple[Problem, ...] | None = None
        self._gists = gists.Gists()
        self._met: tuple[object, ...] = ()
        """All by which it was judged who is a member."""
        self._recalled: tuple[object, ...] = ()
        self._reports: reports.Reports | None = None
        if held is not None and fleet_api is not None:
            self._reports = reports.Reports(fleet_api, held, lambda: self.assignment, self._said)
            self._reports.served = self._fronted
        self.census = census.Census()
        self.left: parting.Look | None = None
        """Who knows how far clients have left what is to go; None: nobody does."""

    @property
    def outcomes(self) -> Mapping[tuple[str, ...], float]:
        """(member, outcome) -> writes."""
        posts = dict(self.posts)
        return {(name, how): n for name, one in posts.items() for how, n in one.writer.outcomes.items()}

    @property
    def righted(self) -> Mapping[tuple[str, ...], float]:
        """(member,) -> copies that were put right."""
        return {(name,): one.righted for name, one in dict(self.posts).items()}

    def reasons(self, means: Callable[[item.Ref], bool]) -> Iterator[census.Reason]:
        """Of every object that is meant, whether and why it is in each member, or not."""
        return self.census.reasons(self.assignment, self._places, means)

    def place(self, policy: str) -> str:
        """The file:line of a policy; empty: it is of an API server."""
        return self._told.places.get(policy, "")

    def rows(self) -> Iterator[tuple[str, holding.Row]]:
        """How each copy stands, by member."""
        for name, one in sorted(self._places.items()):
            yield from ((name, row) for row in one.rows())

    @property
    def _places(self) -> dict[str, census.Post]:
        """The members' posts, and those who have none."""
        found: dict[str, census.Post] = {}
        found.update(self._vacancies)
        found.update(self.posts)
        return found

    def allow(self, member: str) -> int:
        """What waits to be removed from a member may go; how many that are. KeyError: no such member."""
        return self.posts[member].allow()

    async def run(self, publish: change.Publish) -> None:
        """Until cancelled; the first bug ends all."""
        always, look = [asyncio.create_task(self._source.run(self._hear))], 0
        always.append(asyncio.create_task(self._deal()))
        if self._reports is not None:
            always.append(asyncio.create_task(self._reports.run()))
        self._source.also(self._known())
        try:
            while True:
                self._follow()
                await _patiently(self._part(self._gists.look(self.posts)))
                self._recall()
                for task in filter(asyncio.Task.done, (*always, *self._tasks.values())):
                    task.result()
                if look % COUNT == 0:
                    await _patiently(self._gists.asked(self.posts))
                    self._remember()
                    self._tell(publish)
                    await _patiently(self.census.looks(self._places, time.time()))
                self._keep()
                look += 1
                await beat.sleep(LOOK)
        finally:
            for task in always:
                task.cancel()
            for name in tuple(self.posts):
                self._end(name)
            await asyncio.gather(*always, return_exceptions=True)

    def _part(self, names: Iterable[str]) -> Iterator[None]:
        """Who leaves first, member by member."""
        for one in [self.posts[name] for name in names]:
            one.part()
            yield

    def _hear(self, told: originals.Originals) -> None:
        self._told, self._stale = told, True
        self._news.set()

    def _follow(self) -> None:
        """Takes up who is a member by now."""
        seen = outpost.seen(self._parts)
        if seen == self._met:
            return
        self._met = seen
        wanted = outpost.apart(self._parts.roster)
        for name in [name for name, one in self.posts.items() if wanted.get(name) != one.outpost.where]:
            self._end(name)
        for name in wanted.keys() - self.posts.keys():
            self._begin(name)
        for name, one in self.posts.items():
            if name in self._parts.known.members:
                one.reach(self._parts.known.members[name].api)
        members = tuple(sorted(self._seen(), key=lambda each: each.name))
        if members != self._members:
            self._stale, self._members = True, members
            self._news.set()
        self._vacancies = {
            name: self._vacant(name) for name in self._parts.roster.members.keys() - self.posts
        }

    def _vacant(self, name: str) -> vacancy.Vacancy:
        reached = fleet.where(self._parts.roster.members[name]) is not None
        made = self._vacancies.get(name)
        if made is None or made.reached != reached:
            made = vacancy.Vacancy(name, lambda: vacancy.Decided(self.assignment, self._number), reached)
        return made

    def _begin(self, name: str) -> None:
        log.info("copies are brought to a member", extra=logs.fields(member=name))
        made = post.Post(self._parts, name, self._held, self.left)
        made.remember(self._kinds.get(name, ()))
        made.news = self._moves
        self.posts[name], self._tasks[name] = made, asyncio.ensure_future(made.run())
        self._news.set()

    def _end(self, name: str) -> None:
        self._moved |= self.posts.pop(name).counts().keys()
        self._tasks.pop(name).cancel()

    def _seen(self) -> Iterator[matching.Member]:
        """The members as policies see them."""
        for name, told in self._parts.roster.members.items():
            says: facts.MemberFacts | None = self._parts.known.members.get(name)
            region, zones = (says.region, says.zones) if says is not None else ("", ())
            one = fleet.seen(told, outpost.home(self._parts, name))
            yield structs.replace(one, region=one.region or region, zones=one.zones or zones)

    def _moves(self, what: item.Ref) -> None:
        """A member has more of it, or less, or other."""
        self._moved.add(what)
        if self._reports is not None:
            self._reports.touch((what,))

    async def _deal(self) -> None:
        """Decides what the fleet has by now, and tells all posts; until cancelled."""
        while True:
            await self._news.wait()
            self._news.clear()
            if self._stale:
                self._stale = False
                await self._assign()
            for one in tuple(self.posts.values()):
                await _patiently(one.taking(self.assignment, self._number))
            self._recall()
            await _patiently(self._gists.asked(self.posts))
            self._remember()

    async def _assign(self) -> None:
        told = self._told
        said = assignment.Fleet(
            {item.ref(each): each for each in told.items},
            (*told.policies, *self._builtin),
            told.overrides,
            frozenset((version.rpartition("/")[0], kind) for version, kind in told.unheard),
            told.whole,
        )
        await _patiently(self._weigh())
        before = self.assignment if self._number else None
        made = assignment.Assignment(said, self._members, self._loads, before, at_once=False)
        await _patiently(made.steps())
        self.assignment, self._number, self._heard = made, self._number + 1, told.looked
        if self._reports is not None:
            self._reports.follow()

    def _weigh(self) -> Iterator[None]:
        """Takes up what members have; only what moved is looked at."""
        moved, self._moved = self._moved, set()
        fresh: dict[item.Ref, schedule.Load] = {}
        rows = iter(moved)
        while some := tuple(islice(rows, PART)):
            fresh.update(assignment.loads({name: one.counts(some) for name, one in self.posts.items()}))
            yield
        if moved:
            kept = {what: load for what, load in self._loads.items() if what not in moved}
            self._loads = {
                **kept,
                **{what: _same(self._loads.get(what), load) for what, load in fresh.items()},
            }

    def _said(self, what: item.Ref) -> Iterator[union.Told]:
        """What the members that get an object say of it."""
        for name in sorted(self.assignment.goes(what)):
            one = self.posts.get(name)
            heard = one is None or one.heard(what)
            yield union.Told(name, None if one is None else one.status(what), heard)

    def _fronted(self, name: str) -> bool:
        """Whether an Ingress is the gateway's, or may be."""
        served = self._parts.served
        return self._parts.config.gateway.serves and (served is None or name in served)

    def _restored(self) -> dict[str, list[originals.Kind]]:
        try:
            with open(self._path, "rb") as file:
                return _kept.decode(file.read())
        except (OSError, msgspec.MsgspecError):
            return {}

    def _known(self) -> frozenset[originals.Kind]:
        """Kinds of which there may be copies, whatever policies say."""
        asked = ((one.api_version, one.kind) for each in self._builtin for one in each.resources)
        return frozenset((*asked, *self._relics, *(kind for rows in self._kinds.values() for kind in rows)))

    def _remember(self) -> None:
        """Keeps on disk of which kinds members have copies; those of members that left stay."""
        found = {**self._kinds, **{name: one.kinds for name, one in self._gists.told.items()}}
        found = {name: kinds for name, kinds in found.items() if kinds}
        if found == self._kinds and not self._unkept:
            return
        self._kinds = found
        self._source.also(self._known())
        try:
            with open(f"{self._path}.new", "wb") as file:
                file.write(msgspec.json.encode(found))
            os.replace(f"{self._path}.new", self._path)
            self._unkept = ""
        except OSError as error:
            self._unkept = str(error)

    def _recall(self) -> None:
        """Takes up copies of before, of kinds that nobody names; not before what the fleet has of them is
        asked for, or they would count as gone from there."""
        recalled = self._heard, [(name, one.relics) for name, one in self.posts.items()]
        if recalled == self._recalled:
            return
        self._recalled = recalled
        found = {name: one.relics.kinds for name, one in self.posts.items() if one.relics is not None}
        relics = frozenset(kind for kinds in found.values() for kind in kinds)
        if not relics <= self._relics:
            self._relics |= relics
            self._source.also(self._known())
        for name, kinds in found.items():
            self.posts[name].remember(kinds if self._heard is None else kinds & self._heard)

    def _keep(self) -> None:
        """What came to stay is no longer looked through for garbage: of 50,000 copies that takes a quarter of
        a second. None of it is in a ring, so it goes all the same when it is replaced."""
        moves = sum(one.moves for one in self.posts.values())
        if abs(moves - self._frozen) > MOVED:
            gc.collect(1)
            gc.freeze()
            self._frozen = moves

    def _tell(self, publish: change.Publish) -> None:
        if self._reports is not None:
            self._reports.look([name for name, one in self._gists.told.items() if not one.heard])
        planned = templates.located((*self.assignment.problems, *self.census.problems()), self._told.places)
        found = tuple(sorted({*self._told.problems, *planned, *self._found()}))
        if found != self._problems:
            self._problems = found
            publish(change.ProblemsChange(SOURCE, found))

    def _found(self) -> Iterator[Problem]:
        if self._unkept:
            yield Problem(
                self._path, f"of which kinds members have copies is not kept: {self._unkept}", UNKEPT
            )
        for one in self._gists.told.values():
            yield from one.problems
        if self._reports is not None:
            yield from self._reports.problems()
        for name, empty in self._vacancies.items():
            if not empty.reached and self.assignment.gives(name):
                hint = "write where its API server is"
                yield Problem(f"member {name}", vacancy.DIRECTORY, hint)


def _same(before: schedule.Load | None, now: schedule.Load) -> schedule.Load:
    """The value that was there, where it is equal."""
    return before if before == now and before is not None else now


async def _patiently(steps: Iterator[None]) -> None:
    """Takes the steps, and lets everything else have its turn in between."""
    until = time.monotonic() + SLICE
    for _ in steps:
        if time.monotonic() > until:
            await asyncio.sleep(0)
            until = time.monotonic() + SLICE
