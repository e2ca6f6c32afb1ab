"""Ingresses, their classes and Secrets as sources read them: a table of kinds, each only the fields we use.

Law: pure. Annotations are taken word for word: what they mean is not a source's business. Secrets that a
gateway has no use for are left where they are.
"""

import base64
import binascii
import sys
from collections.abc import Mapping
from datetime import UTC, datetime

from msgspec import Struct

from fedns.model import ingress
from fedns.sources.objects import Kind, Meta, WrongShape

CLASS = "kubernetes.io/ingress.class"
DEFAULT_CLASS = "ingressclass.kubernetes.io/is-default-class"
UNUSED = frozenset(
    (
        "kubernetes.io/service-account-token",
        "kubernetes.io/dockercfg",
        "kubernetes.io/dockerconfigjson",
        "kubernetes.io/ssh-auth",
        "bootstrap.kubernetes.io/token",
        "helm.sh/release.v1",
    )
)
"""Types of Secrets that no Ingress names."""
MOST = 1 << 20
"""Octets of one Secret; API servers take no larger ones."""
KINDS_OF_PATHS: Mapping[str, ingress.Kind] = {
    "Exact": "Exact",
    "Prefix": "Prefix",
    "ImplementationSpecific": "ImplementationSpecific",
}


class _Created(Meta):
    creationTimestamp: str | None = None


class _PortRef(Struct, gc=False):
    name: str | None = None
    number: int | None = None


class _ServiceRef(Struct, gc=False):
    name: str
    port: _PortRef | None = None


class _Backend(Struct, gc=False):
    service: _ServiceRef | None = None


class _Path(Struct, gc=False):
    backend: _Backend
    path: str | None = None
    pathType: str | None = None


class _Http(Struct, gc=False):
    paths: list[_Path] | None = None


class _Rule(Struct, gc=False):
    host: str | None = None
    http: _Http | None = None


class _Tls(Struct, gc=False):
    hosts: list[str] | None = None
    secretName: str | None = None


class _Spec(Struct, gc=False):
    ingressClassName: str | None = None
    defaultBackend: _Backend | None = None
    rules: list[_Rule] | None = None
    tls: list[_Tls] | None = None


class _Ingress(Struct, gc=False):
    metadata: _Created
    spec: _Spec | None = None


def _ingress(found: _Ingress) -> ingress.Ingress:
    meta, spec = found.metadata, found.spec or _Spec()
    notes = meta.annotations or {}
    default = spec.defaultBackend
    return ingress.Ingress(
        sys.intern(meta.namespace or "default"),
        meta.name,
        _seconds(meta.creationTimestamp),
        notes.get(CLASS) or spec.ingressClassName or "",
        {key: text for key, text in notes.items() if not key.startswith("kubectl.kubernetes.io/")},
        tuple(_rule(rule, at) for at, rule in enumerate(spec.rules or ())),
        None if default is None else _backend(default, "$.spec.defaultBackend"),
        tuple(ingress.Tls(tuple(each.hosts or ()), each.secretName or "") for each in spec.tls or ()),
    )


def _seconds(text: str | None) -> float:
    """Unix seconds of an RFC 3339 time; 0 where there is none."""
    if not text:
        return 0.0
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise WrongShape(f"`{text}` is no time - at `$.metadata.creationTimestamp`") from None
    return when.replace(tzinfo=when.tzinfo or UTC).timestamp()


def _rule(rule: _Rule, at: int) -> ingress.Rule:
    paths = (rule.http.paths if rule.http else None) or ()
    where = f"$.spec.rules[{at}].http.paths"
    return ingress.Rule(rule.host or "", tuple(_path(each, f"{where}[{n}]") for n, each in enumerate(paths)))


def _path(path: _Path, where: str) -> ingress.Path:
    kind = KINDS_OF_PATHS.get(path.pathType or "ImplementationSpecific")
    if kind is None:
        raise WrongShape(f"`{path.pathType}` is no type of paths - at `{where}.pathType`")
    return ingress.Path(path.path or "/", kind, _backend(path.backend, f"{where}.backend"))


def _backend(backend: _Backend, where: str) -> ingress.Backend:
    service = backend.service
    if service is None:
        raise WrongShape(f"a backend that is no Service cannot be served - at `{where}`")
    port = service.port or _PortRef()
    number = "" if port.number is None else str(port.number)
    return ingress.Backend(sys.intern(service.name), sys.intern(port.name or number))


class _ClassSpec(Struct, gc=False):
    controller: str = ""


class _Class(Struct, gc=False):
    metadata: Meta
    spec: _ClassSpec | None = None


def _class(found: _Class) -> ingress.IngressClass:
    default = (found.metadata.annotations or {}).get(DEFAULT_CLASS) == "true"
    return ingress.IngressClass(found.metadata.name, (found.spec or _ClassSpec()).controller, default)


class _Secret(Struct, gc=False):
    metadata: Meta
    type: str = "Opaque"
    data: dict[str, str] | None = None
    stringData: dict[str, str] | None = None


def _secret(found: _Secret) -> ingress.Secret | None:
    if found.type in UNUSED:
        return None
    data = {key: _octets(text, key) for key, text in (found.data or {}).items()}
    data |= {key: text.encode() for key, text in (found.stringData or {}).items()}
    if sum(map(len, data.values())) > MOST:
        raise WrongShape(f"a Secret of over {MOST >> 20} MiB - at `$.data`")
    return ingress.Secret(found.metadata.namespace or "default", found.metadata.name, found.type, data)


def _octets(text: str, key: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise WrongShape(f"not base64 - at `$.data['{key}']`") from None


KINDS: Mapping[tuple[str, str], Kind] = {
    ("networking.k8s.io/v1", "Ingress"): Kind(_Ingress, _ingress),
    ("networking.k8s.io/v1", "IngressClass"): Kind(_Class, _class),
    ("v1", "Secret"): Kind(_Secret, _secret),
}
