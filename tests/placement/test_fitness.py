"""Whether objects have become what they are to be: the kinds that no vector shows."""

from typing import Any

import pytest

from fedns.placement import fitness


def fit(version: str, kind: str, spec: Any = None, **status: Any) -> bool | None:
    meta = {"name": "x", "namespace": "y", "generation": 1}
    found = {"apiVersion": version, "kind": kind, "metadata": meta, "spec": spec or {}, "status": status}
    return fitness.fit(found)


@pytest.mark.parametrize(
    ("status", "healthy"),
    [
        ({"observedGeneration": 1, "updatedReplicas": 3, "availableReplicas": 3}, True),
        ({"observedGeneration": 1, "updatedReplicas": 2, "availableReplicas": 3}, False),
        ({"observedGeneration": 1, "updatedReplicas": 3, "availableReplicas": 2}, False),
        ({"observedGeneration": 0, "updatedReplicas": 3, "availableReplicas": 3}, False),
    ],
)
def test_stateful_sets(status: dict[str, int], healthy: bool) -> None:
    assert fit("apps/v1", "StatefulSet", {"replicas": 3}, **status) is healthy


def test_a_stateful_set_that_is_held_at_a_partition() -> None:
    spec = {"replicas": 3, "updateStrategy": {"rollingUpdate": {"partition": 2}}}
    assert fit("apps/v1", "StatefulSet", spec, observedGeneration=1, updatedReplicas=1, availableReplicas=3)


def test_the_other_kinds() -> None:
    daemons = {"observedGeneration": 1, "desiredNumberScheduled": 2, "updatedNumberScheduled": 2}
    assert fit("apps/v1", "DaemonSet", **daemons, numberAvailable=2)
    assert not fit("apps/v1", "DaemonSet", **daemons, numberAvailable=1)
    assert fit("apps/v1", "ReplicaSet", {"replicas": 2}, observedGeneration=1, availableReplicas=2)
    assert not fit("networking.k8s.io/v1", "Ingress")
    assert fit("networking.k8s.io/v1", "Ingress", loadBalancer={"ingress": [{"ip": "192.0.2.1"}]})
    ready = [{"type": "Ready", "status": "True"}]
    assert fit("v1", "Pod", phase="Running", conditions=ready) and not fit("v1", "Pod", phase="Running")
    assert fit("v1", "Pod", phase="Succeeded")
    assert not fit("policy/v1", "PodDisruptionBudget", currentHealthy=1, desiredHealthy=2)
    assert fit("v1", "ConfigMap") is None
