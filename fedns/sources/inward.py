"""Services and their slices as they are inside their cluster, which only who answers pods needs to know.

Law: pure. As in `objects` and `backends`; a fleet that serves no such names does not read them. Where a
cluster set is served, every Service is read, for an export of any may come.
"""

import sys
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from msgspec import Struct

from fedns.model.facts import Inside, Traffic
from fedns.sources import backends, objects
from fedns.sources.objects import Declared, Kind, Placed, Slice


class _Client(Struct, gc=False):
    timeoutSeconds: int | None = None


class _Affinity(Struct, gc=False):
    clientIP: _Client | None = None


class _Spec(objects.Spec, gc=False):
    clusterIP: str | None = None
    clusterIPs: list[str] | None = None
    externalName: str | None = None
    publishNotReadyAddresses: bool | None = None
    sessionAffinity: str | None = None
    sessionAffinityConfig: _Affinity | None = None
    internalTrafficPolicy: str | None = None
    trafficDistribution: str | None = None
    ipFamilies: list[str] | None = None


class _Service(objects.Service, gc=False):
    spec: _Spec | None = None


class Inward(Declared, frozen=True, gc=False):
    """A Service. `unready`: its endpoints are told whether they are ready or not."""

    inside: Inside = Inside()
    unready: bool = False


class Hosted(Placed, frozen=True, gc=False):
    """A slice that tells what its endpoints are called."""

    hostnames: tuple[str, ...] = ()


def _every(found: _Service) -> Inward:
    spec = found.spec or _Spec()
    published = objects.declared(found)
    told = published or Declared(
        objects.key(found.metadata), (), (), objects.ports(spec), bool(spec.selector)
    )
    inside = _inside(spec, published is not None)
    unready = bool(spec.publishNotReadyAddresses)
    own = told.addresses, told.hostnames, told.ports, told.selects, told.elsewhere, told.parting
    return Inward(told.key, *own, inside, unready)


def _published(found: _Service) -> Inward | None:
    told = _every(found)
    return told if told.inside.published else None


def _inside(spec: _Spec, published: bool) -> Inside:
    kind = spec.type or "ClusterIP"
    given = spec.clusterIPs or ([spec.clusterIP] if spec.clusterIP else [])
    headless = given == ["None"] and kind != "ExternalName"
    path = "$.spec.clusterIPs[...]"
    numbers = () if headless else tuple(objects.address(text, path) for text in given if text)
    name = ""
    if kind == "ExternalName":
        name = objects.hostname(spec.externalName or "", "$.spec.externalName")
    spoken = tuple(sys.intern(one.appProtocol or "") for one in spec.ports or ())
    return Inside(
        type=sys.intern(kind),
        cluster_ips=numbers,
        headless=headless,
        external_name=name,
        traffic=_traffic(spec),
        protocols=spoken if any(spoken) else (),
        published=published,
    )


def _traffic(spec: _Spec) -> Traffic:
    config = spec.sessionAffinityConfig
    timeout = config.clientIP.timeoutSeconds if config and config.clientIP else None
    families = tuple(spec.ipFamilies or ())
    return _alike(
        Traffic(
            spec.sessionAffinity or "None",
            timeout or 0,
            spec.internalTrafficPolicy or "",
            spec.trafficDistribution or "",
            families,
        )
    )


@lru_cache(maxsize=4096)  # a fleet has few kinds of services
def _alike(value: Traffic) -> Traffic:
    return value


class _Endpoint(objects.Addressed, gc=False):
    hostname: str | None = None


class _Sliced(backends.Sliced):
    endpoints: list[_Endpoint] | None = None  # type: ignore[assignment]


def _slice(found: _Sliced) -> Slice | None:
    known = backends.sliced(found)
    if not isinstance(known, Placed):
        return known
    told = [one for one in found.endpoints or () if one.addresses]
    where = "$.endpoints[{}].hostname"
    return _hosted(known, [_label(one.hostname, where.format(at)) for at, one in enumerate(told)])


class _Address(objects.Address, gc=False):
    hostname: str | None = None


class _Subset(backends.Subset, gc=False):
    addresses: list[_Address] | None = None  # type: ignore[assignment]
    notReadyAddresses: list[_Address] | None = None  # type: ignore[assignment]


class _Endpoints(backends.Endpoints, gc=False):
    subsets: list[_Subset] | None = None  # type: ignore[assignment]


def _legacy(found: _Endpoints) -> Slice:
    known = backends.legacy(found)
    if not isinstance(known, Placed):
        return known
    told = [
        one
        for subset in found.subsets or ()
        for rows in (subset.addresses, subset.notReadyAddresses)
        for one in rows or ()
    ]
    return _hosted(known, [_label(one.hostname, "$.subsets[...].hostname") for one in told])


def _hosted(known: Placed, names: list[str]) -> Placed:
    if not any(names):
        return known
    return Hosted(known.key, known.endpoints, known.legacy, known.addresses, known.ports, tuple(names))


def _label(text: str | None, path: str) -> str:
    name = (text or "").lower()
    if name and not objects.LABEL.match(name):
        raise objects.WrongShape(f"`{name}` cannot be part of a DNS name - at `{path}`")
    return name


_SLICES: Mapping[tuple[str, str], Kind] = {
    ("discovery.k8s.io/v1", "EndpointSlice"): Kind(_Sliced, _slice),
    ("discovery.k8s.io/v1beta1", "EndpointSlice"): Kind(_Sliced, _slice),
    ("v1", "Endpoints"): Kind(_Endpoints, _legacy),
}
PUBLISHED: Mapping[tuple[str, str], Any] = {
    **objects.KINDS,
    **_SLICES,
    ("v1", "Service"): Kind(_Service, _published),
}
ALL: Mapping[tuple[str, str], Any] = {**PUBLISHED, ("v1", "Service"): Kind(_Service, _every)}
"""Those of a member of a cluster set."""
