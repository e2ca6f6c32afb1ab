"""The one of several control processes that writes to the fleet: the Lease, and the writer behind it.

Law: it is a task like a source's: what keeps it from writing is a problem, and nobody waits for it. On
SIGTERM the Lease is let go, so that another process writes at once.
"""

import asyncio
from collections.abc import Iterable, Iterator

from fedns import beat
from fedns.control import frontage
from fedns.distribute import rights, shelf, writer
from fedns.errors import Problem
from fedns.kube import client, election, lease
from fedns.servers import api as admin
from fedns.sources.change import ProblemsChange, Publish

LOOK = 1.0
"""Seconds between two looks at what is wrong."""
SOURCE = "writer"


class Scribe:
    """Takes part in the election in `namespace`, and writes while it holds the Lease. `front` None: nobody
    has to be told where the gateway is."""

    def __init__(
        self,
        api: client.Client,
        namespace: str,
        chapters: Iterable[shelf.Chapter],
        front: frontage.Frontage | None,
    ) -> None:
        self._api, self._process, self._front = api, lease.identity(), front
        self.lease = lease.Lease(api, namespace, rights.LEASE, election.Election(self._process))
        self._writer = writer.Writer(api, self.lease, [shelf.Shelf(each) for each in chapters])
        self._problems: tuple[Problem, ...] = ()

    def news(self) -> None:
        """Something may be judged otherwise."""
        self._writer.news.set()

    def told(self) -> admin.Writer:
        """How it stands."""
        counts = self._writer.outcomes
        return admin.Writer(
            self._process,
            self.lease.holder,
            self.lease.held,
            self.lease.election.record.transitions,
            self.lease.refused,
            self.lease.trouble,
            counts["written"],
            counts["failed"],
        )

    async def run(self, publish: Publish) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self.lease.run())
                group.create_task(self._writer.run())
                if self._front is not None:
                    group.create_task(self._front.run(self._api))
                group.create_task(self._telling(publish))
        finally:
            await self._api.close()

    async def _telling(self, publish: Publish) -> None:
        while True:
            found = tuple(sorted(self._found()))
            if found != self._problems:
                self._problems = found
                publish(ProblemsChange(SOURCE, found))
            await beat.sleep(LOOK)

    def _found(self) -> Iterator[Problem]:
        if self.lease.refused:
            yield Problem(str(self._api.where), f"{self.lease.where}: {self.lease.refused}", shelf.HINT)
        yield from self._writer.problems()
        yield from () if self._front is None else self._front.problems
