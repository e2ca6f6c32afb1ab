"""A whole gateway worker: requests and answers go through it as they should, over real sockets."""

import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from fedns.gateway import route
from tests.proxy import backends, gateways
from tests.proxy.gateways import Gateway


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    with gateways.running(tmp_path) as made:
        yield made


def _closed() -> backends.Backend:
    """A backend that refuses connections."""
    made = backends.Backend("closed")
    made.stop()
    return made


def test_requests_of_one_connection_go_to_the_backend_one_after_the_other(gateway: Gateway) -> None:
    with backends.running("one") as (one,), gateway.client() as client:
        gateway.publish(gateways.table(), shop=gateways.pool([one]))
        for number in range(3):
            got = client.get(b"/cart?n=%d" % number, b"Cookie: a=b\r\n")
            assert (got.line, got.body) == (b"HTTP/1.1 200 OK", b"one")
        assert [each.line for each in one.messages] == [b"GET /cart?n=%d HTTP/1.1" % n for n in range(3)]
        assert one.messages[0].value(b"cookie") == b"a=b"
        assert len(one.raw) == 1


def test_what_is_about_the_client_is_said_anew(gateway: Gateway) -> None:
    with backends.running("one") as (one,), gateway.client() as client:
        gateway.publish(gateways.table(), shop=gateways.pool([one]))
        said = b"X-Forwarded-For: 1.2.3.4\r\nX-Real-Ip: 9.9.9.9\r\nX-Secret: 1\r\nConnection: x-secret\r\n"
        client.get(fields=said)
        (got,) = one.messages
        assert got.values(b"x-forwarded-for") == [b"127.0.0.1"] == got.values(b"x-real-ip")
        assert got.value(b"x-forwarded-proto") == b"http"
        assert got.value(b"x-secret") is None and got.value(b"connection") is None
        assert len(got.value(b"x-request-id") or b"") == 32


@pytest.mark.parametrize("size", [0, 1, 5000, 3_000_000])
@pytest.mark.parametrize("chunked", [False, True])
def test_bodies_go_both_ways(gateway: Gateway, size: int, chunked: bool) -> None:
    body = bytes(range(256)) * (size // 256) + b"x" * (size % 256)

    def mirror(backend: backends.Backend, wire: backends.Wire) -> None:
        while True:
            got = wire.message()
            backend.messages.append(got)
            if chunked:
                wire.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
                pieces = [got.body[at : at + 70_000] for at in range(0, size, 70_000)]
                wire.send(b"".join(b"%X\r\n%b\r\n" % (len(each), each) for each in pieces) + b"0\r\n\r\n")
            else:
                wire.reply(got.body)

    with backends.running(("one", mirror)) as (one,), gateway.client() as client:
        gateway.publish(gateways.table(), shop=gateways.pool([one]))
        for _ in range(2):
            head = b"POST / HTTP/1.1\r\nHost: shop.example.com\r\n"
            if chunked:
                sent = b"".join(b"%x\r\n%b\r\n" % (len(body), body) for _ in range(bool(size)))
                client.send(head + b"Transfer-Encoding: chunked\r\n\r\n" + sent + b"0\r\n\r\n")
            else:
                client.send(head + b"Content-Length: %d\r\n\r\n" % size + body)
            got = client.message()
            assert got.body == body
            assert (got.value(b"transfer-encoding") == b"chunked") == chunked
        assert one.messages[0].body == body


def test_an_answer_to_head_has_no_body_and_the_next_one_is_right(gateway: Gateway) -> None:
    with backends.running("one") as (one,), gateway.client() as client:
        gateway.publish(gateways.table(), shop=gateways.pool([one]))
        for _ in range(2):
            assert client.get(method=b"HEAD").value(b"content-length") == b"5"
            assert client.get().body == b"one"
        assert len(one.raw) == 1


def test_pipelined_requests_are_answered_in_order(gateway: Gateway) -> None:
    with backends.running("one") as (one,), gateway.client() as client:
        gateway.publish(gateways.table(), shop=gateways.pool([one]))
        one_request = b"GET /%d HTTP/1.1\r\nHost: shop.example.com\r\n\r\n"
        client.send(b"".join(one_request % number for number in range(50)))
        assert [client.message().body for _ in range(50)] == [b"one"] * 50
        assert [each.line for each in one.messages] == [b"GET /%d HTTP/1.1" % n for n in range(50)]


def test_who_has_no_route_is_told_and_stays_connected(gateway: Gateway) -> None:
    with backends.running("one") as (one,), gateway.client() as client:
        gateway.publish(gateways.table(), shop=gateways.pool([one]))
        client.send(b"GET / HTTP/1.1\r\nHost: nobody.example.com\r\n\r\n")
        assert client.message().line == b"HTTP/1.1 404 Not Found"
        assert client.get().body == b"one"


def test_before_anything_is_known_of_routes_it_is_503_for_now(gateway: Gateway) -> None:
    with backends.running("one") as (one,), gateway.client() as client:
        got = client.get()
        assert got.line == b"HTTP/1.1 503 Service Unavailable" and got.value(b"retry-after") == b"1"
        gateway.publish(gateways.table(), shop=gateways.pool([one]))
        assert client.get().body == b"one"


def test_a_pool_without_anybody_is_503(gateway: Gateway) -> None:
    gateway.publish(gateways.table(), shop=route.Pool())
    with gateway.client() as client:
        assert client.get().line == b"HTTP/1.1 503 Service Unavailable"


@pytest.mark.parametrize("method", [b"GET", b"POST"])
def test_who_cannot_be_reached_is_passed_over(gateway: Gateway, method: bytes) -> None:
    with backends.running("two") as (two,), gateway.client() as client:
        gateway.publish(gateways.table(), shop=gateways.pool([_closed()], [two]))
        for _ in range(5):
            assert client.get(method=method, fields=b"Content-Length: 0\r\n").body == b"two"
        assert len(two.messages) == 5


def test_a_body_that_was_kept_goes_to_the_next(gateway: Gateway) -> None:
    def takes_and_leaves(_: backends.Backend, wire: backends.Wire) -> None:
        wire.message()

    with backends.running(("one", takes_and_leaves), "two") as (one, two), gateway.client() as client:
        gateway.publish(gateways.table(), shop=gateways.pool([one], [two]))
        client.send(b"PUT / HTTP/1.1\r\nHost: shop.example.com\r\nContent-Length: 5\r\n\r\nhello")
        assert client.message().body == b"two"
        assert two.messages[0].body == b"hello"
        client.send(b"POST / HTTP/1.1\r\nHost: shop.example.com\r\nContent-Length: 5\r\n\r\nhello")
        assert client.message().line == b"HTTP/1.1 502 Bad Gateway"
        assert len(two.messages) == 1


def test_a_connection_that_went_stale_costs_nothing(gateway: Gateway) -> None:
    with backends.running("one", "two") as (one, two), gateway.client() as client:
        gateway.publish(gateways.table(), shop=gateways.pool([one], [two]))
        for _ in range(5):
            assert client.get().body == b"one"
            one.cut()
        assert not two.messages


def test_nobody_left_to_try_is_502(gateway: Gateway) -> None:
    gateway.publish(gateways.table(), shop=gateways.pool([_closed()], [_closed()]))
    with gateway.client() as client:
        assert client.get().line == b"HTTP/1.1 502 Bad Gateway"


def test_an_answer_that_ends_with_its_connection_ends_whole(gateway: Gateway) -> None:
    def old(_: backends.Backend, wire: backends.Wire) -> None:
        wire.message()
        wire.send(b"HTTP/1.0 200 OK\r\nServer: old\r\n\r\nto the end")

    with backends.running(("one", old)) as (one,), gateway.client() as client:
        gateway.publish(gateways.table(), shop=gateways.pool([one]))
        for _ in range(2):
            got = client.get()
            assert got.body == b"to the end" and got.value(b"transfer-encoding") == b"chunked"
        assert gateway.ask(b"GET / HTTP/1.0\r\nHost: shop.example.com\r\n\r\n").endswith(
            b"\r\n\r\nto the end"
        )


def test_an_answer_that_breaks_off_is_broken_off(gateway: Gateway) -> None:
    def breaks(_: backends.Backend, wire: backends.Wire) -> None:
        wire.message()
        wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")

    with backends.running(("one", breaks)) as (one,), gateway.client() as client:
        gateway.publish(gateways.table(), shop=gateways.pool([one]))
        with pytest.raises((EOFError, ConnectionResetError)):
            client.get()


def test_a_change_of_endpoints_is_followed_at_once(gateway: Gateway) -> None:
    with backends.running("one", "two") as (one, two), gateway.client() as client:
        for each in (one, two, one):
            gateway.publish(gateways.table(), shop=gateways.pool([each]))
            assert client.get().body == each.name.encode()


def test_it_ends_when_asked_and_finishes_what_is_under_way(gateway: Gateway) -> None:
    asked, ended = threading.Event(), threading.Event()

    def slow(_: backends.Backend, wire: backends.Wire) -> None:
        wire.message()
        asked.set()
        ended.wait(backends.LONG)
        wire.reply(b"late")

    with backends.running(("one", slow)) as (one,), gateway.client() as idle, gateway.client() as client:
        gateway.publish(gateways.table(), shop=gateways.pool([one]))
        client.send(b"GET / HTTP/1.1\r\nHost: shop.example.com\r\n\r\n")
        assert asked.wait(backends.LONG)
        gateway.process.send_signal(signal.SIGTERM)
        assert idle.rest() == b""
        ended.set()
        got = client.message()
        assert got.body == b"late" and got.value(b"connection") == b"close"
        assert gateway.process.wait(backends.LONG) == 0
