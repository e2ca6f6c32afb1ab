"""docs/annotations.md tells what the registry holds: its table is made from it."""

import os
from pathlib import Path

from fedns.gateway import registry
from fedns.gateway import row as rows

PAGE = Path(__file__).resolve().parents[2] / "docs" / "annotations.md"
HEADING = "## All annotations\n"
SHORT = {
    rows.NGINX: "nginx",
    rows.MSE: "mse",
    rows.HIGRESS: "higress",
    rows.FEDNS: "fedns",
}


def _line(row: rows.Row) -> str:
    families = ", ".join(SHORT[each] for each in row.families)
    guard = "a guard" if row.guards else ""
    notes = "; ".join(each for each in (row.words.replace("|", "\\|"), guard) if each)
    return f"| `{row.key}` | {families} | {row.status} | {notes} |".replace("|  |", "| |")


def _table() -> str:
    head = ["", "| annotation | families | status | notes |", "|---|---|---|---|"]
    return "\n".join([*head, *map(_line, registry.ROWS), ""])


def test_the_page_is_the_registry() -> None:
    text, heading, _ = PAGE.read_text().partition(HEADING)
    assert heading
    wanted = text + HEADING + _table()
    if os.environ.get("FEDNS_GOLDEN") == "rewrite":
        PAGE.write_text(wanted)
    assert PAGE.read_text() == wanted, "run `make golden` and review the difference"
