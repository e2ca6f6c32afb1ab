"""Who brings copies to the members: what the fleet has, assigned to them, and a post for each.

Law: as the scribe's, tasks whose troubles are problems, and nobody waits for them. Nothing is written without
the Lease, nor to a cluster that is not the one this name has always meant. Kinds of which a member had copies
are remembered, so that none is left behind because nobody looks for it any more.
"""

import asyncio
import contextlib
import logging
import os
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Protocol

import msgspec

from fedns import fleet, logs
from fedns.control import outpost, post, reports
from fedns.distribute import holding, writer
from fedns.errors import Problem
from fedns.kube import client
from fedns.model import facts
from fedns.placement import assignment, item, matching, union
from fedns.sources import change, originals

SOURCE = "distribution"
LOOK = 0.1
"""Seconds between two looks at what moved, and at who is a member."""
COUNT = 20
"""So many looks for a count of all."""
WHOLE = 10.0
"""Seconds for which only what differs is assigned anew, so warnings may be so old."""
TELL = 5
"""So many looks for one at what is wrong."""
FILE = "distribution.json"

log = logging.getLogger("fedns.control.dispatch")
_kept = msgspec.json.Decoder(dict[str, list[tuple[str, str]]])


class Source(Protocol):
    """Where what the fleet has comes from."""

    def also(self, more: frozenset[originals.Kind]) -> None: ...

    async def run(self, publish: originals.Publish) -> None: ...


class Dispatch:
    """All of them. `held`: the fleet's Lease; None: each member has one of its own."""

    def __init__(
        self,
        parts: outpost.Parts,
        source: Source,
        held: writer.Held | None,
        fleet_api: client.Client | None = None,
    ) -> None:
        self._parts, self._source, self._held = parts, source, held
        self._path = os.path.join(parts.config.state, FILE)
        self._kinds = self._restored()
        self._told = originals.Originals(whole=False)
        self._members: tuple[matching.Member, ...] = ()
        self._stale, self._partly, self._whole = False, False, 0.0
        self.assignment = assignment.Assignment(assignment.Fleet(whole=False), (), {})
        self.posts: dict[str, post.Post] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._problems: tuple[Problem, ...] | None = None
        self._reports: reports.Reports | None = None
        if held is not None and fleet_api is not None:
            self._reports = reports.Reports(fleet_api, held, lambda: self.assignment, self._said)
        self._counted: dict[str, tuple[int, Counter[str]]] = {}
        self.counted: Mapping[tuple[str, ...], float] = {}
        """(member, state) -> copies."""

    @property
    def outcomes(self) -> Mapping[tuple[str, ...], float]:
        """(member, outcome) -> writes."""
        posts = dict(self.posts)
        return {(name, how): n for name, one in posts.items() for how, n in one.writer.outcomes.items()}

    def rows(self) -> Iterator[tuple[str, holding.Row]]:
        """How each copy stands, by member."""
        for name in sorted(self.posts):
            yield from ((name, row) for row in self.posts[name].rows())

    def allow(self, member: str) -> int:
        """What waits to be removed from a member may go; how many that are. KeyError: no such member."""
        return self.posts[member].allow()

    async def run(self, publish: change.Publish) -> None:
        """Until cancelled; the first bug ends all."""
        always, look = [asyncio.create_task(self._source.run(self._hear))], 0
        if self._reports is not None:
            always.append(asyncio.create_task(self._reports.run()))
        self._source.also(frozenset(kind for rows in self._kinds.values() for kind in rows))
        try:
            while True:
                self._follow()
                for task in filter(asyncio.Task.done, (*always, *self._tasks.values())):
                    task.result()
                if look % TELL == 0:
                    self._remember()
                    self._tell(publish)
                if look % COUNT == 0:
                    self._count()
                look += 1
                await asyncio.sleep(LOOK)
        finally:
            for task in always:
                task.cancel()
            for name in tuple(self.posts):
                self._end(name)
            await asyncio.gather(*always, return_exceptions=True)

    def _hear(self, told: originals.Originals) -> None:
        self._told, self._stale = told, True

    def _follow(self) -> None:
        """Takes up who is a member by now, and what the fleet has by now."""
        wanted = outpost.reached(self._parts.roster)
        for name in [name for name, one in self.posts.items() if wanted.get(name) != one.outpost.where]:
            self._end(name)
        for name in wanted.keys() - self.posts.keys():
            self._begin(name)
        members = tuple(sorted(self._seen(), key=lambda each: each.name))
        late = self._partly and time.monotonic() - self._whole > WHOLE
        if self._stale or late or members != self._members:
            self._stale, self._members = False, members
            self._assign()

    def _begin(self, name: str) -> None:
        log.info("copies are brought to a member", extra=logs.fields(member=name))
        made = post.Post(self._parts, name, self._held)
        made.remember(self._kinds.get(name, ()))
        if self._reports is not None:
            told = self._reports
            made.news = lambda what: told.touch((what,))
        made.assign(self.assignment)
        self.posts[name], self._tasks[name] = made, asyncio.ensure_future(made.run())

    def _end(self, name: str) -> None:
        del self.posts[name]
        self._tasks.pop(name).cancel()

    def _seen(self) -> Iterator[matching.Member]:
        """The members as policies see them."""
        for name, told in self._parts.roster.members.items():
            says: facts.MemberFacts | None = self._parts.known.members.get(name)
            region, zones = (says.region, says.zones) if says is not None else ("", ())
            yield matching.Member(
                name, labels=told.labels, region=told.region or region, zones=told.zones or zones
            )

    def _assign(self) -> None:
        told = self._told
        there = {name: one.counts() for name, one in self.posts.items()}
        said = assignment.Fleet(
            {item.ref(each): each for each in told.items},
            told.policies,
            told.overrides,
            frozenset((version.rpartition("/")[0], kind) for version, kind in told.unheard),
            told.whole,
        )
        now = time.monotonic()
        before = self.assignment if now - self._whole < WHOLE else None
        self._partly, self._whole = before is not None, now if before is None else self._whole
        self.assignment = assignment.Assignment(said, self._members, assignment.loads(there), before)
        for one in self.posts.values():
            one.assign(self.assignment)
        if self._reports is not None:
            self._reports.follow()
        self._remember()

    def _said(self, what: item.Ref) -> Iterator[union.Told]:
        """What the members that get an object say of it."""
        for name in sorted(self.assignment.goes(what)):
            one = self.posts.get(name)
            yield union.Told(name, None if one is None else one.status(what))

    def _restored(self) -> dict[str, list[originals.Kind]]:
        try:
            with open(self._path, "rb") as file:
                return _kept.decode(file.read())
        except (OSError, msgspec.MsgspecError):
            return {}

    def _remember(self) -> None:
        """Keeps on disk of which kinds members have copies; those of members that left stay."""
        found = {**self._kinds, **{name: sorted(one.kinds()) for name, one in self.posts.items()}}
        found = {name: kinds for name, kinds in found.items() if kinds}
        if found == self._kinds:
            return
        self._kinds = found
        self._source.also(frozenset(kind for rows in found.values() for kind in rows))
        with contextlib.suppress(OSError):
            with open(f"{self._path}.new", "wb") as file:
                file.write(msgspec.json.encode(found))
            os.replace(f"{self._path}.new", self._path)

    def _tell(self, publish: change.Publish) -> None:
        found = tuple(sorted({*self._told.problems, *self.assignment.problems, *self._found()}))
        if found != self._problems:
            self._problems = found
            publish(change.ProblemsChange(SOURCE, found))

    def _count(self) -> None:
        """Counts anew where something moved."""
        for name, one in self.posts.items():
            if self._counted.get(name, (0,))[0] != one.moves:
                self._counted[name] = one.moves, Counter(row.state for row in one.rows())
        for name in self._counted.keys() - self.posts.keys():
            del self._counted[name]
        rows = ((name, counts) for name, (_, counts) in sorted(self._counted.items()))
        self.counted = {(name, state): count for name, counts in rows for state, count in counts.items()}

    def _found(self) -> Iterator[Problem]:
        for one in self.posts.values():
            yield from one.problems()
        if self._reports is not None:
            yield from self._reports.problems()
        for name, told in self._parts.roster.members.items():
            if fleet.where(told) is None and self.assignment.copies(name):
                hint = "write where its API server is"
                yield Problem(f"member {name}", "it is a directory, so no copies are brought there", hint)
