"""RFC 6902 on an object: all operations or none.

Law: pure. jsonpatch does it. Indexes are read as `kubectl patch` and Karmada read them, which is more than
the RFC has: `-1` is the last place of a list, counted from its end, and zeros before an index are nothing.
"""

import json
import re
from collections.abc import Iterable
from typing import Any

import jsonpatch
import jsonpointer

from fedns.model.propagation import Patch


class Refused(ValueError):
    """An operation that cannot be done, and why."""


def applied(found: Any, patches: Iterable[Patch]) -> Any:
    """A copy after all operations. Refused."""
    for each in patches:
        try:
            operation = {"op": each.operator, "path": _placed(found, each.path, each.operator == "add")}
            if each.operator != "remove":
                operation["value"] = each.value
            found = jsonpatch.apply_patch(found, [operation])
        except (jsonpatch.JsonPatchException, jsonpointer.JsonPointerException, TypeError) as error:
            shown = "" if each.operator == "remove" else f" {json.dumps(each.value, default=str)[:80]}"
            raise Refused(f"{each.operator} {each.path}{shown}: {_why(found, each, error)}") from None
    return found


def _why(found: Any, each: Patch, error: Exception) -> str:
    """Without what stands there: it may be secret."""
    try:
        parts = jsonpointer.JsonPointer(_placed(found, each.path, each.operator == "add")).parts
    except jsonpointer.JsonPointerException:
        return str(error)
    way = parts[:-1] if each.operator == "add" else parts
    for count in range(len(way) + 1):
        there = jsonpointer.JsonPointer.from_parts(way[:count])
        try:
            there.resolve(found)
        except jsonpointer.JsonPointerException:
            return f"there is no {there.path}"
    return str(error)


def looked(found: Any, path: str) -> Any:
    """What stands at a JSON pointer. Refused."""
    try:
        return jsonpointer.resolve_pointer(found, _placed(found, path, False))
    except jsonpointer.JsonPointerException as error:
        raise Refused(_why(found, Patch("remove", path), error)) from None


def _placed(found: Any, path: str, adds: bool) -> str:
    """A pointer with its indexes counted from the beginning; `adds`: its last one is a new place."""
    made: list[str] = []
    steps = jsonpointer.JsonPointer(path).parts
    for at, step in enumerate(steps):
        if isinstance(found, list) and _INDEX.fullmatch(step):
            index, places = int(step), len(found) + (adds and at == len(steps) - 1)
            step = str(index + places if -places <= index < 0 else index)
        made.append(step)
        found = _below(found, step)
    return jsonpointer.JsonPointer.from_parts(made).path if made else ""


def _below(found: Any, step: str) -> Any:
    if isinstance(found, list):
        return found[int(step)] if step.isdecimal() and int(step) < len(found) else None
    return found.get(step) if isinstance(found, dict) else None


_INDEX = re.compile(r"[-+]?[0-9]{1,9}")
