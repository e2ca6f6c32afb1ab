"""DNS over UDP: batches in, batches out.

Law: every queued packet is answered or counted as dropped or limited; a batch is answered from one generation
of the tables. Not a loop of its own: `ready` is called when the socket is readable.
"""

import socket
from collections.abc import Callable, Iterable, Sequence
from time import perf_counter_ns

from fedns.dns import client, rate, wire
from fedns.servers import batch, counters

SPINS = 16  # batches in a row before other sockets get their turn
DRAIN = 256  # batches to answer at the end: more than any receive buffer holds

Answer = Callable[[Sequence[bytes], int, Iterable[client.Client]], list[bytes | None]]


class Listener:
    """One UDP socket of one worker."""

    def __init__(
        self,
        sock: socket.socket,
        answer: Answer,
        cells: counters.Cells,
        host: client.Host,
        limiter: rate.Limiter,
    ) -> None:
        self.socket, self._limiter = sock, limiter
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
        if self._limiter.quiet(len(packets), started):
            replies = self._answer(packets, wire.OWN_SIZE, self._senders)
        else:
            replies = self._limited(packets, started)
        sent = self._datagrams.reply(replies)
        self._cells.took(perf_counter_ns() - started, len(packets))
        self._cells.answered(packets, replies)
        missing = len(packets) - sent
        if missing:
            self._cells.add("unsent", missing - replies.count(None))
        return len(packets)

    def _limited(self, packets: Sequence[bytes], now: int) -> list[bytes | None]:
        """The replies of a batch in which somebody may be beyond a limit."""
        held = self._limiter.suspects(self._datagrams.sources(len(packets)), now)
        for at in [at for at in held if self._proven(packets[at], self._senders[at])]:
            del held[at]
        if not held:
            return self._answer(packets, wire.OWN_SIZE, self._senders)
        spent = {at for at, account in held.items() if account.exceeds(rate.QUERIES)}
        rest = [at for at in range(len(packets)) if at not in spent]
        senders = [self._senders[at] for at in rest]
        answered = self._answer([packets[at] for at in rest], wire.OWN_SIZE, senders)
        replies: list[bytes | None] = [None] * len(packets)
        for at, reply in zip(rest, answered, strict=True):
            replies[at] = reply
        for at, account in held.items():
            reply = replies[at]
            if at in spent:
                replies[at] = self._instead(packets[at], account, rate.QUERIES)
            elif reply is not None and account.exceeds(kind := rate.kind(reply)):
                replies[at] = self._instead(packets[at], account, kind)
        return replies

    def _instead(self, packet: bytes, account: rate.Account, kind: int) -> bytes | None:
        """What is sent in place of a reply beyond the limit of its class: a cut one, or nothing."""
        cut = rate.truncated(packet) if self._limiter.slips(account) else None
        self._cells.limited(rate.CLASSES[kind], cut is not None)
        return cut

    def _proven(self, packet: bytes, sender: client.Client) -> bool:
        """Whether a good cookie shows that the sender is where the packet says."""
        jar, claim = sender.host.jar, rate.claim(packet)
        seen = jar.look(claim, sender.address()) if jar is not None and claim else None
        return seen is not None and seen.valid
