"""What is watched on a member's API server: one row a kind, in the versions we read, and when it is needed.

Law: pure. What is not needed is not asked for, so it takes no rights. What the server refuses is missed
visibly, by the words of its row. `decides`: without it nobody can say what there is, so what was known stays.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from fedns.kube.resource import Resource
from fedns.sources import backends, exports, inward, objects, scope

MANAGER = "endpointslice.kubernetes.io/managed-by"
"""The label that tells who makes a slice."""


class Wish(NamedTuple):
    """What of a member is wanted. Selectors as the API has them: of labels of services, and of labels of
    namespaces; `exports`: only services that are exported. `endpoints`: they are told one by one. `inside`:
    services are told as they are in their cluster; `clusterset`: with what a cluster set has of them."""

    selector: str = ""
    namespaces: str = ""
    exports: bool = False
    endpoints: bool = False
    inside: bool = False
    clusterset: bool = False


ANY = Wish()


def _always(wish: Wish) -> bool:
    return True


def _nothing(wish: Wish, resource: Resource) -> str:
    return ""


def _mirrored(wish: Wish, resource: Resource) -> str:
    """Since 1.20 Kubernetes gives its slices the labels of their Service (kubernetes#94443), and `v1` came
    with 1.21: so the selector of services selects their slices too."""
    return wish.selector if (resource.group, resource.version) == ("discovery.k8s.io", "v1") else ""


class Kind(NamedTuple):
    """`versions`: the best first; `missing`: what there is not without it; `optional`: a server that does not
    know it has none of it; `name`: where that of the resource is not enough."""

    versions: tuple[Resource, ...]
    missing: str
    when: Callable[[Wish], bool] = _always
    labels: Callable[[Wish, Resource], str] = _nothing
    fields: str = ""
    decides: bool = False
    optional: bool = False
    name: str = ""


def _versions(group: str, plural: str, kind: str, namespaced: bool = True) -> tuple[Resource, ...]:
    return tuple(Resource(group, one, plural, kind, namespaced) for one in exports.VERSIONS)


SERVICES = Kind(
    (Resource("", "v1", "services", "Service"),),
    "none of its services is taken up",
    labels=lambda wish, _: wish.selector,
    decides=True,
)
SLICES = Kind(
    (
        Resource("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice"),
        Resource("discovery.k8s.io", "v1beta1", "endpointslices", "EndpointSlice"),
        Resource("", "v1", "endpoints", "Endpoints"),
    ),
    "the readiness of its services is unknown",
    labels=_mirrored,
)
OTHERS = Kind(
    SLICES.versions[:1],
    "the readiness of services whose slices Kubernetes does not make is unknown",
    when=lambda wish: bool(wish.selector),
    labels=lambda _, __: f"{MANAGER}!=endpointslice-controller.k8s.io",
    optional=True,
    name="endpointslices of others",
)
"""Slices that others make need not have the labels of a Service; there are few of them."""
NODES = Kind((Resource("", "v1", "nodes", "Node", False),), "region and zones are those of the configuration")
NAMESPACES = Kind(
    (Resource("", "v1", "namespaces", "Namespace", False),),
    "none of its services is taken up, because `namespaces` is to decide",
    when=lambda wish: bool(wish.namespaces),
    labels=lambda wish, _: wish.namespaces,
    decides=True,
)
EXPORTS = Kind(
    _versions("multicluster.x-k8s.io", "serviceexports", "ServiceExport"),
    "none of its services is taken up, because `exports` is to decide",
    when=lambda wish: wish.exports,
    decides=True,
)
OFFERS = Kind(
    EXPORTS.versions,
    "none of its services is in the cluster set",
    when=lambda wish: wish.clusterset and not wish.exports,
    optional=True,
)
IMPORTS = Kind(
    _versions("multicluster.x-k8s.io", "serviceimports", "ServiceImport"),
    "its addresses for services of the cluster set are unknown",
    when=lambda wish: wish.clusterset,
    optional=True,
)
PROPERTIES = Kind(
    _versions("about.k8s.io", "clusterproperties", "ClusterProperty", False),
    "its name in its cluster set is unknown",
    when=lambda wish: wish.exports or wish.clusterset,
    fields=f"metadata.name={exports.PROPERTY}",
    optional=True,
)
ALL = (SERVICES, SLICES, OTHERS, NODES, NAMESPACES, EXPORTS, OFFERS, IMPORTS, PROPERTIES)


def wanted(wish: Wish) -> tuple[Kind, ...]:
    """The rows that are needed; services and their slices come first."""
    return tuple(kind for kind in ALL if kind.when(wish))


def kinds(wish: Wish) -> Mapping[tuple[str, str], objects.Kind]:
    """How the objects of a directory are read."""
    if wish.clusterset:
        return {**inward.ALL, **exports.KINDS}
    return inward.PUBLISHED if wish.inside else backends.KINDS if wish.endpoints else objects.KINDS


def shape(resource: Resource, wish: Wish = ANY) -> objects.Kind:
    """How an object that is watched is read."""
    name = (resource.api_version, resource.kind)
    return kinds(wish).get(name) or exports.KINDS.get(name) or scope.KINDS[name]
