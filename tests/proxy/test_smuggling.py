"""Requests that two readers could take for different things, each by its name: what a recording backend got.

Law: a request is refused with its status and nothing of it goes on, or what goes on is one plain request.
Whatever follows a refused one on its connection is not believed.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance import desync, strict
from tests.proxy import backends, gateways
from tests.servers import running

_GET, _POST = b"GET / HTTP/1.1\r\nHost: a\r\n", b"POST / HTTP/1.1\r\nHost: a\r\n"
_CHUNKED = b"Transfer-Encoding: chunked\r\n"
_EVIL = b"GET /evil HTTP/1.1\r\nHost: a\r\n\r\n"
_SOCKET = b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
_END = b"0\r\n\r\n"

REFUSED = {
    # What frames the body is said twice, or not as it should be.
    "CL and TE": (400, _POST + b"Content-Length: 5\r\n" + _CHUNKED + b"\r\n" + _END),
    "TE and CL": (400, _POST + _CHUNKED + b"Content-Length: 5\r\n\r\n" + _END),
    "CL twice, different": (400, _POST + b"Content-Length: 1\r\nContent-Length: 5\r\n\r\nhello"),
    "CL twice, alike": (400, _POST + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello"),
    "CL as a list": (400, _POST + b"Content-Length: 5, 5\r\n\r\nhello"),
    "CL with a sign": (400, _POST + b"Content-Length: +5\r\n\r\nhello"),
    "CL below zero": (400, _POST + b"Content-Length: -5\r\n\r\nhello"),
    "CL in hexadecimal": (400, _POST + b"Content-Length: 0x5\r\n\r\nhello"),
    "CL beyond 64 bits": (400, _POST + b"Content-Length: 18446744073709551621\r\n\r\nhello"),
    "CL of nothing": (400, _POST + b"Content-Length: \r\n\r\n"),
    "CL of digits that are none": (400, _POST + b"Content-Length: \xb2\r\n\r\nhe"),
    "CL with ten thousand zeros": (400, _POST + b"Content-Length: " + b"0" * 10_000 + b"5\r\n\r\nhello"),
    "CL with an underscore": (400, _POST + b"Content_Length: 5\r\n" + _CHUNKED + b"\r\n" + _END),
    "TE twice": (400, _POST + _CHUNKED + _CHUNKED + b"\r\n" + _END),
    "TE chunked twice": (400, _POST + b"Transfer-Encoding: chunked, chunked\r\n\r\n" + _END),
    "TE chunked before another": (400, _POST + b"Transfer-Encoding: chunked, identity\r\n\r\n" + _END),
    "TE gzip before chunked": (400, _POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n" + _END),
    "TE identity": (400, _POST + b"Transfer-Encoding: identity\r\n\r\n"),
    "TE of a word like it": (400, _POST + b"Transfer-Encoding: xchunked\r\n\r\n" + _END),
    "TE in quotes": (400, _POST + b'Transfer-Encoding: "chunked"\r\n\r\n' + _END),
    "TE with a parameter": (400, _POST + b"Transfer-Encoding: chunked;a=b\r\n\r\n" + _END),
    "TE with a vertical tab": (400, _POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n" + _END),
    "TE with a space that is none": (400, _POST + b"Transfer-Encoding: \xa0chunked\r\n\r\n" + _END),
    "TE on HTTP/1.0": (400, b"POST / HTTP/1.0\r\nHost: a\r\n" + _CHUNKED + b"\r\n" + _END),
    "TE with an underscore": (400, _POST + b"Transfer_Encoding: chunked\r\n\r\n"),
    "TE with a dot": (400, _POST + b"Transfer.Encoding: chunked\r\n\r\n"),
    # Lines and fields.
    "obs-fold of TE": (400, _POST + b"Transfer-Encoding:\r\n chunked\r\n\r\n" + _END),
    "obs-fold of another": (400, _GET + b"X: a\r\n b\r\n\r\n"),
    "obs-fold of the first": (400, b"GET / HTTP/1.1\r\n Host: a\r\n\r\n"),
    "bare LF after a field": (400, _GET + b"X: a\nY: b\r\n\r\n"),
    "bare LF after the request line": (400, b"GET / HTTP/1.1\nHost: a\r\n\r\n"),
    "bare LF at the end": (400, _GET + b"X: a\r\n\n"),
    "bare CR in a value": (400, _GET + b"X: a\rTransfer-Encoding: chunked\r\n\r\n"),
    "bare CR before the end": (400, _GET + b"X: a\r\r\n\r\n"),
    "zero octet in a value": (400, _GET + b"X: a\0b\r\n\r\n"),
    "zero octet in a name": (400, _GET + b"X\0: a\r\n\r\n"),
    "space before the colon": (400, _POST + b"Content-Length : 5\r\n\r\nhello"),
    "tab before the colon": (400, _POST + b"Transfer-Encoding\t: chunked\r\n\r\n" + _END),
    "no colon": (400, _GET + b"Content-Length 5\r\n\r\n"),
    "no name": (400, _GET + b": a\r\n\r\n"),
    "a name in brackets": (400, _GET + b"X(: a\r\n\r\n"),
    # Chunks.
    "a size that is none": (400, _POST + _CHUNKED + b"\r\nx\r\n" + _END),
    "a size with 0x": (400, _POST + _CHUNKED + b"\r\n0x5\r\nhello\r\n" + _END),
    "a size with a sign": (400, _POST + _CHUNKED + b"\r\n+5\r\nhello\r\n" + _END),
    "a size below zero": (400, _POST + _CHUNKED + b"\r\n-1\r\nhello\r\n" + _END),
    "a size with an underscore": (400, _POST + _CHUNKED + b"\r\n1_0\r\n" + b"a" * 16 + b"\r\n" + _END),
    "a size beyond 64 bits": (400, _POST + _CHUNKED + b"\r\n10000000000000005\r\nhello\r\n" + _END),
    "a size after a space": (400, _POST + _CHUNKED + b"\r\n 5\r\nhello\r\n" + _END),
    "no size": (400, _POST + _CHUNKED + b"\r\n\r\nhello\r\n" + _END),
    "a size that ends with LF": (400, _POST + _CHUNKED + b"\r\n5\nhello\r\n" + _END),
    "a chunk that ends with LF": (400, _POST + _CHUNKED + b"\r\n5\r\nhello\n" + _END),
    "a chunk that is too long": (400, _POST + _CHUNKED + b"\r\n5\r\nhello!\r\n" + _END),
    "an extension with LF": (400, _POST + _CHUNKED + b"\r\n5;a\nb\r\nhello\r\n" + _END),
    "an extension with CR": (400, _POST + _CHUNKED + b"\r\n5;a\rb\r\nhello\r\n" + _END),
    "an end with LF": (400, _POST + _CHUNKED + b"\r\n0\r\n\n"),
    "a trailer that frames": (400, _POST + _CHUNKED + b"\r\n0\r\nContent-Length: 5\r\n\r\n"),
    # Who is asked for.
    "no Host": (400, b"GET / HTTP/1.1\r\n\r\n"),
    "Host twice": (400, _GET + b"Host: b\r\n\r\n"),
    "Host twice, alike": (400, _GET + b"Host: a\r\n\r\n"),
    "Host twice in HTTP/1.0": (400, b"GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n"),
    "Host with a user": (400, b"GET / HTTP/1.1\r\nHost: a@b\r\n\r\n"),
    "Host with a space": (400, b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n"),
    "Host with a path": (400, b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"),
    "Host as a list": (400, b"GET / HTTP/1.1\r\nHost: a, b\r\n\r\n"),
    "Host with a strange port": (400, b"GET / HTTP/1.1\r\nHost: a:80x\r\n\r\n"),
    "Host with two ports": (400, b"GET / HTTP/1.1\r\nHost: a:80:80\r\n\r\n"),
    "Host with an escape": (400, b"GET / HTTP/1.1\r\nHost: a%00\r\n\r\n"),
    "target and Host disagree": (400, b"GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n"),
    "target and Host disagree about the port": (400, b"GET http://a:81/ HTTP/1.1\r\nHost: a:82\r\n\r\n"),
    "target with a user": (400, b"GET http://b@a/ HTTP/1.1\r\nHost: a\r\n\r\n"),
    "target of another scheme": (400, b"GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n"),
    "target without a slash": (400, b"GET evil HTTP/1.1\r\nHost: a\r\n\r\n"),
    "target with a fragment": (400, b"GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n"),
    "target with a space": (400, b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n"),
    "target of all but OPTIONS": (400, b"GET * HTTP/1.1\r\nHost: a\r\n\r\n"),
    # Methods and versions.
    "HTTP/0.9": (505, b"GET /\r\n\r\n"),
    "HTTP/2.0 in words": (505, b"GET / HTTP/2.0\r\nHost: a\r\n\r\n"),
    "HTTP/1.2": (400, b"GET / HTTP/1.2\r\nHost: a\r\n\r\n"),
    "HTTP/1.1 and a half": (400, b"GET / HTTP/1.10\r\nHost: a\r\n\r\n"),
    "HTTP in lower case": (400, b"GET / http/1.1\r\nHost: a\r\n\r\n"),
    "a method in lower case": (501, b"get / HTTP/1.1\r\nHost: a\r\n\r\n"),
    "a method nobody knows": (501, b"FROB / HTTP/1.1\r\nHost: a\r\n\r\n"),
    "CONNECT": (405, b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n"),
    "TRACE": (405, b"TRACE / HTTP/1.1\r\nHost: a\r\n\r\n"),
    # Other protocols.
    "a WebSocket with a body": (400, _GET + _SOCKET + b"Content-Length: 5\r\n\r\nhello"),
    "a WebSocket with chunks": (400, _POST + _SOCKET + _CHUNKED + b"\r\n" + _END),
    "another protocol with a body": (
        400,
        _POST + b"Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 5\r\n\r\nhello",
    ),
    # What a backend might read into it.
    "an identity with underscores": (400, _GET + b"X_Forwarded_For: 10.0.0.1\r\n\r\n"),
    "an expectation nobody knows": (417, _POST + b"Expect: magic\r\nContent-Length: 5\r\n\r\nhello"),
}

NORMAL = {
    # What went in, and what of it came out: its request line, and its body.
    "a length with zeros before": (_POST + b"Content-Length: 005\r\n\r\nhello", b"POST / HTTP/1.1", b"hello"),
    "extensions of chunks go": (
        _POST + _CHUNKED + b"\r\n5;a=b;c\r\nhello\r\n0;x\r\n\r\n",
        b"POST / HTTP/1.1",
        b"hello",
    ),
    "sizes are written anew": (
        _POST + _CHUNKED + b"\r\n0005\r\nhello\r\n000\r\n\r\n",
        b"POST / HTTP/1.1",
        b"hello",
    ),
    "TE in another case": (
        _POST + b"tRANSFER-eNCODING: ChUnKeD\r\n\r\n5\r\nhello\r\n" + _END,
        b"POST / HTTP/1.1",
        b"hello",
    ),
    "empty lines before": (b"\r\n\r\n" + _GET + b"\r\n", b"GET / HTTP/1.1", b""),
    "an absolute target": (b"GET http://a/b?c HTTP/1.1\r\nHost: a\r\n\r\n", b"GET /b?c HTTP/1.1", b""),
    "HTTP/1.0": (b"GET / HTTP/1.0\r\n\r\n", b"GET / HTTP/1.1", b""),
    "nobody nominates Host": (
        _GET + b"Connection: close, Host, X-Forwarded-For\r\n\r\n",
        b"GET / HTTP/1.1",
        b"",
    ),
    "nobody nominates the length": (
        _POST + b"Connection: Content-Length\r\nContent-Length: 5\r\n\r\nhello",
        b"POST / HTTP/1.1",
        b"hello",
    ),
    "a body after GET": (_GET + b"Content-Length: 5\r\n\r\nGET /", b"GET / HTTP/1.1", b"GET /"),
}


class Stage:
    """A gateway and the backend that remembers."""

    def __init__(self, gateway: gateways.Gateway, backend: backends.Backend) -> None:
        self.gateway, self.backend = gateway, backend

    def say(self, raw: bytes) -> tuple[bytes, list[strict.Message]]:
        """What the client gets for these octets, and which requests the backend got."""
        before = len(self.backend.raw)
        said = self.gateway.ask(raw)
        got = [bytes(each) for each in self.backend.raw[before:]]
        return said, [message for each in got for message in desync.read(each)]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    state: Path = tmp_path_factory.mktemp("smuggling")
    with backends.running(("ok", desync.once)) as (backend,), gateways.running(state) as gateway:
        gateway.publish(desync.table(), shop=gateways.pool([backend]))
        running.until(lambda: gateway.ask(_GET + b"Connection: close\r\n\r\n").endswith(b"ok"), "it is up")
        yield Stage(gateway, backend)


@pytest.mark.parametrize("name", REFUSED)
def test_what_means_two_things_is_refused_and_nothing_after_it_is_believed(stage: Stage, name: str) -> None:
    status, raw = REFUSED[name]
    for follows in (b"", _EVIL):
        said, got = stage.say(raw + follows)
        assert said.startswith(b"HTTP/1.1 %d " % status), said[:200]
        assert said.count(b"HTTP/1.1 ") == 1 and b"\r\nConnection: close\r\n" in said
        assert not got


@pytest.mark.parametrize("name", REFUSED)
def test_what_was_asked_before_is_answered(stage: Stage, name: str) -> None:
    status, raw = REFUSED[name]
    said, got = stage.say(_GET + b"\r\n" + raw + _EVIL)
    assert said.startswith(b"HTTP/1.1 200 OK\r\n") and said.count(b"HTTP/1.1 ") == 2
    assert b"HTTP/1.1 %d " % status in said
    assert [each.start[1] for each in got] == [b"/"]


@pytest.mark.parametrize("name", NORMAL)
def test_what_means_one_thing_goes_on_in_one_form(stage: Stage, name: str) -> None:
    raw, line, body = NORMAL[name]
    before = len(stage.backend.raw)
    said = stage.gateway.ask(raw + b"GET / HTTP/1.1\r\n\r\n")  # which ends it
    assert said.startswith(b"HTTP/1.1 200 OK\r\n"), said
    sent = bytes(stage.backend.raw[before])
    (got,) = desync.read(sent)
    assert sent.startswith(line + b"\r\n") and got.body == body
    assert got.values(b"x-forwarded-for") == [b"127.0.0.1"]
