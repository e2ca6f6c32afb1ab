"""Older ways to say which members an object is for: Federation v1's annotation, and KubeFed's placement.

Law: pure. Names win over labels; where neither is said, nobody is meant.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from fedns.placement import item, matching

Meaning = Callable[[str | None, Sequence[Any]], bool]
SELECTOR = "federation.alpha.kubernetes.io/cluster-selector"


class Unreadable(ValueError):
    """An annotation that is no list of requirements."""


def selected(
    members: Iterable[matching.Member], names: Sequence[str] | None, labels: Mapping[str, str] | None
) -> list[str]:
    """The members that a placement means: its `clusters`, else what its `clusterSelector` matches."""
    if names is not None:
        return [each.name for each in members if each.name in names]
    if labels is None:
        return []
    return [each.name for each in members if labels.items() <= each.labels.items()]


def excluded(found: item.Item, member: matching.Member) -> str:
    """Why an object's annotation keeps it off a member; empty: it does not. Unreadable."""
    text = item.annotations(found).get(SELECTOR)
    return f"its annotation {SELECTOR} does not select it" if text and not annotated(member, text) else ""


def annotated(member: matching.Member, text: str) -> bool:
    """Whether a member meets all requirements of an annotation. Unreadable."""
    try:
        told = json.loads(text)
        return all(_meets(member.labels.get(each["key"]), each) for each in told)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Unreadable(f"{SELECTOR}: {error}") from None


def _meets(value: str | None, wanted: Mapping[str, Any]) -> bool:
    operator, values = str(wanted["operator"]).lower(), list(wanted.get("values") or ())
    if operator not in MEANINGS:
        raise ValueError(f"operator {operator!r} is not known")
    least, most, meets = MEANINGS[operator]
    if not least <= len(values) <= most:
        raise ValueError(f"operator {operator!r} goes with {least if least == most else 'some'} values")
    return meets(value, values)


def _compared(sign: int) -> Meaning:
    """Above or below; a member whose label is no number is neither."""

    def meets(value: str | None, values: Sequence[Any]) -> bool:
        bound = int(values[0])
        return bool(value and re.fullmatch(r"[-+]?[0-9]+", value) and sign * int(value) > sign * bound)

    return meets


def _one_of(value: str | None, values: Sequence[Any]) -> bool:
    return value in values


def _none_of(value: str | None, values: Sequence[Any]) -> bool:
    return value not in values


ANY = 1 << 30
MEANINGS: dict[str, tuple[int, int, Meaning]] = {
    "in": (1, ANY, _one_of),
    "notin": (1, ANY, _none_of),
    **dict.fromkeys(("=", "=="), (1, 1, _one_of)),
    "!=": (1, 1, _none_of),
    "exists": (0, 0, lambda value, _: value is not None),
    **dict.fromkeys(("!", "doesnotexist"), (0, 0, lambda value, _: value is None)),
    **dict.fromkeys(("gt", ">"), (1, 1, _compared(1))),
    **dict.fromkeys(("lt", "<"), (1, 1, _compared(-1))),
}
"""By operator: how many values it goes with, as Kubernetes has it, and what it means."""
