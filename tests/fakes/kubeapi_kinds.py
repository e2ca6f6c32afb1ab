"""What a fake API server serves, and how its lists and maps merge.

Law: a list merges by its keys where the API's schema says `listType: map`; else it is one value, as is a map
that the schema calls atomic. Paths are those of fields, joined by dots, without the steps of list items.
"""

from collections.abc import Mapping
from typing import NamedTuple

Keys = Mapping[str, tuple[str, ...]]
"""Path of a list -> the fields that tell its items apart; none: a set of scalars."""
EVERYWHERE: Keys = {
    "metadata.finalizers": (),
    "metadata.ownerReferences": ("uid",),
    "status.conditions": ("type",),
}
POD: Keys = {
    f"spec.template.spec.{name}": keys
    for name, keys in {
        "containers": ("name",),
        "containers.ports": ("containerPort", "protocol"),
        "containers.env": ("name",),
        "volumes": ("name",),
    }.items()
}
ATOMIC = frozenset({"spec.selector", "spec.template.spec.nodeSelector", "status.loadBalancer.ingress"})
DEFAULTS = {"protocol": "TCP"}
"""Of keys of list items that may be left out."""


class Kind(NamedTuple):
    """`status`: it has a status of its own path; `counted`: it has a generation; `blind`: it may be replaced
    by who does not say which version was seen."""

    name: str
    namespaced: bool = True
    status: bool = False
    counted: bool = False
    blind: bool = True
    keys: Keys = EVERYWHERE

    @property
    def custom(self) -> bool:
        """Whether a definition makes it."""
        return self.counted and not self.blind


def _custom(name: str, namespaced: bool = True, status: bool = True) -> Kind:
    return Kind(name, namespaced, status, True, False)


_CORE = {
    "services": Kind("Service", status=True, keys={**EVERYWHERE, "spec.ports": ("port", "protocol")}),
    "endpoints": Kind("Endpoints"),
    "secrets": Kind("Secret"),
    "configmaps": Kind("ConfigMap"),
    "serviceaccounts": Kind("ServiceAccount"),
    "persistentvolumeclaims": Kind("PersistentVolumeClaim", status=True),
    "nodes": Kind("Node", False, status=True),
    "namespaces": Kind("Namespace", False, status=True),
}
_RBAC = {
    "clusterroles": Kind("ClusterRole", False),
    "clusterrolebindings": Kind("ClusterRoleBinding", False),
    "roles": Kind("Role"),
    "rolebindings": Kind("RoleBinding"),
}
_EXPORTS = {
    "serviceexports": _custom("ServiceExport"),
    "serviceimports": _custom("ServiceImport")._replace(keys={**EVERYWHERE, "status.clusters": ("cluster",)}),
}
_PROPERTIES = {"clusterproperties": _custom("ClusterProperty", False, False)}

_POLICIES = {
    "propagationpolicies": _custom("PropagationPolicy"),
    "clusterpropagationpolicies": _custom("ClusterPropagationPolicy", False),
    "overridepolicies": _custom("OverridePolicy"),
    "clusteroverridepolicies": _custom("ClusterOverridePolicy", False),
}

SERVED: Mapping[str, Mapping[str, Kind]] = {
    "v1": _CORE,
    "discovery.k8s.io/v1": {"endpointslices": Kind("EndpointSlice")},
    "discovery.k8s.io/v1beta1": {"endpointslices": Kind("EndpointSlice")},
    "apps/v1": {"deployments": Kind("Deployment", status=True, counted=True, keys={**EVERYWHERE, **POD})},
    "networking.k8s.io/v1": {
        "ingresses": Kind("Ingress", status=True, counted=True),
        "ingressclasses": Kind("IngressClass", False),
    },
    "coordination.k8s.io/v1": {"leases": Kind("Lease", blind=False)},
    "rbac.authorization.k8s.io/v1": _RBAC,
    "authorization.k8s.io/v1": {
        "selfsubjectaccessreviews": Kind("SelfSubjectAccessReview", False),
        "selfsubjectrulesreviews": Kind("SelfSubjectRulesReview", False),
    },
    "apiextensions.k8s.io/v1": {
        "customresourcedefinitions": Kind("CustomResourceDefinition", False, True, True)
    },
    "multicluster.x-k8s.io/v1alpha1": _EXPORTS,
    "multicluster.x-k8s.io/v1beta1": _EXPORTS,
    "about.k8s.io/v1alpha1": _PROPERTIES,
    "about.k8s.io/v1beta1": _PROPERTIES,
    "about.k8s.io/v1": _PROPERTIES,
    "autoscaling/v2": {"horizontalpodautoscalers": Kind("HorizontalPodAutoscaler", status=True)},
    **{f"{group}/v1alpha1": _POLICIES for group in ("policy.karmada.io", "one.alibabacloud.com")},
    "fedns.io/v1alpha1": {
        "trafficpolicies": _custom("TrafficPolicy"),
        "memberclusters": _custom("MemberCluster", False),
    },
}
