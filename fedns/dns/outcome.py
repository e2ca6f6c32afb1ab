"""What each level of a service serves: the selection law's word, as DNS needs it.

Law: a level that no shard can serve has no answer of its own (its name leads to the wider one); only
the global level fails open, closed or to the backup. One outcome is shared by all levels that the
same shards serve, so that what is built from it is built once.
"""

from collections.abc import Sequence
from functools import cached_property, lru_cache
from ipaddress import IPv6Address, ip_address
from typing import Literal, NamedTuple

from fedns.dns import names
from fedns.errors import FednsError
from fedns.model import selection
from fedns.model import snapshot as model

Rule = Literal["serve", "open", "closed", "backup", "nothing", "fallback"]
Family = tuple[bytes, ...]
Shares = tuple[selection.Share, ...]


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


def outcomes(
    service: model.Service, layout: names.Layout, now: float, place: selection.Place | None = None
) -> list[Outcome]:
    """One outcome per level of the layout, in its order, for clients at a place (None: the default one)."""
    found, levels = Outcomes(service, layout, now), range(len(layout.levels))
    if place is None or not found.local:
        return [found[index] for index in levels]
    return [found.by_place(index, [place])[0] for index in levels]


class Outcomes:
    """The outcome of each level of one service, worked out when it is first asked for."""

    def __init__(self, service: model.Service, layout: names.Layout, now: float) -> None:
        self._service, self._layout, self._now = service, layout, now
        self._v1 = layout.settings.compat == "v1"
        self._shards = {shard.member: shard for shard in service.shards}
        self._found: dict[int, Outcome] = {}
        self._packed: dict[str, tuple[Family, Family]] = {}
        self._built: dict[Shares, Outcome] = {(): FALLBACK}
        self._lone: dict[str, Outcome] = {}
        self._place = layout.places[0]
        self.local = selection.local(service.policy) and not self._v1

    @cached_property
    def _able(self) -> dict[str, model.Shard]:
        """The shards that can serve; most questions about one shard do without it."""
        return {shard.member: shard for shard in selection.able(self._service.shards)}

    def _can(self, member: str) -> model.Shard | None:
        """The member's shard, if it can serve."""
        shard = self._shards.get(member)
        if shard is not None and shard.verdict.state in selection.ABLE and selection.candidate(shard):
            return shard
        return None if shard is None else self._able.get(member)

    def by_place(self, index: int, places: Sequence[selection.Place]) -> list[Outcome]:
        """A level's outcome for clients at each of these places; for a place without one, the default one."""
        default, members = self[index], self._choosable(index)
        if len(members) < 2:
            return [default] * len(places)
        shards = [self._shards[member] for member in members]
        zones, own = {zone for shard in shards for zone in shard.zones}, set(members)
        alike = len({shard.region for shard in shards}) == 1
        made: dict[tuple[str, ...], Outcome] = {}
        rings: dict[
            tuple[str, str], tuple[str, ...]
        ] = {}  # members do not matter to those who are in none of these
        found = []
        for place in places:
            if place.member in own:
                ring: tuple[str, ...] = (place.member,)
            elif alike and place.zone not in zones:
                ring = members
            elif place[:2] in rings:
                ring = rings[place[:2]]
            else:
                ring = rings[place[:2]] = selection.nearest(shards, place)
            if ring not in made:
                made[ring] = self._nearest(ring, default)
            found.append(made[ring])
        return found

    def _choosable(self, index: int) -> tuple[str, ...]:
        """The members among which a place may choose."""
        rule = self[index].rule
        if rule == "open":
            return tuple([shard.member for shard in selection.once_good(self._service)])
        if rule != "serve":
            return ()
        return self._here(self._layout.levels[index]) if index else tuple(self._able)

    def _nearest(self, ring: tuple[str, ...], default: Outcome) -> Outcome:
        """The outcome of the members that are nearest."""
        if len(ring) == 1 and default.rule == "serve":
            alone = self._alone(ring[0])
            return alone if alone.serves else default
        shards = [self._shards[member] for member in ring]
        found = self._serving(_first(selection.share_out(shards, self._service.policy)), default.rule)
        return found if found.serves and found != default else default

    def __getitem__(self, index: int) -> Outcome:
        level = self._layout.levels[index]
        found = self._found.get(level.same)
        if found is None:
            found = self._choose(self._here(level)) if index else self._everywhere()
            self._found[level.same] = found
        return found

    def serves(self, index: int) -> bool:
        """Whether the level has an answer of its own: mostly plain without knowing which."""
        here = self._here(self._layout.levels[index])
        return (bool(here) and all(map(self._gives, here))) or self[index].serves

    def stalwarts(self) -> set[str]:
        """Members that give an answer at all levels that they are in."""
        alone = {each.member for each in self._able.values() if each.addresses and len(each.zones) < 2}
        return {member for member in alone if self._gives(member)} if self._v1 else alone

    def _gives(self, member: str) -> bool:
        """Whether the member alone would be an answer for sure."""
        addresses = self._shards[member].addresses
        return any(":" not in each for each in addresses) if self._v1 else bool(addresses)

    def _here(self, level: names.Level) -> tuple[str, ...]:
        """The able shards of one place. They are able in the whole service, so asking as if there were no
        others gives the same and costs what is here, not what there is."""
        place, members = level.place, level.members
        if len(members) == 1:
            found = self._can(members[0])
            return members if found is not None and not selection.outside(found, place) else ()
        able = self._able
        here = [each for each in members if each in able and not selection.outside(able[each], place)]
        return tuple(here)

    def _everywhere(self) -> Outcome:
        """The global name's outcome, the last resorts of the health law's rule 5 among them. v1 had none."""
        if self._able:
            return self._choose(tuple(self._able))
        last = selection.select(self._service, self._place, self._now)
        if self._v1:
            return Outcome("nothing")
        if last.fail_open == "backup":
            return _backup(self._service.policy.backup)
        shares = _first(last.tiers)
        if not shares:
            return Outcome("closed" if last.fail_open == "closed" else "nothing")
        return self._serving(shares, "open")

    def _choose(self, members: tuple[str, ...]) -> Outcome:
        if len(members) == 1:
            return self._alone(members[0])
        shares = self._shares(members)
        found = self._built.get(shares)
        if found is None:
            found = self._built[shares] = self._serving(shares, "serve")
        return found

    def _alone(self, member: str) -> Outcome:
        """All strategies give one shard everything; most zones have one."""
        found = self._lone.get(member)
        if found is None:
            shares = (selection.Share(member, 1.0),)
            found = self._lone[member] = self._serving(shares, "serve")
        return found

    def _shares(self, members: tuple[str, ...]) -> Shares:
        if not members:
            return ()
        shards = [self._able[member] for member in members]
        return _first(selection.share_out(shards, self._service.policy, self._place))

    def _serving(self, shares: Shares, rule: Rule) -> Outcome:
        """The answer that these shards give together."""
        chosen = [self._shards[member] for member, _ in shares]
        if not self._v1 and len(chosen) == 1 and (host := _alias(chosen[0])):
            return Outcome(rule, shares, host=host)
        parts = [self._families(shard) for shard in chosen]
        v4, v6 = parts[0] if len(parts) == 1 else _joined(parts)
        if self._v1:
            return Outcome(rule, shares, v4)
        if self._service.policy.strategy == "Weighted" and len(chosen) > 1:
            choices = tuple((share, *part) for (_, share), part in zip(shares, parts, strict=True))
            return Outcome(rule, shares, v4, v6, choices=choices)
        if not v4 and not v6:
            return Outcome(rule, shares, host=next(filter(None, map(_alias, chosen)), b""))
        return Outcome(rule, shares, v4, v6)

    def _families(self, shard: model.Shard) -> tuple[Family, Family]:
        found = self._packed.get(shard.member)
        if found is None:
            found = self._packed[shard.member] = packed(shard.addresses)
        return found


def _first(tiers: Sequence[selection.Tier]) -> Shares:
    """DNS publishes the first tier that can serve."""
    return tiers[0].shares if tiers else ()


def _joined(parts: Sequence[tuple[Family, Family]]) -> tuple[Family, Family]:
    v4 = {address for part in parts for address in part[0]}
    v6 = {address for part in parts for address in part[1]}
    return tuple(sorted(v4)), tuple(sorted(v6))


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
    if len(addresses) == 1 and ":" not in addresses[0]:  # as of most shards
        return (bytes(map(int, addresses[0].split("."))),), ()
    v4 = {bytes(map(int, each.split("."))) for each in addresses if ":" not in each}
    v6 = {_v6(each) for each in addresses if ":" in each} if len(v4) < len(addresses) else ()
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
