"""What the fleet says about HTTP routing: Ingresses, their classes and the secrets they name.

Law: frozen values, stripped to what the gateway compiles, word for word as the user wrote them. An annotation
is judged by the compiler, where a bad one can be a problem with a hint, and not by the source.
"""

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

Kind = Literal["Exact", "Prefix", "ImplementationSpecific"]


class Backend(Struct, frozen=True, gc=False):
    """A Service of the Ingress's namespace. `port` is a number or a name, as text; empty: its first."""

    service: str
    port: str = ""


class Path(Struct, frozen=True, gc=False):
    path: str
    kind: Kind
    backend: Backend


class Rule(Struct, frozen=True, gc=False):
    """`host` empty: any host; `*.` in front: exactly one label."""

    host: str = ""
    paths: tuple[Path, ...] = ()


class Tls(Struct, frozen=True, gc=False):
    """`secret` is of the Ingress's namespace; empty: the default certificate."""

    hosts: tuple[str, ...] = ()
    secret: str = ""


class Ingress(Struct, frozen=True):
    """`created` in Unix seconds: the oldest wins where two claim one path. `klass` is `ingressClassName`, or
    the annotation that came before it. `where` names the object in problems (`file:line`)."""

    namespace: str
    name: str
    created: float = 0.0
    klass: str = ""
    annotations: Mapping[str, str] = {}
    rules: tuple[Rule, ...] = ()
    default: Backend | None = None
    tls: tuple[Tls, ...] = ()
    where: str = ""

    @property
    def key(self) -> str:
        return f"{self.namespace}/{self.name}"


class IngressClass(Struct, frozen=True):
    """`default`: Ingresses that name no class are its own."""

    name: str
    controller: str
    default: bool = False


class Secret(Struct, frozen=True):
    """Contents by key (`tls.crt`, `tls.key`, `ca.crt`, `auth`), decoded; never shown to anybody."""

    namespace: str
    name: str
    kind: str
    data: Mapping[str, bytes]

    def __repr__(self) -> str:
        return f"Secret({self.namespace}/{self.name}, {len(self.data)} keys)"


class Said(Struct, frozen=True):
    """All that the fleet says. `secrets` by `namespace/name`: those that Ingresses name."""

    ingresses: tuple[Ingress, ...] = ()
    classes: tuple[IngressClass, ...] = ()
    secrets: Mapping[str, Secret] = {}


NOTHING = Said()
