"""What sources hand over: one small frozen value per kind of news.

Law: a source publishes whole facts (`ProbeChange` alone is a difference) and says which services
(`namespace/name`) differ; `touched` None means any may. Problems travel the same road, replacing
all earlier problems of the same source name; an empty tuple takes them back.
"""

from collections.abc import Callable, Mapping

from msgspec import Struct

from fedns.errors import Problem
from fedns.model.facts import Hostname, MemberFacts, Order, Passive, ProbeCount
from fedns.model.ingress import Said
from fedns.model.policy import TrafficPolicy
from fedns.sources.registrations import Registered

Target = tuple[str, str]
"""A shard as probes see it: (member, `namespace/name`)."""


class MemberChange(Struct, frozen=True):
    """A member's facts as a whole; `touched` None also when its region or zones differ."""

    facts: MemberFacts
    touched: frozenset[str] | None


class PolicyChange(Struct, frozen=True):
    """All policies of the fleet by `namespace/name` of the service they aim at, or `*`. `whole` False: they
    could not be read yet, and what was known before stays."""

    policies: Mapping[str, TrafficPolicy]
    touched: frozenset[str] | None
    whole: bool = True


class IngressChange(Struct, frozen=True):
    """All that the fleet says about HTTP routing. `whole` False: it could not be read yet, and what was known
    before stays."""

    said: Said
    whole: bool = True


class ZoneFacts(Struct, frozen=True):
    """One static zone. Names are lower-case uncompressed wire; rrsets are (owner, type, ttl, rdatas),
    rdata uncompressed wire, sorted by owner then type; `path` is the file it came from."""

    origin: bytes
    rrsets: tuple[tuple[bytes, int, int, tuple[bytes, ...]], ...]
    path: str


class ZonesChange(Struct, frozen=True):
    """All static zones by origin text (`acme.com.`, lower case). `whole` False: a directory could not be
    read yet, and what else was known before stays."""

    zones: Mapping[str, ZoneFacts]
    whole: bool = True


class OrdersChange(Struct, frozen=True):
    """All operator's orders, expired ones removed, sorted."""

    orders: tuple[Order, ...]


class ProbeChange(Struct, frozen=True):
    """The counts that differ; None: no longer probed. `touched` are the services concerned."""

    results: Mapping[Target, ProbeCount | None]
    touched: frozenset[str]


class PassiveChange(Struct, frozen=True):
    """What gateways saw, where it differs; None: nothing bad. `touched` are the services concerned."""

    results: Mapping[Target, Passive | None]
    touched: frozenset[str]


class HostnameChange(Struct, frozen=True):
    """All load-balancer hostnames asked about; `touched` are the hostnames (not services) that differ."""

    hostnames: Mapping[str, Hostname]
    touched: frozenset[str]


class GeodataChange(Struct, frozen=True):
    """The geographic database to use; empty: there is none."""

    path: str


class RosterChange(Struct, frozen=True):
    """All members that the fleet registers, by name. `whole` False: they could not be read yet, and those of
    before a restart stay."""

    members: Mapping[str, Registered]
    whole: bool = True


class MemberGone(Struct, frozen=True):
    """Somebody took a member out of the fleet; its facts are no more."""

    name: str


class ProblemsChange(Struct, frozen=True):
    """All problems that `source` (`member:NAME`, `fleet`, `zones`, `orders`) has now, sorted."""

    source: str
    problems: tuple[Problem, ...]


Change = (
    MemberChange
    | PolicyChange
    | IngressChange
    | ZonesChange
    | OrdersChange
    | ProbeChange
    | PassiveChange
    | HostnameChange
    | GeodataChange
    | RosterChange
    | MemberGone
    | ProblemsChange
)
Publish = Callable[[Change], None]
