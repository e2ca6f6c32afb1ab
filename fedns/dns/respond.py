"""One question, one reply, for every transport. The first lines are the hot path.

Law: a ready answer is copied, never composed: the octets of the query pick rows of small tables, one
lookup finds the name, one join makes the reply. A hit also proves the query well formed, since its middle
equals a whole stored name. Whatever does not fit goes to `resolve`, which knows every rule.
"""

import struct
from collections.abc import Callable
from typing import Protocol

from fedns.dns import client, cookie, lookup, node, resolve, sealed, wire


class View(Protocol):
    """A consistent reading of the answer table."""

    def get(self, key: bytes, /) -> bytes | None: ...


Answer = Callable[[View, bytes, int, client.Client], bytes | None]

_MAX_QUERY = (
    wire.HEADER + wire.MAX_NAME + 4 + 11 + 4 + cookie.FULL
)  # the longest query, of EDNS options only a cookie
_COMMON_SIZES = (*range(512, 4097), 8192, 16384, 32768, 65535)  # UDP payload sizes with a ready row
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
_DO = 7  # octet of an OPT record with the flag
_NO_OPT = (b"", wire.CLASSIC_SIZE)
# A data length and, of an OPT with only a cookie in it, its rdata length, code and length
_COOKIES = tuple(
    (size, struct.pack(">HHH", 4 + size, cookie.OPTION, size)) for size in (cookie.FULL, cookie.CLIENT)
)
_COOKIE_SIZE = struct.pack(">H", 4 + cookie.FULL)
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
        opt = _OPTS.get(packet[-11:])
        if opt is None:
            end, opt = _with_cookie(packet, asker)
        if opt is None:
            return resolve.resolve(view, packet, limit, asker)
        if opt[0][_DO] and asker.host.signers:
            reply = _signed(view, packet, limit, asker, (flags, end, opt))
            if reply != sealed.PLAIN:
                return reply
        question = packet[12:end]
    else:
        opt = _NO_OPT
        question = packet[12:]
    record = _END_AND_TYPE.get(question[-5:])
    if record is None:
        return resolve.resolve(view, packet, limit, asker)
    name = question[:-4].lower()
    value = view.get(name)
    if value is None:
        reply = _missing(view, name, (packet[:2], _NXDOMAIN[flags], extras, question, opt[0]))
        return reply or resolve.resolve(view, packet, limit, asker)
    kind, ancount, start, end, turn, unit = _unpack(value, record)
    if kind == node.PLAIN:
        reply = b"".join((packet[:2], flags, ancount, _NONE, extras, question, value[start:end], opt[0]))
    elif kind == node.ROTATE:
        turn += start
        cut = turn + unit * (packet[1] % ((end - turn) // unit))
        body = value[start:turn] + value[cut:end] + value[turn:cut]
        reply = b"".join((packet[:2], flags, ancount, _NONE, extras, question, body, opt[0]))
    elif kind == node.NODATA:
        soa = _denial(view, value, question)
        reply = b"".join((packet[:2], flags, ancount, _ONE, extras, question, value[start:end], soa, opt[0]))
    elif kind == node.WEIGHTED:
        ancount, body = node.variant(value[start:end], packet[0] << 8 | packet[1])
        reply = b"".join((packet[:2], flags, ancount, _NONE, extras, question, body, opt[0]))
    else:
        return resolve.resolve(view, packet, limit, asker)
    if len(reply) > wire.CLASSIC_SIZE and limit != wire.STREAM and len(reply) > min(limit, opt[1]):
        return resolve.resolve(view, packet, limit, asker)
    return reply


def _signed(
    view: View, packet: bytes, limit: int, asker: client.Client, parts: tuple[bytes, int, tuple[bytes, int]]
) -> bytes | None:
    """The reply with signatures, kept or made; `sealed.PLAIN` where nobody signs the zone."""
    flags, end, opt = parts
    question = packet[12:end]
    slot = _END_AND_TYPE.get(question[-5:])
    if slot is not None:
        asked = sealed.Asked(packet[:2], flags, question, slot, opt[0])
        reply = sealed.respond(view, asked, asker.host)
        room = limit if limit == wire.STREAM else max(wire.CLASSIC_SIZE, min(limit, opt[1]))
        if reply is not None and len(reply) <= room:
            return reply
    return resolve.resolve(view, packet, limit, asker)


def _with_cookie(packet: bytes, asker: client.Client) -> tuple[int, tuple[bytes, int] | None]:
    """Where the OPT record begins, and its row; None where its rdata is more or less than a good cookie."""
    for size, head in _COOKIES:
        if packet[-6 - size : -size] == head:
            break
    else:
        return 0, None
    end = -15 - size
    opt, jar = _OPTS.get(packet[end : end + 9] + _NONE), asker.host.jar
    if opt is None or jar is None:
        return end, opt
    seen = jar.look(packet[-size:], asker.address())
    if seen is None:
        return end, opt
    if not seen.valid and asker.host.server.proven:
        return end, None
    return end, (opt[0][:9] + _COOKIE_SIZE + seen.option, opt[1])


def _missing(view: View, name: bytes, parts: tuple[bytes, bytes, bytes, bytes, bytes]) -> bytes | None:
    """NXDOMAIN, if the closest name above exists and is a plain one; else None."""
    value = lookup.encloser(view, name)
    if value is None or view.get(node.READY) is None:
        return None
    ident, head, extras, question, opt = parts
    return b"".join((ident, head, _NONE, _ONE, extras, question, _denial(view, value, question), opt))


def _denial(view: View, value: bytes, question: bytes) -> bytes:
    """The SOA of the node's zone, its owner pointing to the end of the question's name."""
    zone, _, _ = node.place(value)
    apex, record = node.denials(view.get(node.ZONES) or b"")[zone]
    return (0xC000 + wire.HEADER + len(question) - 4 - apex).to_bytes(2, "big") + record
