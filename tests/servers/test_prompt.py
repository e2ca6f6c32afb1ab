"""The listener with the compiled core: what it takes and what it leaves go out in one batch, in order."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import lmdb
import pytest

from fedns.dns import client, rate, respond
from fedns.servers import batch, counters, dns_udp, prompt
from tests.servers import forms, running

HOST = client.Host(client.Server())


class _View:
    def __init__(self, table: Mapping[bytes, bytes | None]) -> None:
        self.get = table.get

    def stamp(self) -> int:
        return 1

    def close(self) -> None:
        return None


class _Source:
    opened = 0

    def __init__(self, table: Mapping[bytes, bytes | None]) -> None:
        self._table = table

    def view(self) -> _View:
        return _View(self._table)

    def marks(self) -> memoryview | None:
        return None


def _kit(form: prompt.Form, table: Mapping[bytes, bytes | None]) -> prompt.Kit:
    return prompt.Kit(form, form.core.Rows(1, prompt.Reading(_Source(table))), 1)


def _plain(packets: Sequence[bytes], limit: int, clients: Iterable[client.Client]) -> list[bytes | None]:
    assert limit == 1232
    assert [each.address() for each in clients] == [b"\x7f\0\0\1"] * len(packets)
    return [None if packet == b"drop" else b"left " + packet for packet in packets]


@forms.EACH
@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_batches_mix_what_the_core_takes_and_leaves(form: prompt.Form, host: str, tmp_path: Path) -> None:
    cells = counters.Cells(str(tmp_path / "w"))
    table = running.entries(running.OLD)

    with running.sockets(host) as (server, asker):
        plain = dns_udp.Plain(server, _plain, cells, HOST, rate.Limiter(rate.Limits(), 5))
        listener = prompt.Listener(plain, _kit(form, table))
        listener.ready()
        wanted = batch.SIZE + 20
        for number in range(wanted):
            asker.send(running.query(ident=number))
            if number % 10 == 0:
                asker.send(b"drop")
            if number % 7 == 0:
                asker.send(b"odd")
        listener.ready()
        for number in range(wanted):
            assert asker.recv(999)[:2] == number.to_bytes(2, "big")
            if number % 7 == 0:
                assert asker.recv(999) == b"left odd"
        for number in (9, 10):
            asker.send(running.query(ident=number))
            listener.drain()
            assert asker.recv(999)[-15:-11] == running.OLD
    totals = counters.read(str(tmp_path / "w"))
    assert totals and totals.queries[("udp", "A", "NOERROR")] == wanted + 2
    assert totals.fields["dropped"] == 9 and totals.fields["unsent"] == 0


@forms.EACH
def test_who_asks_too_much_is_limited_though_the_core_could_answer(form: prompt.Form, tmp_path: Path) -> None:
    cells = counters.Cells(str(tmp_path / "w"))
    table = running.entries(running.OLD)
    limits = rate.Limits(answers=4, queries=20, slip=2, exempt=())
    with running.sockets() as (server, asker):

        def answer(
            packets: Sequence[bytes], limit: int, clients: Iterable[client.Client]
        ) -> list[bytes | None]:
            return [respond.respond(table, packet, limit) for packet in packets]  # type: ignore[arg-type]

        plain = dns_udp.Plain(server, answer, cells, HOST, rate.Limiter(limits, 5))
        listener = prompt.Listener(plain, _kit(form, table))
        for number in range(40):
            asker.send(running.query(ident=number))
            listener.drain()
        asker.setblocking(False)
        heard: list[bytes] = []
        with pytest.raises(BlockingIOError):
            while True:
                heard.append(asker.recv(999))
    cut = [reply for reply in heard if reply[2] & 2]
    whole = [reply for reply in heard if reply[-15:-11] == running.OLD]
    assert 4 <= len(whole) <= 10 and len(cut) >= 10 and len(whole) + len(cut) == len(heard)
    totals = counters.read(str(tmp_path / "w"))
    assert totals and sum(totals.limited.values()) + len(whole) == 40


@forms.EACH
def test_damage_ends_the_worker_and_any_other_failure_is_left(form: prompt.Form, tmp_path: Path) -> None:
    cells = counters.Cells(str(tmp_path / "w"))
    troubles: list[Exception] = [RuntimeError("a bug"), lmdb.CorruptedError("rot")]

    class Broken(dict[bytes, bytes | None]):
        def get(self, key: bytes, default: object = None) -> Any:
            raise troubles[0]

    with running.sockets() as (server, asker):
        plain = dns_udp.Plain(server, _plain, cells, HOST, rate.Limiter(rate.Limits(), 5))
        listener = prompt.Listener(plain, _kit(form, Broken()))
        asker.send(running.query())
        listener.ready()
        assert asker.recv(999) == b"left " + running.query()
        del troubles[0]
        asker.send(running.query())
        with pytest.raises(lmdb.CorruptedError):
            listener.ready()


def test_the_core_can_be_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(prompt.SWITCH, "off")
    assert prompt.form() is None
    monkeypatch.delenv(prompt.SWITCH)
    assert prompt.form() is (prompt.compiled if batch.works() else None)
