"""The part of `fedns.yaml` about the names that pods ask for: `inside`, the cluster domain.

Law: it is served as soon as anybody is known to be inside a member, or it is written; `enabled` has the last
word.
"""

from typing import Literal

from msgspec import Struct

from fedns import schema
from fedns.dns import inside
from fedns.values import Host

DOMAIN = "cluster.local"


class Inside(Struct, frozen=True):
    """The cluster domain. `style: cname` answers as kube-dns did, by an alias of the local service or of the
    nearest federated name; `rewrite` as CoreDNS' federation plugin, with its own addresses."""

    domain: Host = ""
    style: Literal["cname", "rewrite"] = "cname"
    enabled: bool | None = None

    @property
    def written(self) -> bool:
        """Whether it is to be served though nobody is known to be inside a member."""
        return self != Inside() if self.enabled is None else self.enabled


def check(told: Inside, domain: str, reader: schema.Reader) -> None:
    """What one value cannot say about itself."""
    if (told.domain or DOMAIN) == domain:
        hint = f"write the one that pods have in /etc/resolv.conf, by default {DOMAIN}"
        reader.bad(("inside", "domain"), f"the cluster domain {domain} is the federation's domain too", hint)


def kinds(told: Inside) -> tuple[inside.Kind, ...]:
    if told.enabled is False:
        return ()
    return (inside.Kind(inside.Settings(told.domain or DOMAIN, told.style, told.written)),)
