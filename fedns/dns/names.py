"""Where federated names live: the levels (global, region, zone) that every service has.

Law: levels come from the members' places alone, never from a service's health, so a published
name never vanishes while its service is declared (names table of the design; the scheme is that
of Kubernetes Federation v1). Names here are lower-cased uncompressed wire format; a label that
cannot be one is a problem and costs only its own level.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple

from msgspec import Struct

from fedns.dns import atlas, node
from fedns.errors import FednsError, Problem
from fedns.model import selection
from fedns.model import snapshot as model

Compat = Literal["fedns", "v1"]
Kind = Literal["global", "region", "zone"]

MAX_NAME = 255  # RFC 1035 2.3.4, octets with the root label
MAX_LABEL = 63
_NOTHING: Mapping[bytes, node.Node] = MappingProxyType({})
_LABEL = re.compile(r"[a-z0-9]([a-z0-9_-]*[a-z0-9])?")


class Settings(Struct, frozen=True):
    """What the configuration says about names. `nameservers`: host -> IP literals; `where` clients and
    regions are; `aliases`: name -> the name whose addresses it has."""

    federation: str
    domain: str
    nameservers: Mapping[str, tuple[str, ...]] = {}
    compat: Compat = "fedns"
    where: atlas.Settings = atlas.NONE
    aliases: Mapping[str, str] = {}


class Level(NamedTuple):
    """One name that each service has. `suffix` is all after `S.N.`; `up` are the wider levels,
    nearest first, as indices; `members` are those in its place, sorted; `short` marks the zone name
    without its region, `same` is the index of the first level of its very place (often its own), and
    `place` the level as the selection law knows it."""

    kind: Kind
    region: str
    zone: str
    suffix: bytes
    up: tuple[int, ...] = ()
    members: tuple[str, ...] = ()
    short: bool = False
    same: int = 0
    place: selection.Level = selection.GLOBAL


class Layout(Struct, frozen=True):
    """All levels of a fleet (index 0 is global), shared by the names of every service.

    `zone`, `static` and `places` as given to `layout`; `homes` are the levels that each member is in,
    `longest` the octets of the longest suffix, `wider` the levels that others lead to.
    """

    settings: Settings
    origin: bytes
    levels: tuple[Level, ...]
    zone: int = 0
    static: Mapping[bytes, node.Node] = _NOTHING
    problems: tuple[Problem, ...] = ()
    places: tuple[selection.Place, ...] = (selection.Place(),)
    homes: Mapping[str, tuple[int, ...]] = {}
    longest: int = 0
    wider: frozenset[int] = frozenset()


def wire(name: str) -> bytes:
    """Text name -> wire. Raises FednsError if it cannot be one."""
    labels = [part for part in name.rstrip(".").split(".") if name.strip(".")]
    raw = b"".join(_pascal(part.lower().encode("utf-8", "replace")) for part in labels) + b"\0"
    if len(raw) > MAX_NAME or any(not 0 < len(part.encode()) <= MAX_LABEL for part in labels):
        raise FednsError(f"not a domain name: {name!r}")
    return raw


def labels(name: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(name) and name[at]:
        yield name[at + 1 : at + 1 + name[at]]
        at += 1 + name[at]


def label(value: str) -> bytes | None:
    """One label as wire (length octet included), or None if it cannot be one."""
    folded = value.lower()
    if len(folded) > MAX_LABEL or not _LABEL.fullmatch(folded):
        return None
    return _pascal(folded.encode())


def layout(
    settings: Settings,
    members: Iterable[model.Member],
    zone: int = 0,
    static: Mapping[bytes, node.Node] = _NOTHING,
    places: tuple[selection.Place, ...] = (selection.Place(),),
) -> Layout:
    """Levels of every place of every member; bad labels become problems and cost their level.

    `zone` is the index of the domain among all zones served; `static` are the nodes of a static zone
    with the domain as its origin; `places` are those that clients may be at, the default one first.
    """
    origin = wire(settings.domain)
    federation = label(settings.federation)
    if federation is None:
        raise FednsError(f"federation {settings.federation!r} is not a DNS label")
    head = federation + b"\x03svc"
    problems: list[Problem] = []
    members = sorted(members, key=lambda member: member.name)
    named = list(_places(members, settings.compat, problems))
    levels = [Level("global", "", "", head + origin)]
    regions: dict[str, int] = {}
    for region in sorted({region for region, _ in named if region}):
        regions[region] = len(levels)
        levels.append(Level("region", region, "", head + _checked(region) + origin, (0,)))
    for region, part in sorted({each for each in named if all(each)}):
        suffix = head + _checked(part) + _checked(region) + origin
        levels.append(Level("zone", region, part, suffix, (regions[region], 0)))
    if settings.compat != "v1":
        levels.extend(_short(head, origin, named, regions))
    placed = tuple(_placed(levels, members, settings.compat))
    found = tuple(dict.fromkeys(problems))
    longest = max(len(level.suffix) for level in placed)
    wider = frozenset(index for level in placed for index in level.up)
    return Layout(settings, origin, placed, zone, static, found, places, _homes(placed), longest, wider)


def _placed(levels: list[Level], members: Iterable[model.Member], compat: Compat) -> Iterator[Level]:
    """The levels with who is there. v1 did not ask in which zone a shard's endpoints are."""
    first: dict[tuple[str, str], int] = {}
    for index, level in enumerate(levels):
        same = first.setdefault((level.region, level.zone), index)
        place = selection.Level(level.region, "" if compat == "v1" else level.zone)
        yield level._replace(members=tuple(_residents(level, members)), same=same, place=place)


def _homes(levels: Iterable[Level]) -> Mapping[str, tuple[int, ...]]:
    """Member -> the levels that it is in."""
    homes: dict[str, list[int]] = {}
    for index, level in enumerate(levels):
        for member in level.members:
            homes.setdefault(member, []).append(index)
    return {member: tuple(found) for member, found in homes.items()}


def _residents(level: Level, members: Iterable[model.Member]) -> Iterator[str]:
    for member in members:
        if level.region in ("", member.region) and (not level.zone or level.zone in member.zones):
            yield member.name


def _short(
    head: bytes, origin: bytes, places: list[tuple[str, str]], regions: dict[str, int]
) -> Iterator[Level]:
    """Zone names without region. A region of the same name wins; a zone name that several
    regions use has no single wider region and falls back to global."""
    for zone in sorted({zone for _, zone in places if zone}):
        if zone.lower() in {region.lower() for region in regions}:
            continue
        homes = {region for region, other in places if other == zone}
        region = homes.pop() if len(homes) == 1 else ""
        up = (regions[region], 0) if region else (0,)
        yield Level("zone", region, zone, head + _checked(zone) + origin, up, short=True)


def _places(
    members: Iterable[model.Member], compat: Compat, problems: list[Problem]
) -> Iterator[tuple[str, str]]:
    """(region, zone) pairs to name, `""` where there is none. Names are equal without case."""
    seen: dict[tuple[str, str], str] = {}
    for member in members:
        region = _sound(member.region, "region", member.name, seen, problems)
        zones = member.zones[:1] if compat == "v1" else member.zones
        yield region, ""
        for zone in zones:
            yield region, _sound(zone, "zone", member.name, seen, problems)


def _sound(
    value: str, what: str, member: str, seen: dict[tuple[str, str], str], problems: list[Problem]
) -> str:
    if not value:
        return ""
    if label(value) is None:
        hint = f"set the member's {what} in the configuration; its {what} name is left out meanwhile"
        problems.append(Problem(f"member {member}", f"{what} {value!r} is not a DNS label", hint))
        return ""
    known = seen.setdefault((what, value.lower()), value)
    if known != value:
        problems.append(Problem(f"member {member}", f"{what} {value!r} differs from {known!r} only in case"))
        return ""
    return value


def prefix(service: model.Service) -> bytes:
    """`S.N.` as wire without an end, or nothing if it cannot be one."""
    name, namespace = label(service.name), label(service.namespace)
    return name + namespace if name and namespace else b""


def _checked(value: str) -> bytes:
    return _pascal(value.lower().encode())


def _pascal(raw: bytes) -> bytes:
    return bytes((len(raw) & 255,)) + raw
