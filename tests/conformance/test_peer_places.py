"""Random maps and clients, put to gdnsd's geography too: the same answers, and scopes that are never shorter.

Law: gdnsd merges what it need not tell apart, so its scope is the shortest that can be right; ours is as long
where only prefixes decide, and may be longer where the database says the same of two neighbours.
"""

import random
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import ip_address, ip_network
from pathlib import Path

import dns.edns
import dns.exception
import dns.message
import dns.query
import pytest

from fedns.dns import atlas, client
from fedns.servers import geodata
from tests.bench import serving
from tests.dns import test_places as places
from tests.fakes import mmdb
from tests.golden import fleet
from tests.servers import running

NAME = "r.n.fed.svc.example.com"
DATACENTERS = {"eu": "192.0.2.1", "us": "192.0.2.2", "ap": "192.0.2.3"}
CONTINENTS = {"eu": "EU", "us": "NA", "ap": "AS"}
CONFIG = """
options => {{ listen => 127.0.0.1:{port}, run_dir => {home}, state_dir => {home} }}
plugins => {{ geoip => {{
  maps => {{ m => {{
    geoip2_db => geo.mmdb
    datacenters => [ eu, us, ap ]
    map => {{ EU => [ eu ], NA => [ us ], AS => [ ap ] }}
    nets => {{ {nets} }}
  }} }}
  service_types => up
  resources => {{ r => {{ map => m, dcmap => {{ eu => 192.0.2.1, us => 192.0.2.2, ap => 192.0.2.3 }} }} }}
}} }}
"""
ZONE = "@ SOA ns1 me (1 7200 1800 259200 900)\n@ NS ns1\nns1 A 192.0.2.42\nr.n.fed.svc 30 DYNA geoip!r\n"
QUESTIONS = 400


class Draw:
    """A map by chance: networks below 10.0.0.0/8 and 2001:db8::/32, written and in a database."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self.written = {self._network(20): chance.choice(list(DATACENTERS)) for _ in range(12)}
        self.rows: dict[str, str] = {}
        for _ in range(16):
            network = ip_network(self._network(16))
            if not any(network.overlaps(ip_network(each)) for each in self.rows):
                self.rows[str(network)] = chance.choice(list(DATACENTERS))

    def _network(self, longest: int) -> str:
        if self._chance.random() < 0.7:
            whole, length = 10 << 24, self._chance.randint(9, 8 + longest)
            address = ip_address(whole | self._chance.getrandbits(24))
        else:
            length = self._chance.randint(33, 32 + longest)
            address = ip_address((0x20010DB8 << 96) | self._chance.getrandbits(96))
        return str(ip_network((address, length), strict=False))

    def subnet(self) -> str:
        return self._network(24)


@contextmanager
def gdnsd(binary: str, home: Path, draw: Draw) -> Iterator[int]:
    port = serving.free_port()
    for folder in ("zones", "geoip"):
        (home / folder).mkdir()
    nets = ", ".join(f"{network} => [ {at} ]" for network, at in draw.written.items())
    (home / "config").write_text(CONFIG.format(port=port, home=home, nets=nets))
    (home / "zones" / "example.com").write_text(ZONE)
    rows = {network: mmdb.city("XX", CONTINENTS[at]) for network, at in draw.rows.items()}
    (home / "geoip" / "geo.mmdb").write_bytes(mmdb.database(rows))
    with (home / "log").open("wb") as log:
        process = subprocess.Popen([binary, "-c", str(home), "start"], stdout=log, stderr=log)
    try:
        running.until(lambda: _alive(port, process, home), "gdnsd answers")
        yield port
    finally:
        process.terminate()
        process.wait(running.LONG)


def _alive(port: int, process: "subprocess.Popen[bytes]", home: Path) -> bool:
    assert process.poll() is None, (home / "log").read_text()
    try:
        ask(port, "")
    except (OSError, dns.exception.Timeout):
        return False
    return True


def ask(port: int, subnet: str) -> tuple[list[str], int]:
    options = [places.subnet_option(subnet)] if subnet else []
    query = dns.message.make_query(NAME, "A", use_edns=0, payload=1232, options=options)
    reply = dns.query.udp(query, "127.0.0.1", timeout=1.0, port=port)
    told = [each.scopelen for each in reply.options if isinstance(each, dns.edns.ECSOption)]
    return sorted(row.to_text() for rrset in reply.answer for row in rrset), (told or [-1])[0]


@pytest.mark.parametrize("seed", range(3))
def test_gdnsd_says_the_same(seed: int, tmp_path: Path, tool: Callable[[str], str]) -> None:
    draw = Draw(random.Random(seed))
    where = atlas.Settings(
        prefixes=tuple((network, at, "") for network, at in draw.written.items()),
        areas={at: atlas.Area(None, (f"continent:{code}",)) for at, code in CONTINENTS.items()},
        default=("eu", ""),
        database=True,
    )
    built = fleet.build(
        {
            "settings": {"federation": "fed", "domain": "example.com"},
            "members": {at: {"region": at} for at in DATACENTERS},
            "services": {
                "n/r": {
                    "policy": {"strategy": "Nearest"},
                    "shards": {at: {"addresses": [address]} for at, address in DATACENTERS.items()},
                }
            },
            "where": where,
        }
    )
    host = client.Host(client.Server())
    host.geo = geodata.Shelf()
    with gdnsd(tool("gdnsd"), tmp_path, draw) as port:
        known = built.atlas._replace(database=str(tmp_path / "geoip" / "geo.mmdb"))
        table = built._replace(atlas=known).table()
        exact = 0
        for _ in range(QUESTIONS):
            subnet = draw.subnet()
            theirs, least = ask(port, subnet)
            ours, scope = places.ask(NAME, "A", subnet, table, host=host)
            told = int((scope or "/-1")[1:])
            assert ours == theirs, subnet
            assert told >= least, subnet
            exact += told == least
        assert exact > QUESTIONS // 2
