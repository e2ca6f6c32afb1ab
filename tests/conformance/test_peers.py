"""Random zones and questions: Knot, NSD and fedns read the same files and must say the same.

Where the two peers differ, fedns agrees with one of them. Compared: code, AA, TC, answer, the SOA of a
denial and the NS set of a referral. Zones are kept to what all three accept.
"""

import random
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import dns.flags
import dns.message
import dns.rdatatype
import dns.rrset
import pytest

from fedns.dns import respond, wire
from tests.conformance import probes, worlds
from tests.servers import running

ZONES, QUESTIONS = 40, 30
_LABELS = ("a", "b", "c", "*", "d", "ns")
_ALONE = ("CNAME", "NS", "DNAME")
_TYPES = ("A", "A", "AAAA", "TXT", "CNAME", "CNAME", "MX", "NS", "DNAME", "SRV")
_ASKED = ("A", "A", "AAAA", "TXT", "CNAME", "MX", "NS", "DS", "SRV", "DNAME", "SOA")
_KNOT = """\
server:
  listen: 127.0.0.1@{port}
  rundir: {home}
database:
  storage: {home}/knot
template:
  - id: default
    storage: {home}
    semantic-checks: off
zone:
"""
_NSD = """\
server:
  ip-address: 127.0.0.1@{port}
  server-count: 1
  username: ""
  zonesdir: {home}
  database: ""
  pidfile: {home}/nsd.pid
  xfrdfile: {home}/nsd.xfrd
  zonelistfile: {home}/nsd.zones
  rrl-ratelimit: 0
remote-control:
  control-enable: no
"""


class Peer(NamedTuple):
    """How to run a peer: command, configuration, and the configuration of one zone."""

    command: tuple[str, ...]
    config: str
    zone: str


_PEERS = (
    Peer(("knotd", "-c"), _KNOT, "  - domain: {origin}\n    file: {file}\n"),
    Peer(("nsd", "-d", "-c"), _NSD, "zone:\n  name: {origin}\n  zonefile: {file}\n"),
)

Exchange = probes.Exchange
Shape = tuple[int, int, list[tuple[object, ...]]]


def _name(chance: random.Random, depth: int) -> str:
    return ".".join(chance.choice(_LABELS) for _ in range(chance.randint(1, depth)))


def _rdata(chance: random.Random, kind: str) -> str:
    target = chance.choice([_name(chance, 3), _name(chance, 2), "out.side."])
    fixed = {
        "A": f"192.0.2.{chance.randint(1, 250)}",
        "AAAA": f"2001:db8::{chance.randint(1, 99)}",
        "TXT": "x",
    }
    return fixed.get(kind, {"MX": "5 ", "SRV": "0 1 80 "}.get(kind, "") + target)


def zone(chance: random.Random, origin: str) -> str:
    """A random master file: aliases, cuts, DNAMEs, wildcards, names below names."""
    held: dict[str, list[str]] = {}
    lines = [f"$ORIGIN {origin}", "$TTL 300", "@ SOA ns.a hostmaster 1 3600 600 86400 60", "@ NS ns.a"]
    for _ in range(chance.randint(4, 14)):
        owner, kind = _name(chance, 3), chance.choice(_TYPES)
        beside = held.setdefault(owner, [])
        clash = beside and (kind in _ALONE or any(each in _ALONE for each in beside))
        hidden = any(owner.endswith("." + top) for top, kinds in held.items() if "DNAME" in kinds)
        covers = kind == "DNAME" and any(each.endswith("." + owner) for each in held)
        if clash or hidden or covers or (owner[0] == "*" and kind in ("NS", "DNAME")):
            continue
        beside.append(kind)
        lines.append(f"{owner} {kind} {_rdata(chance, kind)}")
    return "\n".join(lines) + "\n"


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def _serving(peer: Peer, path: str, home: Path, origins: list[str]) -> Iterator[Exchange]:
    """A peer serving the files in `home`, once it answers for the last zone."""
    port = _free_port()
    config, log = home / f"{peer.command[0]}.conf", home / f"{peer.command[0]}.log"
    zones = "".join(peer.zone.format(origin=each, file=each[:-1]) for each in origins)
    config.write_text(peer.config.format(port=port, home=home) + zones)
    with log.open("w") as output:
        process = subprocess.Popen([path, *peer.command[1:], str(config)], stdout=output, stderr=output)
        try:
            exchange = probes.over_socket("127.0.0.1", port, 0.2)
            soa = probes.query(origins[-1], wire.SOA)
            running.until(lambda: (exchange(soa, False) or b"")[6:8] == b"\0\1", log.read_text())
            yield probes.over_socket("127.0.0.1", port, running.LONG)
        finally:
            process.terminate()
            process.wait(running.LONG)


def _shape(octets: bytes | None) -> Shape:
    assert octets is not None
    reply = dns.message.from_wire(octets)
    authority = [
        each for each in reply.authority if each.rdtype == wire.SOA or not reply.flags & dns.flags.AA
    ]
    kept = (dns.flags.AA | dns.flags.TC) & reply.flags
    return int(reply.rcode()), int(kept), _rows("answer", reply.answer) + _rows("authority", authority)


def _rows(section: str, rrsets: list[dns.rrset.RRset]) -> list[tuple[object, ...]]:
    return sorted(
        (section, rrset.name.to_text().lower(), rrset.ttl, int(rdata.rdtype), rdata.to_digestable())
        for rrset in rrsets
        for rdata in rrset
    )


@pytest.mark.parametrize("seed", [1, 2])
def test_same_answers_as_the_peers(seed: int, tmp_path: Path, tool: Callable[[str], str]) -> None:
    chance = random.Random(seed)
    texts = {f"z{each}.": zone(chance, f"z{each}.") for each in range(ZONES)}
    for origin, text in texts.items():
        (tmp_path / origin.rstrip(".")).write_text(text)
    (tmp_path / "knot").mkdir()
    view, origins = worlds.view(texts), list(texts)
    with ExitStack() as stack:
        peers = [
            stack.enter_context(_serving(peer, tool(peer.command[0]), tmp_path, origins)) for peer in _PEERS
        ]
        for origin in origins:
            for _ in range(QUESTIONS):
                owner = ".".join([*([_name(chance, 4)] if chance.random() < 0.95 else []), origin])
                rtype = dns.rdatatype.from_text(chance.choice(_ASKED))
                packet = probes.query(owner, rtype, probes.opt(4096))
                ours = _shape(respond.respond(view, packet, 4096))
                theirs = [_shape(peer(packet, False)) for peer in peers]
                assert ours in theirs, f"{owner} {rtype.name}\n{texts[origin]}"
