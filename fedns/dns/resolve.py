"""The slow path: every question that the hot path hands over, and everything that is not a question.

Law: nothing here raises on any octets. No reply to a reply or to less than a header; an error reply is
never longer than the query that caused it, apart from an OPT record that the query asked for (RFC 8906).
"""

from collections.abc import Mapping
from typing import NamedTuple

from fedns.dns import client, cookie, edns, lookup, message, node, permit, places, query, transfer, tsig, wire

# What class CHAOS holds (RFC 4892): name -> field of the server's settings
_CHAOS = {
    b"\x07version\x04bind\0": "version",
    b"\x07version\x06server\0": "version",
    b"\x08hostname\x04bind\0": "identity",
    b"\x02id\x06server\0": "identity",
}
_UPDATE = 5  # opcode (RFC 2136)
_NO_EDNS = query.Edns(wire.CLASSIC_SIZE, 0, False)
_META_TYPES = (wire.OPT, wire.NXNAME)  # RFC 9824 section 3.5


class _Case(NamedTuple):
    """One query, what its reply may take, who asks, and the name of the key that signed it."""

    asked: query.Query
    limit: int
    asker: client.Client
    key: bytes = b""


def resolve(
    view: lookup.View, packet: bytes, limit: int, asker: client.Client = client.NOBODY
) -> bytes | None:
    """The reply to any octets, or None where none may be sent. See `respond.respond`."""
    if len(packet) < wire.HEADER or packet[2] & 0x80:
        return None
    if tsig.signed(packet):
        rules = permit.rules(view)
        verdict = tsig.verify(packet, rules.keys, asker.host.now)
        if verdict is not None and view.get(node.READY) is None:  # the keys may not be here yet
            return _error(_Case(query.parse(packet), limit, asker), wire.SERVFAIL, edns.NOT_READY)
        if verdict is not None:
            return _verified(view, packet, verdict, _Case(query.parse(packet), limit, asker))
    return _resolved(view, _Case(query.parse(packet), limit, asker))


def _verified(view: lookup.View, packet: bytes, verdict: tsig.Verdict, case: _Case) -> bytes:
    """The reply to a signed query: signed too, where it can be (RFC 8945 section 5.3)."""
    if verdict.signature is None or verdict.error == wire.FORMERR:
        return _error(case._replace(asked=case.asked._replace(edns=None)), wire.FORMERR)
    now = case.asker.host.now
    asked = query.parse(tsig.bare(packet, verdict.signature))._replace(ident=case.asked.ident)
    if verdict.error or verdict.key is None:
        return tsig.refusal(_error(case._replace(asked=asked), tsig.NOTAUTH), verdict, now)
    room = _room(case._replace(asked=asked))
    room -= 0 if room == wire.STREAM else len(packet) - verdict.signature.start
    reply = _resolved(view, _Case(asked, room, case.asker, verdict.key.name))
    return tsig.Signer(verdict.key, verdict.signature.mac).sign(reply, now)


def _resolved(view: lookup.View, case: _Case) -> bytes:
    asked = case.asked
    if asked.opcode != 0:
        if asked.opcode == _UPDATE and (asked.type, asked.klass) != (wire.SOA, wire.IN):
            asked = asked._replace(question=b"")  # a zone section that no reader would take
        return _error(case._replace(asked=asked), wire.NOTIMP, edns.NOT_SUPPORTED)
    if asked.rcode and not _bare(case):
        return _error(case._replace(asked=asked._replace(edns=None)), asked.rcode)
    if asked.edns is not None and asked.edns.version:
        return _error(case, wire.BADVERS)
    doubt = _doubt(case)
    if doubt or not asked.question:
        return _error(case, doubt)
    if asked.klass != wire.IN:
        return _chaos(case)
    if asked.type in _META_TYPES:
        return _error(case, wire.FORMERR, edns.INVALID_QUERY_TYPE)
    zones = view.get(node.ZONES)
    if zones is None or view.get(node.READY) is None:
        return _error(case, wire.SERVFAIL, edns.NOT_READY)
    if asked.type in (wire.AXFR, wire.IXFR):
        return _copied(view, node.apexes(zones), case)
    return _answer(view, node.apexes(zones), case)


def _copied(view: lookup.View, apexes: Mapping[bytes, node.Zone], case: _Case) -> bytes:
    """What a request for a zone gets in one message: a denial, or over UDP the SOA of now, from which the
    client sees whether to come over TCP (RFC 1995 section 2)."""
    rcode, error = transfer.judge(view, case.asked, case.asker, case.key)
    if rcode:
        return _error(case, rcode, error)
    if case.asker.stream:  # an IXFR that does not say what it has
        return _error(case, wire.FORMERR)
    return _answer(view, apexes, case._replace(asked=case.asked._replace(type=wire.SOA)))


def _answer(view: lookup.View, apexes: Mapping[bytes, node.Zone], case: _Case) -> bytes:
    asked, stream = case.asked, case.limit == wire.STREAM
    offered = asked.edns or _NO_EDNS
    seen = places.Seen(view, case.asker, dict(offered.options).get(query.SUBNET, b""))
    wanted = lookup.Asked(asked.name, asked.type, asked.ident, stream, offered.do, offered.compact)
    found = lookup.Lookup(seen, apexes, wanted, case.asker.host.signers)
    found.run()
    zone, scope = found.zone if found.authoritative else None, seen.scope(found.sought, offered.do)
    notes = edns.Notes(found.rcode, found.error, zone, asked.type, scope)
    reply = message.Message(asked.question, _room(case), edns.build(asked.edns, notes, case.asker))
    reply.fill((found.answer, found.authority, found.additional))
    return reply.finish(asked.ident, _flags(asked, found.rcode) | wire.AA * found.authoritative)


def _cookie(case: _Case) -> bytes | None:
    """The client's cookie, if we do cookies."""
    offered = case.asked.edns
    if offered is None or case.asker.host.jar is None:
        return None
    return dict(offered.options).get(cookie.OPTION)


def _bare(case: _Case) -> bool:
    """Whether the query asks nothing but for a server cookie (RFC 7873 section 5.4)."""
    return not case.asked.question and _cookie(case) is not None


def _doubt(case: _Case) -> int:
    """What is wrong with the client's cookie, as a response code."""
    data, jar = _cookie(case), case.asker.host.jar
    if data is None or jar is None:
        return wire.NOERROR
    if not cookie.sound(data):
        return wire.FORMERR
    wanted = case.asker.host.server.proven and not case.asker.stream
    if not (wanted or (_bare(case) and len(data) > cookie.CLIENT)):
        return wire.NOERROR
    seen = jar.look(data, case.asker.address())
    return wire.NOERROR if seen is None or seen.valid else wire.BADCOOKIE


def _chaos(case: _Case) -> bytes:
    """Classes other than IN hold this: what this server and its software are called."""
    asked = case.asked
    told = getattr(case.asker.host.server, _CHAOS[asked.name]) if asked.name in _CHAOS else ""
    if asked.klass != wire.CH or not told or asked.type not in (wire.TXT, wire.ANY):
        return _error(case, wire.REFUSED, edns.NOT_AUTHORITATIVE)
    text = told.encode()[:255]
    reply = message.Message(asked.question, _room(case), edns.build(asked.edns, edns.Notes(), case.asker))
    record = message.Record(asked.question[:-4], node.RRset(wire.TXT, 0, (bytes((len(text),)) + text,)))
    reply.fill(((record,),), wire.CH)
    return reply.finish(asked.ident, _flags(asked, wire.NOERROR) | wire.AA)


def _error(case: _Case, rcode: int, error: int | None = None) -> bytes:
    """A reply without records: the question, where it could be read, and the OPT record."""
    asked = case.asked
    tail = edns.build(asked.edns, edns.Notes(rcode, error), case.asker)
    return message.Message(asked.question, wire.STREAM, tail).finish(asked.ident, _flags(asked, rcode))


def _flags(asked: query.Query, rcode: int) -> int:
    return wire.QR | asked.flags & (0x7800 | wire.RD) | rcode & 15


def _room(case: _Case) -> int:
    """Octets the reply may take."""
    if case.limit == wire.STREAM:
        return case.limit
    offered = case.asked.edns
    return min(case.limit, wire.CLASSIC_SIZE if offered is None else offered.size)
