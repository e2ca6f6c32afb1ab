"""Our OPT record: payload size, flags, extended errors, and the options that were asked for.

Law: it is there exactly when the query had one; an option is answered once, by its row of `_OPTIONS`, and
unknown options and flags are ignored and never echoed (RFC 6891 section 6.1).
"""

import struct
from collections.abc import Callable, Mapping
from typing import NamedTuple

from fedns.dns import client, cookie, node, query, wire

# Extended DNS Errors (RFC 8914)
STALE_ANSWER, NOT_READY, PROHIBITED = 3, 14, 18
NOT_AUTHORITATIVE, NOT_SUPPORTED, INVALID_QUERY_TYPE = 20, 21, 30
_EDE = 15  # EDNS option code
_SOA_SERIAL = 0  # ZONEVERSION type
_TRANSFERRED = (wire.SOA, wire.IXFR, wire.AXFR)  # what a secondary asks
_EXPIRE_AT = -8  # of an SOA's rdata


class Notes(NamedTuple):
    """What the OPT record of a reply tells beside the answer. `scope`: how much of the client's subnet it
    holds for (None: no word on that)."""

    rcode: int = wire.NOERROR
    error: int | None = None
    zone: node.Zone | None = None
    type: int = 0
    scope: int | None = None


def build(asked: query.Edns | None, notes: Notes, asker: client.Client) -> bytes:
    """The OPT record for a reply, empty for a query without one."""
    if asked is None:
        return b""
    options = b"" if notes.error is None else _option(_EDE, notes.error.to_bytes(2, "big"))
    for code, data in dict(asked.options).items():
        told = _OPTIONS[code](data, notes, asker) if code in _OPTIONS else None
        if told is not None:
            options += _option(code, told)
    flags = query.DO if asked.do else 0
    if asked.do and asked.compact and asker.host.signers:
        flags |= query.CO
    head = (0, wire.OPT, wire.OWN_SIZE, notes.rcode >> 4, 0, flags, len(options))
    return struct.pack(">BHHBBHH", *head) + options


def _option(code: int, data: bytes) -> bytes:
    return struct.pack(">HH", code, len(data)) + data


def _nsid(data: bytes, notes: Notes, asker: client.Client) -> bytes | None:
    return asker.host.server.nsid.encode() or None


def _subnet(data: bytes, notes: Notes, asker: client.Client) -> bytes | None:
    """RFC 7871 section 7.2.1: all as it was asked, and the scope."""
    return None if notes.scope is None else data[:3] + bytes((notes.scope,)) + data[4:]


def _expire(data: bytes, notes: Notes, asker: client.Client) -> bytes | None:
    """RFC 7314: of a primary, the zone's own number."""
    if notes.zone is None or notes.type not in _TRANSFERRED:
        return None
    return notes.zone.soa[_EXPIRE_AT : _EXPIRE_AT + 4]


def _keepalive(data: bytes, notes: Notes, asker: client.Client) -> bytes | None:
    """RFC 7828: how long the connection may be quiet, in tenths of a second; nothing over UDP."""
    if not asker.stream:
        return None
    return min(int(asker.host.server.idle * 10), 0xFFFF).to_bytes(2, "big")


def _zoneversion(data: bytes, notes: Notes, asker: client.Client) -> bytes | None:
    if notes.zone is None:
        return None
    return bytes((wire.labels(notes.zone.apex), _SOA_SERIAL)) + notes.zone.serial


def _cookie(data: bytes, notes: Notes, asker: client.Client) -> bytes | None:
    """RFC 7873: the client's part and a good server part."""
    jar = asker.host.jar
    seen = jar.look(data, asker.address()) if jar is not None and cookie.sound(data) else None
    return seen.option[4:] if seen else None


_OPTIONS: Mapping[int, Callable[[bytes, Notes, client.Client], bytes | None]] = {
    query.NSID: _nsid,
    query.SUBNET: _subnet,
    query.EXPIRE: _expire,
    cookie.OPTION: _cookie,
    query.KEEPALIVE: _keepalive,
    query.ZONEVERSION: _zoneversion,
}
