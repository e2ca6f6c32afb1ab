"""EDNS padding (RFC 7830): replies of one size tell nobody on the way which name was asked.

Law: only a reply to a query that was padded itself, and only over an encrypted transport (the caller's
word). The OPT record must be the reply's last: what is signed as a whole (TSIG) stays as it is.
"""

import struct

from fedns.dns import query, wire

BLOCK = 468  # octets; RFC 8467 section 4.1
PADDING = 12  # EDNS option code
_CODE = struct.pack(">H", PADDING)
_HEAD = 4  # octets of an option before its data
_OPT_FIXED = 11  # octets of an OPT record before its options
_RECORD_FIXED = 10  # octets of a record after its owner, before its data


def padded(asked: bytes, reply: bytes | None) -> bytes | None:
    """`reply`, filled up to a whole number of blocks if `asked` wants that."""
    if reply is None or _CODE not in asked or not _wanted(asked):
        return reply
    at = _opt(reply)
    size = min(-(len(reply) + _HEAD) % BLOCK, wire.STREAM - len(reply) - _HEAD)
    if at < 0 or size < 0:
        return reply
    length = len(reply) - at - _OPT_FIXED + _HEAD + size
    filling = struct.pack(">HH", PADDING, size) + bytes(size)
    return reply[: at + 9] + length.to_bytes(2, "big") + reply[at + _OPT_FIXED :] + filling


def _wanted(asked: bytes) -> bool:
    found = query.parse(asked).edns if len(asked) >= wire.HEADER else None
    return found is not None and any(code == PADDING for code, _ in found.options)


def _opt(reply: bytes) -> int:
    """Where the OPT record begins, which must be the last; -1 where it is not."""
    questions, *records = struct.unpack_from(">4H", reply, 4)
    at, last = wire.HEADER, -1
    for _ in range(questions):
        at = wire.skip_name(reply, at) + 4
    for _ in range(sum(records)):
        last, at = at, wire.skip_name(reply, at) + _RECORD_FIXED
        at += int.from_bytes(reply[at - 2 : at], "big")
    is_opt = last >= 0 and reply[last : last + 3] == bytes((0, 0, wire.OPT))
    return last if is_opt and at == len(reply) else -1
