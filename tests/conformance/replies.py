"""A reply as fields that can be compared: octets in, values out, whatever server wrote them.

Law: everything that a client could see is a field; only order within a section, compression, and the
values of EDNS options are not. The OPT record is read here, since dnspython refuses odd options.
"""

import struct
from typing import NamedTuple

import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

from fedns.dns import wire

Row = tuple[str, str, int, bytes]  # owner in lower case, type, TTL, rdata in canonical form


class Reply(NamedTuple):
    """One reply. `rcode` is the extended one; `owners` are names as written; `edns` is the OPT's version."""

    rcode: str
    opcode: int
    aa: bool
    tc: bool
    rd: bool
    ra: bool
    z: bool
    ad: bool
    cd: bool
    question: bytes
    answer: tuple[Row, ...]
    authority: tuple[Row, ...]
    additional: tuple[Row, ...]
    owners: frozenset[str]
    edns: int | None = None
    flags: int = 0
    options: tuple[int, ...] = ()
    size: int = 0


def read(octets: bytes) -> Reply:
    """The fields of a reply. Raises dns.exception.DNSException where it is malformed."""
    plain, opt = _without_opt(octets)
    as_query = plain[:2] + bytes((plain[2] & 0x87,)) + plain[3:]  # dnspython has other rules for UPDATE
    message = dns.message.from_wire(as_query, raise_on_truncation=False)
    flags = int.from_bytes(octets[2:4], "big")
    bits = {key: bool(flags & bit) for key, bit in _BITS.items()}
    rcode = flags & 15 | (opt[0] << 4 if opt else 0)
    return Reply(
        dns.rcode.to_text(dns.rcode.Rcode.make(rcode)),
        flags >> 11 & 15,
        **bits,
        question=_question(octets),
        answer=_rows(message.answer),
        authority=_rows(message.authority),
        additional=_rows(message.additional),
        owners=frozenset(_owner(rrset) for section in message.sections[1:] for rrset in section),
        edns=opt[1] if opt else None,
        flags=opt[2] if opt else 0,
        options=opt[3] if opt else (),
        size=len(octets),
    )


_BITS = {"aa": wire.AA, "tc": wire.TC, "rd": wire.RD, "ra": 0x80, "z": 0x40, "ad": 0x20, "cd": 0x10}
_RECORD = struct.Struct(">HHIH")


def _without_opt(octets: bytes) -> tuple[bytes, tuple[int, int, int, tuple[int, ...]] | None]:
    """The message without its OPT record, and that as (upper rcode, version, flags, option codes)."""
    counts = struct.unpack_from(">4H", octets, 4)
    at = wire.HEADER
    for _ in range(counts[0]):
        at = wire.skip_name(octets, at) + 4
    for index in range(sum(counts[1:])):
        body = wire.skip_name(octets, at)
        rtype, _, ttl, length = _RECORD.unpack_from(octets, body)
        end = body + _RECORD.size + length
        if rtype == wire.OPT and index >= counts[1] + counts[2]:
            rest = octets[:10] + (counts[3] - 1).to_bytes(2, "big") + octets[12:at] + octets[end:]
            return rest, (ttl >> 24, ttl >> 16 & 255, ttl & 0xFFFF, _codes(octets[end - length : end]))
        at = end
    return octets, None


def _codes(options: bytes) -> tuple[int, ...]:
    found, at = [], 0
    while at < len(options):
        code, length = struct.unpack_from(">HH", options, at)
        found.append(code)
        at += 4 + length
    return tuple(sorted(found))


def _question(octets: bytes) -> bytes:
    """The octets of the question, case and all; empty where there is none."""
    if octets[4:6] == b"\0\0":
        return b""
    return octets[wire.HEADER : wire.skip_name(octets, wire.HEADER) + 4]


def _owner(rrset: dns.rrset.RRset) -> str:
    return rrset.name.to_text()


def wire_name(text: str) -> bytes:
    """The wire form of a row's owner."""
    return dns.name.from_text(text).to_wire() or b""


def _rows(section: list[dns.rrset.RRset]) -> tuple[Row, ...]:
    return tuple(
        sorted(
            (_owner(rrset).lower(), dns.rdatatype.to_text(rrset.rdtype), rrset.ttl, rdata.to_digestable())
            for rrset in section
            for rdata in rrset
        )
    )
