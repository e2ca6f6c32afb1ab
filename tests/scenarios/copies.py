"""A fleet of real API servers that is distributed: its definitions, `fedns serve` over it, what it says of
copies, and what the audit logs of API servers say of who wrote them.

Law: a write counts whoever it came from, and whatever became of it; Leases are no copies.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from tests.control import depots
from tests.envtest import clusters
from tests.fakes import kubecluster
from tests.scenarios import fleets, world

POLICIES = {
    "PropagationPolicy": "Namespaced",
    "ClusterPropagationPolicy": "Cluster",
    "OverridePolicy": "Namespaced",
    "ClusterOverridePolicy": "Cluster",
}
LONG_FORM = "FEDNS_KILLS" in os.environ
"""`make kills`: what takes minutes too."""
WRITES = ("create", "update", "patch", "delete", "deletecollection")
AGENT = "fedns"
LEASE = {
    "apiVersion": "coordination.k8s.io/v1",
    "kind": "Lease",
    "metadata": {"name": "fedns", "namespace": "fedns"},
}
Object = dict[str, Any]


def definition(group: str, kind: str, scope: str = "Namespaced") -> Object:
    """A kind of which anything goes."""
    plural = f"{kind[:-1].lower()}ies" if kind.endswith("y") else f"{kind.lower()}s"
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    version = {"name": "v1alpha1", "served": True, "storage": True, "schema": schema}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "scope": scope,
            "names": {"plural": plural, "kind": kind, "singular": kind.lower(), "listKind": f"{kind}List"},
            "versions": [version],
        },
    }


GROUP = "policy.karmada.io"
DEFINITIONS = [definition(GROUP, kind, scope) for kind, scope in POLICIES.items()]


def opened(root: Path, farm: clusters.Farm) -> fleets.Fleet:
    """The configuration of one that is distributed; policies are defined."""
    for cluster in (farm.one, farm.two):
        cluster.put(kubecluster.node("n1", "r", "z"))
    farm.fleet.define(*fleets.DEFINITIONS, *DEFINITIONS)
    farm.fleet.put(kubecluster.namespace("fedns"))
    return configured(root, farm)


def configured(root: Path, farm: clusters.Farm) -> fleets.Fleet:
    """The configuration alone, of one more replica say."""
    root.mkdir(exist_ok=True)
    made = fleets.Fleet(root, farm)
    made.fleet = "kubeconfig: fleet.kubeconfig, distribute: true"
    made.write_config()
    return made


@contextmanager
def running(fleet: fleets.Fleet) -> Iterator[world.Served]:
    """`fedns serve`, once it writes."""
    with world.serve(fleet) as served:
        world.until(lambda: served.up() and served.api("/api/v1/status")["writer"]["held"], "it writes")
        yield served


def restarted(served: world.Served, farm: clusters.Farm) -> None:
    """kill -9; its Lease is taken away, so that nobody waits for it to run out."""
    served.replaced("control", served.kill("control"))
    if there(farm.fleet, LEASE):
        farm.fleet.delete(LEASE)


def there(cluster: clusters.Cluster, one: Object) -> Object | None:
    try:
        return cluster.get(one)
    except clusters.Refused as refused:
        if refused.status == 404:
            return None
        raise


def states(served: world.Served, member: str = "one") -> dict[str, tuple[str, str]]:
    """Object -> state, and words."""
    rows = served.api(f"/api/v1/copies?member={member}")["items"]
    return {f"{one['kind']} {one['object'].rpartition('/')[2]}": (one["state"], one["what"]) for one in rows}


def state(served: world.Served, name: str, member: str = "one") -> str:
    return states(served, member).get(name, ("", ""))[0]


def served_there(cluster: clusters.Cluster, one: Object) -> bool:
    try:
        return there(cluster, one) is not None
    except clusters.Refused:
        return False


def webhook() -> Object:
    """Has every ConfigMap judged by somebody who does not answer, so all are refused."""
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"], "operations": ["*"]}
    hook = {
        "name": "no.example.org",
        "rules": [rule],
        "clientConfig": {"url": "https://127.0.0.1:1/no"},
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": depots.SPACE}},
    }
    kind = "ValidatingWebhookConfiguration"
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": kind,
        "metadata": {"name": "no"},
        "webhooks": [hook],
    }


def copied(cluster: clusters.Cluster) -> dict[str, str]:
    listed = cluster.call("GET", f"/api/v1/namespaces/{depots.SPACE}/configmaps?labelSelector={depots.LABEL}")
    return {one["metadata"]["name"]: one["data"]["at"] for one in listed["items"]}


def listed(cluster: clusters.Cluster) -> list[str]:
    """The names of all ConfigMaps, whoever's they are."""
    found = cluster.call("GET", f"/api/v1/namespaces/{depots.SPACE}/configmaps")
    return [one["metadata"]["name"] for one in found["items"]]


class Write(NamedTuple):
    """A request that could change something, as the audit log has it; `at`: when it came (RFC 3339)."""

    at: str
    user: str
    verb: str
    resource: str
    name: str
    code: int


class Audit:
    """What fedns writes to a cluster from now on."""

    def __init__(self, cluster: clusters.Cluster) -> None:
        self._path = cluster.audit
        self._from = self._path.stat().st_size

    def writes(self) -> list[Write]:
        """All since, in the order in which they came; of copies only."""
        return sorted(_write(row) for row in clusters.audited(self._path, self._from) if _counts(row))


def _counts(row: Object) -> bool:
    ours = row.get("userAgent", "").startswith(AGENT) and row["verb"] in WRITES
    return ours and row.get("objectRef", {}).get("resource") not in (None, "leases")


def _write(row: Object) -> Write:
    what, code = row["objectRef"], row.get("responseStatus", {}).get("code", 0)
    user = row["user"].get("username", "")
    return Write(
        row["requestReceivedTimestamp"], user, row["verb"], what["resource"], what.get("name", ""), code
    )
