"""The OPT record that ends a query, and ours that answers it, for queries with the options resolvers send.

Law: hot. Only what it wholly understands gets a row: no options, or a cookie and a client subnet, each once.
All else is for `edns`; where both could answer, they say the same.
"""

import struct
from collections.abc import Callable, Mapping

from fedns.dns import client, cookie, places, query, wire

Row = tuple[bytes, int]
"""Our OPT record, and the size the client takes."""
LONGEST = 11 + 4 + cookie.FULL + 4 + 4 + 16  # octets
DO = 7  # octet of an OPT record with the flag
_COMMON_SIZES = (*range(512, 4097), 8192, 16384, 32768, 65535)  # UDP payload sizes with a ready row
_NO_DATA = b"\0\0"
_OPTIONS_AT = 11  # octets of a bare OPT record
_SOURCE, _SCOPE = 6, 7  # where an option with a client subnet has its prefix lengths


def _rows() -> dict[bytes, Row]:
    """A whole option-less OPT record -> ours."""
    rows = {}
    for size in _COMMON_SIZES:
        for do in (0, 0x8000):
            asked = struct.pack(">BHHHHH", 0, wire.OPT, size, 0, do, 0)
            rows[asked] = (struct.pack(">BHHHHH", 0, wire.OPT, wire.OWN_SIZE, 0, do, 0), size)
    return rows


def _subnets() -> dict[bytes, int]:
    """A client subnet up to its address, of whole octets and as yet without a scope -> its length."""
    families = ((1, 32), (2, 128))
    lengths = ((family, bits) for family, most in families for bits in range(0, most + 1, 8))
    return {bytes((0, family, bits, 0)): 4 + bits // 8 for family, bits in lengths}


ROWS: Mapping[bytes, Row] = _rows()
_SUBNETS = _subnets()


def read(view: places.View, packet: bytes, asker: client.Client) -> tuple[int, Row | None]:
    """Where the OPT record with options begins, and its row; None where there is more to it.

    It begins after the first zero octet: where that ends no name, no name is found in the table either.
    """
    begin = packet.find(b"\0", wire.HEADER) + 5
    at, end = begin + 11, len(packet)
    row = ROWS.get(packet[begin : at - 2] + _NO_DATA)
    if row is None or int.from_bytes(packet[at - 2 : at], "big") != end - at:
        return begin, None
    told = b""
    seen: tuple[bytes, ...] = ()
    while at < end:
        code, start = packet[at : at + 2], at + 4
        at = start + int.from_bytes(packet[at + 2 : start], "big")
        tell = _OPTIONS.get(code)
        option = tell(view, packet[start:at], asker) if tell and code not in seen else None
        if option is None or at > end:
            return begin, None
        told, seen = told + option, (*seen, code)
    return begin, (row[0][:9] + len(told).to_bytes(2, "big") + told, row[1])


def _cookie(view: places.View, data: bytes, asker: client.Client) -> bytes | None:
    """A good one (RFC 7873); nothing where we do without."""
    jar = asker.host.jar
    if jar is None:
        return b""
    if len(data) != cookie.FULL and len(data) != cookie.CLIENT:
        return None
    seen = jar.look(data, asker.address())
    if seen is None:
        return b""
    return seen.option if seen.valid or not asker.host.server.proven else None


def _subnet(view: places.View, data: bytes, asker: client.Client) -> bytes | None:
    """The same with scope 0, for an answer that is everybody's (RFC 7871 section 7.2.1)."""
    if _SUBNETS.get(data[:4]) != len(data):
        return None
    if not places.current(view).believes(places.sender(asker)):
        return b""
    return _SUBNET_CODE + len(data).to_bytes(2, "big") + data


def locate(view: places.View, row: Row, asker: client.Client) -> tuple[int, Row]:
    """The client's place for an answer that depends on it, and the row that tells for how much of its subnet
    the answer holds."""
    record, at = row[0], _OPTIONS_AT
    while at < len(record) and record[at : at + 2] != _SUBNET_CODE:
        at += 4 + record[at + 3]
    found = places.locate(view, asker, record[at + 4 : at + 4 + record[at + 3]] if at < len(record) else b"")
    if at < len(record) and record[at + _SOURCE]:
        at += _SCOPE
        row = (record[:at] + bytes((found.scope,)) + record[at + 1 :], row[1])
    return found.place, row


_SUBNET_CODE = query.SUBNET.to_bytes(2, "big")
_OPTIONS: Mapping[bytes, Callable[[places.View, bytes, client.Client], bytes | None]] = {
    cookie.OPTION.to_bytes(2, "big"): _cookie,
    _SUBNET_CODE: _subnet,
}
