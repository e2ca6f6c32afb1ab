"""The part of `fedns status` about copies of the fleet's objects: by policy and member, and those in trouble.

Law: what is as it should be is a number; what is not is told one by one, in the API server's words.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from fedns.cli import output

ROWS = 100
"""Copies told one by one at most."""
WORST = ("failing", "held", "stopped", "drifted", "waiting", "removing", "leaving", "applied")
STYLES = {"failing": "red", "held": "red", "stopped": "yellow", "drifted": "yellow", "applied": "green"}

View = Mapping[str, Any]


def table(rows: Sequence[View], everything: bool = False) -> Table:
    """`everything`: those that are as they should be one by one too."""
    desired: Counter[tuple[str, str]] = Counter()
    states: dict[tuple[str, str], Counter[str]] = {}
    for one in rows:
        key = one["policy"], one["member"]
        desired[key] += one["state"] not in ("removing", "leaving", "held")
        states.setdefault(key, Counter())[one["state"]] += 1
    made = output.table("\nCopies", "POLICY", "MEMBER", "OBJECT", "STATE", "WHY")
    for key, counts in sorted(states.items()):
        told = ", ".join(f"{counts[state]} {state}" for state in WORST if counts[state])
        made.add_row(key[0] or "-", key[1], f"{desired[key]} desired", Text(told), "")
    shown = [one for one in rows if everything or one["state"] != "applied"]
    for one in sorted(shown, key=lambda one: WORST.index(one["state"]))[:ROWS]:
        what, state = f"{one['kind']} {one['object']}", one["state"]
        made.add_row("", one["member"], what, Text(state, style=STYLES.get(state, "")), Text(one["what"]))
    return made
