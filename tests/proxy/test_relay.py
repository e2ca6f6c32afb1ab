"""Answers on their way back: interim ones, trailers, other protocols, and backends that talk too early."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.proxy import backends, gateways
from tests.proxy.gateways import Gateway
from tests.servers import running

_SOCKET = b"Connection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\nSec-WebSocket-Key: abc\r\n"
_FIVE = b"POST / HTTP/1.1\r\nHost: shop.example.com\r\nContent-Length: 5\r\n"
_SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"
_EVIL = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    state: Path = tmp_path_factory.mktemp("relay")
    with gateways.running(state) as made:
        yield made


def _chunked(trailers: bytes = b"") -> backends.Play:
    def play(_: backends.Backend, wire: backends.Wire) -> None:
        wire.message()
        wire.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n")
        wire.send(b"5\r\nhello\r\n0\r\n%b\r\n" % trailers)

    return play


def _served(gateway: Gateway, backend: backends.Backend) -> None:
    gateway.publish(gateways.table(), shop=gateways.pool([backend]))


def test_trailers_go_on_but_for_those_that_come_too_late(gateway: Gateway) -> None:
    play = _chunked(b"X-Sum: 5\r\nContent-Type: a\r\nSet-Cookie: a=b\r\n")
    with backends.running(("one", play)) as (one,), gateway.client() as client:
        _served(gateway, one)
        got = client.get()
        assert (got.body, got.trailers) == (b"hello", b"X-Sum: 5\r\n")


def test_trailers_of_requests_go_on_too(gateway: Gateway) -> None:
    with backends.running("one") as (one,), gateway.client() as client:
        _served(gateway, one)
        client.send(b"POST / HTTP/1.1\r\nHost: shop.example.com\r\nTransfer-Encoding: chunked\r\n\r\n")
        client.send(b"3\r\nabc\r\n0\r\nX-Sum: 3\r\nAuthorization: me\r\n\r\n")
        assert client.message().body == b"one"
        assert (one.messages[0].body, one.messages[0].trailers) == (b"abc", b"X-Sum: 3\r\n")
        assert one.messages[0].value(b"x-sum") is None


def test_interim_answers_go_on_to_who_understands_them(gateway: Gateway) -> None:
    def hints(_: backends.Backend, wire: backends.Wire) -> None:
        while True:
            wire.message()
            wire.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n")
            wire.reply(b"done")

    with backends.running(("one", hints)) as (one,), gateway.client() as client:
        _served(gateway, one)
        got = client.get()
        assert got.line == b"HTTP/1.1 103 Early Hints" and got.value(b"link") == b"</a.css>"
        assert client.message().body == b"done"
        assert len(one.raw) == 1
        assert b"103" not in gateway.ask(b"GET / HTTP/1.0\r\nHost: shop.example.com\r\n\r\n")


def test_who_expects_100_is_told_by_the_backend(gateway: Gateway) -> None:
    def patient(backend: backends.Backend, wire: backends.Wire) -> None:
        got = wire.head()
        wire.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        got.body = wire.exactly(5)
        backend.messages.append(got)
        wire.reply(b"thanks")

    with backends.running(("one", patient)) as (one,), gateway.client() as client:
        _served(gateway, one)
        client.send(_FIVE + b"Expect: 100-Continue\r\n\r\n")
        assert client.head().line == b"HTTP/1.1 100 Continue"
        client.send(b"hello")
        assert client.message().body == b"thanks"
        assert one.messages[0].body == b"hello"


def test_nobody_knows_another_expectation(gateway: Gateway) -> None:
    with gateway.client() as client:
        client.send(_FIVE + b"Expect: magic\r\n\r\n")
        assert client.message().line == b"HTTP/1.1 417 Expectation Failed"


def test_an_early_answer_is_passed_on_and_ends_both_connections(gateway: Gateway) -> None:
    def refuses(_: backends.Backend, wire: backends.Wire) -> None:
        wire.head()
        wire.reply(b"too much", b"413 Content Too Large")
        with pytest.raises((EOFError, ConnectionError)):
            wire.exactly(1 << 30)

    with backends.running(("one", refuses)) as (one,), gateway.client() as client:
        _served(gateway, one)
        client.send(b"POST / HTTP/1.1\r\nHost: shop.example.com\r\nContent-Length: 99999999\r\n\r\nstart")
        got = client.message()
        assert (got.line, got.body) == (b"HTTP/1.1 413 Content Too Large", b"too much")
        assert got.value(b"connection") == b"close"
        assert client.rest() == b""


def test_a_websocket_is_octets_both_ways(gateway: Gateway) -> None:
    def echo(backend: backends.Backend, wire: backends.Wire) -> None:
        backend.messages.append(wire.message())
        wire.send(_SWITCH + b"X-Key: def\r\n\r\nwelcome")
        while True:
            wire.send(wire.exactly(1).upper())

    with backends.running(("one", echo)) as (one,), gateway.client() as client:
        _served(gateway, one)
        client.send(b"GET /chat HTTP/1.1\r\nHost: shop.example.com\r\n" + _SOCKET + b"\r\n")
        got = client.head()
        assert got.line == b"HTTP/1.1 101 Switching Protocols" and got.value(b"x-key") == b"def"
        assert got.value(b"upgrade") == b"websocket"
        assert client.exactly(7) == b"welcome"
        gateway.publish(gateways.table(), shop=gateways.pool())  # changes cut nothing
        for _ in range(3):
            client.send(b"GET / HTTP/1.1\r\n\r\n")
            assert client.exactly(18) == b"GET / HTTP/1.1\r\n\r\n"
        asked = one.messages[0]
        assert (asked.value(b"connection"), asked.value(b"upgrade")) == (b"upgrade", b"websocket")
        one.cut()
        assert client.rest() == b""


def test_a_websocket_that_is_refused_ends_the_connection(gateway: Gateway) -> None:
    with backends.running("one") as (one,), gateway.client() as client:
        _served(gateway, one)
        client.send(b"GET /chat HTTP/1.1\r\nHost: shop.example.com\r\n" + _SOCKET + b"\r\n")
        got = client.message()
        assert (got.body, got.value(b"connection")) == (b"one", b"close")


@pytest.mark.parametrize(
    ("before", "after"),
    [(b"", b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"), (b"Content-Length: 4\r\n", b"body")],
)
def test_nothing_comes_before_a_websocket_is_there(gateway: Gateway, before: bytes, after: bytes) -> None:
    with backends.running("one") as (one,):
        _served(gateway, one)
        asked = b"GET / HTTP/1.1\r\nHost: shop.example.com\r\n" + _SOCKET + before
        said = gateway.ask(asked + b"\r\n" + after)
        assert said.startswith(b"HTTP/1.1 400 ")
        assert not one.messages


def test_other_protocols_are_not_heard_of(gateway: Gateway) -> None:
    with backends.running("one") as (one,), gateway.client() as client:
        _served(gateway, one)
        fields = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAA\r\n"
        for _ in range(2):
            assert client.get(fields=fields).body == b"one"
        assert one.messages[0].value(b"upgrade") is None is one.messages[0].value(b"http2-settings")
        assert len(one.raw) == 1


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: a\rb\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: a\r\n folded\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 40,
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 300 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 400_000,
    ],
)
def test_a_backend_that_does_not_speak_http_is_502(gateway: Gateway, answer: bytes) -> None:
    def play(_: backends.Backend, wire: backends.Wire) -> None:
        wire.message()
        wire.send(answer)
        wire.message()

    with backends.running(("one", play)) as (one,), gateway.client() as client:
        _served(gateway, one)
        got = client.get()
        while got.line == b"HTTP/1.1 100 Continue":
            got = client.message()
        assert got.line == b"HTTP/1.1 502 Bad Gateway"


def test_what_a_backend_says_unasked_never_reaches_anybody(gateway: Gateway) -> None:
    """The classic of response splitting: the second answer would be the next client's."""

    def splits(_: backends.Backend, wire: backends.Wire) -> None:
        wire.message()
        wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" + _EVIL)
        wire.message()

    def heads(_: backends.Backend, wire: backends.Wire) -> None:
        wire.message()
        wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n" + _EVIL)
        wire.message()

    for play, method in ((splits, b"GET"), (heads, b"HEAD")):
        with backends.running(("one", play)) as (one,), gateway.client() as client:
            _served(gateway, one)
            for _ in range(3):
                got = client.get(method=method)
                assert got.line == b"HTTP/1.1 200 OK" and b"evil" not in got.body
            assert len(one.raw) == 3  # none of its connections was used again


def test_neither_side_is_read_faster_than_the_other_takes_it(gateway: Gateway) -> None:
    sent, stop = [0], threading.Event()

    def pours(_: backends.Backend, wire: backends.Wire) -> None:
        wire.message()
        wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        wire.sock.settimeout(0.5)
        try:
            while not stop.is_set():
                sent[0] += wire.sock.send(bytes(65536))
        except TimeoutError:
            stop.set()

    with backends.running(("one", pours)) as (one,), gateway.client() as client:
        _served(gateway, one)
        client.send(b"GET / HTTP/1.1\r\nHost: shop.example.com\r\n\r\n")
        running.until(stop.is_set, "the backend is held back")
        assert sent[0] < 30_000_000  # socket buffers, and nearly nothing of ours
