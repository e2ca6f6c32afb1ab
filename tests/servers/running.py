"""A supervisor with real workers and a stand-in control process, for scenario tests."""

import json
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fedns import tables
from fedns.dns import answers, node, wire

LONG = 20.0  # seconds; a deadline, never a pace
_APEX = b"\x07example\x03com\0"
NAME = b"\x04name" + _APEX
OLD, NEW = b"\x0a\x00\x00\x01", b"\x0a\x00\x00\x02"

_SERVE = """
import json, sys
from fedns.servers import supervisor
told = json.loads(sys.argv[1])
plan = supervisor.Plan(
    listen=tuple(map(tuple, told["listen"])), workers=told["workers"],
    state=told["state"], control=tuple(told["control"]), verify=told["verify"],
    tls=supervisor.Tls((("127.0.0.1", 0),), *told["tls"]) if told["tls"] else None,
    gateway=supervisor.Gateway((("127.0.0.1", 0),), (), told["gateway"]) if told["gateway"] else None,
)
sys.exit(supervisor.Supervisor(plan).run())
"""

PUBLISHER = """
import sys, time
sys.path.insert(0, sys.argv[2])
from fedns import tables
from tests.servers import running
writer = tables.Writer(sys.argv[1])
writer.publish({"dns": running.entries(running.NEW)}, time.time())
time.sleep(1e6)
"""


def entries(address: bytes) -> dict[bytes, bytes | None]:
    """A zone with one name of one address."""
    soa = wire.ROOT + wire.ROOT + struct.pack(">5L", 1, 3600, 900, 86400, 30)
    rrset = node.RRset(wire.A, 30, (address,))
    slot = answers.slot(NAME, [], wire.A, 30, [address])
    return {
        node.ZONES: node.encode_zones([node.Zone(_APEX, soa, 3600)]),
        node.READY: b"1",
        _APEX: node.encode(node.Node(0, node.APEX, (node.RRset(wire.NS, 60, (NAME,)),))),
        NAME: node.encode(node.Node(0, 0, (rrset,), {wire.A: slot})),
    }


def publish(state: Path, address: bytes = OLD, **more: bytes) -> None:
    """`more`: what workers go by beside the answers, by the name that it has in `tables`."""
    heads = {getattr(tables, name): value for name, value in more.items()}
    writer = tables.Writer(str(state / "tables"))
    writer.publish({"dns": {**entries(address), **heads}}, time.time())
    writer.close()


def query(name: bytes = NAME, ident: int = 7, rtype: int = 1, flags: int = 0, rclass: int = 1) -> bytes:
    """`flags`: of its OPT record."""
    opt = struct.pack(">BHHHHH", 0, 41, 1232, 0, flags, 0)
    return struct.pack(">6H", ident, 0, 1, 0, 0, 1) + name + struct.pack(">HH", rtype, rclass) + opt


@contextmanager
def sockets(host: str = "127.0.0.1") -> Iterator[tuple[socket.socket, socket.socket]]:
    """A server's UDP socket on `host` and one that asks it over loopback."""
    with socket.socket(type=socket.SOCK_DGRAM) as server, socket.socket(type=socket.SOCK_DGRAM) as asker:
        server.bind((host, 0))
        asker.settimeout(LONG)
        asker.connect(("127.0.0.1", server.getsockname()[1]))
        yield server, asker


def until(reached: Callable[[], object], what: str, seconds: float = LONG) -> None:
    deadline = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.01)


class Running:
    """A supervisor under test."""

    def __init__(self, process: subprocess.Popen[bytes], state: Path) -> None:
        self.process, self.state = process, state
        until(lambda: self.told() or process.poll() is not None, "serve.json")
        self.port: int = self.told()["listen"][0][1]

    def told(self) -> dict[str, Any]:
        try:
            told: dict[str, Any] = json.loads((self.state / "serve.json").read_text())
            return told
        except FileNotFoundError:
            return {}

    def child(self, name: str) -> int:
        return int(self.told().get("children", {}).get(name, 0))

    def replaced(self, name: str, old: int) -> int:
        until(lambda: self.child(name) not in (0, old), f"a new {name}")
        return self.child(name)

    def ask(self, packet: bytes, host: str = "127.0.0.1", port: int = 0) -> bytes:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.settimeout(LONG)
            sock.connect((host, port or self.port))
            sock.send(packet)
            return sock.recv(65535)


@contextmanager
def serving(
    state: Path,
    workers: int = 1,
    control: tuple[str, ...] = (),
    hosts: tuple[str, ...] = ("127.0.0.1",),
    verify: float = 600.0,
    tls: tuple[str, ...] = (),
    gateway: int = 0,
) -> Iterator[Running]:
    plan = {"listen": [(h, 0) for h in hosts], "workers": workers, "state": str(state), "control": control}
    plan |= {"verify": verify, "tls": tls, "gateway": gateway}
    process = subprocess.Popen([sys.executable, "-c", _SERVE, json.dumps(plan)])
    try:
        yield Running(process, state)
    finally:
        process.terminate()
        process.wait(LONG)
