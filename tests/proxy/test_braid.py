"""HTTP/2 towards clients: real connections, and backends of HTTP/1.1."""

import json
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fedns.gateway.terms import Terms
from tests.proxy import backends, gateways, streams
from tests.proxy.gateways import Gateway
from tests.proxy.streams import GET, POST
from tests.servers import running


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    state: Path = tmp_path_factory.mktemp("braid")
    with gateways.running(state) as made:
        yield made


def _served(gateway: Gateway, backend: backends.Backend) -> None:
    gateway.publish(gateways.table(), shop=gateways.pool([backend]))


def _chunked(_: backends.Backend, wire: backends.Wire) -> None:
    while True:
        wire.message()
        wire.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Name: Value\r\n\r\n")
        wire.send(b"5\r\nhello\r\n0\r\nX-Sum: 5\r\nSet-Cookie: a=b\r\n\r\n")


def test_a_request_reaches_a_backend_as_http_1(gateway: Gateway) -> None:
    with backends.running("one") as (one,), streams.client(gateway.port) as client:
        _served(gateway, one)
        got = client.get([*GET, (b"cookie", b"a=b"), (b"cookie", b"c=d"), (b"x-forwarded-for", b"6.6.6.6")])
        assert (got.status, got.body) == (200, b"one")
        asked = one.messages[0]
        assert asked.line == b"GET / HTTP/1.1"
        assert asked.values(b"host") == [b"shop.example.com"]
        assert asked.values(b"cookie") == [b"a=b; c=d"]
        assert asked.values(b"x-forwarded-for") == [b"127.0.0.1"]
        assert asked.value(b"transfer-encoding") is None is asked.value(b"content-length")


def test_many_streams_are_under_way_at_once(gateway: Gateway) -> None:
    together = threading.Barrier(20)

    def waits(_: backends.Backend, wire: backends.Wire) -> None:
        wire.message()
        together.wait(backends.LONG)
        wire.reply(b"all")
        wire.message()

    with backends.running(("one", waits)) as (one,), streams.client(gateway.port) as client:
        _served(gateway, one)
        asked = [client.ask() for _ in range(20)]
        assert [client.answer(each).body for each in asked] == [b"all"] * 20


def test_bodies_trailers_and_answers_without_length_cross(gateway: Gateway) -> None:
    with backends.running(("one", _chunked), "two") as (one, two), streams.client(gateway.port) as client:
        _served(gateway, one)
        got = client.get()
        assert (got.status, got.body, got.trailers) == (200, b"hello", [(b"x-sum", b"5")])
        assert got.value(b"x-name") == b"Value"
        _served(gateway, two)
        number = client.ask([*POST, (b"trailer", b"x-sum")], b"abc", end=False)
        client.wire.send_headers(number, [(b"x-sum", b"3"), (b"authorization", b"me")], end_stream=True)
        client.flush()
        assert client.answer(number).body == b"two"
        assert (two.messages[0].body, two.messages[0].trailers) == (b"abc", b"x-sum: 3\r\n")
        assert client.get([*POST, (b"content-length", b"3")], b"abc").status == 200
        assert two.messages[1].value(b"content-length") == b"3" and two.messages[1].body == b"abc"
        assert client.get([(b":method", b"HEAD"), *GET[1:]]).value(b"content-length") == b"5"


def test_interim_answers_go_on(gateway: Gateway) -> None:
    def hints(_: backends.Backend, wire: backends.Wire) -> None:
        wire.message()
        wire.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n")
        wire.reply(b"done")

    with backends.running(("one", hints)) as (one,), streams.client(gateway.port) as client:
        _served(gateway, one)
        got = client.get()
        assert got.body == b"done"
        assert got.interim == [[(b":status", b"103"), (b"link", b"</a.css>")]]


def test_pings_are_answered(gateway: Gateway) -> None:
    with streams.client(gateway.port) as client:
        client.wire.ping(b"12345678")
        client.flush()
        while client.pong != b"12345678":
            client.hear()


def test_our_own_answers(gateway: Gateway) -> None:
    with streams.client(gateway.port) as client:
        gateway.publish(gateways.table(), shop=gateways.pool())
        assert client.get().status == 503
        other = [(name, b"other.example.com" if name == b":authority" else value) for name, value in GET]
        got = client.get(other)
        assert (got.status, got.body) == (404, b"Not Found\n")
        assert client.get([*GET, (b"content_length", b"5")]).status == 400
        called = client.get([*POST, (b"content-type", b"application/grpc")], b"")
        assert (called.status, called.value(b"grpc-status"), called.body) == (200, b"14", b"")


def test_a_big_answer_and_a_big_body_come_whole_and_are_held_back(gateway: Gateway) -> None:
    size = 3_000_000
    taken = []

    def big(_: backends.Backend, wire: backends.Wire) -> None:
        taken.append(len(wire.message().body))
        wire.reply(bytes(size))

    with backends.running(("one", big)) as (one,), streams.client(gateway.port) as client:
        _served(gateway, one)
        number = client.ask([*POST, (b"content-length", b"%d" % size)], end=False)
        left = size
        while left:
            piece = min(left, 16384, client.wire.local_flow_control_window(number))
            if not piece:
                client.hear()
                continue
            left -= piece
            client.wire.send_data(number, bytes(piece), end_stream=not left)
            client.flush()
        assert len(client.answer(number).body) == size
        assert taken == [size]


def test_neither_side_is_read_faster_than_the_other_takes_it(gateway: Gateway) -> None:
    sent, stop = [0], threading.Event()

    def pours(_: backends.Backend, wire: backends.Wire) -> None:
        if wire.head().line.startswith(b"POST"):
            stop.wait(backends.LONG)
            return
        wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        wire.sock.settimeout(0.5)
        try:
            while not stop.is_set():
                sent[0] += wire.sock.send(bytes(65536))
        except TimeoutError:
            stop.set()

    with backends.running(("one", pours)) as (one,), streams.client(gateway.port, greedy=False) as client:
        _served(gateway, one)
        number = client.ask(POST, end=False)
        while client.wire.local_flow_control_window(number) > 16384:  # nobody takes it: the window closes
            client.wire.send_data(number, bytes(16384))
            client.flush()
        client.ask()
        running.until(stop.is_set, "the backend is held back")
        assert sent[0] < 30_000_000
        while len(client.answers[number + 2].body) < 65535:
            client.hear()


def test_a_request_that_is_given_up_ends_at_the_backend(gateway: Gateway) -> None:
    gone = threading.Event()

    def waits(_: backends.Backend, wire: backends.Wire) -> None:
        wire.message()
        try:
            wire.message()
        except (EOFError, OSError):
            gone.set()

    with backends.running(("one", waits)) as (one,), streams.client(gateway.port) as client:
        _served(gateway, one)
        before = gateway.counted("streams_reset")
        number = client.ask()
        running.until(lambda: one.raw, "a request")
        client.wire.reset_stream(number, 8)
        client.flush()
        assert gone.wait(backends.LONG)
        assert gateway.counted("streams_reset") == before + 1


def test_an_answer_that_breaks_off_resets_its_stream_alone(gateway: Gateway) -> None:
    def breaks(_: backends.Backend, wire: backends.Wire) -> None:
        wire.message()
        wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc")

    with backends.running(("one", breaks), "two") as (one, two), streams.client(gateway.port) as client:
        _served(gateway, one)
        got = client.get()
        assert (got.status, got.reset) == (200, 2)
        _served(gateway, two)
        assert client.get().body == b"two"


def test_an_early_answer_ends_the_upload(gateway: Gateway) -> None:
    def refuses(_: backends.Backend, wire: backends.Wire) -> None:
        wire.head()
        wire.reply(b"too much", b"413 Content Too Large")
        with pytest.raises((EOFError, ConnectionError)):
            wire.exactly(1 << 30)

    with backends.running(("one", refuses)) as (one,), streams.client(gateway.port) as client:
        _served(gateway, one)
        number = client.ask([*POST, (b"content-length", b"99999999")], b"start", end=False)
        got = client.answer(number)
        assert (got.status, got.body) == (413, b"too much")
        while got.reset is None:
            client.hear()
        assert got.reset == 0


def test_the_preface_may_come_in_pieces(gateway: Gateway) -> None:
    with backends.running("one") as (one,), gateway.client() as raw:
        _served(gateway, one)
        preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
        for octet in preface:
            raw.send(bytes((octet,)))
        raw.send(b"\0\0\0\4\0\0\0\0\0")
        assert raw.exactly(9)[3] == 4


def test_the_preface_is_for_the_beginning_only(gateway: Gateway) -> None:
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"
    with backends.running("one") as (one,), gateway.client() as raw:
        _served(gateway, one)
        assert raw.get().body == b"one"
        raw.send(preface)
        assert raw.message().line == b"HTTP/1.1 400 Bad Request"
    assert gateway.ask(b"\r\n" + preface).startswith(b"HTTP/1.1 400 ")


def test_curl_and_h2load(gateway: Gateway, tool: Callable[[str], str]) -> None:
    url, host = f"http://127.0.0.1:{gateway.port}/", "shop.example.com"
    with backends.running("one") as (one,):
        _served(gateway, one)
        command = [
            tool("curl"),
            "-s",
            "--http2-prior-knowledge",
            "-w",
            "%{http_version}",
            "-H",
            f"Host: {host}",
        ]
        done = subprocess.run([*command, url], capture_output=True, timeout=backends.LONG, check=True)
        assert done.stdout == b"one2"
        command = [tool("h2load"), "-n", "300", "-c", "3", "-m", "20", "-H", f":authority: {host}", url]
        done = subprocess.run(command, capture_output=True, timeout=3 * backends.LONG, check=True)
        assert b"300 succeeded, 0 failed" in done.stdout


def test_the_log_says_which_version(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with (
        gateways.running(tmp_path, Terms(log="json", log_path=str(log))) as gateway,
        backends.running("one") as (one,),
        streams.client(gateway.port) as client,
    ):
        _served(gateway, one)
        assert client.get().body == b"one"
        running.until(lambda: log.exists() and log.read_text(), "a line")
        line = json.loads(log.read_text())
        assert (line["version"], line["status"], line["sent"]) == ("2", 200, 3)


def test_who_says_nothing_is_sent_away(tmp_path: Path) -> None:
    with gateways.running(tmp_path, Terms(idle=1.0)) as gateway, streams.client(gateway.port) as client:
        client.rest()
        assert client.away == 0


def test_drained_without_loss(tmp_path: Path) -> None:
    """What is under way ends; what comes meanwhile is served, or refused so that it may be asked again."""
    asked, answered = threading.Event(), threading.Event()

    def slow(_: backends.Backend, wire: backends.Wire) -> None:
        wire.message()
        asked.set()
        answered.wait(backends.LONG)
        wire.reply(b"late")

    with gateways.running(tmp_path) as gateway, backends.running(("one", slow)) as (one,):
        _served(gateway, one)
        with streams.client(gateway.port) as client:
            number = client.ask()
            assert asked.wait(backends.LONG)
            gateway.process.send_signal(signal.SIGTERM)
            while client.away is None:
                client.hear()
            answered.set()
            assert client.away == 0 and client.answer(number).body == b"late"
            client.rest()
        end = time.monotonic() + backends.LONG
        while gateway.process.poll() is None and time.monotonic() < end:
            time.sleep(0.01)
        assert gateway.process.returncode == 0
