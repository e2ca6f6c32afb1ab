"""DNS over TCP and TLS: persistent, pipelined connections (RFC 7766) beside UDP in the same loop.

Law: no connection costs more than its two bounded buffers. A client that asks without reading is not
read from; one that neither completes a query (nor its handshake before) nor reads its replies for
`Server.idle` seconds is closed, sooner the fewer places are left. A network beyond its share, or where no
place is left the one with the most, loses its connection that was idle longest. At the end, what had arrived
is answered, our half is closed, and the client gets the time to close its own: a close with something unread
would reset what is on its way.
"""

import select
import socket
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from itertools import repeat
from time import monotonic
from typing import NamedTuple, Protocol

from fedns.dns import client, padding, wire
from fedns.servers import counters, crowd

Copy = Callable[[bytes, client.Client], Iterator[bytes] | None]
"""A request for a zone -> the messages with it; None: it gets an ordinary reply."""
Answer = Callable[[Sequence[bytes], int, Iterable[client.Client]], list[bytes | None]]


@dataclass(frozen=True)
class Limits:
    connections: int = 1000  # per worker, well below the usual limit of open files
    unsent: int = 1 << 18  # octets of replies kept for a slow reader; at least two of the largest
    ahead: int = 1 << 16  # octets of a zone that are made before the client has taken them
    read: int = 8192  # octets per read, about 200 queries: UDP waits no longer than that
    patience: float = 2.0  # seconds that even the last place lives while it is quiet
    last: int = 32  # reads of one connection at the end: 256 KiB, more than a receive buffer holds


class Channel(Protocol):
    """The octets of one connection, plain or encrypted. Every call raises OSError once it is of no use."""

    socket: socket.socket
    shaken: bool  # octets of DNS may go both ways
    ended: bool  # nothing comes after what `receive` gave
    wants_out: bool  # the next `receive` waits until the socket takes something

    def receive(self, size: int) -> bytes | None:
        """What came; empty at the end, None when nothing is there."""

    def send(self, data: bytearray) -> int:
        """How much was taken."""

    def part(self) -> None:
        """Closes our half; what still comes is then read from `socket`, and is not DNS."""

    def close(self) -> None: ...


class Plain:
    """TCP as it is."""

    shaken, ended, wants_out = True, False, False

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        self.close = sock.close

    def receive(self, size: int) -> bytes | None:
        try:
            return self.socket.recv(size)
        except BlockingIOError:
            return None

    def send(self, data: bytearray) -> int:
        try:
            return self.socket.send(data)
        except BlockingIOError:
            return 0

    def part(self) -> None:
        self.socket.shutdown(socket.SHUT_WR)


class Transport(NamedTuple):
    """What a listener speaks: its name in the counters, and what makes a channel of an accepted socket
    (None: nobody can be served just now). `member`: all who come there are inside of it; empty: of none."""

    name: str
    open: Callable[[socket.socket], Channel | None]
    member: str = ""


TCP = Transport("tcp", Plain)


class Connection(client.Client):
    """One client: what it sent and we have not parsed, what we answered and it has not taken."""

    __slots__ = (
        "_peer",
        "behind",
        "channel",
        "copy",
        "ended",
        "events",
        "inbox",
        "network",
        "outbox",
        "parted",
        "seen",
        "transport",
    )
    stream = True

    def __init__(self, channel: Channel, transport: Transport, peer: str, host: client.Host) -> None:
        super().__init__(host, transport.member)
        self.channel, self.transport, self._peer = channel, transport.name, peer
        self.inbox, self.outbox = bytearray(), bytearray()
        self.copy: Iterator[bytes] | None = None  # a zone on its way
        self.behind: Sequence[bytes] = ()  # what was asked after it
        self.network = crowd.EXEMPT
        self.events = select.EPOLLIN
        self.ended = False  # the client has closed its half
        self.parted = False  # we have closed ours: what still comes is not read as DNS
        self.seen = monotonic()

    @property
    def private(self) -> bool:
        """Whether who listens on the way learns sizes at most."""
        return self.transport == "tls"

    def address(self) -> bytes:
        return ip_address(self._peer.partition("%")[0]).packed

    def messages(self) -> list[bytes]:
        """Takes the whole messages out of the inbox."""
        found, at, inbox = [], 0, self.inbox
        while len(inbox) >= at + 2:
            end = at + 2 + (inbox[at] << 8 | inbox[at + 1])
            if end > len(inbox):
                break
            found.append(bytes(inbox[at + 2 : end]))
            at = end
        del inbox[:at]
        return found


class Desk(NamedTuple):
    """Who answers: single messages, and requests for zones."""

    answer: Answer
    copy: Copy


class Streams:
    """All connections of one worker, whatever they speak: descriptors and memory are one budget."""

    def __init__(
        self, poll: select.epoll, desk: Desk, cells: counters.Cells, host: client.Host, limits: Limits
    ) -> None:
        self._poll, self._cells, self._host = poll, cells, host
        self._answer, self._copy = desk
        self._limits = limits
        self._listeners: dict[int, tuple[socket.socket, Transport]] = {}
        self._connections: dict[int, Connection] = {}  # the one idle longest comes first
        self._crowd = crowd.Crowd()
        self._stopping = False

    def listen(self, listener: socket.socket, transport: Transport = TCP) -> None:
        """Takes a listening socket that other workers share: each connection wakes one of them."""
        listener.setblocking(False)
        self._listeners[listener.fileno()] = listener, transport
        self._poll.register(listener.fileno(), select.EPOLLIN | select.EPOLLEXCLUSIVE)

    def owns(self, fd: int) -> bool:
        return fd in self._connections or fd in self._listeners

    @property
    def open(self) -> bool:
        return bool(self._connections)

    @property
    def unsent(self) -> bool:
        return any(connection.outbox or connection.copy for connection in self._connections.values())

    def ready(self, fd: int, events: int) -> None:
        listener = self._listeners.get(fd)
        if listener is not None:
            self._accept(*listener)
            return
        connection = self._connections.get(fd)
        if connection is None:
            return
        try:
            if connection.parted:
                self._await_end(connection)
            else:
                self._exchange(connection, events)
        except OSError:  # reset by peer, broken pipe, no TLS: its end of the conversation
            if not connection.channel.shaken:
                self._cells.add("tls_failed")
            self._close(connection)

    def expire(self) -> None:
        """Closes connections idle too long; called about once a second."""
        now = monotonic()
        for connection in list(self._connections.values()):
            if connection.seen > now - self._patience():
                break
            self._cells.add("tcp_idled")
            self._close(connection)

    def _patience(self) -> float:
        """How long a connection may be quiet: as promised while half of the places are free, then less."""
        idle, free = self._host.server.idle, 1 - len(self._connections) / self._limits.connections
        return idle if free >= 0.5 else min(idle, max(idle * 2 * free, self._limits.patience))

    def stop(self) -> None:
        """No new connections, and a last look at each: replies to what had arrived may still leave."""
        for fd in self._listeners:
            self._poll.unregister(fd)
        self._listeners.clear()
        self._stopping = True
        for connection in list(self._connections.values()):
            try:
                self._exhaust(connection)
                self._settle(connection)
            except OSError:
                self._close(connection)

    def _exhaust(self, connection: Connection) -> None:
        for _ in range(self._limits.last):
            if len(connection.outbox) >= self._limits.unsent or not self._receive(connection):
                return

    def close(self) -> None:
        """Ends what is left."""
        for connection in list(self._connections.values()):
            self._close(connection)

    def _accept(self, listener: socket.socket, transport: Transport) -> None:
        try:
            sock, peer = listener.accept()
        except BlockingIOError:
            return
        except OSError:  # aborted meanwhile, or no descriptors left: give one back
            self._evict(self._crowd.largest(), "tcp_evicted")
            return
        limits = self._host.server.limits
        network = self._crowd.network(peer[0], limits)
        if self._crowd.full(network, limits):
            self._evict(network, "tcp_crowded")
        elif len(self._connections) >= self._limits.connections:
            self._evict(self._crowd.largest(), "tcp_evicted")
        try:
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            channel = transport.open(sock)
        except OSError:  # it has gone already
            channel = None
        if channel is None:
            sock.close()
            return
        connection = Connection(channel, transport, peer[0], self._host)
        connection.network = network
        self._crowd.enter(network)
        fd = channel.socket.fileno()
        self._connections[fd] = connection
        self._poll.register(fd, connection.events)
        self._cells.add(transport.name + "_accepted")
        self._cells.set("tcp_open", len(self._connections))

    def _evict(self, network: crowd.Network, reason: str) -> None:
        """Of this network, the connection idle longest makes room."""
        for connection in self._connections.values():
            if connection.network == network:
                self._cells.add(reason)
                self._close(connection)
                return

    def _exchange(self, connection: Connection, events: int) -> None:
        if events & select.EPOLLOUT:
            self._send(connection)
            self._go_on(connection)
        readable = events & (select.EPOLLIN | select.EPOLLHUP | select.EPOLLERR)
        room = len(connection.outbox) < self._limits.unsent and connection.copy is None
        if (readable or connection.channel.wants_out) and room:
            self._receive(connection)
        self._settle(connection)

    def _await_end(self, connection: Connection) -> None:
        if not connection.channel.socket.recv(self._limits.read):
            self._close(connection)

    def _receive(self, connection: Connection) -> bool:
        """Reads once and answers; whether there may be more to read."""
        data = connection.channel.receive(self._limits.read)
        if data is None:
            return False
        if not data:
            connection.ended = True
            return False
        connection.ended = connection.channel.ended
        connection.inbox += data
        messages = connection.messages()
        if messages:
            self._reply(connection, messages)
        return True

    def _reply(self, connection: Connection, messages: Sequence[bytes]) -> None:
        """Answers in order; a zone on its way keeps waiting what was asked after it."""
        if connection.copy is not None:
            connection.behind = (*connection.behind, *messages)
            return
        for index, packet in enumerate(messages):
            copy = self._copy(packet, connection)
            if copy is not None:
                self._answered(connection, messages[:index])
                connection.copy, connection.behind = copy, messages[index + 1 :]
                self._go_on(connection)
                return
        self._answered(connection, messages)

    def _go_on(self, connection: Connection) -> None:
        """One more message of a zone, where the client has taken those before: others want their turn."""
        if connection.copy is None or len(connection.outbox) >= self._limits.ahead:
            return
        message = next(connection.copy, None)
        self._touch(connection)
        if message is None:
            messages, connection.copy, connection.behind = connection.behind, None, ()
            self._reply(connection, messages)
        elif message:
            connection.outbox += len(message).to_bytes(2, "big") + message
            self._send(connection)

    def _answered(self, connection: Connection, messages: Sequence[bytes]) -> None:
        if not messages:
            return
        replies = self._answer(messages, wire.STREAM, repeat(connection))
        self._cells.answered(messages, replies, connection.transport)
        if connection.private:
            replies = list(map(padding.padded, messages, replies))
        for reply in replies:
            if reply is not None:
                connection.outbox += len(reply).to_bytes(2, "big") + reply
        if connection.outbox:
            self._touch(connection)
            self._send(connection)

    def _send(self, connection: Connection) -> None:
        sent = connection.channel.send(connection.outbox)
        del connection.outbox[:sent]

    def _settle(self, connection: Connection) -> None:
        """After any step: closed when all is said, else polled for what it waits for."""
        waiting = len(connection.outbox) + bool(connection.copy)
        if connection.ended and not waiting:
            self._close(connection)
            return
        if self._stopping and not waiting:
            connection.parted = True
            connection.channel.part()
        over = connection.ended or (self._stopping and not connection.parted)
        reads = not over and not connection.copy and waiting < self._limits.unsent
        writes = waiting or (reads and connection.channel.wants_out)
        events = (select.EPOLLIN if reads else 0) | (select.EPOLLOUT if writes else 0)
        if events != connection.events:
            connection.events = events
            self._poll.modify(connection.channel.socket.fileno(), events)

    def _touch(self, connection: Connection) -> None:
        fd = connection.channel.socket.fileno()
        connection.seen = monotonic()
        self._connections[fd] = self._connections.pop(fd)

    def _close(self, connection: Connection) -> None:
        fd = connection.channel.socket.fileno()
        self._connections.pop(fd, None)
        self._crowd.leave(connection.network)
        self._poll.unregister(fd)
        connection.channel.close()
        connection.copy = None  # gives the transfer's reading of the tables back
        self._cells.set("tcp_open", len(self._connections))
