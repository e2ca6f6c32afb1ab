"""Objects as text for `kubectl apply`: YAML in the order in which people read it, rules with their reasons.

Law: pure; what is printed is what would be sent.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import yaml

FIRST = ("apiVersion", "kind", "metadata")
Object = Mapping[str, Any]


def text(objects: Iterable[Object], reasons: Sequence[tuple[Object, str]] = ()) -> str:
    """YAML documents. `reasons`: rules of roles, and what each is for."""
    return "---\n".join(_document(one, reasons) for one in objects)


def _document(one: Object, reasons: Sequence[tuple[Object, str]]) -> str:
    ordered = {key: one[key] for key in (*FIRST, *one) if key in one and key != "rules"}
    lines = [_dumped(ordered)]
    if "rules" in one:
        lines.append("rules:\n")
    for rule in one.get("rules", ()):
        lines += [f"# {why}\n" for known, why in reasons if known == rule]
        lines.append(_dumped([rule]))
    return "".join(lines)


def _dumped(value: Any) -> str:
    """Lists of plain values on one line."""
    return str(yaml.safe_dump(value, sort_keys=False, default_flow_style=None, width=200))
