"""What an apply takes out of an object: what was ours alone, by its managed fields, and is not sent again.

Law: pure. What somebody else has too stays.
"""

import functools
import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from fedns.placement import item

DEFAULTS = {"protocol": "TCP"}
"""Of keys by which the items of a list are told apart."""
ABOUT = "f:metadata"
"""Of it every object has its own; its parts may be those of others, as all others may."""


class Seen(NamedTuple):
    """What was seen of parts of objects, by who they are: such as stay as long as it does, as those of `sent`
    do, which many members get."""

    table: dict[tuple[int, ...], bool]
    sent: Any


def rows(there: item.Item) -> tuple[list[Any], list[Any]]:
    """The fields that are ours, apply by apply, and those of others."""
    managers = item.several(there, "metadata", "managedFields")
    own = [each.get("fieldsV1") for each in managers if each.get("manager") == item.MANAGER]
    others = [each.get("fieldsV1") for each in managers if each.get("manager") != item.MANAGER]
    return own, others


def release(made: Any, sent: Any, fields: Any, others: Sequence[Any]) -> None:
    """Removes from `made` what `fields` has as ours, is not sent, and is nobody else's."""
    for step, below in fields.items() if isinstance(fields, dict) else ():
        at = None if step == "." else _place(made, step)
        if at is None:
            continue
        shared, told, value = _shared(others, step), _value(sent, step), made[at]
        if below and isinstance(value, dict | list):
            release(value, told if told is not None else type(value)(), below, shared)
        if told is None and not shared and _ends(below, value):
            del made[at]


def releases(made: Any, sent: Any, fields: Any, others: Sequence[Any], seen: Seen | None = None) -> bool:
    """Whether that removes anything. `seen`: of the parts of whole objects."""
    for step, below in fields.items() if isinstance(fields, dict) else ():
        at = None if step == "." else _place(made, step)
        if at is None:
            continue
        shared, told, value = _shared(others, step), _value(sent, step), made[at]
        if told is None and not shared and _ends(below, value):
            return True
        if below and isinstance(value, dict | list) and _inside((value, told, below), shared, step, seen):
            return True
    return False


def _inside(part: tuple[Any, Any, Any], shared: list[Any], step: str, seen: Seen | None) -> bool:
    """Whether anything is removed from a part, of which so much is sent."""
    value, told, below = part
    same = None if seen is None else _value(seen.sent, step)
    if seen is not None and step == ABOUT:
        return releases(value, told or {}, below, shared, Seen(seen.table, same))
    inner = told if told is not None else type(value)()
    if seen is None or told is None or told is not same:
        return releases(value, inner, below, shared)
    key = (*map(id, part), *map(id, shared))
    if key not in seen.table:
        seen.table[key] = releases(value, inner, below, shared)
    return seen.table[key]


def _shared(others: Sequence[Any], step: str) -> list[Any]:
    return [each[step] for each in others if isinstance(each, dict) and step in each]


def _ends(below: Any, value: Any) -> bool:
    """Whether a field itself was applied, and not only what is in it; or nothing is."""
    return not below or "." in below or not value


def _place(made: Any, step: str) -> Any:
    """The key or the index in `made` that a step of managed fields means; None: it is not there."""
    kind, _, name = step.partition(":")
    if kind == "f":
        return name if isinstance(made, dict) and name in made else None
    if kind == "k" and isinstance(made, list):
        wanted = _read(name)
        return next((at for at, each in enumerate(made) if _agrees(each, wanted)), None)
    if kind == "v" and isinstance(made, list):
        return next((at for at, each in enumerate(made) if each == _read(name)), None)
    return None


@functools.lru_cache(4096)
def _read(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _value(sent: Any, step: str) -> Any:
    at = _place(sent, step)
    return None if at is None else sent[at]


def _agrees(found: Any, wanted: Any) -> bool:
    if not isinstance(found, dict) or not isinstance(wanted, dict):
        return False
    return all(found.get(name, DEFAULTS.get(name)) == value for name, value in wanted.items())
