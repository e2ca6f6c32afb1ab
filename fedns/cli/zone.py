"""`fedns zone dump`: what is served, as a master file that any other DNS server can load."""

from typing import Annotated

import typer

from fedns.cli import client, output

app = typer.Typer(help="Look at served zones.", no_args_is_help=True)


@app.command()
def dump(
    origin: Annotated[str, typer.Argument(help="Zone name; default: the federation's zone.")] = "",
    admin: client.AdminOption = "",
    format: output.FormatOption = output.Format.text,
) -> None:
    """Print one zone as a master file (RFC 1035)."""
    with client.Session(admin) as api:
        text = api.text("/api/v1/zone", {"origin": origin})
    if format is output.Format.json:
        output.emit({"origin": origin, "zone": text})
    else:
        typer.echo(text, nl=False)


@app.callback()
def zone() -> None:
    """Look at served zones."""
