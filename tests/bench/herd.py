"""Backends that cost little: one process per member, with a replica at each of several loopback addresses.

`python -m tests.bench.herd NAME PORT ADDRESS...` answers each request with `NAME-REPLICA`, so that who served
is seen; kill -9 of it is the death of a member, SIGSTOP a member that accepts and keeps silent. `/slow` is
answered after a while, `/download` is a long body, and an upgrade is granted and echoed.
"""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import cast

import httptools
import uvloop

ROOT = Path(__file__).resolve().parents[2]
SLOW = 0.02  # seconds
PIECE, PIECES, PAUSE = b"x" * 1000, 60, 0.05  # of /download
SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"


class Replica(asyncio.Protocol):
    """One connection."""

    def __init__(self, name: bytes) -> None:
        self.answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(name), name)
        self.transport: asyncio.Transport = cast(asyncio.Transport, None)
        self.parser = httptools.HttpRequestParser(self)
        self.target, self.echoes = b"", False
        self.tasks: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self.echoes:
            self.transport.write(data)
            return
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self.echoes = True
            self.transport.write(SWITCHED)
        except httptools.HttpParserError:
            self.transport.abort()

    def on_message_begin(self) -> None:
        self.target = b""

    def on_url(self, text: bytes) -> None:
        self.target += text

    def on_message_complete(self) -> None:
        if self.parser.should_upgrade():
            return
        if self.target in (b"/slow", b"/download"):
            task = asyncio.get_running_loop().create_task(self.slowly())
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)
        else:
            self.transport.write(self.answer)

    async def slowly(self) -> None:
        if self.target == b"/slow":
            await asyncio.sleep(SLOW)
            self.transport.write(self.answer)
            return
        self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (len(PIECE) * PIECES))
        for _ in range(PIECES):
            self.transport.write(PIECE)
            await asyncio.sleep(PAUSE)

    def connection_lost(self, exc: Exception | None) -> None:
        for task in self.tasks:
            task.cancel()


async def serve(name: str, port: int, addresses: Sequence[str]) -> None:
    loop = asyncio.get_running_loop()
    for number, address in enumerate(addresses, 1):
        said = f"{name}-{number}".encode()
        await loop.create_server(lambda said=said: Replica(said), address, port, backlog=4096)  # type: ignore[misc]
    print("ready", flush=True)
    await loop.run_in_executor(None, sys.stdin.buffer.read)


class Herd:
    """The replicas of one member, as whoever started them sees them."""

    def __init__(self, name: str, port: int, addresses: Iterable[str]) -> None:
        self.name, self.port, self.addresses = name, port, tuple(addresses)
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "tests.bench.herd", self.name, str(self.port), *self.addresses]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, cwd=ROOT)
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == b"ready\n"

    def signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        os.kill(self.process.pid, number)

    def kill(self) -> None:
        """kill -9; also of one that has ended."""
        process, self.process = self.process, None
        if process is not None:
            process.kill()
            process.communicate()


@contextlib.contextmanager
def running(port: int, **members: Sequence[str]) -> Iterator[dict[str, Herd]]:
    """Members by name, and the addresses of their replicas."""
    made: dict[str, Herd] = {}
    try:
        for name, addresses in members.items():
            made[name] = Herd(name, port, addresses)
        yield made
    finally:
        for each in made.values():
            each.kill()


if __name__ == "__main__":
    uvloop.run(serve(sys.argv[1], int(sys.argv[2]), sys.argv[3:]))
