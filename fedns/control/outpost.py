"""A member's cluster as one of many that are written to, and what writers need of the control process for it.

Law: nothing is written without a Lease, nor to a cluster that is not the one its name has always meant: each
client sees for itself, since each reads its kubeconfig anew at a time of its own. Where no Lease of the fleet
is there, each kind of writer has its own in the member, so that none waits for another.
"""

import asyncio
from collections.abc import Iterator, Mapping
from typing import Protocol

from fedns import config, fleet
from fedns.control import known
from fedns.distribute import writer
from fedns.errors import Problem
from fedns.kube import access, client, election, lease
from fedns.model import facts
from fedns.sources import identity

STRANGER = "nothing is brought there before its API server has said which cluster it is"
FOREIGN = "this is another cluster than its name has always meant: nothing is brought there"
FOLLOWS = "this process does not hold the Lease, and writes nothing"


class Asked(Protocol):
    """A member's source, as far as writers care."""

    @property
    def identity(self) -> identity.Identity: ...


class Roster(Protocol):
    """Who is a member."""

    members: dict[str, fleet.Member]

    def source(self, name: str) -> Asked | None: ...

    @property
    def home(self) -> str | None: ...


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


def seen(parts: Parts) -> tuple[object, ...]:
    """All by which it is judged who is a member, where, and what it is like."""
    told = ((name, one, _uid(parts.roster, name)) for name, one in parts.roster.members.items())
    return parts.roster.home, [(row, _like(parts.known.members.get(row[0]))) for row in told]


def _like(says: facts.MemberFacts | None) -> tuple[object, ...]:
    return () if says is None else (says.region, says.zones, says.api)


def home(parts: Parts, name: str) -> bool:
    """Whether a member is the fleet's own cluster, as far as anybody knows."""
    where, uid = fleet.where(parts.roster.members[name]), _uid(parts.roster, name)
    same = where is not None and where == fleet.where(parts.config.fleet)
    return same or bool(uid and uid == parts.roster.home)


def apart(roster: Roster) -> Mapping[str, access.Where]:
    """The members that are API servers, and known to be other clusters than the fleet's."""
    uids = {name: _uid(roster, name) for name in roster.members}
    found = reached(roster)
    if roster.home is None:
        return found
    return {
        name: where for name, where in found.items() if uids[name] and roster.home not in ("", uids[name])
    }


class Held:
    """A Lease, for one member. `own`: it is in the member itself."""

    def __init__(
        self, held: writer.Held, roster: Roster, member: str, own: lease.Lease | None = None
    ) -> None:
        self._held, self._roster, self._member, self._own = held, roster, member, own

    @property
    def held(self) -> bool:
        return not self.lacks

    @property
    def doubt(self) -> str:
        """What is wrong with which cluster it is; empty: it is the right one."""
        source = self._roster.source(self._member)
        if source is None or not source.identity.uid:
            return STRANGER
        return FOREIGN if source.identity.foreign else ""

    @property
    def lacks(self) -> str:
        """Why nothing is written; empty: it may be."""
        return self.doubt or ("" if self._held.held else self._follows())

    def _follows(self) -> str:
        if self._own is None:
            return FOLLOWS
        if self._own.trouble:
            return f"{self._own.where} there cannot be had: {self._own.trouble}"
        return f"{self._own.holder} holds {self._own.where} there" if self._own.holder else FOLLOWS


def _uid(roster: Roster, member: str) -> str:
    """Of the cluster that a member has always been."""
    source = roster.source(member)
    return source.identity.uid if source is not None else ""


class Outpost:
    """One member's API server, and the Lease under which it is written to. `held`: that of the fleet; None:
    it is one of that name in the member, `own`."""

    def __init__(self, parts: Parts, member: str, held: writer.Held | None, name: str) -> None:
        self.member, self.where = member, reached(parts.roster)[member]
        self.api = client.Client(self.where, asyncio.Semaphore(client.AT_ONCE))
        self.api.cluster = lambda: _uid(parts.roster, member)
        self.own: lease.Lease | None = None
        if held is None:
            me = election.Election(lease.identity())
            self.own = held = lease.Lease(self.api, parts.config.fleet.namespace, name, me)
        self.lease = Held(held, parts.roster, member, self.own)

    @property
    def asked(self) -> bool:
        """Whether it may be asked what it has: by who writes, or may do so."""
        return self.lease.held or (self.own is not None and not self.lease.doubt)

    async def run(self, task: writer.Writer) -> None:
        """Until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(task.run())
                if self.own is not None:
                    group.create_task(self.own.run())
        finally:
            await self.api.close()

    @property
    def refused(self) -> str:
        """Why its own Lease is not given to it; empty: it is, or there is none."""
        return f"{self.own.where}: {self.own.refused}" if self.own is not None and self.own.refused else ""

    def problems(self, hint: str) -> Iterator[Problem]:
        """What keeps it from its Lease."""
        if self.refused:
            yield Problem(str(self.where), self.refused, hint)
