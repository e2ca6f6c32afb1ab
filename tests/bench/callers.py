"""Clients that go where DNS says: each with a cache of its own that honours TTLs, and no second try.

`python -m tests.bench.callers PORT HOST RATE CLIENTS SECONDS DNS NAME` writes what `crowd` writes. DNS is the
port of a server at 127.0.0.1; NAME is asked for A records, which are taken in turn, for as long as their TTL
lasts and no longer. Each request has a connection of its own, since one that stays is no question of DNS.
"""

import asyncio
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from time import monotonic
from typing import Any

import dns.asyncquery
import dns.exception
import dns.message
import dns.rdatatype
import uvloop

from tests.bench import crowd

PATIENCE = 2.0
"""Seconds for an answer over UDP; then it is asked again, once."""


class Callers(crowd.Crowd):
    """All of them. `caches`: client -> until when, which addresses."""

    uses = (1,)

    def __init__(self, port: int, request: bytes, server: int, name: str) -> None:
        super().__init__(port, request)
        self.server, self.name = server, name
        self.caches: dict[int, tuple[float, tuple[str, ...]]] = {}
        self.turn = 0

    async def connect(self, number: int) -> crowd.Reply:
        until, addresses = self.caches.get(number, (0.0, ()))
        if monotonic() >= until:
            until, addresses = self.caches[number] = await self.resolved()
        self.turn += 1
        where = addresses[self.turn % len(addresses)]
        return (await asyncio.get_running_loop().create_connection(crowd.Reply, where, self.port))[1]

    async def resolved(self) -> tuple[float, tuple[str, ...]]:
        """OSError: no answer, or nobody in it."""
        query = dns.message.make_query(self.name, "A", use_edns=0)
        for _ in range(2):
            try:
                found = await dns.asyncquery.udp(query, "127.0.0.1", PATIENCE, self.server)
            except dns.exception.Timeout:
                continue
            sets = [one for one in found.answer if one.rdtype == dns.rdatatype.A]
            if sets:
                ttl = min(one.ttl for one in found.answer)
                return monotonic() + ttl, tuple(sorted(str(item) for one in sets for item in one))
        raise OSError(f"{self.name} has no address")


@contextmanager
def calling(port: int, host: str, server: int, name: str, *told: float) -> Iterator[crowd.Running]:
    """`told`: rate, clients, seconds; `server`: where DNS is."""
    rate, clients, seconds = told
    words = [str(port), host, str(rate), str(int(clients)), str(seconds), str(server), name]
    with crowd.at_work("tests.bench.callers", *words) as running:
        yield running


def main(words: Sequence[str]) -> Any:
    port, host, rate, clients, seconds, server, name = words
    callers = Callers(int(port), crowd.request(host, "/"), int(server), name)
    uvloop.run(callers.run(float(rate), int(clients), float(seconds)))
    json.dump(callers.outcomes, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1:])
