"""One question, one reply, for every transport. The first lines are the hot path.

Law: a ready answer is copied, never composed: the octets of the query pick rows of small tables, one
lookup finds the name, one join makes the reply. A hit also proves the query well formed, since its middle
equals a whole stored name. Whatever does not fit goes to `resolve`, which knows every rule.
"""

import struct
from collections.abc import Callable
from typing import Protocol

from fedns.dns import client, lookup, node, opt, resolve, sealed, wire


class View(Protocol):
    """A consistent reading of the answer table."""

    def get(self, key: bytes, /) -> bytes | None: ...


Answer = Callable[[View, bytes, int, client.Client], bytes | None]

_MAX_QUERY = wire.HEADER + wire.MAX_NAME + 4 + opt.LONGEST
_NONE, _ONE = b"\0\0", b"\0\1"  # section counts
_END_AND_TYPE = {
    b"\0\0\x01\0\x01": node.SLOT_AT[node.A],
    b"\0\0\x1c\0\x01": node.SLOT_AT[node.AAAA],
}


def _heads() -> dict[bytes, tuple[bytes, bytes]]:
    """Octets 2 to 11 of a plain query -> (flags and question count, additional count) of its reply."""
    rows = {}
    for recursion in (0, wire.RD):
        for checks in (0, 0x10, 0x20, 0x30):  # CD and AD are not for authoritative servers: cleared
            flags = struct.pack(">HH", wire.QR | wire.AA | recursion, 1)
            for extra in (0, 1):
                query = struct.pack(">HHHHH", recursion | checks, 1, 0, 0, extra)
                rows[query] = (flags, _ONE if extra else _NONE)
    return rows


_HEADS = _heads()
_NO_OPT = (b"", wire.CLASSIC_SIZE)
_NXDOMAIN = {flags: bytes((flags[0], wire.NXDOMAIN)) + flags[2:] for flags, _ in _HEADS.values()}
_unpack = node.SLOT.unpack_from


def respond(view: View, packet: bytes, limit: int, asker: client.Client = client.NOBODY) -> bytes | None:
    """The reply to `packet`, or None where none may be sent.

    `limit` is our own largest reply in octets, or `wire.STREAM` over a stream.
    """
    head = _HEADS.get(packet[2:12])
    if head is None or len(packet) > _MAX_QUERY:
        return resolve.resolve(view, packet, limit, asker)
    flags, extras = head
    if extras is _ONE:
        end = -11
        own = opt.ROWS.get(packet[-11:])
        if own is None:
            end, own = opt.read(view, packet, asker)
        if own is None:
            return resolve.resolve(view, packet, limit, asker)
        if own[0][opt.DO] and asker.host.signers:
            reply = _signed(view, packet, limit, asker, (flags, end, own))
            if reply != sealed.PLAIN:
                return reply
        question = packet[12:end]
    else:
        own = _NO_OPT
        question = packet[12:]
    record = _END_AND_TYPE.get(question[-5:])
    if record is None:
        return resolve.resolve(view, packet, limit, asker)
    name = question[:-4].lower()
    value = view.get(name)
    if value is None:
        reply = _missing(view, name, (packet[:2], _NXDOMAIN[flags], extras, question, own[0]))
        return reply or resolve.resolve(view, packet, limit, asker)
    kind, ancount, start, end, turn, unit = _unpack(value, record)
    if kind & node.PLACED_SLOT:
        place, own = opt.locate(view, own, asker)
        value = node.view(value, place)
        kind, ancount, start, end, turn, unit = _unpack(value, record)
        if kind == node.SLOW and node.absent(value):
            parts = (packet[:2], _NXDOMAIN[flags], extras, question, own[0])
            return _absent(view.get(node.ZONES) or b"", node.place(value)[0], parts)
    if kind == node.PLAIN:
        reply = b"".join((packet[:2], flags, ancount, _NONE, extras, question, value[start:end], own[0]))
    elif kind == node.ROTATE:
        turn += start
        cut = turn + unit * (packet[1] % ((end - turn) // unit))
        body = value[start:turn] + value[cut:end] + value[turn:cut]
        reply = b"".join((packet[:2], flags, ancount, _NONE, extras, question, body, own[0]))
    elif kind == node.NODATA:
        zones = view.get(node.ZONES) or b""
        denial = node.denials(zones)[unit if turn else node.place(value)[0]]
        soa = node.authority(denial, len(question) - 4, turn)
        reply = b"".join((packet[:2], flags, ancount, _ONE, extras, question, value[start:end], soa, own[0]))
    elif kind == node.WEIGHTED:
        ancount, body = node.variant(value[start:end], packet[0] << 8 | packet[1])
        reply = b"".join((packet[:2], flags, ancount, _NONE, extras, question, body, own[0]))
    else:
        return resolve.resolve(view, packet, limit, asker)
    if len(reply) > wire.CLASSIC_SIZE and limit != wire.STREAM and len(reply) > min(limit, own[1]):
        return resolve.resolve(view, packet, limit, asker)
    return reply


def _signed(
    view: View, packet: bytes, limit: int, asker: client.Client, parts: tuple[bytes, int, tuple[bytes, int]]
) -> bytes | None:
    """The reply with signatures, kept or made; `sealed.PLAIN` where nobody signs the zone."""
    flags, end, own = parts
    question = packet[12:end]
    slot = _END_AND_TYPE.get(question[-5:])
    if slot is not None:
        asked = sealed.Asked(packet[:2], flags, question, slot, own[0])
        reply = sealed.respond(view, asked, asker.host)
        room = limit if limit == wire.STREAM else max(wire.CLASSIC_SIZE, min(limit, own[1]))
        if reply is not None and len(reply) <= room:
            return reply
    return resolve.resolve(view, packet, limit, asker)


def _missing(view: View, name: bytes, parts: tuple[bytes, bytes, bytes, bytes, bytes]) -> bytes | None:
    """NXDOMAIN, if the closest name above exists and is a plain one; else None."""
    zones = view.get(node.ZONES) or b""
    flats = node.flats(zones)
    begin, zone = lookup.step(name, flats) if flats else (name, -1)
    if zone < 0:
        value = lookup.encloser(view, name)
        zone = -1 if value is None else node.place(value)[0]
    else:
        value = view.get(begin[1 + begin[0] :])
        zone = zone if value is None or lookup.ends(value) else -1
    return None if zone < 0 or view.get(node.READY) is None else _absent(zones, zone, parts)


def _absent(zones: bytes, zone: int, parts: tuple[bytes, bytes, bytes, bytes, bytes]) -> bytes:
    """NXDOMAIN, by the zone with this number."""
    ident, head, extras, question, opt = parts
    soa = node.authority(node.denials(zones)[zone], len(question) - 4)
    return b"".join((ident, head, _NONE, _ONE, extras, question, soa, opt))
