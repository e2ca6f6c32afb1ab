"""Steady questions from many sockets while something is done to the server: what was asked, what came back.

Law: a reply belongs to a question by socket and ID, and nothing counts as answered otherwise. No socket has
more questions open than its buffer holds replies, nor have all together more than one buffer of the server
holds, so what is missing was lost by the server. It asks no faster than it can: a client that the machine
pauses is not a server that was silent.
"""

import select
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from tests.bench import ask

SOCKETS = 16
OPEN = 24
"""Questions open at once per socket: those of all sockets fit into a receive buffer of the default size."""
STEP = 0.004
"""Seconds between two rounds of questions."""
LONG = 20.0
QUIET = 3.0
"""Seconds of silence after which what is missing counts as lost."""


class Seen(NamedTuple):
    """One kind of answer."""

    name: str
    rcode: int
    addresses: frozenset[str]


class Asked(NamedTuple):
    name: str
    packet: bytes
    at: float


class Load(threading.Thread):
    """About `rate` questions a second for `names` in turn, until `stop`."""

    def __init__(self, port: int, names: Iterable[str], rate: int = 2500) -> None:
        super().__init__(daemon=True)
        self.seen: Counter[Seen] = Counter()
        self.asked = self.answered = 0
        self.silence = 0  # rounds of questions without any reply, at most
        self.slowest = 0.0
        self.begun = self.ended = time.monotonic()
        self._port, self._each_round = port, max(1, int(rate * STEP))
        self._packets = [(name, ask.query(name, 0)) for name in names]
        self._sockets: list[socket.socket] = []
        self._open: list[dict[int, Asked]] = []
        self._poll = select.epoll()
        self._index: dict[int, int] = {}
        self._turn = self._silent = 0
        self._over = threading.Event()
        for _ in range(SOCKETS):
            self._connect()

    def _connect(self) -> None:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.connect(("127.0.0.1", self._port))
        sock.setblocking(False)
        self._index[sock.fileno()] = len(self._sockets)
        self._sockets.append(sock)
        self._open.append({})
        self._poll.register(sock.fileno(), select.EPOLLIN)

    @property
    def missing(self) -> list[Asked]:
        """Questions without a reply."""
        return [asked for waiting in self._open for asked in waiting.values()]

    @property
    def pace(self) -> float:
        """Answers per second while it asked."""
        return self.answered / (self.ended - self.begun)

    def __str__(self) -> str:
        told = f"{self.asked} asked, {self.pace:.0f} answers/s, {len(self.missing)} missing"
        return f"{told}, slowest {self.slowest:.3f} s, longest silence {self.silence * STEP:.3f} s"

    def run(self) -> None:
        due = time.monotonic()
        while not self._over.is_set():
            now = time.monotonic()
            if now >= due:
                self._round()
                due = max(due + STEP, now - STEP)
            self._hear(max(due - time.monotonic(), 0.0))
        self.ended = time.monotonic()
        self._finish()

    def stop(self) -> None:
        """Asks no more, and waits for what is open."""
        self._over.set()
        self.join()

    def retry(self) -> None:
        """After `stop`: asks what is missing once more, as a resolver does: from another port."""
        lost = self.missing
        for waiting in self._open:
            waiting.clear()
        for number, asked in enumerate(lost):
            if number % OPEN == 0:
                self._connect()
            self._send(len(self._sockets) - 1, asked.name, asked.packet)
        self.asked -= len(lost)
        self._finish()

    def close(self) -> None:
        for sock in self._sockets:
            sock.close()
        self._poll.close()

    def _round(self) -> None:
        self._silent += 1
        self.silence = max(self.silence, self._silent)
        for _ in range(self._each_round):
            self._turn += 1
            if len(self._open[self._turn % SOCKETS]) < OPEN:
                self._send(self._turn % SOCKETS, *self._packets[self._turn % len(self._packets)])

    def _send(self, index: int, name: str, packet: bytes) -> None:
        ident = self.asked & 0xFFFF
        self._open[index][ident] = Asked(name, packet, time.monotonic())
        self.asked += 1
        try:
            self._sockets[index].send(struct.pack(">H", ident) + packet[2:])
        except OSError:
            return  # nobody listens any more: it stays open

    def _hear(self, seconds: float) -> bool:
        before = self.answered
        for fd, _ in self._poll.poll(seconds):
            index = self._index[fd]
            while packet := _receive(self._sockets[index]):
                asked = self._open[index].pop(struct.unpack_from(">H", packet)[0])
                found = ask.parse(packet)
                self.seen[Seen(asked.name, found.rcode, found.addresses)] += 1
                self.answered += 1
                self.slowest = max(self.slowest, time.monotonic() - asked.at)
        if self.answered == before:
            return False
        self._silent = 0
        return True

    def _finish(self) -> None:
        quiet = time.monotonic()
        while any(self._open) and time.monotonic() - quiet < QUIET:
            if self._hear(0.1):
                quiet = time.monotonic()


@contextmanager
def asking(port: int, names: Iterable[str], rate: int = 2500) -> Iterator[Load]:
    """A load that runs in the block (or until its `stop`), and has come to its speed."""
    load = Load(port, names, rate)
    load.start()
    try:
        deadline = time.monotonic() + LONG
        while load.answered < rate // 2:
            assert time.monotonic() < deadline, f"no answers: {load}"
            time.sleep(STEP)
        yield load
    finally:
        load.stop()
        load.close()


def _receive(sock: socket.socket) -> bytes:
    try:
        return sock.recv(4096)
    except OSError:
        return b""
