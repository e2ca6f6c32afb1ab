"""Members of a cluster set that are real API servers, and the kinds of the Multi-Cluster Services API there.

Law: definitions are as strict as those of the API where writers would notice: fields that are not declared
are refused, lists merge by the same keys, statuses have a path of their own.
"""

import time
from collections.abc import Callable, Iterable
from typing import Any

from tests.envtest import clusters
from tests.fakes import kubecluster
from tests.scenarios import world

GROUP = "multicluster.x-k8s.io"
PATIENCE = 20.0
"""Seconds; as the conformance tests of the API wait."""
Object = dict[str, Any]

TEXT, NUMBER = {"type": "string"}, {"type": "integer", "format": "int32"}
TEXTS = {"type": "object", "additionalProperties": TEXT}
CONDITION = {
    "type": "object",
    "required": ["lastTransitionTime", "message", "reason", "status", "type"],
    "properties": {
        "type": TEXT,
        "status": {"type": "string", "enum": ["True", "False", "Unknown"]},
        "reason": {
            "type": "string",
            "minLength": 1,
            "pattern": "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$",
        },
        "message": {"type": "string", "maxLength": 32768},
        "lastTransitionTime": {"type": "string", "format": "date-time"},
        "observedGeneration": {"type": "integer", "format": "int64", "minimum": 0},
    },
}
PORT = {
    "type": "object",
    "required": ["port"],
    "properties": {
        "name": TEXT,
        "protocol": {"type": "string", "default": "TCP"},
        "appProtocol": TEXT,
        "port": NUMBER,
    },
}
CLIENT = {"type": "object", "properties": {"timeoutSeconds": NUMBER}}
IMPORT = {
    "type": "object",
    "required": ["ports", "type"],
    "properties": {
        "ports": {"type": "array", "x-kubernetes-list-type": "atomic", "items": PORT},
        "ips": {"type": "array", "maxItems": 2, "items": TEXT},
        "type": {"type": "string", "enum": ["ClusterSetIP", "Headless"]},
        "sessionAffinity": TEXT,
        "sessionAffinityConfig": {"type": "object", "properties": {"clientIP": CLIENT}},
        "ipFamilies": {"type": "array", "maxItems": 2, "items": TEXT},
        "internalTrafficPolicy": TEXT,
        "trafficDistribution": TEXT,
    },
}
EXPORT = {
    "type": "object",
    "properties": {"exportedLabels": TEXTS, "exportedAnnotations": TEXTS},
}


def _keyed(key: str, items: Object) -> Object:
    return {
        "type": "array",
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": [key],
        "items": items,
    }


def _definition(kind: str, spec: Object, status: Object) -> Object:
    plural = f"{kind.lower()}s"
    conditions = {"conditions": _keyed("type", CONDITION)}
    schema = {
        "type": "object",
        "properties": {
            "apiVersion": TEXT,
            "kind": TEXT,
            "metadata": {"type": "object"},
            "spec": spec,
            "status": {"type": "object", "properties": {**conditions, **status}},
        },
    }
    version = {"name": "v1beta1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    note = {"api-approved.kubernetes.io": "https://github.com/kubernetes-sigs/mcs-api"}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{GROUP}", "annotations": note},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {"kind": kind, "plural": plural, "singular": kind.lower(), "listKind": f"{kind}List"},
            "versions": [{**version, "subresources": {"status": {}}}],
        },
    }


_CLUSTER = {"type": "object", "required": ["cluster"], "properties": {"cluster": TEXT}}
DEFINITIONS = (
    _definition("ServiceExport", EXPORT, {}),
    _definition("ServiceImport", IMPORT, {"clusters": _keyed("cluster", _CLUSTER)}),
)


def export(space: str, name: str = "web", **spec: Any) -> Object:
    return {
        "apiVersion": f"{GROUP}/v1beta1",
        "kind": "ServiceExport",
        "metadata": {"name": name, "namespace": space},
        **({"spec": spec} if spec else {}),
    }


def port(name: str, number: int, protocol: str = "TCP") -> Object:
    return {"name": name, "port": number, "protocol": protocol}


HTTP = port("http", 80)


def service(space: str, *ports: Object, **spec: Any) -> Object:
    """A Service of type ClusterIP, unless told otherwise."""
    named = {"ports": list(ports or (HTTP,))} if spec.get("type") != "ExternalName" else {}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web", "namespace": space},
        "spec": {**named, **spec},
    }


def slice_of(space: str, *addresses: str, ready: bool = True, name: str = "web") -> Object:
    """The EndpointSlice that Kubernetes would make of these pods."""
    labels = {
        "kubernetes.io/service-name": name,
        "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
    }
    rows = [{"addresses": [one], "conditions": {"ready": ready}, "zone": "a"} for one in addresses]
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": f"{name}-1", "namespace": space, "labels": labels},
        "addressType": "IPv4",
        "endpoints": rows,
        "ports": [{"name": "http", "protocol": "TCP", "port": 8080}],
    }


class Set:
    """The members, and what is in one namespace of each."""

    def __init__(self, members: Iterable[clusters.Cluster], space: str) -> None:
        self.members, self.space = tuple(members), space
        for one in self.members:
            one.put(kubecluster.namespace(space))

    def put(self, *told: tuple[clusters.Cluster, Object]) -> None:
        for cluster, one in told:
            cluster.put(one)

    def imports(self, cluster: clusters.Cluster) -> Object | None:
        """The ServiceImport in a member; None: there is none."""
        try:
            return cluster.get({**export(self.space), "kind": "ServiceImport"})
        except clusters.Refused as refused:
            assert refused.status == 404, refused
            return None

    def specs(self) -> list[Object]:
        """In all members."""
        return [(self.imports(one) or {}).get("spec", {}) for one in self.members]

    def condition(self, cluster: clusters.Cluster, kind: str) -> tuple[str, str]:
        """Status and reason of a condition of the export in a member."""
        rows = cluster.get(export(self.space)).get("status", {}).get("conditions", ())
        return next(((row["status"], row["reason"]) for row in rows if row["type"] == kind), ("", ""))

    def slices(self, cluster: clusters.Cluster) -> list[Object]:
        """Those that were imported."""
        where = f"/apis/discovery.k8s.io/v1/namespaces/{self.space}/endpointslices"
        selector = "?labelSelector=multicluster.kubernetes.io/service-name"
        found: list[Object] = cluster.call("GET", where + selector)["items"]
        return found

    def everywhere(self, holds: Callable[[Object | None], bool], what: str) -> None:
        """Until it holds of the ServiceImport of each member."""
        for cluster in self.members:
            until(lambda cluster=cluster: holds(self.imports(cluster)), f"{what} in {cluster.name}")


def until(holds: Callable[[], bool], what: str) -> None:
    world.until(holds, what, PATIENCE)


def apart() -> None:
    """Until what is made next is a second younger: an API server tells no less of when."""
    begun = int(time.time())
    until(lambda: int(time.time()) > begun, "a second")
