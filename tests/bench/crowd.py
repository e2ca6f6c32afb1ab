"""Clients of the gateway: many connections that keep a rate together, and what became of each request.

`python -m tests.bench.crowd PORT HOST RATE CONNECTIONS SECONDS [TARGET]` writes one JSON list per request:
begun, ended (seconds of the monotonic clock, the same in all processes), status (0: the connection broke, -1:
no answer in time), and who answered. SIGTERM ends it early. Half of the connections are used for ever, a
quarter for twenty requests, a quarter for one. A process of its own, so that it is never what is measured.
"""

import asyncio
import contextlib
import json
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Any, NamedTuple, cast

import httptools
import uvloop

ROOT = Path(__file__).resolve().parents[2]
LATE = 30.0  # seconds without an answer
BROKEN, SILENT = 0, -1
USES = (0, 0, 20, 1)  # requests per connection, of each four; 0: any number


class Outcome(NamedTuple):
    """What became of one request."""

    begun: float
    ended: float
    status: int
    who: str

    @property
    def good(self) -> bool:
        return self.status == 200

    @property
    def member(self) -> str:
        return self.who.partition("-")[0]


class Reply(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self) -> None:
        self.parser = httptools.HttpResponseParser(self)
        self.transport: asyncio.Transport = cast(asyncio.Transport, None)
        self.done: asyncio.Future[int] | None = None
        self.body, self.open = b"", True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self.open = False
        self._finish(BROKEN)

    def data_received(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError:
            self._finish(BROKEN)

    def on_body(self, piece: bytes) -> None:
        self.body += piece

    def on_message_complete(self) -> None:
        self.open = self.open and self.parser.should_keep_alive()
        self._finish(self.parser.get_status_code())

    def _finish(self, status: int) -> None:
        if self.done is not None and not self.done.done():
            self.done.set_result(status)

    async def ask(self, request: bytes) -> tuple[int, str]:
        self.done, self.body = asyncio.get_running_loop().create_future(), b""
        self.transport.write(request)
        try:
            async with asyncio.timeout(LATE):
                status = await self.done
        except TimeoutError:
            status = SILENT
            self.open = False
        return status, self.body.decode("latin-1")


class Crowd:
    """All connections of one run."""

    uses: Sequence[int] = USES

    def __init__(self, port: int, request: bytes) -> None:
        self.port, self.request = port, request
        self.outcomes: list[Outcome] = []
        self.until = 0.0

    async def connect(self, number: int) -> Reply:
        """A new connection of that client. OSError"""
        return (await asyncio.get_running_loop().create_connection(Reply, "127.0.0.1", self.port))[1]

    async def one(self, number: int, first: float, pace: float) -> None:
        """One client: a request each `pace` seconds, or as soon as it can when it is late."""
        uses, used = self.uses[number % len(self.uses)], 0
        reply: Reply | None = None
        due = first
        while due < self.until:
            wait = due - monotonic()
            if wait > 0:
                await asyncio.sleep(wait)
            due += pace
            begun = monotonic()
            if reply is None or not reply.open or (uses and used >= uses):
                if reply is not None:
                    reply.transport.close()
                reply, used = None, 0
                with contextlib.suppress(OSError):
                    reply = await self.connect(number)
            status, who = BROKEN, ""
            if reply is not None:
                status, who = await reply.ask(self.request)
            used += 1
            self.outcomes.append(Outcome(begun, monotonic(), status, who[:40]))

    async def run(self, rate: float, connections: int, seconds: float) -> None:
        start, pace = monotonic() + 0.1, connections / rate
        self.until = start + seconds
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self.end)
        spread = [start + number * pace / connections for number in range(connections)]
        await asyncio.gather(*(self.one(number, at, pace) for number, at in enumerate(spread)))

    def end(self) -> None:
        """No further requests."""
        self.until = 0.0


class Running:
    """A crowd under way; `outcomes` waits for its end."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self.process = process

    def outcomes(self) -> list[Outcome]:
        told, _ = self.process.communicate(timeout=600)
        return [Outcome(*row) for row in json.loads(told)]

    def stop(self) -> list[Outcome]:
        """All that there were until now."""
        self.process.terminate()
        return self.outcomes()


@contextmanager
def asking(port: int, host: str, *told: float, target: str = "/") -> Iterator[Running]:
    """`told`: rate, connections, seconds."""
    rate, connections, seconds = told
    words = [str(port), host, str(rate), str(int(connections)), str(seconds), target]
    with at_work("tests.bench.crowd", *words) as running:
        yield running


@contextmanager
def at_work(module: str, *words: str) -> Iterator[Running]:
    """A program of clients, whichever."""
    command = [sys.executable, "-m", module, *words]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT)
    try:
        yield Running(process)
    finally:
        process.kill()
        process.wait()


def request(host: str, target: str) -> bytes:
    return f"GET {target} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: crowd\r\n\r\n".encode()


def main(words: Sequence[str]) -> Any:
    port, host, rate, connections, seconds, target = words
    crowd = Crowd(int(port), request(host, target))
    uvloop.run(crowd.run(float(rate), int(connections), float(seconds)))
    json.dump(crowd.outcomes, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1:])
