"""A member read from a directory of Kubernetes objects (`kubectl get -o yaml` output works), watched.

Law: the directory is this member's API. While it cannot be read the facts freeze and `api` says
unreachable; that is not an empty cluster. A removal that the change guard holds back is published
only after a second look agrees; readiness is never held.
"""

import asyncio
import time
from collections.abc import Callable, Mapping

from msgspec import Struct

from fedns.errors import Problem
from fedns.model.facts import Api, MemberFacts, ShardFacts
from fedns.sources import catalog, cluster, objects, watch
from fedns.sources.change import MemberChange, ProblemsChange, Publish

BREATH_S = 0.02
"""How long reading may keep the event loop from everything else."""


class Settings(Struct, frozen=True):
    """`sweep`: seconds between looks at everything, in case the kernel dropped news; `confirm`:
    seconds until the second look at a mass removal."""

    sweep: float = 30.0
    confirm: float = 5.0


DEFAULTS = Settings()


class Directory:
    """One member's directory. `read` looks once; `run` goes on until cancelled."""

    def __init__(
        self,
        member: cluster.Member,
        path: str,
        watcher: watch.Watcher,
        clock: Callable[[], float] = time.time,
        settings: Settings = DEFAULTS,
    ) -> None:
        self._path, self._watcher, self._clock, self._settings = path, watcher, clock, settings
        self._cluster = cluster.Cluster(member)
        self._catalog = catalog.Catalog(path, objects.KINDS)
        self._shards: Mapping[str, ShardFacts] = {}
        self._api: Api = "unknown"
        self._api_since = 0.0
        self._read_at = 0.0
        self._problems: tuple[Problem, ...] | None = None
        self._lost: Problem | None = None
        self._hold: float | None = None

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
        waiting = self._settings.sweep if self._hold is None else self._hold - self._clock()
        return max(waiting, 0.0)

    async def look(self, hints: watch.Hints, publish: Publish) -> None:
        """Look once (None: at everything) and publish what differs."""
        first, everyone = self._api == "unknown", frozenset(self._shards)
        try:
            touched = await self._read(hints)
            self._lost = None
            if self._reach("reachable") and touched is not None:
                touched |= everyone
        except OSError as error:
            what = f"the directory cannot be read: {error.strerror}"
            self._lost = Problem(self._path, what, "the last known facts stay in use")
            touched = everyone if self._reach("unreachable") else frozenset()
        if first or touched is None or touched or (hints is None and not self._lost):
            publish(MemberChange(self._facts(), None if first else touched))
        self._tell(publish)

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
        touched = self._cluster.update((key, self._catalog.get(key)) for key in keys)
        self._read_at = self._clock()
        return self._release(touched)

    def _release(self, touched: cluster.Touched) -> cluster.Touched:
        """Publishable shards: those read, and those the change guard still holds on to."""
        now, read = self._clock(), self._cluster.shards
        gone = self._shards.keys() - read.keys()
        waited = self._hold is not None and now >= self._hold
        if waited or not _mass(len(self._shards), len(gone)):
            self._hold = None
            self._shards = read
            return None if touched is None else touched | gone
        if self._hold is None:
            self._hold = now + self._settings.confirm
        self._shards = {**{key: self._shards[key] for key in gone}, **read}
        return None if touched is None else touched - gone

    def _facts(self) -> MemberFacts:
        member, places = self._cluster.member, self._cluster.places
        return MemberFacts(
            name=member.name,
            region=places.region,
            zones=places.zones,
            labels=member.labels,
            shards=self._shards,
            nodes=places.nodes,
            api=self._api,
            api_since=self._api_since,
            read_at=self._read_at,
        )

    def _reach(self, api: Api) -> bool:
        """Note whether the directory can be read; True if that is news."""
        if api == self._api:
            return False
        self._api, self._api_since = api, self._clock()
        return True

    def _tell(self, publish: Publish) -> None:
        found = list(self._catalog.problems())
        if self._lost:
            found = [self._lost, *found]
        if self._hold is not None:
            gone = len(self._shards.keys() - self._cluster.shards.keys())
            what = f"{gone} of {len(self._shards)} services disappeared at once"
            found.append(Problem(self._path, what, "held back until a second look agrees"))
        problems = tuple(sorted(found))
        if problems != self._problems:
            self._problems = problems
            publish(ProblemsChange(f"member:{self._cluster.member.name}", problems))


def _mass(before: int, gone: int) -> bool:
    """Whether a removal is large enough for the change guard (rule 6: more than half, and at least ten)."""
    return gone >= 10 and gone * 2 > before
