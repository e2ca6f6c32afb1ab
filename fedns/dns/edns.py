"""Our OPT record: payload size, flags, extended errors, zone version.

Law: it is there exactly when the query had one; unknown options and flags are ignored and never echoed
(RFC 6891 section 6.1).
"""

import struct
from typing import NamedTuple

from fedns.dns import node, query, wire

# Extended DNS Errors (RFC 8914)
STALE_ANSWER, NOT_READY, NOT_AUTHORITATIVE, NOT_SUPPORTED, INVALID_QUERY_TYPE = 3, 14, 20, 21, 30
_EDE = 15  # EDNS option code
_SOA_SERIAL = 0  # ZONEVERSION type


class Notes(NamedTuple):
    """What the OPT record of a reply tells beside the answer."""

    rcode: int = wire.NOERROR
    error: int | None = None
    zone: node.Zone | None = None


def build(asked: query.Edns | None, notes: Notes) -> bytes:
    """The OPT record for a reply, empty for a query without one."""
    if asked is None:
        return b""
    options = b""
    if notes.error is not None:
        options += struct.pack(">HHH", _EDE, 2, notes.error)
    if asked.zoneversion and notes.zone is not None:
        depth = wire.labels(notes.zone.apex)
        options += struct.pack(">HHBB", query.ZONEVERSION, 6, depth, _SOA_SERIAL) + notes.zone.serial
    head = (0, wire.OPT, wire.OWN_SIZE, notes.rcode >> 4, 0, 0x8000 if asked.do else 0, len(options))
    return struct.pack(">BHHBBHH", *head) + options
