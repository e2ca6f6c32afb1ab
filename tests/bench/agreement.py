"""Whether all servers say the same to the same questions, before any of them is timed.

Law: a reply is compared by its meaning: response code and the set of its records, signatures left out.
"""

import random
from collections.abc import Sequence
from pathlib import Path

import dns.message
import dns.rcode
import dns.rdatatype
import peers
import questions

Meaning = tuple[str, frozenset[str]]
_LAX = ("gdnsd",)  # leaves following a CNAME to the resolver, on purpose


def disagreements(files: Sequence[tuple[peers.Server, Path]], count: int) -> list[str]:
    """Questions to which a server's answer is not the first one's; the files ask the same in their order."""
    asked = [(server, list(questions.messages(file.read_bytes()))) for server, file in files]
    wrong = []
    for index in random.Random(7).sample(range(len(asked[0][1])), count):
        told = {server.name: _meaning(peers.ask(server.port, packets[index])) for server, packets in asked}
        first = next(iter(told.values()))
        name = dns.message.from_wire(asked[0][1][index]).question[0].name
        wrong += [f"{name}: {who} {what}" for who, what in told.items() if not _agrees(who, what, first)]
    return wrong


def cookie(port: int, client: int) -> bytes:
    """What the client with this number sends back: the server's full cookie, or its own eight octets."""
    own = client.to_bytes(8, "big")
    reply = peers.ask(port, questions.packet("example.com", ((questions.COOKIE, own),), rtype=6))
    options = dns.message.from_wire(reply).options if reply else ()
    given = (each.to_wire() for each in options if each.otype == questions.COOKIE)
    return next(given, None) or own


def _agrees(who: str, theirs: Meaning, ours: Meaning) -> bool:
    return theirs == ours or (who in _LAX and theirs[0] == ours[0] and theirs[1] < ours[1])


def _meaning(reply: bytes | None) -> Meaning:
    if reply is None:
        return "no reply", frozenset()
    read = dns.message.from_wire(reply)
    rrsets = (each for each in read.answer if each.rdtype != dns.rdatatype.RRSIG)
    lines = frozenset(line.lower() for rrset in rrsets for line in rrset.to_text().splitlines())
    return "NXDOMAIN" if _nameless(read) else dns.rcode.to_text(read.rcode()), lines


def _nameless(read: dns.message.Message) -> bool:
    """Whether it says by its NSEC that there is no such name (NXNAME, RFC 9824)."""
    denials = (each for each in read.authority if each.rdtype == dns.rdatatype.NSEC)
    return any(" TYPE128" in each.to_text() or " NXNAME" in each.to_text() for each in denials)
