"""Patches of JSON values: RFC 7386 (merge) and RFC 6902 (operations)."""

import copy
from typing import Any


class Unfit(ValueError):
    """A patch that cannot be applied to what there is."""


def merged(target: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


def operated(target: Any, operations: list[dict[str, Any]]) -> Any:
    result = copy.deepcopy(target)
    for one in operations:
        _operate(result, one)
    return result


def _operate(target: Any, one: dict[str, Any]) -> None:
    what, path = one["op"], one["path"]
    if what == "test":
        if _at(target, path) != one["value"]:
            raise Unfit(f"testing value {path} failed")
    elif what == "remove":
        _take(target, path)
    elif what == "add":
        _put(target, path, one["value"], True)
    elif what == "replace":
        _at(target, path)
        _put(target, path, one["value"], False)
    else:
        found = copy.deepcopy(_at(target, one["from"]))
        if what == "move":
            _take(target, one["from"])
        _put(target, path, found, True)


def _steps(path: str) -> list[str]:
    return [step.replace("~1", "/").replace("~0", "~") for step in path.split("/")[1:]]


def _at(target: Any, path: str) -> Any:
    for step in _steps(path):
        try:
            target = target[int(step)] if isinstance(target, list) else target[step]
        except (KeyError, IndexError, ValueError, TypeError):
            raise Unfit(f"{path} does not exist") from None
    return target


def _parent(target: Any, path: str) -> tuple[Any, str]:
    above, _, last = path.rpartition("/")
    return _at(target, above), _steps(f"/{last}")[0]


def _take(target: Any, path: str) -> None:
    _at(target, path)
    above, last = _parent(target, path)
    del above[int(last) if isinstance(above, list) else last]


def _put(target: Any, path: str, value: Any, insert: bool) -> None:
    above, last = _parent(target, path)
    if not isinstance(above, list):
        above[last] = value
    elif insert:
        above.insert(len(above) if last == "-" else int(last), value)
    else:
        above[int(last)] = value
