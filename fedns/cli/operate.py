"""`fedns drain | undrain | force`: the operator's word, which wins over all evidence until it expires."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any

import typer

from fedns import schema
from fedns.cli import client, codes, farewell, output

TargetArgument = Annotated[
    str, typer.Argument(help="MEMBER, MEMBER/NAMESPACE/NAME, region:REGION or zone:ZONE.")
]
ForOption = Annotated[str, typer.Option("--for", help="How long: 30m, 2h, 1d; default: until taken back.")]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why; shown by explain and status.")]
WaitOption = Annotated[
    bool, typer.Option("--wait", help="Until nobody is sent there any more, and no cache has its addresses.")
]


class Word(StrEnum):
    up = "up"
    down = "down"


@client.command
def drain(
    ask: client.Ask,
    target: TargetArgument,
    period: ForOption = "",
    reason: ReasonOption = "",
    wait: WaitOption = False,
) -> None:
    """Take a member, shard, region or zone out of the answers while another can serve."""
    order = {"target": target, "word": "drain", "seconds": _seconds(period), "reason": reason}
    if not wait:
        return _give(ask, order)
    given = ask.api.post("/api/v1/orders", order)
    if not ask.json:
        _tell(given)
    farewell.wait(ask, given["target"])


@client.command
def force(
    ask: client.Ask,
    target: TargetArgument,
    word: Annotated[Word, typer.Argument(help="What it shall count as.")],
    period: ForOption = "",
    reason: ReasonOption = "",
) -> None:
    """Declare a target up or down, whatever probes and readiness say."""
    _give(ask, {"target": target, "word": word.value, "seconds": _seconds(period), "reason": reason})


@client.command
def undrain(
    ask: client.Ask,
    target: TargetArgument,
) -> None:
    """Take back the order for a target (drain or force); evidence decides again."""
    ask.api.delete("/api/v1/orders", {"target": target})
    if ask.json:
        output.emit({"target": target, "word": None})
    else:
        output.out.print(f"{target}: evidence decides again", markup=False)


def _seconds(period: str) -> float | None:
    if not period:
        return None
    try:
        return schema.seconds(period)
    except schema.Bad as error:
        output.complain(f"--for: {error.what} ({error.hint})")
        raise typer.Exit(codes.USAGE) from None


def _give(ask: client.Ask, order: dict[str, Any]) -> None:
    given = ask.api.post("/api/v1/orders", order)
    if ask.json:
        output.emit(given)
    else:
        _tell(given)


def _tell(given: Mapping[str, Any]) -> None:
    until = f"for {output.span(given['until'] - given['issued'])}" if given["until"] else "until taken back"
    output.out.print(f"{given['target']}: {given['word']} {until}", markup=False)
