"""Where a kind keeps its pods and its replicas: the rows by which every other rule here finds them.

Law: pure, a table. A kind that is not in it is copied whole and has no replicas.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from fedns.placement import item

SPECS: dict[tuple[str, str], tuple[str, ...]] = {
    ("", "Pod"): ("spec",),
    ("apps", "Deployment"): ("spec", "template", "spec"),
    ("apps", "ReplicaSet"): ("spec", "template", "spec"),
    ("apps", "DaemonSet"): ("spec", "template", "spec"),
    ("apps", "StatefulSet"): ("spec", "template", "spec"),
    ("batch", "Job"): ("spec", "template", "spec"),
    ("batch", "CronJob"): ("spec", "jobTemplate", "spec", "template", "spec"),
}
REPLICAS: dict[tuple[str, str], str] = {
    ("apps", "Deployment"): "replicas",
    ("apps", "ReplicaSet"): "replicas",
    ("apps", "StatefulSet"): "replicas",
    ("batch", "Job"): "parallelism",
}
DEPENDENT = frozenset(kind for kind in SPECS if kind != ("apps", "ReplicaSet"))
OVERRIDDEN = frozenset(SPECS) - {("batch", "CronJob")}
"""Kinds whose containers overriders change without being told a path."""


def kind(found: item.Item) -> tuple[str, str]:
    what = item.ref(found)
    return what.group, what.kind


def spec(found: item.Item) -> Any:
    """The spec of its pods; None: it has none."""
    path = SPECS.get(kind(found))
    return item.at(found, *path) if path else None


def containers(found: item.Item) -> Sequence[Any]:
    """The containers that overriders change."""
    return item.several(spec(found), "containers") if kind(found) in OVERRIDDEN else ()


def everything(found: item.Item) -> Iterator[Any]:
    """All containers of its pods."""
    pods = spec(found)
    for field in ("initContainers", "containers", "ephemeralContainers"):
        yield from item.several(pods, field)


def replicas(found: item.Item) -> int | None:
    """How many are wanted; None: the kind has none."""
    if kind(found) == ("", "Pod"):
        return 1
    field = REPLICAS.get(kind(found))
    if field is None:
        return None
    told = item.number(found, "spec", field)
    return 1 if told is None else told


def revised(found: item.Item, count: int) -> dict[str, Any]:
    """With so many replicas, where the kind has any."""
    made = item.own(found)
    field = REPLICAS.get(kind(found))
    if field is not None:
        item.put(made, count, "spec", field)
    return made
