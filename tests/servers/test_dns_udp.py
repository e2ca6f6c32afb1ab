"""The UDP listener: all that is queued is answered, dropped packets are counted."""

import contextlib
import socket
import struct
from collections.abc import Iterable, Sequence
from pathlib import Path

from fedns.dns import client, cookie, rate
from fedns.servers import batch, counters, dns_udp
from tests.servers import running

HOST = client.Host(client.Server())
FREE = rate.Limiter(rate.Limits(), 1)


def _answer(packets: Sequence[bytes], limit: int, clients: Iterable[client.Client]) -> list[bytes | None]:
    assert limit == 1232
    assert {each.address() for each, _ in zip(clients, packets, strict=False)} == {b"\x7f\0\0\1"}
    return [None if packet == b"drop" else packet for packet in packets]


def test_ready_answers_more_than_one_batch_and_counts(tmp_path: Path) -> None:
    cells = counters.Cells(str(tmp_path / "w"))
    with running.sockets() as (server, asker):
        listener = dns_udp.Listener(dns_udp.Plain(server, _answer, cells, HOST, FREE))
        listener.ready()
        wanted = batch.SIZE + 20
        for number in range(wanted):
            asker.send(running.query(ident=number))
            if number % 10 == 0:
                asker.send(b"drop")
        listener.ready()
        assert [asker.recv(999)[1] for _ in range(wanted)] == list(range(wanted))
        asker.send(b"drop")
        asker.send(running.query(ident=9))
        listener.drain()
        assert asker.recv(999)[1] == 9
    totals = counters.read(str(tmp_path / "w"))
    assert totals and totals.queries == {("udp", "A", "NOERROR"): wanted + 1}
    assert totals.fields["dropped"] == 10 and totals.fields["unsent"] == 0
    assert sum(totals.latency) == wanted + 11


def test_a_crowd_is_answered_whole_however_it_comes(tmp_path: Path) -> None:
    cells = counters.Cells(str(tmp_path / "w"))
    with running.sockets() as (server, asker):
        listener = dns_udp.Listener(dns_udp.Plain(server, _answer, cells, HOST, FREE))
        for size in (dns_udp.CROWD, 1, batch.SIZE + 1, 1, dns_udp.CROWD, dns_udp.CROWD):
            for number in range(size):
                asker.send(running.query(ident=number & 255))
            listener.ready()
            assert [asker.recv(999)[1] for _ in range(size)] == [number & 255 for number in range(size)]


def _nxdomain(packets: Sequence[bytes], _limit: int, _clients: Iterable[client.Client]) -> list[bytes | None]:
    return [packet[:2] + b"\x84\3" + packet[4:] for packet in packets]


def _queued(sock: socket.socket) -> list[bytes]:
    """What lies in the buffer; over loopback, all that was sent."""
    found = []
    with contextlib.suppress(BlockingIOError):
        while True:
            found.append(sock.recv(999))
    return found


def test_a_flood_is_limited_and_slipped_but_not_for_who_has_a_good_cookie(tmp_path: Path) -> None:
    cells, secret, total = counters.Cells(str(tmp_path / "w")), bytes(16), 512
    host = client.Host(client.Server(cookies=secret.hex()), 1000)
    good = cookie.make(cookie.begin(secret), b"8 octets", b"\x7f\0\0\1", 1000)
    proven = running.query()[:-2] + struct.pack(">HHH", 28, cookie.OPTION, 24) + good
    with running.sockets() as (server, asker):
        asker.setblocking(False)
        limits, replies = rate.Limits(nxdomain=1, slip=2, exempt=()), list[bytes]()
        listener = dns_udp.Listener(dns_udp.Plain(server, _nxdomain, cells, host, rate.Limiter(limits, 1)))
        for number in range(total):
            asker.send(running.query(ident=number))
            asker.send(proven)
            if number % 32 == 31:
                listener.ready()
                replies += _queued(asker)
    whole = [reply for reply in replies if reply[3] & 15 == 3]
    cut = [reply for reply in replies if reply[2] & 2]
    assert sum(len(reply) == len(proven) for reply in whole) == total
    few = len(whole) - total  # until the flood was seen, and one a second
    assert few < 150
    assert abs(len(cut) - (total - few) / 2) <= 1
    totals = counters.read(str(tmp_path / "w"))
    assert totals is not None and totals.limited["nxdomain", "slipped"] == len(cut)
    assert totals.limited["nxdomain", "dropped"] == totals.fields["dropped"] == total - few - len(cut)
    assert totals.fields["unsent"] == 0


def test_far_beyond_nothing_is_even_looked_up(tmp_path: Path) -> None:
    asked: list[bytes] = []

    def answer(packets: Sequence[bytes], limit: int, clients: Iterable[client.Client]) -> list[bytes | None]:
        asked.extend(packets)
        return _nxdomain(packets, limit, clients)

    cells = counters.Cells(str(tmp_path / "w"))
    with running.sockets() as (server, asker):
        limiter = rate.Limiter(rate.Limits(queries=10, slip=0, exempt=()), 1)
        listener = dns_udp.Listener(dns_udp.Plain(server, answer, cells, HOST, limiter))
        for number in range(1024):
            asker.send(running.query(ident=number))
            if number % 64 == 63:
                listener.ready()
    assert len(asked) < 400
    totals = counters.read(str(tmp_path / "w"))
    assert totals and totals.limited == {("queries", "dropped"): 1024 - len(asked)}
