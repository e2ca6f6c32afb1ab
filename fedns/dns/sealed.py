"""Signed answers kept ready: what the slow path composed and signed once is copied until it changes.

Law: hot, and only for a zone with a signer. An answer is kept for exactly the entry of the table that it was
made from, so a new entry is a new answer; it never outlives half of what its signatures have left. Addresses
rotate as unsigned ones do: no signature covers their order.
"""

import struct
from collections.abc import Iterator
from typing import NamedTuple

from fedns.dns import client, denial, lookup, message, node, signing, wire

PLAIN = b""
"""In place of a reply: it is to be answered as if nothing was signed."""
_RECORD = struct.Struct(">HHHIH")  # owner, type, class, ttl, rdata length
_LEAD = struct.Struct(">HHIH")  # type, class, ttl, rdata length
_POINTER = 2  # octets of an owner name that is a compression pointer
_READY = (node.PLAIN, node.ROTATE, node.NODATA)
_FRACTION = 8  # an answer is kept for this part of a signature's whole life
_NO_ADDITIONAL = b"\0\1"  # the OPT record alone


class Answer(NamedTuple):
    """All after the question: `turning` is addresses of `unit` octets each. `zones` is set where the zone's
    SOA is in it. Valid until Unix second `until`."""

    value: bytes
    zones: bytes | None
    until: int
    counts: bytes
    before: bytes
    turning: bytes
    unit: int
    after: bytes


class Asked(NamedTuple):
    """A query in its parts: two octets of ID and two of reply flags, the question as it came, which slot
    holds its answer, and our OPT record."""

    ident: bytes
    flags: bytes
    question: bytes
    slot: int
    opt: bytes


def respond(view: lookup.View, asked: Asked, host: client.Host) -> bytes | None:
    """The signed reply; None where the slow path has to find it, `PLAIN` where nobody signs the zone."""
    key = asked.question.lower()
    value = view.get(key[:-4])
    if value is None:
        return _missing(view, asked, host)
    answer: Answer | None = host.ready.get(key)
    if answer is None or answer.value != value or answer.until <= host.now or _outdated(answer, view):
        if _signer(view, value, key, host) is None:
            return None if node.place(value)[1] & node.CROSSING else PLAIN
        answer = _made(view, value, asked, host)
        if answer is None:
            return None
        host.ready.put(key, answer)
    turning = answer.turning
    if answer.unit:
        cut = answer.unit * (asked.ident[1] % (len(turning) // answer.unit))
        turning = turning[cut:] + turning[:cut]
    head = (asked.ident, asked.flags, answer.counts, _NO_ADDITIONAL, asked.question)
    return b"".join((*head, answer.before, turning, answer.after, asked.opt))


def _signer(view: lookup.View, value: bytes, question: bytes, host: client.Host) -> signing.Signer | None:
    """Who signs the zone that the entry is in; the question is at or below its apex."""
    zone, _, _ = node.place(value)
    size, _ = node.denials(view.get(node.ZONES) or b"")[zone]
    return host.signers.get(question[-4 - size : -4])


def _missing(view: lookup.View, asked: Asked, host: client.Host) -> bytes | None:
    """That there is no such name (RFC 9824 section 3.1). Made anew each time: nobody asks for it again."""
    question = asked.question.lower()
    value = lookup.encloser(view, question[:-4])
    if value is None or view.get(node.READY) is None:
        return None
    signer = _signer(view, value, question, host)
    if signer is None:
        return PLAIN
    zone = node.apexes(view.get(node.ZONES) or b"")[signer.zone.apex]
    soa = node.RRset(wire.SOA, zone.soa_ttl, (zone.soa,))
    nothing = denial.record(question[:-4], (wire.NXNAME,), zone.negative_ttl)
    top = 0xC000 + wire.HEADER + len(question) - 4 - len(zone.apex)
    records = [
        *_records(top, zone.negative_ttl, soa, signer.sign(zone.apex, soa)),
        *_records(0xC000 + wire.HEADER, zone.negative_ttl, nothing, signer.fresh(question[:-4], nothing)),
    ]
    counts = b"\0\0" + len(records).to_bytes(2, "big")
    return b"".join((asked.ident, asked.flags, counts, _NO_ADDITIONAL, asked.question, *records, asked.opt))


def _records(owner: int, ttl: int, *rrsets: node.RRset) -> Iterator[bytes]:
    """RRsets as records of one owner, which is a compression pointer."""
    for rrset in rrsets:
        for rdata in rrset.rdatas:
            yield _RECORD.pack(owner, rrset.type, wire.IN, ttl, len(rdata)) + rdata


def _outdated(answer: Answer, view: lookup.View) -> bool:
    return answer.zones is not None and answer.zones != view.get(node.ZONES)


def _made(view: lookup.View, value: bytes, asked: Asked, host: client.Host) -> Answer | None:
    """The answer of the slow path, if the table has one ready and so knows when it changes."""
    kind, *_ = node.SLOT.unpack_from(value, asked.slot)
    zones = view.get(node.ZONES)
    if kind not in _READY or zones is None or node.placed(value):
        return None
    question = asked.question.lower()
    rtype = question[-3]
    wanted = lookup.Asked(question[:-4], rtype, signed=True)
    found = lookup.Lookup(view, node.apexes(zones), wanted, host.signers)
    found.run()
    if found.additional or found.rcode or found.error is not None:
        return None
    reply = message.Message(question, wire.STREAM, b"")
    reply.fill((found.answer, found.authority))
    octets = reply.finish(0, 0)
    body = octets[wire.HEADER + len(question) :]
    start, end, unit = _addresses(body, found.answer, rtype) if kind == node.ROTATE else (0, 0, 0)
    lives = [signer.zone.validity for signer in host.signers.values()]
    return Answer(
        value,
        zones if found.authority else None,
        host.now + min(lives) // _FRACTION,
        octets[6:10],
        body[:start],
        body[start:end],
        unit,
        body[end:],
    )


def _addresses(body: bytes, answer: list[message.Record], rtype: int) -> tuple[int, int, int]:
    """Where the addresses stand in the body, and the octets of each; all 0 where they stand in no row."""
    rrset = next(record.rrset for record in answer if record.rrset.type == rtype)
    lead = _LEAD.pack(rtype, wire.IN, rrset.ttl, len(rrset.rdatas[0]))
    start = body.find(lead) - _POINTER
    unit = _POINTER + len(lead) + len(rrset.rdatas[0])
    end = start + unit * len(rrset.rdatas)
    inner = range(start + _POINTER, end, unit)
    if start < 0 or any(body[at : at + len(lead)] != lead for at in inner):
        return 0, 0, 0
    return start, end, unit
