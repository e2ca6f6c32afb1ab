"""`fedns routes`: what the gateway routes where, and who serves there now."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from fedns.cli import client, output

Told = Mapping[str, Any]


@client.command
def routes(
    ask: client.Ask,
    host: Annotated[str, typer.Argument(help="Only this host, as rules have it.")] = "",
    ingress: Annotated[str, typer.Option(help="Only of this Ingress, NAMESPACE/NAME.")] = "",
    service: Annotated[str, typer.Option(help="Only to this service, NAMESPACE/NAME.")] = "",
    member: Annotated[str, typer.Option(help="Only those that this member serves.")] = "",
) -> None:
    """List what the gateway routes, and who serves there now."""
    asked = {"host": host, "ingress": ingress, "service": service, "member": member}
    told = ask.api.get("/api/v1/routes", {key: value for key, value in asked.items() if value})
    if ask.json:
        output.emit(told)
        return
    if not told["items"]:
        output.out.print("no routes")
        return
    output.out.print(table(told["items"]))
    if told["truncated"]:
        output.out.print("[dim]more than these: name a host, or an Ingress[/]")


def table(items: list[Told]) -> Table:
    made = output.table("", "HOST", "PATH", "KIND", "INGRESS", "SERVICE", "SERVING")
    for one in items:
        asks = f" [dim]{escape(one['matching'])}[/]" if one["matching"] else ""
        path = f"{escape(one['path'])}{asks}"
        where = f"{one['service']}:{one['port']}" if one["port"] else one["service"]
        serving = ", ".join(one["serving"])
        made.add_row(
            escape(one["host"]),
            path,
            one["kind"],
            escape(one["ingress"]),
            escape(where),
            escape(serving) if serving else "[bold red]nobody: 503[/]",
        )
        for canary in one["canaries"]:
            to = f"{canary['service']}:{canary['port']}"
            who = escape(", ".join(canary["serving"])) or "[red]nobody[/]"
            name = escape(canary["rule"].partition(" ")[0])
            made.add_row("", f"[dim]{escape(canary['when'])}[/]", "canary", name, escape(to), who)
    return made
