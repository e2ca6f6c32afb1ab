"""The parts of `fedns.yaml` about what pods ask for: the cluster domain, and the cluster set.

Law: the cluster domain is served as soon as anybody is known to be inside a member, or it is written; the
zone of the cluster set where it is written. `enabled` has the last word.
"""

from ipaddress import ip_address
from typing import Literal

from msgspec import Struct

from fedns import schema
from fedns.dns import clusterset, inside
from fedns.values import Host

DOMAIN, SET = "cluster.local", "clusterset.local"


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


class Clusterset(Struct, frozen=True):
    """The cluster set that the members are. `gateway`: services that have no addresses of their own are
    reached at those that the gateway publishes; `fail_open`: when nothing can serve, what served last is
    told. `write`: imports are made in the members, and exports are told how they fare; `slices`: with the
    endpoints, for pods that can reach those of other members."""

    domain: Host = ""
    enabled: bool | None = None
    gateway: bool = False
    fail_open: bool = False
    write: bool = False
    slices: bool = False

    @property
    def serves(self) -> bool:
        return self != Clusterset() if self.enabled is None else self.enabled


def check(told: Inside, domain: str, reader: schema.Reader) -> None:
    """What one value cannot say about itself."""
    if (told.domain or DOMAIN) == domain:
        hint = f"write the one that pods have in /etc/resolv.conf, by default {DOMAIN}"
        reader.bad(("inside", "domain"), f"the cluster domain {domain} is the federation's domain too", hint)


def kinds(told: Inside) -> tuple[inside.Kind, ...]:
    if told.enabled is False:
        return ()
    return (inside.Kind(inside.Settings(told.domain or DOMAIN, told.style, told.written)),)


def check_set(told: Clusterset, others: tuple[str, ...], reader: schema.Reader) -> None:
    """The same of the cluster set; `others`: domains that are taken."""
    if told.serves and (told.domain or SET) in others:
        what = f"the cluster set's domain {told.domain or SET} is that of other names too"
        reader.bad(("clusterset", "domain"), what, f"write another one, by default {SET}")
    if told.write and not told.serves:
        what = "clusterset.write without the cluster set: nothing would be read that could be written"
        reader.bad(("clusterset", "write"), what, "leave `enabled: false` out")
    if told.slices and not told.write:
        what = "clusterset.slices without clusterset.write"
        reader.bad(("clusterset", "slices"), what, "endpoints are written where imports are")


def sets(told: Clusterset, published: tuple[str, ...]) -> tuple[clusterset.Kind, ...]:
    """`published`: where clients reach the gateway."""
    if not told.serves:
        return ()
    addresses = tuple(filter(_literal, published)) if told.gateway else ()
    return (clusterset.Kind(clusterset.Settings(told.domain or SET, addresses, told.fail_open)),)


def _literal(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
