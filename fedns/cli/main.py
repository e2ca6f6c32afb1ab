"""The `fedns` command: one verb, one small file beside this one.

Law: commands parse, ask and print; what they print is decided elsewhere. Exit codes: see `codes`.
"""

from typing import Annotated

import typer

from fedns.cli import (
    check,
    demo,
    explain,
    join,
    key,
    operate,
    output,
    plan,
    rbac,
    routes,
    serve,
    status,
    zone,
)

EPILOG = "Exit codes: 0 fine; 1 problems found, or not ready; 2 wrong usage; 3 no server answers."

app = typer.Typer(
    help="Who may serve this client now? Answered over DNS for many Kubernetes clusters at once.",
    epilog=EPILOG,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command()(serve.serve)
app.command()(check.check)
app.command("plan")(plan.show)
app.command()(explain.explain)
app.command()(status.status)
app.command()(routes.routes)
app.command()(operate.drain)
app.command()(operate.undrain)
app.command()(operate.force)
app.command()(join.join)
app.command()(join.unjoin)
app.command()(rbac.rbac)
app.add_typer(key.app, name="key")
app.add_typer(zone.app, name="zone")
app.add_typer(demo.app, name="demo")


def _version(wanted: bool) -> None:
    if wanted:
        import importlib.metadata  # slow to load

        output.out.print(f"fedns {importlib.metadata.version('fedns')}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Who may serve this client now? Answered over DNS for many Kubernetes clusters at once."""


if __name__ == "__main__":
    app()
