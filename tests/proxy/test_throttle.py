"""Who is one too many, and what is said to them; answers that are let through slowly."""

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from fedns.gateway.options import Limit, Limits, Options, Refusal, Retry
from fedns.proxy import throttle
from tests.proxy import backends, gateways
from tests.proxy.gateways import Gateway
from tests.servers import running

BUSY = Refusal(503)


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    with gateways.running(tmp_path) as made:
        yield made


def _serve(gateway: Gateway, one: backends.Backend, **asked: Any) -> None:
    gateway.publish(gateways.table(Options(limits=Limits(**asked))), shop=gateways.pool([one]))


def _status(got: backends.Message) -> int:
    return int(got.line.split()[1])


def test_so_many_at_once_and_then_so_many_in_a_time(gateway: Gateway) -> None:
    with backends.running("one") as (one,), gateway.client() as client:
        _serve(gateway, one, buckets=(Limit(0.001, 3.0, True),), refusal=BUSY)
        assert [_status(client.get()) for _ in range(5)] == [200] * 3 + [503] * 2
        assert gateway.counted("limited") == 2 and len(one.messages) == 3
        _serve(gateway, one, buckets=(Limit(0.001, 3.0, True),), exempt=((4, 0x7F000000, 24),))
        assert _status(client.get()) == 200


def test_one_too_many_is_told_what_the_route_wants(gateway: Gateway) -> None:
    with backends.running("one") as (one,), gateway.client() as client:
        said = Refusal(429, b"{}", b"application/json")
        _serve(gateway, one, buckets=(Limit(0.001, 1.0, False),), refusal=said)
        assert _status(client.get()) == 200
        got = client.get()
        assert (_status(got), got.body) == (429, b"{}") and got.value(b"content-type") == b"application/json"
        away = Refusal(redirect=(("text", b"https://busy.example.com/"),))
        _serve(gateway, one, buckets=(Limit(0.001, 1.0, False),), refusal=away)
        got = client.get()
        assert _status(got) == 302 and got.value(b"location") == b"https://busy.example.com/"


@pytest.mark.parametrize("which", ["connections", "concurrency"])
def test_so_many_are_under_way(gateway: Gateway, which: str) -> None:
    release = threading.Event()

    def slow(backend: backends.Backend, wire: backends.Wire) -> None:
        while True:
            backend.messages.append(wire.message())
            release.wait(backends.LONG)
            wire.reply(b"slow")

    with backends.running(("one", slow)) as (one,), ExitStack() as clients:
        _serve(gateway, one, **{which: 3}, refusal=BUSY, busy=BUSY)
        opened = [clients.enter_context(gateway.client()) for _ in range(3)]
        for number, client in enumerate(opened):
            client.send(b"GET / HTTP/1.1\r\nHost: shop.example.com\r\n\r\n")
            running.until(lambda n=number: len(one.messages) > n, "it is there")  # type: ignore[misc]
        with gateway.client() as another:
            assert _status(another.get()) == 503
        opened[0].sock.close()  # who goes makes room

        def room() -> bool:
            with gateway.client() as client:
                client.send(b"GET / HTTP/1.1\r\nHost: shop.example.com\r\nConnection: close\r\n\r\n")
                before = len(one.messages)
                client.sock.settimeout(0.5)
                try:
                    return _status(client.message()) == 200
                except TimeoutError:
                    return len(one.messages) > before

        running.until(room, "there is room")
        release.set()
        assert all(_status(client.message()) == 200 for client in opened[1:])
        with gateway.client() as client:
            running.until(lambda: [_status(client.get()) for _ in range(5)] == [200] * 5, "all is over")


def test_two_workers_hold_one_limit(tmp_path: Path) -> None:
    with gateways.running(tmp_path) as first, backends.running("one") as (one,):
        _serve(first, one, buckets=(Limit(0.0001, 40.0, True),), refusal=BUSY)
        with first.beside() as second:
            got = []
            for port in (first.port, second) * 30:
                with first.client(port) as client:
                    got.append(_status(client.get()))
        assert got == [200] * 40 + [503] * 20


def test_an_answer_may_be_let_through_slowly(gateway: Gateway) -> None:
    def large(backend: backends.Backend, wire: backends.Wire) -> None:
        while True:
            backend.messages.append(wire.message())
            wire.reply(b"x" * 300_000)

    def chunks(_: backends.Backend, wire: backends.Wire) -> None:
        wire.message()
        wire.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(10):
            wire.send(b"400\r\n" + b"y" * 1024 + b"\r\n")
        wire.send(b"0\r\nX-Sum: 1\r\n\r\n")

    with backends.running(("one", large), ("two", chunks)) as (one, two), gateway.client() as client:
        _serve(gateway, one, pace=200_000, pace_after=100_000)
        for _ in range(2):
            began = time.monotonic()
            assert client.get().body == b"x" * 300_000
            assert 0.7 < time.monotonic() - began < backends.LONG
        assert len(one.raw) == 1, "the connection is used again"
        _serve(gateway, two, pace=20_000)
        got = client.get()
        assert (got.body, got.trailers) == (b"y" * 10240, b"X-Sum: 1\r\n")
        assert client.get(method=b"HEAD").head


def test_a_slow_answer_may_be_unwanted_and_its_client_may_leave(gateway: Gateway) -> None:
    def sick(_: backends.Backend, wire: backends.Wire) -> None:
        while True:
            wire.message()
            wire.reply(b"sick", b"503 Service Unavailable")

    def endless(backend: backends.Backend, wire: backends.Wire) -> None:
        wire.message()
        wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n" + b"x" * 100_000)
        try:
            wire.exactly(1)
        except (EOFError, OSError):
            backend.messages.append(backends.Message(b""))

    asked = Options(limits=Limits(pace=100_000), retry=Retry(statuses=(503,)))
    with backends.running(("one", sick), ("two", endless)) as (one, two):
        gateway.publish(gateways.table(asked), shop=gateways.pool([one], [two]))
        with gateway.client() as client:
            client.send(b"GET / HTTP/1.1\r\nHost: shop.example.com\r\n\r\n")
            assert client.until(b"\r\n\r\n").startswith(b"HTTP/1.1 200 OK")
        running.until(lambda: two.messages, "the backend is let go")


def test_nothing_is_shared_before_something_is_limited(tmp_path: Path) -> None:
    path = tmp_path / "limits"
    made = throttle.Throttle(str(path))
    assert not path.exists() and made.shared and path.exists()
