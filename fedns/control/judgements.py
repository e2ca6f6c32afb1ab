"""What is known here, as the statuses of the fleet's objects want it told.

Law: nothing is judged that was not judged before: whether an object can be read says who reads it, what else
is wrong with it says its problem, how a member fares says its source.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

from fedns import config
from fedns.control import frontage, known
from fedns.distribute import shelf, statuses
from fedns.errors import Problem
from fedns.kube import informer
from fedns.model.facts import MemberFacts
from fedns.sources import (
    fleet,
    identity,
    kubernetes,
    objects,
    policies,
    reachability,
    registrations,
    routing,
)

SOURCES = ("fleet", "roster")
"""Whose problems are about objects of the fleet."""


class Asked(Protocol):
    """A member that has an API server, as far as its status goes."""

    @property
    def reach(self) -> reachability.Reachability: ...
    @property
    def identity(self) -> identity.Identity: ...
    @property
    def feeds(self) -> Sequence[informer.Informer]: ...


class Roster(Protocol):
    """Knows the sources of members."""

    def source(self, name: str) -> Asked | None: ...


class Parts(Protocol):
    """What is needed of the control process."""

    config: config.Config
    known: known.Known
    frontage: frontage.Frontage

    @property
    def served(self) -> frozenset[str] | None:
        """Ingresses that the gateway serves; None: nobody knows yet."""

    @property
    def roster(self) -> Roster: ...


class Judge:
    """Judges the objects of the fleet from the parts of the control process."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._own = {member.name for member in parts.config.members}
        self._complaints: tuple[tuple[tuple[Problem, ...], ...], Mapping[str, str]] = ((), {})

    def chapters(self) -> tuple[shelf.Chapter, ...]:
        settings, (resource, members) = self._parts.config, (fleet.POLICIES, registrations.MEMBERS)
        kinds = policies.kinds(config.defaults(settings), config.probe(settings))
        kind = kinds[(resource.api_version, resource.kind)]
        found = (
            shelf.Chapter(members, _check(members.kind, registrations.KINDS[members]), self.member),
            shelf.Chapter(resource, _check(resource.kind, kind), self.policy),
        )
        if not settings.gateway.serves:
            return found
        return (*found, shelf.Chapter(routing.INGRESSES, lambda _: "", self.ingress))

    def ingress(self, name: str, live: statuses.Live) -> statuses.Verdict | None:
        served, addresses = self._parts.served, self._parts.frontage.addresses
        if served is None or addresses is None:
            return None
        return statuses.ingress(live, name in served, addresses)

    def policy(self, name: str, live: statuses.Live) -> statuses.Verdict:
        return statuses.policy(live, self._complaint(f"{fleet.POLICIES.kind} {name}"))

    def member(self, name: str, live: statuses.Live) -> statuses.Verdict:
        complaint = self._complaint(f"{registrations.MEMBERS.kind} {name}")
        source = None if name in self._own else self._parts.roster.source(name)
        if source is None:
            return statuses.member(live, complaint, None)
        return statuses.member(live, complaint, told(source, self._parts.known.members.get(name)))

    def _complaint(self, called: str) -> str:
        """What is wrong with an object, in the words of its problem."""
        found = tuple(self._parts.known.problems.get(source, ()) for source in SOURCES)
        if found != self._complaints[0]:
            self._complaints = found, complaints(each for one in found for each in one)
        return self._complaints[1].get(called, "")


def complaints(problems: Iterable[Problem]) -> Mapping[str, str]:
    """`KIND NAME` -> what is wrong with it; the first word counts."""
    found: dict[str, str] = {}
    for one in problems:
        found.setdefault(one.where.rpartition(": ")[2], one.what)
    return found


def told(source: Asked, facts: MemberFacts | None) -> statuses.Member:
    """How a member fares."""
    feeds = tuple(
        statuses.Feed(feed.name, bool(feed.synced_at), feed.off, feed.trouble) for feed in source.feeds
    )
    fares = statuses.Member(
        source.reach.verdict,
        source.reach.evidence,
        source.identity.foreign,
        feeds,
        version=source.reach.version,
        identity=source.identity.uid,
    )
    if facts is None:
        return fares
    return fares._replace(region=facts.region, zones=facts.zones, services=len(facts.shards))


def _check(name: str, kind: objects.Kind) -> Callable[[informer.Data], str]:
    decode = kubernetes.decoding(name, kind)
    return lambda data: decode(data).trouble
