"""A geographic database in MaxMind's format, as the workers ask it.

Law: the file is one that nobody writes any more (`sources.geodata` made it), so it can be mapped. What cannot
be read in it is an address of which nothing is known, and that holds for this address alone.
"""

import logging
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address
from typing import Any

import maxminddb

from fedns import logs
from fedns.dns import client

_log = logging.getLogger("fedns.geodata")


class Database:
    """One database. OSError or maxminddb.InvalidDatabaseError where it is none."""

    def __init__(self, path: str) -> None:
        self._reader = maxminddb.open_database(path)
        self._wide = self._reader.metadata().ip_version == 6

    def find(self, address: bytes) -> client.Spot:
        """What is known of an address, and the length of the prefix around it of which this is said."""
        narrow = len(address) == 4
        if not (narrow or self._wide):
            return client.Spot((), None, 0)
        try:
            asked = IPv4Address(address) if narrow else IPv6Address(address)
            record, length = self._reader.get_with_prefix_len(asked)
        except (maxminddb.InvalidDatabaseError, ValueError):
            return client.Spot((), None, 8 * len(address))
        found = record if isinstance(record, dict) else {}
        return client.Spot(tuple(_codes(found)), _position(found), length)


class Shelf:
    """The one database in use. While a new one cannot be read, the one before stays."""

    def __init__(self) -> None:
        self._path = ""
        self._held: Database | None = None

    def find(self, path: str, address: bytes) -> client.Spot:
        """As the database at `path` says; without any, nothing is known of anybody."""
        if path != self._path:
            self._path = path
            self._held = _opened(path) or self._held
        return self._held.find(address) if self._held else client.Spot((), None, 0)


def _opened(path: str) -> Database | None:
    try:
        return Database(path)
    except (OSError, maxminddb.InvalidDatabaseError) as error:
        _log.error("the geographic database cannot be read", extra=logs.fields(error=str(error)))
        return None


def _codes(record: dict[str, Any]) -> Iterator[str]:
    """The most specific first. A `region` is what the operator's own databases may hold."""
    country = _text(record.get("country"), "iso_code")
    parts = record.get("subdivisions")
    held = [
        ("region:", _text(record.get("region"), "iso_code")),
        *((f"subdivision:{country}-", _text(part, "iso_code")) for part in reversed(parts or ())),
        ("country:", country),
        ("continent:", _text(record.get("continent"), "code")),
    ]
    return (kind + code for kind, code in held if code)


def _text(value: Any, key: str) -> str:
    """Some databases hold the code itself, others an object with it."""
    found = value.get(key) if isinstance(value, dict) else value
    return found if isinstance(found, str) else ""


def _position(record: dict[str, Any]) -> tuple[float, float] | None:
    """Latitude and longitude."""
    held = record.get("location")
    place = (held.get("latitude"), held.get("longitude")) if isinstance(held, dict) else ()
    degrees = [float(each) for each in place if isinstance(each, float | int)]
    return (degrees[0], degrees[1]) if len(degrees) == 2 else None
