"""What an object cannot do without: the Secrets, ConfigMaps, accounts and claims that it names.

Law: pure. Only what is named in the same namespace; the default account, and what tells the API server's CA,
are in every cluster.
"""

from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from fedns.model.propagation import ROOT, Requirement
from fedns.placement import item, pod

IMPORTS = "multicluster.x-k8s.io"


class Companion(Struct, frozen=True, gc=False, order=True):
    """One object by its name, or several by `labels`."""

    api_version: str
    kind: str
    namespace: str
    name: str = ""
    labels: tuple[tuple[str, str], ...] = ()

    @property
    def requirements(self) -> tuple[Requirement, ...]:
        return tuple(Requirement(key, "In", (value,)) for key, value in self.labels)


def of(found: item.Item) -> list[Companion]:
    """What an object names, each once."""
    what = item.ref(found)
    kind = (what.group, what.kind)
    if kind == (IMPORTS, "ServiceImport"):
        derived = f"derived-{what.name}"
        labels = (("kubernetes.io/service-name", derived),)
        return [
            Companion("v1", "Service", what.namespace, derived),
            Companion("discovery.k8s.io/v1", "EndpointSlice", what.namespace, labels=labels),
        ]
    if kind == ("networking.k8s.io", "Ingress"):
        named = (("Secret", item.at(each, "secretName")) for each in item.several(found, "spec", "tls"))
    elif kind in pod.SPECS:
        named = (row for row in _named(pod.spec(found), found))
    else:
        return []
    rows = dict.fromkeys((kind, name) for kind, name in named if name and isinstance(name, str))
    rows.pop(("ConfigMap", ROOT), None)
    return [Companion("v1", kind, what.namespace, name) for kind, name in rows]


def _named(spec: Any, found: item.Item) -> Iterator[tuple[str, Any]]:
    """Kinds and names."""
    for secret in item.several(spec, "imagePullSecrets"):
        yield "Secret", item.at(secret, "name")
    own = [item.at(each, "metadata", "name") for each in item.several(found, "spec", "volumeClaimTemplates")]
    for volume in item.several(spec, "volumes"):
        yield from _volume(volume, own)
    for container in pod.everything(found):
        for source in item.several(container, "envFrom"):
            yield "ConfigMap", item.at(source, "configMapRef", "name")
            yield "Secret", item.at(source, "secretRef", "name")
        for variable in item.several(container, "env"):
            yield "ConfigMap", item.at(variable, "valueFrom", "configMapKeyRef", "name")
            yield "Secret", item.at(variable, "valueFrom", "secretKeyRef", "name")
    account = item.at(spec, "serviceAccountName")
    if account != "default":
        yield "ServiceAccount", account


def _volume(volume: Any, own: list[Any]) -> Iterator[tuple[str, Any]]:
    yield "ConfigMap", item.at(volume, "configMap", "name")
    yield "Secret", item.at(volume, "secret", "secretName")
    for field in SECRETS:
        yield "Secret", item.at(volume, *field)
    for source in item.several(volume, "projected", "sources"):
        yield "ConfigMap", item.at(source, "configMap", "name")
        yield "Secret", item.at(source, "secret", "name")
    claim = item.at(volume, "persistentVolumeClaim", "claimName")
    if claim not in own:
        yield "PersistentVolumeClaim", claim


SECRETS = (
    ("azureFile", "secretName"),
    ("cephfs", "secretRef", "name"),
    ("cinder", "secretRef", "name"),
    ("csi", "nodePublishSecretRef", "name"),
    ("flexVolume", "secretRef", "name"),
    ("iscsi", "secretRef", "name"),
    ("rbd", "secretRef", "name"),
    ("scaleIO", "secretRef", "name"),
    ("storageos", "secretRef", "name"),
)
"""Where other volumes name theirs."""
