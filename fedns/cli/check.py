"""`fedns check`: everything that is wrong with the input, before a server meets it."""

from typing import Annotated

import typer

from fedns import config
from fedns.cli import codes, output
from fedns.errors import Problem

ConfigOption = Annotated[str, typer.Option("--config", "-c", help="The configuration file.")]


def check(file: ConfigOption = config.DEFAULT_FILE, format: output.FormatOption = output.Format.text) -> None:
    """Read the configuration and every file it names; print all problems; exit 1 if there are any."""
    problems = tuple(examine(file))
    if format is output.Format.json:
        output.emit({"problems": problems})
    for problem in problems:
        if format is output.Format.text:
            output.out.print(str(problem), markup=False)
    if problems:
        output.complain(f"{len(problems)} problem{'s' if len(problems) > 1 else ''}")
        raise typer.Exit(codes.PROBLEMS)
    if format is output.Format.text:
        output.out.print(f"{file}: no problems")


def examine(file: str) -> list[Problem]:
    """All problems of the configuration, and of the sources where it can be read."""
    return list(config.load(file).problems)
