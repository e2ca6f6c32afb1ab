"""What a fake API server adds to objects that are written, and which ones it refuses.

Law: pure but for the counter of what it allots; a rule is here only where a client of ours, or its tests,
would notice that it is missing.
"""

import base64
import copy
import ipaddress
import itertools
import re
from collections.abc import Callable
from typing import Any

from tests.fakes.kubeapi_kinds import Kind
from tests.fakes.kubeapi_store import Object, Refused

NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
MICRO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)")
OPEN_TYPES = ("NodePort", "LoadBalancer")
_addresses = itertools.count(int(ipaddress.ip_address("10.0.0.10")))
_ports = itertools.count(30000)


def settled(kind: Kind, before: Object | None, after: Object, part: str) -> Object:
    """What is stored of `after`, written over `before` by way of the subresource `part`. Refused."""
    result = copy.deepcopy(after)
    if kind.status:
        _apart(kind, before, result, part)
    for name in ("labels", "annotations", "finalizers", "ownerReferences"):
        if not result["metadata"].get(name, True):
            del result["metadata"][name]
    if not NAME.fullmatch(result["metadata"]["name"]):
        raise invalid(kind, result, "metadata.name: Invalid value: a lowercase RFC 1123 subdomain is needed")
    if rule := RULES.get(kind.name):
        rule(kind, before, result)
    if kind.counted:
        _count(before, result)
    return result


def invalid(kind: Kind, value: Object, what: str) -> Refused:
    return Refused(422, "Invalid", f'{kind.name} "{value["metadata"]["name"]}" is invalid: {what}')


def coded(text: str) -> str:
    """As a value in `data` of a Secret."""
    return base64.b64encode(text.encode()).decode()


def _apart(kind: Kind, before: Object | None, result: Object, part: str) -> None:
    """Spec and status are written by ways of their own."""
    if part == "status":
        status, kept = result.get("status"), copy.deepcopy(before or {})
        if kind.blind:  # objects of built-in kinds take metadata along
            kept["metadata"] = result["metadata"]
        result.clear()
        result.update(kept)
    else:
        status = (before or {}).get("status")
    result.pop("status", None)
    if status is not None:
        result["status"] = copy.deepcopy(status)


def _count(before: Object | None, result: Object) -> None:
    meta, old = result["metadata"], (before or {}).get("metadata", {})
    meta["generation"] = old.get("generation", 0)
    if before is None or _meant(before) != _meant(result):
        meta["generation"] += 1


def _meant(value: Object) -> Object:
    return {name: each for name, each in value.items() if name not in ("metadata", "status")}


def _service(kind: Kind, before: Object | None, result: Object) -> None:
    spec, old = result.setdefault("spec", {}), (before or {}).get("spec", {})
    spec.setdefault("type", "ClusterIP")
    result.setdefault("status", {"loadBalancer": {}})
    if not spec.get("ports") and spec.get("clusterIP") != "None" and spec["type"] != "ExternalName":
        raise invalid(kind, result, "spec.ports: Required value")
    if spec["type"] == "ExternalName":
        return
    spec.setdefault("sessionAffinity", "None")
    spec.setdefault("internalTrafficPolicy", "Cluster")
    if spec["type"] in OPEN_TYPES:
        spec.setdefault("externalTrafficPolicy", "Cluster")
    if spec["type"] == "LoadBalancer":
        spec.setdefault("allocateLoadBalancerNodePorts", True)
        _check_port(spec, old)
    if spec["sessionAffinity"] == "ClientIP":
        spec.setdefault("sessionAffinityConfig", {"clientIP": {"timeoutSeconds": 10800}})
    spec.setdefault("ipFamilies", ["IPv4"])
    spec.setdefault("ipFamilyPolicy", "SingleStack")
    wanted, had = spec.get("clusterIP"), old.get("clusterIP")
    if had and wanted and wanted != had:
        raise invalid(kind, result, "spec.clusterIPs[0]: Invalid value: may not change once set")
    spec["clusterIP"] = had or wanted or str(ipaddress.ip_address(next(_addresses)))
    spec["clusterIPs"] = [spec["clusterIP"]]
    spec["ports"] = [_port(one, spec["type"], old) for one in spec.get("ports") or ()]
    named = [(one["port"], one["protocol"]) for one in spec["ports"]]
    if len(set(named)) < len(named):
        raise invalid(kind, result, "spec.ports: Duplicate value")
    if not spec["ports"]:
        del spec["ports"]


def _port(one: Object, kind: str, old: Object) -> Object:
    result = {"protocol": "TCP", "targetPort": one["port"], **one}
    if kind in OPEN_TYPES and not result.get("nodePort"):
        known = {each.get("name", ""): each.get("nodePort") for each in old.get("ports") or ()}
        result["nodePort"] = known.get(result.get("name", "")) or next(_ports)
    return result


def _check_port(spec: Object, old: Object) -> None:
    """Where load balancers ask for a node's health: only where it matters which node it is."""
    if spec["externalTrafficPolicy"] != "Local":
        spec.pop("healthCheckNodePort", None)
    elif not spec.get("healthCheckNodePort"):
        spec["healthCheckNodePort"] = old.get("healthCheckNodePort") or next(_ports)


def _deployment(kind: Kind, before: Object | None, result: Object) -> None:
    spec = result.setdefault("spec", {})
    _default(spec, {"replicas": 1, "progressDeadlineSeconds": 600, "revisionHistoryLimit": 10})
    rolling = {"maxSurge": "25%", "maxUnavailable": "25%"}
    _default(spec, {"strategy": {"type": "RollingUpdate", "rollingUpdate": rolling}})
    pod = spec.setdefault("template", {}).setdefault("spec", {})
    _default(pod, {"restartPolicy": "Always", "dnsPolicy": "ClusterFirst", "securityContext": {}})
    _default(pod, {"terminationGracePeriodSeconds": 30, "schedulerName": "default-scheduler"})
    result.setdefault("status", {})
    for one in pod.get("containers", ()):
        _default(one, {"imagePullPolicy": "IfNotPresent", "resources": {}})
        _default(one, {"terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File"})
        for port in one.get("ports", ()):
            port.setdefault("protocol", "TCP")


def _default(value: Object, wanted: Object) -> None:
    for name, each in wanted.items():
        value.setdefault(name, each)


def _lease(kind: Kind, before: Object | None, result: Object) -> None:
    spec = result.get("spec", {})
    for name in ("renewTime", "acquireTime"):
        if name in spec and not MICRO.fullmatch(str(spec[name])):
            raise Refused(400, "BadRequest", f'parsing time "{spec[name]}": cannot parse as RFC 3339')
    if spec.get("leaseDurationSeconds", 1) <= 0:
        raise invalid(kind, result, "spec.leaseDurationSeconds: Invalid value: must be greater than 0")


def _secret(kind: Kind, before: Object | None, result: Object) -> None:
    result.setdefault("type", "Opaque")
    if before and before.get("type") != result["type"]:
        raise invalid(kind, result, "type: Invalid value: field is immutable")
    for name, text in result.pop("stringData", {}).items():
        result.setdefault("data", {})[name] = coded(text)


def _binding(kind: Kind, before: Object | None, result: Object) -> None:
    if before and before.get("roleRef") != result.get("roleRef"):
        raise invalid(kind, result, "roleRef: Invalid value: cannot change roleRef")


def _namespace(kind: Kind, before: Object | None, result: Object) -> None:
    labels = result["metadata"].setdefault("labels", {})
    labels["kubernetes.io/metadata.name"] = result["metadata"]["name"]
    result.setdefault("spec", {"finalizers": ["kubernetes"]})
    result.setdefault("status", {"phase": "Active"})


def _definition(kind: Kind, before: Object | None, result: Object) -> None:
    established = {"type": "Established", "status": "True", "reason": "InitialNamesAccepted"}
    result.setdefault("status", {"conditions": [established]})


Rule = Callable[[Kind, Object | None, Object], Any]
RULES: dict[str, Rule] = {
    "Service": _service,
    "Deployment": _deployment,
    "Lease": _lease,
    "Secret": _secret,
    "ClusterRoleBinding": _binding,
    "RoleBinding": _binding,
    "Namespace": _namespace,
    "CustomResourceDefinition": _definition,
}
