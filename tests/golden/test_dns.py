"""Golden pairs of the DNS compile step: a fleet in YAML -> its zone as a master file."""

import os
from pathlib import Path

import pytest
import yaml

from fedns.dns import clusterset, dump
from tests.golden import fleet

CASES = sorted((Path(__file__).parent / "dns").glob("*.in.yaml"))


def made(source: Path) -> tuple[dict[bytes, bytes], str]:
    """The table of a fleet, and the zone in it that is meant."""
    world = yaml.safe_load(source.read_text())
    built, told = fleet.build(world), world.get("clusterset")
    if told is None:
        return built.table(), built.layout.settings.domain
    return built.table(clusterset.Kind(clusterset.Settings(**told))), told["domain"]


@pytest.mark.parametrize("source", CASES, ids=lambda path: path.name.removesuffix(".in.yaml"))
def test_the_zone_of_a_fleet(source: Path) -> None:
    table, domain = made(source)
    lines = dump.zone(table, table.get, domain)
    text = "".join(f"{line}\n" for line in lines or ())
    golden = source.with_name(source.name.replace(".in.yaml", ".out.zone"))
    if os.environ.get("FEDNS_GOLDEN") == "rewrite":
        golden.write_text(text)
    assert text == golden.read_text(), "run `make golden` and review the difference"
