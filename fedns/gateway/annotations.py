"""The registry of annotations: every key of every family, how it is read, and what fedns makes of it.

Law: one table, and nothing else knows a key. A value that cannot be read is a problem and as if it were
not there; a key that is ignored or unknown is a problem too, with the reason.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from fedns.errors import Problem
from fedns.model.ingress import Ingress

FEDNS, NGINX, MSE, HIGRESS = (
    "fedns.io",
    "nginx.ingress.kubernetes.io",
    "mse.ingress.kubernetes.io",
    "higress.io",
)
FAMILIES = (FEDNS, NGINX, MSE, HIGRESS)
"""Where one key stands in several, the first wins."""

Asked = Mapping[str, Any]
"""Typed values by key, without the family."""


class Wrong(ValueError):
    """A value that cannot be read; says what is expected."""


class Row(NamedTuple):
    """One key: who has it, how its text becomes a value."""

    families: tuple[str, ...]
    read: Callable[[str], Any]


def boolean(text: str) -> bool:
    """As Go's strconv.ParseBool, which ingress-nginx uses."""
    if text in ("1", "t", "T", "true", "TRUE", "True"):
        return True
    if text in ("0", "f", "F", "false", "FALSE", "False"):
        return False
    raise Wrong("true or false")


ALL = (NGINX, MSE, HIGRESS, FEDNS)

REGISTRY: Mapping[str, Row] = {
    "use-regex": Row(ALL, boolean),
    "rewrite-target": Row(ALL, str),
}


def read(ingress: Ingress) -> tuple[Asked, list[Problem]]:
    """What the annotations of an Ingress ask for, and what is wrong with them."""
    asked: dict[str, Any] = {}
    problems: list[Problem] = []
    for family in reversed(FAMILIES):
        for full, text in ingress.annotations.items():
            prefix, _, key = full.partition("/")
            row = REGISTRY.get(key) if prefix == family else None
            if row is None or family not in row.families:
                continue
            try:
                asked[key] = row.read(text.strip())
            except Wrong as wrong:
                where = ingress.where or ingress.key
                problems.append(
                    Problem(where, f"annotation {full}: {text!r} is not read", f"expected: {wrong}")
                )
    return asked, problems
