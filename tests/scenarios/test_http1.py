"""HTTP/1.1 through a gateway worker as awkward clients and backends speak it, over real sockets."""

import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from fedns.gateway.options import Options, Timeouts
from fedns.gateway.terms import Terms
from tests.proxy import backends, gateways
from tests.proxy.backends import Backend, Wire
from tests.proxy.gateways import Gateway
from tests.scenarios import flood
from tests.scenarios.flood import AGREED, GET, POST, serve
from tests.servers import running


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with flood.up(tmp_path_factory.mktemp("http1")) as made:
        yield made


@pytest.mark.parametrize("status", [b"417 Expectation Failed", b"413 Content Too Large", b"401 Unauthorized"])
def test_who_expects_100_and_is_refused_sends_nothing(gateway: Gateway, status: bytes) -> None:
    def refuses(backend: Backend, wire: Wire) -> None:
        backend.messages.append(wire.head())
        wire.reply(b"no", status)
        with suppress(EOFError, ConnectionError):
            backend.messages.append(backends.Message(wire.exactly(1)))

    with backends.running(("one", refuses)) as (one,), gateway.client() as client:
        serve(gateway, one)
        client.send(POST % (5, b"Expect: 100-continue\r\n"))
        got = client.message()
        assert got.line == b"HTTP/1.1 " + status and got.value(b"connection") == b"close"
        assert client.rest() == b""
        assert [each.value(b"expect") for each in one.messages] == [b"100-continue"]


def test_an_early_answer_ends_the_backends_connection_although_the_body_comes_whole(gateway: Gateway) -> None:
    def early(backend: Backend, wire: Wire) -> None:
        backend.messages.append(wire.head())
        wire.reply(b"early")
        with suppress(EOFError, ConnectionError):
            wire.exactly(1 << 30)

    with backends.running(("one", early)) as (one,):
        serve(gateway, one)
        for number in range(1, 3):
            with gateway.client() as client:
                client.send(POST % (5, b"") + b"he")
                got = client.message()
                assert (got.body, got.value(b"connection")) == (b"early", b"close")
                with suppress(ConnectionError):
                    client.send(b"llo" + GET % b"")
                assert client.rest() == b""
                assert len(one.raw) == number


@pytest.mark.parametrize(
    "framed", [b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b"Connection: close\r\n", b""]
)
def test_an_answer_to_head_ends_with_its_head(gateway: Gateway, framed: bytes) -> None:
    def heads(backend: Backend, wire: Wire) -> None:
        while True:
            backend.messages.append(wire.message())
            wire.send(b"HTTP/1.1 200 OK\r\n" + framed + b"ETag: a\r\n\r\n")

    with backends.running(("one", heads)) as (one,), gateway.client() as client:
        serve(gateway, one)
        for _ in range(3):
            got = client.get(method=b"HEAD")
            assert got.line == b"HTTP/1.1 200 OK" and got.value(b"etag") == b"a"
            assert got.value(b"content-length") == (b"5" if b"Length" in framed else None)
        assert len(one.messages) == 3


def test_our_own_answers_to_head_are_those_to_get_without_their_text(gateway: Gateway) -> None:
    with gateway.client() as client:
        for method in (b"GET", b"HEAD", b"GET"):
            client.send(b"%b / HTTP/1.1\r\nHost: nobody.example.com\r\n\r\n" % method)
            got = client.head() if method == b"HEAD" else client.message()
            assert (got.line, got.value(b"content-length")) == (b"HTTP/1.1 404 Not Found", b"10")


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
def test_an_answer_without_a_body_ends_with_its_head(gateway: Gateway, status: bytes) -> None:
    def empty(backend: Backend, wire: Wire) -> None:
        while True:
            backend.messages.append(wire.message())
            wire.send(b"HTTP/1.1 %b\r\nETag: a\r\n\r\n" % status)

    with backends.running(("one", empty)) as (one,), gateway.client() as client:
        serve(gateway, one)
        for _ in range(3):
            assert client.head_of(GET % b"").line == b"HTTP/1.1 " + status
        assert len(one.raw) == 1


def _endless(_: Backend, wire: Wire) -> None:
    wire.message()
    wire.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nto the ")
    wire.send(b"end")


def _chunked(_: Backend, wire: Wire) -> None:
    while True:
        wire.message()
        wire.send(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7\r\nto the \r\n3;x=y\r\nend\r\n0\r\n\r\n"
        )


@pytest.mark.parametrize("play", [_endless, _chunked])
def test_a_body_without_length_ends_as_each_client_can_see(gateway: Gateway, play: backends.Play) -> None:
    with backends.running(("one", play)) as (one,):
        serve(gateway, one)
        with gateway.client() as client:
            for _ in range(2):
                got = client.get()
                assert (got.body, got.value(b"transfer-encoding")) == (b"to the end", b"chunked")
                assert got.value(b"connection") is None
        for asked in (b"", b"Connection: keep-alive\r\n"):
            said = gateway.ask(b"GET / HTTP/1.0\r\nHost: shop.example.com\r\n%b\r\n" % asked)
            head, _, body = said.partition(b"\r\n\r\n")
            assert body == b"to the end"
            assert b"Connection: close" in head and b"chunked" not in head


def test_a_client_of_http_1_0_may_keep_its_connection(gateway: Gateway) -> None:
    with backends.running("one") as (one,), gateway.client() as client:
        serve(gateway, one)
        for _ in range(3):
            client.send(b"GET / HTTP/1.0\r\nHost: shop.example.com\r\nConnection: keep-alive\r\n\r\n")
            got = client.message()
            assert (got.body, got.value(b"connection")) == (b"one", b"keep-alive")
        assert gateway.ask(b"GET / HTTP/1.0\r\nHost: shop.example.com\r\n\r\n").endswith(b"\r\n\r\none")


def test_what_is_slow_first_is_answered_first(gateway: Gateway) -> None:
    release = threading.Event()

    def paced(backend: Backend, wire: Wire) -> None:
        while True:
            got = wire.message()
            backend.messages.append(got)
            if b" /0 " in got.line:
                release.wait(backends.LONG)
            wire.reply(got.line.split()[1])

    with backends.running(("one", paced), ("two", paced)) as made, gateway.client() as client:
        serve(gateway, *made)
        client.send(b"".join(GET % b"%d" % number for number in range(20)))
        running.until(lambda: made[0].messages or made[1].messages, "the first one came")
        with gateway.client() as other:
            assert other.get(b"/other").body == b"/other"
        assert len(made[0].messages) + len(made[1].messages) == 2, "nobody overtakes"
        release.set()
        assert [client.message().body for _ in range(20)] == [b"/%d" % number for number in range(20)]


def test_connections_that_end_just_now_are_not_seen_by_clients(gateway: Gateway) -> None:
    """Each answer is followed by the end of its connection, with and without a word about it."""

    def leaves(backend: Backend, wire: Wire) -> None:
        for _ in range(2):
            backend.messages.append(wire.message())
            wire.reply(b"fine")

    with backends.running(("one", leaves), ("two", leaves)) as made, gateway.client() as client:
        serve(gateway, *made)
        for number in range(200):
            got = client.get(b"/%d" % number, method=(b"GET", b"PUT", b"DELETE")[number % 3])
            assert (got.line, got.body) == (b"HTTP/1.1 200 OK", b"fine")


def test_bodies_in_a_row_are_told_apart(gateway: Gateway) -> None:
    """Pipelined requests with bodies of both kinds, cut into pieces at odd places."""
    with backends.running("one") as (one,), gateway.client() as client:
        serve(gateway, one)
        chunked = b"POST /c HTTP/1.1\r\nHost: shop.example.com\r\nTransfer-Encoding: chunked\r\n\r\n"
        raw = b"".join(
            chunked + b"3\r\nabc\r\n2;a=b\r\nde\r\n0\r\n\r\n" + POST % (5, b"") + b"fghij" + GET % b"g"
            for _ in range(10)
        )
        for at in range(0, len(raw), 37):
            client.send(raw[at : at + 37])
        assert [client.message().body for _ in range(30)] == [b"one"] * 30
        assert [each.body for each in one.messages] == [b"abcde", b"fghij", b""] * 10


def test_a_client_that_has_asked_all_is_answered(gateway: Gateway) -> None:
    """One half of its connection is closed, not the other."""
    with backends.running("one") as (one,), gateway.client() as client:
        serve(gateway, one)
        client.send(GET % b"" * 3)
        client.sock.shutdown(socket.SHUT_WR)
        assert client.rest().count(b"HTTP/1.1 200 OK") == 3


def test_who_is_trusted_tells_who_the_client_is(tmp_path: Path) -> None:
    said = b"X-Forwarded-For: 192.0.2.9\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: Shop.example.net\r\n"
    said += (
        b"Forwarded: for=192.0.2.9;proto=https\r\nX-Request-Id: from-the-edge\r\nX-Forwarded-Port: 8443\r\n"
    )
    loopback = ((4, 127 << 24, (1 << 24) - 1),)
    for trusted in ((), loopback):
        agreed = Terms(trusted=trusted, forwarded=True)
        state = tmp_path / str(len(trusted))
        with (
            gateways.running(state, agreed) as made,
            backends.running("one") as (one,),
            made.client() as client,
        ):
            serve(made, one)
            assert client.get(fields=said).body == b"one"
        (got,) = one.messages
        told = {
            name: got.values(name.encode())
            for name in ("x-forwarded-for", "x-real-ip", "x-forwarded-proto", "x-forwarded-port", "forwarded")
        }
        own = b'for=127.0.0.1;host="shop.example.com";proto=http'
        if trusted:
            assert told["x-forwarded-for"] == [b"192.0.2.9, 127.0.0.1"] and told["x-real-ip"] == [
                b"192.0.2.9"
            ]
            assert told["x-forwarded-proto"] == [b"https"] and told["x-forwarded-port"] == [b"8443"]
            assert told["forwarded"] == [b"for=192.0.2.9;proto=https, " + own]
            assert got.values(b"x-forwarded-host") == [b"shop.example.net"]
            assert got.values(b"x-request-id") == [b"from-the-edge"]
        else:
            assert told["x-forwarded-for"] == told["x-real-ip"] == [b"127.0.0.1"]
            assert told["x-forwarded-proto"] == [b"http"] and told["forwarded"] == [own]
            assert told["x-forwarded-port"] == [b"%d" % made.port]
            assert got.values(b"x-forwarded-host") == [b"shop.example.com"]
            assert got.values(b"x-request-id") != [b"from-the-edge"]


def test_downloads_and_tunnels_outlive_a_change_and_end_with_the_worker(tmp_path: Path) -> None:
    begun, finish = threading.Event(), threading.Event()

    def slowly(_: Backend, wire: Wire) -> None:
        wire.message()
        wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")
        begun.set()
        finish.wait(backends.LONG)
        wire.send(b"world")

    with gateways.running(tmp_path, AGREED) as made, backends.running(("one", slowly), "two") as (one, two):
        serve(made, one)
        with made.client() as client, made.client() as late:
            client.send(GET % b"")
            assert begun.wait(backends.LONG)
            serve(made, two, asked=Options(timeouts=Timeouts(read=5.0)))
            assert late.get().body == b"two"
            made.process.send_signal(signal.SIGTERM)
            assert late.rest() == b""
            finish.set()
            assert client.message().body == b"helloworld"
            assert client.rest() == b""
        assert made.process.wait(backends.LONG) == 0
