"""The slow path: every question that the hot path hands over, and everything that is not a question.

Law: nothing here raises on any octets. No reply to a reply or to less than a header; an error reply is
never longer than the query that caused it, apart from an OPT record that the query asked for (RFC 8906).
"""

from collections.abc import Mapping

from fedns.dns import edns, lookup, message, node, query, wire

_VERSION_NAMES = (b"\x07version\x04bind\0", b"\x07version\x06server\0")
_VERSION = node.RRset(wire.TXT, 0, (b"\x05fedns",))
_NXNAME = 128  # a pseudo type that must not be asked for (RFC 9824 section 3.5)
_UPDATE = 5  # opcode (RFC 2136)
_META_TYPES = (wire.OPT, _NXNAME)


def resolve(view: lookup.View, packet: bytes, limit: int) -> bytes | None:
    """The reply to any octets, or None where none may be sent. See `respond.respond`."""
    if len(packet) < wire.HEADER or packet[2] & 0x80:
        return None
    asked = query.parse(packet)
    if asked.opcode != 0:
        if asked.opcode == _UPDATE and (asked.type, asked.klass) != (wire.SOA, wire.IN):
            asked = asked._replace(question=b"")  # a zone section that no reader would take
        return _error(asked, wire.NOTIMP, edns.NOT_SUPPORTED)
    if asked.rcode:
        return _error(asked._replace(edns=None), asked.rcode)
    if asked.edns is not None and asked.edns.version:
        return _error(asked, wire.BADVERS)
    if asked.klass != wire.IN:
        return _chaos(asked, limit)
    if asked.type in _META_TYPES:
        return _error(asked, wire.FORMERR, edns.INVALID_QUERY_TYPE)
    zones = view.get(node.ZONES)
    if zones is None or view.get(node.READY) is None:
        return _error(asked, wire.SERVFAIL, edns.NOT_READY)
    if asked.type in (wire.AXFR, wire.IXFR):
        return _error(asked, wire.REFUSED, edns.NOT_SUPPORTED)
    return _answer(view, node.apexes(zones), asked, limit)


def _answer(view: lookup.View, apexes: Mapping[bytes, node.Zone], asked: query.Query, limit: int) -> bytes:
    stream = limit == wire.STREAM
    signed = asked.edns is not None and asked.edns.do
    found = lookup.Lookup(view, apexes, lookup.Asked(asked.name, asked.type, asked.ident, stream, signed))
    found.run()
    notes = edns.Notes(found.rcode, found.error, found.zone if found.authoritative else None)
    reply = message.Message(asked.question, _room(asked, limit), edns.build(asked.edns, notes))
    reply.fill((found.answer, found.authority, found.additional))
    return reply.finish(asked.ident, _flags(asked, found.rcode) | wire.AA * found.authoritative)


def _chaos(asked: query.Query, limit: int) -> bytes:
    """Classes other than IN hold one thing: the name of this server's software (RFC 4892)."""
    if asked.klass != wire.CH or asked.name not in _VERSION_NAMES or asked.type not in (wire.TXT, wire.ANY):
        return _error(asked, wire.REFUSED, edns.NOT_AUTHORITATIVE)
    reply = message.Message(asked.question, _room(asked, limit), edns.build(asked.edns, edns.Notes()))
    reply.fill(((message.Record(asked.question[:-4], _VERSION),),), wire.CH)
    return reply.finish(asked.ident, _flags(asked, wire.NOERROR) | wire.AA)


def _error(asked: query.Query, rcode: int, error: int | None = None) -> bytes:
    """A reply without records: the question, where it could be read, and the OPT record."""
    tail = edns.build(asked.edns, edns.Notes(rcode, error))
    return message.Message(asked.question, wire.STREAM, tail).finish(asked.ident, _flags(asked, rcode))


def _flags(asked: query.Query, rcode: int) -> int:
    return wire.QR | asked.flags & (0x7800 | wire.RD) | rcode & 15


def _room(asked: query.Query, limit: int) -> int:
    """Octets the reply may take."""
    if limit == wire.STREAM:
        return limit
    return min(limit, asked.edns.size) if asked.edns is not None else min(limit, wire.CLASSIC_SIZE)
