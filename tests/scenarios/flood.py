"""A gateway worker to be asked awkwardly: what scenario tests of HTTP/1.1 have in common."""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fedns.gateway.options import Options
from fedns.gateway.terms import Terms
from tests.proxy import backends, gateways
from tests.proxy.backends import Backend
from tests.proxy.gateways import Gateway

MIB = 1 << 20
MUCH = 200 * MIB
GET = b"GET /%b HTTP/1.1\r\nHost: shop.example.com\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: shop.example.com\r\nContent-Length: %d\r\n%b\r\n"
AGREED = Terms(linger=0.5)


@contextmanager
def up(state: Path) -> Iterator[Gateway]:
    """One that has answered already."""
    with gateways.running(state, AGREED) as made, backends.running("one") as (one,):
        serve(made, one)
        with made.client() as client:
            assert client.get().body == b"one"
        yield made


def serve(gateway: Gateway, *made: Backend, asked: Options | None = None) -> None:
    routes = gateways.table(asked) if asked is not None else gateways.table()
    gateway.publish(routes, shop=gateways.pool(list(made)))


def resident(gateway: Gateway) -> int:
    """Octets of memory that the worker has."""
    pages = int(Path(f"/proc/{gateway.process.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


class Flood:
    """Octets written as fast as they are taken; `stuck` once nothing has been taken for a while."""

    def __init__(self) -> None:
        self.sent, self.stuck = 0, threading.Event()

    def pour(self, sock: socket.socket) -> None:
        sock.settimeout(1.0)
        block = bytes(1 << 16)
        while self.sent < MUCH:
            try:
                self.sent += sock.send(block)
            except TimeoutError:
                self.stuck.set()
            except OSError:
                return


def descriptors(gateway: Gateway) -> int:
    return len(list(Path(f"/proc/{gateway.process.pid}/fd").iterdir()))
