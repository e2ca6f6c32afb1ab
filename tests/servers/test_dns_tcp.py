"""TCP connections of a running worker: pipelining, odd cuts, slow readers, limits."""

import select
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from fedns.dns import client, rate
from fedns.servers import counters, dns_tcp, dns_worker
from tests.servers import running


def _framed(*messages: bytes) -> bytes:
    return b"".join(len(each).to_bytes(2, "big") + each for each in messages)


def _echo(packets: Sequence[bytes], _limit: int, _clients: object) -> list[bytes | None]:
    """Garbage gets no answer; the rest comes back as a reply, `big` as a large one."""
    return [None if not p or p.startswith(b"junk") else p + b"x" * 60000 * (b"big" in p) for p in packets]


class Loop(threading.Thread):
    """The streams of one worker, in a loop as the worker has it."""

    def __init__(self, path: Path, server: client.Server, limits: dns_tcp.Limits) -> None:
        super().__init__()
        self.path = str(path / "w")
        self._poll = select.epoll()
        host = client.Host(server)
        self.streams = dns_tcp.Streams(
            self._poll,
            dns_tcp.Desk(_echo, lambda _packet, _asker: None),
            counters.Cells(self.path),
            host,
            limits,
        )
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.streams.listen(self.listener)
        self.over = threading.Event()

    def run(self) -> None:
        while not self.over.is_set():
            for fd, events in self._poll.poll(0.02):
                self.streams.ready(fd, events)
            self.streams.expire()
        self.streams.stop()
        deadline = time.monotonic() + dns_worker.LINGER
        while self.streams.unsent or (self.streams.open and time.monotonic() < deadline):
            for fd, events in self._poll.poll(0.02):
                self.streams.ready(fd, events)
        self.streams.close()

    def connect(self, source: str = "127.0.0.1") -> socket.socket:
        there = self.listener.getsockname()
        sock = socket.create_connection(there, timeout=running.LONG, source_address=(source, 0))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock

    def counted(self, name: str) -> int:
        totals = counters.read(self.path)
        return totals.fields[name] if totals else 0


Starter = Callable[..., Loop]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Starter]:
    loops: list[Loop] = []

    def begin(idle: float = 10.0, rates: rate.Limits | None = None, **limits: float) -> Loop:
        server = client.Server(idle=idle, limits=rates or rate.Limits())
        loop = Loop(tmp_path, server, dns_tcp.Limits(**limits))  # type: ignore[arg-type]
        loops.append(loop)
        loop.start()
        return loop

    yield begin
    for loop in loops:
        loop.over.set()
        loop.join()
        loop.listener.close()


def _exactly(sock: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = sock.recv(size - len(data))
        assert more, f"closed after {len(data)} of {size}"
        data += more
    return data


@contextmanager
def _client(loop: Loop) -> Iterator[socket.socket]:
    with loop.connect() as sock:
        yield sock


def test_pipelined_queries_are_all_answered_in_order(start: Starter) -> None:
    with _client(start()) as sock:
        sent = _framed(*(b"query %d" % i for i in range(3000)))
        threading.Thread(target=sock.sendall, args=(sent,)).start()
        assert _exactly(sock, len(sent)) == sent


def test_a_query_may_come_octet_by_octet_on_a_lasting_connection(start: Starter) -> None:
    with _client(start()) as sock:
        for turn in range(3):
            framed = _framed(b"turn %d" % turn)
            for octet in framed:
                sock.send(bytes((octet,)))
            assert _exactly(sock, len(framed)) == framed


def test_garbage_gets_no_answer_and_the_next_query_does(start: Starter) -> None:
    loop = start()
    with _client(loop) as sock:
        sock.sendall(_framed(b"junk", b"", b"junk2", b"real"))
        assert _exactly(sock, 6) == _framed(b"real")
    assert loop.counted("dropped") == 3


def test_what_was_asked_before_the_half_close_is_answered(start: Starter) -> None:
    with _client(start()) as sock:
        sock.sendall(_framed(b"last", b"big"))
        sock.shutdown(socket.SHUT_WR)
        assert _exactly(sock, 6 + 2 + 60003)[:6] == _framed(b"last")
        assert sock.recv(1) == b""


def test_one_that_asks_without_reading_is_not_read_from(start: Starter) -> None:
    loop = start(unsent=1 << 17)
    with _client(loop) as greedy, _client(loop) as other:
        greedy.settimeout(0.3)
        with pytest.raises(TimeoutError):
            while True:
                greedy.sendall(_framed(*[b"big"] * 100))
        other.sendall(_framed(b"hello"))
        assert _exactly(other, 7) == _framed(b"hello")
        greedy.settimeout(running.LONG)
        for _ in range(200):
            assert _exactly(greedy, 2 + 60003)[2:5] == b"big"


def test_idle_connections_are_closed(start: Starter) -> None:
    loop = start(idle=0.2)
    with _client(loop) as idle, _client(loop) as half:
        half.sendall(b"\0")  # a trickle does not count as activity
        assert idle.recv(1) == b"" and half.recv(1) == b""
    assert loop.counted("tcp_idled") == 2


def test_beyond_the_limit_the_longest_idle_makes_room(start: Starter) -> None:
    loop = start(connections=3)
    clients = [loop.connect() for _ in range(3)]
    for each in clients[::-1]:
        each.sendall(_framed(b"here"))
        _exactly(each, 6)
    with _client(loop) as fourth:
        fourth.sendall(_framed(b"me too"))
        assert _exactly(fourth, 8) == _framed(b"me too")
        assert clients[2].recv(1) == b""
        clients[0].sendall(_framed(b"still"))
        assert _exactly(clients[0], 7) == _framed(b"still")
    assert (loop.counted("tcp_accepted"), loop.counted("tcp_evicted")) == (4, 1)
    for each in clients:
        each.close()


def _asks(sock: socket.socket) -> bool:
    """Whether the connection still lives."""
    try:
        sock.sendall(_framed(b"here"))
        return sock.recv(6) == _framed(b"here")
    except OSError:
        return False


def test_a_network_beyond_its_share_loses_its_own_connections(start: Starter) -> None:
    loop = start(rates=rate.Limits(connections=2, exempt=("127.1.0.0/16",)))
    with ExitStack() as closing:
        one, two, other = (
            closing.enter_context(loop.connect(source)) for source in ("127.0.0.1", "127.0.0.2", "127.0.1.1")
        )
        free = [closing.enter_context(loop.connect("127.1.0.1")) for _ in range(4)]
        assert all(_asks(each) for each in (two, one, other, *free))
        three = closing.enter_context(loop.connect("127.0.0.3"))
        assert _asks(three) and not _asks(two)
        assert all(_asks(each) for each in (one, three, other, *free))
    assert (loop.counted("tcp_crowded"), loop.counted("tcp_evicted")) == (1, 0)


def test_when_all_places_are_taken_the_largest_network_gives_one_back(start: Starter) -> None:
    loop = start(rates=rate.Limits(exempt=()), connections=4)
    with ExitStack() as closing:
        lone = closing.enter_context(loop.connect("127.0.9.1"))
        assert _asks(lone)
        many = [closing.enter_context(loop.connect()) for _ in range(3)]
        assert all(map(_asks, many))
        late = closing.enter_context(loop.connect("127.0.8.1"))
        assert _asks(late) and _asks(lone)
        assert not _asks(many[0]) and _asks(many[1])
    assert loop.counted("tcp_evicted") == 1


def test_the_fewer_places_are_left_the_shorter_a_connection_may_be_quiet(start: Starter) -> None:
    loop = start(idle=3600.0, connections=2, patience=0.2)
    with _client(loop) as one, _client(loop) as two:
        ended = select.select([one, two], [], [], running.LONG)[0]
        assert [each.recv(1) for each in ended] == [b""]
        assert _asks(two if ended == [one] else one)  # half of the places are free again
    assert loop.counted("tcp_idled") == 1


def test_replies_on_their_way_leave_after_stop(start: Starter) -> None:
    loop = start()
    with _client(loop) as sock:
        sock.sendall(_framed(*[b"big"] * 20))
        running.until(lambda: loop.counted("tcp_accepted"), "the connection")
        first = _exactly(sock, 60005)
        loop.over.set()
        rest = 0
        while data := sock.recv(65536):
            rest += len(data)
        assert first[2:5] == b"big" and rest == 19 * 60005


def test_what_had_arrived_is_answered_after_stop_and_no_reset_takes_it_back(start: Starter) -> None:
    loop = start()
    with _client(loop) as sock:
        sock.sendall(_framed(b"here"))
        assert _exactly(sock, 6) == _framed(b"here")
        sock.sendall(_framed(*(b"query %d" % i for i in range(2000))))
        loop.over.set()
        data = b"".join(iter(lambda: sock.recv(65536), b""))
        assert data == _framed(*(b"query %d" % i for i in range(2000)))
