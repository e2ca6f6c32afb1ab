"""Backends of HTTP/2: calls of gRPC by its own library at both ends, and backends that are odd."""

import queue
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import grpc
import h2.config
import h2.connection
import h2.events
import pytest
from h2.errors import ErrorCodes
from h2.exceptions import ProtocolError

from fedns.gateway import options, route
from fedns.gateway.options import Options, Upstream
from tests.proxy import authorities, backends, calls, gateways, streams
from tests.proxy.gateways import Gateway
from tests.proxy.streams import POST
from tests.servers import running

LONG = backends.LONG
CALLS = Options(upstream=Upstream("grpc"))


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    state: Path = tmp_path_factory.mktemp("trunk")
    with gateways.running(state) as made:
        yield made


Fields = tuple[tuple[bytes, bytes], ...]


@contextmanager
def _served(
    gateway: Gateway, asked: Options = CALLS, credentials: grpc.ServerCredentials | None = None
) -> Iterator[calls.Service]:
    made = calls.Server("one", credentials=credentials)
    gateway.publish(gateways.table(asked), shop=gateways.pool([made]))  # type: ignore[list-item]
    try:
        yield made.service
    finally:
        made.server.stop(None).wait(LONG)


@contextmanager
def _channel(gateway: Gateway) -> Iterator[grpc.Channel]:
    target, named = f"127.0.0.1:{gateway.port}", [("grpc.default_authority", "shop.example.com")]
    with grpc.insecure_channel(target, [*named, ("grpc.enable_retries", 0)]) as channel:
        yield channel


def test_a_call_its_metadata_and_its_trailers(gateway: Gateway) -> None:
    with _served(gateway) as service, _channel(gateway) as channel:
        call, asked = channel.unary_unary("/shop.Cart/unary"), [("x-asked", "yes"), ("x-some-bin", b"\1\2")]
        said, about = call.with_call(b"abc", timeout=LONG, metadata=asked)
        assert said == b"one:abc"
        assert dict(about.initial_metadata())["x-initial"] == "one"
        assert dict(about.trailing_metadata())["x-trailing"] == "two"
        assert dict(about.trailing_metadata())["x-binary-bin"] == b"\0\xff"
        method, metadata = service.seen[0]
        assert method == "/shop.Cart/unary" and metadata["x-asked"] == "yes"
        assert metadata["x-some-bin"] == b"\1\2" and metadata["x-forwarded-for"] == "127.0.0.1"


def test_streams_in_both_directions(gateway: Gateway) -> None:
    with _served(gateway), _channel(gateway) as channel:
        many = channel.unary_stream("/s/many")(b"500", timeout=LONG)
        assert [int(each) for each in many] == list(range(500))
        pieces = (bytes(50_000) for _ in range(60))
        assert channel.stream_unary("/s/sum")(pieces, timeout=LONG) == b"3000000"
        assert channel.unary_unary("/s/unary")(bytes(3_000_000), timeout=LONG)[4:] == bytes(3_000_000)


def test_a_conversation(gateway: Gateway) -> None:
    """Each message is answered before the next is sent."""
    with _served(gateway), _channel(gateway) as channel:
        says: queue.Queue[bytes | None] = queue.Queue()
        heard = channel.stream_stream("/s/chat")(iter(says.get, None), timeout=LONG)
        for word in (b"one", b"two", b"three"):
            says.put(word)
            assert next(heard) == word.upper()
        says.put(None)
        assert list(heard) == [] and heard.code() == grpc.StatusCode.OK


def test_what_goes_wrong_is_told_as_it_was(gateway: Gateway) -> None:
    with _served(gateway), _channel(gateway) as channel:
        with pytest.raises(grpc.RpcError) as failed:
            channel.unary_unary("/s/fails")(b"", timeout=LONG)
        assert failed.value.code() == grpc.StatusCode.FAILED_PRECONDITION
        assert failed.value.details() == "not so: 100% ä"
        with pytest.raises(grpc.RpcError) as failed:
            channel.unary_unary("/s/unknown")(b"", timeout=LONG)
        assert failed.value.code() == grpc.StatusCode.UNIMPLEMENTED
        gateway.publish(gateways.table(CALLS), shop=gateways.pool())
        with pytest.raises(grpc.RpcError) as failed:
            channel.unary_unary("/s/unary")(b"", timeout=LONG)
        assert failed.value.code() == grpc.StatusCode.UNAVAILABLE


def test_deadlines_and_cancellation_reach_the_backend(gateway: Gateway) -> None:
    with _served(gateway) as service, _channel(gateway) as channel:
        with pytest.raises(grpc.RpcError) as failed:
            channel.unary_unary("/s/sleeps")(b"", timeout=0.5)
        assert failed.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
        assert service.ended.acquire(timeout=LONG)
        call = channel.unary_unary("/s/sleeps").future(b"", timeout=LONG)
        running.until(lambda: len(service.seen) == 2, "the call")
        call.cancel()
        assert service.ended.acquire(timeout=LONG)
        pours = channel.unary_stream("/s/pours")(b"", timeout=LONG)
        next(pours)
        pours.cancel()
        assert service.ended.acquire(timeout=LONG)


def test_a_deadline_is_kept_though_the_backend_does_not(gateway: Gateway) -> None:
    def silent(_: backends.Backend, wire: backends.Wire) -> None:
        wire.exactly(1 << 30)

    with backends.running(("one", silent)) as (one,), streams.client(gateway.port) as client:
        gateway.publish(gateways.table(CALLS), shop=gateways.pool([one]))
        fields = [*POST, (b"content-type", b"application/grpc"), (b"grpc-timeout", b"300m")]
        got = client.get(fields, b"\0\0\0\0\0")
        assert (got.status, got.value(b"grpc-status")) == (200, b"4")


def test_a_client_that_does_not_read_holds_up_its_own_stream_alone(gateway: Gateway) -> None:
    with _served(gateway) as service, streams.client(gateway.port, greedy=False) as client:
        fields = [*POST[:3], (b":path", b"/s/pours"), (b"content-type", b"application/grpc")]
        number = client.ask([*fields, (b"te", b"trailers")], b"\0\0\0\0\0")
        while len(client.answers[number].body) < 65535:
            client.hear()
        seen = -1
        deadline = time.monotonic() + LONG
        while seen != service.poured and time.monotonic() < deadline:  # until the backend is held back
            seen = service.poured
            time.sleep(0.3)
        assert service.poured < 60
        with _channel(gateway) as channel:
            assert channel.unary_unary("/s/unary")(b"abc", timeout=LONG) == b"one:abc"


def test_calls_of_many_clients_share_a_connection(gateway: Gateway) -> None:
    with _served(gateway) as service:
        for _ in range(3):
            with _channel(gateway) as channel:
                calls = [channel.unary_unary("/s/unary").future(b"x", timeout=LONG) for _ in range(30)]
                assert {each.result() for each in calls} == {b"one:x"}
        assert len(service.peers) == 1


def test_a_port_says_that_it_speaks_http_2(gateway: Gateway) -> None:
    """`appProtocol: kubernetes.io/h2c`, without any annotation."""
    with _served(gateway) as service, _channel(gateway) as channel:
        told = route.Endpoint("127.0.0.1", service.port, "one", b"one", h2c=True)
        found = route.Pool((route.Tier(1.0, (route.Part("one", 1.0, (told,)),)),))
        gateway.publish(gateways.table(), shop=found)
        assert channel.unary_unary("/s/unary")(b"abc", timeout=LONG) == b"one:abc"


def test_over_tls_to_a_name_that_is_checked(gateway: Gateway) -> None:
    ca = authorities.make()
    shown = ca.issue("shop.example.com", "shop.example.com")
    credentials = grpc.ssl_server_credentials([(shown.key, shown.chain)])
    upstream = Upstream("grpcs", sni=True, verify=True, secret=b"ns/ca")
    entry = {route.CERTIFICATE + b"ns/ca": route.encode(route.Certificate(authorities=ca.pem))}
    gateway.writer.publish({"gateway": entry}, time.time())
    with _served(gateway, Options(upstream=upstream), credentials), _channel(gateway) as channel:
        assert channel.unary_unary("/s/unary")(b"abc", timeout=LONG) == b"one:abc"


def test_clients_of_http_1_reach_backends_of_http_2(gateway: Gateway) -> None:
    with _served(gateway) as service, gateway.client() as client:
        body = b"\0\0\0\0\3abc"
        client.send(b"POST /s/unary HTTP/1.1\r\nHost: shop.example.com\r\nTransfer-Encoding: chunked\r\n")
        client.send(b"Content-Type: application/grpc\r\nTE: trailers\r\n\r\n")
        client.send(b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body))
        got = client.message()
        assert got.line == b"HTTP/1.1 200 OK" and got.body == b"\0\0\0\0\7one:abc"
        assert b"grpc-status: 0\r\n" in got.trailers
        assert service.seen[0][0] == "/s/unary"


# Backends that are odd.


class Odd:
    """A backend of HTTP/2 by another library; `act` is called with each event."""

    def __init__(self, wire: backends.Wire) -> None:
        config = h2.config.H2Configuration(client_side=False, header_encoding=None)
        self.wire, self.h2 = wire, h2.connection.H2Connection(config)
        self.h2.initiate_connection()
        self.flush()

    def flush(self) -> None:
        self.wire.send(self.h2.data_to_send())

    def serve(self, act: Callable[["Odd", h2.events.RequestReceived], None]) -> None:
        with suppress(ProtocolError):  # h2 hears of nothing after a GOAWAY
            while data := self.wire.sock.recv(65536):
                for event in self.h2.receive_data(data):
                    if isinstance(event, h2.events.RequestReceived):
                        act(self, event)
                self.flush()

    def reply(self, stream: int, body: bytes, fields: Fields = ()) -> None:
        self.h2.send_headers(stream, [(b":status", b"200"), *fields])
        self.h2.send_data(stream, body, end_stream=True)


def _odd(act: Callable[[Odd, Any], None]) -> backends.Play:
    def play(_: backends.Backend, wire: backends.Wire) -> None:
        Odd(wire).serve(act)

    return play


def _named(odd: Odd, event: h2.events.RequestReceived) -> None:
    odd.reply(event.stream_id or 0, b"fine")


def _pair(gateway: Gateway, first: backends.Backend, second: backends.Backend) -> None:
    gateway.publish(gateways.table(CALLS), shop=gateways.pool([first], [second]))


@pytest.mark.parametrize("code", [ErrorCodes.REFUSED_STREAM, ErrorCodes.INTERNAL_ERROR])
def test_what_a_backend_has_not_taken_is_asked_elsewhere(gateway: Gateway, code: ErrorCodes) -> None:
    """Also what must not be asked twice; where it may have been taken, only what may."""

    def refuses(odd: Odd, event: h2.events.RequestReceived) -> None:
        odd.h2.reset_stream(event.stream_id or 0, code)

    plays = (("one", _odd(refuses)), ("two", _odd(_named)))
    with backends.running(*plays) as (one, two), streams.client(gateway.port) as client:
        _pair(gateway, one, two)
        got = client.get([*POST, (b"content-length", b"3")], b"abc")
        assert got.status == (200 if code == ErrorCodes.REFUSED_STREAM else 502)
        _pair(gateway, one, two)
        assert client.get().body == b"fine"


def test_a_backend_that_goes_away_gets_nothing_more(gateway: Gateway) -> None:
    def leaves(odd: Odd, event: h2.events.RequestReceived) -> None:
        odd.reply(event.stream_id or 0, b"last")
        odd.flush()
        odd.h2.close_connection(last_stream_id=event.stream_id)

    with backends.running(("one", _odd(leaves))) as (one,), streams.client(gateway.port) as client:
        gateway.publish(gateways.table(CALLS), shop=gateways.pool([one]))
        for _ in range(3):
            assert client.get().body == b"last"
        assert len(one.raw) == 3


def test_no_more_streams_than_the_backend_allows(gateway: Gateway) -> None:
    most, all_of_them = [0], [0]

    def play(_: backends.Backend, wire: backends.Wire) -> None:
        odd, waiting = Odd(wire), []
        odd.h2.update_settings({3: 2})
        odd.flush()

        def act(odd: Odd, event: h2.events.RequestReceived) -> None:
            waiting.append(event.stream_id or 0)
            most[0], all_of_them[0] = max(most[0], len(waiting)), all_of_them[0] + 1
            if len(waiting) == 2 or all_of_them[0] == 1:
                while waiting:
                    odd.reply(waiting.pop(), b"x")

        odd.serve(act)

    with backends.running(("one", play)) as (one,), streams.client(gateway.port) as client:
        gateway.publish(gateways.table(CALLS), shop=gateways.pool([one]))
        assert client.get().body == b"x"  # its settings are known now
        asked = [client.ask(flush=False) for _ in range(4)]
        client.flush()
        assert [client.answer(each).body for each in asked] == [b"x"] * 4
        assert most[0] <= 2


@pytest.mark.parametrize(
    "fields",
    [
        ((b"x-a", b"b\r\nset-cookie: evil=1"),),
        ((b"X-Upper", b"b"),),
        ((b"transfer-encoding", b"chunked"),),
        ((b"content-length", b"4"), (b"content-length", b"5")),
        ((b"x\r\nset-cookie: evil", b"b"),),
    ],
)
def test_answers_that_would_be_two_are_none(gateway: Gateway, fields: Fields) -> None:
    def play(_: backends.Backend, wire: backends.Wire) -> None:
        odd = Odd(wire)
        odd.h2.config.validate_outbound_headers = odd.h2.config.normalize_outbound_headers = False
        odd.serve(lambda odd, event: odd.reply(event.stream_id or 0, b"body", fields))

    with backends.running(("one", play)) as (one,), gateway.client() as client:
        gateway.publish(gateways.table(CALLS), shop=gateways.pool([one]))
        got = client.get()
        assert got.line == b"HTTP/1.1 502 Bad Gateway" and b"evil" not in got.head


def test_a_backend_of_http_1_is_none(gateway: Gateway) -> None:
    def old(_: backends.Backend, wire: backends.Wire) -> None:
        wire.until(b"\r\n\r\n")
        wire.send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        wire.exactly(1 << 30)

    with backends.running(("one", old)) as (one,), streams.client(gateway.port) as client:
        gateway.publish(gateways.table(options.Options(upstream=Upstream("h2c"))), shop=gateways.pool([one]))
        assert client.get().status == 502
