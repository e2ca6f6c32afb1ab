"""Signed zones as validators of others see them, while shards come and go."""

import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import dns.flags
import dns.message
import dns.query
import dns.rcode
import pytest

from tests.fakes import resolver
from tests.scenarios import world

_ZONES = ("example.com", "acme.com")
_SETTING = "dnssec: {zones: [example.com, acme.com], algorithm: ALGORITHM}"
_MORE = (
    "*.apps CNAME nginx.mynamespace.myfederation.svc.example.com.\n*.wild TXT hello\n"
    "old DNAME new\nwww.new A 192.0.2.81\n"
    "sub NS ns.sub\nns.sub A 192.0.2.82\nsafe NS ns.sub\nsafe DS 1 13 2 " + "00" * 32 + "\n"
    "a.b.deep A 192.0.2.83\nmail MX 10 www\n"
)
_EUROPE = world.place("europe-west1-b")
ASKED = (
    (world.GLOBAL, "A"),
    (world.place("us-central1-a"), "A"),
    (_EUROPE, "A"),
    (world.place("us-central1-a"), "AAAA"),
    (f"_http._tcp.{world.GLOBAL}", "SRV"),
    (f"_http._tcp.{_EUROPE}", "SRV"),
    ("eu.nginx.acme.com", "A"),
    ("x.apps.acme.com", "A"),
    ("x.wild.acme.com", "TXT"),
    ("x.wild.acme.com", "A"),
    ("www.old.acme.com", "A"),
    ("www.acme.com", "MX"),
    ("b.deep.acme.com", "A"),
    ("no.acme.com", "A"),
    (f"no.{world.GLOBAL}", "A"),
    ("svc.example.com", "TXT"),
    ("safe.acme.com", "DS"),
    ("sub.acme.com", "DS"),
    ("example.com", "DNSKEY"),
    ("example.com", "CDS"),
    ("acme.com", "NSEC"),
)
"""Positive, alias chains within and across zones, wildcards, no such type, no such name, delegations."""
_LEAVE = ("eu.nginx.acme.com", "x.apps.acme.com")
_INSIDE = {
    zone: [asked for asked in ASKED if asked[0].endswith(zone) and asked[0] not in _LEAVE] for zone in _ZONES
}
"""Questions whose answer lies in the zone that is asked."""


def _signed(root: Path, algorithm: str = "ecdsap256sha256") -> world.World:
    place = world.World(root)
    place.put("zones/acme.com.zone", world.ZONE + _MORE)
    text = place.config.read_text()
    place.put(
        "fedns.yaml", text.replace("workers: 2", "workers: 2, " + _SETTING.replace("ALGORITHM", algorithm))
    )
    return place


def _anchors(served: world.Served) -> list[str]:
    """The DNSKEY records of both zones, once every worker signs."""
    world.until(lambda: all(_keys(served, zone) for zone in _ZONES * world.PORTS), "keys")
    return [line for zone in _ZONES for line in _keys(served, zone)]


def _keys(served: world.Served, zone: str) -> list[str]:
    query = dns.message.make_query(zone, "DNSKEY", want_dnssec=True)
    reply = dns.query.udp(query, "127.0.0.1", timeout=world.LONG, port=served.port)
    found = reply.get_rrset(reply.answer, dns.name.from_text(zone), "IN", "DNSKEY")
    return found.to_text().splitlines() if found else []


@contextmanager
def _flapping(place: world.World) -> Iterator[None]:
    """Shards that come and go all the while."""
    done = threading.Event()

    def flap() -> None:
        ready = False
        while not done.wait(0.02):
            for zone in ("us-central1-a", "asia-east1-c", "europe-west1-b"):
                place.write(zone, [world.ADDRESSES[zone]], ready)
            ready = not ready

    thread = threading.Thread(target=flap)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


@pytest.mark.parametrize("algorithm", ["ecdsap256sha256", "ed25519"])
def test_unbound_validates_everything_while_shards_flap(
    tmp_path: Path, tool: Callable[[str], str], algorithm: str
) -> None:
    place = _signed(tmp_path / "w", algorithm)
    with world.settled(place) as served:
        zones = {"example.com.": served.port, "acme.com.": served.port}
        with (
            resolver.validating(tool("unbound"), tmp_path / "u", zones, _anchors(served)) as unbound,
            _flapping(place),
        ):
            seen: dict[str, set[tuple[str, ...]]] = {}
            for _ in range(20):
                for name, rtype in ASKED:
                    reply = unbound.ask(name, rtype)
                    what = f"{name} {rtype}: {reply}"
                    assert reply.rcode() in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN), what
                    assert reply.flags & dns.flags.AD, what
                    seen.setdefault(f"{name} {rtype}", set()).add(world.answer(reply))
        assert len(seen[f"{world.GLOBAL} A"]) > 1  # it did flap
        assert world.answer(_missing(served)) == ("NXDOMAIN",)


def _missing(served: world.Served) -> dns.message.Message:
    """What who understands compact answers gets for a missing name."""
    query = dns.message.make_query("no.acme.com", "A", use_edns=0, ednsflags=0xC000)
    return dns.query.udp(query, "127.0.0.1", timeout=world.LONG, port=served.port)


def test_delv_validates(tmp_path: Path, tool: Callable[[str], str]) -> None:
    delv = tool("delv")
    with world.settled(_signed(tmp_path / "w")) as served:
        anchors = _anchors(served)
        for zone in _ZONES:
            keys = [line.split() for line in anchors if line.startswith(zone)]
            rows = [f'{zone}. static-key {key[4]} {key[5]} {key[6]} "{"".join(key[7:])}";' for key in keys]
            trusted = tmp_path / f"{zone}.keys"
            trusted.write_text(f"trust-anchors {{ {' '.join(rows)} }};")
            server = ("@127.0.0.1", "-p", str(served.port), "-a", str(trusted), f"+root={zone}")
            for question in _INSIDE[zone]:
                done = subprocess.run(
                    [delv, *server, *question],
                    capture_output=True,
                    text=True,
                    timeout=world.LONG,
                    check=False,
                )
                assert "fully validated" in done.stdout, (question, done.stdout, done.stderr)
