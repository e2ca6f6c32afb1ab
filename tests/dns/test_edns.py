"""Our OPT record."""

import dns.edns
import dns.message

from fedns.dns import client, edns, node, query, wire

_ZONE = node.Zone(b"\x01a\x01b\0", b"\0\0" + bytes(3) + b"\x09" + bytes(16), 5)


def _read(tail: bytes) -> dns.message.Message:
    return dns.message.from_wire(bytes([0, 1, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 1]) + tail)


def test_none_for_a_query_without() -> None:
    assert edns.build(None, edns.Notes(error=edns.STALE_ANSWER), client.NOBODY) == b""


def test_flags_size_and_extended_code() -> None:
    read = _read(edns.build(query.Edns(4096, 1, True), edns.Notes(wire.BADVERS), client.NOBODY))
    assert (read.edns, read.payload, read.rcode()) == (0, wire.OWN_SIZE, wire.BADVERS)
    assert read.ednsflags & 0xFFFF == 0x8000


def test_error_and_version_beside_each_other() -> None:
    asked = query.Edns(1232, 0, False, ((query.ZONEVERSION, b""),))
    read = _read(edns.build(asked, edns.Notes(error=edns.NOT_READY, zone=_ZONE), client.NOBODY))
    first, second = read.options
    assert isinstance(first, dns.edns.EDEOption) and first.code == edns.NOT_READY
    assert (second.otype, second.to_wire()) == (19, b"\2\0\0\0\0\x09")


class _Streaming(client.Client):
    __slots__ = ()
    stream = True


NAMED = client.Host(client.Server(nsid="ns1.example", idle=10.0))


def _told(asker: client.Client, notes: edns.Notes, *codes: int) -> dict[int, bytes]:
    asked = query.Edns(1232, 0, False, tuple((code, b"") for code in codes))
    return {int(option.otype): option.to_wire() for option in _read(edns.build(asked, notes, asker)).options}


def test_a_server_with_a_name_tells_it_when_asked() -> None:
    assert _told(client.Client(NAMED), edns.Notes(), query.NSID, query.NSID) == {query.NSID: b"ns1.example"}
    assert _told(client.Client(NAMED), edns.Notes()) == {}
    assert _told(client.NOBODY, edns.Notes(), query.NSID) == {}


def test_how_long_a_connection_may_be_quiet_is_told_over_streams_alone() -> None:
    assert _told(_Streaming(NAMED), edns.Notes(), query.KEEPALIVE) == {query.KEEPALIVE: b"\x00\x64"}
    assert _told(client.Client(NAMED), edns.Notes(), query.KEEPALIVE) == {}


def test_secondaries_learn_when_the_zone_expires() -> None:
    zone = node.Zone(_ZONE.apex, bytes(14) + (86400).to_bytes(4, "big") + bytes(4), 5)
    told = _told(client.NOBODY, edns.Notes(zone=zone, type=wire.SOA), query.EXPIRE)
    assert told == {query.EXPIRE: (86400).to_bytes(4, "big")}
    assert _told(client.NOBODY, edns.Notes(zone=zone, type=wire.A), query.EXPIRE) == {}
