"""`MemberCluster` objects (fedns.io/v1alpha1), and the Secrets that they name -> who is a member, and how it
is reached.

Law: pure. What cannot be meant is a `WrongShape` that names the field: what was known of that member stays.
Secrets are found by their label, so that no other Secret of the namespace ever comes here.
"""

import base64
import binascii
import ipaddress
import re
from collections.abc import Mapping
from typing import Literal
from urllib.parse import urlsplit

from msgspec import Struct

from fedns import schema
from fedns.kube.resource import Resource
from fedns.sources import objects
from fedns.values import Taint, taint

MEMBERS = Resource("fedns.io", "v1alpha1", "memberclusters", "MemberCluster", False)
SECRETS = Resource("", "v1", "secrets", "Secret")
LABEL = "fedns.io/credentials"
"""Key of the label of Secrets with the credentials of a member."""
VALUE = "member"
"""Its value."""
TOKEN, CERTIFICATE, KEY = "token", "tls.crt", "tls.key"
"""Keys of such a Secret."""
LONGEST = 1 << 20
"""Octets of a bundle of certificates; etcd takes no more than 1.5 MiB of an object."""
Gateway = Literal["endpoints", "addresses"]
"""What a gateway goes to: endpoints of services, or what they publish."""
_PEM = re.compile(rb"-----BEGIN [A-Z ]+-----\s[^-]+-----END [A-Z ]+-----")
_PLACE = re.compile(r"(?!.{64})[a-z0-9]([-a-z0-9]*[a-z0-9])?\Z")


class Registration(Struct, frozen=True):
    """A member as the fleet registers it. `ca` is PEM (empty: the system's), `secret` the name of a Secret in
    the fleet's namespace; selectors as the API has them; by `aliases`, `provider` and `taints` policies that
    distribute know it too. `generation` is that of the object."""

    name: str
    server: str
    secret: str
    ca: str = ""
    server_name: str = ""
    region: str = ""
    zones: tuple[str, ...] = ()
    labels: Mapping[str, str] = {}
    clients: tuple[str, ...] = ()
    gateway: Gateway = "endpoints"
    selector: str = ""
    namespaces: str = ""
    exports: bool = False
    aliases: tuple[str, ...] = ()
    provider: str = ""
    taints: tuple[Taint, ...] = ()
    generation: int = 0


class Credentials(Struct, frozen=True):
    """Who we are to a member: a token, or a certificate and its key, `pair`, as one PEM."""

    token: str = ""
    pair: str = ""

    def __repr__(self) -> str:
        return "Credentials(...)"  # in no log, in no traceback


class Registered(Struct, frozen=True):
    """A member that can be asked."""

    told: Registration
    credentials: Credentials


class _Meta(objects.Meta, gc=False):
    generation: int = 0


class _Ref(Struct, gc=False):
    name: str


class _Spec(Struct, rename="camel", gc=False):
    server: str
    secret_ref: _Ref
    ca_bundle: str = ""
    tls_server_name: str = ""
    region: str = ""
    zones: tuple[str, ...] = ()
    clients: tuple[str, ...] = ()
    gateway: Gateway = "endpoints"
    selector: str = ""
    namespaces: str = ""
    exports: bool = False
    aliases: tuple[str, ...] = ()
    provider: str = ""
    taints: tuple[str, ...] = ()


class _Member(Struct, gc=False):
    metadata: _Meta
    spec: _Spec


class _Secret(Struct, gc=False):
    metadata: _Meta
    data: dict[str, str] | None = None


def _registration(found: _Member) -> Registration:
    meta, spec = found.metadata, found.spec
    name = objects.hostname(meta.name, "$.metadata.name")
    return Registration(
        name=name,
        server=_server(spec.server),
        secret=spec.secret_ref.name,
        ca=_bundle(spec.ca_bundle, "$.spec.caBundle") if spec.ca_bundle else "",
        server_name=spec.tls_server_name,
        region=_place(spec.region, "$.spec.region") if spec.region else "",
        zones=tuple(_place(zone, "$.spec.zones[...]") for zone in spec.zones),
        labels=meta.labels or {},
        clients=tuple(map(_network, spec.clients)),
        gateway=spec.gateway,
        selector=spec.selector,
        namespaces=spec.namespaces,
        exports=spec.exports,
        aliases=spec.aliases,
        provider=spec.provider,
        taints=tuple(map(_taint, spec.taints)),
        generation=meta.generation,
    )


def _server(text: str) -> str:
    try:
        found = urlsplit(text)
        good = found.scheme == "https" and found.hostname and (found.port is None or found.port > 0)
    except ValueError:
        good = False
    if not good or found.query or found.fragment or found.username is not None or text != text.strip():
        raise objects.WrongShape(f"`{text}` is no URL like https://HOST:PORT - at `$.spec.server`")
    return text.rstrip("/")


def _bundle(text: str, path: str) -> str:
    data = _decoded(text, path)
    if not _PEM.search(data) or len(data) > LONGEST:
        raise objects.WrongShape(f"this is no PEM - at `{path}`")
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise objects.WrongShape(f"this is no text - at `{path}`") from None


def _decoded(text: str, path: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise objects.WrongShape(f"this is no base64 - at `{path}`") from None


def _place(text: str, path: str) -> str:
    if not _PLACE.match(text):
        raise objects.WrongShape(f"`{text}` is not a DNS label - at `{path}`")
    return text


def _network(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text))
    except ValueError as error:
        raise objects.WrongShape(f"`{text}` is not a prefix: {error} - at `$.spec.clients[...]`") from None


def _taint(text: str) -> Taint:
    try:
        return taint(text, schema.Reader(""))
    except schema.Bad as error:
        raise objects.WrongShape(f"{error.what}: {error.hint} - at `$.spec.taints[...]`") from None


def _credentials(found: _Secret) -> Credentials:
    data = found.data or {}
    if data.get(TOKEN):
        token = _decoded(data[TOKEN], f"$.data.{TOKEN}").strip()
        if not token or not token.isascii() or len(token.split()) > 1:
            raise objects.WrongShape(f"this is no token - at `$.data.{TOKEN}`")
        return Credentials(token=token.decode())
    if data.get(CERTIFICATE) and data.get(KEY):
        parts = (_bundle(data[name], f"$.data['{name}']") for name in (CERTIFICATE, KEY))
        return Credentials(pair="\n".join(parts))
    raise objects.WrongShape(f"there is no `{TOKEN}`, nor `{CERTIFICATE}` and `{KEY}` - at `$.data`")


KINDS: Mapping[Resource, objects.Kind] = {
    MEMBERS: objects.Kind(_Member, _registration),
    SECRETS: objects.Kind(_Secret, _credentials),
}
