"""Zone transfers: whole (AXFR, RFC 5936) and by difference (IXFR, RFC 1995), as a stream of messages.

Law: pure; one reading of the table, walked as the client takes it. An empty message is a pause: the walk
has looked at many names that are not the zone's, and others want their turn. A history that does not reach
back is no error: the zone goes whole.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

from fedns.dns import client, content, edns, journal, message, node, permit, query, tsig, wire

SIZE = 4096
"""Octets of one message: its making keeps a worker from questions for less than a millisecond."""
_ROOMY = wire.STREAM - tsig.MAX_RECORD  # for one set of records that is larger
_CHUNK = 2048  # octets of rdata kept together
_GLANCES = 200  # names looked at between two pauses
_STEPS = 50  # of the journal taken in between two pauses
_QUESTIONS = (b"\0\xfb\0\x01", b"\0\xfc\0\x01")  # IXFR IN, AXFR IN
_NOTAUTH = 9

Pairs = Iterator[tuple[bytes, bytes]]
Records = Iterator[tuple[bytes, node.RRset] | None]


class View(Protocol):
    """One generation of the tables, for as long as the walk takes."""

    def get(self, key: bytes, /) -> bytes | None: ...

    def items(self) -> Pairs:
        """All of the table."""

    def journal(self, apex: bytes) -> Pairs:
        """A zone's journal, the latest entry first."""

    def step(self, key: bytes) -> bytes | None:
        """One entry of the journal."""


class Asked(NamedTuple):
    """A request for a zone. `key`, `mac`: of its signature, if it has a good one."""

    query: query.Query
    serial: int
    key: tsig.Key | None = None
    mac: bytes = b""


class Transfer(NamedTuple):
    """`kind` is `axfr`, or what becomes of an IXFR: `ixfr` where the differences are sent, `soa` where there
    are none, `whole` where the history does not reach back."""

    kind: str
    messages: Iterator[bytes]
    zone: node.Zone


def asked(packet: bytes) -> bool:
    """Whether this may be a request for a zone: cheap, and never wrong in saying no."""
    return len(packet) > wire.HEADER and any(mark in packet for mark in _QUESTIONS)


def judge(view: permit.View, case: query.Query, asker: client.Client, key: bytes) -> tuple[int, int | None]:
    """The rcode and extended error for who asks for a zone."""
    rules = permit.rules(view)
    if case.name in rules.private or not rules.allow(asker.address(), key):
        return wire.REFUSED, edns.PROHIBITED
    if case.name not in node.apexes(view.get(node.ZONES) or b""):
        return _NOTAUTH, None
    if case.type == wire.AXFR and not asker.stream:
        return wire.REFUSED, edns.NOT_SUPPORTED
    return wire.NOERROR, None


def begin(view: View, packet: bytes, asker: client.Client) -> Transfer | None:
    """The messages that answer the request; None where an ordinary reply has to: it is none, or denied."""
    found = _read(view, packet, asker)
    if found is None:
        return None
    kind, records = _chosen(view, found)
    zone = node.apexes(view.get(node.ZONES) or b"")[found.query.name]
    tail = edns.build(found.query.edns, edns.Notes(zone=zone, type=found.query.type), asker)
    pages = _pages(found.query, records, tail)
    return Transfer(kind, pages if found.key is None else _signed(pages, found, asker), zone)


def serial(packet: bytes, question: bytes) -> int | None:
    """The serial that the client of an IXFR has; None where it does not say."""
    owner = wire.skip_name(packet, wire.HEADER + len(question))
    if owner < 0 or int.from_bytes(packet[8:10], "big") != 1 or packet[owner : owner + 2] != b"\0\x06":
        return None
    at = owner + 10
    for _ in range(2):
        at = wire.skip_name(packet, at) if 0 < at < len(packet) else -1
    return int.from_bytes(packet[at : at + 4], "big") if at > 0 and at + 20 <= len(packet) else None


def _read(view: View, packet: bytes, asker: client.Client) -> Asked | None:
    verdict = None
    if tsig.signed(packet):
        verdict = tsig.verify(packet, permit.rules(view).keys, asker.host.now)
    key, mac = None, b""
    if verdict is not None:
        if verdict.error or verdict.signature is None:
            return None
        key, mac = verdict.key, verdict.signature.mac
        packet = tsig.bare(packet, verdict.signature)
    case = query.parse(packet)
    sound = not case.opcode and not case.rcode and not case.flags & wire.QR and case.klass == wire.IN
    if not sound or case.type not in (wire.AXFR, wire.IXFR) or view.get(node.READY) is None:
        return None
    if case.edns is not None and case.edns.version:
        return None
    if judge(view, case, asker, key.name if key else b"") != (wire.NOERROR, None):
        return None
    has = serial(packet, case.question) if case.type == wire.IXFR else -1
    return None if has is None else Asked(case, has, key, mac)


def _chosen(view: View, found: Asked) -> tuple[str, Records]:
    zones = node.decode_zones(view.get(node.ZONES) or b"")
    here = next(zone for zone in zones if zone.apex == found.query.name)
    if found.query.type == wire.IXFR:
        current = journal.number(here)
        if not journal.newer(current, found.serial):
            return "soa", iter([soa(here)])
        keys = journal.chain(view.journal(here.apex), found.serial, current)
        if keys is not None:
            return "ixfr", _steps(view, here, keys)
    kind = "axfr" if found.query.type == wire.AXFR else "whole"
    return kind, _whole(view, here, content.Zones(zones))


def soa(zone: node.Zone) -> tuple[bytes, node.RRset]:
    return zone.apex, node.RRset(wire.SOA, zone.soa_ttl, (zone.soa,))


def _steps(view: View, here: node.Zone, keys: Sequence[bytes]) -> Records:
    """What differs since then, as one step."""
    before, whole = here, journal.Sum()
    for glance, key in enumerate(keys):
        step = journal.decode(here.apex, view.step(key) or b"")
        before = before if glance else step.before
        whole.add(step.change)
        if glance % _STEPS == _STEPS - 1:
            yield None
    removed, added = whole.change()
    yield soa(here)
    yield soa(before)
    yield from removed
    yield soa(here)
    yield from added
    yield soa(here)


def _whole(view: View, here: node.Zone, zones: content.Zones) -> Records:
    yield soa(here)
    for glance, (owner, value) in enumerate(view.items()):
        if glance % _GLANCES == 0:
            yield None
        if owner[-1] == 0 and wire.below(owner, here.apex) and zones.concerns(value, here.apex):
            mine = (each for each in content.of(owner, value, zones) if each.apex == here.apex)
            yield from ((each.owner, each.rrset) for each in mine)
    yield soa(here)


def _pages(case: query.Query, records: Records, tail: bytes) -> Iterator[bytes]:
    """The records in messages; an RRset may go on in the next one. The OPT record is in the first."""
    flags = wire.QR | wire.AA | case.flags & wire.RD
    page = message.Message(case.question, SIZE, tail)
    for part in _parts(records):
        if part is None:
            yield b""
        elif not page.put(part, 0):
            yield page.finish(case.ident, flags)
            page = _page(case.question, part)
    yield page.finish(case.ident, flags)


def _page(question: bytes, first: message.Record) -> message.Message:
    """A message that begins with this; larger than others where it has to be."""
    page = message.Message(question, SIZE, b"")
    if not page.put(first, 0):
        page = message.Message(question, _ROOMY, b"")
        page.put(first, 0)
    return page


def _parts(records: Records) -> Iterator[message.Record | None]:
    """The RRsets in pieces that fit a message, and the pauses."""
    for each in records:
        if each is None:
            yield None
            continue
        owner, rrset = each
        if sum(map(len, rrset.rdatas)) + 16 * len(rrset.rdatas) <= _CHUNK:
            yield message.Record(owner, rrset)
        else:
            yield from (message.Record(owner, rrset._replace(rdatas=(rdata,))) for rdata in rrset.rdatas)


def _signed(pages: Iterator[bytes], found: Asked, asker: client.Client) -> Iterator[bytes]:
    assert found.key is not None
    signer = tsig.Signer(found.key, found.mac)
    for page in pages:
        yield signer.sign(page, asker.host.now) if page else page
