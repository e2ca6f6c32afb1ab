"""Heads in bytes: what goes on, what is written anew, what is refused."""

import pytest

from fedns.gateway.normal import Rejected
from fedns.servers import framing

_KEPT = framing.Shape(chunked=False, sized=True, keep=True, old=False)


def test_fields_are_sorted_into_those_that_pass_and_those_that_are_looked_at() -> None:
    found = framing.sort([(b"host", b"a"), (b"accept", b"*/*"), (b"connection", b"close"), (b"x-y", b"")])
    assert found.lines == [b"accept: */*", b"x-y: "]
    assert found.marked == [(b"host", b"a"), (b"connection", b"close")]


@pytest.mark.parametrize(
    "name",
    [b"content_length", b"contentlength", b"transfer.encoding", b"transfer-encoding!", b"-content-length"],
)
def test_a_name_that_looks_like_one_that_frames_is_refused(name: bytes) -> None:
    with pytest.raises(Rejected):
        framing.sort([(name, b"1")])


def test_kinds_that_are_remembered_are_bounded() -> None:
    kinds = framing.Kinds()
    for number in range(2 * framing.KNOWN):
        assert kinds[b"x-%d" % number] == framing.PASSES
    assert len(kinds) == framing.KNOWN


@pytest.mark.parametrize(
    ("fields", "length"),
    [
        ([], framing.NO_BODY),
        ([(b"content-length", b"0")], 0),
        ([(b"content-length", b"12 ")], 12),
        ([(b"transfer-encoding", b" Chunked\t")], framing.CHUNKED),
        ([(b"transfer-encoding", b"gzip, chunked")], 400),
        ([(b"transfer-encoding", b"\x0bchunked")], 400),
        ([(b"transfer-encoding", b"chunked")] * 2, 400),
        ([(b"transfer-encoding", b"gzip")], 501),
    ],
)
def test_how_a_body_ends(fields: list[framing.Field], length: int) -> None:
    if length < 400:
        assert framing.length(fields, False) == length
        return
    with pytest.raises(Rejected) as no:
        framing.length(fields, False)
    assert no.value.status == length


def test_http_1_0_knows_no_transfer_codings() -> None:
    with pytest.raises(Rejected):
        framing.length([(b"transfer-encoding", b"chunked")], True)


def test_connection_keeps_back_what_it_names_but_never_what_others_rely_on() -> None:
    said = [b"close, X-Own", b"Host,content-length , Authorization,x-forwarded-for, cookie"]
    assert framing.nominated(said) == {b"x-own"}


def test_an_answer_loses_what_was_about_its_connection() -> None:
    headers = [
        (b"X-A", b"1"),
        (b"Connection", b"X-B"),
        (b"x-b", b"2"),
        (b"Keep-Alive", b"9"),
        (b"Content-Length", b"3"),
    ]
    assert (
        framing.answer(b"200 OK", headers, _KEPT) == b"HTTP/1.1 200 OK\r\nX-A: 1\r\nContent-Length: 3\r\n\r\n"
    )
    chunked = _KEPT._replace(chunked=True, sized=False, keep=False)
    told = framing.answer(b"200 OK", headers, chunked)
    assert told == b"HTTP/1.1 200 OK\r\nX-A: 1\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    old = framing.answer(b"200 OK", [], _KEPT._replace(old=True))
    assert old == b"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\n\r\n"


def test_chunks() -> None:
    assert framing.chunk(b"x" * 26) == b"1a\r\n" + b"x" * 26 + b"\r\n"
    assert framing.last([]) == b"0\r\n\r\n"
    late = [(b"X-Sum", b"1"), (b"Set-Cookie", b"a"), (b"Transfer-Encoding", b"chunked"), (b"HOST", b"b")]
    assert framing.last(late) == b"0\r\nX-Sum: 1\r\n\r\n"


def test_answers_of_our_own() -> None:
    assert framing.own(204, [], b"", True) == b"HTTP/1.1 204 No Content\r\n\r\n"
    told = framing.own(302, [(b"Location", b"/x")], b"go", False)
    assert told == b"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 2\r\nConnection: close\r\n\r\ngo"
