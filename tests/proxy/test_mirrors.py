"""Copies of requests: what a mirror gets, and that nobody notices what it does."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fedns.gateway import route
from fedns.gateway.options import Mirror, Options
from fedns.proxy import mirrors
from tests.proxy import backends, gateways
from tests.proxy.gateways import Gateway
from tests.servers import running

SHADOW = b"ns/shadow/80"
_POST = b"POST /a?b HTTP/1.1\r\nHost: shop.example.com\r\nContent-Length: 5\r\n\r\nhello"
_CHUNKS = b"PUT /a HTTP/1.1\r\nHost: shop.example.com\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    state: Path = tmp_path_factory.mktemp("mirrors")
    with gateways.running(state) as made:
        yield made


def _serve(gateway: Gateway, mirror: Mirror, one: backends.Backend, *shadows: backends.Backend) -> None:
    shadow = gateways.pool(list(shadows)) if shadows else route.Pool()
    gateway.publish(gateways.table(Options(mirror=mirror)), shop=gateways.pool([one]), shadow=shadow)


def _url(text: str) -> tuple[tuple[str, bytes], ...]:
    return (("text", text.encode()),)


def test_a_copy_is_what_the_backend_got(gateway: Gateway) -> None:
    with backends.running("one", "two") as (one, two), gateway.client() as client:
        _serve(gateway, Mirror(SHADOW), one, two)
        assert client.get(b"/x?y", b"X-A: b\r\n").body == b"one"
        client.send(_POST)
        assert client.message().body == b"one"
        client.send(_CHUNKS + b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
        assert client.message().body == b"one"
        running.until(lambda: len(two.messages) == 3, "the copies")
        got = {each.line: each for each in two.messages}
        assert set(got) == {each.line for each in one.messages}
        assert got[b"GET /x?y HTTP/1.1"].value(b"x-a") == b"b"
        posted = got[b"POST /a?b HTTP/1.1"]
        assert posted.body == b"hello" and posted.values(b"host") == [b"shop.example.com"]
        assert got[b"PUT /a HTTP/1.1"].body == b"abcde"
        assert posted.value(b"x-request-id") in [each.value(b"x-request-id") for each in one.messages]


def test_where_and_as_whom_a_copy_comes_is_the_mirrors_to_say(gateway: Gateway) -> None:
    with backends.running("one", "two") as (one, two), gateway.client() as client:
        url = _url(f"http://localhost:{two.port}")
        target = (("text", b"/copy"), ("request_uri", b""))
        _serve(gateway, Mirror(url=url, target=target, body=False), one)
        client.send(_POST)
        assert client.message().body == b"one"
        running.until(lambda: two.messages, "the copy")
        assert two.messages[0].line == b"POST /copy/a?b HTTP/1.1" and two.messages[0].body == b""
        assert two.messages[0].value(b"host") == b"localhost:%d" % two.port
        _serve(gateway, Mirror(url=url, vhost=_url("copy.example.com")), one)
        assert client.get().body == b"one"
        running.until(lambda: len(two.messages) == 2, "the copy")
        assert two.messages[1].value(b"host") == b"copy.example.com"


def test_some_of_all_are_copied(gateway: Gateway) -> None:
    with backends.running("one", "two") as (one, two), gateway.client() as client:
        before = gateway.counted("mirrored")
        _serve(gateway, Mirror(SHADOW, percent=0.0), one, two)
        assert all(client.get().body == b"one" for _ in range(50))
        _serve(gateway, Mirror(SHADOW, percent=50.0), one, two)
        assert all(client.get().body == b"one" for _ in range(200))
        running.until(lambda: gateway.counted("mirrored") - before == len(two.messages) > 0, "the copies")
        assert 50 < len(two.messages) < 150  # 7 deviations


def test_a_mirror_that_hangs_holds_nobody_up(gateway: Gateway) -> None:
    release = threading.Event()

    def hangs(backend: backends.Backend, wire: backends.Wire) -> None:
        backend.messages.append(wire.message())
        release.wait(backends.LONG)

    with backends.running("one", ("two", hangs)) as (one, two), gateway.client() as client:
        _serve(gateway, Mirror(SHADOW), one, two)
        dropped, began = gateway.counted("mirror_dropped"), time.monotonic()
        for _ in range(mirrors.OF_ONE + 20):
            client.send(_POST)
            assert client.message().body == b"one"
        assert time.monotonic() - began < mirrors.PATIENCE
        running.until(lambda: gateway.counted("mirror_dropped") - dropped == 20, "what found no place")
        running.until(lambda: len(two.messages) == mirrors.OF_ONE, "what did")
        failed = gateway.counted("mirror_failed")
        release.set()
        running.until(lambda: gateway.counted("mirror_failed") - failed == mirrors.OF_ONE, "all are over")


def test_a_mirror_may_refuse_talk_nonsense_or_not_be_there(gateway: Gateway) -> None:
    def nonsense(backend: backends.Backend, wire: backends.Wire) -> None:
        backend.messages.append(wire.message())
        wire.send(b"HTTP/9.9 what\r\n\r\n" * 100)

    closed = backends.Backend("closed")
    closed.stop()
    with backends.running("one", ("two", nonsense)) as (one, two), gateway.client() as client:
        for shadows in ((two,), (closed,), ()):
            failed = gateway.counted("mirror_failed")
            _serve(gateway, Mirror(SHADOW), one, *shadows)
            client.send(_POST)
            assert client.message().body == b"one"
            running.until(lambda n=failed: gateway.counted("mirror_failed") == n + 1, "it failed")  # type: ignore[misc]
        for url in ("http://nobody.invalid", "ftp://nobody"):
            _serve(gateway, Mirror(url=_url(url)), one)
            assert client.get().body == b"one"
        assert len(two.messages) == 1


def test_too_long_a_body_is_not_copied(gateway: Gateway) -> None:
    with backends.running("one", "two") as (one, two), gateway.client() as client:
        _serve(gateway, Mirror(SHADOW), one, two)
        dropped, size = gateway.counted("mirror_dropped"), mirrors.BODY + 1
        client.send(_POST.replace(b"5", b"%d" % size).replace(b"hello", b"x" * size))
        assert client.message().body == b"one"
        assert gateway.counted("mirror_dropped") == dropped + 1 and not two.messages


def test_a_copy_may_be_answered_at_any_length(gateway: Gateway) -> None:
    def talks(backend: backends.Backend, wire: backends.Wire) -> None:
        backend.messages.append(wire.message())
        wire.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            wire.send(b"10000\r\n" + b"x" * 65536 + b"\r\n")

    with backends.running("one", ("two", talks)) as (one, two), gateway.client() as client:
        _serve(gateway, Mirror(SHADOW), one, two)
        copied = gateway.counted("mirrored")
        assert client.get().body == b"one"
        running.until(lambda: gateway.counted("mirrored") == copied + 1, "enough is enough")
