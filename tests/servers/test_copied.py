"""Who copied what last, from one worker's file to the reader of all."""

from pathlib import Path

from fedns.servers import copied

APEX = b"\x07example\0"


def test_the_last_word_of_all_workers_counts(tmp_path: Path) -> None:
    logs = [copied.Log(str(tmp_path / f"dns-{index}")) for index in range(2)]
    logs[0].note(copied.Copied("192.0.2.1", APEX, 5, "axfr", 1.0))
    logs[0].note(copied.Copied("192.0.2.2", APEX, 5, "axfr", 1.0))
    logs[1].note(copied.Copied("192.0.2.1", APEX, 7, "ixfr", 2.0))
    for each in logs:
        each.save()
        each.save()
    (tmp_path / "dns-9.copies").write_text("{")
    found = [(each.address, each.serial) for each in copied.read_all(str(tmp_path))]
    assert found == [("192.0.2.1", 7), ("192.0.2.2", 5)]


def test_it_is_bounded(tmp_path: Path) -> None:
    log = copied.Log(str(tmp_path / "dns-0"))
    for at in range(copied.KEPT + 10):
        log.note(copied.Copied(f"host{at}", APEX, at, "axfr", float(at)))
    log.save()
    assert len(copied.read_all(str(tmp_path))) == copied.KEPT


def test_without_files_there_is_nothing(tmp_path: Path) -> None:
    assert copied.read_all(str(tmp_path / "none")) == []
