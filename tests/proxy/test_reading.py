"""What clients and backends say in pieces is what they say at once: bodies that are counted, not parsed."""

import random
from collections import deque
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import httptools
import pytest

from fedns.gateway.terms import Terms
from fedns.proxy.exchange import Exchange
from fedns.proxy.outbound import Key, Outbound
from fedns.proxy.reading import Reading

BODY = b"GET / HTTP/1.1\r\nHost: smuggled\r\n\r\n"
POST = b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (len(BODY), BODY)
GET = b"GET /b HTTP/1.1\r\nHost: x\r\n\r\n"
CHUNKED = b"PUT /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-T: 1\r\n\r\n"
LAST = POST.replace(b"\r\n", b"\r\nConnection: close\r\n", 1)
SAID = [
    POST + GET + POST + CHUNKED + POST,
    POST + POST + LAST,
    LAST + GET,
    CHUNKED + LAST + POST,
    GET + POST[:-1],
    POST + b"nonsense\r\n\r\n",
    POST.replace(b"Content", b"Content-Length: 9\r\nContent", 1),
    POST.replace(b"POST", b"TRACE") + GET,
]


class Asker:
    """As much of a client's connection as its reading needs."""

    def __init__(self) -> None:
        self.hall, self.first = SimpleNamespace(terms=Terms()), True


Heard = tuple[list[tuple[bytes, bytes, bytes, bool, int]], bool]


def heard(pieces: Iterator[bytes]) -> Heard:
    """Requests, and whether all could be understood."""
    made: deque[Exchange] = deque()
    reading, understood = Reading(cast(Any, Asker()), made), True
    try:
        for each in pieces:
            reading.feed(reading.passed(each) if reading.rest else each)
    except httptools.HttpParserError:
        understood = False
    told = [
        (each.request.method, each.request.target, b"".join(each.pieces), each.ended, len(each.trailers))
        for each in made
    ]
    return told, understood


def torn(data: bytes, chance: random.Random) -> Iterator[bytes]:
    while data:
        size = chance.randrange(1, 80)
        yield data[:size]
        data = data[size:]


@pytest.mark.parametrize("said", SAID)
def test_pieces_of_requests_are_what_the_whole_is(said: bytes) -> None:
    chance, whole = random.Random(3), heard(iter([said]))
    for _ in range(200):
        assert heard(torn(said, chance)) == whole


def test_nothing_of_a_body_is_a_request_and_nothing_behind_the_last_one_is_sent() -> None:
    told, understood = heard(iter((POST[:-20], POST[-20:] + LAST[:-5], LAST[-5:] + GET)))
    assert [each[1:4] for each in told] == [(b"/a", BODY, True)] * 2 and not understood


class Taker:
    """Gathers an answer."""

    head_only = False

    def __init__(self) -> None:
        self.body, self.ended, self.gone = b"", False, ""

    def arrived(self, outbound: Outbound) -> None:
        self.body += b"".join(outbound.pieces)
        outbound.pieces, outbound.fresh = [], False
        self.ended = outbound.ended

    def lost(self, outbound: Outbound, why: str) -> None:
        self.gone = why


ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 300\r\n\r\n" + BODY * 8 + b"x" * (300 - 8 * len(BODY))


@pytest.mark.parametrize(
    ("said", "persists"), [(ANSWER, True), (ANSWER + b"x", False), (ANSWER + ANSWER, False)]
)
def test_pieces_of_an_answer_are_what_the_whole_is(said: bytes, persists: bool) -> None:
    chance = random.Random(4)
    for _ in range(200):
        outbound, taker = Outbound(cast(Any, None), Key("127.0.0.1", 1)), Taker()
        outbound.transport = cast(Any, SimpleNamespace(abort=lambda: None))
        outbound.taker = cast(Any, taker)
        for each in torn(said, chance):
            outbound.data_received(each)
            if taker.ended:
                break
        assert taker.body == ANSWER[-300:] and taker.ended and not taker.gone
        whole = not persists or outbound.persists
        outbound.begin()
        outbound.taker = cast(Any, again := Taker())
        outbound.data_received(ANSWER)
        assert whole and again.body == ANSWER[-300:] and outbound.persists


def test_an_answer_that_breaks_off_has_not_ended() -> None:
    depot, taker = SimpleNamespace(gone=lambda outbound: None), Taker()
    outbound = Outbound(cast(Any, depot), Key("127.0.0.1", 1))
    outbound.taker = cast(Any, taker)
    outbound.data_received(ANSWER[:-200])
    outbound.data_received(ANSWER[-200:-1])
    assert not outbound.eof_received()
    outbound.connection_lost(None)
    assert not taker.ended and taker.gone == "closed"
