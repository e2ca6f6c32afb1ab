"""Rows of numbers in shared memory, and what a gateway worker keeps in them."""

from pathlib import Path

import pytest

from fedns.servers import ledger, tally


def test_rows_are_read_by_others_and_go_on_with_a_successor(tmp_path: Path) -> None:
    path = str(tmp_path / "one.x")
    first = ledger.Ledger(path, 10)
    first.cells[first.row(b"a") + 2] += 5
    second = ledger.Ledger(path, 10)
    assert second.row(b"a") == first.row(b"a")
    second.cells[second.row(b"b")] += 1
    assert ledger.read(path) == {b"a": (0, 0, 5, 0, 0, 0, 0, 0), b"b": (1, 0, 0, 0, 0, 0, 0, 0)}


def test_beyond_the_capacity_all_share_one_row(tmp_path: Path) -> None:
    path = str(tmp_path / "one.x")
    made = ledger.Ledger(path, 4)
    for number in range(10):
        made.cells[made.row(b"%d" % number)] += 1
    found = ledger.read(path)
    assert len(found) == 4 and found[ledger.OTHER][0] == 7
    assert sum(row[0] for row in found.values()) == 10


def test_a_name_is_cut_where_it_has_no_room(tmp_path: Path) -> None:
    made = ledger.Ledger(str(tmp_path / "one.x"), 4)
    made.cells[made.row(b"x" * 1000)] += 1
    assert list(ledger.read(str(tmp_path / "one.x"))) == [b"x" * 190]


def test_without_a_file_it_counts_for_itself(tmp_path: Path) -> None:
    made = ledger.Ledger(str(tmp_path / "absent" / "one.x"), 4)
    made.cells[made.row(b"a")] += 1
    assert ledger.read(str(tmp_path / "absent" / "one.x")) == {}
    assert ledger.read_all(str(tmp_path / "absent"), ".x") == {}


@pytest.mark.parametrize("raw", [b"", b"short", b"\0" * 10_000])
def test_a_file_that_is_none_has_no_rows(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "one.x").write_bytes(raw)
    assert ledger.read_all(str(tmp_path), ".x") == {}


def test_what_workers_did_is_summed(tmp_path: Path) -> None:
    for name in ("gateway-0", "gateway-1"):
        worker = tally.Tally(str(tmp_path / name))
        worker.served(b"ns/shop a/", "c1", 200, 0.5)
        worker.served(b"ns/shop a/", "", 404, 0.25)
        worker.served(b"ns/slow a/", "c1", 200, 0.005)
        worker.served(b"ns/slow a/", "c1", 200, 9.0)
        worker.count("retries")
    requests, others = tally.traffic(str(tmp_path))
    assert requests[tally.Traffic(b"ns/shop a/", "c1", 200)] == (2, 1.0, (0, 0, 0, 2, 0, 0))
    assert requests[tally.Traffic(b"ns/shop a/", "", 404)] == (2, 0.5, (0, 0, 0, 2, 0, 0))
    assert requests[tally.Traffic(b"ns/slow a/", "c1", 200)] == (4, 18.01, (2, 0, 0, 0, 0, 2))
    assert others == {"retries": 2}


def test_what_backends_did_is_summed_with_the_latest_failure(tmp_path: Path) -> None:
    one, other = (tally.Tally(str(tmp_path / name)) for name in ("gateway-0", "gateway-1"))
    for each in (one, other):
        each.saw("c1", b"ns/shop/80", tally.TRIES)
    one.saw("c1", b"ns/shop/80", tally.REFUSED)
    (row,) = tally.seen(str(tmp_path)).values()
    assert row[: tally.LAST] == (2, 1, 0, 0, 0) and row[tally.LAST] > 1.7e12
    assert tally.seen(str(tmp_path / "absent")) == {}
