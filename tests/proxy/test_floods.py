"""Clients of HTTP/2 that mean harm: floods, bombs, and requests that would be two in HTTP/1.1."""

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import hpack
import pytest

from fedns.gateway.terms import Terms
from tests.proxy import backends, gateways, streams
from tests.proxy.gateways import Gateway
from tests.proxy.streams import GET, POST
from tests.servers import running

CALM = 11
DATA, HEADERS, PRIORITY, RESET, SETTINGS, PING, AWAY, WINDOW, CONTINUATION = 0, 1, 2, 3, 4, 6, 7, 8, 9
END, WHOLE, ACK = 1, 4, 1
OUTCOMES = ("too_many_frames", "broken_http2")
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    state: Path = tmp_path_factory.mktemp("floods")
    with gateways.running(state, Terms(per_client=0, linger=0.5)) as made:
        yield made


def _frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def _head(fields: streams.Fields) -> bytes:
    """Without any state: each field as it is."""
    block = bytearray()
    for name, value in fields:
        block += b"\0" + hpack.hpack.encode_integer(len(name), 7) + name
        block += hpack.hpack.encode_integer(len(value), 7) + value
    return bytes(block)


class Raw:
    """A connection of frames. `code` is what a GOAWAY said; `resets` the codes of streams."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock, self.code = sock, -1
        self.resets: dict[int, int] = {}
        self.kinds: list[int] = []
        self._rest = b""
        self.send(PREFACE + _frame(SETTINGS, 0, 0))

    def send(self, data: bytes) -> bool:
        """Whether it was taken."""
        try:
            self.sock.sendall(data)
        except OSError:
            return False
        return True

    def hear(self) -> bool:
        """One read; False at the end."""
        try:
            data = self.sock.recv(65536)
        except ConnectionResetError:
            return False
        self._rest += data
        while len(self._rest) >= 9:
            length = int.from_bytes(self._rest[:3], "big")
            if len(self._rest) < 9 + length:
                break
            kind, stream = self._rest[3], int.from_bytes(self._rest[5:9], "big")
            payload, self._rest = self._rest[9 : 9 + length], self._rest[9 + length :]
            self.kinds.append(kind)
            if kind == AWAY:
                self.code = int.from_bytes(payload[4:8], "big")
            elif kind == RESET:
                self.resets[stream] = int.from_bytes(payload, "big")
        return bool(data)

    def end(self) -> int:
        """What it is ended with."""
        while self.hear():
            pass
        return self.code


@contextmanager
def _raw(gateway: Gateway) -> Iterator[Raw]:
    with socket.create_connection(("127.0.0.1", gateway.port), backends.LONG) as sock:
        yield Raw(sock)


def _flooded(raw: Raw, piece: Callable[[int], bytes], most: int) -> int:
    """Sends until it is stopped; what it was ended with. A thread reads, as the peer would be stuck else."""
    reader = threading.Thread(target=raw.end, daemon=True)
    reader.start()
    for number in range(most):
        if not raw.send(piece(number)):
            break
    with contextlib.suppress(OSError):
        raw.sock.shutdown(socket.SHUT_WR)
    reader.join(backends.LONG)
    return raw.code


def _served(gateway: Gateway, *made: backends.Backend) -> None:
    gateway.publish(gateways.table(), shop=gateways.pool(list(made)))


@pytest.fixture
def one(gateway: Gateway) -> Iterator[backends.Backend]:
    with backends.running("one") as (made,):
        _served(gateway, made)
        yield made


def _others_are_served(gateway: Gateway) -> None:
    with streams.client(gateway.port) as client:
        assert client.get().body == b"one"


GETS, POSTS = _head(GET), _head(POST)


def _rapid(number: int) -> bytes:
    stream = 2 * number + 1
    return _frame(HEADERS, END | WHOLE, stream, GETS) + _frame(RESET, 0, stream, b"\0\0\0\x08")


def _made_you(number: int) -> bytes:
    """CVE-2025-8671: the server is made to reset what its backend works on."""
    stream = 2 * number + 1
    return _frame(HEADERS, WHOLE, stream, POSTS) + _frame(WINDOW, 0, stream, bytes(4))


def _too_long(number: int) -> bytes:
    stream = 2 * number + 1
    head = _head([*POST, (b"content-length", b"1")])
    return _frame(HEADERS, WHOLE, stream, head) + _frame(DATA, END, stream, b"abc")


def _upper(number: int) -> bytes:
    return _frame(HEADERS, END | WHOLE, 2 * number + 1, _head([*GET, (b"X-Upper", b"y")]))


@pytest.mark.parametrize(
    ("piece", "most"),
    [
        (_rapid, 3000),
        (_made_you, 3000),
        (_too_long, 3000),
        (_upper, 3000),
        (lambda _: _frame(PING, 0, 0, bytes(8)) * 10, 3000),
        (lambda _: _frame(SETTINGS, 0, 0) * 10, 3000),
    ],
    ids=["rapid reset", "made you reset", "too long", "malformed", "pings", "settings"],
)
def test_floods_end_their_connection(
    gateway: Gateway, one: backends.Backend, piece: Callable[[int], bytes], most: int
) -> None:
    before = sum(map(gateway.counted, OUTCOMES))
    with _raw(gateway) as raw:
        code = _flooded(raw, piece, most)
        assert code in (CALM, 1, 3)  # PROTOCOL_ERROR, FLOW_CONTROL_ERROR: the library may be stricter still
    assert len(one.raw) < 1000
    running.until(lambda: sum(map(gateway.counted, OUTCOMES)) == before + 1, "it is counted")
    _others_are_served(gateway)


def test_rapid_resets_are_told_to_be_calm(gateway: Gateway, one: backends.Backend) -> None:
    with _raw(gateway) as raw:
        assert _flooded(raw, _rapid, 3000) == CALM


def test_who_is_served_may_change_its_mind_often(gateway: Gateway, one: backends.Backend) -> None:
    """What is served earns what is reset."""
    with streams.client(gateway.port) as client:
        for _ in range(40):
            asked = [client.ask(flush=False) for _ in range(16)]
            for number in [client.ask(flush=False) for _ in range(8)]:
                client.wire.reset_stream(number, 8)
            client.flush()
            assert {client.answer(each).body for each in asked} == {b"one"}
        assert client.get().body == b"one" and client.away is None


def test_empty_frames_are_a_flood_too(gateway: Gateway, one: backends.Backend) -> None:
    with _raw(gateway) as raw:
        raw.send(_frame(HEADERS, WHOLE, 1, POSTS))
        assert _flooded(raw, lambda _: _frame(DATA, 0, 1) * 10, 3000) == CALM
    _others_are_served(gateway)


def test_whoever_never_reads_cannot_make_us_hoard(gateway: Gateway, one: backends.Backend) -> None:
    """Pings whose answers nobody takes."""
    with _raw(gateway) as raw:
        pings, sent = _frame(PING, 0, 0, bytes(8)) * 500, 0
        while raw.send(pings) and sent < 2000:
            sent += 1
        assert sent < 2000
    _others_are_served(gateway)


def test_heads_without_an_end(gateway: Gateway, one: backends.Backend) -> None:
    """CVE-2024-27316: CONTINUATION for ever."""
    with _raw(gateway) as raw:
        raw.send(_frame(HEADERS, END, 1, GETS))
        filler = _head([(b"x-filler", b"y" * 4000)])
        _flooded(raw, lambda _: _frame(CONTINUATION, 0, 1, filler), 10_000)
        assert raw.code > 0
    assert not one.raw
    _others_are_served(gateway)


def test_a_bomb_of_fields(gateway: Gateway, one: backends.Backend) -> None:
    """One big field of the dynamic table, named thousands of times."""
    with _raw(gateway) as raw:
        big = b"\x40" + hpack.hpack.encode_integer(3, 7) + b"x-a" + hpack.hpack.encode_integer(3900, 7)
        for number in range(20):
            block = _head(GET) + (big + b"y" * 3900 if not number else b"") + b"\xbe" * 10_000
            if not raw.send(_frame(HEADERS, END | WHOLE, 2 * number + 1, block)):
                break
        with contextlib.suppress(OSError):
            raw.sock.shutdown(socket.SHUT_WR)
        raw.end()
    assert not one.raw
    _others_are_served(gateway)


def test_nonsense_after_the_preface(gateway: Gateway, one: backends.Backend) -> None:
    for rest in (
        b"GET / HTTP/1.1\r\nHost: shop.example.com\r\n\r\n",
        _frame(DATA, 0, 0, b"x"),
        b"\xff" * 100,
    ):
        with _raw(gateway) as raw:
            raw.send(rest)
            assert raw.end() > 0
    assert not one.raw


def test_too_many_streams_at_once(gateway: Gateway) -> None:
    waits = threading.Event()

    def play(_: backends.Backend, wire: backends.Wire) -> None:
        wire.message()
        waits.wait(backends.LONG)

    with backends.running(("slow", play)) as (slow,), _raw(gateway) as raw:
        _served(gateway, slow)
        while SETTINGS not in raw.kinds:
            raw.hear()
        raw.send(_frame(SETTINGS, ACK, 0))
        for number in range(150):
            raw.send(_frame(HEADERS, END | WHOLE, 2 * number + 1, GETS))
        while raw.code < 0 and not raw.resets and raw.hear():
            pass
        assert raw.code > 0 or set(raw.resets.values()) == {7}
        assert len(slow.raw) <= 100
        waits.set()


def test_who_takes_nothing_holds_nobody_up_and_is_shown_out(tmp_path: Path) -> None:
    size = 1_000_000
    sent = []

    def big(_: backends.Backend, wire: backends.Wire) -> None:
        wire.message()
        wire.sock.settimeout(backends.LONG)
        with contextlib.suppress(OSError):
            wire.reply(bytes(size))
            sent.append(size)

    with (
        gateways.running(tmp_path, Terms(idle=1.0)) as gateway,
        backends.running(("big", big), "one") as (large, one),
        _raw(gateway) as raw,
    ):
        _served(gateway, large)
        raw.send(_frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 0)))  # windows of nothing
        for number in range(20):
            raw.send(_frame(HEADERS, END | WHOLE, 2 * number + 1, GETS))
        _served(gateway, one)
        for _ in range(20):
            _others_are_served(gateway)
        resident = int(Path(f"/proc/{gateway.process.pid}/statm").read_text().split()[1]) * 4096
        assert resident < 200 << 20


def test_half_a_head_is_not_waited_for(tmp_path: Path) -> None:
    with gateways.running(tmp_path, Terms(idle=1.0, head_time=1.0)) as gateway, _raw(gateway) as raw:
        raw.send(_frame(HEADERS, END, 1, GETS[:10]))
        began = time.monotonic()
        raw.end()
        assert time.monotonic() - began < backends.LONG


SMUGGLED = b"x\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: shop.example.com\r\n\r\n"


def _put(name: bytes, value: bytes) -> streams.Fields:
    return [(name, value) if each[0] == name else each for each in POST]


@pytest.mark.parametrize(
    "fields",
    [
        _put(b":method", b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET"),
        _put(b":path", b"/ HTTP/1.1\r\nHost: shop.example.com\r\n\r\nGET /smuggled"),
        _put(b":path", b"/a b"),
        _put(b":path", b"http://other.example.com/"),
        _put(b":authority", b"shop.example.com\r\nX: y"),
        _put(b":authority", b"a@shop.example.com"),
        _put(b":scheme", b"http://shop.example.com/?"),
        [*POST, (b"x", SMUGGLED)],
        [*POST, (SMUGGLED, b"x")],
        [*POST, (b"x: y\r\nz", b"x")],
        [*POST, (b"x", b"a\0b")],
        [*POST, (b"x", b"a\rb")],
        [*POST, (b"cookie", b"a=b\r\nx: y")],
        [*POST, (b"transfer-encoding", b"chunked")],
        [*POST, (b"Transfer-Encoding", b"chunked")],
        [*POST, (b"transfer-encoding ", b"chunked")],
        [*POST, (b"transfer_encoding", b"chunked")],
        [*POST, (b"connection", b"x-real-ip")],
        [*POST, (b"upgrade", b"websocket")],
        [*POST, (b"te", b"gzip")],
        [*POST, (b"host", b"other.example.com")],
        [*POST, (b"content-length", b"3"), (b"content-length", b"40")],
        [*POST, (b"content-length", b"+3")],
        [*POST, (b"content-length", b"3, 3")],
        [*POST, (b":path", b"/other")],
        [*POST, (b":protocol", b"websocket")],
        POST[1:],
    ],
)
def test_nothing_is_smuggled_over(gateway: Gateway, one: backends.Backend, fields: streams.Fields) -> None:
    body = b"0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: shop.example.com\r\n\r\n"
    with streams.client(gateway.port) as client, contextlib.suppress(EOFError, ConnectionError):
        got = client.get(fields, body)
        assert got.reset or got.status in (400, 405, 501)
    assert not one.raw
    _others_are_served(gateway)


@pytest.mark.parametrize("length", [b"0", b"1", b"70", b"99999"])
def test_a_length_that_lies_reaches_nobody_whole(
    gateway: Gateway, one: backends.Backend, length: bytes
) -> None:
    """A backend may see the beginning of it, as far as it said the truth, and a connection that ends."""
    body = b"GET /smuggled HTTP/1.1\r\nHost: shop.example.com\r\n\r\n"
    with streams.client(gateway.port) as client, contextlib.suppress(EOFError, ConnectionError):
        got = client.get([*POST, (b"content-length", length)], body)
        assert got.reset is not None
    _others_are_served(gateway)
    assert [each.line for each in one.messages if b"smuggled" in each.line] == []
