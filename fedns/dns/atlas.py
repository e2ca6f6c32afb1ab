"""Draws the map that places are found on: from what the configuration says of clients and regions, and from
where the members are.

Law: place 0 is the default one. A place that two rules name is one place, so that what is compiled for each
place is compiled once.
"""

from collections.abc import Iterable, Iterator, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import NamedTuple

from fedns.dns import places, regions
from fedns.errors import Problem
from fedns.model import selection
from fedns.model import snapshot as model


class Area(NamedTuple):
    """What is told of a region: its position, and the codes of a geographic database whose clients it has."""

    position: places.Position | None = None
    codes: tuple[str, ...] = ()


class Settings(NamedTuple):
    """`prefixes` are (network, region, zone), `clients` the networks of members. `database`: whether there is
    to be one. `inside`: members with listeners whose clients are all inside; `home`: the one member that
    everybody is inside of."""

    prefixes: tuple[tuple[str, str, str], ...] = ()
    clients: Mapping[str, tuple[str, ...]] = {}
    areas: Mapping[str, Area] = {}
    default: tuple[str, str] = ("", "")
    database: bool = False
    ecs: bool = True
    trust: tuple[str, ...] = ()
    inside: tuple[str, ...] = ()
    home: str = ""


NONE = Settings()


class Map(NamedTuple):
    """What workers find places with, and the same places as the selection law knows them."""

    atlas: places.Atlas
    places: tuple[selection.Place, ...]
    problems: tuple[Problem, ...]


def draw(settings: Settings, members: Iterable[model.Member]) -> Map:
    fleet = {member.name: member for member in members}
    populated = {member.region for member in fleet.values() if member.region}
    known, index = _positions(settings, populated), {_default(settings, fleet): places.DEFAULT}
    prefixes = [
        places.Prefix(network, _number(index, row), why) for network, row, why in _prefixes(settings, fleet)
    ]
    codes: dict[str, int] = {}
    positions: dict[int, places.Position] = {}
    if settings.database and not settings.home:
        codes = {f"region:{region}": _number(index, places.Row(region)) for region in sorted(populated)}
        for region, area in settings.areas.items():
            codes.update(dict.fromkeys((*area.codes, f"region:{region}"), _number(index, places.Row(region))))
        positions = {
            _number(index, places.Row(region)): position for region, position in sorted(known.items())
        }
    inside = dict(_inside(settings, fleet, index, {each.place for each in prefixes}))
    atlas = places.Atlas(
        tuple(index), tuple(prefixes), codes, positions, "", settings.ecs, settings.trust, inside
    )
    near = {row.region: _near(row.region, known, populated) for row in index}
    found = tuple(selection.Place(row.region, row.zone, near[row.region], row.member) for row in index)
    return Map(atlas, found, (*_problems(index, known, fleet), *_doubts(settings, fleet)))


def _default(settings: Settings, fleet: Mapping[str, model.Member]) -> places.Row:
    return _own(settings.home, fleet) if settings.home else places.Row(*settings.default)


def _own(name: str, fleet: Mapping[str, model.Member]) -> places.Row:
    """Where a member is. Which of several zones a client of it is in, its address may say."""
    member = fleet.get(name)
    if member is None:
        return places.Row(member=name)
    return places.Row(member.region, member.zones[0] if len(member.zones) == 1 else "", name)


def _entered(row: places.Row, own: places.Row) -> places.Row:
    """A place that a prefix says, as who is inside of a member has it: its zone counts if it is of that
    region, and none of another member, whose networks may be numbered alike."""
    if row.member not in ("", own.member) or not row.region or own.region not in ("", row.region):
        return own
    return places.Row(row.region, row.zone or own.zone, own.member)


def _inside(
    settings: Settings, fleet: Mapping[str, model.Member], index: dict[places.Row, int], said: set[int]
) -> Iterable[tuple[str, places.Inside]]:
    """By member. `said` are the places that prefixes lead to. Members whose clients are known by those alone
    have no further place."""
    for name in sorted({*settings.inside, *settings.clients, settings.home} - {""}):
        own = _own(name, fleet)
        if name in settings.inside:
            entered = {number: _entered(row, own) for row, number in index.items() if number in said}
            of = {number: _number(index, row) for number, row in entered.items() if row != own}
            yield name, places.Inside(_number(index, own), of)
        elif theirs := [number for row, number in index.items() if row.member == name]:
            yield name, places.Inside(index.get(own, theirs[0]))


class _Said(NamedTuple):
    """What one rule says of a prefix: `where` its clients are (None: no word on that), the member that they
    are inside of (empty: no word on that), and its name."""

    where: tuple[str, str] | None
    member: str
    rule: str


def _prefixes(settings: Settings, fleet: Mapping[str, model.Member]) -> Iterator[tuple[str, places.Row, str]]:
    """What each prefix comes to: of two rules the narrower one says where its clients are, and of two members
    the narrower one says inside of which."""
    rules, default = _rules(settings, fleet), _default(settings, fleet)
    came: dict[str, places.Row] = {}
    around: list[tuple[IPv4Network | IPv6Network, places.Row]] = []
    for network, said in sorted(((ip_network(text), said) for text, said in rules.items()), key=_order):
        while around and (around[-1][0].version != network.version or not _within(network, around[-1][0])):
            around.pop()
        outer = around[-1][1] if around else places.Row(*settings.default)
        row = places.Row(*(said.where or outer[:2]), said.member or outer.member)
        came[said.rule] = row
        around.append((network, row))
    for text, said in rules.items():
        row = came[said.rule]
        yield text, _entered(row, default) if settings.home else row, said.rule


def _rules(settings: Settings, fleet: Mapping[str, model.Member]) -> dict[str, _Said]:
    """By network. What the operator wrote for a prefix wins over what is known of a member's own clients."""
    found = {
        network: _Said((region, zone), "", f"{network} of `places`")
        for network, region, zone in settings.prefixes
    }
    for name, networks in settings.clients.items():
        if name not in fleet or settings.home not in ("", name):
            continue
        own = _own(name, fleet)
        for network in networks:
            rule = f"{network}, clients of member {name}"
            written = found.get(network)
            if written is None:
                found[network] = _Said(own[:2] if own.region else None, name, rule)
            elif not written.member:
                found[network] = _Said(written.where, name, f"{written.rule} and {rule}")
    return found


def _order(row: tuple[IPv4Network | IPv6Network, _Said]) -> tuple[int, int, int]:
    """Each network comes after those around it."""
    network, _ = row
    return network.version, int(network.network_address), network.prefixlen


def _within(inner: IPv4Network | IPv6Network, outer: IPv4Network | IPv6Network) -> bool:
    return int(inner.network_address) <= int(outer.broadcast_address)


def _number(index: dict[places.Row, int], row: places.Row) -> int:
    return index.setdefault(row, len(index))


def _positions(settings: Settings, populated: set[str]) -> dict[str, places.Position]:
    """Where the regions are that members or the configuration name, as far as anybody says."""
    found = {
        region: regions.KNOWN[region] for region in populated | set(settings.areas) if region in regions.KNOWN
    }
    told = {region: area.position for region, area in settings.areas.items() if area.position is not None}
    return {**found, **told}


def _near(region: str, known: Mapping[str, places.Position], populated: set[str]) -> tuple[str, ...]:
    """The other regions with members, the nearest first; none where it is not known where the region is."""
    here = known.get(region) or regions.KNOWN.get(region)
    if here is None:
        return ()
    others = (other for other in known if other != region and other in populated)
    return tuple(sorted(others, key=lambda other: (places.distance(here, known[other]), other)))


def _problems(
    index: Iterable[places.Row], known: Mapping[str, places.Position], fleet: Mapping[str, model.Member]
) -> Iterable[Problem]:
    """Places from which no way leads to any member."""
    homes = {(member.region, zone) for member in fleet.values() for zone in ("", *member.zones)}
    for region, zone in dict.fromkeys(row[:2] for row in index) if fleet else ():
        if not region or (region, zone) in homes:
            continue
        if (region, "") in homes:
            told = f"clients are said to be in zone {zone} of region {region}: no member is"
            yield Problem(
                f"place {region}/{zone}", told, "they are served as if only their region were known"
            )
        elif region not in known and region not in regions.KNOWN:
            told = f"clients are said to be in region {region}: no member is, and its position is not known"
            hint = f"write it below `geo`: regions: {{{region}: {{position: [50.1, 8.7]}}}}"
            yield Problem(f"place {region}", told, hint)


def _doubts(settings: Settings, fleet: Mapping[str, model.Member]) -> Iterable[Problem]:
    """Who is said to be inside of nobody, or of two members."""
    for name in sorted({*settings.inside, settings.home} - {"", *fleet}) if fleet else ():
        told = f"listeners are said to be inside member {name}: no member is called so"
        yield Problem("dns.inside" if name in settings.inside else "member", told, "correct the name")
    first: dict[str, str] = {}
    for name, networks in settings.clients.items():
        for network in networks if name in fleet else ():
            other = first.setdefault(network, name)
            if other != name:
                told = f"{network} is said to be clients of member {other} and of this one"
                yield Problem(f"clients of member {name}", told, f"{other} counts")
    yield from _nested({network: name for network, name in first.items() if name in fleet})


def _nested(clients: Mapping[str, str]) -> Iterator[Problem]:
    """Networks of one member in those of another."""
    around: list[tuple[IPv4Network | IPv6Network, str]] = []
    told = [(ip_network(text), name) for text, name in clients.items()]
    for network, name in sorted(told, key=lambda row: (row[0].version, int(row[0][0]), row[0].prefixlen)):
        while around and (around[-1][0].version != network.version or not _within(network, around[-1][0])):
            around.pop()
        if around and around[-1][1] != name:
            what = f"{network} lies in {around[-1][0]}, the clients of member {around[-1][1]}"
            yield Problem(f"clients of member {name}", what, "the narrower one counts: correct one of them")
        around.append((network, name))
