"""DNS over UDP: batches in, batches out.

Law: every queued packet is answered or counted as dropped or limited; a batch is answered from one generation
of the tables. Not a loop of its own: `ready` is called when the socket is readable.
"""

import socket
from collections.abc import Callable, Iterable, Sequence
from time import perf_counter_ns, sleep
from typing import NamedTuple

from fedns.dns import client, rate, wire
from fedns.servers import batch, counters

SPINS = 16  # batches in a row before other sockets get their turn
CROWD = 16  # packets at one waking from which on the next ones are let gather
GATHER = 0.0001  # seconds that they get to: who has so many clients saves more than it delays
DRAIN = 256  # batches to answer at the end: more than any receive buffer holds

Answer = Callable[[Sequence[bytes], int, Iterable[client.Client]], list[bytes | None]]

Suspects = Sequence[tuple[rate.Account, list[int]]]
"""As `rate.Limiter.suspects` has them."""


class Plain(NamedTuple):
    """What any UDP listener needs. `member`: all of its clients are inside of it; empty: of none."""

    socket: socket.socket
    answer: Answer
    cells: counters.Cells
    host: client.Host
    limiter: rate.Limiter
    member: str = ""


class Listener:
    """One UDP socket of one worker."""

    def __init__(self, plain: Plain) -> None:
        self.socket, self._limiter = plain.socket, plain.limiter
        self._datagrams = batch.datagrams(plain.socket, plain.host, plain.member)
        self._senders = self._datagrams.senders
        self._answer, self._cells = plain.answer, plain.cells
        self._crowded = False

    def ready(self, _events: int = 0) -> None:
        """Answers what is queued; asks the kernel again at once only when more is likely.

        Where many came since the last waking, yet not more than could be answered, fewer wakings with more
        packets each do the same for less: ours, and those of clients that reply by reply would be woken.
        """
        if self._crowded:
            sleep(GATHER)
        total = 0
        for _ in range(SPINS):
            count = self._batch()
            total += count
            if count < 2:
                self._crowded = total >= CROWD
                return
        self._crowded = False

    def renew(self) -> None:
        """The limiter has other limits now."""

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
            suspects = self._limiter.suspects(self._datagrams.sources(len(packets)), started)
            replies = self._judged(packets, self._senders, suspects)
        sent = self._datagrams.reply(replies)
        self._cells.took(perf_counter_ns() - started, len(packets))
        self._cells.answered(packets, replies)
        missing = len(packets) - sent
        if missing:
            self._cells.add("unsent", missing - replies.count(None))
        return len(packets)

    def _judged(
        self, packets: Sequence[bytes], clients: Sequence[client.Client], suspects: Suspects
    ) -> list[bytes | None]:
        """The replies of a batch in which somebody may be beyond a limit."""
        if not suspects:
            return self._answer(packets, wire.OWN_SIZE, clients)
        replies: list[bytes | None] = [None] * len(packets)
        held, spent = [], set[int]()
        for account, found in suspects:
            unproven = [
                at
                for at in found
                if rate.FULL_COOKIE not in packets[at] or not self._proven(packets[at], clients[at])
            ]
            allowed = account.take(rate.QUERIES, len(unproven))
            held.append((account, unproven[:allowed]))
            spent.update(unproven[allowed:])
            self._cut(account, rate.QUERIES, [(at, packets[at]) for at in unproven[allowed:]], replies)
        rest = [at for at in range(len(packets)) if at not in spent]
        senders = [clients[at] for at in rest]
        answered = self._answer([packets[at] for at in rest], wire.OWN_SIZE, senders)
        for at, reply in zip(rest, answered, strict=True):
            replies[at] = reply
        for account, found in held:
            self._judge(account, [(at, packets[at]) for at in found], replies)
        return replies

    def _judge(
        self, account: rate.Account, asked: Sequence[tuple[int, bytes]], replies: list[bytes | None]
    ) -> None:
        """Takes back, class by class, what is beyond the limits of one prefix."""
        kinds: dict[int, list[tuple[int, bytes]]] = {}
        for at, packet in asked:
            reply = replies[at]
            if reply is not None:
                kinds.setdefault(rate.kind(reply), []).append((at, packet))
        for kind, same in kinds.items():
            self._cut(account, kind, same[account.take(kind, len(same)) :], replies)

    def _cut(
        self,
        account: rate.Account,
        kind: int,
        asked: Sequence[tuple[int, bytes]],
        replies: list[bytes | None],
    ) -> None:
        """What is sent in place of replies beyond the limit of their class: cut ones, or nothing."""
        if not asked:
            return
        for at, _ in asked:
            replies[at] = None
        slips = [asked[index] for index in self._limiter.slips(account, len(asked))]
        for at, packet in slips:
            replies[at] = rate.truncated(packet)
        slipped = sum(replies[at] is not None for at, _ in slips)
        self._cells.limited(rate.CLASSES[kind], len(asked) - slipped, slipped)

    def _proven(self, packet: bytes, sender: client.Client) -> bool:
        """Whether a good cookie shows that the sender is where the packet says."""
        jar, claim = sender.host.jar, rate.claim(packet)
        seen = jar.look(claim, sender.address()) if jar is not None and claim else None
        return seen is not None and seen.valid
