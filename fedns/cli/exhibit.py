"""An object as people may see it: without what nobody plans, and nothing secret in it."""

import hashlib
import itertools
import re
from collections.abc import Iterator
from typing import Any

import yaml

from fedns.placement import item, template

HIDDEN = ("managedFields", "resourceVersion", "uid", "generation", "creationTimestamp")
"""Metadata that nobody plans."""

DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
BLOCK = "\ue000text{}\ue000"
"""What stands for a text of several lines until it is written line by line."""
_block = re.compile("\ue000text([0-9]+)\ue000$")


def shown(found: item.Item) -> dict[str, Any]:
    """A copy that may be shown."""
    made = item.own(found)
    for field in HIDDEN:
        item.drop(made, "metadata", field)
    made.pop("status", None)
    item.drop(made, "metadata", "annotations", template.APPLIED)  # a copy of it, with all that is secret
    if item.ref(found)[:2] == ("", "Secret"):
        for field in ("data", "stringData"):
            for key, value in (made.get(field) or {}).items():
                made[field][key] = f"(hidden, {hashlib.sha256(str(value).encode()).hexdigest()[:8]})"
    return made


def alike(found: Any, order: Any) -> Any:
    """The same with its fields in the order of another, so that only what differs looks different."""
    if isinstance(found, dict) and isinstance(order, dict):
        names = [*(name for name in order if name in found), *(name for name in found if name not in order)]
        return {name: alike(found[name], order.get(name)) for name in names}
    if isinstance(found, list) and isinstance(order, list):
        return [alike(each, like) for each, like in itertools.zip_longest(found, order[: len(found)])]
    return found


def lines(found: Any) -> list[str]:
    """As YAML, for people: a text of several lines has a line for each, whatever is in them, so that the one
    that differs is the one that is shown."""
    blocks: list[str] = []
    text = yaml.dump(_blocked(found, blocks), Dumper=DUMPER, sort_keys=False, width=1000, allow_unicode=True)
    return [each for line in str(text).splitlines() for each in _written(line, blocks)]


def _blocked(found: Any, blocks: list[str]) -> Any:
    if isinstance(found, dict):
        return {name: _blocked(value, blocks) for name, value in found.items()}
    if isinstance(found, list):
        return [_blocked(value, blocks) for value in found]
    if isinstance(found, str) and "\n" in found.rstrip("\n"):
        blocks.append(found)
        return BLOCK.format(len(blocks) - 1)
    return found


def _written(line: str, blocks: list[str]) -> Iterator[str]:
    """One line, and the text that it stands for, further in than what it belongs to."""
    met = _block.search(line)
    if met is None or int(met[1]) >= len(blocks):
        yield line
        return
    text = blocks[int(met[1])]
    ends = "-" if not text.endswith("\n") else "+" if text.endswith("\n\n") else ""
    inner = re.match(r"[ -]*", line)
    yield f"{line[: met.start()]}|{ends}"
    room = " " * (len(inner[0] if inner else "") + 2)
    yield from (f"{room}{each}" if each else "" for each in text.removesuffix("\n").split("\n"))
