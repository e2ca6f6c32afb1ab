"""Every limit that a client can meet: its status, its counter, and how the others fare meanwhile."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from fedns.gateway import options, route
from fedns.gateway.options import Options, Timeouts
from fedns.gateway.terms import Terms
from tests.proxy import backends, gateways
from tests.proxy.gateways import Client, Gateway
from tests.servers import certificates, running

_HEAD = b"GET / HTTP/1.1\r\nHost: shop.example.com\r\n"
_POST = b"POST / HTTP/1.1\r\nHost: shop.example.com\r\n"
_CHUNKED = _POST + b"Transfer-Encoding: chunked\r\n\r\n"
_SOCKET = _HEAD + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
_SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"
HASTE = Options(timeouts=Timeouts(read=0.5), retry=options.Retry(tries=1))
TERMS = Terms(body=1000, fields=50, quiet=0.5, linger=0.5)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    state: Path = tmp_path_factory.mktemp("limits")
    with gateways.running(state, TERMS) as made:
        yield made


def _served(gateway: Gateway, backend: backends.Backend, asked: Options = HASTE) -> None:
    gateway.publish(gateways.table(asked), shop=gateways.pool([backend]))
    with gateway.client() as client:  # once it is up
        client.send(_HEAD + b"Connection: close\r\n\r\n")
        client.rest()


@contextmanager
def _counts(gateway: Gateway, *what: str) -> Iterator[None]:
    """Each of these is counted once more, and no other refusal."""
    before = {each: gateway.counted(each) for each in what}
    yield
    running.until(lambda: all(gateway.counted(each) == before[each] + 1 for each in what), f"{what}")


@pytest.mark.parametrize(
    ("after", "status", "counter"),
    [
        (b"0\r\n" + b"X: y\r\n" * 51 + b"\r\n", 431, "refused_431"),
        (b"0\r\nX: " + b"y" * 400_000, 431, "refused_431"),
        (b"1;" + b"x" * 400_000, 431, "refused_431"),
        (b"1f4\r\n%b\r\n" % (b"x" * 500) * 3, 413, "refused_413"),
        (b"x\r\n", 400, "refused_400"),
    ],
)
def test_what_goes_wrong_in_a_body(gateway: Gateway, after: bytes, status: int, counter: str) -> None:
    with backends.running("one") as (one,), gateway.client() as client:
        _served(gateway, one)
        with _counts(gateway, counter):
            client.send(_CHUNKED)
            client.send(after)
            assert client.head().line.startswith(b"HTTP/1.1 %d " % status)


def test_a_body_that_does_not_come_is_408(gateway: Gateway) -> None:
    with backends.running("one") as (one,), gateway.client() as client:
        _served(gateway, one)
        with _counts(gateway, "late_body"):
            client.send(_POST + b"Content-Length: 9\r\n\r\nhell")
            got = client.message()
            assert got.line == b"HTTP/1.1 408 Request Timeout" and got.value(b"connection") == b"close"


def test_an_answer_that_does_not_come_is_504(gateway: Gateway) -> None:
    def silent(_: backends.Backend, wire: backends.Wire) -> None:
        wire.message()
        wire.exactly(1)

    with backends.running(("one", silent)) as (one,), gateway.client() as client:
        gateway.publish(gateways.table(HASTE), shop=gateways.pool([one]))
        with _counts(gateway, "late_backend"):
            assert client.get().line == b"HTTP/1.1 504 Gateway Timeout"


def test_a_backend_that_takes_no_body_is_504(gateway: Gateway) -> None:
    """It is not the client's fault that nothing moves."""

    def full(_: backends.Backend, wire: backends.Wire) -> None:
        wire.head()
        done.wait(backends.LONG)

    done = threading.Event()
    asked = Options(timeouts=Timeouts(send=0.5), retry=options.Retry(tries=1), body_limit=0)
    with backends.running(("one", full)) as (one,), gateway.client() as client:
        gateway.publish(gateways.table(asked), shop=gateways.pool([one]))
        with _counts(gateway, "late_backend"):
            client.send(_POST + b"Content-Length: 1000000000\r\n\r\n")
            client.sock.settimeout(0.2)
            got, piece = b"", bytes(65536)
            while not got:
                try:
                    client.sock.send(piece)
                except (TimeoutError, ConnectionError):
                    got = _heard(client)
            assert got.startswith(b"HTTP/1.1 504 ")
        done.set()


def _heard(client: Client) -> bytes:
    try:
        return client.sock.recv(65536)
    except TimeoutError:
        return b""


def test_a_client_that_takes_no_answer_is_cut_off(gateway: Gateway) -> None:
    def pours(_: backends.Backend, wire: backends.Wire) -> None:
        wire.message()
        wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        while True:
            wire.send(bytes(65536))

    with backends.running(("one", pours)) as (one,), gateway.client() as client:
        gateway.publish(gateways.table(HASTE), shop=gateways.pool([one]))
        with _counts(gateway, "late_client"):
            client.send(_HEAD + b"\r\n")
            running.until(lambda: one.raw and not one.connected, "the backend is let go")


def test_a_websocket_that_keeps_silent_is_closed(gateway: Gateway) -> None:
    def echo(_: backends.Backend, wire: backends.Wire) -> None:
        wire.head()
        wire.send(_SWITCH)
        while True:
            wire.send(wire.exactly(1))

    with backends.running(("one", echo)) as (one,), gateway.client() as client:
        gateway.publish(gateways.table(), shop=gateways.pool([one]))
        client.send(_SOCKET)
        assert client.head().line == b"HTTP/1.1 101 Switching Protocols"
        client.send(b"x")
        assert client.exactly(1) == b"x"
        with suppress(ConnectionResetError):
            assert client.rest() == b""
        running.until(lambda: not one.connected, "the backend is let go")


def test_no_more_connections_than_there_are_places(tmp_path: Path) -> None:
    """Who only began to ask gives way to who comes; who is being answered does not."""
    going, asked = threading.Event(), []

    def slow(_: backends.Backend, wire: backends.Wire) -> None:
        while True:
            asked.append(wire.message())
            going.wait(backends.LONG)
            wire.reply(b"slow")

    terms = Terms(connections=20, per_client=0, head_time=60.0)
    with backends.running("one", ("two", slow)) as (one, two), gateways.running(tmp_path, terms) as made:
        _served(made, one, Options())
        with ExitStack() as stack:
            clients = [stack.enter_context(made.client()) for _ in range(20)]
            for each in clients:
                each.send(_HEAD)  # and nothing more
            for _ in range(5):
                with made.client() as other:
                    assert other.get().body == b"one"
            assert made.counted("evicted") and not made.counted("crowded")
        made.publish(gateways.table(), shop=gateways.pool([two]))
        with ExitStack() as stack:
            clients = [stack.enter_context(made.client()) for _ in range(20)]
            for each in clients:
                each.send(_HEAD + b"\r\n")
            running.until(lambda: len(asked) == 20, "all are busy")
            with _counts(made, "crowded"), made.client() as late:
                got = late.message()
                assert got.line == b"HTTP/1.1 503 Service Unavailable"
            going.set()
            for each in clients:
                assert each.message().body == b"slow"


def test_the_refusal_of_a_long_body_is_read_by_who_still_sends_it(gateway: Gateway) -> None:
    body = bytes(300_000)
    with backends.running("one") as (one,):
        _served(gateway, one)
        for _ in range(20):
            with gateway.client() as client:
                client.send(_POST + b"Content-Length: %d\r\n\r\n" % len(body))
                client.send(body)
                assert client.head().line == b"HTTP/1.1 413 Content Too Large"


def test_the_same_over_tls(tmp_path: Path) -> None:
    chain, key = (Path(each).read_bytes() for each in certificates.write(tmp_path))
    shown = route.encode(route.Certificate(chain, key))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    body = bytes(300_000)
    with gateways.running(tmp_path, TERMS, secure=True) as made, backends.running("one") as (one,):
        made.publish(gateways.table(), shop=gateways.pool([one]))
        made.writer.publish({"gateway": {route.CERTIFICATE: shown}}, 0.0)
        for _ in range(20):
            with (
                socket.create_connection(("127.0.0.1", made.port), backends.LONG) as plain,
                context.wrap_socket(plain) as sock,
            ):
                client = Client(sock, bytearray())
                client.send(_POST + b"Content-Length: %d\r\n\r\n" % len(body))
                client.send(body)
                assert client.head().line == b"HTTP/1.1 413 Content Too Large"
