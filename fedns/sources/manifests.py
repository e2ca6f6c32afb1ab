"""A member read from a directory of Kubernetes objects (`kubectl get -o yaml` output works), watched.

Law: the directory is this member's API. While it cannot be read the facts freeze and `api` says
unreachable; that is not an empty cluster. A removal that the change guard holds back is published
only after a second look agrees; readiness is never held.
"""

import asyncio
import time
from collections.abc import Callable, Mapping

from fedns.errors import Problem
from fedns.model.facts import ShardFacts
from fedns.sources import catalog, cluster, ledger, subjects, watch
from fedns.sources.change import MemberChange, ProblemsChange, Publish

SWEEP_S = 30.0
"""Seconds between looks at everything, in case the kernel dropped news."""
BREATH_S = 0.02
"""How long reading may keep the event loop from everything else."""


class Directory:
    """One member's directory. `look` looks once; `run` goes on until cancelled.

    `known` are the shards of before a restart: the change guard compares the first look with them, and
    while a file cannot be read, those that no file tells stay."""

    def __init__(
        self,
        member: cluster.Member,
        path: str,
        watcher: watch.Watcher,
        known: Mapping[str, ShardFacts] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._path, self._watcher, self._clock = path, watcher, clock
        self._ledger = ledger.Ledger(member, known)
        self._catalog = catalog.Catalog(path, subjects.kinds(_wish(member)))
        self._untold: Mapping[str, ShardFacts] = known or {}
        self._problems: tuple[Problem, ...] | None = None
        self._lost: Problem | None = None

    async def run(self, publish: Publish) -> None:
        """Publish the member whole at first, then what differs."""
        ear = self._watcher.listen(self._path)
        try:
            while True:
                hints = await ear.news(self._patience())
                await self.look(hints, publish)
        finally:
            self._watcher.leave(ear)

    def _patience(self) -> float:
        """Seconds until the next look at everything."""
        again = self._ledger.again
        waiting = SWEEP_S if again is None else again - self._clock()
        return min(max(waiting, 0.0), SWEEP_S)

    async def look(self, hints: watch.Hints, publish: Publish) -> None:
        """Look once (None: at everything) and publish what differs."""
        book = self._ledger
        first, before = book.api == "unknown", book.shards
        try:
            touched = await self._read(hints)
            self._lost = None
            if book.reach("reachable", self._clock()) and touched is not None:
                touched = touched.union(before)
        except OSError as error:
            what = f"the directory cannot be read: {error.strerror}"
            self._lost = Problem(self._path, what, "the last known facts stay in use")
            lost = book.reach("unreachable", self._clock())
            touched = frozenset(before) if lost else frozenset()
        if first or touched is None or touched or (hints is None and not self._lost):
            publish(MemberChange(book.facts, None if first else touched))
        self._tell(publish)

    def detail(self, services: frozenset[str], publish: Publish) -> None:
        """Publishes the endpoints of these services, and of no other."""
        book = self._ledger
        touched = book.cluster.detail(services)
        if book.read_at and touched:
            told = book.admit(touched, self._clock(), self._untold)
            publish(MemberChange(book.facts, told))

    async def _read(self, hints: watch.Hints) -> cluster.Touched:
        """Read what the hints name; the services whose published facts differ."""
        difference = self._catalog.look(hints)
        keys: set[tuple[str, str, str]] = set()
        breath = time.monotonic() + BREATH_S
        for path in (*difference.changed, *difference.removed):
            keys |= self._catalog.read(path)
            if time.monotonic() > breath:
                await asyncio.sleep(0)
                breath = time.monotonic() + BREATH_S
        book = self._ledger
        touched = book.cluster.update((key, self._catalog.get(key)) for key in keys)
        if not book.read_at and touched is not None:
            touched |= book.shards.keys()  # what was known before a restart may be gone
        book.read_at = self._clock()
        told = self._tell_known()
        return book.admit(None if touched is None else touched | told, book.read_at, self._untold)

    def _tell_known(self) -> frozenset[str]:
        """Lets go of what was known before a restart once the files tell it, or all can be read."""
        before, shards = self._untold, self._ledger.cluster.shards
        kept = before if before and self._catalog.blind else {}
        self._untold = {key: facts for key, facts in kept.items() if key not in shards}
        return frozenset(before.keys() - self._untold.keys())

    def _tell(self, publish: Publish) -> None:
        lost = (self._lost,) if self._lost else ()
        problems = tuple(sorted((*lost, *self._catalog.problems(), *self._ledger.held(self._path))))
        if problems != self._problems:
            self._problems = problems
            publish(ProblemsChange(f"member:{self._ledger.cluster.member.name}", problems))


def _wish(member: cluster.Member) -> subjects.Wish:
    return subjects.Wish(endpoints=member.endpoints, inside=member.inside, clusterset=member.clusterset)
