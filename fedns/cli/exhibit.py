"""An object as people may see it: without what nobody plans, and nothing secret in it."""

import hashlib
import itertools
from typing import Any

from fedns.placement import item, template

HIDDEN = ("managedFields", "resourceVersion", "uid", "generation", "creationTimestamp")
"""Metadata that nobody plans."""


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
