"""What turns one Ingress's wishes into options: the wishes, what is known of its host, and ways to ask for
more.

Law: the only door from a wish to Services, Secrets and problems; who translates keeps no state.
"""

import re
from collections.abc import Callable
from typing import NamedTuple

from fedns.gateway.annotations import Asked
from fedns.gateway.options import Access, Text
from fedns.model.ingress import Ingress, Secret

_LOCAL = re.compile(r"([a-z0-9-]+)\.([a-z0-9-]+)\.svc(?:\.[a-z0-9.-]+)?(?::([0-9]+))?")


class Refused(Exception):
    """A guard that cannot be met: nobody passes. Says why."""


class Site(NamedTuple):
    """What all Ingresses together say of one host. `tls`: it has a certificate, or is to have one."""

    name: str = ""
    tls: bool = False
    access: Access | None = None


class Wishes(NamedTuple):
    """`pool` makes the key of (`namespace/name`, port) and sees that it is there; `secret` finds one by
    name."""

    ingress: Ingress
    asked: Asked
    site: Site
    path: bytes
    pool: Callable[[str, str], bytes]
    secret: Callable[[str], Secret | None]
    problem: Callable[[str, str], None]

    def service(self, text: str) -> bytes:
        """The pool of a Service as annotations name it."""
        bare, _, port = text.partition(":")
        return self.pool(bare if "/" in bare else f"{self.ingress.namespace}/{bare}", port)

    def local(self, authority: str) -> bytes:
        """The pool of a Service called by its name in cluster DNS; empty when it is none."""
        found = _LOCAL.fullmatch(authority)
        return self.pool(f"{found[2]}/{found[1]}", found[3] or "80") if found else b""

    def service_at(self, url: Text) -> bytes:
        """The pool of a URL whose host is a Service; empty when it is none."""
        kind, text = url[0]
        if kind != "text" or b"://" not in text:
            return b""
        rest = text.partition(b"://")[2]
        host = rest.partition(b"/")[0].partition(b"?")[0]
        return self.local(host.decode()) if len(url) == 1 or len(host) < len(rest) else b""

    def own(self, name: str) -> Secret:
        """A Secret of the Ingress's own namespace, for a guard."""
        namespace, slash, bare = name.rpartition("/")
        if slash and namespace != self.ingress.namespace:
            raise Refused(f"secret {name} is of another namespace")
        found = self.secret(f"{self.ingress.namespace}/{bare}")
        if found is None:
            raise Refused(f"secret {self.ingress.namespace}/{bare} is not there")
        return found
