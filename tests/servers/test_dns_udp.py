"""The UDP listener: all that is queued is answered, dropped packets are counted."""

import socket
from collections.abc import Iterable, Sequence
from pathlib import Path

from fedns.dns import client
from fedns.servers import batch, counters, dns_udp
from tests.servers import running

HOST = client.Host(client.Server())


def _answer(packets: Sequence[bytes], limit: int, clients: Iterable[client.Client]) -> list[bytes | None]:
    assert limit == 1232
    assert {each.address() for each, _ in zip(clients, packets, strict=False)} == {b"\x7f\0\0\1"}
    return [None if packet == b"drop" else packet for packet in packets]


def test_ready_answers_more_than_one_batch_and_counts(tmp_path: Path) -> None:
    cells = counters.Cells(str(tmp_path / "w"))
    with socket.socket(type=socket.SOCK_DGRAM) as server, socket.socket(type=socket.SOCK_DGRAM) as asker:
        server.bind(("127.0.0.1", 0))
        asker.settimeout(running.LONG)
        asker.connect(server.getsockname())
        listener = dns_udp.Listener(server, _answer, cells, HOST)
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
