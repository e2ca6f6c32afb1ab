"""What each level of a service serves: the selection law's word, as DNS needs it.

Law: a level that no shard can serve has no answer of its own (its name leads to the wider one); only
the global level fails open, closed or to the backup. One outcome is shared by all levels that the
same shards serve, so that what is built from it is built once.
"""

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from typing import Literal, NamedTuple

from fedns.dns import names
from fedns.errors import FednsError
from fedns.model import snapshot as model

Rule = Literal["serve", "open", "closed", "backup", "nothing", "fallback"]
Family = tuple[bytes, ...]


class Outcome(NamedTuple):
    """`shares` are (member, share) of the shards that serve; `choices` (share, IPv4, IPv6) is set where
    one of them is given per answer (Weighted). `host` is a name to be an alias of."""

    rule: Rule
    shares: tuple[tuple[str, float], ...] = ()
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
    known: dict[tuple[str, ...], Outcome] = {}
    found = []
    for level in layout.levels:
        if level.members not in known:
            shares = _shares(service, level, now)
            known[level.members] = _serving(service, shares, shards, layout) if shares else FALLBACK
        found.append(known[level.members])
    if not found[0].serves:
        found[0] = _last_resort(service, shards, layout)
    return found


def why(shard: model.Shard, level: names.Level, final: Outcome) -> str:
    """Why a shard is, or is not, in the answer of a level."""
    if shard.member not in level.members:
        return f"not in {level.zone or level.region}"
    if shard.member in dict(final.shares):
        return "serves"
    if not shard.addresses:
        return "has no addresses"
    return f"is {shard.verdict.state}"


def _shares(service: model.Service, level: names.Level, now: float) -> tuple[tuple[str, float], ...]:
    able = [
        shard.member
        for shard in service.shards
        if shard.addresses
        and shard.verdict.state in ("healthy", "degraded", "unknown")
        and shard.member in level.members
    ]
    return tuple((member, 1 / len(able)) for member in able)


def _serving(
    service: model.Service,
    shares: tuple[tuple[str, float], ...],
    shards: dict[str, model.Shard],
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
    return Outcome(rule, shares, v4, () if compat == "v1" else v6)


def _weighted(shares: tuple[tuple[str, float], ...], chosen: list[model.Shard], rule: Rule) -> Outcome:
    weight = dict(shares)
    choices = tuple((weight[shard.member], *packed(shard.addresses)) for shard in chosen)
    v4, v6 = packed([address for shard in chosen for address in shard.addresses])
    return Outcome(rule, shares, v4, v6, choices=choices)


def _last_resort(service: model.Service, shards: dict[str, model.Shard], layout: names.Layout) -> Outcome:
    """What the global name answers when no shard can serve (health law, rule 5)."""
    if layout.settings.compat == "v1":
        return Outcome("nothing")
    policy = service.policy
    if policy.on_all_unhealthy == "closed":
        return Outcome("closed")
    if policy.on_all_unhealthy == "backup" and policy.backup:
        return _backup(policy.backup)
    good = tuple((member, 1 / len(service.last_good)) for member in service.last_good if member in shards)
    return _serving(service, good, shards, layout, "open") if good else Outcome("nothing")


def _backup(targets: Sequence[str]) -> Outcome:
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
