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
    to be one."""

    prefixes: tuple[tuple[str, str, str], ...] = ()
    clients: Mapping[str, tuple[str, ...]] = {}
    areas: Mapping[str, Area] = {}
    default: tuple[str, str] = ("", "")
    database: bool = False
    ecs: bool = True
    trust: tuple[str, ...] = ()


NONE = Settings()


class Map(NamedTuple):
    """What workers find places with, and the same places as the selection law knows them."""

    atlas: places.Atlas
    places: tuple[selection.Place, ...]
    problems: tuple[Problem, ...]


def draw(settings: Settings, members: Iterable[model.Member]) -> Map:
    fleet = {member.name: member for member in members}
    populated = {member.region for member in fleet.values() if member.region}
    known = _positions(settings, populated)
    index = {places.Row(*settings.default): places.DEFAULT}
    prefixes = [
        places.Prefix(network, _number(index, *row), rule)
        for network, row, rule in _prefixes(settings, fleet)
    ]
    codes: dict[str, int] = {}
    positions: dict[int, places.Position] = {}
    if settings.database:
        codes = {f"region:{region}": _number(index, region) for region in sorted(populated)}
        for region, area in settings.areas.items():
            codes.update(dict.fromkeys((*area.codes, f"region:{region}"), _number(index, region)))
        positions = {_number(index, region): position for region, position in sorted(known.items())}
    atlas = places.Atlas(tuple(index), tuple(prefixes), codes, positions, "", settings.ecs, settings.trust)
    near = {row.region: _near(row.region, known, populated) for row in index}
    found = tuple(selection.Place(row.region, row.zone, near[row.region], row.member) for row in index)
    return Map(atlas, found, tuple(_problems(index, known, fleet)))


class _Said(NamedTuple):
    """What one rule says of a prefix: `where` its clients are (None: no word on that), the member that they
    are inside of (empty: no word on that), and its name."""

    where: tuple[str, str] | None
    member: str
    rule: str


def _prefixes(settings: Settings, fleet: Mapping[str, model.Member]) -> Iterator[tuple[str, places.Row, str]]:
    """What each prefix comes to: of two rules the narrower one says where its clients are, and of two members
    the narrower one says inside of which."""
    rules = _rules(settings, fleet)
    came: dict[str, places.Row] = {}
    around: list[tuple[IPv4Network | IPv6Network, places.Row]] = []
    for network in sorted(map(ip_network, rules), key=_order):
        while around and (around[-1][0].version != network.version or not _within(network, around[-1][0])):
            around.pop()
        outer = around[-1][1] if around else places.Row(*settings.default)
        said = rules[str(network)]
        row = places.Row(*(said.where or outer[:2]), said.member or outer.member)
        came[str(network)] = row
        around.append((network, row))
    for text, said in rules.items():
        yield text, came[text], said.rule


def _rules(settings: Settings, fleet: Mapping[str, model.Member]) -> dict[str, _Said]:
    """By network. What the operator wrote for a prefix wins over what is known of a member's own clients."""
    found = {
        network: _Said((region, zone), "", f"{network} of `places`")
        for network, region, zone in settings.prefixes
    }
    for name, networks in settings.clients.items():
        member = fleet.get(name)
        if member is None:
            continue
        where = (member.region, member.zones[0] if len(member.zones) == 1 else "") if member.region else None
        for network in networks:
            rule = f"{network}, clients of member {name}"
            written = found.get(network)
            if written is None:
                found[network] = _Said(where, name, rule)
            elif not written.member:
                found[network] = _Said(written.where, name, f"{written.rule} and {rule}")
    return found


def _order(network: IPv4Network | IPv6Network) -> tuple[int, int, int]:
    """Each network comes after those around it."""
    return network.version, int(network.network_address), network.prefixlen


def _within(inner: IPv4Network | IPv6Network, outer: IPv4Network | IPv6Network) -> bool:
    return int(inner.network_address) <= int(outer.broadcast_address)


def _number(index: dict[places.Row, int], region: str, zone: str = "", member: str = "") -> int:
    return index.setdefault(places.Row(region, zone, member), len(index))


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
