"""Who is a member by the fleet's word: `MemberCluster` objects, each with the Secret that it names.

Law: a member that cannot be understood stays as it was known; one that is gone is gone, unless most are at
once: those wait in the change guard until a second list agrees. The Secrets are listed and watched by their
label in the fleet's namespace, once there is a member: one question for all of them, a new token is known as
it is written, and no other Secret is ever sent here (RBAC knows no labels; the namespace is its bound).
"""

import asyncio
import functools
import time
from collections.abc import Iterator, Mapping
from typing import Any

from fedns.errors import Problem
from fedns.kube import client, informer
from fedns.model import guard
from fedns.sources import kubernetes, registrations
from fedns.sources.change import Publish, RosterChange
from fedns.sources.registrations import Credentials, Registered, Registration

MISSING = "the members that the fleet registers are not taken up"
LOCKED = "members are asked with the credentials last known"
HELD = "held back until a second look agrees"
STAYS = "what was known of it stays in use"


class Registry:
    """Two feeds of the fleet's API server, and what they amount to. `known`: the members of before a
    restart."""

    def __init__(
        self,
        api: client.Client,
        ears: informer.Ears,
        namespace: str,
        known: Mapping[str, Registered],
        pace: informer.Pace | None = None,
    ) -> None:
        self.again: float | None = None
        """When to look once more at what the guard holds; None: nothing is."""
        self.known = bool(known)
        self._ears, self._namespace, self._any = ears, namespace, asyncio.Event()
        self._members: Mapping[str, Registered] = known
        self._told: dict[str, Registration] = {}
        self._secrets: dict[str, Credentials] = {}
        self._guard, self._kept, self._lists = guard.NAMELESS, frozenset[str](), 0
        self._lacking: Mapping[str, str] = {}
        self._silent = True
        asked = functools.partial(_subject, namespace=namespace)
        self._clusters = informer.Informer(
            api, asked(registrations.MEMBERS), informer.Ears(self._hear, ears.admit), pace
        )
        self._locks = informer.Informer(
            api, asked(registrations.SECRETS), informer.Ears(self._hear, self._wanted), pace
        )

    @property
    def feeds(self) -> tuple[informer.Informer, ...]:
        return (self._clusters, self._locks)

    @property
    def refused(self) -> bool:
        """Whether it is known that nothing can be."""
        return bool(self._clusters.off) or (bool(self._told) and bool(self._locks.off))

    @property
    def settled(self) -> bool:
        return bool(self._clusters.synced_at) and (not self._named() or self._locks.settled)

    def look(self, publish: Publish) -> None:
        """Publishes the members, if they differ."""
        found = self._guarded(dict(self._joined()))
        if self._silent or found != self._members:
            self._silent, self._members = False, found
            publish(RosterChange(found))

    def mute(self, publish: Publish) -> None:
        """A first word where there is nothing to be said."""
        publish(RosterChange(self._members, whole=False))

    def problems(self, where: str) -> Iterator[Problem]:
        absent = self._clusters.off.startswith("404") and not self._members
        if not absent:  # the CRD is not installed: nobody registers members here
            yield from kubernetes.complaints(self._clusters, MISSING, where)
        if self._named():
            yield from kubernetes.complaints(self._locks, LOCKED, where)
        for name, what in self._lacking.items():
            yield Problem(f"{where}: {registrations.MEMBERS.kind} {name}", what, STAYS)
        if self._kept:
            yield Problem(
                where, f"{len(self._kept)} of {len(self._members)} members disappeared at once", HELD
            )

    def _named(self) -> set[str]:
        """The names of all objects that there are, readable or not."""
        return {*self._told, *(key[2] for key in self._clusters.troubles)}

    async def _wanted(self) -> None:
        """Nobody asks for Secrets while there is no member."""
        await self._any.wait()
        await self._ears.admit()

    def _hear(self, changes: informer.Changes) -> None:
        for (kind, _, name), value in changes:
            _put(self._told if kind == registrations.MEMBERS.kind else self._secrets, name, value)
        if self._named():
            self._any.set()
        else:
            self._any.clear()
        self._ears.changed(())

    def _joined(self) -> Iterator[tuple[str, Registered]]:
        """Each member with its credentials; what is not whole is as it was."""
        lacking = {}
        for name in sorted(self._named()):
            told, before = self._told.get(name), self._members.get(name)
            credentials = self._secrets.get(told.secret) if told else None
            if told and credentials is None:
                lacking[name] = self._lack(told)
                if before and before.told.secret == told.secret:
                    credentials = before.credentials
            if told and credentials:
                yield name, Registered(told, credentials)
            elif before:
                yield name, before
        self._lacking = lacking

    def _lack(self, told: Registration) -> str:
        called = f"Secret {self._namespace}/{told.secret}"
        if any(key[2] == told.secret for key in self._locks.troubles):
            return f"{called} cannot be used"
        return f"{called} is not there, or has no label {registrations.LABEL}={registrations.VALUE}"

    def _guarded(self, found: dict[str, Registered]) -> dict[str, Registered]:
        """With those that are missing and wait for a second list."""
        if self._kept and self._clusters.lists == self._lists:
            self._kept = frozenset(self._members.keys() - found.keys())  # that list is on its way
        else:
            now = time.time()
            sifted = guard.sift(self._guard, frozenset(self._members), frozenset(found), now)
            if sifted.again is not None and sifted.again != self.again:
                self._lists = self._clusters.lists
                self._clusters.relist()
            self._guard, self._kept, self.again = sifted.state, sifted.kept, sifted.again
        return {**found, **{name: self._members[name] for name in self._kept}}


def _subject(resource: Any, namespace: str) -> informer.Subject:
    decode = kubernetes.decoding(resource.kind, registrations.KINDS[resource])
    if resource.namespaced:
        labels = f"{registrations.LABEL}={registrations.VALUE}"
        return informer.Subject(resource, decode, labels, "", namespace)
    return informer.Subject(resource, decode)


def _put(table: dict[str, Any], key: str, value: Any) -> None:
    if value is None:
        table.pop(key, None)
    else:
        table[key] = value
