"""Clients that go beyond limits: each gets its status, is counted, and disturbs nobody else."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from fedns.gateway.terms import Terms
from tests.proxy import backends, gateways
from tests.proxy.gateways import Gateway
from tests.servers import running

TERMS = Terms(head_time=0.4, idle=0.4, linger=0.2, body=1000, per_client=20)
_CHUNKED = b"POST / HTTP/1.1\r\nHost: shop.example.com\r\nTransfer-Encoding: chunked\r\n\r\n"
_HEAD = b"GET / HTTP/1.1\r\nHost: shop.example.com\r\n"


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    state: Path = tmp_path_factory.mktemp("inbound")
    with gateways.running(state, TERMS) as made, backends.running("one") as (one,):
        made.publish(gateways.table(), shop=gateways.pool([one]))
        with made.client() as client:  # once it is up
            client.sock.settimeout(backends.LONG)
            assert client.get().body == b"one"
        yield made


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (_HEAD + b"X: " + b"a" * 65_536 + b"\r\n\r\n", 431),
        (_HEAD + b"X: " + b"a" * 300_000, 431),
        (b"GET /" + b"a" * 300_000, 431),
        (_HEAD + b"X: y\r\n" * 200 + b"\r\n", 431),
        (b"GET /" + b"a" * 8192 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
        (b"POST / HTTP/1.1\r\nHost: shop.example.com\r\nContent-Length: 1001\r\n\r\n", 413),
        (b"TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", 405),
        (b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", 405),
        (b"FROB / HTTP/1.1\r\nHost: a\r\n\r\n", 501),
        (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
        (b"GET / HTTP/1.1\r\nHost: a", 408),
    ],
)
def test_who_goes_beyond_a_limit_is_told_and_counted(gateway: Gateway, raw: bytes, status: int) -> None:
    before = gateway.counted(f"refused_{status}")
    said = gateway.ask(raw)
    assert said.startswith(b"HTTP/1.1 %d " % status), said[:100]
    assert b"\r\nConnection: close\r\n" in said
    running.until(lambda: gateway.counted(f"refused_{status}") == before + 1, "it is counted")


def test_a_chunked_body_that_grows_too_long_is_413(gateway: Gateway) -> None:
    chunk = b"1f4\r\n" + b"x" * 500 + b"\r\n"
    with gateway.client() as client:
        client.send(_CHUNKED + chunk)
        client.send(chunk + chunk)
        assert client.head().line == b"HTTP/1.1 413 Content Too Large"


@pytest.mark.parametrize(
    "endless", [b"1;" + b"x" * 400_000, b"0\r\nX: " + b"x" * 400_000, b"0\r\n" + b"X: y\r\n" * 300 + b"\r\n"]
)
def test_what_belongs_to_no_body_does_not_go_on_for_ever(gateway: Gateway, endless: bytes) -> None:
    with gateway.client() as client:
        client.send(_CHUNKED)
        client.send(endless)
        assert client.head().line.startswith(b"HTTP/1.1 4")


def test_an_idle_connection_is_closed(gateway: Gateway) -> None:
    with gateway.client() as client:
        assert client.get().body == b"one"
        assert client.rest() == b""


def test_a_head_that_dribbles_is_408_however_often_it_moves(gateway: Gateway) -> None:
    with gateway.client() as client:
        client.send(_HEAD)
        client.sock.settimeout(0.1)
        said = b""
        while not said:
            client.send(b"X: y\r\n")
            try:
                said = client.sock.recv(1000)
            except TimeoutError:
                continue
        assert said.startswith(b"HTTP/1.1 408 ")


def test_one_address_has_its_share_of_connections(gateway: Gateway) -> None:
    made = [socket.create_connection(("127.0.0.1", gateway.port), backends.LONG) for _ in range(40)]
    refused = 0
    for each in made:
        each.settimeout(backends.LONG)
        refused += each.recv(1000).startswith(b"HTTP/1.1 429 ")
        each.close()
    assert refused == 20 == gateway.counted("crowded_client")
    last = _HEAD + b"Connection: close\r\n\r\n"
    running.until(lambda: gateway.ask(last).endswith(b"one"), "there is room again")


def test_what_follows_a_malformed_request_is_not_believed(gateway: Gateway) -> None:
    said = gateway.ask(_HEAD + b"\r\nGET / HTTP/1.1\r\nHost: a b\r\n\r\n" + _HEAD + b"\r\n")
    assert [said.count(b"HTTP/1.1 %d " % status) for status in (200, 400)] == [1, 1]


def test_a_client_that_takes_nothing_is_not_answered_without_end(gateway: Gateway) -> None:
    with gateway.client() as client:
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.sock.settimeout(1.0)
        sent = 0
        try:
            while sent < 100_000_000:
                sent += client.sock.send((_HEAD + b"\r\n") * 1000)
        except (TimeoutError, ConnectionError):
            pass
        assert sent < 100_000_000
