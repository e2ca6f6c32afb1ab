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


def test_explain_is_no_data_of_the_zone() -> None:
    assert "_explain" not in dumped("shapes")


def test_every_name_of_the_federation_has_a_record() -> None:
    """Not every server keeps names that exist for those below them alone."""
    zone = dns.zone.from_text(dumped("shapes"), origin="fed.example", relativize=False)
    above = {name.parent() for name in zone.nodes if name != zone.origin}
    static = {dns.name.from_text("pages.fed.example.")}  # of the static part: as its file has it
    assert above - zone.nodes.keys() == static
    assert zone.get_rdataset("gone.shop.fed.svc.fed.example.", "TYPE65280")


def test_weighted_shards_are_all_written() -> None:
    owner = dns.name.from_text("weighted.shop.fed.svc.fed.example.")
    zone = dns.zone.from_text(dumped("shapes"), origin="fed.example", relativize=False)
    assert len(zone.get_rdataset(owner, "A")) == 2


def test_a_zone_that_is_not_served() -> None:
    table = fleet.load(GOLDEN / "v1.in.yaml").table()
    assert dump.zone(table, table.get, "example.net") is None


def test_the_types_nobody_knows_are_written_as_such() -> None:
    assert (dump.mnemonic(65280), dump.rendered(65280, b"\x01\x02")) == ("TYPE65280", r"\# 2 0102")
