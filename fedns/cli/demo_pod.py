"""`fedns demo pod`: a command as a pod of one of the demo's members would run it.

Law: a pod is a network and a mount namespace that vanish with the command. Nothing leads out of them but
sockets that the room inside hands over: what is asked of them goes on to the demo, from an address that is
one of the member's `clients`. Where there can be no namespaces the same is asked with `dig +subnet`.
"""

import contextlib
import json
import os
import shutil
import signal
import socket
import socketserver
import struct
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

from fedns import values
from fedns.cli import demo_fleet

SERVER = values.Address("10.96.0.10", 53)
"""Where a pod finds DNS: the address that clusters commonly give it."""
RESOLV = f"""\
search {demo_fleet.NAMESPACE}.svc.cluster.local svc.cluster.local cluster.local
nameserver {SERVER.host}
options ndots:5
"""
NEEDED = ("unshare", "ip", "mount")
PATIENCE = 2.0
PIECE = 65536
RECURSION = 0x80


class Room(NamedTuple):
    """What is made inside: addresses, sockets of DNS over UDP and of streams, the resolv.conf."""

    addresses: list[str]
    datagrams: list[values.Address]
    streams: list[values.Address]
    resolv: str


class Onward(NamedTuple):
    """Where what comes to a socket of the room goes, and from which address."""

    target: values.Address
    source: str


def obstacle() -> str:
    """Why there can be no pod here; empty where there can."""
    missing = [each for each in NEEDED if shutil.which(each, path=_path()) is None]
    if missing:
        return f"{', '.join(missing)} not installed"
    tried = subprocess.run([*_unshare(), "true"], capture_output=True, text=True, check=False)
    return tried.stderr.strip().removeprefix("unshare: ") if tried.returncode else ""


def answers(dns: values.Address) -> bool:
    """Whether a demo's DNS is there."""
    asked = struct.pack(">6H", 1, 0, 1, 0, 0, 0) + b"\0\0\x06\0\x01"  # . SOA
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.settimeout(PATIENCE)
        try:
            asking.connect(dns)
            asking.send(asked)
            return bool(asking.recv(PIECE))
        except OSError:
            return False


def run(site: demo_fleet.Site, dns: values.Address, port: int, command: Sequence[str]) -> int:
    """The command in a pod of the site; its exit status. Raises OSError."""
    routes = {values.Address(site.cluster_address, port): values.Address(site.address, port)}
    routes |= {
        values.Address(each.address, port): values.Address(each.address, port) for each in demo_fleet.SITES
    }
    with tempfile.NamedTemporaryFile("w", prefix="resolv-", suffix=".conf") as resolv:
        resolv.write(RESOLV)
        resolv.flush()
        addresses = [SERVER.host, site.cluster_address, site.pod(demo_fleet.GUEST)]
        room = Room(addresses, [SERVER], [SERVER, *routes], resolv.name)
        with _entered(room, command) as (process, sockets), ExitStack() as relays:
            asking = Onward(dns, site.guest)
            onward = [asking, asking, *(Onward(target, "") for target in routes.values())]
            for one, goes in zip(sockets, onward, strict=True):
                relays.enter_context(relaying(one, goes))
            return process.wait()


def equivalent(site: demo_fleet.Site, dns: values.Address, command: Sequence[str]) -> list[str]:
    """The same question to dig, without a namespace: for the last word that is no option."""
    names = [word for word in command[1:] if not word.startswith(("-", "+", "@"))]
    name = names[-1] if names else demo_fleet.SHORT
    whole = name if name.endswith(".") else f"{name}.svc.cluster.local"
    subnet = f"+subnet={site.pod(demo_fleet.GUEST)}/32"
    return ["dig", f"@{dns.host}", "-p", str(dns.port), subnet, "+noall", "+answer", whole]


@contextmanager
def _entered(
    room: Room, command: Sequence[str]
) -> Iterator[tuple["subprocess.Popen[bytes]", list[socket.socket]]]:
    """The command at work in its room, and the room's sockets. Ctrl-C is for the command alone."""
    here, there = socket.socketpair()
    words = [sys.executable, "-m", "fedns.cli.demo_room", str(there.fileno()), json.dumps(room), *command]
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with here:
            process = subprocess.Popen([*_unshare(), *words], pass_fds=[there.fileno()], env=_environment())
            there.close()
            count = len(room.datagrams) + len(room.streams)
            said, fds, _, _ = socket.recv_fds(here, PIECE, count)
        if len(fds) != count:
            process.wait()
            raise OSError(said.decode() or "the pod ended before it began")
        sockets = [socket.socket(fileno=fd) for fd in fds]
        yield process, sockets
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def relaying(one: socket.socket, onward: Onward) -> Iterator[None]:
    """What comes to the socket goes on until the end of the block."""
    relay = (_Streams if one.type == socket.SOCK_STREAM else _Datagrams)(one, onward)
    threading.Thread(target=relay.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    with contextlib.closing(one):
        try:
            yield
        finally:
            relay.shutdown()


class _Stream(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        onward = self.server.onward  # type: ignore[attr-defined]
        source = (onward.source, 0) if onward.source else None
        with (
            contextlib.suppress(OSError),
            socket.create_connection(onward.target, PATIENCE, source) as outside,
        ):
            outside.settimeout(None)
            back = threading.Thread(target=_pour, args=(outside, self.request), daemon=True)
            back.start()
            _pour(self.request, outside)
            back.join()


class _Datagram(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        onward, (asked, inside) = self.server.onward, self.request  # type: ignore[attr-defined]
        with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as outside:
            outside.settimeout(PATIENCE)
            outside.bind((onward.source, 0))
            outside.connect(onward.target)
            outside.send(asked)
            inside.sendto(recursive(outside.recv(PIECE)), self.client_address)


def recursive(reply: bytes) -> bytes:
    """With RA: a pod's DNS, for which this stands, offers recursion; nslookup complains of who does not."""
    return reply[:3] + bytes((reply[3] | RECURSION,)) + reply[4:] if len(reply) > 3 else reply


class _Streams(socketserver.ThreadingTCPServer):
    daemon_threads = True

    def __init__(self, one: socket.socket, onward: Onward) -> None:
        super().__init__(one.getsockname(), _Stream, bind_and_activate=False)
        self.socket.close()
        self.socket, self.onward = one, onward


class _Datagrams(socketserver.ThreadingUDPServer):
    daemon_threads = True
    max_packet_size = PIECE

    def __init__(self, one: socket.socket, onward: Onward) -> None:
        super().__init__(one.getsockname(), _Datagram, bind_and_activate=False)
        self.socket.close()
        self.socket, self.onward = one, onward


def _pour(source: socket.socket, target: socket.socket) -> None:
    """All that one says goes to the other."""
    with contextlib.suppress(OSError):
        while piece := source.recv(PIECE):
            target.sendall(piece)
        target.shutdown(socket.SHUT_WR)


def _unshare() -> list[str]:
    rooted = [] if os.geteuid() == 0 else ["--map-root-user"]
    return ["unshare", "--net", "--mount", *rooted, "--"]


def _path() -> str:
    return os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"))


def _environment() -> dict[str, Any]:
    return {**os.environ, "PATH": _path()}
