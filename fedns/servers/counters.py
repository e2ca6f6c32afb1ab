"""What workers did, as numbers in shared memory: each worker writes its own file, control reads them all.

Law: one writer per file, no locks, one store per number; a replaced worker goes on with its file, so
counters never fall. Not prometheus-client's multiprocess mode: that costs microseconds per increment,
where a whole answer takes ten, and it leaves a file per dead process id behind.
"""

import logging
import mmap
import os
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import NamedTuple

from fedns import logs
from fedns.dns import rate

MAGIC = 0xFED5_0004  # and the version of this layout
TYPES = {1: "A", 2: "NS", 5: "CNAME", 6: "SOA", 12: "PTR", 15: "MX", 16: "TXT", 28: "AAAA", 33: "SRV"}
TYPES |= {43: "DS", 48: "DNSKEY", 64: "SVCB", 65: "HTTPS", 255: "ANY"}
OTHER = "other"
RCODES = ("NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED", "BADVERS", OTHER)
BOUNDS = (20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 50_000, 100_000)  # microseconds

_NAMED = ("magic", "generation", "published_us", "ready", "dropped", "unsent", "failed")
_TCP = ("tcp_accepted", "tcp_evicted", "tcp_idled", "tcp_open", "latency_sum_us", "batches")
_TLS = ("tls_accepted", "tls_failed")  # further on they are connections like TCP's
COPIES = ("axfr", "ixfr", "soa", "whole")  # what became of requests for zones (`transfer.Transfer`)
_LATER = ("tcp_crowded", "whole")  # than the layout: what stood there has kept its place
FIELDS = {name: at for at, name in enumerate((*_NAMED, *_TCP, *_TLS, *COPIES[:3], *_LATER))}
_LATENCY = 32
_QUERIES = 48
_TYPE_NAMES = (*TYPES.values(), OTHER)
TRANSPORTS = ("udp", "tcp", "tls")
_PER_TRANSPORT = len(_TYPE_NAMES) * len(RCODES)
_LIMITED = _QUERIES + len(TRANSPORTS) * _PER_TRANSPORT
OUTCOMES = ("dropped", "slipped")  # of a reply that was limited
LIMITED = {pair: _LIMITED + at for at, pair in enumerate(product(rate.CLASSES, OUTCOMES))}
SIZES = (32, 64, 96, 128, 192, 256, 512, 1232, 4096, 16384)  # octets of a message
_DIRECTIONS = ("query", "reply")
_ROW = len(SIZES) + 2  # all octets, then messages by size, then those beyond
_SIZED = _LIMITED + len(LIMITED)
_SIZES_AT = {name: _SIZED + at * len(_DIRECTIONS) * _ROW for at, name in enumerate(TRANSPORTS)}
_CELLS = _SIZED + len(TRANSPORTS) * len(_DIRECTIONS) * _ROW
_LARGE, _STRIDE = 16, 16  # of batches with so many messages each 16th is measured, and counts for all
_HEADER_RCODES = 6  # the first of RCODES stand in a reply's header with their own numbers
_EXTENDED = 15  # no reply of ours has it in the header: stands for BADVERS, whose number 16 is split
_OPT = 41


def _index() -> tuple[int, ...]:
    """(query type's low octet << 8 | octet 3 of the reply) -> cell: no arithmetic per packet."""
    types = [_TYPE_NAMES.index(TYPES.get(octet, OTHER)) for octet in range(256)]
    header = (*range(_HEADER_RCODES), *[len(RCODES) - 1] * (_EXTENDED - _HEADER_RCODES), _HEADER_RCODES)
    rcodes = [header[octet & 15] for octet in range(256)]
    return tuple(_QUERIES + kind * len(RCODES) + rcode for kind in types for rcode in rcodes)


_INDEX = _index()
_OTHER_TYPE = 0  # no query type is 0: it falls into "other"
_OFFSETS = {name: at * _PER_TRANSPORT for at, name in enumerate(TRANSPORTS)}

_log = logging.getLogger("fedns.counters")


class Cells:
    """One worker's numbers, in a file mapped into memory."""

    def __init__(self, path: str) -> None:
        self.path = path
        try:
            memory = _mapped(path)
        except OSError as error:  # a full disk must not keep anybody from answering
            _log.warning("nothing is counted", extra=logs.fields(path=path, error=error.strerror))
            memory = mmap.mmap(-1, _CELLS * 8)
        self._cells = self.words = memoryview(memory).cast("Q")
        if self._cells[0] != MAGIC:
            self._cells[:] = memoryview(bytes(_CELLS * 8)).cast("Q")
            self._cells[0] = MAGIC
        self._large = 0  # batches

    def add(self, name: str, amount: int = 1) -> None:
        self._cells[FIELDS[name]] += amount

    def set(self, name: str, value: int) -> None:
        self._cells[FIELDS[name]] = value

    def answered(
        self, packets: Sequence[bytes], replies: Sequence[bytes | None], transport: str = "udp"
    ) -> None:
        """Counts by query type and rcode; a missing reply is a drop."""
        try:  # an option-less OPT ends most queries: the type then lies 14 octets from the end
            keys = [
                packet[-14] << 8 | reply[3]  # type: ignore[index]
                if packet[-9] == _OPT and packet[11] and not packet[-5]  # and the version is 0
                else _key(packet, reply)  # type: ignore[arg-type]
                for packet, reply in zip(packets, replies, strict=True)
            ]
        except (IndexError, TypeError):
            pairs = zip(packets, replies, strict=True)
            keys = [_key(packet, reply) for packet, reply in pairs if reply is not None]
            self.add("dropped", len(replies) - len(keys))
        cells, offset = self._cells, _OFFSETS[transport]
        for key, count in Counter(keys).items():
            cells[_INDEX[key] + offset] += count
        self._large += len(packets) >= _LARGE
        if len(packets) < _LARGE:
            self._sized(packets, replies, transport, 1)
        elif self._large % _STRIDE == 0:
            self._sized(packets, replies, transport, _STRIDE)

    def limited(self, kind: str, dropped: int, slipped: int) -> None:
        """Replies of this class that were beyond its limit: not sent at all, or cut."""
        at = LIMITED[kind, OUTCOMES[0]]
        self._cells[at] += dropped
        self._cells[at + 1] += slipped

    def _sized(
        self, packets: Sequence[bytes], replies: Sequence[bytes | None], transport: str, weight: int
    ) -> None:
        cells, row = self._cells, _SIZES_AT[transport]
        for messages in (packets, [reply for reply in replies if reply is not None]):
            sizes = [len(message) for message in messages]
            cells[row] += sum(sizes) * weight
            for bucket, count in Counter([bisect_left(SIZES, size) for size in sizes]).items():
                cells[row + 1 + bucket] += count * weight
            row += _ROW

    def took(self, nanoseconds: int, replies: int) -> None:
        """Each reply of a batch took as long as the batch, from the first octet read to the last sent."""
        cells = self._cells
        microseconds = nanoseconds // 1000
        cells[_LATENCY + bisect_left(BOUNDS, microseconds)] += replies
        cells[FIELDS["latency_sum_us"]] += microseconds * replies
        cells[FIELDS["batches"]] += 1


class Layout(NamedTuple):
    """Where UDP is counted in `words`, for whoever counts there: a query of type A (then AAAA) with response
    code NOERROR (then NXDOMAIN) at `counted`; octets of queries and of replies at `asked` and `told`, and a
    message of n octets so far behind as `sized`[n] says; a batch's packets by the microseconds it took from
    `latency` on, by `bounds`; packets times microseconds at `total`, and batches at `batches`."""

    words: memoryview
    counted: tuple[int, ...]
    sized: tuple[int, ...]
    asked: int
    told: int
    latency: int
    bounds: tuple[int, ...]
    total: int
    batches: int


def layout(cells: Cells) -> Layout:
    counted = tuple(_INDEX[rtype << 8 | rcode] for rtype in (1, 28) for rcode in (0, 3))
    sized = tuple(1 + bisect_left(SIZES, size) for size in range(SIZES[-2] + 1))
    asked = _SIZES_AT["udp"]
    total, batches = FIELDS["latency_sum_us"], FIELDS["batches"]
    return Layout(cells.words, counted, sized, asked, asked + _ROW, _LATENCY, BOUNDS, total, batches)


def _mapped(path: str) -> mmap.mmap:
    """The file in memory. Its space is claimed at once: a page that has none would end us with SIGBUS."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        os.posix_fallocate(fd, 0, _CELLS * 8)
        return mmap.mmap(fd, _CELLS * 8)
    finally:
        os.close(fd)


def _key(packet: bytes, reply: bytes) -> int:
    """As `_INDEX` has it, for any packet. A BADVERS reply has nothing but the question and a bare OPT."""
    bare = len(reply) > 11 and reply[11] and not (reply[3] & 15 or reply[7] or reply[9])
    extended = bare and reply[-9] == _OPT and reply[-6]
    return _type(packet) << 8 | (_EXTENDED if extended else reply[3])


def _type(packet: bytes) -> int:
    """The query type's low octet, or 0 for what has no bucket."""
    at = 12
    size = len(packet)
    while at < size and 0 < packet[at] < 64:
        at += 1 + packet[at]
    fits = at + 2 < size and packet[at] == 0 and packet[at + 1] == 0
    return packet[at + 2] if fits else _OTHER_TYPE


@dataclass(frozen=True)
class Totals:
    """One worker's numbers as read, or the sum of many. Queries by (transport, type, rcode)."""

    fields: Mapping[str, int] = field(default_factory=dict)
    queries: Mapping[tuple[str, str, str], int] = field(default_factory=dict)
    latency: tuple[int, ...] = ()  # per bound of BOUNDS, then beyond
    limited: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """(class, outcome) -> replies."""
    sizes: Mapping[tuple[str, str], tuple[int, ...]] = field(default_factory=dict)
    """(transport, query or reply) -> octets, then messages per bound of SIZES, then beyond."""


def read(path: str) -> Totals | None:
    """The numbers in one worker's file, or None where there are none (yet)."""
    try:
        with open(path, "rb") as file:
            raw = file.read(_CELLS * 8)
    except FileNotFoundError:
        return None
    if len(raw) < _CELLS * 8:
        return None
    cells = memoryview(raw).cast("Q")
    if cells[0] != MAGIC:
        return None
    fields = {name: cells[at] for name, at in FIELDS.items() if at}
    latency = tuple(cells[_LATENCY : _LATENCY + len(BOUNDS) + 1].tolist())
    limited = {pair: cells[at] for pair, at in LIMITED.items() if cells[at]}
    return Totals(fields, _queries(cells), latency, limited, _sizes(cells))


def _sizes(cells: memoryview) -> dict[tuple[str, str], tuple[int, ...]]:
    starts = enumerate(product(TRANSPORTS, _DIRECTIONS))
    rows = {key: cells[_SIZED + at * _ROW : _SIZED + (at + 1) * _ROW].tolist() for at, key in starts}
    return {key: tuple(row) for key, row in rows.items() if row[0]}


def _queries(cells: memoryview) -> dict[tuple[str, str, str], int]:
    keys = ((transport, kind, rcode) for transport in TRANSPORTS for kind in _TYPE_NAMES for rcode in RCODES)
    return {key: cells[_QUERIES + at] for at, key in enumerate(keys) if cells[_QUERIES + at]}


def read_all(directory: str) -> dict[str, Totals]:
    """File name (one per worker) -> its numbers. An absent directory has no workers."""
    try:
        names = sorted(os.listdir(directory))
    except FileNotFoundError:
        return {}
    found = {name: read(os.path.join(directory, name)) for name in names}
    return {name: totals for name, totals in found.items() if totals is not None}


def total(workers: Iterable[Totals]) -> Totals:
    """The sum over workers. `generation`, `published_us` and `ready` are the least: what all have."""
    many = list(workers)
    fields: Counter[str] = Counter()
    queries: Counter[tuple[str, str, str]] = Counter()
    limited: Counter[tuple[str, str]] = Counter()
    sizes: dict[tuple[str, str], tuple[int, ...]] = {}
    for each in many:
        fields.update(each.fields)
        queries.update(each.queries)
        limited.update(each.limited)
        for key, row in each.sizes.items():
            sizes[key] = tuple(map(sum, zip(sizes.get(key, (0,) * _ROW), row, strict=True)))
    if many:
        for name in ("generation", "published_us", "ready"):
            fields[name] = min(each.fields[name] for each in many)
    latency = tuple(sum(column) for column in zip(*(each.latency for each in many), strict=True))
    return Totals(fields, queries, latency, limited, sizes)
