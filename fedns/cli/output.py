"""What every command shares about its output: `-o json` for programs, colour for people.

Law: with `-o json` standard output holds one JSON value and nothing else; complaints go to standard error.
"""

import math
import os
import sys
from enum import StrEnum
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.table import Table

STATE_STYLES = {
    "healthy": "green",
    "degraded": "yellow",
    "draining": "cyan",
    "unhealthy": "bold red",
    "unknown": "dim",
    "reachable": "green",
    "unreachable": "bold red",
}


class Format(StrEnum):
    text = "text"
    json = "json"


class Colour(StrEnum):
    auto = "auto"
    always = "always"
    never = "never"


ConfigOption = Annotated[str, typer.Option("--config", "-c", help="The configuration file.")]
StrictOption = Annotated[bool, typer.Option("--strict", help="Warnings are reasons to fail, too.")]
FormatOption = Annotated[Format, typer.Option("-o", "--output", help="text for people, json for programs.")]

PIPED_WIDTH = 200
"""Columns of tables that go into a file or a pipe, where nothing needs to fit a window."""


WRAPPED = (
    "POLICY",
    "ELSE",
    "ZONES",
    "ADDRESSES",
    "STATE",
    "WATCHES",
    "WHY",
    "REASON",
    "WHAT",
    "HINT",
    "WHERE",
    "KEYS",
)
"""Columns that give way in a narrow window; names do not."""


def _width() -> int | None:
    return None if sys.stdout.isatty() or "COLUMNS" in os.environ else PIPED_WIDTH


def _console(colour: Colour = Colour.auto) -> Console:
    forced: dict[str, Any] = {"force_terminal": True, "color_system": "standard", "no_color": False}
    told: dict[str, Any] = {"auto": {}, "always": forced, "never": {"no_color": True}}[colour]
    return Console(highlight=False, soft_wrap=True, width=_width(), **told)


out = _console()
err = Console(stderr=True, highlight=False, soft_wrap=True)


def paint(colour: Colour) -> None:
    """Colour as somebody says, and not as the terminal and NO_COLOR do."""
    global out
    out = _console(colour)


def table(title: str, *columns: str) -> Table:
    """A table without lines, as all commands show them."""
    made = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="dim")
    for column in columns:
        made.add_column(column, overflow="fold", no_wrap=column not in WRAPPED)
    return made


def emit(value: Any) -> None:
    """One JSON value on standard output."""
    typer.echo(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def complain(text: str) -> None:
    err.print(text, style="red", markup=False)


def span(seconds: float | None) -> str:
    """A duration as people say it: `850ms`, `12s`, `4m10s`, `3h5m`, `2d4h`; None: a dash."""
    if seconds is None:
        return "-"
    if 0 < seconds < 1:
        return f"{math.floor(seconds * 1000)}ms"
    whole = math.floor(max(0.0, seconds))
    for size, unit, small, small_unit in ((86400, "d", 3600, "h"), (3600, "h", 60, "m"), (60, "m", 1, "s")):
        if whole >= size:
            rest = whole % size // small
            return f"{whole // size}{unit}" + (f"{rest}{small_unit}" if rest else "")
    return f"{whole}s"


def styled(state: str) -> str:
    """A state in its colour, as rich markup."""
    style = STATE_STYLES.get(state, "")
    return f"[{style}]{state}[/]" if style else state
