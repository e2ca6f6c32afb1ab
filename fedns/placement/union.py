"""The statuses of an object's copies as one status of the object in the fleet.

Law: pure, a table by kind; members that tell nothing add nothing. `observedGeneration` is told only when
every member is up to date with the template. A kind that is not in the table keeps what it says.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from fedns.placement import item, pod

Status = Mapping[str, Any]


class Told(NamedTuple):
    """What a member says of its copy; None: nothing."""

    member: str
    status: Status | None


SUMMED: dict[tuple[str, str], tuple[str, ...]] = {
    ("apps", "Deployment"): (
        "replicas",
        "readyReplicas",
        "updatedReplicas",
        "availableReplicas",
        "unavailableReplicas",
    ),
    ("apps", "StatefulSet"): (
        "replicas",
        "readyReplicas",
        "updatedReplicas",
        "availableReplicas",
        "currentReplicas",
    ),
    ("apps", "ReplicaSet"): ("replicas", "readyReplicas", "availableReplicas", "fullyLabeledReplicas"),
    ("apps", "DaemonSet"): (
        "currentNumberScheduled",
        "desiredNumberScheduled",
        "numberAvailable",
        "numberMisscheduled",
        "numberReady",
        "updatedNumberScheduled",
        "numberUnavailable",
    ),
    ("policy", "PodDisruptionBudget"): (
        "currentHealthy",
        "desiredHealthy",
        "expectedPods",
        "disruptionsAllowed",
    ),
}
WORST: dict[tuple[str, str], tuple[str, ...]] = {
    ("", "Pod"): ("Failed", "Pending", "Running", "Succeeded"),
    ("", "PersistentVolume"): ("Failed", "Pending", "Available", "Bound", "Released"),
    ("", "PersistentVolumeClaim"): ("Lost", "Pending", "Bound"),
}
"""Phases, the one that stands for all first."""
SILENT = {("", "Pod"), ("", "PersistentVolume")}
"""Kinds of which a copy without a status is pending."""


def status(template: item.Item, told: Iterable[Told]) -> Status:
    """The status of the template."""
    kind, rows, before = pod.kind(template), tuple(told), item.at(template, "status") or {}
    heard = [each.status for each in rows if each.status is not None]
    if kind in (("", "Service"), ("networking.k8s.io", "Ingress")):
        balanced = kind[1] == "Ingress" or item.at(template, "spec", "type") == "LoadBalancer"
        return _reached(heard) if balanced else before
    if kind in SUMMED:
        return _summed(template, SUMMED[kind], heard, len(heard) == len(rows))
    if kind in WORST:
        return _phase(kind, heard, len(heard) < len(rows))
    if kind == ("batch", "Job"):
        return _job(before, heard)
    return _cron(heard) if kind == ("batch", "CronJob") else before


def _summed(template: item.Item, fields: Sequence[str], heard: Sequence[Status], all_told: bool) -> Status:
    found = {field: sum(_count(each, field) for each in heard) for field in fields}
    generation = _count(item.metadata(template), "generation")
    if heard and all_told and all(_current(each, generation) for each in heard):
        found["observedGeneration"] = generation
    return {field: count for field, count in found.items() if count}


def _count(told: Status, field: str) -> int:
    return item.number(told, field) or 0


def _current(told: Status, generation: int) -> bool:
    behind = _count(told, "observedGeneration") < _count(told, "generation")
    return not behind and _count(told, "resourceTemplateGeneration") >= generation


def _reached(heard: Iterable[Status]) -> Status:
    """The union of the ways in, in the order of their text; one that is named twice has the ports of both."""
    found: dict[tuple[str, str, str], dict[str, Any]] = {}
    for each in heard:
        for way in item.several(each, "loadBalancer", "ingress"):
            key = (way.get("hostname") or "", way.get("ip") or "", way.get("ipMode") or "")
            known = found.setdefault(key, {**way, "ports": []})
            known["ports"] += [port for port in way.get("ports") or () if port not in known["ports"]]
    ways = [_way(found[key]) for key in sorted(found, key=_order)]
    return {"loadBalancer": {"ingress": ways} if ways else {}}


def _order(key: tuple[str, str, str]) -> tuple[bool, tuple[str, str, str]]:
    return not key[0], key


def _way(told: dict[str, Any]) -> dict[str, Any]:
    return {field: value for field, value in told.items() if field != "ports" or value}


def _phase(kind: tuple[str, str], heard: Iterable[Status], silent: bool) -> Status:
    phases = {str(each.get("phase") or "") for each in heard}
    if silent and kind in SILENT:
        phases.add("Pending")
    worst = next((phase for phase in WORST[kind] if phase in phases), "")
    return {"phase": worst} if worst else {}


def _job(before: Status, heard: Sequence[Status]) -> Status:
    if any(_finished(before, kind) for kind in ("Complete", "Failed")):
        return before
    found: dict[str, Any] = {}
    for field in ("active", "succeeded", "failed"):
        count = sum(_count(each, field) for each in heard)
        found |= {field: count} if count else {}
    starts = [str(each["startTime"]) for each in heard if each.get("startTime")]
    found |= {"startTime": min(starts)} if starts else {}
    ends = [str(each["completionTime"]) for each in heard if each.get("completionTime")]
    for kind in ("Failed", "Complete"):
        ended = [_finished(each, kind) for each in heard]
        if heard and (any(ended) if kind == "Failed" else all(ended)):
            condition = {"type": kind, "status": "True", "reason": f"Job{kind}"}
            return {**found, "conditions": [condition], **({"completionTime": max(ends)} if ends else {})}
    return found


def _finished(told: Status, kind: str) -> bool:
    conditions = item.several(told, "conditions")
    return any(item.at(each, "type") == kind and item.at(each, "status") == "True" for each in conditions)


def _cron(heard: Sequence[Status]) -> Status:
    found: dict[str, Any] = {}
    active = [each for told in heard for each in item.several(told, "active")]
    found |= {"active": active} if active else {}
    for field in ("lastScheduleTime", "lastSuccessfulTime"):
        times = [str(each[field]) for each in heard if each.get(field)]
        found |= {field: max(times)} if times else {}
    return found
