"""The catalog zone: which zones are served here, as a zone that secondaries subscribe to (RFC 9432).

Law: schema version 2; a member's label hangs on its name alone, so it stays when others come and go.
"""

import hashlib
from collections.abc import Iterable, Iterator

from fedns.dns import node, wire

TTL = 0  # nobody but secondaries asks
_SERIAL = 0  # "brings none"
_TIMES = (60, 15, 1209600, 0)  # refresh, retry, expire, minimum; seconds
_INVALID = b"\x07invalid\0"  # RFC 9432 section 4.1
_ZONES, _VERSION = b"\x05zones", b"\x07version"

RRsets = Iterator[tuple[bytes, node.RRset]]


def rrsets(origin: bytes, apexes: Iterable[bytes]) -> RRsets:
    """The catalog at `origin` of the zones at `apexes`, SOA included."""
    numbers = (_SERIAL, *_TIMES)
    soa = _INVALID + _INVALID + b"".join(number.to_bytes(4, "big") for number in numbers)
    yield origin, node.RRset(wire.SOA, TTL, (soa,))
    yield origin, node.RRset(wire.NS, TTL, (_INVALID,))
    yield _VERSION + origin, node.RRset(wire.TXT, TTL, (b"\x012",))
    for apex in apexes:
        yield member(apex) + _ZONES + origin, node.RRset(wire.PTR, TTL, (apex,))


def member(apex: bytes) -> bytes:
    """The label of one zone, with its length."""
    label = hashlib.sha256(apex).hexdigest()[:32].encode()
    return bytes((len(label),)) + label
