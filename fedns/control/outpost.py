"""A member's cluster as one of many that are written to, and what writers need of the control process for it.

Law: nothing is written without a Lease, nor to a cluster that is not the one its name has always meant. Where
no Lease of the fleet is there, each kind of writer has its own in the member, so that none waits for another.
"""

import asyncio
from collections.abc import Iterator, Mapping
from typing import Protocol

from fedns import config, fleet
from fedns.control import known
from fedns.distribute import writer
from fedns.errors import Problem
from fedns.kube import access, client, election, lease
from fedns.sources import identity


class Asked(Protocol):
    """A member's source, as far as writers care."""

    @property
    def identity(self) -> identity.Identity: ...


class Roster(Protocol):
    """Who is a member."""

    members: dict[str, fleet.Member]

    def source(self, name: str) -> Asked | None: ...


class Parts(Protocol):
    """What is needed of the control process."""

    config: config.Config
    known: known.Known

    @property
    def roster(self) -> Roster: ...


def reached(roster: Roster) -> Mapping[str, access.Where]:
    """The members that are API servers."""
    found = ((name, fleet.where(told)) for name, told in roster.members.items())
    return {name: where for name, where in found if where is not None}


class Held:
    """A Lease, for one member."""

    def __init__(self, held: writer.Held, roster: Roster, member: str) -> None:
        self._held, self._roster, self._member = held, roster, member

    @property
    def held(self) -> bool:
        source = self._roster.source(self._member)
        known = source is not None and bool(source.identity.uid) and not source.identity.foreign
        return known and self._held.held


class Outpost:
    """One member's API server, and the Lease under which it is written to. `held`: that of the fleet; None:
    it is one of that name in the member, `own`."""

    def __init__(self, parts: Parts, member: str, held: writer.Held | None, name: str) -> None:
        self.member, self.where = member, reached(parts.roster)[member]
        self.api = client.Client(self.where, asyncio.Semaphore(client.AT_ONCE))
        self.own: lease.Lease | None = None
        if held is None:
            me = election.Election(lease.identity())
            self.own = held = lease.Lease(self.api, parts.config.fleet.namespace, name, me)
        self.lease = Held(held, parts.roster, member)

    async def run(self, task: writer.Writer) -> None:
        """Until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(task.run())
                if self.own is not None:
                    group.create_task(self.own.run())
        finally:
            await self.api.close()

    def problems(self, hint: str) -> Iterator[Problem]:
        """What keeps it from its Lease."""
        if self.own is not None and self.own.refused:
            yield Problem(str(self.where), f"{self.own.where}: {self.own.refused}", hint)
