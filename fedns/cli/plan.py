"""`fedns plan`: what would change in every member, and why, before anything does.

Law: nothing is written. Exit 1 where something is wrong with what was planned from, or where a member would
lose more than half of what it has from us and nobody said that this is meant.
"""

from typing import Annotated

import typer

from fedns import config
from fedns.cli import codes, output


def show(
    file: output.ConfigOption = config.DEFAULT_FILE,
    server: Annotated[
        bool,
        typer.Option("--server", help="Ask the members' API servers what they would make of it (dry run)."),
    ] = False,
    why: Annotated[
        bool, typer.Option("--why", help="Also where nothing changes, and what does not go where.")
    ] = False,
    sure: Annotated[
        bool, typer.Option("--yes-really", help="A member may lose more than half of its copies.")
    ] = False,
    format: output.FormatOption = output.Format.text,
) -> None:
    """Show what distribution would create, update, delete and let go in every member, and why."""
    loaded = config.load(file)
    if loaded.config is None:
        for problem in loaded.problems:
            output.complain(str(problem))
        raise typer.Exit(codes.PROBLEMS)
    from fedns.cli import blueprint  # all that plans: no other command should wait for it to load

    blueprint.show(loaded.config, server, why, sure, format)
