"""Who writes to the members of the cluster set: a writer for each that is an API server, as they come and go.

Law: as the scribe's: tasks whose troubles are problems, and nobody waits for them. All of them hold one
Lease, that of the fleet; where the fleet is no API server, each member has a Lease of its own. Nothing is
written before all members were heard once, nor to a cluster that is not the one this name has always meant.
"""

import asyncio
import logging
from collections.abc import Iterator
from typing import NamedTuple, Protocol

from fedns import beat, logs
from fedns.control import offers, outpost, turn
from fedns.distribute import docket, exports, imports, rights, shelf, spaces, statuses, stock, writer
from fedns.errors import Problem
from fedns.kube import apply, lease
from fedns.kube.resource import Resource
from fedns.servers import api as admin
from fedns.sources import change

SOURCE = "clusterset"
LOOK = 1.0
"""Seconds between two looks at who is a member, and at what is wrong."""
HINT = "`fedns rbac` prints the rights it takes; leave `clusterset.write` out, and nothing is written"
PACE = docket.Pace(hold=2.0)

log = logging.getLogger("fedns.control.customs")


class Parts(outpost.Parts, Protocol):
    """What is needed of the control process."""

    turn: turn.Turn


class Shelves(NamedTuple):
    """What is watched and written in a member."""

    spaces: spaces.Spaces
    imports: stock.Stock
    slices: stock.Stock
    told: shelf.Shelf
    exports: shelf.Shelf

    def touch(self, services: frozenset[str]) -> None:
        for one in (self.imports, self.slices, self.told, self.exports):
            one.touch(services)


class Post:
    """One member's writer."""

    def __init__(self, parts: Parts, found: offers.Offers, member: str, held: lease.Lease | None) -> None:
        self.outpost = outpost.Outpost(parts, member, held, rights.LEASE)
        self._member, self._offers, self._slices = member, found, parts.config.clusterset.slices
        self.shelves = self._made()
        self.writer = writer.Writer(self.outpost.api, self.outpost.lease, self.shelves)

    def touch(self, services: frozenset[str]) -> None:
        self.shelves.touch(services)
        self.writer.news.set()

    async def run(self) -> None:
        await self.outpost.run(self.writer)

    def problems(self) -> Iterator[Problem]:
        yield from self.outpost.problems(HINT)
        yield from self.writer.problems()

    def told(self) -> admin.Importer:
        counts, own = self.writer.outcomes, self.outpost.own
        held = None if own is None else own.held
        return admin.Importer(self._member, held, counts["written"], counts["removed"], counts["failed"])

    def _made(self) -> Shelves:
        spaced = spaces.Spaces(self._moved, HINT)
        made = stock.Kind(
            imports.IMPORTS, imports.told, imports.whose, self._imports, self._unheard, hint=HINT
        )
        placed = stock.Kind(
            imports.SLICES,
            imports.placed,
            imports.part_of,
            self._placed,
            self._unheard,
            f"{imports.MANAGER}={imports.MANAGED[imports.MANAGER]}",
            HINT,
        )
        return Shelves(
            spaced,
            stock.Stock(made, PACE),
            stock.Stock(placed, PACE),
            shelf.Shelf(_chapter(imports.IMPORTS, self._imported), PACE),
            shelf.Shelf(_chapter(imports.EXPORTS, self._exported), PACE),
        )

    def _unheard(self) -> frozenset[str]:
        return self._offers.unheard

    def _moved(self, space: str) -> None:
        """A namespace came or went."""
        self.touch(frozenset(key for key in self._offers.services() if key.startswith(f"{space}/")))

    def _imports(self, key: str) -> stock.Wanted | None:
        if not self._there(key):
            return None if self._waits() else {}
        return self._offers.imports(key)

    def _placed(self, key: str) -> stock.Wanted | None:
        if not self._there(key):
            return None if self._waits() else {}
        return self._offers.slices(key) if self._slices else {}

    def _waits(self) -> bool:
        return not self.shelves.spaces.known or not self._offers.complete

    def _there(self, key: str) -> bool:
        return not self._waits() and key.partition("/")[0] in self.shelves.spaces

    def _imported(self, key: str, live: statuses.Live) -> statuses.Verdict | None:
        clusters = self._offers.clusters(key)
        if not clusters or not self.shelves.imports.ours(*key.split("/")):
            return None
        return exports.imported(clusters)

    def _exported(self, key: str, live: statuses.Live) -> statuses.Verdict | None:
        return self._offers.verdict(key, self._member)


class Customs:
    """All of them; `held`: the fleet's Lease."""

    def __init__(self, parts: Parts, held: lease.Lease | None) -> None:
        self._parts, self._held, self._offers = parts, held, offers.Offers(parts)
        self._posts: dict[str, Post] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._problems: tuple[Problem, ...] | None = None
        self._touched: frozenset[str] | None = None

    def hear(self, news: change.Change) -> None:
        """What a member says of its exports counts from the next turn on."""
        if isinstance(news, change.MemberGone) or (
            isinstance(news, change.MemberChange) and news.touched is None
        ):
            self._touched = None
        elif isinstance(news, change.MemberChange) and self._touched is not None:
            self._touched |= news.touched or frozenset()

    def turned(self) -> None:
        """There is a snapshot of all that was heard."""
        touched = frozenset() if self._touched is None else self._touched
        differing = None if self._touched is None else self._parts.turn.snapshot.touched
        self._touched = frozenset()
        self._touch(touched | self._offers.concerned(differing))

    def told(self) -> list[admin.Importer]:
        return [self._posts[name].told() for name in sorted(self._posts)]

    async def run(self, publish: change.Publish) -> None:
        """Until cancelled; the first bug of a writer ends all."""
        try:
            while True:
                self._follow()
                for task in filter(asyncio.Task.done, tuple(self._tasks.values())):
                    task.result()
                self._tell(publish)
                await beat.sleep(LOOK)
        finally:
            await self._stop(tuple(self._posts))

    def _touch(self, services: frozenset[str]) -> None:
        for one in self._posts.values():
            one.touch(services)

    def _follow(self) -> None:
        """Takes up who is a member by now."""
        self._offers.refresh()
        wanted = outpost.reached(self._parts.roster)
        left = [name for name, post in self._posts.items() if wanted.get(name) != post.outpost.where]
        for name in left:
            self._end(name)
        for name in wanted.keys() - self._posts.keys():
            log.info("imports are written to a member", extra=logs.fields(member=name))
            post = Post(self._parts, self._offers, name, self._held)
            post.touch(self._offers.concerned(None))
            self._posts[name], self._tasks[name] = post, asyncio.ensure_future(post.run())

    def _end(self, name: str) -> "asyncio.Task[None]":
        del self._posts[name]
        task = self._tasks.pop(name)
        task.cancel()
        return task

    async def _stop(self, names: tuple[str, ...]) -> None:
        await asyncio.gather(*map(self._end, names), return_exceptions=True)

    def _tell(self, publish: change.Publish) -> None:
        found = tuple(sorted(each for one in self._posts.values() for each in one.problems()))
        if found != self._problems:
            self._problems = found
            publish(change.ProblemsChange(SOURCE, found))


def _chapter(versions: tuple[Resource, ...], judge: shelf.Judge) -> shelf.Chapter:
    """Of objects that are not of our making, so nothing is forced."""
    return shelf.Chapter(versions[-1], lambda _: "", judge, apply.OWN, versions, told=True, hint=HINT)
