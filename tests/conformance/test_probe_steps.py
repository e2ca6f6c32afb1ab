"""Http11Probe's tests of several steps, of octets that its vectors only describe, and of expectations that
they have in words: over one connection."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conformance import desync, vectors
from tests.proxy import backends, gateways
from tests.proxy.backends import Backend, Wire
from tests.proxy.gateways import Client, Gateway

_ETAG = b'"v1"'
_CASES = {
    case["id"]: case
    for case in vectors.load("http11_probe")["vectors"]
    if "request" not in case and "request_rle" not in case
}
REFUSED = ("SMUG-CLTE-SMUGGLED-GET-TE-LEADING-COMMA", "SMUG-DUPLICATE-CL-SMUGGLED-GET", "SMUG-TECL-DESYNC")
CONDITIONAL = {
    "CAP-ETAG-304": (b"If-None-Match: %b\r\n" % _ETAG, 304),
    "CAP-ETAG-WEAK": (b"If-None-Match: W/%b\r\n" % _ETAG, 304),
    "CAP-IMS-FUTURE": (b"If-Modified-Since: Thu, 01 Jan 2099 00:00:00 GMT\r\n", 200),
    "CAP-INM-PRECEDENCE": (
        b"If-None-Match: %b\r\nIf-Modified-Since: Thu, 01 Jan 1970 00:00:00 GMT\r\n" % _ETAG,
        304,
    ),
}


def test_each_has_its_test() -> None:
    told = {*REFUSED, *CONDITIONAL, "SMUG-GET-CL-BODY-DESYNC", "COOK-MANY-PAIRS", "MAL-BINARY-GARBAGE"}
    assert _CASES.keys() == told


def _conditional(backend: Backend, wire: Wire) -> None:
    while True:
        got = wire.message()
        backend.messages.append(got)
        known = (got.value(b"if-none-match") or b"").removeprefix(b"W/")
        if known == _ETAG:
            wire.send(b"HTTP/1.1 304 Not Modified\r\nETag: %b\r\n\r\n" % _ETAG)
        else:
            wire.reply(b"fresh", fields=b"ETag: %b\r\n" % _ETAG)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    state: Path = tmp_path_factory.mktemp("steps")
    with gateways.running(state) as made:
        yield made


@pytest.fixture
def backend(gateway: Gateway) -> Iterator[Backend]:
    with backends.running(("one", _conditional)) as (one,):
        gateway.publish(desync.table(), shop=gateways.pool([one]))
        yield one


def _steps(case: dict[str, Any]) -> list[bytes]:
    return [each["request"].encode("latin-1") for each in case["steps"] if "request" in each]


def _status(client: Client) -> int:
    return int(client.message().line.split()[1])


@pytest.mark.parametrize("name", REFUSED)
def test_poison_is_refused_and_nothing_follows(gateway: Gateway, backend: Backend, name: str) -> None:
    first, *rest = _steps(_CASES[name])
    with gateway.client() as client:
        client.send(first)
        assert 400 <= _status(client) < 500
        try:
            client.send(b"".join(rest))
            said = client.rest()
        except ConnectionError:
            said = b""
        assert said == b"" and not backend.messages


def test_a_get_with_a_body_is_one_request(gateway: Gateway, backend: Backend) -> None:
    with gateway.client() as client:
        for each in _steps(_CASES["SMUG-GET-CL-BODY-DESYNC"]):
            client.send(each)
            assert _status(client) == 200
    assert [each.body for each in backend.messages] == [b"hello", b""]


@pytest.mark.parametrize("name", CONDITIONAL)
def test_conditions_reach_the_backend(gateway: Gateway, backend: Backend, name: str) -> None:
    fields, status = CONDITIONAL[name]
    with gateway.client() as client:
        client.send(_steps(_CASES[name])[0])
        first = client.message()
        assert first.value(b"etag") == _ETAG
        client.send(b"GET / HTTP/1.1\r\nHost: localhost:8080\r\n%b\r\n" % fields)
        assert int(client.head().line.split()[1]) == status
    assert len(backend.messages) == 2


def test_a_thousand_cookies(gateway: Gateway, backend: Backend) -> None:
    pairs = "; ".join(f"c{number}=v{number}" for number in range(1000)).encode()
    with gateway.client() as client:
        assert client.get(fields=b"Cookie: %b\r\n" % pairs).body == b"fresh"
    assert backend.messages[0].values(b"cookie") == [pairs]


def test_garbage_is_refused(gateway: Gateway, backend: Backend) -> None:
    for seed in range(42, 92):
        status, state = desync.probe(gateway, random.Random(seed).randbytes(256))
        assert status == 400 or (status is None and state == "ClosedByServer"), (seed, status, state)
    assert not backend.raw


ECHOED = {
    "COMP-POST-CL-BODY": b"hello",
    "COMP-CHUNKED-MULTI": b"hello world",
    "COMP-DATE-HEADER": b"",
    "COMP-CONTENT-TYPE": b"",
    "COOK-MALFORMED": b"",
    "COOK-MULTI-HEADER": b"",
    "COOK-PARSED-MULTI": b"",
}
COOKIES = {
    "COOK-MALFORMED": [b"===;;;"],
    "COOK-MULTI-HEADER": [b"a=1", b"b=2"],
    "COOK-PARSED-MULTI": [b"a=1; b=2; c=3"],
}
REJECTED = ("NORM-UNDERSCORE-CL", "NORM-TAB-IN-NAME", "NORM-CASE-TE")
NO_LENGTH = "COMP-NO-CL-IN-204"
_WORDS = {
    case["id"]: case["request"].encode("latin-1")
    for case in vectors.load("http11_probe")["vectors"]
    if "rules_unparsed" in case["expect"] and "request" in case
}


def test_each_in_words_has_its_test() -> None:
    assert _WORDS.keys() == {*ECHOED, *REJECTED, NO_LENGTH}


def _echoes(backend: Backend, wire: Wire) -> None:
    while True:
        got = wire.message()
        backend.messages.append(got)
        if got.line.startswith(b"OPTIONS"):
            wire.send(b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n")
        else:
            wire.reply(got.body, fields=b"Content-Type: text/plain\r\n")


@pytest.fixture
def echo(gateway: Gateway) -> Iterator[Backend]:
    with backends.running(("one", _echoes)) as (one,):
        gateway.publish(desync.table(), shop=gateways.pool([one]))
        yield one


@pytest.mark.parametrize("name", ECHOED)
def test_what_is_sent_arrives_and_the_answer_has_its_fields(
    gateway: Gateway, echo: Backend, name: str
) -> None:
    with gateway.client() as client:
        for _ in range(2):
            client.send(_WORDS[name])
            got = client.message()
            assert (got.line, got.body) == (b"HTTP/1.1 200 OK", ECHOED[name])
            assert got.value(b"content-type") == b"text/plain"
            assert len(got.values(b"date")) == 1, "the backend has none"
    assert [each.values(b"cookie") for each in echo.messages] == [COOKIES.get(name, [])] * 2


@pytest.mark.parametrize("name", REJECTED)
def test_names_that_may_be_taken_for_others_are_refused(gateway: Gateway, echo: Backend, name: str) -> None:
    with gateway.client() as client:
        client.send(_WORDS[name])
        assert client.message().line == b"HTTP/1.1 400 Bad Request"
        assert client.rest() == b"" and not echo.messages


def test_an_answer_that_has_no_body_has_no_length(gateway: Gateway, echo: Backend) -> None:
    with gateway.client() as client:
        for _ in range(2):
            client.send(_WORDS[NO_LENGTH])
            got = client.head()
            assert got.line == b"HTTP/1.1 204 No Content" and got.value(b"content-length") is None
    assert len(echo.messages) == 2


def test_dates_of_the_backend_go_on_and_others_are_ours(gateway: Gateway) -> None:
    """On the short way of a plain answer and on the long one."""
    said = b"Thu, 01 Jan 2026 00:00:00 GMT"

    def dated(_: Backend, wire: Wire) -> None:
        while True:
            got = wire.message()
            name = got.line.split()[1][1:]
            wire.reply(b"old", fields=b"%b: %b\r\n" % (name, said) if name != b"none" else b"")

    shop = gateways.table()
    with backends.running(("one", dated)) as (one,), gateway.client() as client:
        gateway.publish(shop, shop=gateways.pool([one]))
        for fields in (b"", b"Via: 1.1 me\r\nX:\ty\r\n"):
            for name in (b"date", b"Date", b"DATE"):
                assert [client.get(b"/" + name, fields).values(b"date") for _ in range(2)] == [[said]] * 2
            for _ in range(2):
                (ours,) = client.get(b"/none", fields).values(b"date")
                assert ours.endswith(b" GMT") and ours != said
