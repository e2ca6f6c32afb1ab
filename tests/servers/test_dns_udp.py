"""The UDP listener: all that is queued is answered, dropped packets are counted."""

import socket
from collections.abc import Sequence
from pathlib import Path

from fedns.servers import batch, counters, dns_udp
from tests.servers import running


def _answer(packets: Sequence[bytes], limit: int) -> list[bytes | None]:
    assert limit == 1232
    return [None if packet == b"drop" else packet for packet in packets]


def test_ready_answers_more_than_one_batch_and_counts(tmp_path: Path) -> None:
    cells = counters.Cells(str(tmp_path / "w"))
    with socket.socket(type=socket.SOCK_DGRAM) as server, socket.socket(type=socket.SOCK_DGRAM) as client:
        server.bind(("127.0.0.1", 0))
        client.settimeout(running.LONG)
        client.connect(server.getsockname())
        listener = dns_udp.Listener(server, _answer, cells)
        listener.ready()
        wanted = batch.SIZE + 20
        for number in range(wanted):
            client.send(running.query(ident=number))
            if number % 10 == 0:
                client.send(b"drop")
        listener.ready()
        assert [client.recv(999)[1] for _ in range(wanted)] == list(range(wanted))
        client.send(b"drop")
        client.send(running.query(ident=9))
        listener.drain()
        assert client.recv(999)[1] == 9
    totals = counters.read(str(tmp_path / "w"))
    assert totals and totals.queries == {("udp", "A", "NOERROR"): wanted + 1}
    assert totals.fields["dropped"] == 10 and totals.fields["unsent"] == 0
    assert sum(totals.latency) == wanted + 11
