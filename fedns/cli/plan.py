"""`fedns plan`: what would change in every member, and why, before anything does.

Law: nothing is written. Exit 1 where something is wrong with what was planned from (warnings apart, unless
`--strict`), or where a member would lose more than half of what it has from us and nobody said that this is
meant.
"""

from typing import Annotated, NamedTuple

import typer

from fedns import config
from fedns.cli import codes, output, wish


class Question(NamedTuple):
    """What `fedns plan` is told."""

    names: Annotated[
        list[str] | None,
        typer.Argument(help="Only these objects, as [KIND/][NAMESPACE/]NAME; * and ? stand for others."),
    ] = None
    file: output.ConfigOption = config.DEFAULT_FILE
    member: Annotated[
        list[str] | None, typer.Option("--member", "-m", help="Only in this member; repeatable.")
    ] = None
    kind: Annotated[
        list[str] | None, typer.Option("--kind", "-k", help="Only objects of this kind; repeatable.")
    ] = None
    server: Annotated[
        bool,
        typer.Option("--server", help="Ask the members' API servers what they would make of it (dry run)."),
    ] = False
    why: Annotated[
        bool, typer.Option("--why", help="Also where nothing changes, and what does not go where.")
    ] = False
    diff: Annotated[
        bool, typer.Option("--diff", help="Every difference, however many objects there are.")
    ] = False
    sure: Annotated[
        bool, typer.Option("--yes-really", help="A member may lose more than half of its copies.")
    ] = False
    strict: output.StrictOption = False
    color: Annotated[
        output.Colour, typer.Option("--color", help="On a terminal, unless NO_COLOR is set; or so.")
    ] = output.Colour.auto
    format: output.FormatOption = output.Format.text


def _show(told: Question) -> None:
    """Show what distribution would create, update, delete and let go in every member, and why."""
    output.paint(told.color)
    loaded = config.load(told.file)
    if loaded.config is None:
        for problem in loaded.problems:
            output.complain(str(problem))
        raise typer.Exit(codes.PROBLEMS)
    from fedns.cli import blueprint, scope  # all that plans: no other command should wait for it to load

    where = scope.Scope(*(tuple(each or ()) for each in (told.names, told.member, told.kind)))
    asked = blueprint.Asked(where, told.why, told.diff)
    manner = blueprint.Manner(told.server, told.sure, told.strict, told.format is output.Format.json)
    raise typer.Exit(blueprint.show(loaded.config, asked, manner))


show = wish.command(Question, _show)
