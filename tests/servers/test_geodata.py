"""A database in MaxMind's format, written by hand, as the workers ask it."""

import tempfile
from ipaddress import IPv4Network, IPv6Network, ip_address
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedns.dns import client, places
from fedns.servers import geodata
from tests.fakes import mmdb

ROWS = {
    "192.0.2.0/24": mmdb.city("US", "NA", ("CA",), (37.5, -122.0)),
    "198.51.100.128/25": mmdb.city("GB", "EU", ("ENG", "WBK")),
    "203.0.113.0/24": {"country": "DE", "continent": "EU", "region": "europe-west1"},
    "2001:db8::/32": mmdb.city("FR", "EU"),
}


def write(path: Path, version: int = 6) -> str:
    rows = ROWS if version == 6 else {net: row for net, row in ROWS.items() if ":" not in net}
    path.write_bytes(mmdb.database(rows, version))
    return str(path)


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize(
    ("address", "codes", "position", "length"),
    [
        ("192.0.2.9", ["subdivision:US-CA", "country:US", "continent:NA"], (37.5, -122.0), 24),
        (
            "198.51.100.200",
            ["subdivision:GB-WBK", "subdivision:GB-ENG", "country:GB", "continent:EU"],
            None,
            25,
        ),
        ("203.0.113.9", ["region:europe-west1", "country:DE", "continent:EU"], None, 24),
        ("198.51.100.1", [], None, 25),
    ],
)
def test_an_address(
    tmp_path: Path, version: int, address: str, codes: list[str], position: object, length: int
) -> None:
    found = geodata.Database(write(tmp_path / "a.mmdb", version)).find(ip_address(address).packed)
    assert found == client.Spot(tuple(codes), position, length)  # type: ignore[arg-type]


def test_ipv6(tmp_path: Path) -> None:
    address = ip_address("2001:db8::1").packed
    wide = geodata.Database(write(tmp_path / "6.mmdb"))
    assert wide.find(address) == client.Spot(("country:FR", "continent:EU"), None, 32)
    narrow = geodata.Database(write(tmp_path / "4.mmdb", 4))
    assert narrow.find(address) == client.Spot((), None, 0)  # it says nothing of anybody


def test_the_last_good_one_stays(tmp_path: Path) -> None:
    shelf, asked = geodata.Shelf(), ip_address("192.0.2.9").packed
    (tmp_path / "bad.mmdb").write_bytes(b"nonsense")
    bad, none = str(tmp_path / "bad.mmdb"), str(tmp_path / "none.mmdb")
    assert shelf.find(none, asked) == client.Spot((), None, 0)
    first = shelf.find(write(tmp_path / "a.mmdb"), asked)
    assert first.length == 24
    assert shelf.find(bad, asked) == shelf.find(none, asked) == first
    (tmp_path / "b.mmdb").write_bytes(mmdb.database({"192.0.2.0/25": mmdb.city("US", "NA")}))
    assert shelf.find(str(tmp_path / "b.mmdb"), asked).length == 25


def test_what_is_damaged_holds_for_its_address_alone(tmp_path: Path) -> None:
    path = Path(write(tmp_path / "a.mmdb"))
    data = path.read_bytes()
    at = data.index(b"country") - 8
    path.write_bytes(data[:at] + b"\xff" * 4 + data[at + 4 :])
    assert geodata.Database(str(path)).find(ip_address("192.0.2.9").packed) == client.Spot((), None, 32)


def disjoint(networks: list[tuple[int, int]], bits: int) -> list[str]:
    """(first octets as a number, length) -> networks that do not hold each other."""
    found: list[Any] = []
    for number, length in networks:
        kind = IPv4Network if bits == 32 else IPv6Network
        one = kind((number << (bits - 12) >> (bits - length) << (bits - length), length))
        if not any(one.overlaps(other) for other in found):
            found.append(one)
    return [str(each) for each in found]


NETWORKS = st.lists(st.tuples(st.integers(0, 4095), st.integers(1, 12)), max_size=8)


@settings(max_examples=150, deadline=None)
@given(NETWORKS, NETWORKS, NETWORKS, st.sampled_from([4, 6]), st.data())
def test_what_a_resolver_keeps_is_right_with_a_database_too(
    narrow: list[tuple[int, int]],
    wide: list[tuple[int, int]],
    written: list[tuple[int, int]],
    version: int,
    data: st.DataObject,
) -> None:
    """As `tests.dns.test_places` has it for prefixes alone."""
    rows = disjoint(narrow, 32) + (disjoint(wide, 128) if version == 6 else [])
    rows = [each for each in rows if not each.startswith("::/")]  # where IPv4 is
    countries = {each: {"country": {"iso_code": "ABC"[index % 3] * 2}} for index, each in enumerate(rows)}
    with tempfile.NamedTemporaryFile(suffix=".mmdb") as file:
        file.write(mmdb.database(countries, version))
        file.flush()
        prefixes = [places.Prefix(each, 4, "") for each in disjoint(written, 32)]
        codes = {"country:AA": 1, "country:BB": 2}
        known = places.Places(places.Atlas(prefixes=tuple(prefixes), codes=codes, database=file.name))
        shelf, size = geodata.Shelf(), data.draw(st.sampled_from([4, 16]))
        number, source = data.draw(st.integers(0, 4095)), data.draw(st.integers(0, 12))

        def found(client_: int) -> places.Found:
            cut = client_ << (8 * size - 12) >> (8 * size - source) << (8 * size - source)
            return known.find(cut.to_bytes(size, "big"), shelf)

        first = found(number)
        free = 12 - min(source, first.scope)
        for _ in range(5):
            other = number >> free << free | data.draw(st.integers(0, (1 << free) - 1))
            assert found(other).place == first.place
        assert first.scope <= 8 * size
