"""Endpoints that sit out, looked at: connections of our own say whether somebody is back.

Who is sure to be away is told to control, through the tally.

Law: one look at a time for each endpoint; what a look found is told at once.
"""

import asyncio
from typing import TYPE_CHECKING

from fedns.gateway.route import Endpoint
from fedns.proxy import blame
from fedns.proxy.directory import Service

if TYPE_CHECKING:
    from fedns.proxy.hall import Hall

REACH = 1.0  # seconds for a connection to who sits out


class Visits:
    """Of one worker."""

    def __init__(self, hall: "Hall") -> None:
        self._hall = hall
        self._tasks: set[asyncio.Task[None]] = set()
        self._told: set[Service] = set()

    def begin(self, now: float) -> None:
        """Looks at those whose time has come."""
        directory = self._hall.directory
        for service in [*directory.benched()]:
            directory.service(service.key)  # as it is by now
            for endpoint in service.bench.due(now):
                task = self._hall.loop.create_task(self._visit(service, endpoint))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
        for service in [each for each in self._told if not each.bench.busy]:
            self._tell(service)

    async def _visit(self, service: Service, endpoint: Endpoint) -> None:
        loop = self._hall.loop
        try:
            async with asyncio.timeout(REACH):
                transport, _ = await loop.create_connection(asyncio.Protocol, endpoint.address, endpoint.port)
        except OSError as error:
            service.bench.away(endpoint, self._hall.now, blame.theirs(error))
        else:
            transport.close()
            service.bench.back(endpoint)
        service.arrange()
        self._tell(service)

    def _tell(self, service: Service) -> None:
        found = service.bench.unreachable(service.pool)
        self._hall.tally.stands(service.key, found)
        if found:
            self._told.add(service)
        else:
            self._told.discard(service)
