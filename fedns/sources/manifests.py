"""A member read from a directory of Kubernetes objects (`kubectl get -o yaml` output works), watched.

Law: the directory is this member's API. While it cannot be read the facts freeze and `api` says
unreachable; that is not an empty cluster. A removal that the change guard holds back is published
only after a second look agrees; readiness is never held.
"""

import asyncio
import time
from collections.abc import Callable, Mapping

from fedns.errors import Problem
from fedns.model import guard
from fedns.model.facts import Api, MemberFacts, ShardFacts
from fedns.sources import catalog, cluster, objects, watch
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
        self._cluster = cluster.Cluster(member)
        self._catalog = catalog.Catalog(path, objects.KINDS)
        self._shards: Mapping[str, ShardFacts] = known or {}
        self._untold: Mapping[str, ShardFacts] = known or {}
        self._api: Api = "unknown"
        self._api_since = 0.0
        self._read_at = 0.0
        self._problems: tuple[Problem, ...] | None = None
        self._lost: Problem | None = None
        self._held = guard.NOTHING
        self._again: float | None = None

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
        waiting = SWEEP_S if self._again is None else self._again - self._clock()
        return min(max(waiting, 0.0), SWEEP_S)

    async def look(self, hints: watch.Hints, publish: Publish) -> None:
        """Look once (None: at everything) and publish what differs."""
        first, before = self._api == "unknown", self._shards
        try:
            touched = await self._read(hints)
            self._lost = None
            if self._reach("reachable") and touched is not None:
                touched = touched.union(before)
        except OSError as error:
            what = f"the directory cannot be read: {error.strerror}"
            self._lost = Problem(self._path, what, "the last known facts stay in use")
            touched = frozenset(before) if self._reach("unreachable") else frozenset()
        if first or touched is None or touched or (hints is None and not self._lost):
            publish(MemberChange(self._facts(self._shards), None if first else touched))
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
        if not self._read_at and touched is not None:
            touched |= self._shards.keys()  # what was known before a restart may be gone
        self._read_at = self._clock()
        told = self._tell_known()
        return self._admit(None if touched is None else touched | told)

    def _tell_known(self) -> frozenset[str]:
        """Lets go of what was known before a restart once the files tell it, or all can be read."""
        before, shards = self._untold, self._cluster.shards
        kept = before if before and self._catalog.blind else {}
        self._untold = {key: facts for key, facts in kept.items() if key not in shards}
        return frozenset(before.keys() - self._untold.keys())

    def _admit(self, touched: cluster.Touched) -> cluster.Touched:
        """Pass what was read through the change guard; the services whose published facts differ."""
        before, waited = self._facts(self._shards), _missing(self._held)
        after = self._facts(
            {**self._untold, **self._cluster.shards} if self._untold else self._cluster.shards
        )
        admitted = guard.admit(self._held, before, after, touched, self._clock())
        self._held, self._again, self._shards = admitted.state, admitted.again, admitted.facts.shards
        if touched is None:
            return None
        kept = {key for key in _missing(self._held) if self._shards.get(key) == before.shards.get(key)}
        late = {key for key in waited if self._shards.get(key) != before.shards.get(key)}
        return frozenset((touched - kept) | late)

    def _facts(self, shards: Mapping[str, ShardFacts]) -> MemberFacts:
        member, places = self._cluster.member, self._cluster.places
        return MemberFacts(
            name=member.name,
            region=places.region,
            zones=places.zones,
            labels=member.labels,
            shards=shards,
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
        if missing := _missing(self._held):
            what = (
                f"{len(missing)} of {len(self._shards)} services disappeared or lost their addresses at once"
            )
            found.append(Problem(self._path, what, "held back until a second look agrees"))
        problems = tuple(sorted(found))
        if problems != self._problems:
            self._problems = problems
            publish(ProblemsChange(f"member:{self._cluster.member.name}", problems))


def _missing(state: guard.State) -> frozenset[str]:
    """The services that wait in the change guard."""
    held = [one.missing for one in (state.services, state.shards) if one is not None]
    return frozenset().union(*held)
