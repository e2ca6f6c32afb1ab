"""Where in a directory's files an Ingress stands, and its annotations: for problems that name the object.

Law: looked for only when there is something to tell; what cannot be found is told without a line.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import yaml
from msgspec import structs

from fedns.errors import Problem

SUFFIXES = (".yaml", ".yml", ".json")
CALLED = "Ingress "


class Spot(NamedTuple):
    """`lines` by key of an annotation."""

    path: str
    line: int
    lines: Mapping[str, int]


def placed(problems: Iterable[Problem], root: str) -> list[Problem]:
    """Problems of Ingresses with file and line."""
    told = list(problems)
    if not root or not any(each.where.startswith(CALLED) for each in told):
        return told
    spots = dict(_spots(root))
    return [_placed(each, spots.get(each.where.removeprefix(CALLED))) for each in told]


def _placed(problem: Problem, spot: Spot | None) -> Problem:
    if spot is None or not problem.where.startswith(CALLED):
        return problem
    line = next((at for key, at in spot.lines.items() if key in problem.what.split()), spot.line)
    what = f"{problem.where}: {problem.what}"
    return structs.replace(problem, where=f"{spot.path}:{line}", what=what)


def _spots(root: str) -> Iterator[tuple[str, Spot]]:
    """By `namespace/name`; of two the first by path, as the server does."""
    paths = [root] if os.path.isfile(root) else sorted(_files(root), reverse=True)
    for path in paths:
        try:
            with open(path, "rb") as file:
                data = file.read()
            if b"Ingress" in data:
                yield from _within(path, data.decode())
        except (OSError, UnicodeDecodeError, yaml.YAMLError):
            continue


def _files(root: str) -> Iterator[str]:
    for folder, _, names in os.walk(root):
        yield from (os.path.join(folder, name) for name in names if name.endswith(SUFFIXES))


def _within(path: str, text: str) -> Iterator[tuple[str, Spot]]:
    for node in yaml.compose_all(text, yaml.CSafeLoader):
        items = _get(node, "items")
        for each in items.value if isinstance(items, yaml.SequenceNode) else [node]:
            if _text(each, "kind") in ("Ingress", ""):
                meta = _get(each, "metadata")
                key = f"{_text(meta, 'namespace') or 'default'}/{_text(meta, 'name')}"
                yield key, Spot(path, _line(each), _annotations(meta))


def _annotations(meta: Any) -> dict[str, int]:
    found = _get(meta, "annotations")
    rows = found.value if isinstance(found, yaml.MappingNode) else []
    return {str(name.value): _line(name) for name, _ in rows}


def _get(node: Any, key: str) -> Any:
    rows = node.value if isinstance(node, yaml.MappingNode) else []
    return next((value for name, value in rows if name.value == key), None)


def _text(node: Any, key: str) -> str:
    found = _get(node, key)
    return str(found.value) if isinstance(found, yaml.ScalarNode) else ""


def _line(node: Any) -> int:
    return int(node.start_mark.line) + 1
