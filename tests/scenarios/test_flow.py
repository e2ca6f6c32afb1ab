"""Octets through a gateway worker: never more than the other side takes, none lost when somebody leaves."""

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from fedns.gateway import route
from tests.proxy import authorities, backends, gateways
from tests.proxy.backends import Backend, Wire
from tests.proxy.gateways import Client, Gateway
from tests.scenarios import flood
from tests.scenarios.flood import GET, MIB, MUCH, POST, Flood, descriptors, resident, serve
from tests.servers import running

SOCKET = b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: abc\r\n"
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n"


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with flood.up(tmp_path_factory.mktemp("flow")) as made:
        yield made


def test_a_download_that_nobody_reads_is_not_kept_for_him(gateway: Gateway) -> None:
    poured = Flood()

    def pours(_: Backend, wire: Wire) -> None:
        wire.message()
        wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % MUCH)
        poured.pour(wire.sock)

    with backends.running(("one", pours)) as (one,), gateway.client() as client:
        serve(gateway, one)
        before = resident(gateway)
        client.send(GET % b"")
        running.until(poured.stuck.is_set, "the backend is held back")
        assert poured.sent < 40 * MIB, "socket buffers, and nearly nothing of ours"
        assert resident(gateway) - before < 8 * MIB
        client.head()
        taken = 0
        while taken < MUCH:
            taken += len(client.sock.recv(MIB)) if taken else len(client.exactly(1))
            assert taken
            if taken > 50 * MIB:
                break
        assert resident(gateway) - before < 8 * MIB


def test_an_upload_that_nobody_reads_is_not_kept_for_him(gateway: Gateway) -> None:
    poured, go_on = Flood(), threading.Event()

    def reads_late(backend: Backend, wire: Wire) -> None:
        wire.head()
        go_on.wait(backends.LONG)
        left = MUCH - len(wire.pending())
        while left:
            left -= len(wire.sock.recv(min(left, MIB)))
        wire.reply(b"all of it")

    with backends.running(("one", reads_late)) as (one,), gateway.client() as client:
        serve(gateway, one)
        before = resident(gateway)
        client.send(POST % (MUCH, b""))
        pouring = threading.Thread(target=poured.pour, args=(client.sock,), daemon=True)
        pouring.start()
        running.until(poured.stuck.is_set, "the client is held back")
        assert poured.sent < 40 * MIB
        assert resident(gateway) - before < 8 * MIB
        go_on.set()
        pouring.join(backends.LONG)
        client.sock.settimeout(backends.LONG)
        assert client.message().body == b"all of it"
        assert resident(gateway) - before < 8 * MIB


def tunnel(gateway: Gateway, client: Client) -> None:
    client.send(b"GET /chat HTTP/1.1\r\nHost: shop.example.com\r\n" + SOCKET + b"\r\n")
    assert client.head().line == b"HTTP/1.1 101 Switching Protocols"


def test_octets_right_behind_a_handshake_are_not_lost(gateway: Gateway) -> None:
    def greets(backend: Backend, wire: Wire) -> None:
        wire.message()
        wire.send(SWITCH + b"x" * 300_000)
        backend.messages.append(backends.Message(b"", wire.exactly(300_000)))
        wire.send(b"bye")

    with backends.running(("one", greets)) as (one,), gateway.client() as client:
        serve(gateway, one)
        tunnel(gateway, client)
        client.send(b"y" * 300_000)
        assert client.exactly(300_003) == b"x" * 300_000 + b"bye"
        assert one.messages[0].body == b"y" * 300_000


def test_a_client_that_has_said_all_still_hears_the_rest(gateway: Gateway) -> None:
    def sums(_: Backend, wire: Wire) -> None:
        wire.message()
        wire.send(SWITCH)
        count = 0
        with suppress(EOFError):
            while wire.exactly(1):
                count += 1
        wire.send(b"%d octets" % count)

    with backends.running(("one", sums)) as (one,), gateway.client() as client:
        serve(gateway, one)
        tunnel(gateway, client)
        client.send(b"x" * 100_000)
        client.sock.shutdown(socket.SHUT_WR)
        assert client.rest() == b"100000 octets"


def test_a_backend_that_has_said_all_still_hears_the_rest(gateway: Gateway) -> None:
    heard = threading.Event()

    def listens(backend: Backend, wire: Wire) -> None:
        wire.message()
        wire.send(SWITCH + b"over")
        wire.sock.shutdown(socket.SHUT_WR)
        backend.messages.append(backends.Message(b"", wire.exactly(100_000)))
        heard.set()

    with backends.running(("one", listens)) as (one,), gateway.client() as client:
        serve(gateway, one)
        tunnel(gateway, client)
        assert client.rest() == b"over"
        client.send(b"x" * 100_000)
        assert heard.wait(backends.LONG)


def test_last_words_in_a_tunnel_arrive(gateway: Gateway) -> None:
    heard = threading.Event()

    def listens(_: Backend, wire: Wire) -> None:
        wire.message()
        wire.send(SWITCH)
        wire.exactly(100_000)
        heard.set()

    with backends.running(("one", listens)) as (one,):
        serve(gateway, one)
        with gateway.client() as client:
            tunnel(gateway, client)
            client.send(b"x" * 100_000)
        assert heard.wait(backends.LONG), "the client has closed, and what it said was not thrown away"


def test_a_tunnel_does_not_outrun_who_reads_it(gateway: Gateway) -> None:
    poured = Flood()

    def pours(_: Backend, wire: Wire) -> None:
        wire.message()
        wire.send(SWITCH)
        poured.pour(wire.sock)

    with backends.running(("one", pours)) as (one,), gateway.client() as client:
        serve(gateway, one)
        before = resident(gateway)
        tunnel(gateway, client)
        running.until(poured.stuck.is_set, "the backend is held back")
        assert poured.sent < 40 * MIB and resident(gateway) - before < 8 * MIB


def test_a_tunnels_client_does_not_outrun_who_reads_it(gateway: Gateway) -> None:
    poured, done = Flood(), threading.Event()

    def idles(_: Backend, wire: Wire) -> None:
        wire.message()
        wire.send(SWITCH)
        done.wait(backends.LONG)

    with backends.running(("one", idles)) as (one,), gateway.client() as client:
        serve(gateway, one)
        before = resident(gateway)
        tunnel(gateway, client)
        pouring = threading.Thread(target=poured.pour, args=(client.sock,), daemon=True)
        pouring.start()
        running.until(poured.stuck.is_set, "the client is held back")
        assert poured.sent < 40 * MIB and resident(gateway) - before < 8 * MIB
        done.set()
        pouring.join(backends.LONG)


def test_over_tls_nothing_is_kept_for_who_does_not_read(tmp_path: Path) -> None:
    poured = Flood()

    def pours(_: Backend, wire: Wire) -> None:
        wire.message()
        wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % MUCH)
        poured.pour(wire.sock)

    shown = authorities.make().issue("shop", "shop.example.com")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with gateways.running(tmp_path, secure=True) as made, backends.running(("one", pours)) as (one,):
        made.writer.publish({"gateway": {route.CERTIFICATE: route.encode(shown)}}, time.time())
        serve(made, one)
        with (
            socket.create_connection(("127.0.0.1", made.port), backends.LONG) as plain,
            context.wrap_socket(plain) as sock,
        ):
            before = resident(made)
            client = Client(sock, bytearray())
            client.send(GET % b"")
            running.until(poured.stuck.is_set, "the backend is held back")
            assert poured.sent < 40 * MIB and resident(made) - before < 8 * MIB
            client.head()
            taken = len(client.pending())
            while taken < 50 * MIB:
                taken += len(sock.recv(MIB))
            assert resident(made) - before < 8 * MIB


@pytest.mark.parametrize("abruptly", [False, True])
def test_whoever_leaves_in_the_middle_leaves_nothing_behind(gateway: Gateway, abruptly: bool) -> None:
    """Amid a head, an upload, a wait, a download and a tunnel, at once or later: backends hear of it."""
    begun, ended, poured = [], [], Flood()

    def serves(_: Backend, wire: Wire) -> None:
        begun.append(1)
        try:
            got = wire.head()
            if b" /download " in got.line:
                wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % MUCH)
                poured.pour(wire.sock)
            elif b" /chat " in got.line:
                wire.send(SWITCH)
            wire.exactly(1 << 30)
        finally:
            ended.append(1)

    upload = POST.replace(b" / ", b" /upload ") % (MIB, b"") + b"a part"
    chat = b"GET /chat HTTP/1.1\r\nHost: shop.example.com\r\n" + SOCKET + b"\r\n"
    kinds = (GET[:20], upload, GET % b"wait", GET % b"download", chat)
    with backends.running(("one", serves)) as (one,):
        serve(gateway, one)
        before = descriptors(gateway)
        for number in range(30):
            with gateway.client() as client:
                client.send(kinds[number % 5])
                if number % 5 == 4:
                    client.head()
                elif number % 5 and number % 2:
                    running.until(lambda wanted=number // 5: len(begun) > wanted, "some came")  # type: ignore[misc]
                if abruptly:
                    client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        running.until(lambda: descriptors(gateway) <= before + 1, "all is closed")
        running.until(lambda: len(ended) == len(begun), "all backends heard of it")


def test_a_client_that_ends_its_half_is_not_waited_for_without_end(gateway: Gateway) -> None:
    """On a kept connection to a backend, where plain requests take the short way, and on a new one."""
    heard = threading.Semaphore(0)

    def answers_once(_: Backend, wire: Wire) -> None:
        wire.message()
        wire.reply(b"once")
        with suppress(EOFError, ConnectionError):
            wire.message()
            wire.exactly(1)
        heard.release()

    def hangs(_: Backend, wire: Wire) -> None:
        wire.message()
        with suppress(EOFError, ConnectionError):
            wire.exactly(1)
        heard.release()

    for play, kept in ((answers_once, True), (hangs, False)):
        before = gateway.counted("left")
        with backends.running(("one", play)) as (one,), gateway.client() as client:
            serve(gateway, one)
            assert not kept or client.get().body == b"once"
            client.send(GET % b"")
            client.sock.shutdown(socket.SHUT_WR)
            with suppress(ConnectionError):
                assert client.rest() == b""
            assert heard.acquire(timeout=backends.LONG) and gateway.counted("left") == before + 1
