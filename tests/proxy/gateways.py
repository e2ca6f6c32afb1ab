"""A gateway worker with real sockets around it: its tables, its process, a client of raw octets."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fedns import tables
from fedns.gateway import options, route, terms
from fedns.gateway.terms import Terms
from fedns.servers import tally
from tests.proxy.backends import LONG, Backend, Message, Wire

USUAL = Terms()
ALONE = "127.0.0.54"
"""Where nobody else comes: at 127.0.0.1, others go on asking at ports of backends that they let die."""
HOST, POOL = b"shop.example.com", b"ns/shop/80"


def pool(*tiers: list[Backend]) -> route.Pool:
    """One member per backend, all shares equal; the first tier has all the load."""
    return route.Pool(
        tuple(
            route.Tier(float(not at), tuple(_part(each, len(tier)) for each in tier))
            for at, tier in enumerate(tiers)
        )
    )


def _part(backend: Backend, beside: int) -> route.Part:
    return route.Part(backend.name, 1 / beside, (endpoint(backend, backend.name),))


def endpoint(backend: Backend, member: str) -> route.Endpoint:
    return route.Endpoint("127.0.0.1", backend.port, member, backend.name.encode())


def table(*asked: options.Options) -> route.Table:
    """One host with one rule, which the last options are for; everything else is 404."""
    shop = route.Location(b"ns/shop shop.example.com/", b"/", POOL, b"shop", options=len(asked))
    return route.Table(hosts={HOST: route.Host(prefix={b"": shop})}, options=(options.Options(), *asked))


class Gateway:
    """One worker process, and the writer of its tables."""

    def __init__(self, state: Path, agreed: Terms, secure: bool = False, address: str = "127.0.0.1") -> None:
        self.counters = str(state / "counters")
        self.writer = tables.Writer(str(state / "tables"))
        self.writer.publish({"gateway": {terms.TERMS: terms.encode(agreed)}}, time.time())
        self.listener = socket.create_server((address, 0), backlog=512)
        self.address = address
        self.port: int = self.listener.getsockname()[1]
        self._command = [sys.executable, "-m", "fedns.proxy.worker", "--table"]
        self._command += [str(state / "tables"), "--counters", self.counters]
        self.process = self._worker(self.listener, "--https-fd" if secure else "--http-fd")

    def _worker(self, listener: socket.socket, *options: str) -> "subprocess.Popen[bytes]":
        fd = listener.fileno()
        return subprocess.Popen([*self._command, *options, str(fd)], pass_fds=(fd,), env={**os.environ})

    @contextmanager
    def beside(self) -> Iterator[int]:
        """Another worker of the same gateway, at a port of its own."""
        with socket.create_server(("127.0.0.1", 0), backlog=512) as listener:
            process = self._worker(listener, "--name", "gateway-1", "--http-fd")
            try:
                yield listener.getsockname()[1]
            finally:
                process.kill()
                process.wait(LONG)

    def publish(self, routes: route.Table, **pools: route.Pool) -> None:
        """`pools` by the name of a Service in namespace `ns` with port 80."""
        entries = {route.ROUTES: route.encode(routes)}
        entries |= {
            route.SERVICE + b"ns/%b/80" % name.encode(): route.encode(each) for name, each in pools.items()
        }
        self.writer.publish({"gateway": entries}, time.time())

    @contextmanager
    def client(self, port: int = 0) -> Iterator["Client"]:
        with socket.create_connection((self.address, port or self.port), LONG) as sock:
            yield Client(sock, bytearray())

    def ask(self, raw: bytes) -> bytes:
        """All that comes back for these octets, until the gateway ends the connection."""
        with self.client() as client:
            client.send(raw)
            return client.rest()

    def counted(self, what: str) -> int:
        return tally.traffic(self.counters)[1].get(what, 0)

    def stop(self) -> None:
        self.process.kill()
        self.process.wait(LONG)
        self.listener.close()
        self.writer.close()


class Client(Wire):
    """A connection to the gateway."""

    def get(self, target: bytes = b"/", fields: bytes = b"", method: bytes = b"GET") -> Message:
        self.send(b"%b %b HTTP/1.1\r\nHost: %b\r\n%b\r\n" % (method, target, HOST, fields))
        return self.head() if method == b"HEAD" else self.message()

    def head_of(self, raw: bytes) -> Message:
        """The head of the answer to these octets."""
        self.send(raw)
        return self.head()

    def rest(self) -> bytes:
        """What comes until the end."""
        found = bytearray(self._rest)
        while data := self.sock.recv(65536):
            found += data
        return bytes(found)


@contextmanager
def running(
    state: Path, agreed: Terms = USUAL, secure: bool = False, address: str = "127.0.0.1"
) -> Iterator[Gateway]:
    made = Gateway(state, agreed, secure, address)
    try:
        yield made
    finally:
        made.stop()
