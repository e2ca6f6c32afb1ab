"""What annotations ask for, over HTTP/2: a stream goes through the same hands as a request of HTTP/1.1."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fedns.gateway import options, route
from fedns.gateway.options import Options
from fedns.gateway.terms import Terms
from tests.proxy import backends, calls, gateways, streams
from tests.proxy.gateways import Gateway
from tests.proxy.streams import GET, POST

LOCAL = (4, 127 << 24, 24)
"""127.0.0.0/8 is trusted."""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    state: Path = tmp_path_factory.mktemp("strand")
    with gateways.running(state, Terms(trusted=(LOCAL,))) as made:
        yield made


def _says(status: bytes) -> backends.Play:
    def play(backend: backends.Backend, wire: backends.Wire) -> None:
        while True:
            backend.messages.append(wire.message())
            wire.reply(b"own words", status)

    return play


def test_an_error_is_replaced(gateway: Gateway) -> None:
    asked = Options(errors=options.Errors((404, 503), b"ns/sorry/80"))
    with backends.running(("one", _says(b"404 Not Found")), "sorry") as (one, sorry):
        gateway.publish(gateways.table(asked), shop=gateways.pool([one]), sorry=gateways.pool([sorry]))
        with streams.client(gateway.port) as client:
            got = client.get([*POST, (b"content-length", b"3")], b"abc")
            assert got.body == b"sorry"
            assert sorry.messages[0].value(b"x-code") == b"404"


def test_a_status_that_nobody_wants_is_asked_elsewhere(gateway: Gateway) -> None:
    asked = Options(retry=options.Retry(statuses=(503,)))
    with backends.running(("one", _says(b"503 Service Unavailable")), "two") as (one, two):
        gateway.publish(gateways.table(asked), shop=gateways.pool([one], [two]))
        with streams.client(gateway.port) as client:
            assert client.get().body == b"two" and len(one.messages) == 1


@pytest.mark.parametrize("told", [True, False])
def test_a_body_that_is_too_long(gateway: Gateway, told: bool) -> None:
    with backends.running("one") as (one,), streams.client(gateway.port) as client:
        gateway.publish(gateways.table(Options(body_limit=10)), shop=gateways.pool([one]))
        length = [(b"content-length", b"5000")] if told else []
        assert client.get([*POST, *length], bytes(5000)).status == 413
        assert not one.messages
        assert client.get([*POST, (b"content-length", b"3")], b"abc").body == b"one"


def test_who_is_trusted_is_told_the_way(gateway: Gateway) -> None:
    with backends.running("one") as (one,), streams.client(gateway.port) as client:
        gateway.publish(gateways.table(Options(affinity=options.Affinity())), shop=gateways.pool([one]))
        got = client.get([*GET, (b"x-fedns-route", b"1"), (b"x-forwarded-for", b"192.0.2.9")])
        assert b"member=one" in got.value(b"x-fedns-route")
        assert got.value(b"set-cookie").startswith(b"INGRESSCOOKIE=")
        assert one.messages[0].value(b"x-forwarded-for") == b"192.0.2.9, 127.0.0.1"


def test_redirects_and_head(gateway: Gateway) -> None:
    url: options.Text = (("text", b"https://elsewhere.example.com/"),)
    with streams.client(gateway.port) as client:
        gateway.publish(gateways.table(Options(redirect=options.Redirect(308, url))), shop=gateways.pool())
        got = client.get()
        assert (got.status, got.value(b"location")) == (308, b"https://elsewhere.example.com/")
        got = client.get([(b":method", b"HEAD"), *GET[1:]])
        assert got.status == 308 and got.body == b""


def test_an_answer_with_a_pace(gateway: Gateway) -> None:
    def big(_: backends.Backend, wire: backends.Wire) -> None:
        while True:
            wire.message()
            wire.reply(bytes(60_000))

    asked = Options(limits=options.Limits(pace=100_000, pace_after=10_000))
    with backends.running(("one", big)) as (one,), streams.client(gateway.port) as client:
        gateway.publish(gateways.table(asked), shop=gateways.pool([one]))
        began = time.monotonic()
        assert len(client.get().body) == 60_000
        assert time.monotonic() - began > 0.3  # never sooner than the pace allows


def test_a_call_with_a_pace_has_its_trailers(gateway: Gateway) -> None:
    limits = options.Limits(pace=100_000, pace_after=1_000)
    server = calls.Server("one")
    found = route.Endpoint("127.0.0.1", server.port, "one", b"one")
    pool = route.Pool((route.Tier(1.0, (route.Part("one", 1.0, (found,)),)),))
    gateway.publish(gateways.table(Options(limits=limits, upstream=options.Upstream("grpc"))), shop=pool)
    fields = [*POST[:3], (b":path", b"/s/unary"), (b"content-type", b"application/grpc")]
    with streams.client(gateway.port) as client:
        got = client.get([*fields, (b"te", b"trailers")], (15_000).to_bytes(5, "big") + bytes(15_000))
        assert len(got.body) == 15_009 and dict(got.trailers)[b"grpc-status"] == b"0"
    server.stop()


def test_a_mirror_gets_a_copy(gateway: Gateway) -> None:
    asked = Options(mirror=options.Mirror(b"ns/copy/80"))
    seen = threading.Event()

    def notes(backend: backends.Backend, wire: backends.Wire) -> None:
        backend.messages.append(wire.message())
        seen.set()

    with backends.running("one", ("copy", notes)) as (one, copy), streams.client(gateway.port) as client:
        gateway.publish(gateways.table(asked), shop=gateways.pool([one]), copy=gateways.pool([copy]))
        assert client.get(POST, b"abc").body == b"one"
        assert seen.wait(backends.LONG) and copy.messages[0].body == b"abc"
