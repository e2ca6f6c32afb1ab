"""Older ways to say which members an object is for: Federation v1's annotation, and KubeFed's placement.

Law: pure. Names win over labels; where neither is said, nobody is meant.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fedns.placement import item, matching

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
    if operator in ("exists", "!"):
        return (value is not None) == (operator == "exists")
    if operator == "doesnotexist":
        return value is None
    if operator in ("in", "=", "=="):
        return value in values
    if operator in ("notin", "!="):
        return value not in values
    if operator in ("gt", ">", "lt", "<"):
        above = (
            int(value or "") > int(values[0])
            if operator in ("gt", ">")
            else int(value or "") < int(values[0])
        )
        return value is not None and above
    raise ValueError(f"operator {operator!r} is not known")
