"""Tries: who is asked when somebody fails, how often, and who is left alone for a while."""

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from fedns.gateway import options
from fedns.gateway.options import Hash, Options, Retry, Timeouts
from fedns.gateway.route import Part, Pool, Tier
from fedns.servers import tally
from tests.proxy import backends, gateways
from tests.proxy.gateways import Gateway
from tests.servers import running

_FIVE = b"POST / HTTP/1.1\r\nHost: shop.example.com\r\nContent-Length: 5\r\n"
_PUT = b"PUT / HTTP/1.1\r\nHost: shop.example.com\r\nContent-Length: 5\r\n\r\nhello"


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    with gateways.running(tmp_path) as made:
        yield made


def _takes_and_leaves(_: backends.Backend, wire: backends.Wire) -> None:
    wire.message()


def _keeps_silent(backend: backends.Backend, wire: backends.Wire) -> None:
    backend.messages.append(wire.message())
    wire.exactly(1)


def _sick(backend: backends.Backend, wire: backends.Wire) -> None:
    while True:
        backend.messages.append(wire.message())
        wire.reply(b"sick", b"503 Service Unavailable")


def _failing(column: int, gateway: Gateway) -> int:
    return sum(row[column] for row in tally.seen(gateway.counters).values())


def test_who_refuses_is_asked_once_and_then_left_alone(gateway: Gateway) -> None:
    closed = backends.Backend("closed")
    closed.stop()
    with backends.running("two") as (two,), gateway.client() as client:
        gateway.publish(gateways.table(), shop=gateways.pool([closed], [two]))
        for _ in range(20):
            assert client.get().body == b"two"
        assert _failing(tally.REFUSED, gateway) == 1
        assert gateway.counted("ejections") == 1 == gateway.counted("retries")


def test_who_is_back_is_asked_again_and_no_request_finds_out(gateway: Gateway) -> None:
    one = backends.Backend("one")
    with backends.running("two") as (two,), gateway.client() as client:
        gateway.publish(gateways.table(), shop=gateways.pool([one], [two]))
        assert client.get().body == b"one"
        one.stop()
        assert client.get().body == b"two"
        again = backends.Backend("one", port=one.port)
        running.until(lambda: client.get().body == b"one", "it is back")
        assert _failing(tally.REFUSED, gateway) == 1
        again.stop()


def test_two_that_cannot_be_reached_take_their_member_with_them(gateway: Gateway) -> None:
    closed = [backends.Backend(f"closed{number}") for number in range(4)]
    for each in closed:
        each.stop()
    with backends.running("two") as (two,), gateway.client() as client:
        part = Part("c1", 1.0, tuple(gateways.endpoint(each, "c1") for each in closed))
        backup = Part("c2", 1.0, (gateways.endpoint(two, "c2"),))
        gateway.publish(gateways.table(), shop=Pool((Tier(1.0, (part,)), Tier(0.0, (backup,)))))
        for _ in range(20):
            assert client.get().body == b"two"
        assert _failing(tally.REFUSED, gateway) == 2


def test_silence_ends_and_somebody_else_is_asked(gateway: Gateway) -> None:
    asked = Options(timeouts=Timeouts(read=0.3))
    with backends.running(("one", _keeps_silent), "two") as (one, two), gateway.client() as client:
        gateway.publish(gateways.table(asked), shop=gateways.pool([one], [two]))
        began = time.monotonic()
        assert client.get().body == b"two"
        assert 0.2 < time.monotonic() - began < backends.LONG < Timeouts().read
        client.send(_FIVE + b"\r\nhello")
        assert client.message().line == b"HTTP/1.1 504 Gateway Timeout"
        assert client.get().body == b"two"
        assert len(one.messages) == 2, "after two silences it sits out"
        assert _failing(tally.SILENT, gateway) == 2


def test_an_answer_that_stops_is_broken_off(gateway: Gateway) -> None:
    def stops(_: backends.Backend, wire: backends.Wire) -> None:
        wire.message()
        wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
        wire.exactly(1)

    with backends.running(("one", stops)) as (one,), gateway.client() as client:
        gateway.publish(gateways.table(Options(timeouts=Timeouts(read=0.3))), shop=gateways.pool([one]))
        with pytest.raises((EOFError, ConnectionResetError)):
            client.get()


def test_a_request_may_take_so_long_as_a_whole(gateway: Gateway) -> None:
    def dribbles(_: backends.Backend, wire: backends.Wire) -> None:
        wire.message()
        wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        with suppress(OSError):
            while True:
                wire.send(b"x")
                time.sleep(0.01)

    with backends.running(("one", dribbles)) as (one,), gateway.client() as client:
        gateway.publish(gateways.table(Options(timeouts=Timeouts(whole=0.5))), shop=gateways.pool([one]))
        began = time.monotonic()
        with pytest.raises((EOFError, ConnectionResetError)):
            client.get()
        assert 0.3 < time.monotonic() - began < backends.LONG  # of hours


def test_a_status_may_be_reason_enough_to_ask_somebody_else(gateway: Gateway) -> None:
    asked = Options(retry=Retry(statuses=(503,)))
    with backends.running(("one", _sick), "two") as (one, two), gateway.client() as client:
        gateway.publish(gateways.table(asked), shop=gateways.pool([one], [two]))
        client.send(_FIVE + b"\r\nhello")
        assert client.message().body == b"sick"
        client.send(_PUT)
        assert client.message().body == b"two" and two.messages[-1].body == b"hello"
        for _ in range(3):
            assert client.get().body == b"two"
        assert len(one.messages) == 2, "after two answers that nobody wanted it sits out"


def test_the_last_answer_is_passed_on_when_nobody_is_left(gateway: Gateway) -> None:
    asked = Options(retry=Retry(statuses=(500, 503, 404), tries=0))

    def broken(backend: backends.Backend, wire: backends.Wire) -> None:
        while True:
            backend.messages.append(wire.message())
            wire.reply(b"broken", b"500 Internal Server Error")

    with backends.running(("one", _sick), ("two", broken)) as made, gateway.client() as client:
        gateway.publish(gateways.table(asked), shop=gateways.pool(*([each] for each in made)))
        got = client.get()
        assert (got.line, got.body) == (b"HTTP/1.1 500 Internal Server Error", b"broken")
        client.send(_PUT)
        assert client.message().body in (b"sick", b"broken")
        assert [each.messages[1].body for each in made] == [b"hello", b"hello"]
        assert [len(each.raw) for each in made] == [1, 1], "connections are used again"


def test_who_says_again_and_again_that_it_cannot_serve_sits_out(gateway: Gateway) -> None:
    with backends.running(("one", _sick), "two") as made, gateway.client() as client:
        gateway.publish(gateways.table(), shop=gateways.pool(made))
        bodies = [client.get().body for _ in range(40)]
        assert 5 <= bodies.count(b"sick") < 20
        assert gateway.counted("ejections")


def test_who_says_so_is_tried_again_although_it_may_be_done_twice(gateway: Gateway) -> None:
    with backends.running(("one", _takes_and_leaves), "two") as (one, two), gateway.client() as client:
        gateway.publish(gateways.table(), shop=gateways.pool([one], [two]))
        client.send(_FIVE + b"Idempotency-Key: 1\r\n\r\nhello")
        assert client.message().body == b"two"
        gateway.publish(gateways.table(Options(retry=Retry(unsafe=True))), shop=gateways.pool([one], [two]))
        client.send(_FIVE + b"\r\nhello")
        assert client.message().body == b"two"


def test_who_wants_no_other_try_gets_none(gateway: Gateway) -> None:
    with backends.running(("one", _takes_and_leaves), "two") as (one, two), gateway.client() as client:
        gateway.publish(gateways.table(Options(retry=Retry(tries=1))), shop=gateways.pool([one], [two]))
        assert client.get().line == b"HTTP/1.1 502 Bad Gateway"


def test_tries_may_stay_within_a_member(gateway: Gateway) -> None:
    with backends.running(("one", _takes_and_leaves), "two") as (one, two), gateway.client() as client:
        asked = Options(retry=Retry(leave="off"))
        gateway.publish(gateways.table(asked), shop=gateways.pool([one], [two]))
        assert client.get().line == b"HTTP/1.1 502 Bad Gateway"
        assert not two.messages


def test_what_was_not_kept_is_not_sent_again(gateway: Gateway) -> None:
    def reads_all(_: backends.Backend, wire: backends.Wire) -> None:
        wire.message()

    with backends.running(("one", reads_all), "two") as (one, two), gateway.client() as client:
        gateway.publish(gateways.table(), shop=gateways.pool([one], [two]))
        client.send(_PUT.replace(b"5", b"100000").replace(b"hello", b"x" * 100_000))
        assert client.message().line == b"HTTP/1.1 502 Bad Gateway"
        assert not two.messages


def test_further_tries_are_a_small_part_of_all(gateway: Gateway) -> None:
    """Forty requests at once, all of them failing: only so many are tried again."""
    begun = threading.Barrier(41, timeout=backends.LONG)

    def together(backend: backends.Backend, wire: backends.Wire) -> None:
        backend.messages.append(wire.message())
        begun.wait()

    with backends.running(("one", together), ("two", backends.echo)) as (one, two):
        gateway.publish(gateways.table(), shop=gateways.pool([one], [two]))
        clients = [gateway.client() for _ in range(40)]
        opened = [each.__enter__() for each in clients]
        for client in opened:
            client.send(b"GET / HTTP/1.1\r\nHost: shop.example.com\r\n\r\n")
        begun.wait()
        lines = [client.message().line for client in opened]
        for each in clients:
            each.__exit__(None, None, None)
        assert 10 <= lines.count(b"HTTP/1.1 200 OK") < 40
        assert gateway.counted("budget_spent") == lines.count(b"HTTP/1.1 502 Bad Gateway")


def test_rounds_are_even(gateway: Gateway) -> None:
    with backends.running("one", "two", "three") as made, gateway.client() as client:
        gateway.publish(gateways.table(), shop=gateways.pool(made))
        for _ in range(300):
            client.get()
        assert all(95 <= len(each.messages) <= 105 for each in made)


def test_a_hash_finds_the_same_endpoint(gateway: Gateway) -> None:
    with backends.running("one", "two", "three") as made, gateway.client() as client:
        asked = Options(hash=Hash((("arg_", b"user"),)))
        gateway.publish(gateways.table(asked), shop=gateways.pool(made))
        found = {user: {client.get(b"/?user=%d" % user).body for _ in range(4)} for user in range(20)}
        assert all(len(each) == 1 for each in found.values())
        assert len(set().union(*found.values())) == 3


def test_a_cookie_leads_back(gateway: Gateway) -> None:
    with backends.running("one", "two", "three") as made:
        for persistent in (False, True):
            asked = Options(affinity=options.Affinity(b"stay", persistent))
            gateway.publish(gateways.table(asked), shop=gateways.pool(made))
            with gateway.client() as client:
                first = client.get()
                cookie = (first.value(b"set-cookie") or b"").split(b";")[0]
                assert cookie.startswith(b"stay=")
                for _ in range(6):
                    got = client.get(fields=b"Cookie: %b\r\n" % cookie)
                    assert got.body == first.body and got.value(b"set-cookie") is None


def test_the_least_busy_of_two_is_asked(gateway: Gateway) -> None:
    release = threading.Event()

    def slow(backend: backends.Backend, wire: backends.Wire) -> None:
        backend.messages.append(wire.message())
        release.wait(backends.LONG)
        wire.reply(b"slow")

    with backends.running(("one", slow), "two") as (one, two), ExitStack() as clients:
        gateway.publish(gateways.table(Options(balance="least")), shop=gateways.pool([one, two]))
        for number in range(60):
            client = clients.enter_context(gateway.client())
            client.send(b"GET / HTTP/1.1\r\nHost: shop.example.com\r\n\r\n")
            running.until(lambda n=number: len(one.messages) + len(two.messages) > n, "it came somewhere")  # type: ignore[misc]
        assert len(one.messages) < len(two.messages) / 2
        release.set()
