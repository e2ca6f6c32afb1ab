"""The tables of members and watches, as windows of several widths show them."""

import io
from typing import Any

import pytest
from rich.console import Console

from fedns.cli import members


def watch(resource: str, **more: Any) -> dict[str, Any]:
    told = {"objects": 10, "synced": 100.0, "heard": 2.0, "lists": 1, "errors": {}, "off": "", "trouble": ""}
    return {"resource": resource, **told, **more}


def member(number: int, *watches: dict[str, Any], **more: Any) -> dict[str, Any]:
    told = {
        "region": "us-central1",
        "zones": ["us-central1-a", "us-central1-b"],
        "api": "reachable",
        "age": 2.0,
        "nodes_ready": 3,
        "nodes_total": 4,
        "states": {"healthy": 31},
    }
    given = watches or (watch("services"), watch("endpointslices"), watch("nodes"))
    return {"name": f"gce-us-central1-{number:03d}", **told, "watches": list(given), **more}


def shown(found: list[dict[str, Any]], width: int, everything: bool = False) -> list[str]:
    console = Console(file=io.StringIO(), width=width)
    for table in members.tables(found, everything, width):
        console.print(table)
    assert isinstance(console.file, io.StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines() if line.strip()]


@pytest.mark.parametrize("width", [80, 100, 120, 200])
def test_every_member_is_one_line(width: int) -> None:
    lines = shown([member(number) for number in range(3)], width)
    assert lines[0] == "Members" and lines[5] == "Watches" and len(lines) == 2 + 3 + 2 + 9
    assert lines[2].split()[: 4 if width > 100 else 3] == [
        "gce-us-central1-000",
        "us-central1",
        *(["a,b"] if width > 100 else []),
        "reachable",
    ]
    assert ("LISTS" in lines[1]) == (width == 200)


def test_of_many_the_worst_come_first_and_a_window_holds_them() -> None:
    found = [member(number) for number in range(100)]
    found[70] = member(
        70, watch("services", off="403 Forbidden: no"), watch("nodes", trouble="x", errors={"410": 2})
    )
    found[80] = member(80, api="unreachable")
    lines = shown(found, 140)
    assert lines[0] == "Members (30 of 100, the worst first; --all shows all)"
    assert [line.split()[0][-3:] for line in lines[2:5]] == ["070", "080", "000"]
    assert lines[2].endswith("2       off, reconnecting")
    assert len(lines) == 2 + members.ROWS + 2 + 2
    assert lines[-2].endswith("off: 403 Forbidden: no") and "2 410" in lines[-1]
    assert len(shown(found, 140, everything=True)) == 2 + 100 + 2 + 98 * 3 + 3 + 2


def test_shards_that_are_alike_are_said_in_a_word() -> None:
    some = member(0, states={"healthy": 30, "unhealthy": 1, "unknown": 2})
    lines = shown([some, member(1, states={"unknown": 4}), member(2, states={})], 200)
    assert "1/33 unhealthy, 2/33 unknown" in lines[2]
    assert "  4 unknown  " in lines[3]


def test_a_directory_has_no_watches() -> None:
    told = {**member(0), "watches": []}
    assert len(shown([told], 120)) == 3


def test_watches_in_one_line() -> None:
    given = [watch("trafficpolicies"), watch("memberclusters", synced=None), watch("secrets", off="403")]
    assert members.brief(given).plain == (
        "10 trafficpolicies 2s ago, memberclusters not listed yet, secrets off"
    )
