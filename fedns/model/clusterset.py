"""One service of a cluster set: what its exporting members say, merged (KEP 1645).

Law: pure; the zone of the set and whoever writes ServiceImports read the same. Of members that disagree
the one that exported first is right, by name where that was at once; what nobody contradicts is taken from
all.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from math import inf
from typing import NamedTuple

from fedns.model.facts import Export, Inside, MemberFacts, Port, Traffic
from fedns.model.snapshot import Service, Shard

Imports = tuple[tuple[str, tuple[str, ...]], ...]
"""(member, addresses that it has for the service), by name."""
Pairs = tuple[tuple[str, str], ...]
NOWHERE = Inside()
NEVER = Export()


class Offer(NamedTuple):
    """A port of the set's service. `spoken`: its appProtocol, empty where it has none."""

    port: Port
    spoken: str = ""


class Conflict(NamedTuple):
    """What a member says otherwise than the one that exported first. `reason` as conditions have it."""

    reason: str
    member: str
    detail: str


class Merged(NamedTuple):
    """`exporters`: all that count, the first one first; those of `shards` (by member) are of the type that
    counts. `refused`: members whose export cannot be, an ExternalName. Without exporters there is no service.
    """

    exporters: tuple[Shard, ...] = ()
    shards: tuple[Shard, ...] = ()
    refused: tuple[str, ...] = ()
    headless: bool = False
    offers: tuple[Offer, ...] = ()
    traffic: Traffic = Traffic()
    labels: Pairs = ()
    annotations: Pairs = ()
    conflicts: tuple[Conflict, ...] = ()


NOTHING = Merged()


def merge(service: Service) -> Merged:
    """The service as its set has it."""
    told = [shard for shard in service.shards if _inside(shard).export is not None]
    if not told:
        return NOTHING
    refused = tuple(shard.member for shard in told if _inside(shard).type == "ExternalName")
    exporters = sorted((shard for shard in told if shard.member not in refused), key=_age)
    if not exporters:
        return Merged(refused=refused)
    first = _inside(exporters[0])
    alike = [shard for shard in exporters if _inside(shard).headless == first.headless]
    offers, disputed = _offers(alike)
    export = first.export or NEVER
    return Merged(
        tuple(exporters),
        tuple(sorted(alike, key=lambda shard: shard.member)),
        refused,
        first.headless,
        offers,
        first.traffic,
        export.labels,
        export.annotations,
        (*_differing(exporters), *disputed),
    )


def imports(key: str, members: Iterable[MemberFacts], past: Imports) -> Imports:
    """What members have for a service; one that was not heard yet has what it had."""
    known: Mapping[str, tuple[str, ...]] = dict(past)
    told = ((one.name, one.imports.get(key) if one.read_at else known.get(one.name)) for one in members)
    return tuple((name, addresses) for name, addresses in told if addresses)


def _inside(shard: Shard) -> Inside:
    return shard.facts.inside or NOWHERE


def _age(shard: Shard) -> tuple[float, str]:
    """Oldest first; who does not say since when comes last."""
    export = _inside(shard).export or NEVER
    return export.created or inf, shard.member


def _offers(shards: Sequence[Shard]) -> tuple[tuple[Offer, ...], tuple[Conflict, ...]]:
    """The ports of all, and who has others than the first: a name means one port, a port has one name, and
    one without a name is alone."""
    found: dict[str, Offer] = {}
    owners: dict[str, str] = {}
    conflicts = []
    for shard in shards:
        for offer in _own(shard):
            port = offer.port
            rival = next((each for each in found.values() if _collide(offer, each)), None)
            if rival is None:
                found[port.name] = offer
                owners[port.name] = shard.member
            elif rival != offer:
                detail = f"{_shown(offer)}, and {owners[rival.port.name]} {_shown(rival)}"
                conflicts.append(Conflict("PortConflict", shard.member, f"has {detail}"))
    told = {one.member for one in conflicts}
    conflicts += [one for one in _lopsided(shards) if one.member not in told]
    return tuple(found.values()), tuple(conflicts)


def _own(shard: Shard) -> tuple[Offer, ...]:
    ports = shard.facts.ports
    spoken = _inside(shard).protocols or ("",) * len(ports)
    return tuple(Offer(port, told) for port, told in zip(ports, spoken, strict=False))


def _lopsided(shards: Sequence[Shard]) -> Iterator[Conflict]:
    """Who has ports that the first has not, or lacks one: a client may be sent to either."""
    for shard in shards[1:]:
        mine, theirs = set(_own(shard)), set(_own(shards[0]))
        if mine != theirs:
            one = min(mine ^ theirs)
            word = "has" if one in mine else "lacks"
            yield Conflict("PortConflict", shard.member, f"{word} {_shown(one)}, unlike {shards[0].member}")


def _collide(one: Offer, other: Offer) -> bool:
    """Whether a service cannot have both."""
    same = one.port.name == other.port.name or not (one.port.name and other.port.name)
    return same or (one.port.protocol, one.port.number) == (other.port.protocol, other.port.number)


def _shown(offer: Offer) -> str:
    name = f"port {offer.port.name!r}" if offer.port.name else "an unnamed port"
    spoken = f" ({offer.spoken})" if offer.spoken else ""
    return f"{name} {offer.port.number}/{offer.port.protocol}{spoken}"


def _differing(exporters: Sequence[Shard]) -> Iterator[Conflict]:
    """What members say otherwise than the first, ports aside."""
    first, *others = exporters
    for other in others:
        for reason, what, of in _RULES:
            mine, theirs = of(_inside(other)), of(_inside(first))
            if mine != theirs:
                yield Conflict(reason, other.member, f"has {what} {mine}, and {first.member} {theirs}")


def _kind(inside: Inside) -> str:
    return "Headless" if inside.headless else "ClusterSetIP"


def _pairs(pairs: Pairs) -> str:
    return ", ".join(f"{name}={value}" for name, value in pairs) or "none"


_RULES: tuple[tuple[str, str, Callable[[Inside], object]], ...] = (
    ("TypeConflict", "type", _kind),
    ("SessionAffinityConflict", "session affinity", lambda one: one.traffic.affinity),
    (
        "SessionAffinityConfigConflict",
        "seconds of session affinity",
        lambda one: one.traffic.affinity_seconds,
    ),
    (
        "InternalTrafficPolicyConflict",
        "internal traffic policy",
        lambda one: one.traffic.internal or "Cluster",
    ),
    (
        "TrafficDistributionConflict",
        "traffic distribution",
        lambda one: one.traffic.distribution or "default",
    ),
    ("LabelsConflict", "exported labels", lambda one: _pairs((one.export or NEVER).labels)),
    ("AnnotationsConflict", "exported annotations", lambda one: _pairs((one.export or NEVER).annotations)),
)
"""Reason, what it is about, and what an export says of it."""
