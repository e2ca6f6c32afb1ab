"""What the annotations of one Ingress ask for, as typed values, and what is wrong with them.

Law: nothing is ignored silently: a value that cannot be read, a key that fedns ignores and a key that nobody
knows are problems, with the reason. A guard that cannot be read leaves a reason to shut its paths.
"""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from fedns.errors import Problem
from fedns.gateway import registry
from fedns.gateway.readers import Wrong
from fedns.gateway.row import FAMILIES, Row
from fedns.model.ingress import Ingress

DOCS = "docs/annotations.md tells what is supported"


class Asked(Struct, frozen=True):
    """Typed values by key, without the family. `refused`: why nobody may pass; empty: no reason."""

    values: Mapping[str, Any]
    refused: str = ""

    def get(self, key: str, default: Any = None) -> Any:
        return self.values.get(key, default)

    def __contains__(self, key: str) -> bool:
        return key in self.values


def read(ingress: Ingress) -> tuple[Asked, list[Problem]]:
    """What an Ingress asks for, and what is wrong with it."""
    values: dict[str, Any] = {}
    problems: list[Problem] = []
    refused = ""
    for full, text in sorted(ingress.annotations.items(), key=lambda each: -_rank(each[0])):
        family, _, key = full.partition("/")
        if family not in FAMILIES:
            continue
        row = registry.find(key)
        try:
            values[key] = _value(row, family, full, text)
        except Wrong as wrong:
            problems.append(Problem(where(ingress), str(wrong), DOCS if row is None else row.words))
            if row is not None and row.guards:
                refused = f"annotation {full} cannot be read"
    return Asked({key: value for key, value in values.items() if value is not None}, refused), problems


def where(ingress: Ingress) -> str:
    return ingress.where or f"Ingress {ingress.key}"


def _rank(full: str) -> int:
    """The family that wins comes last."""
    family = full.partition("/")[0]
    return FAMILIES.index(family) if family in FAMILIES else -1


def _value(row: Row | None, family: str, full: str, text: str) -> Any:
    if row is None or family not in row.families:
        raise Wrong(f"annotation {full} is not known: ignored")
    if row.read is None:
        raise Wrong(f"annotation {full} is ignored")
    try:
        return row.read(text.strip())
    except Wrong as wrong:
        raise Wrong(f"annotation {full} is not read: {_brief(text)} is not {wrong}") from wrong


def _brief(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")
