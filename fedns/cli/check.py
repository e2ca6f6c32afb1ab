"""`fedns check`: everything that is wrong with the input, before a server meets it."""

from collections.abc import Sequence
from typing import Annotated, Any

import typer
from rich.markup import escape

from fedns import config, errors
from fedns.cli import codes, output

STYLES = {"unknown": "red", "ignored": "yellow", "different": "cyan", "supported": "green"}
SHOWN = 3
"""Ingresses that are named beside one annotation."""


def check(
    file: output.ConfigOption = config.DEFAULT_FILE,
    ingresses: Annotated[
        str, typer.Option(help="Only Ingresses, of this file or directory; needs no configuration.")
    ] = "",
    strict: output.StrictOption = False,
    format: output.FormatOption = output.Format.text,
) -> None:
    """Read the configuration and every file it names; print all problems; exit 1 if there are any, warnings
    apart."""
    from fedns.cli import examine  # the whole compiler: no other command should wait for it to load

    found = examine.ingresses(ingresses) if ingresses else examine.found(file)
    problems = tuple(found.problems)
    if format is output.Format.json:
        output.emit({"problems": problems, "annotations": found.annotations})
    else:
        for problem in problems:
            said = "warning: " if problem.severity == "warning" else ""
            output.out.print(f"{said}{problem}", markup=False)
        _annotations(found.annotations)
    odd = sum(problem.severity == "warning" for problem in problems)
    more = f", {_count(odd, 'warning')}" if odd else ""
    if errors.faulty(problems, strict):
        output.complain(f"{_count(len(problems) - odd, 'problem')}{more}")
        raise typer.Exit(codes.PROBLEMS)
    if format is output.Format.text:
        output.out.print(f"{ingresses or file}: no problems{more}")


def _count(number: int, what: str) -> str:
    return f"{number or 'no'} {what}{'' if number == 1 else 's'}"


def _annotations(lines: Sequence[Any]) -> None:
    """What becomes of each, those that do nothing first."""
    if not lines:
        return
    if output.out.is_terminal:
        output.out.print()
    made = output.table("Annotations of Ingresses", "STATUS", "ANNOTATION", "INGRESSES", "WHY")
    for each in lines:
        named = ", ".join(each.ingresses[:SHOWN])
        more = f" and {len(each.ingresses) - SHOWN} more" if len(each.ingresses) > SHOWN else ""
        status = f"[{STYLES[each.status]}]{each.status}[/]"
        made.add_row(status, escape(each.annotation), escape(named + more), escape(each.words))
    output.out.print(made)
