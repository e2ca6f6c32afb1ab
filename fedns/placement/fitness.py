"""Whether an object in a member has become what it is to be, by its own status.

Law: pure, a table by kind. A kind that is not in it is nobody's to judge: None.
"""

from collections.abc import Callable
from typing import Any

from fedns.placement import item, pod


def fit(found: item.Item) -> bool | None:
    """Whether it does what it is to do; None: its kind does not tell."""
    rule = RULES.get(pod.kind(found))
    return None if rule is None else rule(found)


def _count(found: item.Item, field: str) -> int:
    return item.number(found, "status", field) or 0


def _current(found: item.Item) -> bool:
    return _count(found, "observedGeneration") == (item.number(found, "metadata", "generation") or 0)


def _deployment(found: item.Item) -> bool:
    wanted, updated = item.number(found, "spec", "replicas"), _count(found, "updatedReplicas")
    enough = wanted is None or updated >= wanted
    return _current(found) and enough and _count(found, "availableReplicas") >= updated


def _stateful(found: item.Item) -> bool:
    wanted = item.number(found, "spec", "replicas")
    updated, available = _count(found, "updatedReplicas"), _count(found, "availableReplicas")
    held = item.number(found, "spec", "updateStrategy", "rollingUpdate", "partition") or 0
    enough = wanted is None or (updated >= wanted - held and available >= wanted)
    return _current(found) and enough and available >= updated


def _replicas(found: item.Item) -> bool:
    wanted = item.number(found, "spec", "replicas")
    return _current(found) and (wanted is None or _count(found, "availableReplicas") >= wanted)


def _daemons(found: item.Item) -> bool:
    updated = _count(found, "updatedNumberScheduled")
    enough = updated >= _count(found, "desiredNumberScheduled")
    return _current(found) and enough and _count(found, "numberAvailable") >= updated


def _reached(found: item.Item) -> bool:
    ingress = item.several(found, "status", "loadBalancer", "ingress")
    return any(item.at(each, "ip") or item.at(each, "hostname") for each in ingress)


def _service(found: item.Item) -> bool:
    return item.at(found, "spec", "type") != "LoadBalancer" or _reached(found)


def _pod(found: item.Item) -> bool:
    phase, conditions = item.at(found, "status", "phase"), item.several(found, "status", "conditions")
    ready = any(_ready(each) for each in conditions)
    return phase == "Succeeded" or (phase == "Running" and ready)


def _ready(condition: Any) -> bool:
    return (item.at(condition, "type"), item.at(condition, "status")) == ("Ready", "True")


RULES: dict[tuple[str, str], Callable[[item.Item], bool]] = {
    ("apps", "Deployment"): _deployment,
    ("apps", "StatefulSet"): _stateful,
    ("apps", "ReplicaSet"): _replicas,
    ("apps", "DaemonSet"): _daemons,
    (pod.KRUISE, "CloneSet"): _deployment,
    (pod.KRUISE, "StatefulSet"): _stateful,
    (pod.KRUISE, "DaemonSet"): _daemons,
    ("", "Service"): _service,
    ("networking.k8s.io", "Ingress"): _reached,
    ("", "PersistentVolumeClaim"): lambda found: item.at(found, "status", "phase") == "Bound",
    ("", "Pod"): _pod,
    ("policy", "PodDisruptionBudget"): lambda found: (
        _count(found, "currentHealthy") >= _count(found, "desiredHealthy")
    ),
}
