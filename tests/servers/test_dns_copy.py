"""Zones over TCP connections of a real worker: pulled by dnspython while questions are answered."""

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import dns.message
import dns.query
import dns.zone
import pytest

from fedns import tables
from fedns.dns import permit
from fedns.servers import copied, counters, dns_copy
from tests.conformance import worlds
from tests.fakes import copying
from tests.servers import running, test_dns_worker

ORIGIN = "example.com."
HOSTS = 4000
"""Enough to fill the buffers of a connection."""
TEXT = "$TTL 300\n@ SOA . . 1 3600 900 86400 60\n@ NS ns\nns A 192.0.2.53\n"


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[test_dns_worker.Worker]:
    texts = f'"{"x" * 250}" ' * 6
    rows = "".join(f"host{at} TXT {texts}\n" for at in range(HOSTS))
    rules = permit.encode((), [permit.network("127.0.0.0/8")])
    writer = tables.Writer(str(tmp_path / "tables"))
    writer.publish({"dns": {**worlds.view({ORIGIN: TEXT + rows}), permit.RULES: rules}}, time.time())
    writer.close()
    with test_dns_worker._worker(tmp_path) as made:
        yield made


def _pull(worker: test_dns_worker.Worker) -> dns.zone.Zone:
    zone = dns.zone.Zone(ORIGIN)
    dns.query.inbound_xfr(worker.address[0], zone, port=worker.address[1], lifetime=running.LONG)
    return zone


def test_a_zone_is_copied_and_counted(worker: test_dns_worker.Worker) -> None:
    assert len(_pull(worker).nodes) == HOSTS + 2
    running.until(lambda: worker.totals().fields["axfr"] == 1, "counted")
    running.until(lambda: copied.read_all(str(worker.counters)), "told")
    assert [each[:4] for each in copied.read_all(str(worker.counters))] == [
        ("127.0.0.1", b"\x07example\x03com\0", 1, "axfr")
    ]


def test_questions_behind_a_request_for_a_zone_wait_and_are_answered(worker: test_dns_worker.Worker) -> None:
    packets = [dns.message.make_query(*each).to_wire() for each in ((ORIGIN, "AXFR"), ("ns." + ORIGIN, "A"))]
    with socket.create_connection(worker.address, running.LONG) as sock:
        sock.sendall(b"".join(len(each).to_bytes(2, "big") + each for each in packets))
        sock.shutdown(socket.SHUT_WR)
        with sock.makefile("rb") as stream:
            replies = list(iter(lambda: stream.read(int.from_bytes(stream.read(2), "big")), b""))
    assert [each[:2] for each in replies] == [packets[0][:2]] * (len(replies) - 1) + [packets[1][:2]]


def test_who_does_not_read_keeps_nobody_waiting(worker: test_dns_worker.Worker) -> None:
    """As many as may be are served at a time; the next is told to come again by a closed connection."""
    packet = dns.message.make_query(ORIGIN, "AXFR").to_wire()
    framed = len(packet).to_bytes(2, "big") + packet
    stalled = []
    for _ in range(dns_copy.TOGETHER):
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.connect(worker.address)
        sock.sendall(framed)
        stalled.append(sock)
    running.until(lambda: worker.totals().fields["axfr"] == dns_copy.TOGETHER, "all begun")
    for _ in range(50):
        asked = dns.message.make_query("ns." + ORIGIN, "A")
        assert dns.query.udp(asked, worker.address[0], 1.0, worker.address[1]).answer
    with socket.create_connection(worker.address, running.LONG) as sock:
        sock.sendall(framed)
        assert sock.recv(1) == b""
    for sock in stalled:
        sock.close()
    assert len(_pull(worker).nodes) == HOSTS + 2


def test_without_tables_nothing_is_copied(tmp_path: Path) -> None:
    class Nowhere:
        def snapshot(self) -> None:
            return None

    path = str(tmp_path / "cells")
    copies = dns_copy.Copies(Nowhere(), counters.Cells(path), copied.Log(path))
    packet = dns.message.make_query(ORIGIN, "AXFR").to_wire()
    assert copies.begin(packet, copying.asker()) is None
