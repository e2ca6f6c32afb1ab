"""Our OPT record."""

import dns.edns
import dns.message

from fedns.dns import edns, node, query, wire

_ZONE = node.Zone(b"\x01a\x01b\0", b"\0\0" + bytes(3) + b"\x09" + bytes(16), 5)


def _read(tail: bytes) -> dns.message.Message:
    return dns.message.from_wire(bytes([0, 1, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 1]) + tail)


def test_none_for_a_query_without() -> None:
    assert edns.build(None, edns.Notes(error=edns.STALE_ANSWER)) == b""


def test_flags_size_and_extended_code() -> None:
    read = _read(edns.build(query.Edns(4096, 1, True), edns.Notes(wire.BADVERS)))
    assert (read.edns, read.payload, read.rcode()) == (0, wire.OWN_SIZE, wire.BADVERS)
    assert read.ednsflags & 0xFFFF == 0x8000


def test_error_and_version_beside_each_other() -> None:
    asked = query.Edns(1232, 0, False, zoneversion=True)
    read = _read(edns.build(asked, edns.Notes(error=edns.NOT_READY, zone=_ZONE)))
    first, second = read.options
    assert isinstance(first, dns.edns.EDEOption) and first.code == edns.NOT_READY
    assert (second.otype, second.to_wire()) == (19, b"\2\0\0\0\0\x09")
