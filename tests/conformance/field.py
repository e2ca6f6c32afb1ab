"""fedns with the worked example, a zone of odd names and a federation; and peers that serve its zones.

Law: peers get what fedns transfers (AXFR, signed with a key), unchanged.
"""

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import dns.name
import dns.query
import dns.tsigkeyring
import dns.xfr
import dns.zone

from tests.conformance import peers, probes
from tests.scenarios import world

ROOT = Path(__file__).resolve().parents[2]
STATIC = {
    "acme.com.": ROOT / "zones/acme.com.zone",
    "odd.example.": Path(__file__).parent / "odd.example.zone",
}
PATIENCE = 1.0  # seconds; BIND limits what it says in class CHAOS, and drops the rest

KEY, SECRET = "field.example.", "c2VjcmV0IG9mIHRoZSBmaWVsZCwgMzIgb2N0ZXRzIGxvbmc="
TRANSFER = f"transfer: {{keys: [{{name: {KEY}, secret: {SECRET}}}], allow: ['key {KEY}']}}\n"

Find = Callable[[str], str]


class Field(NamedTuple):
    """What is asked, and about which names (lower-case wire). `zones`: origin -> what was transferred."""

    ours: probes.Exchange
    peers: Mapping[str, probes.Exchange]
    names: list[bytes]
    zones: Mapping[str, str]


@contextmanager
def laid(find: Find = lambda name: shutil.which(name) or name) -> Iterator[Field]:
    """All of it running. `find` gives the path of a peer's program."""
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        place = world.World(home)
        for origin, path in STATIC.items():
            place.put(f"zones/{origin}zone", path.read_text())
        place.configure(TRANSFER)
        served = stack.enter_context(world.settled(place))
        read = {origin: transferred(served.port, origin) for origin in (*STATIC, "example.com.")}
        zones = {origin: zone.to_text(relativize=False, want_origin=True) for origin, zone in read.items()}
        asked = {}
        for peer in peers.PEERS:
            (home / peer.name).mkdir()
            port = stack.enter_context(peers.serving(peer, find(peer.program), home / peer.name, zones))
            asked[peer.name] = probes.over_socket("127.0.0.1", port, PATIENCE)
        ours = probes.over_socket("127.0.0.1", served.port, world.LONG)
        names = {name.to_wire() or b"" for zone in read.values() for name in zone.nodes}
        yield Field(ours, asked, sorted(names), zones)


def transferred(port: int, origin: str) -> dns.zone.Zone:
    """The zone as AXFR gives it."""
    zone = dns.zone.Zone(dns.name.from_text(origin), relativize=False)
    asked, _ = dns.xfr.make_query(zone, keyring=dns.tsigkeyring.from_text({KEY: SECRET}))
    dns.query.inbound_xfr("127.0.0.1", zone, asked, port=port, lifetime=world.LONG)
    return zone
