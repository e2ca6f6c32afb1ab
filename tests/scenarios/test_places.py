"""Clients at places, through real processes: what workers say to them, and what a caching resolver keeps."""

import random
from collections.abc import Callable, Iterator
from ipaddress import ip_address, ip_network
from pathlib import Path

import dns.edns
import dns.message
import dns.query
import dns.rcode
import pytest

from tests.fakes import mmdb, resolver
from tests.scenarios import world
from tests.scenarios.world import ADDRESSES, GLOBAL, LONG

NEAREST = world.POLICY.replace("spec: {", "spec: {strategy: Nearest, ")
PLACES = """places:
- {prefix: 10.0.0.0/8, region: us-central1}
- {prefix: 10.1.0.0/16, region: us-central1, zone: us-central1-b}
- {prefix: 10.1.2.0/23, region: asia-east1}
- {prefix: 10.128.0.0/9, region: asia-east1}
- {prefix: "2001:db8::/32", region: asia-east1}
geo: {database: geo.mmdb, regions: {us-central1: {clients: [country:MX]}}}
"""
ROWS = {
    "192.0.2.0/24": mmdb.city("JP", "AS", at=(35.7, 139.7)),
    "198.51.100.0/25": mmdb.city("MX", "NA", at=(35.7, 139.7)),  # its country outdoes its position
    "198.51.100.128/26": mmdb.city("CA", "NA", at=(45.0, -75.0)),
}
ASIA = (ADDRESSES["asia-east1-c"],)
CENTRAL = tuple(sorted(address for zone, address in ADDRESSES.items() if zone.startswith("us-central1")))
ALL = tuple(sorted(world.SERVING))


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[world.Served]:
    root = tmp_path_factory.mktemp("places")
    told = world.World(root)
    told.put("fleet/nginx.yaml", NEAREST)
    (root / "geo.mmdb").write_bytes(mmdb.database(ROWS))
    told.configure(PLACES)
    with world.settled(told) as running:
        yield running


def ask(port: int, subnet: str, name: str = GLOBAL) -> tuple[tuple[str, ...], int | None]:
    """The addresses, and the scope that is told."""
    network, _, length = subnet.partition("/")
    options = [dns.edns.ECSOption(network, int(length))] if subnet else []
    query = dns.message.make_query(name, "A", use_edns=0, payload=1232, options=options)  # type: ignore[arg-type]
    reply = dns.query.udp(query, "127.0.0.1", timeout=LONG, port=port)
    assert reply.rcode() == dns.rcode.NOERROR, reply
    scopes = [each.scopelen for each in reply.options if isinstance(each, dns.edns.ECSOption)]
    addresses = sorted(row.to_text() for rrset in reply.answer if rrset.rdtype == 1 for row in rrset)
    return tuple(addresses), scopes[0] if scopes else None


@pytest.mark.parametrize(
    ("subnet", "addresses", "scope"),
    [
        ("10.9.9.0/24", CENTRAL, 13),
        ("10.1.9.0/24", (ADDRESSES["us-central1-b"],), 21),
        ("10.1.2.0/24", ASIA, 23),
        ("10.200.0.0/16", ASIA, 9),
        ("2001:db8:7::/48", ASIA, 32),
        ("192.0.2.0/24", ASIA, 24),
        ("198.51.100.0/24", CENTRAL, 25),
        ("198.51.100.130/32", CENTRAL, 26),
        ("198.51.100.200/32", ALL, 26),  # nothing is known of 198.51.100.192/26: all are near
        ("203.0.113.0/24", ALL, 5),
        ("", ALL, None),
    ],
)
def test_workers_answer_by_place(
    served: world.Served, subnet: str, addresses: tuple[str, ...], scope: int | None
) -> None:
    assert ask(served.port, subnet) == (addresses, scope)


def test_explain_tells_the_place(served: world.Served) -> None:
    told = served.fedns("explain", GLOBAL, "--from", "10.1.9.9").stdout
    assert "in zone us-central1-b of region us-central1: 10.1.0.0/16 of `places`" in told
    assert "it holds for clients in 10.1.8.0/21" in told
    told = served.fedns("explain", GLOBAL, "--from", "198.51.100.9").stdout
    assert "in region us-central1: by the geographic database: country:MX" in told
    told = served.fedns("explain", GLOBAL).stdout
    assert "no client is named: the default view" in told
    assert served.fedns("explain", GLOBAL, "--from", "nobody").returncode != 0


def test_a_resolver_that_keeps_answers_gives_them_to_the_right_clients(
    served: world.Served, tool: Callable[[str], str], tmp_path: Path
) -> None:
    """Unbound asks for /24 and keeps what it is told by scope: every client gets what we would say to it."""
    chance = random.Random(7871)
    options = (
        'module-config: "subnetcache iterator"',
        "send-client-subnet: 127.0.0.1",
        "client-subnet-always-forward: yes",
        "qname-minimisation: no",
    )
    stubs = [resolver.stub("example.com", f"127.0.0.1@{served.port}")]
    with resolver.resolving(tool("unbound"), tmp_path, options, stubs) as keeper:
        for _ in range(400):
            network = chance.choice(["10.0.0.0/8", "10.1.0.0/20", "192.0.0.0/14", "198.51.100.0/22"])
            whole = ip_network(network)
            address = ip_address(int(whole[0]) + chance.randrange(whole.num_addresses))
            subnet = str(ip_network((address, 24), strict=False))
            assert ask(keeper.port, subnet)[0] == ask(served.port, subnet)[0], subnet


def test_the_database_is_taken_up_when_it_is_good(served: world.Served) -> None:
    file = served.world.root / "geo.mmdb"
    file.write_bytes(b"nonsense")
    world.until(lambda: "is no MaxMind database" in served.problems(), "a problem")
    assert ask(served.port, "192.0.2.0/24") == (ASIA, 24)
    file.write_bytes(mmdb.database({"192.0.2.0/25": mmdb.city("US", "NA", at=(40.0, -95.0))}))
    told = {(CENTRAL, 25)}
    world.until(
        lambda: {ask(served.port, "192.0.2.0/24") for _ in range(world.PORTS)} == told, "the new database"
    )
    assert "MaxMind" not in served.problems()
