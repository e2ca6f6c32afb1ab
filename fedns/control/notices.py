"""Tells secondaries that zones have changed: a task for each zone and secondary.

Law: coalesced: a zone is told of at most once per PACE, with its serial of then; told again with growing
delays until the secondary answers, or TRIES are over (it looks by itself at the SOA's refresh). Losing a
notice costs time, never data, so nothing here stops the control process.
"""

import asyncio
import logging
import os
import time
from collections.abc import Callable, Mapping, Sequence

from fedns import logs, replicas
from fedns.dns import node, notify, tsig, zones

PACE = 0.5  # seconds between two notices of one zone to one secondary
TRIES = 5
FIRST = 1.0  # seconds until the second try; doubled from try to try

log = logging.getLogger("fedns.notices")


class _Post(asyncio.DatagramProtocol):
    """Replies by the identifier that they carry."""

    def __init__(self) -> None:
        self.awaited: dict[int, asyncio.Future[None]] = {}

    def datagram_received(self, data: bytes, addr: object) -> None:
        ident = int.from_bytes(data[:2], "big")
        future = self.awaited.get(ident)
        if future is not None and not future.done() and notify.acknowledged(data, ident):
            future.set_result(None)

    def error_received(self, exc: Exception) -> None:
        return None  # refused for now: the next try tells


class Notices:
    """All secondaries that are to be told."""

    def __init__(self, settings: replicas.Transfer, count: Callable[[str], None]) -> None:
        self._count = count
        self._targets = settings.notify
        self._keys: Mapping[str, tsig.Key] = replicas.secrets(settings)
        self._zones: dict[bytes, node.Zone] = {}
        self._changed: dict[tuple[replicas.Target, bytes], asyncio.Event] = {}
        self._fresh = asyncio.Event()

    def tell(self, served: Sequence[node.Zone]) -> None:
        """What is served now; secondaries hear of the zones whose SOA is another."""
        now = {zone.apex: zone for zone in served}
        for apex, zone in now.items() if self._targets else ():
            if self._zones.get(apex) != zone:
                self._raise(apex)
        self._zones = now

    def _raise(self, apex: bytes) -> None:
        for target in self._targets:
            event = self._changed.get((target, apex))
            if event is None:
                event = self._changed[target, apex] = asyncio.Event()
                self._fresh.set()
            event.set()

    async def run(self) -> None:
        """Until cancelled."""
        begun: set[tuple[replicas.Target, bytes]] = set()
        async with asyncio.TaskGroup() as group:
            while True:
                await self._fresh.wait()
                self._fresh.clear()
                for pair in self._changed.keys() - begun:
                    begun.add(pair)
                    group.create_task(self._watch(*pair))

    async def _watch(self, target: replicas.Target, apex: bytes) -> None:
        changed = self._changed[target, apex]
        while True:
            await changed.wait()
            try:
                await self._deliver(target, apex, changed)
            except OSError as error:
                log.info("a secondary cannot be notified", extra=_about(target, apex, error=str(error)))
            await asyncio.sleep(PACE)

    async def _deliver(self, target: replicas.Target, apex: bytes, changed: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        remote = (target.host, target.port)
        transport, post = await loop.create_datagram_endpoint(_Post, remote_addr=remote)
        try:
            for attempt in range(TRIES):
                changed.clear()
                zone = self._zones.get(apex)
                if zone is None:
                    return
                self._count("sent")
                if await self._ask(target, zone, (transport, post, FIRST * 2**attempt)):
                    self._count("answered")
                    return
            self._count("unanswered")
            log.info("a secondary does not answer notices", extra=_about(target, apex))
        finally:
            transport.close()

    async def _ask(
        self,
        target: replicas.Target,
        zone: node.Zone,
        how: tuple[asyncio.DatagramTransport, _Post, float],
    ) -> bool:
        transport, post, patience = how
        ident = int.from_bytes(os.urandom(2), "big")
        post.awaited = {ident: asyncio.get_running_loop().create_future()}
        packet = notify.request(zone, ident)
        transport.sendto(notify.signed(packet, self._keys.get(target.key), time.time()))
        done, _ = await asyncio.wait(post.awaited.values(), timeout=patience)
        return bool(done)


def _about(target: replicas.Target, apex: bytes, **more: str) -> dict[str, object]:
    return logs.fields(secondary=f"{target.host}:{target.port}", zone=zones.text(apex), **more)
