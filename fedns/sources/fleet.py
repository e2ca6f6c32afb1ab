"""The fleet's own objects read from its API server: `TrafficPolicy`, watched.

Law: as in `kubernetes`: what is refused or cannot be reached freezes, so policies of before a restart stay
until they are listed; nothing is taken from another cluster. A policy that cannot be read stays as it was.
"""

import asyncio
import contextlib
import time
from collections.abc import Iterator, Mapping

from fedns.errors import Problem
from fedns.kube import informer
from fedns.kube.resource import Resource
from fedns.sources import identity, kubernetes, manifests, objects, policies, reachability
from fedns.sources.change import PolicyChange, ProblemsChange, Publish

NAME = "@fleet"
"""Among the names of members, and none of them."""
POLICIES = Resource("fedns.io", "v1alpha1", "trafficpolicies", "TrafficPolicy")
MISSING = "services are judged and served as `fedns.yaml` says"


class Fleet:
    """The fleet's API server. `kinds` as `policies.kinds` makes them; `known`: there are policies of before a
    restart."""

    def __init__(
        self,
        source: kubernetes.Source,
        kinds: Mapping[tuple[str, str], objects.Kind],
        known: bool = False,
        reach: reachability.Pace | None = None,
        pace: informer.Pace | None = None,
    ) -> None:
        self._source, self._known, self._news = source, known, asyncio.Event()
        self.reach = reachability.Reachability(source.api, self._news.set, reach)
        self.identity = identity.Identity(source.api, source.identities, NAME)
        decode = kubernetes.decoding(POLICIES.kind, kinds[(POLICIES.api_version, POLICIES.kind)])
        ears = informer.Ears(self._hear, self.identity.check)
        self.feed = informer.Informer(source.api, informer.Subject(POLICIES, decode), ears, pace)
        self._values: dict[informer.Key, policies.Aimed] = {}
        self._policies: policies.Policies | None = None
        self._problems: tuple[Problem, ...] | None = None

    async def run(self, publish: Publish) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self.reach.run())
                group.create_task(self.feed.run())
                group.create_task(self._publishing(publish))
        finally:
            await self._source.api.close()

    def tell(self, publish: Publish) -> None:
        """Publishes the problems that there are, if they differ."""
        _, rivals = policies.chosen(self._values.items())
        problems = tuple(sorted((*self._found(), *rivals)))
        if problems != self._problems:
            self._problems = problems
            publish(ProblemsChange("fleet", problems))

    def _hear(self, changes: informer.Changes) -> None:
        for key, value in changes:
            if value is None:
                self._values.pop(key, None)
            else:
                self._values[key] = value
        self._news.set()

    async def _publishing(self, publish: Publish) -> None:
        begun, silent = time.time(), True
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), kubernetes.STUCK if silent else manifests.SWEEP_S)
            self._news.clear()
            bound = kubernetes.STUCK if self.feed.trouble or self._known else kubernetes.START
            late = time.time() - begun > bound
            if self.feed.synced_at:
                self._look(publish)
            elif silent and (late or self.feed.off or self.reach.verdict == "unreachable"):
                publish(PolicyChange({}, frozenset(), whole=False))
            elif silent:
                continue
            silent = False
            self.tell(publish)
            await asyncio.sleep(kubernetes.SETTLE)

    def _look(self, publish: Publish) -> None:
        found, _ = policies.chosen(self._values.items())
        if found != self._policies:
            publish(PolicyChange(found, policies.touched(self._policies, found)))
            self._policies = found

    def _found(self) -> Iterator[Problem]:
        where = str(self._source.api.where)
        yield from kubernetes.lost(self.reach, where)
        yield from self.identity.problems(where)
        yield from kubernetes.complaints(self.feed, MISSING, where)
