"""`fedns status`: members, services and shards at a glance; `--watch` keeps it on the screen."""

import contextlib
import re
import time
from collections.abc import Mapping
from typing import Annotated, Any

import typer
from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from fedns.cli import client, codes, copies, farewell, members, output

PERIOD = 1.0
"""How often `--watch` asks, seconds."""
ROWS = 200
"""Shards shown at most; the ones that need attention come first."""
LIMIT = "100000"
"""Copies."""
ATTENTION = ("unhealthy", "draining", "degraded", "unknown", "healthy")

ALIKE = 3
"""Problems of which the same is said that are shown."""

View = Mapping[str, Any]


@client.command
def status(
    ask: client.Ask,
    names: Annotated[
        list[str] | None,
        typer.Argument(
            help="Of these objects of the fleet ([KIND/][NAMESPACE/]NAME) whether, and why, they are where."
        ),
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Refresh until Ctrl-C.")] = False,
    everything: Annotated[bool, typer.Option("--all", "-a", help="Every member, every watch.")] = False,
) -> None:
    """Show members, shards with their verdicts, the table's generation and age; exit 1 if not ready."""
    if names:
        _everywhere(ask, names)
    view = gather(ask.api, everything)
    if ask.json:
        output.emit(view)
    elif watch:
        _watch(ask.api, view, everything)
    else:
        output.out.print(render(view, everything))
    if view["status"]["ready"]:
        raise typer.Exit(codes.PROBLEMS)


def _everywhere(ask: client.Ask, names: list[str]) -> None:
    """Where objects are and why; exit 1 where one is meant that is not known, or a copy fails."""
    answers = [ask.api.get("/api/v1/copies/whereabouts", {"name": name, "limit": LIMIT}) for name in names]
    rows = [row for each in answers for row in each["items"]]
    if ask.json:
        output.emit({"copies": rows})
    else:
        for line in copies.everywhere(rows, _away(ask.api), answers[0]["at"]):
            output.out.print(line)
    unknown = [name for name, each in zip(names, answers, strict=True) if not each["items"]]
    for name in unknown:
        _unknown(ask.api, name)
    ill = unknown or any(row["state"] == "failing" for row in rows)
    raise typer.Exit(codes.PROBLEMS if ill else codes.OK)


def _away(api: client.Client) -> dict[str, str]:
    """Members whose API servers are not reached: what is known of their copies is of before."""
    rows = api.get("/api/v1/members", {"limit": LIMIT})["items"]
    found = ((one["name"], output.span(one["age"])) for one in rows if one["api"] == "unreachable")
    return {name: f"{age} ago: its API server is out of reach since" for name, age in found}


def _unknown(api: client.Client, name: str) -> None:
    """Why nothing is known of an object, as far as problems tell."""
    output.complain(f"{name}: neither the fleet nor a member has such an object of a kind that policies name")
    own = name.rpartition("/")[2]
    near = re.compile(rf"(?<![\w.-]){re.escape(own)}(?![\w.-])")
    for one in api.get("/api/v1/problems", {"limit": LIMIT})["items"]:
        if one["source"] == copies.SOURCE and near.search(one["what"]):
            hint = f" ({one['hint']})" if one["hint"] else ""
            output.complain(f"  {one['where']}: {one['what']}{hint}")
    output.complain("  `fedns plan` lists what policies select, and what each of them lacks")


def gather(api: client.Client, everything: bool = False) -> dict[str, Any]:
    """All that the tables show, as the API gives it; `everything`: copies that are as they should be, too."""
    return {
        "status": api.get("/api/v1/status"),
        "members": api.get("/api/v1/members")["items"],
        "shards": _worst(api),
        "orders": api.get("/api/v1/orders")["items"],
        "policies": api.get("/api/v1/copies/policies", {"limit": LIMIT})["items"],
        "copies": api.get(f"/api/v1/copies{'' if everything else '/ailing'}", {"limit": LIMIT})["items"],
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
                view = gather(api, everything)
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
    parts += copies.tables(view["policies"], view["copies"], view["status"]["at"])
    if view["signed"]:
        parts.append(_signed(view["signed"], view["status"]["at"]))
    if view["status"].get("secondaries"):
        parts.append(_secondaries(view["status"]["secondaries"]))
    if view["orders"]:
        parts.append(_orders(view["orders"], view["status"]["at"]))
    problems = copies.untold(view["problems"], view["copies"])
    if problems:
        parts.append(_problems(problems))
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
    if writer["trouble"] and not writer["held"]:
        last = f" (last was {writer['holder']})" if writer["holder"] else ""
        return Text(f"who writes statuses is not known: {writer['trouble']}{last}", style="red")
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
    table = output.table("\nOrders", "TARGET", "WORD", "LEFT", "REASON", "WHAT")
    for one in orders:
        left = output.span(one["until"] - now) if one["until"] else "until taken back"
        gone = farewell.words(one) if one.get("farewell") else ""
        table.add_row(one["target"], one["word"], left, Text(one["reason"]), Text(gone))
    return table


def _problems(problems: list[View]) -> Table:
    """Of many objects of which the same is said, some."""
    table = output.table("\nProblems", "WHERE", "WHAT", "HINT")
    rows: dict[tuple[str, ...], list[View]] = {}
    for one in problems:
        subject = one["where"].partition(": ")[0]
        rows.setdefault((one["source"], subject, one["what"], one["hint"]), []).append(one)
    for alike in rows.values():
        few = alike if len(alike) <= ALIKE + 1 else alike[:ALIKE]
        for one in few:
            style = "yellow" if one.get("severity") == "warning" else "red"
            table.add_row(Text(_where(one)), Text(one["what"], style=style), Text(one["hint"]))
        if few is not alike:
            table.add_row(
                "", Text(f"and {len(alike) - ALIKE} more like these (-o json has all)", style="dim"), ""
            )
    return table


def _where(problem: View) -> str:
    """With the member, where only its API server is named."""
    kind, _, name = problem["source"].partition(":")
    where: str = problem["where"]
    return f"member {name}: {where}" if kind == "member" and name and name not in where else where
