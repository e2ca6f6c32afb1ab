"""One question, one reply, for every transport. The first lines are the hot path.

Law: a ready answer is copied, never composed: the octets of the query pick rows of small tables, one
lookup finds the name, one join makes the reply. A hit also proves the query well formed, since its middle
equals a whole stored name. Whatever does not fit goes to `resolve`, which knows every rule.
"""

import struct
from typing import Protocol

from fedns.dns import node, resolve, wire


class View(Protocol):
    """A consistent reading of the answer table."""

    def get(self, key: bytes, /) -> bytes | None: ...


_MAX_QUERY = wire.HEADER + wire.MAX_NAME + 4 + 11  # the longest query without EDNS options
_COMMON_SIZES = (*range(512, 4097), 8192, 16384, 32768, 65535)  # UDP payload sizes with a ready row
_END_AND_TYPE = {
    b"\0\0\x01\0\x01": node.SLOT_AT[node.A],
    b"\0\0\x1c\0\x01": node.SLOT_AT[node.AAAA],
}


def _heads() -> dict[bytes, tuple[bytes, bytes]]:
    """Octets 2 to 11 of a plain query -> (flags and question count, authority and additional counts)."""
    rows = {}
    for recursion in (0, wire.RD):
        for checks in (0, 0x10, 0x20, 0x30):  # CD and AD are not for authoritative servers: cleared
            flags = struct.pack(">HH", wire.QR | wire.AA | recursion, 1)
            for extra in (0, 1):
                query = struct.pack(">HHHHH", recursion | checks, 1, 0, 0, extra)
                rows[query] = (flags, struct.pack(">HH", 0, extra))
    return rows


def _opts() -> dict[bytes, tuple[bytes, int]]:
    """A whole option-less OPT record -> (our OPT record, the size the client takes)."""
    rows = {}
    for size in _COMMON_SIZES:
        for do in (0, 0x8000):
            query = struct.pack(">BHHHHH", 0, wire.OPT, size, 0, do, 0)
            rows[query] = (struct.pack(">BHHHHH", 0, wire.OPT, wire.OWN_SIZE, 0, do, 0), size)
    return rows


_HEADS = _heads()
_OPTS = _opts()
_NO_OPT = (b"", wire.CLASSIC_SIZE)
_unpack = node.SLOT.unpack_from


def respond(view: View, packet: bytes, limit: int) -> bytes | None:
    """The reply to `packet`, or None where none may be sent.

    `limit` is our own largest reply in octets, or `wire.STREAM` over a stream.
    """
    head = _HEADS.get(packet[2:12])
    if head is None or len(packet) > _MAX_QUERY:
        return resolve.resolve(view, packet, limit)
    flags, counts = head
    if counts == b"\0\0\0\1":
        opt = _OPTS.get(packet[-11:])
        if opt is None:
            return resolve.resolve(view, packet, limit)
        question = packet[12:-11]
    else:
        opt = _NO_OPT
        question = packet[12:]
    record = _END_AND_TYPE.get(question[-5:])
    if record is None:
        return resolve.resolve(view, packet, limit)
    value = view.get(question[:-4].lower())
    if value is None:
        return resolve.resolve(view, packet, limit)
    kind, ancount, start, end, turn, unit = _unpack(value, record)
    if kind == node.PLAIN:
        reply = b"".join((packet[:2], flags, ancount, counts, question, value[start:end], opt[0]))
    elif kind == node.ROTATE:
        turn += start
        cut = turn + unit * (packet[1] % ((end - turn) // unit))
        body = value[start:turn], value[cut:end], value[turn:cut]
        reply = b"".join((packet[:2], flags, ancount, counts, question, *body, opt[0]))
    else:
        return resolve.resolve(view, packet, limit)
    if len(reply) > 512 and len(reply) > (limit if limit == wire.STREAM else min(limit, opt[1])):
        return resolve.resolve(view, packet, limit)
    return reply
