"""Where a kind keeps its pods and its replicas: the rows by which every other rule here finds them.

Law: pure, a table, of Kubernetes' own kinds and of OpenKruise's, which take their place. A kind that is not
in it is copied whole and has no replicas.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fedns.placement import item

KRUISE = "apps.kruise.io"
SPECS: dict[tuple[str, str], tuple[str, ...]] = {
    ("", "Pod"): ("spec",),
    ("apps", "Deployment"): ("spec", "template", "spec"),
    ("apps", "ReplicaSet"): ("spec", "template", "spec"),
    ("apps", "DaemonSet"): ("spec", "template", "spec"),
    ("apps", "StatefulSet"): ("spec", "template", "spec"),
    ("batch", "Job"): ("spec", "template", "spec"),
    ("batch", "CronJob"): ("spec", "jobTemplate", "spec", "template", "spec"),
    (KRUISE, "CloneSet"): ("spec", "template", "spec"),
    (KRUISE, "StatefulSet"): ("spec", "template", "spec"),
    (KRUISE, "DaemonSet"): ("spec", "template", "spec"),
}
REPLICAS: dict[tuple[str, str], str] = {
    ("apps", "Deployment"): "replicas",
    ("apps", "ReplicaSet"): "replicas",
    ("apps", "StatefulSet"): "replicas",
    ("batch", "Job"): "parallelism",
    (KRUISE, "CloneSet"): "replicas",
    (KRUISE, "StatefulSet"): "replicas",
}
OVERRIDDEN: Mapping[str, tuple[str, ...]] = {
    kind: path for (group, kind), path in SPECS.items() if group != KRUISE and kind != "CronJob"
}
"""Kinds, of whichever group, whose containers overriders change without being told a path."""


def kind(found: item.Item) -> tuple[str, str]:
    return item.group(found), str(found.get("kind") or "")


def spec(found: item.Item) -> Any:
    """The spec of its pods; None: it has none."""
    path = SPECS.get(kind(found))
    return item.at(found, *path) if path else None


def labels(found: item.Item) -> Mapping[str, Any]:
    """The labels of its pods."""
    if kind(found) == ("", "Pod"):
        return item.labels(found)
    told = item.at(found, "spec", "template", "metadata", "labels")
    return told if isinstance(told, dict) else {}


def containers(found: item.Item) -> Sequence[Any]:
    """The containers that overriders change."""
    path = OVERRIDDEN.get(item.ref(found).kind)
    return item.several(found, *path, "containers") if path else ()


def everything(found: item.Item) -> Iterator[Any]:
    """All containers of its pods."""
    pods = spec(found)
    for field in ("initContainers", "containers", "ephemeralContainers"):
        yield from item.several(pods, field)


def replicas(found: item.Item) -> int | None:
    """How many are wanted; None: the kind has none. A Job never runs more than it is to complete."""
    if kind(found) == ("", "Pod"):
        return 1
    field = REPLICAS.get(kind(found))
    if field is None:
        return None
    told = item.number(found, "spec", field)
    most = item.number(found, "spec", "completions") if field == "parallelism" else None
    count = 1 if told is None else told
    return count if most is None else min(count, most)


def revised(found: item.Item, count: int) -> dict[str, Any]:
    """With so many replicas, where the kind has any."""
    made = item.own(found)
    field = REPLICAS.get(kind(found))
    if field is not None:
        item.put(made, count, "spec", field)
    return made
