"""Members and the watches on their API servers, as tables for people.

Law: a member is one line. Where there are many, those that need attention come first, and no more than fit a
window; watches are told one by one where something is wrong with them, or where there are only a few.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from fedns.cli import output

ROWS = 30
"""Members, and watches, shown at most unless all are wanted: a window's worth."""
WIDTHS = {
    "NODES": 130,
    "LISTS": 130,
    "ERRORS": 130,
    "ZONES": 115,
    "LISTED": 120,
    "HEARD": 110,
    "OBJECTS": 100,
}
"""Columns that a window must have for what a line can do without."""
FEW = 12
"""So many watches are shown even where all is well."""

View = Mapping[str, Any]


def tables(members: Sequence[View], everything: bool, width: int) -> list[Table]:
    """The members, and of their watches what is worth a line, for a window of `width` columns."""
    found = [_members(members, everything, width)]
    rows = [(member["name"], watch) for member in members for watch in member["watches"]]
    if not everything and len(rows) > FEW:
        rows = [(name, watch) for name, watch in rows if _wrong(watch)]
    return [*found, _watches(rows, everything, width)] if rows else found


def brief(watches: Iterable[View]) -> Text:
    """`31 trafficpolicies 2s ago, ...` in one line."""
    found = []
    for one in watches:
        if wrong := _wrong(one):
            found.append(f"{one['resource']} {wrong}")
        else:
            found.append(f"{one['objects']} {one['resource']} {output.span(one['heard'])} ago")
    return Text(", ".join(found))


def _members(members: Sequence[View], everything: bool, width: int) -> Table:
    shown = sorted(members, key=lambda one: (not _ailing(one), one["name"]))
    shown = list(members) if everything else shown[:ROWS]
    rows = [_row(one) for one in shown]
    names = [name for name in _row(shown[0]) if width >= WIDTHS.get(name, 0)] if shown else ["MEMBER"]
    more = f" ({len(shown)} of {len(members)}, the worst first; --all shows all)"
    table = output.table("\nMembers" + (more if len(shown) < len(members) else ""), *names)
    for row in rows:
        table.add_row(*(row[name] for name in names))
    return table


def _row(member: View) -> dict[str, str]:
    """What a member's line says, by column."""
    watches = member["watches"]
    heard = [one["heard"] for one in watches if one["heard"] is not None]
    return {
        "MEMBER": member["name"],
        "REGION": member["region"] or "-",
        "ZONES": _zones(member),
        "API": output.styled(member["api"]),
        "READ": output.span(member["age"]) if member["age"] is not None else "never",
        "NODES": f"{member['nodes_ready']}/{member['nodes_total']}" if member["nodes_total"] else "-",
        "SHARDS": _states(member["states"]),
        "OBJECTS": str(sum(one["objects"] for one in watches)) if watches else "-",
        "HEARD": output.span(min(heard, default=None)),
        "LISTS": str(sum(one["lists"] for one in watches)) if watches else "-",
        "ERRORS": str(sum(sum(one["errors"].values()) for one in watches)) if watches else "-",
        "WATCHES": _state(watches),
    }


def _states(states: Mapping[str, int]) -> str:
    """`1/31 unhealthy`; `31 healthy` where they are alike."""
    whole = sum(states.values())
    if len(states) == 1:
        return f"{whole} {output.styled(next(iter(states)))}"
    rest = [(count, output.styled(state)) for state, count in sorted(states.items()) if state != "healthy"]
    return ", ".join(f"{count}/{whole} {state}" for count, state in rest) or "-"


def _state(watches: Sequence[View]) -> str:
    wrong = sorted({wrong for one in watches if (wrong := _wrong(one))})
    return f"[yellow]{', '.join(wrong)}[/]" if wrong else "ok" if watches else "-"


def _ailing(member: View) -> bool:
    well = set(member["states"]) <= {"healthy"} and member["api"] == "reachable"
    return not well or any(map(_wrong, member["watches"]))


def _zones(member: View) -> str:
    """Without what they share with the region: `a,b,c`."""
    begin = f"{member['region']}-"
    return ",".join(zone.removeprefix(begin) for zone in member["zones"]) or "-"


def _wrong(watch: View) -> str:
    """What it does not do, in a word or two; empty: it does all."""
    if watch["off"]:
        return "off"
    if watch["synced"] is None:
        return "not listed yet"
    return "reconnecting" if watch["trouble"] else ""


def _errors(errors: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in sorted(errors.items())) or "-"


def _watches(rows: Sequence[tuple[str, View]], everything: bool, width: int) -> Table:
    shown = rows if everything else rows[:ROWS]
    more = f" ({len(shown)} of {len(rows)}; --all shows all)" if len(shown) < len(rows) else ""
    told = [_told(name, one) for name, one in shown]
    names = [name for name in (told[0] if told else ()) if width >= WIDTHS.get(name, 0)]
    table = output.table(f"\nWatches{more}", *names)
    for row in told:
        table.add_row(*(row[name] for name in names))
    return table


def _told(member: str, watch: View) -> dict[str, str | Text]:
    """What a watch's line says, by column."""
    state, why = _wrong(watch), watch["off"] or watch["trouble"]
    return {
        "MEMBER": member,
        "RESOURCE": watch["resource"],
        "OBJECTS": str(watch["objects"]),
        "LISTED": output.span(watch["synced"]),
        "HEARD": output.span(watch["heard"]),
        "LISTS": str(watch["lists"]),
        "FAILED": _errors(watch["errors"]),
        "STATE": Text(f"{state}: {why}" if why else state or "watched", style="yellow" if state else ""),
    }
