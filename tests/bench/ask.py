"""Questions over UDP for a bench: cheap enough to ask thousands a second beside what is measured."""

import socket
import struct
import time
from typing import NamedTuple

A = 1
OPT = b"\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x00"
"""An EDNS OPT record as resolvers send it: 1232 bytes, no flags (RFC 6891)."""


class Answer(NamedTuple):
    """`addresses` of all A records; `doubled` where one stands in the answer more than once."""

    rcode: int
    addresses: frozenset[str]
    doubled: bool


def query(name: str, ident: int) -> bytes:
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return struct.pack(">HHHHHH", ident, 0x0100, 1, 0, 0, 1) + labels + b"\0\0\x01\0\x01" + OPT


def skip_name(packet: bytes, at: int) -> int:
    while packet[at]:
        if packet[at] >= 0xC0:
            return at + 2
        at += 1 + packet[at]
    return at + 1


def parse(packet: bytes) -> Answer:
    """Raises IndexError or struct.error for a packet that is not whole."""
    flags, count = struct.unpack_from(">H2xH", packet, 2)
    at = skip_name(packet, 12) + 4
    addresses: list[str] = []
    for _ in range(count):
        at = skip_name(packet, at)
        kind, size = struct.unpack_from(">H6xH", packet, at)
        at += 10
        if kind == A:
            addresses.append(socket.inet_ntoa(packet[at : at + 4]))
        at += size
    unique = frozenset(addresses)
    return Answer(flags & 15, unique, len(unique) < len(addresses))


class Asker:
    """Asks one server from several sockets in turn, so that every worker is heard."""

    def __init__(self, port: int, sockets: int = 8, timeout: float = 1.0) -> None:
        self._sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(sockets)]
        self._asked = 0
        self.lost = 0
        for sock in self._sockets:
            sock.settimeout(timeout)
            sock.connect(("127.0.0.1", port))

    def ask(self, name: str) -> Answer | None:
        """The answer, or None (and `lost` is one more) where none came in time."""
        self._asked += 1
        ident = self._asked & 0xFFFF
        sock = self._sockets[self._asked % len(self._sockets)]
        try:
            sock.send(query(name, ident))
            packet = sock.recv(4096)
            while struct.unpack_from(">H", packet)[0] != ident:
                packet = sock.recv(4096)
        except OSError:
            self.lost += 1
            return None
        return parse(packet)

    def until(self, name: str, addresses: frozenset[str], deadline: float) -> bool:
        """Asks every 50 ms until `name` has exactly `addresses`; False at the deadline (monotonic)."""
        while time.monotonic() < deadline:
            found = self.ask(name)
            if found and found.addresses == addresses:
                return True
            time.sleep(0.05)
        return False

    def close(self) -> None:
        for sock in self._sockets:
            sock.close()
