"""Server-side apply (KEP 555), the part of it that people meet: who owns which field, and what follows.

Law: pure. An object is a set of leaves by path; a step is `f:FIELD`, `k:{KEYS}` of a list item or `v:VALUE`
of a set. Who applies owns what it sent; what it owned and no longer sends goes, unless another owns it too.
Who writes otherwise owns what it changed, alone.
"""

import copy
import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from tests.fakes import kubeapi_kinds as kinds

Path = tuple[str, ...]
Leaves = dict[Path, Any]
ITEM = "(item)"
"""The value at the path of a list item as such."""
UNSHARED = ("apiVersion", "kind")
NAMES = (
    "name",
    "namespace",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "managedFields",
    "selfLink",
)


class Who(NamedTuple):
    """A manager: its name, how it writes (Apply or Update), the version it speaks, and the subresource."""

    name: str
    operation: str
    version: str
    part: str = ""


Owners = dict[Who, frozenset[Path]]


class Conflict(Exception):
    """(manager, path) for each."""

    def __init__(self, found: list[tuple[Who, Path]]) -> None:
        super().__init__(str(found))
        self.found = found


def leaves(value: Mapping[str, Any], keys: kinds.Keys) -> Leaves:
    """All leaves that may have owners."""
    found: Leaves = {}
    for name, each in value.items():
        if name == "metadata":
            _walk({k: v for k, v in each.items() if k not in NAMES}, ("f:metadata",), keys, found)
        elif name not in UNSHARED:
            _walk(each, (f"f:{name}",), keys, found)
    found.pop(("f:metadata",), None)
    return found


def applied(
    live: Any, body: Any, owners: Owners, who: Who, keys: kinds.Keys, force: bool
) -> tuple[Any, Owners]:
    """What an apply of `body` leaves of the object, and of its owners. Conflict, unless forced."""
    merged = _merge(live, body, "", keys)
    mine, before, after = frozenset(leaves(body, keys)), leaves(live, keys), leaves(merged, keys)
    changed = _new({path for path, value in after.items() if before.get(path) != value}, before)
    rivals = {
        other: paths for other, paths in owners.items() if other[:2] != who[:2] or other.part != who.part
    }
    clashes = [(other, path) for other in sorted(rivals) for path in sorted(rivals[other] & changed)]
    if clashes and not force:
        raise Conflict(clashes)
    past = frozenset().union(*(paths for other, paths in owners.items() if other not in rivals))
    rivals = {other: paths - changed for other, paths in rivals.items()}
    theirs = frozenset().union(*rivals.values())
    for path in sorted(past - mine, key=len):
        if path not in theirs and not _held(path, theirs):
            _remove(merged, path, keys)
    return merged, {other: paths for other, paths in {**rivals, who: mine}.items() if paths}


def _new(changed: set[Path], before: Leaves) -> set[Path]:
    """With the maps and lists that come into being."""
    there = {path[:at] for path in before for at in range(1, len(path) + 1)}
    above = {path[:at] for path in changed for at in range(1, len(path))}
    return changed | (above - there)


def updated(live: Any, after: Any, owners: Owners, who: Who, keys: kinds.Keys) -> Owners:
    """The owners after a write that is no apply: who changed a field owns it alone."""
    old, new = leaves(live, keys), leaves(after, keys)
    changed = frozenset(path for path, value in new.items() if old.get(path) != value)
    gone = old.keys() - new.keys()
    rest = {
        other: paths - gone if other == who else paths - gone - changed for other, paths in owners.items()
    }
    rest[who] = rest.get(who, frozenset()) | changed
    return {other: paths for other, paths in rest.items() if paths}


def shown(owners: Owners) -> list[dict[str, Any]]:
    """As `metadata.managedFields`."""
    rows = []
    for who, paths in sorted(owners.items()):
        fields: dict[str, Any] = {}
        for path in sorted(paths):
            at = fields
            for step in path:
                at = at.setdefault(step, {})
            if path[-1].startswith("k:"):
                at["."] = {}
        row = {"manager": who.name, "operation": who.operation, "apiVersion": who.version}
        row |= {"time": "2026-01-01T00:00:00Z", "fieldsType": "FieldsV1", "fieldsV1": fields}
        rows.append(row | ({"subresource": who.part} if who.part else {}))
    return rows


def told(found: list[tuple[Who, Path]]) -> tuple[str, list[dict[str, str]]]:
    """A conflict as the server words it: the message, and its causes."""
    causes = [
        {"reason": "FieldManagerConflict", "message": f"conflict with {_named(who)}", "field": _dotted(path)}
        for who, path in found
    ]
    if len(found) == 1:
        return f"Apply failed with 1 conflict: {causes[0]['message']}: {causes[0]['field']}", causes
    lines = [f"Apply failed with {len(found)} conflicts: "]
    for who in dict.fromkeys(one for one, _ in found):
        paths = [_dotted(path) for other, path in found if other == who]
        lines.append(f"conflicts with {_named(who)}:\n" + "\n".join(f"- {path}" for path in paths))
    return lines[0] + "\n".join(lines[1:]), causes


def _held(path: Path, theirs: frozenset[Path]) -> bool:
    """Whether others have fields of a list item, or of that of which this is a key."""
    item = path if path[-1].startswith("k:") else path[:-1]
    key = item is path or (item[-1].startswith("k:") and path[-1][2:] in json.loads(item[-1][2:]))
    return key and any(other[: len(item)] == item for other in theirs)


def _named(who: Who) -> str:
    part = f' with subresource "{who.part}"' if who.part else ""
    return f'"{who.name}"{part} using {who.version}'


def _dotted(path: Path) -> str:
    text = ""
    for step in path:
        kind, _, rest = step.partition(":")
        if kind == "f":
            text += f".{rest}"
        elif kind == "k":
            text += "[" + ",".join(f"{k}={json.dumps(v)}" for k, v in json.loads(rest).items()) + "]"
        else:
            text += f"[={rest}]"
    return text


def _walk(value: Any, path: Path, keys: kinds.Keys, found: Leaves) -> None:
    plain = _plain(path)
    if isinstance(value, dict) and value and plain not in kinds.ATOMIC:
        for name, each in value.items():
            if each is not None:
                _walk(each, (*path, f"f:{name}"), keys, found)
    elif isinstance(value, list) and plain in keys:
        for step, each in _items(value, keys[plain]):
            found[(*path, step)] = ITEM
            if isinstance(each, dict):
                _walk(each, (*path, step), keys, found)
    else:
        found[path] = value


def _plain(path: Path) -> str:
    return ".".join(step[2:] for step in path if step.startswith("f:"))


def _items(values: list[Any], names: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    """(step, item) of a list that merges."""
    for each in values:
        yield _step(each, names), each


def _step(item: Any, names: tuple[str, ...]) -> str:
    if not names:
        return f"v:{json.dumps(item)}"
    given = {name: item.get(name, kinds.DEFAULTS.get(name)) for name in sorted(names)}
    return "k:" + json.dumps(given, separators=(",", ":"))


def _merge(live: Any, body: Any, plain: str, keys: kinds.Keys) -> Any:
    if isinstance(live, dict) and isinstance(body, dict) and plain not in kinds.ATOMIC:
        result = dict(live)
        for name, value in body.items():
            if value is not None:
                result[name] = _merge(live.get(name), value, f"{plain}.{name}".lstrip("."), keys)
        return result
    if isinstance(live, list) and isinstance(body, list) and plain in keys:
        return _zipped(live, body, plain, keys)
    return copy.deepcopy(body)


def _zipped(live: list[Any], body: list[Any], plain: str, keys: kinds.Keys) -> list[Any]:
    """In the order of `body`; what only `live` has, stays before what follows it there."""
    old, new = dict(_items(live, keys[plain])), dict(_items(body, keys[plain]))
    result, waiting = [], list(new)
    for step, each in old.items():
        if step not in new:
            result.append(each)
        while step in waiting:
            first = waiting.pop(0)
            result.append(_merge(old.get(first), new[first], plain, keys))
    return result + [new[step] for step in waiting]


def _remove(value: Any, path: Path, keys: kinds.Keys, done: Path = ()) -> None:
    step, rest = path[0], path[1:]
    if isinstance(value, dict):
        name = step[2:]
        if name not in value:
            return
        if rest:
            value[name] = copy.copy(value[name])
            _remove(value[name], rest, keys, (*done, step))
        if not rest or value[name] in ({}, []):
            del value[name]
    elif isinstance(value, list):
        names = keys[_plain(done)]
        for at, (found, each) in enumerate(list(_items(value, names))):
            if found == step and rest:
                value[at] = copy.copy(each)
                _remove(value[at], rest, keys, (*done, step))
            elif found == step:
                del value[at]
                return
