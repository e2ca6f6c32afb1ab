"""A query read from its octets, as far as it can be read.

Law: reading never raises. What is wrong with the message is a response code in the value, and the
question is kept for the echo whenever it could be read.
"""

import struct
from typing import NamedTuple

from fedns.dns import wire

# EDNS option codes
NSID, SUBNET, EXPIRE, KEEPALIVE, ZONEVERSION = 3, 8, 9, 11, 19
DO, CO = 0x8000, 0x4000  # EDNS flags: signatures wanted; compact answers understood
_EMPTY = (NSID, KEEPALIVE, ZONEVERSION)  # a query sends these without data
_FAMILY_BITS = {0: 0, 1: 32, 2: 128}  # address family of a client subnet -> longest prefix
_HEADER = struct.Struct(">HHHHHH")
_RECORD = struct.Struct(">HHIH")  # type, class, ttl, rdata length


class Edns(NamedTuple):
    """The OPT record of a query. `size` is the reply the client takes, at least 512 octets; `options` are
    (code, data) in their order; `compact`: compact denials may say NXDOMAIN (RFC 9824 section 5)."""

    size: int
    version: int
    do: bool
    options: tuple[tuple[int, bytes], ...] = ()
    compact: bool = False


class Query(NamedTuple):
    """One message. `rcode` is NOERROR, or why it cannot be answered; `question` is empty if unreadable."""

    ident: int
    flags: int
    question: bytes = b""
    name: bytes = b""
    type: int = 0
    klass: int = 0
    edns: Edns | None = None
    rcode: int = wire.NOERROR

    @property
    def opcode(self) -> int:
        return self.flags >> 11 & 15


def parse(packet: bytes) -> Query:
    """The query in `packet`, which has at least a header. The name comes back in lower case."""
    ident, flags, questions, answers, authorities, extras = _HEADER.unpack_from(packet)
    if not (questions or answers or authorities):  # malformed, unless only the cookie is wanted
        return Query(ident, flags, edns=_records(packet, wire.HEADER, 0, extras)[0], rcode=wire.FORMERR)
    end = wire.read_name(packet, wire.HEADER) if questions == 1 else -1
    if end < 0 or end + 4 > len(packet):
        return Query(ident, flags, rcode=wire.FORMERR)
    question = packet[wire.HEADER : end + 4]
    rtype, klass = struct.unpack_from(">HH", packet, end)
    edns, rcode = _records(packet, end + 4, answers + authorities, extras)
    return Query(ident, flags, question, question[:-4].lower(), rtype, klass, edns, rcode)


def _records(packet: bytes, at: int, skipped: int, extras: int) -> tuple[Edns | None, int]:
    """The OPT record among the additional records, and the response code so far."""
    edns = None
    for index in range(skipped + extras):
        body = wire.skip_name(packet, at)
        if body < 0 or body + _RECORD.size > len(packet):
            return None, wire.FORMERR
        rtype, size, ttl, length = _RECORD.unpack_from(packet, body)
        end = body + _RECORD.size + length
        if end > len(packet):
            return None, wire.FORMERR
        if rtype == wire.OPT:
            known = _edns(size, ttl, packet[body + _RECORD.size : end])
            if known is None or edns is not None or index < skipped or body != at + 1:
                return None, wire.FORMERR
            edns = known
        at = end
    return edns, wire.NOERROR if at == len(packet) else wire.FORMERR


def _edns(size: int, ttl: int, options: bytes) -> Edns | None:
    """The OPT record's meaning; None when its options are malformed."""
    version, at = ttl >> 16 & 255, 0
    found = []
    while version == 0 and at < len(options):
        if at + 4 > len(options):
            return None
        code, length = struct.unpack_from(">HH", options, at)
        at += 4 + length
        if at > len(options) or (code in _EMPTY and length) or not sound(code, options[at - length : at]):
            return None
        found.append((code, options[at - length : at]))
    do, compact = bool(ttl & DO), bool(ttl & CO)
    return Edns(max(size, wire.CLASSIC_SIZE), version, do, tuple(found), compact)


def sound(code: int, data: bytes) -> bool:
    """Whether a client subnet is one: known family, scope 0, as many octets as its length takes, and no bit
    set beyond it (RFC 7871 sections 6 and 7.1.2). Family 0 can only say that there is nothing to say."""
    if code != SUBNET:
        return True
    if len(data) < 4 or data[0] or data[3]:
        return False
    source, address = data[2], data[4:]
    if source > _FAMILY_BITS.get(data[1], -1) or len(address) != (source + 7) // 8:
        return False
    return not source % 8 or not address[-1] & 0xFF >> source % 8
