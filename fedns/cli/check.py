"""`fedns check`: everything that is wrong with the input, before a server meets it."""

import typer

from fedns import config
from fedns.cli import codes, output


def check(
    file: output.ConfigOption = config.DEFAULT_FILE, format: output.FormatOption = output.Format.text
) -> None:
    """Read the configuration and every file it names; print all problems; exit 1 if there are any."""
    from fedns.cli import examine  # the whole compiler: no other command should wait for it to load

    problems = tuple(examine.problems(file))
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
