"""One Kubernetes object as JSON has it: what it is called, and what stands in it.

Law: pure; an object is never changed in place, who changes one works on a copy of his own.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

Item = Mapping[str, Any]

MANAGER = "fedns"
"""As whom we write, in `managedFields`."""

CLUSTER_WIDE = frozenset(
    (
        "APIService",
        "CertificateSigningRequest",
        "ClusterProperty",
        "ClusterRole",
        "ClusterRoleBinding",
        "ComponentStatus",
        "CSIDriver",
        "CSINode",
        "CustomResourceDefinition",
        "FlowSchema",
        "GatewayClass",
        "IngressClass",
        "IPAddress",
        "MutatingWebhookConfiguration",
        "Namespace",
        "Node",
        "PersistentVolume",
        "PriorityClass",
        "PriorityLevelConfiguration",
        "RuntimeClass",
        "ServiceCIDR",
        "StorageClass",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
        "ValidatingWebhookConfiguration",
        "VolumeAttachment",
    )
)
"""Kinds of Kubernetes' own groups that live in no namespace."""


class Ref(NamedTuple):
    """Which object: its API group without the version, so that it is one object in all of them."""

    group: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


def group(item: Item) -> str:
    """Of its kind, without the version."""
    whose, slash, _ = str(item.get("apiVersion") or "").partition("/")
    return whose if slash else ""


def ref(item: Item) -> Ref:
    kind, meta = str(item.get("kind") or ""), metadata(item)
    whose = group(item)
    namespace = str(meta.get("namespace") or "") or _home(whose, kind)
    return Ref(whose, kind, "" if _clusterwide(whose, kind) else namespace, str(meta.get("name") or ""))


def _ours(group: str) -> bool:
    """Whether a group is one of Kubernetes' own."""
    return "." not in group or group.endswith(".k8s.io")


def _clusterwide(group: str, kind: str) -> bool:
    return kind in CLUSTER_WIDE and _ours(group)


def _home(group: str, kind: str) -> str:
    """The namespace of an object that names none; others' kinds may have none."""
    return "default" if _ours(group) else ""


def metadata(item: Item) -> Mapping[str, Any]:
    found = item.get("metadata")
    return found if isinstance(found, dict) else {}


def labels(item: Item) -> Mapping[str, str]:
    return texts(item, "labels")


def annotations(item: Item) -> Mapping[str, str]:
    return texts(item, "annotations")


def texts(item: Item, field: str) -> Mapping[str, str]:
    """A map of the metadata; empty where there is none, or something else."""
    found = metadata(item).get(field)
    return found if isinstance(found, dict) else {}


def at(item: Any, *path: str) -> Any:
    """The value at a path; None where there is none."""
    for step in path:
        if not isinstance(item, dict):
            return None
        item = item.get(step)
    return item


def number(item: Any, *path: str) -> int | None:
    """The whole number at a path; None where there is none."""
    found = at(item, *path)
    return found if isinstance(found, int) else None


def several(item: Any, *path: str) -> list[dict[str, Any]]:
    """The objects in the list at a path; empty where there is none."""
    found = at(item, *path)
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def own(item: Item) -> dict[str, Any]:
    """A copy that may be changed."""
    made: dict[str, Any] = _copied(item)
    return made


def _copied(value: Any) -> Any:
    """What JSON has is a tree: an eighth of what `copy.deepcopy` takes, which looks for more."""
    if isinstance(value, dict):
        return {key: _copied(each) for key, each in value.items()}
    return [_copied(each) for each in value] if isinstance(value, list) else value


def put(item: dict[str, Any], value: Any, *path: str) -> None:
    """Sets the value at a path, making the objects on the way to it."""
    *way, last = path
    for step in way:
        below = item.get(step)
        if not isinstance(below, dict):
            below = item[step] = {}
        item = below
    item[last] = value


def drop(item: dict[str, Any], *path: str) -> None:
    """Removes what is at a path, if anything is."""
    *way, last = path
    found = at(item, *way)
    if isinstance(found, dict):
        found.pop(last, None)
