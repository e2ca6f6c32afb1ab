"""`fedns zone dump`: what is served, as a master file that any other DNS server can load."""

from typing import Annotated

import typer

from fedns.cli import client, output

app = typer.Typer(help="Look at served zones.", no_args_is_help=True)


@app.command()
@client.command
def dump(
    ask: client.Ask,
    origin: Annotated[str, typer.Argument(help="Zone name; default: the federation's zone.")] = "",
) -> None:
    """Print one zone as a master file (RFC 1035)."""
    text = ask.api.text("/api/v1/zone", {"origin": origin})
    if ask.json:
        output.emit({"origin": origin, "zone": text})
    else:
        typer.echo(text, nl=False)


@app.callback()
def zone() -> None:
    """Look at served zones."""
