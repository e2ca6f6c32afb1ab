"""What `fedns.yaml` says of clients' places: `places`, `geo`, `dns.ecs` and `dns.inside`.

Law: written by people, so everything is checked; what it all means is worked out by `dns.atlas`.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Annotated

from msgspec import Struct

from fedns import schema
from fedns.dns import atlas, places
from fedns.values import File, Host, Label, Listen, Prefix

_CODE = re.compile(r"country:[A-Z]{2}|continent:[A-Z]{2}|subdivision:[A-Z]{2}-[A-Z0-9]{1,3}")


def code(text: str, reader: schema.Reader) -> str:
    """Codes of ISO 3166, and MaxMind's of continents."""
    if not _CODE.fullmatch(text):
        raise schema.Bad(
            f"{text!r} is no code of a place", "write country:DE, continent:EU or subdivision:US-CA"
        )
    return text


Code = Annotated[str, code]


class Ecs(Struct, frozen=True):
    """Client subnets in queries (RFC 7871). `trust`: the resolvers whose word on them counts; empty: all."""

    enabled: bool = True
    trust: tuple[Prefix, ...] = ()


class Place(Struct, frozen=True):
    """Clients whose address is in `prefix` are at this place."""

    prefix: Prefix
    region: Label
    zone: Label = ""


class Inside(Struct, frozen=True):
    """A listener whose clients are all inside one member."""

    listen: Listen
    member: Host


class Home(Struct, frozen=True):
    """Where clients are of whom nothing is known; empty: nowhere in particular."""

    region: Label = ""
    zone: Label = ""


class Region(Struct, frozen=True):
    """A region. `position`: latitude and longitude, degrees north and east. `clients`: codes of the database
    whose clients are there, wherever that is."""

    position: tuple[float, ...] = ()
    clients: tuple[Code, ...] = ()


class Geo(Struct, frozen=True):
    """How places are found and compared. `database`: a file in MaxMind's format. `regions` are those of which
    more is to be known."""

    database: File = ""
    default: Home = Home()
    regions: Mapping[str, Region] = {}


def check(written: Sequence[Place], geo: Geo, reader: schema.Reader) -> None:
    """What one value cannot say about itself."""
    seen: set[str] = set()
    for index, place in enumerate(written):
        if place.prefix in seen:
            reader.bad(("places", index, "prefix"), f"prefix {place.prefix} is written twice")
        seen.add(place.prefix)
    if geo.default.zone and not geo.default.region:
        reader.bad(("geo", "default"), "geo.default has a zone without its region")
    taken: dict[str, str] = {}
    for name, region in geo.regions.items():
        _check_region(name, region, reader)
        for each in region.clients:
            if taken.setdefault(each, name) != name:
                told = f"clients of {each} are in region {taken[each]!r} already"
                reader.bad(("geo", "regions", name, "clients"), told)


def _check_region(name: str, region: Region, reader: schema.Reader) -> None:
    path: schema.Path = ("geo", "regions", name)
    try:
        schema.label(name, reader)
    except schema.Bad as error:
        reader.bad(path, error.what, error.hint)
    beyond = any(abs(degrees) > limit for degrees, limit in zip(region.position, (90, 180), strict=False))
    if len(region.position) not in (0, 2) or beyond:
        hint = "write [LATITUDE, LONGITUDE] in degrees: [50.1, 8.7]"
        reader.bad((*path, "position"), f"region {name!r}: not a position on Earth", hint)


def settings(
    written: Sequence[Place], geo: Geo, ecs: Ecs, clients: Mapping[str, tuple[str, ...]]
) -> atlas.Settings:
    """All of it as `atlas` takes it. `clients`: the networks of each member."""
    areas = {
        name: atlas.Area(places.Position(*region.position) if region.position else None, region.clients)
        for name, region in geo.regions.items()
    }
    return atlas.Settings(
        prefixes=tuple((each.prefix, each.region, each.zone) for each in written),
        clients=clients,
        areas=areas,
        default=(geo.default.region, geo.default.zone),
        database=bool(geo.database),
        ecs=ecs.enabled,
        trust=ecs.trust,
    )
