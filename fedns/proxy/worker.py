"""One gateway worker process: listeners it inherits, tables it reads, nothing else.

Law: single thread, one uvloop. It never waits for anyone: while the tables are absent it answers 503 and
looks again every second; damaged tables end it with exit code 65, for the supervisor to sort out. SIGTERM: no
new connections, what is under way ends, exit 0; the same when connections are to begin otherwise.
"""

import argparse
import asyncio
import contextlib
import gc
import logging
import os
import signal
import socket
import sys
from collections.abc import Sequence
from time import monotonic

import uvloop

from fedns import logs, tables
from fedns.proxy import identity
from fedns.proxy.directory import Directory
from fedns.proxy.doorman import Doorman
from fedns.proxy.hall import Hall
from fedns.proxy.inbound import Inbound
from fedns.proxy.visits import Visits
from fedns.servers.tally import Tally

TICK = 0.1  # seconds: how precise deadlines are
STALL = 0.5  # seconds without a tick: what clients have sent meanwhile is read before any of them is late
LOOK = 1.0  # seconds between looks at the tables' file
FINISH = 8.0  # seconds that exchanges get after SIGTERM; the supervisor waits 10
BACKLOG = 4096
GARBAGE = 20_000  # things made before cycles among them are looked for: requests leave none

_log = logging.getLogger("fedns.gateway_worker")


class Worker:
    """Everything one process owns."""

    def __init__(self, loop: asyncio.AbstractEventLoop, directory: Directory, tally: Tally) -> None:
        self.hall = Hall(loop, directory, tally)
        self._loop = loop
        self._servers: list[asyncio.Server | Doorman] = []
        self._proxied = directory.terms.proxied
        self._looked, self._late = 0.0, False
        self._visits = Visits(self.hall)

    async def listen(self, sock: socket.socket, secure: bool = False) -> None:
        hall = self.hall
        if secure or self._proxied:
            self._servers.append(Doorman(hall, hall.seals, sock, secure))
            return
        here = identity.Peer("", sock.getsockname()[1], False)
        made = await self._loop.create_server(lambda: Inbound(hall, here), sock=sock, backlog=BACKLOG)
        self._servers.append(made)

    def tick(self) -> None:
        hall = self.hall
        now = monotonic()
        self._late, hall.now = now - hall.now > STALL and not self._late, now
        for each in [each for each in hall.clients if each.due < now and not self._late]:
            each.expire()
        hall.directory.look()
        hall.renew()
        self._visits.begin(now)
        if now - self._looked >= LOOK or not hall.directory.ready:
            self._looked = now
            hall.directory.open()
            hall.directory.forget()
            hall.directory.remember(hall.tally.tries, now)
            hall.depot.sweep(now)
            hall.aside.depot.sweep(now)
            if hall.log is not None:
                hall.log.flush()

    async def run(self) -> None:
        stop = asyncio.Event()
        self._loop.add_signal_handler(signal.SIGTERM, stop.set)
        self._loop.add_signal_handler(signal.SIGINT, lambda: None)  # the supervisor's to pass on
        while not stop.is_set() and self.hall.terms.proxied == self._proxied:
            self.tick()
            try:
                async with asyncio.timeout(TICK):
                    await stop.wait()
            except TimeoutError:
                continue
        await self._finish()

    async def _finish(self) -> None:
        """Nobody new; idle connections are closed, others after their answer."""
        hall = self.hall
        hall.draining = True
        for server in self._servers:
            server.close()
        until = monotonic() + FINISH
        while hall.clients and monotonic() < until:
            for each in list(hall.clients):
                each.retire()
            self.tick()
            await asyncio.sleep(TICK / 5)
        hall.mirrors.close()
        hall.admission.passwords.close()
        hall.aside.depot.close()
        hall.depot.close()
        if hall.log is not None:
            hall.log.close()


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="fedns.proxy.worker", description="one gateway worker")
    parser.add_argument("--table", required=True, help="directory of the tables")
    parser.add_argument("--counters", required=True, help="directory of the workers' counters")
    parser.add_argument("--name", default="gateway-0", help="which worker this is, in logs and counters")
    parser.add_argument("--http-fd", type=int, action="append", default=[], help="an inherited listener")
    parser.add_argument("--https-fd", type=int, action="append", default=[], help="the same, for TLS")
    return parser.parse_args(arguments)


async def serve(options: argparse.Namespace) -> None:
    with contextlib.suppress(OSError):  # without the directory nothing is counted
        os.makedirs(options.counters, exist_ok=True)
    tally = Tally(os.path.join(options.counters, options.name))
    worker = Worker(asyncio.get_running_loop(), Directory(options.table), tally)
    for fd in options.http_fd:
        await worker.listen(socket.socket(fileno=fd))
    for fd in options.https_fd:
        await worker.listen(socket.socket(fileno=fd), secure=True)
    gc.set_threshold(GARBAGE, 20, 20)
    gc.collect()
    gc.freeze()  # what was loaded stays: later collections need not look at it
    await worker.run()


def main(arguments: Sequence[str]) -> int:
    options = parse(arguments)
    logs.setup(options.name)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve(options))
    except tables.DAMAGE as error:
        _log.error("the tables are damaged: %s", error)
        return tables.CORRUPT_EXIT
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
