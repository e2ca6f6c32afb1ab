"""Golden pairs of the DNS compile step: a fleet in YAML -> its zone as a master file."""

import os
from pathlib import Path

import pytest

from fedns.dns import dump
from tests.golden import fleet

CASES = sorted((Path(__file__).parent / "dns").glob("*.in.yaml"))


@pytest.mark.parametrize("source", CASES, ids=lambda path: path.name.removesuffix(".in.yaml"))
def test_the_zone_of_a_fleet(source: Path) -> None:
    built = fleet.load(source)
    table = built.table()
    lines = dump.zone(table, table.get, built.layout.settings.domain)
    text = "".join(f"{line}\n" for line in lines or ())
    golden = source.with_name(source.name.replace(".in.yaml", ".out.zone"))
    if os.environ.get("FEDNS_GOLDEN") == "rewrite":
        golden.write_text(text)
    assert text == golden.read_text(), "run `make golden` and review the difference"
