"""Counters: what is counted where, and that a successor goes on."""

import struct
from pathlib import Path

import pytest

from fedns.dns import respond
from fedns.servers import counters, dns_worker
from tests.servers import running


def _reply(query: bytes, rcode: int) -> bytes:
    return query[:2] + bytes((0x84, rcode)) + query[4:]


def _plain(rtype: int) -> bytes:
    return struct.pack(">6H", 1, 0, 1, 0, 0, 0) + running.NAME + struct.pack(">HH", rtype, 1)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (running.query(rtype=1), "A"),
        (running.query(rtype=28), "AAAA"),
        (running.query(rtype=255), "ANY"),
        (running.query(rtype=65), "HTTPS"),
        (running.query(rtype=65280), "other"),
        (_plain(16), "TXT"),
        (_plain(33), "SRV"),
        (running.query(rtype=28)[:-2] + b"\x00\x0c\x00\x0a\x00\x08" + b"cookie!!", "AAAA"),
        (b"\0" * 12, "other"),
        (b"\0" * 11 + b"\1", "other"),
        (b"\0" * 12 + b"\x3f" * 5, "other"),
    ],
)
def test_a_query_is_counted_under_its_type(tmp_path: Path, query: bytes, expected: str) -> None:
    cells = counters.Cells(str(tmp_path / "w"))
    cells.answered([query] * 3, [_reply(query, 3)] * 3, "tcp")
    totals = counters.read(str(tmp_path / "w"))
    assert totals and totals.queries == {("tcp", expected, "NXDOMAIN"): 3}


@pytest.mark.parametrize("more", [b"", b"\x00\x0a\x00\x08cookie!!"])
def test_an_extended_rcode_is_counted_as_what_it_is(tmp_path: Path, more: bytes) -> None:
    opt = struct.pack(">BHHBBHH", 0, 41, 1232, 0, 1, 0, len(more)) + more  # version 1
    query = _plain(28)[:10] + b"\0\1" + _plain(28)[12:] + opt
    replies = [respond.respond(dns_worker.Nothing(), each, 1232) for each in (query, running.query())]
    cells = counters.Cells(str(tmp_path / "w"))
    cells.answered([query, running.query()], replies)
    totals = counters.read(str(tmp_path / "w"))
    assert totals and totals.queries == {("udp", "AAAA", "BADVERS"): 1, ("udp", "A", "SERVFAIL"): 1}


def test_missing_replies_are_drops(tmp_path: Path) -> None:
    cells = counters.Cells(str(tmp_path / "w"))
    query = running.query()
    cells.answered([query, b"junk", query], [_reply(query, 0), None, _reply(query, 5)])
    totals = counters.read(str(tmp_path / "w"))
    assert totals and totals.fields["dropped"] == 1
    assert totals.queries == {("udp", "A", "NOERROR"): 1, ("udp", "A", "REFUSED"): 1}


def test_a_successor_goes_on_and_totals_add_up(tmp_path: Path) -> None:
    query = running.query()
    for turn in range(2):
        for worker in ("worker-0", "worker-1"):
            cells = counters.Cells(str(tmp_path / worker))
            cells.answered([query], [_reply(query, 0)])
            cells.took(60_000, 1)
            cells.set("generation", 5 + turn + int(worker[-1]))
    total = counters.total(counters.read_all(str(tmp_path)).values())
    assert total.queries["udp", "A", "NOERROR"] == 4
    assert total.latency[counters.BOUNDS.index(100)] == 4
    assert total.fields["latency_sum_us"] == 240
    assert total.fields["generation"] == 6


def test_no_workers_and_foreign_files_count_nothing(tmp_path: Path) -> None:
    assert counters.read_all(str(tmp_path / "none")) == {}
    (tmp_path / "other").write_bytes(b"not counters")
    assert counters.read_all(str(tmp_path)) == {}
    assert counters.total([]).queries == {}


def test_where_nothing_can_be_kept_a_worker_answers_uncounted(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    cells = counters.Cells(str(tmp_path / "file" / "dns-0"))
    cells.answered([running.query()], [_reply(running.query(), 0)])
    cells.set("ready", 1)
    assert counters.read_all(str(tmp_path)) == {}


def test_sizes_are_measured_all_where_few_come_and_a_sample_where_many_do(tmp_path: Path) -> None:
    cells = counters.Cells(str(tmp_path / "w"))
    query = running.query()
    cells.answered([query] * 3, [_reply(query, 0), None, query + bytes(500)])
    for _ in range(80):
        cells.answered([query] * 64, [query] * 64, "tcp")
    totals = counters.read(str(tmp_path / "w"))
    assert totals is not None
    asked, told = totals.sizes["udp", "query"], totals.sizes["udp", "reply"]
    assert asked[0] == 3 * len(query) and sum(asked[1:]) == 3
    assert told[0] == 2 * len(query) + 500 and sum(told[1:]) == 2
    assert asked[1 + counters.SIZES.index(64)] == 3 and told[1 + counters.SIZES.index(1232)] == 1
    assert totals.sizes["tcp", "reply"][0] == 80 * 64 * len(query)
    both = counters.total([totals, totals])
    assert both.sizes["udp", "query"] == tuple(2 * cell for cell in asked)


def test_what_was_limited_is_counted_by_class_and_outcome(tmp_path: Path) -> None:
    cells = counters.Cells(str(tmp_path / "w"))
    cells.limited("nxdomain", 2, 0)
    cells.limited("nxdomain", 0, 1)
    totals = counters.read(str(tmp_path / "w"))
    assert totals is not None
    assert totals.limited == {("nxdomain", "slipped"): 1, ("nxdomain", "dropped"): 2}
    assert counters.total([totals, totals]).limited["nxdomain", "dropped"] == 4
