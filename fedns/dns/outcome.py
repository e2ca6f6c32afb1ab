"""What each level of a service serves: the selection law's word, as DNS needs it.

Law: a level that no shard can serve has no answer of its own (its name leads to the wider one); only
the global level fails open, closed or to the backup. One outcome is shared by all levels that the
same shards serve, so that what is built from it is built once.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from typing import Literal, NamedTuple

from msgspec import structs

from fedns.dns import names
from fedns.errors import FednsError
from fedns.model import selection
from fedns.model import snapshot as model

Rule = Literal["serve", "open", "closed", "backup", "nothing", "fallback"]
Family = tuple[bytes, ...]
Shares = tuple[tuple[str, float], ...]


class Outcome(NamedTuple):
    """`shares` are (member, share) of the shards that serve; `choices` (share, IPv4, IPv6) is set where
    one of them is given per answer (Weighted). `host` is a name to be an alias of."""

    rule: Rule
    shares: Shares = ()
    v4: Family = ()
    v6: Family = ()
    host: bytes = b""
    choices: tuple[tuple[float, Family, Family], ...] = ()

    @property
    def serves(self) -> bool:
        return bool(self.v4 or self.v6 or self.host)

    @property
    def stale(self) -> bool:
        return self.rule == "open"


FALLBACK = Outcome("fallback")


def outcomes(service: model.Service, layout: names.Layout, now: float) -> list[Outcome]:
    """One outcome per level of the layout, in its order."""
    shards = {shard.member: shard for shard in service.shards}
    able = {shard.member: shard for shard in selection.able(service.shards)}
    chosen: dict[tuple[tuple[str, ...], str], Outcome] = {}
    built: dict[Shares, Outcome] = {}
    found = [_widest(service, shards, layout, now)]
    for level in layout.levels[1:]:
        place = (level.members, level.zone)
        if place not in chosen:
            here = tuple(able[member] for member in level.members if member in able)
            shares = _narrow(service, here, where(level, layout), now) if here else ()
            if shares not in built:
                built[shares] = _serving(service, shares, shards, layout) if shares else FALLBACK
            chosen[place] = built[shares]
        found.append(chosen[place])
    return found


def where(level: names.Level, layout: names.Layout) -> selection.Level:
    """The level as the selection law knows it. v1 did not ask in which zone a shard's endpoints are."""
    if layout.settings.compat == "v1" and level.zone:
        return selection.Level(level.region)
    return selection.Level(level.region, level.zone)


def _narrow(
    service: model.Service, here: tuple[model.Shard, ...], place: selection.Level, now: float
) -> Shares:
    """The selection among the able shards of one place. They are able in the whole service, so asking as
    if there were no others gives the same and costs what is here, not what there is."""
    part = structs.replace(service, shards=here)
    if len(here) == 1:  # all strategies give one shard everything; most zones have one
        return tuple((shard.member, 1.0) for shard in selection.serving(part, place))
    return _first(selection.select(part, None, now, place))


def _first(chosen: selection.Selection) -> Shares:
    """DNS publishes the first tier that can serve."""
    return tuple((each.member, each.share) for each in chosen.tiers[0].shares) if chosen.tiers else ()


def _serving(
    service: model.Service,
    shares: Shares,
    shards: Mapping[str, model.Shard],
    layout: names.Layout,
    rule: Rule = "serve",
) -> Outcome:
    """The answer that these shards give together."""
    chosen = [shards[member] for member, _ in shares if member in shards]
    compat = layout.settings.compat
    if compat != "v1" and len(chosen) == 1 and (host := _alias(chosen[0])):
        return Outcome(rule, shares, host=host)
    if compat != "v1" and service.policy.strategy == "Weighted" and len(chosen) > 1:
        return _weighted(shares, chosen, rule)
    v4, v6 = packed([address for shard in chosen for address in shard.addresses])
    if not v4 and not v6 and compat != "v1":
        return Outcome(rule, shares, host=next(filter(None, map(_alias, chosen)), b""))
    return Outcome(rule, shares, v4, () if compat == "v1" else v6)


def _weighted(shares: Shares, chosen: list[model.Shard], rule: Rule) -> Outcome:
    weight = dict(shares)
    choices = tuple((weight[shard.member], *packed(shard.addresses)) for shard in chosen)
    v4, v6 = packed([address for shard in chosen for address in shard.addresses])
    return Outcome(rule, shares, v4, v6, choices=choices)


def _widest(
    service: model.Service, shards: Mapping[str, model.Shard], layout: names.Layout, now: float
) -> Outcome:
    """The global name's outcome, the last resorts of the health law's rule 5 among them. v1 had none."""
    chosen = selection.select(service, None, now)
    if chosen.fail_open and layout.settings.compat == "v1":
        return Outcome("nothing")
    if chosen.fail_open == "backup":
        return _backup(service.policy.backup)
    shares = _first(chosen)
    if not shares:
        return Outcome("closed" if chosen.fail_open == "closed" else "nothing")
    return _serving(service, shares, shards, layout, "open" if chosen.fail_open else "serve")


def _backup(targets: Sequence[str]) -> Outcome:
    if not targets:
        return Outcome("nothing")
    literals = [target for target in targets if _literal(target)]
    if literals:
        return Outcome("backup", (), *packed(literals))
    try:
        return Outcome("backup", host=names.wire(targets[0]))
    except FednsError:
        return Outcome("nothing")


def _alias(shard: model.Shard) -> bytes:
    """The one load-balancer name that is all this shard has."""
    if shard.facts.addresses or len(shard.facts.hostnames) != 1:
        return b""
    try:
        return names.wire(shard.facts.hostnames[0])
    except FednsError:
        return b""


def packed(addresses: Sequence[str]) -> tuple[Family, Family]:
    """IP literals -> (IPv4, IPv6) rdata, each sorted and without duplicates."""
    v4 = {bytes(map(int, each.split("."))) for each in addresses if ":" not in each}
    v6 = {_v6(each) for each in addresses if ":" in each}
    return tuple(sorted(v4)), tuple(sorted(v6))


@lru_cache(maxsize=4096)
def _v6(literal: str) -> bytes:
    return IPv6Address(literal).packed


def _literal(target: str) -> bool:
    try:
        ip_address(target)
    except ValueError:
        return False
    return True
