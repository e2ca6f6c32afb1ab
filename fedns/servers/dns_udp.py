"""DNS over UDP: batches in, batches out.

Law: every queued packet is answered or counted as dropped; a batch is answered from one generation of
the tables. Not a loop of its own: `serve` is called when the socket is readable.
"""

import socket
from collections.abc import Callable, Iterable, Sequence
from time import perf_counter_ns

from fedns.dns import client, wire
from fedns.servers import batch, counters

SPINS = 16  # batches in a row before other sockets get their turn
DRAIN = 256  # batches to answer at the end: more than any receive buffer holds

Answer = Callable[[Sequence[bytes], int, Iterable[client.Client]], list[bytes | None]]


class Listener:
    """One UDP socket of one worker."""

    def __init__(self, sock: socket.socket, answer: Answer, cells: counters.Cells, host: client.Host) -> None:
        self.socket = sock
        self._datagrams = batch.datagrams(sock, host)
        self._senders = self._datagrams.senders
        self._answer, self._cells = answer, cells

    def ready(self, _events: int = 0) -> None:
        """Answers what is queued; asks the kernel again at once only when more is likely."""
        for _ in range(SPINS):
            if self._batch() < 2:
                return

    def drain(self) -> None:
        """Answers what is queued, before the process ends."""
        for _ in range(DRAIN):
            if not self._batch():
                return

    def _batch(self) -> int:
        packets = self._datagrams.receive()
        if not packets:
            return 0
        started = perf_counter_ns()
        replies = self._answer(packets, wire.OWN_SIZE, self._senders)
        sent = self._datagrams.reply(replies)
        self._cells.took(perf_counter_ns() - started, len(packets))
        self._cells.answered(packets, replies)
        missing = len(packets) - sent
        if missing:
            self._cells.add("unsent", missing - replies.count(None))
        return len(packets)
