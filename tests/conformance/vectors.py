"""Reads the outside DNS vectors and grades our replies as their README says.

Grades, best first: full, auth (additional differs), core (authority differs), answer (AA differs),
rcode (answer differs), wrong.
"""

import json
import os
from pathlib import Path
from typing import Any

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdatatype
import pytest

from fedns.dns import respond, wire
from tests.conformance import worlds

FOLDER = Path(os.environ.get("FEDNS_VECTORS", Path(__file__).parents[3] / "shared" / "vectors"))
PASS = ("full", "auth", "core")
_ANY_TTL = 303  # "not compared"
_OWN_LIMIT = 4096  # the vectors' peers ran with this UDP size

Vector = dict[str, Any]
Row = tuple[str, int, str, bytes]


def load(name: str) -> dict[str, Any]:
    path = FOLDER / f"{name}.json"
    if not path.exists():
        if os.environ.get("FEDNS_REQUIRE_VECTORS") == "1":
            pytest.fail(f"{path} must be there", pytrace=False)
        pytest.skip(f"{path} is not there", allow_module_level=True)
    return json.loads(path.read_text())  # type: ignore[no-any-return]


def deviations() -> dict[str, str]:
    """Vector id -> why fedns answers otherwise by design."""
    groups = json.loads((Path(__file__).parent / "deviations.json").read_text())
    return {name: group["reason"] for group in groups for name in group["vectors"]}


def binding(vector: Vector) -> bool:
    """Whether at least two of the peers reach core, so that we must."""
    return sum(grade in PASS for grade in vector["peers"].values()) >= 2


def ask(view: worlds.View, vector: Vector) -> dns.message.Message:
    edns = bool(vector.get("bufsize") or vector.get("do"))
    query = dns.message.make_query(
        vector["qname"],
        vector["qtype"],
        use_edns=0 if edns else -1,
        payload=vector.get("bufsize") or wire.OWN_SIZE,
        want_dnssec=bool(vector.get("do")),
    )
    query.flags &= ~dns.flags.RD
    limit = wire.STREAM if vector.get("transport") == "tcp" else _OWN_LIMIT
    reply = respond.respond(view, query.to_wire(), limit)
    assert reply is not None
    return dns.message.from_wire(reply)


def grade(reply: dns.message.Message, expect: dict[str, Any]) -> str:
    if dns.rcode.to_text(reply.rcode()) != expect.get("rcode", "NOERROR"):
        return "wrong"
    if not _same(reply.answer, expect.get("answer")):
        return "rcode"
    if "aa" in expect and bool(reply.flags & dns.flags.AA) != expect["aa"]:
        return "answer"
    if not _same(reply.authority, expect.get("authority")):
        return "core"
    return "full" if _same(reply.additional, expect.get("additional")) else "auth"


def _same(section: Any, lines: list[str] | None) -> bool:
    if lines is None:
        return True
    have = sorted((_row(rrset.name, rrset.ttl, rdata) for rrset in section for rdata in rrset), key=_identity)
    want = sorted((_read(line) for line in lines), key=_identity)
    return [_identity(row) for row in have] == [_identity(row) for row in want] and all(
        there[1] in (here[1], _ANY_TTL) for here, there in zip(have, want, strict=True)
    )


def _identity(row: Row) -> tuple[str, str, bytes]:
    return row[0], row[2], row[3]


def _row(owner: dns.name.Name, ttl: int, rdata: dns.rdata.Rdata) -> Row:
    kind = dns.rdatatype.to_text(rdata.rdtype)
    if kind == "RRSIG":  # the vectors keep only which type it covers
        return owner.to_text().lower(), ttl, kind, rdata.to_text().split()[0].encode()
    return owner.to_text().lower(), ttl, kind, rdata.to_digestable(dns.name.root)


def _read(line: str) -> Row:
    owner, ttl, _, kind, *rest = line.split(None, 4)
    if kind == "RRSIG":
        return owner.lower(), int(ttl), kind, rest[0].split()[0].encode()
    rdata = dns.rdata.from_text("IN", kind, rest[0] if rest else "", origin=dns.name.root)
    return _row(dns.name.from_text(owner), int(ttl), rdata)
