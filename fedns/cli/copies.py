"""The part of `fedns status` about copies of the fleet's objects: by policy, by object, one in all members.

Law: what is as it should be is a number; what is not is told in the API server's words, the same words of
many members once.
"""

import re
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from fedns.cli import output

ROWS = 100
"""Objects told one by one at most."""
NAMES = 4
"""Members that are named of many."""
WORST = ("failing", "held", "stopped", "drifted", "waiting", "removing", "leaving", "applied")
STYLES = {"failing": "red", "held": "red", "stopped": "yellow", "drifted": "yellow", "applied": "green"}
COUNTED = ("applied", "drifted", "failing")
"""States with a column; the others are told in words."""
UNFIT = ", and not ready there: its own status says so"

SOURCE = "distribution"

View = Mapping[str, Any]


def tables(policies: Sequence[View], ailing: Sequence[View], now: float) -> Iterator[Table]:
    """By policy, then the objects of which a copy is not as it should be."""
    if policies:
        yield _policies(policies)
    if ailing:
        yield _objects(ailing, now)


def _policies(rows: Sequence[View]) -> Table:
    made = output.table("\nCopies", "POLICY", "MEMBERS", "DESIRED", *map(str.upper, COUNTED), "ELSE")
    found: dict[str, list[View]] = {}
    for one in rows:
        found.setdefault(one["policy"], []).append(one)
    for policy, parts in sorted(found.items()):
        counts = sum((Counter(one["states"]) for one in parts), Counter[str]())
        rest = ", ".join(
            f"{counts[state]} {state}" for state in WORST if state not in COUNTED and counts[state]
        )
        desired = sum(one["desired"] for one in parts)
        cells = (Text(str(counts[state] or "-"), style=_style(state, counts[state])) for state in COUNTED)
        made.add_row(policy or "-", str(len(parts)), str(desired), *cells, rest or "-")
    return made


def _style(state: str, count: int) -> str:
    return STYLES[state] if count else ""


def _objects(rows: Sequence[View], now: float) -> Table:
    """Members, and objects, of which the same is to be told are told of together."""
    found: dict[tuple[str, ...], list[View]] = {}
    for one in sorted(rows, key=lambda one: WORST.index(one["state"])):
        key = one["kind"], one["object"], one["state"], one["what"], one["policy"]
        found.setdefault(key, []).append(one)
    groups: dict[Hashable, list[list[View]]] = {}
    for (_, name, state, what, _), alike in found.items():
        members = tuple(one["member"] for one in alike)
        groups.setdefault((state, _nameless(what, name.rpartition("/")[2]), members), []).append(alike)
    more = f" (the worst {ROWS} of {len(groups)})" if len(groups) > ROWS else ""
    made = output.table(f"\nNot as they should be{more}", "WHAT")
    made.show_header = False
    for several in list(groups.values())[:ROWS]:
        _tell(made, several, now)
    return made


def _nameless(words: str, name: str) -> str:
    """What is said of an object without saying which: many are refused alike."""
    return re.sub(rf"(?<![\w.-]){re.escape(name)}(?![\w-]|\.\w)", "*", words)


def _tell(made: Table, several: Sequence[Sequence[View]], now: float) -> None:
    """`several`: for each object its rows, one for each member."""
    first = several[0][0]
    ages = [now - one["since"] for rows in several for one in rows if one["since"]]
    head = Text(first["state"], style=STYLES.get(first["state"], ""))
    head.append(f" for {output.span(max(ages))}" if ages else "", style="default")
    what = _named([rows[0] for rows in several])
    head.append(f"  {what}", style="bold default").append(
        f"  in {few([one['member'] for one in several[0]])}"
    )
    made.add_row(head)
    for told, style in ((first["what"], ""), (f"hint: {first['hint']}" if first.get("hint") else "", "cyan")):
        if told:
            made.add_row(Padding(Text(told, style=style, overflow="fold"), (0, 0, 0, 4)))


def _named(objects: Sequence[View]) -> str:
    """All of them, those of a kind and a namespace by their names alone."""
    whole = [f"{one['kind']} {one['object']}" for one in objects]
    alike = {(one["kind"], one["object"].rpartition("/")[0]) for one in objects}
    if len(whole) == 1:
        return whole[0]
    if len(alike) > 1:
        return f"{len(whole)} objects: {_some(whole)}"
    ((kind, space),) = alike
    names = _some([one["object"].rpartition("/")[2] for one in objects])
    return f"{len(whole)} {kind}{f' in {space}' if space else ''}: {names}"


def few(names: Sequence[str]) -> str:
    return _some(names) + (f" ({len(names)})" if len(names) > NAMES + 1 else "")


def _some(names: Sequence[str]) -> str:
    if len(names) <= NAMES + 1:
        return ", ".join(names)
    return f"{', '.join(names[:NAMES])} ... {names[-1]}"


def untold(problems: Iterable[View], shown: Iterable[View]) -> list[View]:
    """Without those that say only what is said of a copy."""
    rows = [(one["member"], f"{one['kind']} {one['object']}") for one in shown]
    said = {f"member {member}: {what}" for member, what in rows} | {
        f"{what} in {member}" for member, what in rows
    }

    def again(one: View) -> bool:
        where: str = one["where"]
        return one["source"] == SOURCE and (where in said or where.partition(": ")[2] in said)

    return [one for one in problems if not again(one)]


def everywhere(rows: Sequence[View], away: Mapping[str, str], now: float) -> Iterator[Text]:
    """Each object, and in every member whether and why it is there, or not. `away`: members that are not
    heard, and since when."""
    objects: dict[tuple[str, str], list[View]] = {}
    for one in rows:
        objects.setdefault((one["kind"], one["object"]), []).append(one)
    for (kind, name), found in objects.items():
        yield Text(f"{kind} {name}", style="bold")
        policies = {one["policy"]: one["place"] for one in found if one["policy"]}
        for policy, place in policies.items():
            yield Text(f"  by {policy}{f' ({place})' if place else ''}")
        for one in found:
            yield from _one(one, away.get(one["member"], ""), now)


def _one(one: View, away: str, now: float) -> Iterator[Text]:
    if not one["member"]:
        yield Text(f"  it goes nowhere: {'; '.join(one['why'])}", style="yellow")
        return
    if not one["state"]:
        yield Text(f"  - {one['member']}: it does not go there: {'; '.join(one['why'])}", style="dim")
        return
    age = f" for {output.span(now - one['since'])}" if one["since"] else ""
    made = Text(f"  {'+' if one['state'] == 'applied' else '!'} {one['member']}: ")
    made.append(one["state"], style=STYLES.get(one["state"], "")).append(age)
    made.append(UNFIT if one.get("ready") is False else "", style="yellow")
    made.append(f": {one['what']}" if one["what"] else "")
    yield made
    if away:
        yield Text(f"      as it was {away}", style="yellow")
    if one.get("hint"):
        yield Text(f"      hint: {one['hint']}", style="cyan")
    yield from (Text(f"      {each}", style="dim") for each in one["why"] if each != one["what"])
