"""The fleet's own objects read from its API server: policies, and the members that it registers.

Law: as in `kubernetes`: what is refused or cannot be reached freezes, so what was known before a restart
stays until it is listed; nothing is taken from another cluster. An object that cannot be read stays as it
was. What is watched is a table of chapters, each with its feeds, and with its own first word.
"""

import asyncio
import contextlib
import time
from collections.abc import Iterator, Mapping
from typing import NamedTuple, Protocol

from fedns import beat
from fedns.errors import Problem
from fedns.kube import client, informer
from fedns.kube.resource import Resource
from fedns.model import ingress
from fedns.sources import identity, kubernetes, manifests, objects, policies, reachability, registry, routing
from fedns.sources.change import PolicyChange, ProblemsChange, Publish
from fedns.sources.registrations import Registered

NAME = "@fleet"
"""Among the names of members, and none of them."""
NAMESPACE = "fedns"
POLICIES = Resource("fedns.io", "v1alpha1", "trafficpolicies", "TrafficPolicy")
MISSING = "services are judged and served as `fedns.yaml` says"


class Chapter(Protocol):
    """What is read of one subject. `known`: there is something of before a restart; `again`: when to look
    without any news (None: never)."""

    known: bool
    again: float | None

    @property
    def feeds(self) -> tuple[informer.Informer, ...]: ...

    @property
    def settled(self) -> bool:
        """Whether all there is is known."""

    @property
    def refused(self) -> bool:
        """Whether it is known that nothing can be."""

    def look(self, publish: Publish) -> None:
        """Publishes what differs."""

    def mute(self, publish: Publish) -> None:
        """A first word where there is nothing to be said."""

    def problems(self, where: str) -> Iterator[Problem]: ...


class Wanted(NamedTuple):
    """`kinds` as `policies.kinds` makes them; `namespace` has the Secrets of members; `routes`: Ingresses
    are read too."""

    kinds: Mapping[tuple[str, str], objects.Kind]
    namespace: str = NAMESPACE
    routes: bool = False


class Before(NamedTuple):
    """What is known of before a restart."""

    policies: bool = False
    members: Mapping[str, Registered] = {}
    said: ingress.Said = ingress.NOTHING


NOTHING = Before()


class Fleet:
    """The fleet's API server."""

    def __init__(
        self,
        source: kubernetes.Source,
        wanted: Wanted,
        before: Before = NOTHING,
        reach: reachability.Pace | None = None,
        pace: informer.Pace | None = None,
    ) -> None:
        self._source, self._news = source, asyncio.Event()
        self.reach = reachability.Reachability(source.api, self._news.set, reach)
        self.identity = identity.Identity(source.api, source.identities, NAME)
        ears = informer.Ears(lambda _: self._news.set(), self.identity.check)
        decode = kubernetes.decoding(POLICIES.kind, wanted.kinds[(POLICIES.api_version, POLICIES.kind)])
        self.chapters: tuple[Chapter, ...] = (
            Policies(source.api, informer.Subject(POLICIES, decode), ears, before.policies, pace),
            registry.Registry(source.api, ears, wanted.namespace, before.members, pace),
        )
        if wanted.routes:
            self.chapters += (routing.Routing(source.api, ears, before.said, pace),)
        self._silent = list(self.chapters)
        self._problems: tuple[Problem, ...] | None = None

    @property
    def feeds(self) -> tuple[informer.Informer, ...]:
        return tuple(feed for chapter in self.chapters for feed in chapter.feeds)

    async def run(self, publish: Publish) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self.reach.run())
                for feed in self.feeds:
                    group.create_task(feed.run())
                group.create_task(self._publishing(publish))
        finally:
            await self._source.api.close()

    def tell(self, publish: Publish) -> None:
        """Publishes the problems that there are, if they differ."""
        problems = tuple(sorted(self._found()))
        if problems != self._problems:
            self._problems = problems
            publish(ProblemsChange("fleet", problems))

    async def _publishing(self, publish: Publish) -> None:
        begun = time.time()
        while True:
            with contextlib.suppress(TimeoutError):
                async with beat.timeout(self._patience()):
                    await self._news.wait()
            self._news.clear()
            for chapter in self.chapters:
                self._look(chapter, time.time() - begun, publish)
            if not self._silent:
                self.tell(publish)
            await asyncio.sleep(kubernetes.SETTLE)

    def _patience(self) -> float:
        """Seconds until a look without any news."""
        waits = [chapter.again - time.time() for chapter in self.chapters if chapter.again is not None]
        return min((max(wait, kubernetes.HELD) for wait in waits), default=self._pause())

    def _pause(self) -> float:
        return kubernetes.STUCK if self._silent else manifests.SWEEP_S

    def _look(self, chapter: Chapter, age: float, publish: Publish) -> None:
        troubled = chapter.known or any(feed.trouble for feed in chapter.feeds)
        late = age > (kubernetes.STUCK if troubled else kubernetes.START)
        if chapter.settled:
            chapter.look(publish)
        elif chapter not in self._silent:
            return
        elif late or chapter.refused or self.reach.verdict == "unreachable":
            chapter.mute(publish)
        else:
            return
        if chapter in self._silent:
            self._silent.remove(chapter)

    def _found(self) -> Iterator[Problem]:
        where = str(self._source.api.where)
        yield from kubernetes.lost(self.reach, where)
        yield from self.identity.problems(where)
        for chapter in self.chapters:
            yield from chapter.problems(where)


class Policies:
    """`TrafficPolicy` objects."""

    again: float | None = None

    def __init__(
        self,
        api: client.Client,
        subject: informer.Subject,
        ears: informer.Ears,
        known: bool,
        pace: informer.Pace | None,
    ) -> None:
        self.known, self._ears = known, ears
        self._feed = informer.Informer(api, subject, informer.Ears(self._hear, ears.admit), pace)
        self._values: dict[informer.Key, policies.Aimed] = {}
        self._policies: policies.Policies | None = None

    @property
    def feeds(self) -> tuple[informer.Informer, ...]:
        return (self._feed,)

    @property
    def settled(self) -> bool:
        return bool(self._feed.synced_at)

    @property
    def refused(self) -> bool:
        return bool(self._feed.off)

    def look(self, publish: Publish) -> None:
        found, _ = policies.chosen(self._values.items())
        if found != self._policies:
            publish(PolicyChange(found, policies.touched(self._policies, found)))
            self._policies = found

    def mute(self, publish: Publish) -> None:
        publish(PolicyChange({}, frozenset(), whole=False))

    def problems(self, where: str) -> Iterator[Problem]:
        _, rivals = policies.chosen(self._values.items())
        yield from rivals
        yield from kubernetes.complaints(self._feed, MISSING, where)

    def _hear(self, changes: informer.Changes) -> None:
        kubernetes.follow(self._values, changes)
        self._ears.changed(())
