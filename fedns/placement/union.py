"""The statuses of an object's copies as one status of the object in the fleet.

Law: pure, a table by kind; members that tell nothing add nothing. `observedGeneration` is that of the
template only while every member is up to date with it. A member that nobody has heard of yet may have what is
told already: no way into it is taken away. A kind that is not in the table keeps what it says.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from fedns.placement import item, pod

Status = Mapping[str, Any]


class Told(NamedTuple):
    """What a member says of its copy; None: nothing. `heard` False: nobody knows what it says."""

    member: str
    status: Status | None
    heard: bool = True


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
    (pod.KRUISE, "CloneSet"): (
        "replicas",
        "readyReplicas",
        "updatedReplicas",
        "availableReplicas",
        "updatedReadyReplicas",
        "expectedUpdatedReplicas",
    ),
    (pod.KRUISE, "StatefulSet"): (
        "replicas",
        "readyReplicas",
        "updatedReplicas",
        "availableReplicas",
        "currentReplicas",
        "updatedReadyReplicas",
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
    ("autoscaling", "HorizontalPodAutoscaler"): ("currentReplicas", "desiredReplicas"),
}
BALANCED = (("", "Service"), ("networking.k8s.io", "Ingress"))
WORKLOADS = tuple(kind for kind in SUMMED if kind[0] in ("apps", pod.KRUISE))
"""Kinds whose controllers tell which generation they have seen."""
DISRUPTED, OBSERVED = "disruptedPods", "observedGeneration"
JOB, CRON = ("batch", "Job"), ("batch", "CronJob")
PAST = ("succeeded", "failed")
COUNTS = ("active", *PAST)
CONTAINERS = ("containerStatuses", "initContainerStatuses")
ENDS = (("Failed", "FailureTarget", "JobFailed"), ("Complete", "SuccessCriteriaMet", "Completed"))
"""How a job ends, what newer servers want to be told before (older members say nothing of it), and the
reason."""
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
    if kind in BALANCED:
        balanced = kind[1] == "Ingress" or item.at(template, "spec", "type") == "LoadBalancer"
        known = heard if all(each.heard for each in rows) else [*heard, before]
        return _reached(known) if balanced else before
    if kind in SUMMED:
        return {**_summed(SUMMED[kind], heard), **_more(template, kind, before, rows)}
    if kind in WORST:
        return {**_phase(kind, heard, len(heard) < len(rows)), **_contained(kind, heard)}
    if kind == JOB:
        return _job(before, rows)
    return _cron(heard) if kind == CRON else before


def empty(kind: tuple[str, str]) -> Status:
    """Fields that a status of this kind has only while there is something in them, as they are without."""
    fields: dict[str, Any] = dict.fromkeys(SUMMED.get(kind, COUNTS if kind == JOB else ()), 0)
    fields |= {OBSERVED: 0} if kind in WORKLOADS else {}
    fields |= {DISRUPTED: {}} if kind == ("policy", "PodDisruptionBudget") else {}
    return fields | ({"active": []} if kind == CRON else {})


def _summed(fields: Iterable[str], heard: Iterable[Status]) -> dict[str, Any]:
    rows = tuple(heard)
    found = {field: sum(_count(each, field) for each in rows) for field in fields}
    return {field: count for field, count in found.items() if count}


def _more(template: item.Item, kind: tuple[str, str], before: Status, rows: Sequence[Told]) -> dict[str, Any]:
    """What is not summed."""
    found: dict[str, Any] = {}
    if kind in WORKLOADS:
        seen = _observed(_count(item.metadata(template), "generation"), before, rows)
        found |= {OBSERVED: seen} if seen else {}
    if kind == ("policy", "PodDisruptionBudget"):
        pods = ((each.member, item.at(each.status, DISRUPTED) or {}) for each in rows)
        evicted = {f"{member}/{name}": at for member, told in pods for name, at in told.items()}
        found |= {DISRUPTED: evicted} if evicted else {}
    return found


def _observed(generation: int, before: Status, rows: Sequence[Told]) -> int:
    """An older one stays until all are up to date; what is behind never looks as if it were not."""
    if rows and all(each.status is not None and _current(each.status, generation) for each in rows):
        return generation
    old = _count(before, OBSERVED)
    return old if old < generation else 0


def _count(told: Status, field: str) -> int:
    return item.number(told, field) or 0


def _current(told: Status, generation: int) -> bool:
    behind = _count(told, OBSERVED) < _count(told, "generation")
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


def _order(key: tuple[str, str, str]) -> tuple[bool, str, str, bool, str]:
    host, ip, mode = key
    return not host, host, ip, not mode, mode


def _way(told: dict[str, Any]) -> dict[str, Any]:
    ports = {_port(each): each for each in told["ports"]}
    made = {field: value for field, value in told.items() if field != "ports"}
    return made | ({"ports": [ports[key] for key in sorted(ports)]} if ports else {})


def _port(told: Mapping[str, Any]) -> tuple[int, str, str]:
    return item.number(told, "port") or 0, str(told.get("protocol") or ""), str(told.get("error") or "")


def _phase(kind: tuple[str, str], heard: Iterable[Status], silent: bool) -> Status:
    phases = {str(each.get("phase") or "") for each in heard}
    if silent and kind in SILENT:
        phases.add("Pending")
    worst = next((phase for phase in WORST[kind] if phase in phases), "")
    return {"phase": worst} if worst else {}


def _contained(kind: tuple[str, str], heard: Iterable[Status]) -> dict[str, Any]:
    """The containers of all pods, by what they do; their names are the same everywhere."""
    rows = tuple(heard) if kind == ("", "Pod") else ()
    found: dict[str, Any] = {}
    for field in CONTAINERS:
        told = [{"ready": bool(one.get("ready")), "state": one.get("state") or {}}
                for each in rows for one in item.several(each, field)]  # fmt: skip
        found |= {field: told} if told else {}
    return found


def _job(before: Status, rows: Sequence[Told]) -> Status:
    """What API servers take: what has ended or failed stays counted, and one that ended has begun."""
    if any(_finished(before, kind) for kind, *_ in ENDS):
        return before
    heard = [(each.member, each.status) for each in rows if each.status is not None]
    told = [status for _, status in heard]
    found = _summed(COUNTS, told)
    found |= {field: _count(before, field) for field in PAST if _count(before, field) > _count(found, field)}
    starts = [str(each["startTime"]) for each in told if each.get("startTime")]
    begun = before.get("startTime") or (min(starts) if starts and len(starts) == len(rows) else None)
    ends = [str(each["completionTime"]) for each in told if each.get("completionTime")]
    found |= {"startTime": begun} if begun else {}
    found |= {"completionTime": max(ends)} if ends and len(ends) == len(rows) else {}
    over = "active" not in found and begun
    conditions = _ended(heard, len(rows)) if over else []
    return {**found, **({"conditions": conditions} if conditions else {})}


def _ended(heard: Sequence[tuple[str, Status]], whole: int) -> list[dict[str, str]]:
    """Failed where it failed in one member and runs in none, complete once it is in all."""
    for kind, earlier, reason in ENDS:
        ended = [(member, status) for member, status in heard if _finished(status, kind)]
        if ended and (kind == "Failed" or len(ended) == whole):
            words = f"{kind.lower()} in {', '.join(member for member, _ in ended)}"
            rows = ({"type": one, "status": "True", "reason": reason} for one in (earlier, kind))
            return [{**row, "message": words} for row in rows]
    return []


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
