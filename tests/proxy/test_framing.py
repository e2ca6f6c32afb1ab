"""Heads in bytes: what goes on, what is written anew, what is refused."""

import pytest

from fedns.proxy import framing


def test_fields_pass_or_are_looked_at() -> None:
    names = (b"host", b"accept", b"connection", b"x-y", b"content-length")
    kinds = [framing.KINDS[name] for name in names]
    passes, marked = framing.PASSES, framing.MARKED
    assert kinds == [marked, passes, marked, passes, marked]


@pytest.mark.parametrize(
    "name",
    [b"content_length", b"contentlength", b"transfer.encoding", b"transfer-encoding!", b"-content-length"],
)
def test_a_name_that_looks_like_one_that_frames_is_refused(name: bytes) -> None:
    assert framing.KINDS[name] == framing.LOOKALIKE


def test_kinds_that_are_remembered_are_bounded() -> None:
    kinds = framing.Kinds()
    for number in range(2 * framing.KNOWN):
        assert kinds[b"x-%d" % number] == framing.PASSES
    assert len(kinds) == framing.KNOWN


def test_connection_keeps_back_what_it_names_but_never_what_others_rely_on() -> None:
    said = [b"close, X-Own", b"Host,content-length , Authorization,x-forwarded-for, cookie"]
    assert framing.nominated(said) == {b"x-own"}


def test_how_the_head_of_an_answer_ends() -> None:
    lines = [b"X-A: 1", b"Content-Length: 3"]
    sized = framing.answer(b"200 OK", lines, framing.ending(False, True, False))
    assert sized == b"HTTP/1.1 200 OK\r\nX-A: 1\r\nContent-Length: 3\r\n\r\n"
    chunked = framing.answer(b"200 OK", lines[:1], framing.ending(True, False, False))
    assert chunked == b"HTTP/1.1 200 OK\r\nX-A: 1\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    old = framing.answer(b"200 OK", [], framing.ending(False, True, True))
    assert old == b"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\n\r\n"
    pairs = framing.pairs(lines)
    assert pairs == [(b"X-A", b"1"), (b"Content-Length", b"3")] and framing.written(pairs) == lines


def test_chunks() -> None:
    assert framing.chunk(b"x" * 26) == b"1a\r\n" + b"x" * 26 + b"\r\n"
    assert framing.last([]) == b"0\r\n\r\n"
    late = [(b"X-Sum", b"1"), (b"Set-Cookie", b"a"), (b"Transfer-Encoding", b"chunked"), (b"HOST", b"b")]
    assert framing.last(late) == b"0\r\nX-Sum: 1\r\n\r\n"


def test_answers_of_our_own() -> None:
    assert framing.own(204, [], b"", True) == b"HTTP/1.1 204 No Content\r\n\r\n"
    told = framing.own(302, [(b"Location", b"/x")], b"go", False)
    assert told == b"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 2\r\nConnection: close\r\n\r\ngo"
