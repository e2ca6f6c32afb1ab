"""Backends that lie about their answers, each lie by its name: a client gets what is its own, and nobody else
anything of it.

Law: every lie is told to many clients in a row; after each the next one, of another connection, asks another
backend through the same worker, and gets exactly that one's answer.
"""

import socket
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from fedns.gateway import options, route
from tests.proxy import backends, gateways
from tests.proxy.gateways import Gateway
from tests.servers import running

_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
_EVIL = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
_CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
_SPLIT = b"HTTP/1.1 200 OK\r\nX-A: b%b\r\nContent-Length: 2\r\n\r\nok"
_ASKED = b"GET / HTTP/1.1\r\nHost: shop.example.com\r\n"
TIMES = 3

REFUSED = {
    "CL twice, different": b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 9\r\n\r\nevil" + _EVIL,
    "CL twice, alike": b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 4\r\n\r\nevil",
    "CL as a list": b"HTTP/1.1 200 OK\r\nContent-Length: 4, 4\r\n\r\nevil",
    "CL below zero": b"HTTP/1.1 200 OK\r\nContent-Length: -4\r\n\r\nevil",
    "CL in hexadecimal": b"HTTP/1.1 200 OK\r\nContent-Length: 0x4\r\n\r\nevil",
    "CL and TE": b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\nevil" + _EVIL,
    "TE of nothing known": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: evil\r\n\r\n" + _EVIL,
    "TE gzip": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n4\r\nevil\r\n0\r\n\r\n",
    "TE twice": b"HTTP/1.1 200 OK\r\n" + b"Transfer-Encoding: chunked\r\n" * 2 + b"\r\n0\r\n\r\n",
    "TE with a vertical tab": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "TE in HTTP/1.0": b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "bare LF": _SPLIT % b"\nSet-Cookie: evil=1",
    "bare CR": _SPLIT % b"\rSet-Cookie: evil=1",
    "a zero octet": _SPLIT % b"\0evil",
    "obs-fold": _SPLIT % b"\r\n evil",
    "space before the colon": b"HTTP/1.1 200 OK\r\nContent-Length : 4\r\n\r\nevil",
    "a reason with CR": b"HTTP/1.1 200 O\rK\r\nContent-Length: 4\r\n\r\nevil",
    "a reason with a bell": b"HTTP/1.1 200 \aevil\r\nContent-Length: 4\r\n\r\nevil",
    "a status that is none": b"HTTP/1.1 020 OK\r\nContent-Length: 4\r\n\r\nevil",
    "no status": b"HTTP/1.1 OK\r\nContent-Length: 4\r\n\r\nevil",
    "HTTP/0.9": b"evil\r\n",
    "another protocol": b"SSH-2.0-evil\r\n\r\n",
    "101 unasked": b"HTTP/1.1 101 Go\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\nevil",
    "102 for ever": b"HTTP/1.1 102 Processing\r\n\r\n" * 1000,
    "100 with a body": b"HTTP/1.1 100 Continue\r\nContent-Length: 4\r\n\r\nevil" + _OK,
    "a thousand fields": b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 1000 + b"\r\n",
    "a field without end": b"HTTP/1.1 200 OK\r\nX-A: " + b"evil" * 100_000,
    "fields without end": b"HTTP/1.1 200 OK\r\n" + b"X-A: evil\r\n" * 100_000,
    "a reason without end": b"HTTP/1.1 200 " + b"evil" * 100_000,
}
"""Lies before the first octet of an answer could go on: 502."""
BROKEN = {
    "a size that is none": _CHUNKED + b"4\r\ngood\r\nevil\r\n",
    "a size with 0x": _CHUNKED + b"4\r\ngood\r\n0x4\r\nevil\r\n0\r\n\r\n",
    "a chunk that is too long": _CHUNKED + b"4\r\ngoodevil\r\n0\r\n\r\n",
    "a size beyond 64 bits": _CHUNKED + b"4\r\ngood\r\nffffffffffffffff4\r\nevil\r\n0\r\n\r\n",
    "trailers without end": _CHUNKED + b"4\r\ngood\r\n0\r\n" + b"X-A: evil\r\n" * 100_000,
    "an end before all is there": b"HTTP/1.1 200 OK\r\nContent-Length: 400\r\n\r\ngood",
    "an end before the last chunk": _CHUNKED + b"4\r\ngood\r\n",
}
"""Lies after it: the client's connection is broken off, so that it sees that something is missing."""
MORE = {
    "a second answer": _OK + _EVIL,
    "half a second answer": _OK + _EVIL[:20],
    "more than was announced": _OK + b"evil",
    "a body after 204": b"HTTP/1.1 204 No Content\r\n\r\nevil",
    "a body announced after 204": b"HTTP/1.1 204 No Content\r\nContent-Length: 4\r\n\r\nevil",
    "chunks after 204": b"HTTP/1.1 204 No\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nevil\r\n0\r\n\r\n",
    "a body after 304": b"HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\nevil",
    "a body of 205 beyond its length": b"HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\nevil",
    "more after the last chunk": _CHUNKED + b"2\r\nok\r\n0\r\n\r\nevil",
    "a second answer after chunks": _CHUNKED + b"2\r\nok\r\n0\r\n\r\n" + _EVIL,
}
"""The answer goes on, what follows does not, and the connection is not used again."""


class Stage:
    """A gateway, an honest backend under `/honest`, and where liars go under `/`."""

    def __init__(self, gateway: Gateway, honest: backends.Backend) -> None:
        self.gateway, self.honest = gateway, honest

    def faces(self, liar: backends.Backend) -> None:
        usual = (options.Options(retry=options.Retry(tries=1)),)
        places = {
            b"": route.Location(b"ns/shop shop.example.com/", b"/", gateways.POOL, options=1),
            b"/honest": route.Location(b"ns/shop shop.example.com/honest", b"/honest", b"ns/honest/80"),
        }
        host = route.Host(prefix=places, longest=7)
        table = route.Table(hosts={gateways.HOST: host}, options=(options.Options(), *usual))
        self.gateway.publish(table, shop=gateways.pool([liar]), honest=gateways.pool([self.honest]))

    def others_are_served(self) -> None:
        with self.gateway.client() as client:
            got = client.get(b"/honest")
            assert (got.line, got.body) == (b"HTTP/1.1 200 OK", b"honest")


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    state: Path = tmp_path_factory.mktemp("malice")
    with gateways.running(state) as gateway, backends.running("honest") as (honest,):
        yield Stage(gateway, honest)


def _used(backend: backends.Backend) -> int:
    """Connections on which anything came; others only see whether it is there."""
    return sum(map(bool, backend.raw))


def _says(answer: bytes) -> backends.Play:
    """One lie for each request, and then silence until the gateway goes."""

    def play(backend: backends.Backend, wire: backends.Wire) -> None:
        while True:
            got = wire.head()
            backend.messages.append(got)
            wire.send(answer)

    return play


def _says_in_two(answer: bytes, heard: threading.Event) -> backends.Play:
    """The lie follows when somebody has heard what is before it, and then the backend goes."""
    good, _, lie = answer.partition(b"good")

    def play(_: backends.Backend, wire: backends.Wire) -> None:
        wire.head()
        wire.send(good + b"good")
        heard.wait(backends.LONG)
        wire.send(lie)

    return play


@pytest.mark.parametrize("name", REFUSED)
def test_a_lie_before_the_answer_is_502(stage: Stage, name: str) -> None:
    with backends.running(("liar", _says(REFUSED[name]))) as (liar,):
        stage.faces(liar)
        for _ in range(TIMES):
            said = stage.gateway.ask(_ASKED + b"Connection: close\r\n\r\n")
            final = said[said.rindex(b"HTTP/1.1 ") :]
            assert final.startswith(b"HTTP/1.1 502 Bad Gateway\r\n"), said[:300]
            assert b"evil" not in said
            stage.others_are_served()
        assert _used(liar) == len(liar.messages)  # no connection was used twice


@pytest.mark.parametrize("name", BROKEN)
def test_a_lie_after_it_breaks_the_connection_off(stage: Stage, name: str) -> None:
    heard = threading.Event()
    with backends.running(("liar", _says_in_two(BROKEN[name], heard))) as (liar,):
        stage.faces(liar)
        with stage.gateway.client() as client:
            client.send(_ASKED + b"\r\n")
            client.until(b"good")
            heard.set()
            said = b""
            try:
                while data := client.sock.recv(65536):
                    said += data
            except ConnectionResetError:
                pass
            assert b"evil" not in said and not said.endswith(b"0\r\n\r\n")
        stage.others_are_served()


@pytest.mark.parametrize("name", [name for name in BROKEN if not name.startswith("an end")])
def test_a_lie_in_the_first_read_is_502_too(stage: Stage, name: str) -> None:
    with backends.running(("liar", _says(BROKEN[name]))) as (liar,):
        stage.faces(liar)
        said = stage.gateway.ask(_ASKED + b"Connection: close\r\n\r\n")
        assert said.startswith(b"HTTP/1.1 502 ") and b"evil" not in said


@pytest.mark.parametrize("name", MORE)
def test_what_comes_after_an_answer_reaches_nobody(stage: Stage, name: str) -> None:
    with backends.running(("liar", _says(MORE[name]))) as (liar,):
        stage.faces(liar)
        for _ in range(TIMES):
            with stage.gateway.client() as client:
                client.send(
                    _ASKED + b"\r\n" + _ASKED.replace(b" / ", b" /honest ") + b"Connection: close\r\n\r\n"
                )
                said = client.rest()
            assert b"evil" not in said and said.endswith(b"honest")
            assert said.count(b"HTTP/1.1 ") == 2
            stage.others_are_served()
        assert _used(liar) == TIMES == len(liar.messages)


@pytest.mark.parametrize(
    "body", [b"evil", b"4\r\nevil\r\n0\r\n\r\n", b"0\r\n\r\n", b"\r\n\r\n" + _EVIL, b"e"]
)
@pytest.mark.parametrize("framing", [b"Content-Length: 4\r\n", b"Transfer-Encoding: chunked\r\n", b""])
def test_a_body_after_head_reaches_nobody(stage: Stage, framing: bytes, body: bytes) -> None:
    answer = b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n" + body
    with backends.running(("liar", _says(answer))) as (liar,):
        stage.faces(liar)
        for _ in range(TIMES):
            with stage.gateway.client() as client:
                assert client.get(method=b"HEAD").line == b"HTTP/1.1 200 OK"
                assert client.get(b"/honest").body == b"honest"
        assert _used(liar) == TIMES == len(liar.messages)


def test_what_comes_late_ends_the_connection_that_waits(stage: Stage) -> None:
    """Between two requests: the octets are there before the next request is."""
    lied = threading.Event()

    def late(_: backends.Backend, wire: backends.Wire) -> None:
        wire.head()
        wire.send(_OK)
        lied.wait(backends.LONG)
        wire.send(_EVIL)
        wire.head()

    with backends.running(("liar", late)) as (liar,), stage.gateway.client() as client:
        stage.faces(liar)
        assert client.get().body == b"ok"
        lied.set()
        running.until(lambda: not liar.connected, "the gateway has left")
        assert client.get().body == b"ok"
        assert _used(liar) == 2
        stage.others_are_served()


@pytest.mark.parametrize("length", [b"5000000", b"2"])
def test_an_early_answer_and_then_a_reset(stage: Stage, length: bytes) -> None:
    """The client is still sending: it gets the answer, or sees that there is none."""

    def rude(_: backends.Backend, wire: backends.Wire) -> None:
        wire.head()
        wire.send(b"HTTP/1.1 403 Forbidden\r\nContent-Length: %b\r\n\r\nno" % length)
        wire.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    with backends.running(("liar", rude)) as (liar,):
        stage.faces(liar)
        for _ in range(TIMES):
            with stage.gateway.client() as client:
                client.send(b"POST / HTTP/1.1\r\nHost: shop.example.com\r\nContent-Length: 900000\r\n\r\n")
                said = b""
                try:
                    client.send(bytes(500_000))
                    while data := client.sock.recv(65536):
                        said += data
                except ConnectionError:
                    pass
                assert said[:13] in (b"", b"HTTP/1.1 403 ", b"HTTP/1.1 502 ")
            stage.others_are_served()


def test_answers_keep_to_their_requests_whoever_is_slow(stage: Stage) -> None:
    """Many clients at once, and a backend that answers late, in pieces and sometimes not at all."""

    def moody(_: backends.Backend, wire: backends.Wire) -> None:
        while True:
            target = wire.head().line.split()[1]
            if target.endswith(b"7"):
                return
            answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(target), target)
            for at in range(0, len(answer), 7):
                wire.send(answer[at : at + 7])

    right: list[bytes] = []
    wrong: list[bytes] = []

    def many(name: int) -> None:
        for number in range(15):
            with stage.gateway.client() as client:
                for more in range(3):
                    target = b"/%d-%d-%d" % (name, number, more)
                    got = client.get(target)
                    if got.line.endswith(b"200 OK"):
                        (right if got.body == target else wrong).append(got.body)

    with backends.running(("liar", moody)) as (liar,):
        stage.faces(liar)
        threads = [threading.Thread(target=many, args=(name,)) for name in range(6)]
        for each in threads:
            each.start()
        for each in threads:
            each.join(backends.LONG)
        assert right and not wrong and not any(each.is_alive() for each in threads)
