"""What ServiceExports and ServiceImports are told: the conditions of the Multi-Cluster Services API.

Law: pure; types and reasons are those of multicluster.x-k8s.io/v1beta1, several reasons of one conflict
joined by commas. A conflict is told to each of those that export the service, the oldest too.
"""

from collections.abc import Iterable
from typing import Any

from fedns.distribute.statuses import Condition, Verdict
from fedns.model.clusterset import Conflict


def missing() -> Verdict:
    """An export's, of a service that the member does not have, or that is not taken up there."""
    what = "no Service of this name is taken up in this cluster"
    return Verdict((Condition("Valid", "False", "NoService", what), _waits("the Service is waited for")))


def invalid(kind: str) -> Verdict:
    """An export's, of a service of a type that cannot be exported."""
    what = f"a Service of type {kind} has no endpoints that others could reach"
    failed = Condition("Ready", "False", "Failed", "it is not exported")
    return Verdict((Condition("Valid", "False", "InvalidServiceType", what), failed))


def exported(conflicts: Iterable[Conflict], clusters: Iterable[str]) -> Verdict:
    """An export's that counts; `clusters` are all that export the service."""
    told = f"exported by {', '.join(clusters)}"
    valid, ready = Condition("Valid", "True", "Valid"), Condition("Ready", "True", "Exported", told)
    return Verdict((valid, ready, _conflict(tuple(conflicts))))


def imported(clusters: Iterable[str]) -> Verdict:
    """A ServiceImport's."""
    fields: dict[str, Any] = {"clusters": [{"cluster": name} for name in clusters]}
    return Verdict((Condition("Ready", "True", "Ready"),), fields)


def _waits(what: str) -> Condition:
    return Condition("Ready", "False", "Pending", what)


def _conflict(found: tuple[Conflict, ...]) -> Condition:
    if not found:
        return Condition("Conflict", "False", "NoConflicts")
    reasons = ",".join(dict.fromkeys(one.reason for one in found))
    what = "; ".join(f"{one.member} {one.detail}" for one in found)
    return Condition("Conflict", "True", reasons, what)
