"""A database in MaxMind's format, written by hand, as the workers ask it."""

from ipaddress import ip_address
from pathlib import Path

import pytest

from fedns.dns import client
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
