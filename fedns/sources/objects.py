"""Kubernetes objects as the sources read them: a table of kinds, each only the fields we use.

Law: pure. `KINDS` maps (apiVersion, kind) to the shape to decode and the function that strips
the decoded object to a small frozen value; a strip returns None for objects that do not concern
us and raises `WrongShape` (message ends in the field path, like msgspec's) for bad values.
"""

import datetime
import math
import re
import socket
import sys
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from msgspec import Struct

from fedns.model.facts import Port

PUBLISH = "fedns.io/publish"
WORKLOAD = "fedns.io/workload"
"""Where the pods of a copied Service are, as who copied it says."""
PARTING = "fedns.io/parting"
"""Since when clients of a Service are sent to others, as who copied it says."""
H2C = "kubernetes.io/h2c"
ADDRESSES = "fedns.io/addresses"
ZONE_LABELS = ("topology.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/zone")
REGION_LABELS = ("topology.kubernetes.io/region", "failure-domain.beta.kubernetes.io/region")
LABEL = re.compile(r"(?!.{64})[a-z0-9_]([-a-z0-9_]*[a-z0-9])?\Z")
HOSTNAME = re.compile(r"(?!.{254})(?:[a-z0-9_](?:[-a-z0-9_]{0,61}[a-z0-9_])?(?:\.(?!\Z)|\Z))+\Z")


class WrongShape(ValueError):
    """A value that decodes but cannot be used; the text names the value and the field path."""


def _no_doubt(value: Any) -> str:
    return ""


class Kind(Struct, frozen=True):
    """How one kind is read: the shape msgspec decodes into, what remains of it, and what is odd about that
    (empty: nothing) although it counts. `grouped`: its group tells it from others of the same name;
    `located`: its line in the file is kept."""

    shape: Any
    strip: Callable[[Any], Any]
    doubt: Callable[[Any], str] = _no_doubt
    grouped: bool = False
    located: bool = False


def require(good: bool, what: str, field: str) -> None:
    """WrongShape that names a field of `spec`, unless all is well; one that begins with a dot is somewhere
    below it (as JSONPath has it: `$.spec..field`)."""
    if not good:
        raise WrongShape(f"{what} - at `$.spec.{field}`")


def plain(value: Any) -> Any:
    """The same as JSON would have it, each value in one place. WrongShape: it has no word for that."""
    if isinstance(value, dict):
        return {_name(key): plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [plain(each) for each in value]
    if isinstance(value, datetime.datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, datetime.date):
        return value.isoformat()
    sound = value is None or isinstance(value, str | int | float)
    if not sound or (isinstance(value, float) and not math.isfinite(value)):
        raise WrongShape(f"JSON has no word for `{value}`, and API servers take nothing else")
    return value


def _name(key: Any) -> str:
    """A key of a map; `on` and `no` are words for true and false to YAML, as they are to kubectl."""
    if key is None:
        raise WrongShape("a map has a key that is null: in quotes it is text")
    return str(key).lower() if isinstance(key, bool) else str(key)


class Meta(Struct, gc=False):
    name: str
    namespace: str | None = None
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    resourceVersion: str = ""


class _Port(Struct, gc=False):
    port: int
    name: str | None = None
    protocol: str | None = None
    appProtocol: str | None = None


class Spec(Struct, gc=False):
    type: str | None = None
    ports: list[_Port] | None = None
    externalIPs: list[str] | None = None
    selector: dict[str, str] | None = None


class _Ingress(Struct, gc=False):
    ip: str | None = None
    hostname: str | None = None


class _LoadBalancer(Struct, gc=False):
    ingress: list[_Ingress] | None = None


class _Status(Struct, gc=False):
    loadBalancer: _LoadBalancer | None = None


class Service(Struct, gc=False):
    metadata: Meta
    spec: Spec | None = None
    status: _Status | None = None


class Declared(Struct, frozen=True, gc=False):
    """A federated Service: what it publishes. `selects`: its cluster looks for its endpoints; `elsewhere`:
    its workload went to other members, so that it is no shard while it has no endpoints; `parting`: since
    when clients are to leave it (Unix seconds; 0: they need not)."""

    key: str
    addresses: tuple[str, ...]
    hostnames: tuple[str, ...]
    ports: tuple[Port, ...]
    selects: bool = False
    elsewhere: bool = False
    parting: float = 0.0


def declared(service: Service) -> Declared | None:
    meta, spec = service.metadata, service.spec or Spec()
    notes = meta.annotations or {}
    wanted = notes.get(PUBLISH)
    if wanted == "false" or not (wanted == "true" or spec.type == "LoadBalancer" or spec.externalIPs):
        return None
    addresses, hostnames = _published(service.status, spec, notes)
    apart, parting = notes.get(WORKLOAD) == "elsewhere", _since(notes.get(PARTING, ""))
    return Declared(key(meta), addresses, hostnames, ports(spec), bool(spec.selector), apart, parting)


def _since(text: str) -> float:
    """A time as Kubernetes writes it; 0: it is none."""
    try:
        return datetime.datetime.fromisoformat(text).timestamp()
    except ValueError:
        return 0.0


def ports(spec: Spec) -> tuple[Port, ...]:
    return _ports(
        tuple([(port.name, port.protocol, port.port, port.appProtocol == H2C) for port in spec.ports or ()])
    )


def _published(
    status: _Status | None, spec: Spec, notes: Mapping[str, str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    if ADDRESSES in notes:
        path = f"$.metadata.annotations['{ADDRESSES}']"
        given = [part.strip() for part in notes[ADDRESSES].split(",")]
        return _unique(address(text, path) for text in given if text), ()
    balancer = status.loadBalancer if status else None
    addresses, hostnames = [], []
    for ingress in (balancer.ingress if balancer else None) or ():
        if ingress.ip:
            addresses.append(address(ingress.ip, "$.status.loadBalancer.ingress[...].ip"))
        elif ingress.hostname:
            hostnames.append(hostname(ingress.hostname, "$.status.loadBalancer.ingress[...].hostname"))
    addresses += [address(ip, "$.spec.externalIPs[...]") for ip in spec.externalIPs or ()]
    return _unique(addresses), _unique(hostnames)


@lru_cache(maxsize=4096)  # a fleet has few kinds of services: the ports of each are kept once
def _ports(rows: tuple[tuple[str | None, str | None, int, bool], ...]) -> tuple[Port, ...]:
    return tuple(_port(row, at) for at, row in enumerate(rows))


def _port(row: tuple[str | None, str | None, int, bool], at: int) -> Port:
    named, protocol, number, h2c = row
    name = (named or "").lower()
    if name and not LABEL.match(name):
        raise WrongShape(f"`{name}` cannot be part of a DNS name - at `$.spec.ports[{at}].name`")
    if not 0 < number < 65536:
        raise WrongShape(f"{number} is no port - at `$.spec.ports[{at}].port`")
    return Port(sys.intern(name), sys.intern((protocol or "TCP").lower()), number, h2c)


class Endpoint(Struct, frozen=True, gc=False):
    """One backend. `identity` is its pod where known, so that two address families count once."""

    identity: int
    zone: str
    node: str
    ready: bool
    serving: bool
    terminating: bool


class Slice(Struct, frozen=True, gc=False):
    """Backends of one service from one EndpointSlice (`legacy` False) or Endpoints object."""

    key: str
    endpoints: tuple[Endpoint, ...]
    legacy: bool = False


class Placed(Slice, frozen=True, gc=False):
    """One that tells where its backends are: an address of each, and the ports of all by name."""

    addresses: tuple[str, ...] = ()
    ports: tuple[tuple[str, int], ...] = ()


class _Conditions(Struct, gc=False):
    ready: bool | None = None
    serving: bool | None = None
    terminating: bool | None = None


class _Ref(Struct, gc=False):
    name: str | None = None


class Addressed(Struct, gc=False):
    addresses: list[str] | None = None
    conditions: _Conditions | None = None
    zone: str | None = None
    nodeName: str | None = None
    topology: dict[str, str] | None = None
    targetRef: _Ref | None = None


class Sliced(Struct, gc=False):
    metadata: Meta
    endpoints: list[Addressed] | None = None


def sliced(found: Sliced) -> Slice | None:
    service = (found.metadata.labels or {}).get("kubernetes.io/service-name")
    if not service:
        return None
    about = f"{found.metadata.namespace or 'default'}/{service}"
    return Slice(sys.intern(about), tuple(_endpoint(one) for one in found.endpoints or () if one.addresses))


def _endpoint(one: Addressed) -> Endpoint:
    conditions = one.conditions or _Conditions()
    topology = one.topology or {}
    zone = one.zone or _first(topology, ZONE_LABELS)
    node = one.nodeName or topology.get("kubernetes.io/hostname", "")
    ready = conditions.ready is not False  # nil means ready (discovery/v1 EndpointConditions)
    serving = ready if conditions.serving is None else conditions.serving
    pod = one.targetRef.name if one.targetRef else None
    identity = hash(pod or (one.addresses or [""])[0])
    terminating = bool(conditions.terminating)
    return Endpoint(identity, sys.intern(zone), sys.intern(node), ready, serving, terminating)


class Address(Struct, gc=False):
    ip: str
    nodeName: str | None = None
    targetRef: _Ref | None = None


class Subset(Struct, gc=False):
    addresses: list[Address] | None = None
    notReadyAddresses: list[Address] | None = None


class Endpoints(Struct, gc=False):
    metadata: Meta
    subsets: list[Subset] | None = None


def legacy(found: Endpoints) -> Slice:
    backends: list[Endpoint] = []
    for subset in found.subsets or ():
        for ready, addresses in ((True, subset.addresses), (False, subset.notReadyAddresses)):
            backends += [_legacy(one, ready) for one in addresses or ()]
    return Slice(key(found.metadata), tuple(backends), legacy=True)


def _legacy(one: Address, ready: bool) -> Endpoint:
    pod = one.targetRef.name if one.targetRef else None
    return Endpoint(hash(pod or one.ip), "", sys.intern(one.nodeName or ""), ready, ready, False)


class _Condition(Struct, gc=False):
    type: str
    status: str


class _NodeStatus(Struct, gc=False):
    conditions: list[_Condition] | None = None


class _Node(Struct, gc=False):
    metadata: Meta
    status: _NodeStatus | None = None


class Node(Struct, frozen=True, gc=False):
    """A member's machine: where it is (empty where its labels do not say) and whether it is Ready."""

    name: str
    region: str
    zone: str
    ready: bool


def _node(found: _Node) -> Node:
    labels = found.metadata.labels or {}
    conditions = (found.status.conditions if found.status else None) or ()
    ready = any(one.type == "Ready" and one.status == "True" for one in conditions)
    region, zone = _first(labels, REGION_LABELS), _first(labels, ZONE_LABELS)
    return Node(sys.intern(found.metadata.name), sys.intern(region), sys.intern(zone), ready)


def address(text: str, path: str) -> str:
    """`text` as a canonical IP literal, or WrongShape naming `path`."""
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            return socket.inet_ntop(family, socket.inet_pton(family, text))
        except (OSError, ValueError):
            continue
    raise WrongShape(f"`{text}` is no IP address - at `{path}`")


def hostname(text: str, path: str) -> str:
    """`text` as a lower-case host name without the last dot, or WrongShape naming `path`."""
    name = text.lower().removesuffix(".")
    if not HOSTNAME.match(name):
        raise WrongShape(f"`{text}` is no host name - at `{path}`")
    return name


def key(meta: Meta) -> str:
    return _named(meta.namespace or "default", meta.name)


@lru_cache(maxsize=1 << 15)  # the same names come from every member
def _named(namespace: str, name: str) -> str:
    for part, path in ((namespace, "namespace"), (name, "name")):
        if not LABEL.match(part):
            raise WrongShape(f"`{part}` cannot be part of a DNS name - at `$.metadata.{path}`")
    return sys.intern(f"{namespace}/{name}")


def _first(labels: Mapping[str, str], names: tuple[str, ...]) -> str:
    return next((labels[name] for name in names if labels.get(name)), "")


def _unique(items: Any) -> tuple[str, ...]:
    return tuple(dict.fromkeys(items))


KINDS: Mapping[tuple[str, str], Kind] = {
    ("v1", "Service"): Kind(Service, declared),
    ("discovery.k8s.io/v1", "EndpointSlice"): Kind(Sliced, sliced),
    ("discovery.k8s.io/v1beta1", "EndpointSlice"): Kind(Sliced, sliced),
    ("v1", "Endpoints"): Kind(Endpoints, legacy),
    ("v1", "Node"): Kind(_Node, _node),
}
