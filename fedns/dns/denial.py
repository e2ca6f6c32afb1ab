"""Compact denial of existence (RFC 9824): one NSEC record, made for the name that was asked.

Law: the record says of exactly one name which types it has; nothing of the zone's other names is told. A
name that does not exist has the type NXNAME and no other.
"""

from collections.abc import Iterable

from fedns.dns import node, wire

_LABEL = 63  # octets


def record(name: bytes, types: Iterable[int], ttl: int) -> node.RRset:
    """The NSEC RRset of lower-case `name`, which has these types beside RRSIG and NSEC."""
    return node.RRset(wire.NSEC, ttl, (successor(name) + bitmap({*types, wire.RRSIG, wire.NSEC}),))


def successor(name: bytes) -> bytes:
    """The name right after this one in canonical order (RFC 4471 section 3.1.2)."""
    if len(name) + 2 <= wire.MAX_NAME:
        return b"\x01\0" + name
    label, rest = name[1 : 1 + name[0]], name[1 + name[0] :]
    if len(label) < _LABEL and len(name) < wire.MAX_NAME:
        label += b"\0"
    else:
        label = _raised(label)
    return bytes((len(label),)) + label + rest if label else successor(rest)


def _raised(label: bytes) -> bytes:
    """The next label of at most this length, none upper case; empty where there is none."""
    label = label.rstrip(b"\xff")
    if not label:
        return b""
    last = label[-1] + 1
    if 0x41 <= last <= 0x5A:  # capitals sort as small letters, which come later
        last = 0x5B
    return label[:-1] + bytes((last,))


def bitmap(types: Iterable[int]) -> bytes:
    """The type bit maps of an NSEC record (RFC 4034 section 4.1.2)."""
    windows: dict[int, bytearray] = {}
    for rtype in sorted(types):
        window = windows.setdefault(rtype >> 8, bytearray())
        place = (rtype & 255) >> 3
        window.extend(bytes(place + 1 - len(window)))
        window[place] |= 0x80 >> (rtype & 7)
    return b"".join([bytes((number, len(window))) + window for number, window in windows.items()])
