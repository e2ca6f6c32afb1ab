"""Until what was drained can be removed: the rest of `fedns drain --wait`, and a column of `fedns status`.

Law: what would never end is told and ends with exit code 1; the order stays in force however this ends.
"""

import time
from collections.abc import Mapping
from typing import Any

import typer

from fedns.cli import client, codes, output

LOOK = 0.5
"""Seconds between the last looks."""
SAFE = "nobody is sent there any more, and no cache has its addresses: it can be removed"

View = Mapping[str, Any]


def wait(ask: client.Ask, target: str) -> None:
    """Returns when nobody comes there any more."""
    said = False
    while True:
        order = _order(ask.api, target)
        told = words(order)
        if told == SAFE:
            return _tell(ask, order, f"{target}: {told}")
        seconds = order["farewell"]["seconds"]
        if seconds is None:
            output.complain(f"{target}: {told}")
            raise typer.Exit(codes.PROBLEMS)
        if seconds and not said and not ask.json:
            output.out.print(f"{target}: {told}", markup=False)
            said = True
        time.sleep(max(min(LOOK, seconds), seconds / 2) or LOOK)  # it costs a big fleet something


def words(order: View) -> str:
    """How far an order that takes out has come."""
    told = order["farewell"]
    if told["seconds"] is None:
        more = told["count"] - len(told["services"])
        rest = f" and {more} more" if more else ""
        return f"nobody else can serve {', '.join(told['services'])}{rest}, so it still does"
    if told["workers"]:
        return f"{', '.join(told['workers'])} still answer from an older table"
    if told["seconds"]:
        return f"caches may send clients there for {output.span(told['seconds'])} more"
    return SAFE


def _order(api: client.Client, target: str) -> View:
    """The order for a target. Exits where somebody has taken it back."""
    found: list[View] = api.get("/api/v1/orders", {"target": target})["items"]
    if not found or not found[0].get("farewell"):
        output.complain(f"{target}: the order was taken back, or has expired")
        raise typer.Exit(codes.PROBLEMS)
    return found[0]


def _tell(ask: client.Ask, order: View, text: str) -> None:
    if ask.json:
        output.emit(order)
    else:
        output.out.print(text, markup=False)
