"""A reply being written: sections, name compression, size.

Law: an RRset goes in whole or not at all. An answer or authority that does not fit leaves an empty reply
with TC (RFC 2181 section 9); additional data that does not fit is left out, but missing glue sets TC
(RFC 9471).
"""

import struct
from collections.abc import Iterable
from typing import NamedTuple

from fedns.dns import node, wire

_RECORD = struct.Struct(">HHI")
# Where names start in the rdata of types that may be compressed (RFC 3597 section 4), and how many
_NAMES = {wire.NS: (0, 1), wire.CNAME: (0, 1), wire.PTR: (0, 1), wire.MX: (2, 1), wire.SOA: (0, 2)}


class Record(NamedTuple):
    """An RRset under the name it is shown for. `needed`: leaving it out truncates the reply."""

    owner: bytes
    rrset: node.RRset
    needed: bool = True


class Message:
    """Writes one reply of at most `limit` octets, of which `tail` (an OPT record) takes its own."""

    def __init__(self, question: bytes, limit: int, tail: bytes) -> None:
        self._octets = bytearray(wire.HEADER) + question
        self._known: dict[bytes, int] = {}
        self._room = limit - len(tail)
        self._tail = tail
        self._counts = [0, 0, 0]
        self._start = len(self._octets)
        self._truncated = False
        self._klass = wire.IN
        if question:
            wire.compress(question[:-4], self._known, wire.HEADER)

    def fill(self, sections: Iterable[Iterable[Record]], klass: int = wire.IN) -> None:
        """Write answer, authority and additional, as far as they fit."""
        self._klass = klass
        for index, records in enumerate(sections):
            for record in records:
                if self.put(record, index) or not record.needed:
                    continue
                self._truncated = True
                if index < 2:
                    del self._octets[self._start :]
                    self._counts = [0, 0, 0]
                    return

    def finish(self, ident: int, flags: int) -> bytes:
        flags |= wire.TC if self._truncated else 0
        answers, authorities, extras = self._counts
        counts = (int(self._start > wire.HEADER), answers, authorities, extras + bool(self._tail))
        struct.pack_into(">HHHHHH", self._octets, 0, ident, flags, *counts)
        return bytes(self._octets) + self._tail

    def put(self, record: Record, section: int) -> bool:
        """Whether the RRset went in; if not, nothing of it is left behind."""
        octets, before = self._octets, len(self._octets)
        for rdata in record.rrset.rdatas:
            octets += wire.compress(record.owner, self._known, len(octets))
            octets += _RECORD.pack(record.rrset.type, self._klass, record.rrset.ttl)
            packed = self._rdata(record.rrset.type, rdata, len(octets) + 2)
            octets += len(packed).to_bytes(2, "big") + packed
            if len(octets) > self._room:
                del octets[before:]
                self._known = {name: at for name, at in self._known.items() if at < before}
                return False
        self._counts[section] += len(record.rrset.rdatas)
        return True

    def _rdata(self, rtype: int, rdata: bytes, at: int) -> bytes:
        place = _NAMES.get(rtype)
        if place is None:
            return rdata
        begin, names = place
        packed = rdata[:begin]
        for _ in range(names):
            end = wire.skip_name(rdata, begin)
            packed += wire.compress(rdata[begin:end], self._known, at + len(packed))
            begin = end
        return packed + rdata[begin:]
