"""The short way beside the long one: what the first takes, the second would have sent and answered alike."""

import asyncio
import random
import re
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import pytest
import uvloop

from fedns import tables
from fedns.gateway import decide, options, route, terms
from fedns.gateway.head import Head
from fedns.gateway.options import Match
from fedns.gateway.terms import Terms
from fedns.proxy import pace, swift
from fedns.proxy.directory import Directory
from fedns.proxy.hall import Hall
from fedns.proxy.inbound import Inbound
from fedns.proxy.outbound import Key, Outbound
from fedns.servers.tally import Tally, traffic

FORMS = [swift, *([pace.compiled] if pace.compiled else [])]
HOST, POOL = b"shop.example.com", b"ns/shop/80"
END = route.Endpoint("127.0.0.1", 8001, "east", b"e")
GET = b"GET /a?b=1 HTTP/1.1\r\nHost: shop.example.com\r\n\r\n"
HELLO = b"HTTP/1.1 200 OK\r\nServer: me\r\nContent-Length: 5\r\nX-A: b\r\n\r\nhello"


class Wire:
    """A transport that keeps what is written."""

    def __init__(self, written: int = 0) -> None:
        self.sent: list[bytes] = []
        self.closed = self.paused = False

    def write(self, data: bytes) -> None:
        self.sent.append(data)

    def get_extra_info(self, name: str) -> object:
        return {"peername": ("192.0.2.1", 5), "sockname": ("192.0.2.2", 80)}.get(name)

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    abort = close

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.closed = True

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False


class Slow:
    """A lane that takes nothing."""

    def takes(self, inbound: Inbound, data: bytes) -> bool:
        return False


class World:
    """A worker's hall without a loop that runs: a pool of one endpoint with one idle connection."""

    def __init__(self, state: Path, form: ModuleType | None) -> None:
        writer = tables.Writer(str(state / "tables"))
        pool = route.Pool((route.Tier(1.0, (route.Part("east", 1.0, (END,)),)),))
        writer.publish({"gateway": {**_routes(), route.SERVICE + POOL: route.encode(pool)}}, time.time())
        writer.close()
        self.counters = str(state / "counters")
        (state / "counters").mkdir()
        tally = Tally(self.counters + "/gateway-0")
        self.loop = uvloop.new_event_loop()
        self.hall = Hall(self.loop, Directory(str(state / "tables")), tally)
        self.hall.lane = form.Lane(self.hall) if form is not None else cast(Any, Slow())

    def backend(self) -> tuple[Outbound, Wire]:
        """An idle connection to the endpoint, the only one."""
        for each in list(self.hall.depot._idle.values()):
            each.clear()
        made, wire = Outbound(self.hall.depot, Key(END.address, END.port)), Wire()
        made.connection_made(cast(Any, wire))
        self.hall.depot.give(made)
        return made, wire

    def client(self) -> tuple[Inbound, Wire]:
        made, wire = Inbound(self.hall), Wire()
        made.connection_made(cast(Any, wire))
        return made, wire

    def close(self) -> None:
        self.settle()
        self.loop.close()

    def settle(self) -> None:
        """What was begun on the loop is given up."""
        for each in asyncio.all_tasks(self.loop):
            each.cancel()
        self.loop.run_until_complete(asyncio.sleep(0))


def _routes() -> dict[bytes, bytes]:
    shop = route.Location(b"ns/shop shop.example.com/", b"/", POOL, b"shop")
    post = route.Location(b"ns/shop shop.example.com/", b"/v", POOL, b"s", match=Match(methods=(b"POST",)))
    many = route.Location(b"ns/v", b"/v", POOL, b"v", variants=(post,))
    asked = route.Location(b"ns/asked", b"/asked", POOL, b"asked", options=1)
    hosts = {
        HOST: route.Host(prefix={b"": shop, b"/asked": asked}, longest=6),
        b"other.example.com": route.Host(prefix={b"": shop, b"/v": many}, longest=2),
        b"root.example.com": route.Host(prefix={b"": shop}, root=b"/app"),
    }
    usual = options.Options()
    table = route.Table(hosts=hosts, options=(usual, options.Options(prefix=b"/p")))
    return {terms.TERMS: terms.encode(Terms()), route.ROUTES: route.encode(table)}


@pytest.fixture(params=FORMS, ids=lambda form: form.__name__.rpartition(".")[2])
def swiftly(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    (tmp_path / "swift").mkdir()
    made = World(tmp_path / "swift", request.param)
    yield made
    made.close()


@pytest.fixture
def slowly(tmp_path: Path) -> Iterator[World]:
    (tmp_path / "slow").mkdir()
    made = World(tmp_path / "slow", None)
    yield made
    made.close()


def said(world: World, asked: bytes, answer: bytes) -> tuple[bytes, bytes, bool, bool]:
    """What the backend got and the client, and whether each connection was closed."""
    backend, back = world.backend()
    client, front = world.client()
    client.data_received(asked)
    if back.sent and not back.closed:
        backend.data_received(answer)
    told = re.sub(rb"x-request-id: \w+", b"", b"".join(back.sent))
    date = re.sub(rb"Date: .*? GMT", b"", b"".join(front.sent))
    was = back.closed, front.closed
    client.connection_lost(None)
    return told, date, *was


def taken(world: World, asked: bytes) -> bool:
    world.backend()
    client, _ = world.client()
    found = world.hall.lane.takes(client, asked)
    client.connection_lost(None)
    return bool(found)


def test_a_plain_request_takes_the_short_way(swiftly: World) -> None:
    backend, back = swiftly.backend()
    client, front = swiftly.client()
    for _ in range(3):
        client.data_received(GET)
        assert backend.ride is not None
        backend.data_received(HELLO)
    assert b"\r\nx-forwarded-for: 192.0.2.1\r\n" in back.sent[0] and len(back.sent) == 3
    answer = re.sub(rb"\r\nDate: .*? GMT", b"", front.sent[-1])
    assert answer == b"HTTP/1.1 200 OK\r\nServer: me\r\nX-A: b\r\nContent-Length: 5\r\n\r\nhello"
    row = {key: count for key, (count, *_) in traffic(swiftly.counters)[0].items()}
    assert list(row.values()) == [3] and not swiftly.hall.directory.service(POOL).active


@pytest.mark.parametrize(
    "asked",
    [
        b"POST / HTTP/1.1\r\nHost: shop.example.com\r\n\r\n",
        b"GET / HTTP/1.0\r\nHost: shop.example.com\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: shop.example.com\r\nHost: shop.example.com\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: shop.example.com\r\nContent-Length: 0\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: shop.example.com\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: shop.example.com\r\nContent_Length: 5\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: shop.example.com\r\nX-Forwarded-For: 1.2.3.4\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: shop.example.com\r\nConnection: x-a\r\nX-A: 1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: shop.example.com\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: shop.example.com\r\nX: a\r\n b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: shop.example.com\r\nX: a\rY: b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: shop.example.com\r\nX : a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: shop.example.com\nX: a\r\n\r\n",
        b"GET / HTTP/1.1\nHost: shop.example.com\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: shop.example.com\r\nX:a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: shop.example.com\r\nX: \xe4\r\n\r\n",
        b"GET //a HTTP/1.1\r\nHost: shop.example.com\r\n\r\n",
        b"GET /../a HTTP/1.1\r\nHost: shop.example.com\r\n\r\n",
        b"GET /a;b/../c HTTP/1.1\r\nHost: shop.example.com\r\n\r\n",
        b"GET /a;b HTTP/1.1\r\nHost: shop.example.com\r\n\r\n",
        b"GET /%2e HTTP/1.1\r\nHost: shop.example.com\r\n\r\n",
        b"GET /a b HTTP/1.1\r\nHost: shop.example.com\r\n\r\n",
        b"GET /?#x HTTP/1.1\r\nHost: shop.example.com\r\n\r\n",
        b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: shop.example.com\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: shop.example.com\r\n" + b"A: 1\r\n" * 70 + b"\r\n",
        b"GET / HTTP/1.1\r\nHost: nobody.example.com\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: shop..example.com\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: root.example.com\r\n\r\n",
        b"GET /v HTTP/1.1\r\nHost: other.example.com\r\n\r\n",
        b"GET /asked HTTP/1.1\r\nHost: shop.example.com\r\n\r\n",
        GET + GET,
        GET[:-2],
    ],
)
def test_what_is_not_plain_is_for_the_long_way(swiftly: World, slowly: World, asked: bytes) -> None:
    assert not taken(swiftly, asked)
    assert said(swiftly, asked, HELLO) == said(slowly, asked, HELLO)


ANSWERS = [
    HELLO,
    HELLO + b"x",
    HELLO[:-1],
    HELLO.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"),
    HELLO.replace(b"\r\n\r\n", b"\r\nConnection: Keep-Alive\r\n\r\n"),
    HELLO.replace(b"\r\n\r\n", b"\r\nKeep-Alive: timeout=5\r\n\r\n"),
    HELLO.replace(b"\r\n\r\n", b"\r\nContent-Length: 5\r\n\r\n"),
    HELLO.replace(b"\r\n\r\n", b"\r\nTransfer-Encoding: chunked\r\n\r\n"),
    HELLO.replace(b"X-A: b", b"X-A:b"),
    HELLO.replace(b"X-A: b", b"X-A: b\nX-B: c"),
    HELLO.replace(b"X-A: b", b"X-A: \xe4"),
    HELLO.replace(b"X-A: b", b"X A: b"),
    HELLO.replace(b": 5", b": +5"),
    HELLO.replace(b"1.1 200", b"1.0 200"),
    HELLO.replace(b"200 OK", b"404 Not Found"),
    HELLO.replace(b"200 OK", b"503 Service Unavailable"),
    HELLO.replace(b"200 OK", b"200"),
    HELLO.replace(b"200 OK", b"2000 OK"),
    b"HTTP/1.1 204 No Content\r\n\r\n",
    b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\n\r\nuntil the end",
    b"HTTP/1.1 100 Continue\r\n\r\n" + HELLO,
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    b"nonsense\r\n\r\n",
]


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("asked", [GET, GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")])
def test_answers_are_alike(swiftly: World, slowly: World, asked: bytes, answer: bytes) -> None:
    assert said(swiftly, asked, answer) == said(slowly, asked, answer)


def test_requests_at_random_are_alike(swiftly: World, slowly: World) -> None:
    chance, short = random.Random(5), 0
    signs = b'aZ0-_:/?&=%. \t\r\n\x00\x7f\xe9"#'
    for _ in range(600):
        asked = bytearray(b"GET /a HTTP/1.1\r\nHost: shop.example.com\r\nX-Y: z\r\nCookie: a=b\r\n\r\n")
        for _ in range(chance.randrange(3)):
            asked[chance.randrange(len(asked))] = chance.choice(signs)
        short += taken(swiftly, bytes(asked))
        assert said(swiftly, bytes(asked), HELLO) == said(slowly, bytes(asked), HELLO), bytes(asked)
    assert short > 100


def test_places_are_where_decisions_lead() -> None:
    """Random hosts and paths: the memory of places and the decision itself agree on the location."""
    chance, found = random.Random(7), 0
    words = [b"", b"/", b"/a", b"/ab", b"/a/", b"/a/b", b"/a/bc", b"/a/b/c", b"/b", b"/b/a/", b"/abc/d"]
    for _ in range(300):
        made = [{each: _location(each) for each in words if chance.random() < 0.4} for _ in range(3)]
        prefix = {each.rstrip(b"/"): location for each, location in made[1].items()}
        lengths = tuple(sorted({len(each) for each in made[2]}, reverse=True))
        host = route.Host(made[0], prefix, max(map(len, prefix), default=0), made[2], lengths)
        for path in {b"/" + (one + other).lstrip(b"/") for one in words for other in words}:
            wanted = decide.locate(host, Head(b"GET", HOST, path, path, None, ()))
            for form in FORMS:
                place = form.Way(host, {}).find(path)
                assert (place.location if place is not None else None) is wanted, (host, path)
            found += wanted is not None
    assert found > 1000


def _location(path: bytes) -> route.Location:
    return route.Location(b"ns/shop " + path, path, POOL)


@pytest.mark.parametrize("form", FORMS)
def test_places_know_the_rows_of_two_members(form: ModuleType, tmp_path: Path) -> None:
    tally, place = Tally(str(tmp_path / "t")), form.Place(_location(b"/"))
    for member in ("east", "west", "north", "east", "north", "west", "west", ""):
        tally.add(place.row(tally, member), 0.5)
    counted = {each.member: row[:2] for each, row in traffic(str(tmp_path))[0].items()}
    assert counted == {"east": (2, 1.0), "west": (3, 1.5), "north": (2, 1.0), "": (1, 0.5)}


def test_other_routes_are_other_places(swiftly: World) -> None:
    directory = swiftly.hall.directory
    before, asked = directory.table, GET.replace(b"/a?", b"/asked?")
    assert taken(swiftly, GET) and not taken(swiftly, asked)
    shop = before.hosts[HOST].prefix[b""]
    directory.table = route.Table(hosts={HOST: route.Host(prefix={b"/asked": shop}, longest=6)})
    assert not taken(swiftly, GET) and taken(swiftly, asked)
    directory.table = before
    assert taken(swiftly, GET) and not taken(swiftly, asked)


def test_a_backend_that_goes_away_is_for_the_long_way(swiftly: World) -> None:
    backend, _ = swiftly.backend()
    client, _ = swiftly.client()
    client.data_received(GET)
    backend.connection_lost(ConnectionResetError())
    assert client.exchange is not None and client.exchange.outbound is None
    assert traffic(swiftly.counters)[1] == {"stale": 1}
    client.connection_lost(None)
    (row,) = traffic(swiftly.counters)[0]
    assert row.status == 499 and not swiftly.hall.directory.service(POOL).active


def test_a_client_that_goes_away_takes_its_request_along(swiftly: World) -> None:
    _, back = swiftly.backend()
    client, _ = swiftly.client()
    client.data_received(GET)
    client.connection_lost(None)
    assert back.closed
    (row,) = traffic(swiftly.counters)[0]
    assert row.status == 499 and not swiftly.hall.directory.service(POOL).active


def test_nobody_waits_for_a_client_that_said_all_and_went(swiftly: World) -> None:
    swiftly.backend()
    client, _ = swiftly.client()
    client.data_received(GET)
    assert client.eof_received() and client._leaving is not None and not client._leaving.cancelled()
    client.connection_lost(None)
    assert client._leaving.cancelled()


def test_patience_ends_on_the_long_way(swiftly: World) -> None:
    _, back = swiftly.backend()
    client, front = swiftly.client()
    client.data_received(GET)
    client.expire()
    assert back.closed and traffic(swiftly.counters)[1]["late_backend"] == 1
    assert front.sent[0].startswith(b"HTTP/1.1 504 ")


def test_a_client_that_does_not_take_its_answer_leaves_the_connection_to_others(swiftly: World) -> None:
    backend, back = swiftly.backend()
    client, front = swiftly.client()

    def clog(data: bytes) -> None:
        front.sent.append(data)
        client.pause_writing()

    front.write = clog  # type: ignore[method-assign]
    client.data_received(GET)
    backend.data_received(HELLO)
    assert front.sent and not back.paused


def test_requests_behind_it_wait(swiftly: World) -> None:
    backend, back = swiftly.backend()
    client, front = swiftly.client()
    client.data_received(GET)
    client.data_received(GET)
    assert len(back.sent) == 1 and front.paused
    backend.data_received(HELLO)
    swiftly.loop.run_until_complete(asyncio.sleep(0))
    backend.data_received(HELLO)
    assert len(back.sent) == len(front.sent) == 2
