"""NOTIFY messages (RFC 1996): a secondary is told that a zone has another serial."""

import struct

from fedns.dns import message, node, tsig, wire

OPCODE = 4
_QR, _OPCODES = 0x80, 0x78  # in octet 2


def request(zone: node.Zone, ident: int) -> bytes:
    """Tells of the zone's SOA as it is now."""
    page = message.Message(zone.apex + struct.pack(">HH", wire.SOA, wire.IN), wire.CLASSIC_SIZE, b"")
    page.put(message.Record(zone.apex, node.RRset(wire.SOA, zone.soa_ttl, (zone.soa,))), 0)
    return page.finish(ident, OPCODE << 11 | wire.AA)


def acknowledged(reply: bytes, ident: int) -> bool:
    """Whether this is the reply to a request; whatever it says, the secondary knows now."""
    found = len(reply) >= wire.HEADER and int.from_bytes(reply[:2], "big") == ident
    return found and bool(reply[2] & _QR) and (reply[2] & _OPCODES) >> 3 == OPCODE


def signed(packet: bytes, key: tsig.Key | None, now: float) -> bytes:
    return packet if key is None else tsig.Signer(key).sign(packet, now)
