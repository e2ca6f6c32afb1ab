"""Many datagrams per system call: recvmmsg and sendmmsg over memory allocated once.

A Python loop is fast enough for DNS only when the kernel is entered once per batch. Law: nothing is
allocated per packet but the bytes handed out and taken back; reply i goes to the sender of packet i,
from the address it was sent to. `plain` is the same in ordinary calls, for systems without the calls
or with another memory layout than 64-bit little-endian Linux.
"""

import ctypes
import errno
import mmap
import select
import socket
import struct
import sys
from array import array
from collections.abc import Iterator, Sequence
from ipaddress import ip_address
from itertools import accumulate, groupby
from typing import NamedTuple, Protocol

from fedns.dns import client

SIZE = 64  # datagrams per call: beyond it the calls' share is already below 2 %
SLOT = 2048 + 64  # bytes a query may have; not a power of two, else all slots share one cache set
NAME = 32  # bytes per peer address: sockaddr_in6 is 28
CONTROL = 64  # bytes per control message: in6_pktinfo with its header is 40
SEND_WAIT = 5  # ms to wait for room in the send buffer before replies are given up
_DATAGRAM = 65536
_HEADER = struct.Struct("<QIxxxxQQQQixxxxIxxxx")  # struct mmsghdr: name, iov, control, flags, msg_len
_IOVEC = struct.Struct("<QQ")
_IPV6_RECVPKTINFO = 49  # linux/in6.h
_IP_PKTINFO = 8  # linux/in.h; the socket module lacks it before Python 3.14
_IFINDEX = 4  # word of a control message where in_pktinfo begins: its interface index


class Datagrams(Protocol):
    """What the UDP listener needs of a socket: a batch in, its replies out in the same order."""

    @property
    def senders(self) -> Sequence[client.Client]:
        """Who sent packet i of the last batch; the same objects for every batch."""

    def receive(self) -> list[bytes]:
        """What is queued now, at most SIZE packets; empty when nothing is."""

    def sources(self, count: int) -> list[int]:
        """The first 4 (IPv4) or 8 octets of the first `count` senders' addresses, little-endian."""

    def reply(self, replies: Sequence[bytes | None]) -> int:
        """Answers the last batch, None for no answer; returns how many were sent."""


class Memory:
    """A fixed block outside the Python heap, with its address."""

    def __init__(self, size: int) -> None:
        self.bytes = mmap.mmap(-1, size)
        self.address = ctypes.addressof(ctypes.c_char.from_buffer(self.bytes))

    def words(self, code: str, first: int, step: int) -> memoryview:
        """Every `step`-th word: one field of all the structs that lie here."""
        return memoryview(self.bytes).cast("B").cast(code)[first::step]  # type: ignore[call-overload, no-any-return]


class Frames(NamedTuple):
    """A batch in memory, for whoever answers there: query i begins at SLOT * i of `requests` and has
    `received`[i] octets; its reply goes to SLOT * i of `replies`, its length to `lengths`[i]. Its sender's
    address begins at NAME * i + `source` of `names`, and `width` octets of it tell networks apart. What
    recvmmsg and sendmmsg take lies at the addresses `receive` and `send`."""

    requests: memoryview
    replies: memoryview
    received: memoryview
    lengths: memoryview
    names: memoryview
    source: int
    width: int
    socket: int
    receive: int
    send: int
    wildcard: bool = False


class Batch:
    """recvmmsg/sendmmsg on one UDP socket. `member`: all who send there are inside of it; empty: nobody."""

    def __init__(self, sock: socket.socket, host: client.Host, member: str = "") -> None:
        self._socket = sock
        self.wildcard = is_wildcard(sock)
        self._v4 = sock.family == socket.AF_INET
        self._requests, self._replies = Memory(SIZE * SLOT), Memory(SIZE * _DATAGRAM)
        self._names, self._controls = Memory(SIZE * NAME), Memory(SIZE * CONTROL)
        self._vectors = Memory(2 * SIZE * _IOVEC.size)
        self._headers = Memory(2 * SIZE * _HEADER.size)
        self._lay_out(16 if self._v4 else 28)
        self._offsets = tuple(range(0, SIZE * SLOT, SLOT))
        self._received = self._headers.words("I", 14, 16)
        self._capacities = self._headers.words("Q", 5, 8)  # msg_controllen of every header
        self._interfaces = self._controls.words("I", _IFINDEX, CONTROL // 4)
        self._bases = self._vectors.words("Q", 2 * SIZE, 2)
        self._lengths = self._vectors.words("Q", 2 * SIZE + 1, 2)
        self._heads = [ctypes.c_void_p(self._headers.address + i * _HEADER.size) for i in range(2 * SIZE)]
        first, length = (4, 4) if self._v4 else (8, 16)  # of the address in a sockaddr
        places = (slice(at, at + length) for at in range(first, SIZE * NAME, NAME))
        self.senders = tuple(_Sender(host, member, self._names.bytes, place) for place in places)
        self._sources = (
            self._names.words("I", 1, NAME // 4) if self._v4 else self._names.words("Q", 1, NAME // 8)
        )
        self._connect_calls()
        if self.wildcard:
            ask_destination(sock)

    def _lay_out(self, name_length: int) -> None:
        for i in range(SIZE):
            _IOVEC.pack_into(self._vectors.bytes, i * 16, self._requests.address + i * SLOT, SLOT)
        control = CONTROL if self.wildcard else 0
        for i in range(2 * SIZE):
            slot = i % SIZE
            name = self._names.address + slot * NAME
            vector = self._vectors.address + i * 16
            message = self._controls.address + slot * CONTROL if control else 0
            fields = (name, name_length, vector, 1, message, control, 0, 0)
            _HEADER.pack_into(self._headers.bytes, i * _HEADER.size, *fields)

    def _connect_calls(self) -> None:
        libc = ctypes.PyDLL(None, use_errno=True)  # PyDLL: no lock juggling, the calls never block
        self._recvmmsg, self._sendmmsg = libc.recvmmsg, libc.sendmmsg
        self._in = (self._socket.fileno(), self._heads[0], SIZE, socket.MSG_DONTWAIT, None)

    def frames(self) -> Frames:
        """This batch as memory, each reply in a place of its own from now on: for `refresh` and `answer`."""
        for i in range(SIZE):
            self._bases[i] = self._replies.address + i * SLOT
        return Frames(
            memoryview(self._requests.bytes),
            memoryview(self._replies.bytes),
            self._received[:SIZE],
            self._lengths[:SIZE],
            memoryview(self._names.bytes),
            *((4, 4) if self._v4 else (8, 8)),
            self._socket.fileno(),
            self._headers.address,
            self._headers.address + SIZE * _HEADER.size,
            self.wildcard,
        )

    def refresh(self) -> None:
        """Before each batch: room for all control messages. Needed where `wildcard` is true."""
        self._capacities[:] = _FULL_CONTROL

    def receive(self) -> list[bytes]:
        if self.wildcard:
            self.refresh()
        count = self._recvmmsg(*self._in)
        if count <= 0:
            return []
        lengths = self._received[:count].tolist()
        requests = self._requests.bytes
        return [
            requests[start : start + length] for start, length in zip(self._offsets, lengths, strict=False)
        ]

    def sources(self, count: int) -> list[int]:
        return self._sources[:count].tolist()

    def answer(self, start: int, count: int) -> int:
        """Sends the replies to packets `start` to `count` that lie in their places, those of length 0 left
        out; returns how many were sent."""
        if self.wildcard:
            self._answer_from_there(count)
        lengths = self._lengths[start:count].tolist()
        return sum(self._post(start + first, end - first) for first, end in _runs(lengths))

    def reply(self, replies: Sequence[bytes | None]) -> int:
        if self.wildcard:
            self._answer_from_there(len(replies))
        if None not in replies:
            return self._send(0, replies)  # type: ignore[arg-type]
        runs = list(_runs(replies))
        return sum([self._send(start, replies[start:end]) for start, end in runs])  # type: ignore[arg-type, misc]

    def _answer_from_there(self, count: int) -> None:
        """Received control messages go out again: the reply leaves from the address that was asked."""
        self._capacities[SIZE : SIZE + count] = self._capacities[:count]
        if self._v4:
            self._interfaces[:count] = _NO_INTERFACE[:count]  # routing decides, not where it came in

    def _send(self, start: int, replies: Sequence[bytes]) -> int:
        count = len(replies)
        lengths = array("Q", map(len, replies))
        data = b"".join(replies)
        self._replies.bytes[: len(data)] = data
        bases = array("Q", accumulate(lengths[:-1], initial=self._replies.address))
        self._bases[start : start + count] = bases
        self._lengths[start : start + count] = lengths
        return self._post(start, count)

    def _post(self, start: int, count: int) -> int:
        first = SIZE + start
        sent = self._sendmmsg(self._socket.fileno(), self._heads[first], count, socket.MSG_DONTWAIT)
        return count if sent == count else self._send_rest(first, max(sent, 0), count)

    def _send_rest(self, first: int, done: int, count: int) -> int:
        """Goes on after a partial send; a reply the kernel refuses (port 0, no route) is left out."""
        sent, fd = done, self._socket.fileno()
        while done < count:
            more = self._sendmmsg(fd, self._heads[first + done], count - done, socket.MSG_DONTWAIT)
            if more > 0:
                done += more
                sent += more
            elif ctypes.get_errno() not in (errno.EAGAIN, errno.ENOBUFS):
                done += 1
            elif not _writable(fd):
                break
        return sent


class _Sender(client.Client):
    """Whoever sent the packet in one place of the batch."""

    __slots__ = ("_names", "_place")

    def __init__(self, host: client.Host, member: str, names: mmap.mmap, place: slice) -> None:
        super().__init__(host, member)
        self._names, self._place = names, place

    def address(self) -> bytes:
        return self._names[self._place]


class Plain:
    """The same over ordinary calls, one per datagram."""

    def __init__(self, sock: socket.socket, host: client.Host, member: str = "") -> None:
        self._socket = sock
        self.senders = tuple(_Known(host, member) for _ in range(SIZE))
        self._wildcard = is_wildcard(sock)
        self._peers: list[tuple[object, list[tuple[int, int, bytes]]]] = []
        sock.setblocking(False)
        if self._wildcard:
            ask_destination(sock)

    def receive(self) -> list[bytes]:
        packets: list[bytes] = []
        self._peers = []
        while len(packets) < SIZE:
            try:
                packet, control, _, peer = self._socket.recvmsg(SLOT, CONTROL)
            except (BlockingIOError, ConnectionError):
                break
            self.senders[len(packets)].host_name = peer[0]
            packets.append(packet)
            self._peers.append((peer, [_unbound(item) for item in control] if self._wildcard else []))
        return packets

    def sources(self, count: int) -> list[int]:
        return [int.from_bytes(each.address()[:8], "little") for each in self.senders[:count]]

    def reply(self, replies: Sequence[bytes | None]) -> int:
        sent = 0
        for reply, (peer, control) in zip(replies, self._peers, strict=True):
            if reply is None:
                continue
            try:
                self._socket.sendmsg([reply], control, 0, peer)  # type: ignore[arg-type]
                sent += 1
            except OSError:
                continue
        return sent


class _Known(client.Client):
    """A sender by the text that the socket module gives."""

    __slots__ = ("host_name",)

    def __init__(self, host: client.Host, member: str) -> None:
        super().__init__(host, member)
        self.host_name = ""

    def address(self) -> bytes:
        return ip_address(self.host_name.partition("%")[0]).packed


_FULL_CONTROL = array("Q", [CONTROL] * (2 * SIZE))
_NO_INTERFACE = array("I", [0] * SIZE)


def is_wildcard(sock: socket.socket) -> bool:
    return sock.getsockname()[0] in ("0.0.0.0", "::")


def ask_destination(sock: socket.socket) -> None:
    """Asks for the address each packet was sent to, as a control message."""
    if sock.family == socket.AF_INET:
        sock.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
    else:
        sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVPKTINFO, 1)


def datagrams(sock: socket.socket, host: client.Host, member: str = "") -> Datagrams:
    """The fastest that works here."""
    return Batch(sock, host, member) if works() else Plain(sock, host, member)


def works() -> bool:
    """Whether `Batch` does: the calls are there, and memory is laid out as it expects."""
    return sys.platform == "linux" and sys.byteorder == "little" and ctypes.sizeof(ctypes.c_void_p) == 8


def _unbound(item: tuple[int, int, bytes]) -> tuple[int, int, bytes]:
    level, kind, data = item
    return (level, kind, b"\0\0\0\0" + data[4:]) if level == socket.IPPROTO_IP else item


def _runs(replies: Sequence[object]) -> Iterator[tuple[int, int]]:
    """(start, end) of each stretch without gaps."""
    start = 0
    for present, run in groupby(replies, key=bool):
        end = start + len(list(run))
        if present:
            yield start, end
        start = end


def _writable(fd: int) -> bool:
    waiter = select.poll()
    waiter.register(fd, select.POLLOUT)
    return bool(waiter.poll(SEND_WAIT))
