"""Random zones and questions: Knot, NSD and fedns read the same files and must say the same.

Where the two peers differ, fedns agrees with one of them. Compared: code, AA, TC, answer, the SOA of a
denial and the NS set of a referral. Zones are kept to what all three accept.
"""

import random
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import dns.flags
import dns.message
import dns.rdatatype
import dns.rrset
import pytest

from fedns.dns import respond, wire
from tests.conformance import peers, probes, worlds
from tests.servers import running

ZONES, QUESTIONS = 40, 30
_LABELS = ("a", "b", "c", "*", "d", "ns")
_ALONE = ("CNAME", "NS", "DNAME")
_TYPES = ("A", "A", "AAAA", "TXT", "CNAME", "CNAME", "MX", "NS", "DNAME", "SRV")
_ASKED = ("A", "A", "AAAA", "TXT", "CNAME", "MX", "NS", "DS", "SRV", "DNAME", "SOA")
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
    view = worlds.view(texts)
    with ExitStack() as stack:
        asked = []
        for peer in peers.PEERS[:2]:
            port = stack.enter_context(peers.serving(peer, tool(peer.program), tmp_path, texts))
            asked.append(probes.over_socket("127.0.0.1", port, running.LONG))
        for origin in texts:
            for _ in range(QUESTIONS):
                owner = ".".join([*([_name(chance, 4)] if chance.random() < 0.95 else []), origin])
                rtype = dns.rdatatype.from_text(chance.choice(_ASKED))
                packet = probes.query(owner, rtype, probes.opt(4096))
                ours = _shape(respond.respond(view, packet, 4096))
                theirs = [_shape(peer(packet, False)) for peer in asked]
                assert ours in theirs, f"{owner} {rtype.name}\n{texts[origin]}"
