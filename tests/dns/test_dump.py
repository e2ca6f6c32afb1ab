import subprocess
from collections.abc import Callable
from pathlib import Path

import dns.name
import dns.zone
import pytest

from fedns.dns import dump
from tests.golden import fleet

GOLDEN = Path(__file__).parents[1] / "golden" / "dns"
CASES = {"article": "example.com", "shapes": "fed.example", "v1": "example.com"}


def dumped(case: str) -> str:
    built = fleet.load(GOLDEN / f"{case}.in.yaml")
    table = built.table()
    lines = dump.zone(table, table.get, CASES[case])
    assert lines is not None
    return "".join(f"{line}\n" for line in lines)


@pytest.mark.parametrize("case", CASES)
def test_named_checkzone_accepts_it(case: str, tmp_path: Path, tool: Callable[[str], str]) -> None:
    path = tmp_path / "dump.zone"
    path.write_text(dumped(case))
    done = subprocess.run(
        [tool("named-checkzone"), "-i", "local", CASES[case], str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "warning" not in done.stdout.lower()


@pytest.mark.parametrize("case", CASES)
def test_another_reader_finds_every_record(case: str) -> None:
    text = dumped(case)
    zone = dns.zone.from_text(text, origin=CASES[case], relativize=False)
    records = sum(len(rdataset) for node in zone.values() for rdataset in node)
    assert records == len(text.splitlines()) - 1


def test_explain_is_no_data_of_the_zone_but_keeps_a_name_that_has_none() -> None:
    told = [line.split("\t") for line in dumped("shapes").splitlines() if "_explain" in line]
    assert {each[4] for each in told} == {'"asked of the primary."'}
    assert "_explain.closed.shop.fed.svc.fed.example." in {each[0] for each in told}


def test_weighted_shards_are_all_written() -> None:
    owner = dns.name.from_text("weighted.shop.fed.svc.fed.example.")
    zone = dns.zone.from_text(dumped("shapes"), origin="fed.example", relativize=False)
    assert len(zone.get_rdataset(owner, "A")) == 2


def test_a_zone_that_is_not_served() -> None:
    table = fleet.load(GOLDEN / "v1.in.yaml").table()
    assert dump.zone(table, table.get, "example.net") is None


def test_the_types_nobody_knows_are_written_as_such() -> None:
    assert (dump.mnemonic(65280), dump.rendered(65280, b"\x01\x02")) == ("TYPE65280", r"\# 2 0102")
