"""What a message of HTTP/2 says in HTTP/1.1, and which ones say nothing."""

import pytest

from fedns.gateway.terms import Terms
from fedns.proxy import crossing, framing
from fedns.proxy.framing import Field

GET: list[Field] = [
    (b":method", b"GET"),
    (b":scheme", b"https"),
    (b":authority", b"a.example"),
    (b":path", b"/x"),
]

USUAL = Terms()


def _refused(headers: list[Field], ended: bool = True, terms: Terms = USUAL) -> int:
    refusal = crossing.request(headers, ended, terms).refusal
    return refusal.status if refusal is not None else 0


def _with(name: bytes, value: bytes) -> list[Field]:
    return [(name, value) if each[0] == name else each for each in GET]


def test_a_request_is_what_it_would_be_in_http_1() -> None:
    fields = [(b"accept", b"*/*"), (b"cookie", b"a=b"), (b"cookie", b"c=d"), (b"x-real-ip", b"1.2.3.4")]
    made = crossing.request([*GET, *fields], True, Terms())
    assert made.refusal is None and made.bare and not made.old
    assert (made.method, made.target, made.hosts) == (b"GET", b"/x", [b"a.example"])
    assert made.lines == [b"accept: */*", b"cookie: a=b; c=d"]
    assert made.value(b"x-real-ip") == b"1.2.3.4"
    assert (b"cookie", b"a=b; c=d") in made.headers


def test_a_body_is_framed_by_its_length_or_in_chunks() -> None:
    assert crossing.request(GET, False, Terms()).length == framing.CHUNKED
    assert crossing.request([*GET, (b"content-length", b"7")], False, Terms()).length == 7
    assert crossing.request([*GET, (b"content-length", b"0")], True, Terms()).bare


def test_host_stands_in_for_an_authority() -> None:
    bare = [each for each in GET if each[0] != b":authority"]
    assert crossing.request([*bare, (b"host", b"b.example")], True, Terms()).hosts == [b"b.example"]
    assert not _refused([*GET, (b"host", b"A.example")])
    assert crossing.request(bare, True, Terms()).hosts == []


SMUGGLED = b"x\r\nTransfer-Encoding: chunked"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (_with(b":method", b"GET / HTTP/1.1\r\nHost: b\r\n\r\nGET"), 400),
        (_with(b":method", b"get"), 400),
        (_with(b":method", b""), 400),
        (_with(b":method", b"FOO"), 501),
        (_with(b":method", b"CONNECT"), 405),
        (_with(b":method", b"TRACE"), 405),
        (_with(b":path", b"x"), 400),
        (_with(b":path", b"http://b.example/"), 400),
        (_with(b":path", b""), 400),
        (_with(b":path", b"/" + b"x" * 9000), 414),
        (_with(b":scheme", b"javascript"), 400),
        (_with(b":scheme", b"https://a.example/?"), 400),
        ([*GET[:3], (b":path", b"/"), (b":path", b"/y")], 400),
        ([*GET, (b":path", b"/y")], 400),
        ([*GET, (b":protocol", b"websocket")], 400),
        ([*GET[:3], (b"accept", b"a"), GET[3]], 400),
        (GET[1:], 400),
        ([*GET, (b"host", b"b.example")], 400),
        ([*GET, (b"accept", SMUGGLED)], 400),
        ([*GET, (b"accept", b"a\0b")], 400),
        ([*GET, (b"cookie", b"a\nb")], 400),
        ([*GET, (b"x-forwarded-for", b"a\rb")], 400),
        ([*GET, (b"a\r\ntransfer-encoding: chunked\r\nb", b"c")], 400),
        ([*GET, (b"a: b", b"c")], 400),
        ([*GET, (b"", b"c")], 400),
        ([*GET, (b"Accept", b"c")], 400),
        ([*GET, (b"connection", b"close")], 400),
        ([*GET, (b"transfer-encoding", b"chunked")], 400),
        ([*GET, (b"upgrade", b"h2c")], 400),
        ([*GET, (b"proxy-connection", b"close")], 400),
        ([*GET, (b"keep-alive", b"5")], 400),
        ([*GET, (b"te", b"gzip")], 400),
        ([*GET, (b"content_length", b"5")], 400),
        ([*GET, (b"content-length", b"5")], 400),
        ([*GET, (b"content-length", b"+0")], 400),
        ([*GET, (b"content-length", b"0"), (b"content-length", b"0")], 400),
        ([*GET, (b"content-length", b"0, 0")], 400),
        ([*GET, *[(b"x", b"y")] * 300], 431),
        ([*GET, (b"x", b"y" * 70_000)], 431),
    ],
)
def test_what_says_nothing_or_two_things_is_refused(headers: list[Field], status: int) -> None:
    assert _refused(headers) == status


def test_te_trailers_is_known() -> None:
    assert not _refused([*GET, (b"te", b"trailers")])


def test_answers_have_names_in_lower_case_and_nothing_about_connections() -> None:
    lines = [b"Content-Type: a", b"X-Long: b: c", b"Keep-Alive: 5", b"Upgrade: h2c"]
    assert crossing.answer(200, lines) == [
        (b":status", b"200"),
        (b"content-type", b"a"),
        (b"x-long", b"b: c"),
    ]


def test_trailers_that_come_too_late_stay() -> None:
    said = [(b"Grpc-Status", b"0"), (b"Content-Length", b"5"), (b"Connection", b"close")]
    assert crossing.trailers(said) == [(b"grpc-status", b"0")]


@pytest.mark.parametrize(
    ("status", "code"), [(503, b"14"), (404, b"12"), (403, b"7"), (401, b"16"), (418, b"2")]
)
def test_calls_are_told_in_their_own_words(status: int, code: bytes) -> None:
    said = dict(crossing.failed(status, b"why", False))
    assert (said[b":status"], said[b"grpc-status"], said[b"grpc-message"]) == (b"200", code, b"why")
    assert dict(crossing.failed(status, b"why", True))[b"grpc-status"] == b"4"
