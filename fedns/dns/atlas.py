"""Draws the map that places are found on: from what the configuration says of clients and regions, and from
where the members are.

Law: place 0 is the default one. A place that two rules name is one place, so that what is compiled for each
place is compiled once.
"""

from collections.abc import Iterable, Mapping
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
    index = {settings.default: places.DEFAULT}
    prefixes = [places.Prefix(*row) for row in _prefixes(settings, fleet, index)]
    codes: dict[str, int] = {}
    positions: dict[int, places.Position] = {}
    if settings.database:
        codes = {f"region:{region}": _number(index, region) for region in sorted(populated)}
        for region, area in settings.areas.items():
            codes.update(dict.fromkeys((*area.codes, f"region:{region}"), _number(index, region)))
        positions = {_number(index, region): position for region, position in sorted(known.items())}
    atlas = places.Atlas(tuple(index), tuple(prefixes), codes, positions, "", settings.ecs, settings.trust)
    near = {region: _near(region, known, populated) for region, _ in index}
    found = tuple(selection.Place(region, zone, near[region]) for region, zone in index)
    return Map(atlas, found, tuple(_problems(index, known, fleet)))


def _prefixes(
    settings: Settings, fleet: Mapping[str, model.Member], index: dict[tuple[str, str], int]
) -> Iterable[tuple[str, int, str]]:
    """What the operator wrote for a prefix wins over what is known of a member's own clients."""
    written = {network for network, _, _ in settings.prefixes}
    for network, region, zone in settings.prefixes:
        yield network, _number(index, region, zone), f"{network} of `places`"
    for name, networks in settings.clients.items():
        member = fleet.get(name)
        if member is None or not member.region:
            continue
        place = _number(index, member.region, member.zones[0] if len(member.zones) == 1 else "")
        for network in networks:
            if network not in written:
                yield network, place, f"{network}, clients of member {name}"


def _number(index: dict[tuple[str, str], int], region: str, zone: str = "") -> int:
    return index.setdefault((region, zone), len(index))


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
    index: Iterable[tuple[str, str]], known: Mapping[str, places.Position], fleet: Mapping[str, model.Member]
) -> Iterable[Problem]:
    """Places from which no way leads to any member."""
    homes = {(member.region, zone) for member in fleet.values() for zone in ("", *member.zones)}
    for region, zone in index if fleet else ():
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
