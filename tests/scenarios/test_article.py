"""The listing of the federated-services article and an alias into it, asked of real processes."""

import subprocess
from collections.abc import Callable, Iterator

import dns.rdatatype
import pytest

from tests.scenarios import world

CENTRAL = frozenset(one for zone, one in world.ADDRESSES.items() if zone.startswith("us-central1"))
LISTING = {
    world.GLOBAL: world.records(world.SERVING),
    **{
        world.place(zone): world.records([address])
        for zone, address in world.ADDRESSES.items()
        if zone != "europe-west1-b"
    },
    world.place("us-central1-a.us-central1"): world.records([world.ADDRESSES["us-central1-a"]]),
    world.place("us-central1"): world.records(CENTRAL),
    world.place("asia-east1"): world.records([world.ADDRESSES["asia-east1-c"]]),
    world.place("europe-west1"): world.records(world.SERVING, world.GLOBAL),
    world.place("europe-west1-b"): world.records(world.SERVING, world.place("europe-west1"), world.GLOBAL),
    "eu.nginx.acme.com": world.records(world.SERVING, world.place("europe-west1"), world.GLOBAL),
}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[world.Served]:
    with world.settled(world.World(tmp_path_factory.mktemp("article"))) as running:
        yield running


@pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])
@pytest.mark.parametrize("name", LISTING)
def test_every_name_of_the_listing(served: world.Served, name: str, tcp: bool) -> None:
    message = served.ask(name, tcp=tcp)
    assert world.answer(message) == LISTING[name]
    ttls = {str(rrset.name): rrset.ttl for rrset in message.answer}
    assert ttls.pop("eu.nginx.acme.com.", 300) == 300  # the zone file's own
    assert set(ttls.values()) == {180}


@pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])
def test_the_chain_of_an_outside_alias_comes_in_one_response_and_in_order(
    served: world.Served, tcp: bool
) -> None:
    message = served.ask("eu.nginx.acme.com", tcp=tcp)
    told = [(str(rrset.name), dns.rdatatype.to_text(rrset.rdtype)) for rrset in message.answer]
    europe = world.place("europe-west1")
    assert told == [("eu.nginx.acme.com.", "CNAME"), (f"{europe}.", "CNAME"), (f"{world.GLOBAL}.", "A")]


@pytest.mark.parametrize("transport", ["+notcp", "+tcp"])
def test_dig_prints_the_listing(served: world.Served, tool: Callable[[str], str], transport: str) -> None:
    command = [tool("dig"), "@127.0.0.1", "-p", str(served.port), "+short", transport]
    for name, expected in LISTING.items():
        done = subprocess.run([*command, name], capture_output=True, text=True, timeout=world.LONG)
        chain = [one.partition(" ")[2] for one in expected if one.startswith("CNAME")]
        lines = done.stdout.split()
        assert lines[: len(chain)] == chain, done.stdout
        assert sorted(lines[len(chain) :]) == [one.removeprefix("A ") for one in expected[len(chain) :]]
