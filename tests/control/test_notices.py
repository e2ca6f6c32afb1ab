"""Notices to a secondary that really listens: coalesced, repeated, signed."""

import asyncio
import socket
import time
from collections.abc import Callable, Coroutine
from typing import Any

import dns.message
import dns.name
import dns.opcode
import dns.tsig

from fedns import replicas
from fedns.control import notices
from fedns.dns import node, wire
from tests.servers import running

APEX = b"\x07example\0"
SECRET = bytes(range(32))


Told = Callable[[notices.Notices], Coroutine[Any, Any, None]]


class Secondary:
    """A UDP socket that answers notices, but for the first `deaf` ones."""

    def __init__(self, deaf: int = 0) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.setblocking(False)
        self.deaf = deaf
        self.news = asyncio.Queue[None]()
        self.outcomes: list[str] = []
        self.heard: list[dns.message.Message] = []

    async def run(self, keyring: dict[dns.name.Name, dns.tsig.Key]) -> None:
        loop = asyncio.get_running_loop()
        while True:
            packet, peer = await loop.sock_recvfrom(self.socket, 4096)
            self.heard.append(dns.message.from_wire(packet, keyring=keyring))
            self.news.put_nowait(None)
            if len(self.heard) > self.deaf:
                await loop.sock_sendto(self.socket, packet[:2] + b"\xa4\0" + packet[4:], peer)

    def serials(self) -> list[int]:
        return [each.answer[0][0].serial for each in self.heard]


def zone(serial: int) -> node.Zone:
    return node.Zone(APEX, wire.ROOT + wire.ROOT + serial.to_bytes(4, "big") + bytes(16), 30)


def settings(secondary: Secondary, key: bool = False) -> replicas.Transfer:
    name = "k" if key else ""
    target = replicas.Target(*secondary.socket.getsockname(), name)
    keys = (replicas.Key("k", secret=SECRET),) if key else ()
    return replicas.Transfer(keys=keys, notify=(target,))


def run(
    secondary: Secondary, key: bool, told: Callable[[notices.Notices], Coroutine[Any, Any, None]]
) -> None:
    keyring = {dns.name.from_text("k"): dns.tsig.Key("k", SECRET, "hmac-sha256")}

    async def both() -> None:
        made = notices.Notices(settings(secondary, key), secondary.outcomes.append)
        tasks = [asyncio.ensure_future(each) for each in (made.run(), secondary.run(keyring))]
        try:
            await asyncio.wait_for(told(made), running.LONG)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            secondary.socket.close()

    asyncio.run(both())


async def heard(secondary: Secondary, serial: int) -> None:
    while serial not in secondary.serials():
        await secondary.news.get()


def test_many_changes_are_few_notices() -> None:
    secondary = Secondary()

    async def told(made: notices.Notices) -> None:
        for serial in range(1, 51):
            made.tell([zone(serial)])
            await asyncio.sleep(0)
        await heard(secondary, 50)

    run(secondary, False, told)
    assert len(secondary.heard) <= 2 and secondary.heard[-1].opcode() == dns.opcode.NOTIFY


def test_who_does_not_answer_is_told_again() -> None:
    secondary = Secondary(deaf=1)

    async def told(made: notices.Notices) -> None:
        made.tell([zone(7)])
        for _ in range(2):
            await secondary.news.get()

    run(secondary, False, told)
    assert secondary.serials() == [7, 7] and secondary.outcomes[:2] == ["sent", "sent"]


def test_a_zone_that_stays_is_not_told() -> None:
    secondary = Secondary()

    async def told(made: notices.Notices) -> None:
        made.tell([zone(7)])
        await heard(secondary, 7)
        made.tell([zone(7)])
        made.tell([zone(8)])
        await heard(secondary, 8)

    run(secondary, False, told)
    assert secondary.serials() == [7, 8]


def test_with_a_key_it_is_signed() -> None:
    secondary = Secondary()

    async def told(made: notices.Notices) -> None:
        made.tell([zone(7)])
        await heard(secondary, 7)

    run(secondary, True, told)
    assert secondary.heard[0].had_tsig and abs(secondary.heard[0].tsig[0].time_signed - time.time()) < 60
