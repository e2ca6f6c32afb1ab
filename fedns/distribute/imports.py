"""A service of the cluster set -> the objects that tell of it in a member: ServiceImport and EndpointSlices.

Law: pure; Multi-Cluster Services API (KEP 1645), group multicluster.x-k8s.io. A slice has endpoints of one
cluster; its name says of which, and ends in a digest, because a-b of c and a of b-c would read the same. No
clusterset IP is given out here: `ips` are never written, so those that somebody else gave stay.
"""

import hashlib
import ipaddress
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from fedns.distribute import rights
from fedns.kube.resource import Resource
from fedns.model.clusterset import Merged, Offer
from fedns.model.facts import Backend, ShardFacts

GROUP = rights.MULTICLUSTER
VERSIONS = ("v1", "v1beta1")
"""What came before has other fields, and a server refuses those that it does not know."""
EXPORTS = tuple(Resource(GROUP, version, "serviceexports", "ServiceExport") for version in VERSIONS)
IMPORTS = tuple(Resource(GROUP, version, "serviceimports", "ServiceImport") for version in VERSIONS)
SLICES = (Resource("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice"),)
SERVICE, SOURCE = "multicluster.kubernetes.io/service-name", "multicluster.kubernetes.io/source-cluster"
MANAGER = "endpointslice.kubernetes.io/managed-by"
MANAGED = {**rights.MANAGED, MANAGER: "fedns.io"}
MOST = 100
"""Endpoints of one slice, as Kubernetes' own have."""
LONGEST, VALUE = 253, 63
"""Characters of a name, and of the value of a label."""
FIELDS = (
    "ports",
    "type",
    "sessionAffinity",
    "sessionAffinityConfig",
    "ipFamilies",
    "internalTrafficPolicy",
    "trafficDistribution",
)
"""What of a ServiceImport's spec is ours to say."""

Object = dict[str, Any]


def service_import(key: str, found: Merged) -> Object:
    """The ServiceImport, whichever member it is made in."""
    space, _, name = key.partition("/")
    notes = {"annotations": dict(found.annotations)} if found.annotations else {}
    labels = {**dict(found.labels), **rights.MANAGED}
    return {
        "metadata": {"name": name, "namespace": space, "labels": labels, **notes},
        "spec": dict(_spec(found)),
    }


def _spec(found: Merged) -> Iterator[tuple[str, Any]]:
    traffic = found.traffic
    yield "type", "Headless" if found.headless else "ClusterSetIP"
    yield "ports", [_port(one) for one in found.offers]
    if traffic.families:
        yield "ipFamilies", list(traffic.families)
    if not found.headless:
        yield "sessionAffinity", traffic.affinity
        if traffic.affinity_seconds:
            yield "sessionAffinityConfig", {"clientIP": {"timeoutSeconds": traffic.affinity_seconds}}
    if traffic.internal:
        yield "internalTrafficPolicy", traffic.internal
    if traffic.distribution:
        yield "trafficDistribution", traffic.distribution


def _port(one: Offer) -> Object:
    named = {"name": one.port.name} if one.port.name else {}
    return {**named, "protocol": one.port.protocol.upper(), "port": one.port.number, **_spoken(one)}


def _spoken(one: Offer) -> Object:
    return {"appProtocol": one.spoken} if one.spoken else {}


def slices(key: str, cluster: str, shard: ShardFacts) -> dict[str, Object]:
    """Those of one exporting cluster, by name; none where it has no endpoints, or a name too long for a
    label."""
    inside = shard.inside
    if len(cluster) > VALUE or inside is None or not inside.backends:
        return {}
    space, _, name = key.partition("/")
    labels = {**MANAGED, SERVICE: name, SOURCE: cluster}
    spoken = inside.protocols or ("",) * len(shard.ports)
    known = {port.name: Offer(port, told) for port, told in zip(shard.ports, spoken, strict=False)}
    found = {}
    for family, groups in _families(inside.backends):
        for number, (ports, group) in enumerate(groups, 1):
            called = _called(name, cluster, f"{family}-{number}")
            found[called] = {
                "metadata": {"name": called, "namespace": space, "labels": labels},
                "addressType": family,
                "endpoints": [_endpoint(one) for one in group],
                "ports": list(_ports(ports, known)),
            }
    return found


Group = tuple[tuple[tuple[str, int], ...], tuple[Backend, ...]]
"""Ports, and endpoints that listen there."""


def _families(backends: Iterable[Backend]) -> Iterator[tuple[str, list[Group]]]:
    found: dict[str, dict[tuple[tuple[str, int], ...], list[Backend]]] = {"IPv4": {}, "IPv6": {}}
    for one in backends:
        family = f"IPv{ipaddress.ip_address(one.address).version}"
        found[family].setdefault(one.ports, []).append(one)
    for family, groups in found.items():
        rows = sorted(groups.items())
        yield family, [(ports, part) for ports, group in rows for part in _parts(sorted(group))]


def _parts(group: list[Backend]) -> Iterator[tuple[Backend, ...]]:
    for at in range(0, len(group), MOST):
        yield tuple(group[at : at + MOST])


def _endpoint(one: Backend) -> Object:
    hostname = {"hostname": one.hostname} if one.hostname else {}
    zone = {"zone": one.zone} if one.zone else {}
    return {"addresses": [one.address], "conditions": {"ready": one.ready}, **hostname, **zone}


def _ports(ports: Iterable[tuple[str, int]], known: Mapping[str, Offer]) -> Iterator[Object]:
    for name, number in ports:
        one = known.get(name)
        protocol = one.port.protocol.upper() if one is not None else "TCP"
        yield {"name": name, "protocol": protocol, "port": number, **(_spoken(one) if one else {})}


def _called(service: str, cluster: str, part: str) -> str:
    """`imported-my-svc-cluster-b-1f2e3d4c-ipv4-1`."""
    digest = hashlib.blake2b(f"{service}/{cluster}".encode(), digest_size=4).hexdigest()
    tail = f"-{digest}-{part.lower()}"
    return f"imported-{service}-{cluster}"[: LONGEST - len(tail)].rstrip("-.") + tail


def told(one: Mapping[str, Any]) -> Any:
    """What of a ServiceImport is ours to say."""
    spec = one.get("spec") or {}
    meta = one.get("metadata") or {}
    shown = {name: spec[name] for name in FIELDS if name in spec}
    return [shown, meta.get("labels") or {}, meta.get("annotations") or {}]


def placed(one: Mapping[str, Any]) -> Any:
    """What of an EndpointSlice is ours to say."""
    labels = (one.get("metadata") or {}).get("labels") or {}
    return [labels, one.get("addressType"), one.get("endpoints") or [], one.get("ports") or []]


def whose(one: Mapping[str, Any]) -> tuple[str, tuple[str, ...]]:
    """The service of a ServiceImport, and the clusters that it came from."""
    meta, status = one["metadata"], one.get("status") or {}
    rows = status.get("clusters") or ()
    return f"{meta.get('namespace', '')}/{meta['name']}", tuple(str(row.get("cluster")) for row in rows)


def part_of(one: Mapping[str, Any]) -> tuple[str, tuple[str, ...]]:
    """The service of an EndpointSlice, and the cluster that it came from."""
    meta = one["metadata"]
    labels = meta.get("labels") or {}
    return f"{meta.get('namespace', '')}/{labels.get(SERVICE, '')}", (str(labels.get(SOURCE, "")),)
