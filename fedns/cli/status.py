"""`fedns status`: members, services and shards at a glance; `--watch` keeps it on the screen."""

import contextlib
import time
from collections.abc import Mapping
from typing import Annotated, Any

import typer
from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from fedns.cli import client, codes, copies, members, output

PERIOD = 1.0
"""How often `--watch` asks, seconds."""
ROWS = 200
"""Shards shown at most; the ones that need attention come first."""
COPIES = 100_000
ATTENTION = ("unhealthy", "draining", "degraded", "unknown", "healthy")

View = Mapping[str, Any]


@client.command
def status(
    ask: client.Ask,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Refresh until Ctrl-C.")] = False,
    everything: Annotated[bool, typer.Option("--all", "-a", help="Every member, every watch.")] = False,
) -> None:
    """Show members, shards with their verdicts, the table's generation and age; exit 1 if not ready."""
    view = gather(ask.api)
    if ask.json:
        output.emit(view)
    elif watch:
        _watch(ask.api, view, everything)
    else:
        output.out.print(render(view, everything))
    if view["status"]["ready"]:
        raise typer.Exit(codes.PROBLEMS)


def gather(api: client.Client) -> dict[str, Any]:
    """Everything the table shows, as the API gives it."""
    return {
        "status": api.get("/api/v1/status"),
        "members": api.get("/api/v1/members")["items"],
        "shards": _worst(api),
        "orders": api.get("/api/v1/orders")["items"],
        "copies": api.get("/api/v1/copies", {"limit": str(COPIES)})["items"],
        "signed": api.get("/api/v1/signed")["items"],
        "problems": api.get("/api/v1/problems")["items"],
    }


def _worst(api: client.Client) -> list[Any]:
    """The shards that need attention first, and no more than are shown."""
    found: list[Any] = []
    for state in ATTENTION:
        if len(found) < ROWS:
            query = {"state": state, "limit": str(ROWS - len(found))}
            found += api.get("/api/v1/shards", query)["items"]
    return found


def _watch(api: client.Client, view: View, everything: bool) -> None:
    """Shows `view` and its successors until Ctrl-C; while no server answers, the last one stays."""
    screen = output.out.is_terminal
    with (
        contextlib.suppress(KeyboardInterrupt),
        Live(render(view, everything), console=output.out, screen=screen, auto_refresh=False) as live,
    ):
        while True:
            time.sleep(PERIOD)
            trouble = ""
            try:
                view = gather(api)
            except client.Unreachable as error:
                trouble = str(error)
            shown = render(view, everything)
            live.update(Group(Text(trouble, style="bold red"), shown) if trouble else shown, refresh=True)
    raise typer.Exit(codes.OK)


def render(view: View, everything: bool = False) -> Group:
    """The tables, from what `gather` returned; `everything`: every member and watch."""
    parts: list[Any] = [
        _head(view["status"]),
        *members.tables(view["members"], everything, output.out.width),
        _shards(view["shards"], sum(view["status"]["shards"].values())),
    ]
    if view["copies"]:
        parts.append(copies.table(view["copies"], everything))
    if view["signed"]:
        parts.append(_signed(view["signed"], view["status"]["at"]))
    if view["status"].get("secondaries"):
        parts.append(_secondaries(view["status"]["secondaries"]))
    if view["orders"]:
        parts.append(_orders(view["orders"], view["status"]["at"]))
    if view["problems"]:
        parts.append(_problems(view["problems"]))
    return Group(*parts)


def _head(status: View) -> Text:
    table = status["table"]
    ready = "ready" if not status["ready"] else f"NOT READY: {status['ready']}"
    counts = ", ".join(f"{count} {state}" for state, count in sorted(status["shards"].items()))
    text = Text()
    text.append(ready, style="bold green" if not status["ready"] else "bold red")
    text.append(f"  federation {status['federation']}  domain {status['domain']}")
    text.append(f"  up {output.span(status['at'] - status['started'])}\n")
    text.append(f"table generation {table['generation']}, {output.span(table['age'])} old")
    text.append(f"  {status['services']} services  shards: {counts or 'none'}")
    text.append(f"  {status['problems']} problems", style="red" if status["problems"] else "")
    if status.get("fleet"):
        text.append("\nfleet: ")
        text.append(members.brief(status["fleet"]))
    if status.get("writer"):
        text.append("\n").append(_writer(status["writer"]))
    if status.get("importers"):
        text.append("\n").append(_importers(status["importers"]))
    return text


def _writer(writer: View) -> Text:
    """Who writes the statuses of the fleet's objects."""
    if writer["off"]:
        return Text(f"statuses are not written: {writer['off']}", style="red")
    who = f"this process ({writer['process']})" if writer["held"] else writer["holder"] or "nobody yet"
    told = f"statuses are written by {who}"
    return Text(f"{told}; {writer['trouble']}" if writer["trouble"] else told)


def _importers(told: list[View]) -> Text:
    """What was written to members for the cluster set."""
    counts = (f"{one['written']} to {one['member']}" for one in told)
    failed = sum(one["failed"] for one in told)
    text = Text(f"imports written by this process: {', '.join(counts)}")
    return text.append(f"; {failed} writes failed", style="red") if failed else text


def _shards(shards: list[View], count: int) -> Table:
    more = f" (the worst {len(shards)} of {count})" if len(shards) < count else ""
    table = output.table(f"\nShards{more}", "SERVICE", "MEMBER", "STATE", "FOR", "READY", "ADDRESSES", "WHY")
    for one in shards:
        ready = (
            "-" if one["endpoints_ready"] is None else f"{one['endpoints_ready']}/{one['endpoints_total']}"
        )
        addresses = ",".join(one["addresses"]) or "-"
        why = one["reason"] + (f" (held, then {one['pending']})" if one["pending"] else "")
        table.add_row(
            one["service"], one["member"], output.styled(one["state"]), output.span(one["age"]), ready,
            addresses, Text(why),
        )  # fmt: skip
    return table


def _signed(zones: list[View], now: float) -> Table:
    table = output.table("\nSigned zones", "ZONE", "ALGORITHM", "KEYS", "NEXT", "WHAT")
    for one in zones:
        algorithms = ", ".join(sorted({key["algorithm"] for key in one["keys"]})) or "-"
        keys = ", ".join(f"{key['role']} {key['tag']} {key['state']}" for key in one["keys"]) or "-"
        steps = [(_when(step["at"], now), step["what"]) for step in one["next"]] or [("-", "-")]
        table.add_row(one["zone"], algorithms, keys, steps[0][0], Text(steps[0][1]))
    return table


def _when(at: float | None, now: float) -> str:
    return "to be done" if at is None else f"in {output.span(at - now)}"


def _secondaries(copies: list[View]) -> Table:
    table = output.table("\nSecondaries", "ADDRESS", "ZONE", "SERIAL", "BEHIND", "BY", "TAKEN")
    for one in copies:
        behind = "not served" if one["behind"] is None else str(one["behind"])
        taken = f"{output.span(one['age'])} ago"
        table.add_row(one["address"], one["zone"], str(one["serial"]), behind, one["kind"].upper(), taken)
    return table


def _orders(orders: list[View], now: float) -> Table:
    table = output.table("\nOrders", "TARGET", "WORD", "LEFT", "REASON")
    for one in orders:
        left = output.span(one["until"] - now) if one["until"] else "until taken back"
        table.add_row(one["target"], one["word"], left, Text(one["reason"]))
    return table


def _problems(problems: list[View]) -> Table:
    table = output.table("\nProblems", "WHERE", "WHAT", "HINT")
    for one in problems:
        table.add_row(Text(one["where"]), Text(one["what"], style="red"), Text(one["hint"]))
    return table
