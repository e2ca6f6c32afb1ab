"""A small Internet in a network namespace of its own, for tools that know no port but 53 and no loopback.

Root, com, net and arpa on one NSD; below them `example.com` and `acme.com` on the server under test, at two
addresses per family in networks of their own. Law: run as `unshare -rn`; nothing leaves the namespace.
"""

import ipaddress
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import dns.dnssec
import dns.name
import dns.zone
from cryptography.hazmat.primitives.asymmetric import ec
from dns.rdtypes.ANY.DNSKEY import DNSKEY

from tests.conformance import field, peers
from tests.scenarios import world

ROOTS = ("198.41.0.4", "2001:503:ba3e::2:30")
SERVERS = {"ns1": ("185.49.140.1", "2a04:b900::1"), "ns2": ("194.0.14.1", "2001:678:4::1")}
"""Host -> addresses. Public numbers, since tools find fault with any other; here they are ours alone."""
ZONES = ("example.com", "acme.com")
ROOT = "a.root-servers.net."
PLAIN, SIGNED = "fedns", "fedns, signed"
_HEAD = f"$ORIGIN {{origin}}\n$TTL 86400\n@ SOA {ROOT} nobody 1 14400 3600 1209600 3600\n@ NS {ROOT}\n"
_HINTS = f". 3600000 NS {ROOT}\n{ROOT} 3600000 A {ROOTS[0]}\n{ROOT} 3600000 AAAA {ROOTS[1]}\n"


class Internet(NamedTuple):
    """Where its root is described, and a directory to write in."""

    home: Path
    hints: Path


@contextmanager
def laid(server: str) -> Iterator[Internet]:
    """The Internet with fedns (its zones signed or not) or a peer at `ns1` and `ns2` of both zones."""
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        _addresses()
        served = stack.enter_context(world.settled(_place(home / "ours", server)))
        above = home / "above"
        above.mkdir()
        anchors = home / "anchors"
        zones = _sealed(_above(), served, anchors) if server == SIGNED else _above()
        stack.enter_context(peers.serving(_peer("NSD"), _path("nsd"), above, zones, (ROOTS, 53)))
        if server not in (PLAIN, SIGNED):
            zones = {f"{each}.": served.fedns("zone", "dump", each).stdout for each in ZONES}
            (home / server).mkdir()
            peer = _peer(server)
            stack.enter_context(
                peers.serving(peer, _path(peer.program), home / server, zones, (_hosts(), 53))
            )
        (home / "hints").write_text(_HINTS)
        yield Internet(home, home / "hints")


def _peer(name: str) -> peers.Peer:
    return next(each for each in peers.PEERS if each.name == name)


def _path(program: str) -> str:
    return shutil.which(program) or program


def _hosts() -> tuple[str, ...]:
    return tuple(address for pair in SERVERS.values() for address in pair)


def _addresses() -> None:
    ip = _path("ip")
    subprocess.run([ip, "link", "set", "lo", "up"], check=True)
    for address in (*ROOTS, *_hosts()):
        subprocess.run(
            [ip, "address", "add", address, "dev", "lo", "nodad"][: 7 if ":" in address else 6], check=True
        )


def _place(root: Path, server: str) -> world.World:
    root.mkdir()
    place = world.World(root)
    text = place.config.read_text()
    servers = ", ".join(
        f"{host}.example.com: [{', '.join(map(_quoted, pair))}]" for host, pair in SERVERS.items()
    )
    text = text.replace("{ns1.example.com: [127.0.0.1]}", f"{{{servers}}}")
    if server == SIGNED:
        text = text.replace("workers: 2", f"workers: 2, dnssec: {{zones: [{', '.join(ZONES)}]}}")
    if server in (PLAIN, SIGNED):
        listen = ", ".join(_quoted(f"[{each}]:53" if ":" in each else f"{each}:53") for each in _hosts())
        text = text.replace('"127.0.0.1:0"', f'"127.0.0.1:0", {listen}')
    place.put("fedns.yaml", text)
    zone = field.STATIC["acme.com."].read_text()
    for host, loopback in (("ns1", "127.0.0.1"), ("ns2", "127.0.0.2")):
        four, six = SERVERS[host]
        zone = zone.replace(f"IN A     {loopback}", f"IN A     {four}\n             IN AAAA  {six}")
    place.put("zones/acme.com.zone", zone)
    return place


def _quoted(text: str) -> str:
    return f'"{text}"'


def _above() -> dict[str, str]:
    """Origin -> text of the zones above."""
    zones = {origin: _HEAD.format(origin=origin) for origin in (".", "com.", "net.", "arpa.")}
    zones["."] += "".join(f"{origin} NS {ROOT}\n" for origin in ("com.", "net.", "arpa."))
    for origin in (".", "net."):
        zones[origin] += f"{ROOT} A {ROOTS[0]}\n{ROOT} AAAA {ROOTS[1]}\n"
    zones["net."] += "mail.backup.example A 192.0.2.26\n"
    for zone in ZONES:
        for host, (four, six) in SERVERS.items():
            name = f"{host}.{zone}."
            zones["com."] += f"{zone}. NS {name}\n{name} A {four}\n{name} AAAA {six}\n"
    for number, address in enumerate(_hosts(), 64500):
        pointer = ipaddress.ip_address(address).reverse_pointer
        host = next(host for host, pair in SERVERS.items() if address in pair)
        zones["arpa."] += "".join(f"{pointer}. PTR {host}.{zone}.\n" for zone in ZONES)
        zones["net."] += _network(number, address, pointer)
    return zones


def _sealed(zones: dict[str, str], served: world.Served, anchors: Path) -> dict[str, str]:
    """The zones above, those from our own up to the root signed; the root's key is written to `anchors`."""
    sealed, now = dict(zones), int(time.time())
    below = {each: list(_points(each, _keys(served, each))) for each in ZONES}
    for origin, children in (("com.", ZONES), (".", ("com",))):
        private = ec.generate_private_key(ec.SECP256R1())
        key = dns.dnssec.make_dnskey(private.public_key(), dns.dnssec.Algorithm.ECDSAP256SHA256, flags=257)
        text = sealed[origin] + "".join(line for child in children for line in below[child])
        zone = dns.zone.from_text(text, origin, relativize=False)
        dns.dnssec.sign_zone(zone, keys=[(private, key)], inception=now - 3600, expiration=now + 14 * 86400)
        sealed[origin] = zone.to_text(relativize=False, want_origin=True)
        below[origin.rstrip(".")] = list(_points(origin, [key]))
        anchors.write_text(f"{origin} 86400 IN DNSKEY {key}\n")
    return sealed


def _points(zone: str, keys: list[DNSKEY]) -> Iterator[str]:
    """DS records for the keys that the parent is to know."""
    name = dns.name.from_text(zone)
    for key in keys:
        if key.flags & 1:
            yield f"{name} DS {dns.dnssec.make_ds(name, key, 'SHA256')}\n"


def _keys(served: world.Served, zone: str) -> list[DNSKEY]:
    found: list[DNSKEY] = []

    def published() -> bool:
        found[:] = [each for rrset in served.ask(zone, "DNSKEY", tcp=True).answer for each in rrset]
        return bool(found)

    world.until(published, f"keys of {zone}")
    return found


def _network(number: int, address: str, pointer: str) -> str:
    """The two records by which Zonemaster learns in which network an address is."""
    prefix = ipaddress.ip_network(f"{address}/{48 if ':' in address else 24}", strict=False)
    name = pointer.replace(".in-addr.arpa", ".origin").replace(".ip6.arpa", ".origin6")
    tail = "EU | ripencc | 2001-01-01"
    return (
        f'{name}.asnlookup.zonemaster TXT "{number} | {prefix} | {tail}"\n'
        f'AS{number}.asnlookup.zonemaster TXT "{number} | {tail} | X"\n'
    )


def main() -> int:
    """`internet SERVER COMMAND...`: runs the command there, `{hints}` standing for the hints file."""
    server, *command = sys.argv[1:]
    with laid(server) as here:
        words = [
            each.replace("{hints}", str(here.hints)).replace("{home}", str(here.home)) for each in command
        ]
        return subprocess.run(words, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
