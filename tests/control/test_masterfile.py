"""A zone written out by a process of its own, from a real store."""

import asyncio
from pathlib import Path

import pytest

from fedns import tables
from fedns.control import masterfile
from fedns.dns import dump
from fedns.errors import StateError
from tests.golden import fleet

SHAPES = Path(__file__).parents[1] / "golden" / "dns" / "shapes.in.yaml"


async def collected(path: Path, origin: str) -> str | None:
    pieces = await masterfile.read(str(path), origin)
    return None if pieces is None else b"".join([piece async for piece in pieces]).decode()


def test_it_is_the_zone_as_the_table_has_it(tmp_path: Path) -> None:
    table = fleet.load(SHAPES).table()
    writer = tables.Writer(str(tmp_path))
    writer.publish({"dns": table}, 1.0)
    lines = dump.zone(table, table.get, "fed.example")
    assert lines is not None
    assert asyncio.run(collected(tmp_path, "fed.example")) == "".join(f"{line}\n" for line in lines)
    assert asyncio.run(collected(tmp_path, "example.net")) is None
    writer.close()


def test_tables_that_are_not_there_are_said(tmp_path: Path) -> None:
    with pytest.raises(StateError, match="cannot read the tables"):
        asyncio.run(collected(tmp_path / "none", "fed.example"))
