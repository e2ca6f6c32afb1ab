"""The core of the batch loop: plain questions answered where the kernel has put them, from rows of answers.

Law: it takes only what it wholly understands (A or AAAA in class IN, a bare OPT or none, a name whose answer
lies ready) and leaves all else to `respond`; where both could answer, they say the same. Rows are of one
generation: with a new one all are void at once. It serves compiled, as `_core`; the same source runs as
Python, where every index is checked, for the tests and the fuzzers.
"""

import mmap
from array import array
from typing import TYPE_CHECKING

import cython

from fedns.dns import lookup, node, places, wire
from fedns.servers import batch, counters, errands

if cython.compiled:
    from cython.cimports.fedns.servers import octets
else:
    from fedns.servers import octets

if TYPE_CHECKING:  # compiled, it is a class of C, named in _core.pxd
    from fedns.servers import gate

ROW = 320  # octets: five cache lines hold name and answer of nearly all questions
ROWS = 1 << 17  # at most 40 MiB, of which only what is used takes memory
WAYS = 4  # rows that one question may lie in
PARENTS = 4096  # names below which nothing exists, as far as remembered
_LEAST = wire.HEADER + 5  # the shortest query: about the root
_OPT = 11  # octets of a bare OPT record
_HEAD = 16  # octets of a row before the name
_COMMON = 4096  # octets: larger payload sizes are rare
_ANCOUNT, _START, _END, _TURN, _UNIT = 1, 3, 7, 11, 13  # where a slot has its fields: see node.SLOT
_ADDED = 1 << 56  # section counts as a little-endian number: an additional record; with it, a question
_QUESTION = _ADDED | 1 << 8
_DO = 0x80 << 16  # what follows the size in a bare OPT record, as a little-endian number
_AAAA_SLOT = node.SLOT_AT[node.AAAA]
# What is used for each query, as numbers of C
_SLOT, _HEADER, _MAX_NAME = batch.SLOT, wire.HEADER, wire.MAX_NAME
_CLASSIC, _OWN = wire.CLASSIC_SIZE, wire.OWN_SIZE
_A, _AAAA, _OPT_TYPE, _NXDOMAIN = wire.A, wire.AAAA, wire.OPT, wire.NXDOMAIN
_PLAIN, _ROTATE, _NODATA, _PLACED = node.PLAIN, node.ROTATE, node.NODATA, node.PLACED_SLOT
# Where a row has its fields; then come the name and all that follows the question
_NAMED, _AUTHORITY, _RCODE, _UNITS, _ANSWERS, _BODY, _TURNS, _AGE = 0, 1, 2, 3, 4, 6, 8, 10
_NEVER = (0, b"")  # for a name below which `respond` is to look

_SIZE = batch.SIZE
_WORD = 0xFFFFFFFFFFFFFFFF  # 64 ones
_LEFT, _BY_PLACE = 255, 254  # as response code of a row: `respond` answers, or a row for the client's place
_PLACES = 40  # where a place's number, and 1, begins beside the type in what a row is about


class Rows:
    """Ready answers by question: a set of WAYS rows for each value of the digest's low bits."""

    def __init__(self, seed: int, tables: errands.Tables) -> None:
        pages = mmap.mmap(-1, ROWS * ROW)
        pages.madvise(mmap.MADV_HUGEPAGE)  # rows lie anywhere: else each costs a walk of the page tables
        self.octets = memoryview(pages)
        self.name = memoryview(bytearray(256))
        self._tags = memoryview(mmap.mmap(-1, ROWS * 8)).cast("Q")
        self._seed = seed
        self._tables = tables
        self._opened = self._marked = self._ready = False
        self._stamp = -1
        self._age = 0
        self._mark = 0
        self._denials: dict[int, tuple[int, bytes]] = {}
        self._flats: tuple[tuple[bytes, int], ...] = ()
        self.signed = False
        self._below: dict[bytes, tuple[int, bytes]] = {}
        self.atlas = places.Places(places.Atlas())
        self.renew()

    def renew(self) -> None:
        """Called about once a second: the tables may be others now."""
        marks = self._tables.marks()
        self._marked = marks is not None
        if marks is not None:
            self._marks = marks
        self._mark = 0  # no generation's

    def begin(self) -> None:
        """Before a batch: takes up another generation, if there is one."""
        mark = max(self._marks[0], self._marks[1]) if self._marked else 0
        if not self._marked or mark != self._mark:
            self._mark = mark
            self._open()

    def end(self) -> None:
        """After a batch."""
        if self._opened:
            self._opened = False
            self._tables.close()

    def _open(self) -> None:
        stamp = self._tables.open()
        self._opened = True
        if stamp != self._stamp:
            get = self._tables.get
            self._seed = self._seed + 256 & _WORD  # of one question, no digest is what it was
            self._age = self._age % 255 + 1  # 0: never used
            self._ready = get(node.READY) is not None
            self._denials = dict(enumerate(node.denials(get(node.ZONES) or b"")))
            self._flats = node.flats(get(node.ZONES) or b"")
            self.signed = self._tables.signed()
            self._below = {}
            self.atlas = places.current(self._tables)
            self._stamp = stamp

    def find(self, size: int, rtype: int) -> int:
        """Where the row of the question for `name` begins, or -1 where there is none."""
        at = self._known(size, rtype)
        if at < 0:
            if not self._opened:
                self._open()  # perhaps to a younger generation than the batch began with
            at = self._place(size, rtype)
            if not self._learn(at, octets.take(self.name, 0, size), rtype):
                self._keep(at, octets.take(self.name, 0, size), b"", _LEFT)
        return -1 if self.octets[at + _RCODE] == _LEFT else at

    def _known(self, size: int, rtype: int) -> int:
        tag = octets.digest(self.name, size, self._seed + rtype)
        row = (tag & (ROWS // WAYS - 1)) * WAYS
        for place in range(row, row + WAYS):
            if self._tags[place] == tag:
                at = place * ROW
                if self.octets[at] == size and octets.same(self.octets, at + _HEAD, self.name, 0, size):
                    return at
        return -1

    def foresee(self, size: int, rtype: int) -> int:
        """The digest of the question for `name`, its tags on their way from memory."""
        tag: int = octets.digest(self.name, size, self._seed + rtype)
        octets.fetch_word(self._tags, (tag & (ROWS // WAYS - 1)) * WAYS)
        return tag

    def fetch(self, tag: int) -> None:
        """Has the row of a digest on its way from memory, so that those of a batch come all at once."""
        row = (tag & (ROWS // WAYS - 1)) * WAYS
        for place in range(row, row + WAYS):
            if self._tags[place] == tag:
                octets.fetch(self.octets, place * ROW)
                octets.fetch(self.octets, place * ROW + 64)

    def _place(self, size: int, rtype: int) -> int:
        """Where a new row goes: best in place of one that is void."""
        tag: int = octets.digest(self.name, size, self._seed + rtype)
        row: int = (tag & (ROWS // WAYS - 1)) * WAYS
        place = row
        while place < row + WAYS and self.octets[place * ROW + _AGE] == self._age:
            place += 1
        if place == row + WAYS:
            place = row + (tag >> 62)
        self._tags[place] = tag
        self.octets[place * ROW] = 0
        self.octets[place * ROW + _AGE] = self._age
        return place * ROW

    def _learn(self, at: int, name: bytes, rtype: int) -> bool:
        """Makes the row of a question, if its answer lies ready."""
        value = self._tables.get(name)
        if value is None:
            return self._missing(at, name)
        if len(value) < node.BODIES:
            return False
        slot = _AAAA_SLOT if rtype & 255 == _AAAA else 0
        if octets.number(value, slot, 1) & _PLACED:
            if rtype < 256:
                return self._keep(at, name, b"", _BY_PLACE)
            value = node.view(value, (rtype >> _PLACES) - 1)
        kind = octets.number(value, slot, 1)
        start = octets.number(value, slot + _START, 4)
        turn = octets.number(value, slot + _TURN, 2)
        unit = octets.number(value, slot + _UNIT, 1) if kind == _ROTATE else 0
        body = value[start : octets.number(value, slot + _END, 4)]
        octets.put(self.octets, at + _ANSWERS, value, slot + _ANCOUNT, 2)
        octets.put(self.octets, at + _TURNS, value, slot + _TURN, 2)
        self.octets[at + _UNITS] = unit
        self.octets[at + _AUTHORITY] = kind == _NODATA
        if kind == _NODATA:
            other = octets.number(value, slot + _UNIT, 1) if turn else octets.number(value, 2 * _AAAA_SLOT, 2)
            denial = self._denials.get(other, _NEVER)
            return denial is not _NEVER and self._keep(
                at, name, body + node.authority(denial, len(name), turn), 0
            )
        return kind in (_PLAIN, _ROTATE) and turn + unit <= len(body) and self._keep(at, name, body, 0)

    def _missing(self, at: int, name: bytes) -> bool:
        """NXDOMAIN, if the closest name above exists and is a plain one."""
        above, zone = lookup.step(name, self._flats) if self._flats else (name, -1)
        while self._ready and len(above) > 1:
            above = above[1 + above[0] :]
            denial = self._below.get(above)
            if denial is None:
                value = self._tables.get(above)
                if value is None and zone < 0:
                    continue
                if value is not None:
                    zone = node.place(value)[0] if lookup.ends(value) else -1
                denial = self._denials.get(zone, _NEVER)
                if len(self._below) >= PARENTS:
                    self._below.clear()
                self._below[above] = denial
            self.octets[at + _ANSWERS] = self.octets[at + _ANSWERS + 1] = self.octets[at + _UNITS] = 0
            self.octets[at + _AUTHORITY] = 1
            return denial is not _NEVER and self._keep(at, name, node.authority(denial, len(name)), _NXDOMAIN)
        return False

    def _keep(self, at: int, name: bytes, body: bytes, rcode: int) -> bool:
        size, length = len(name), len(body)
        if _HEAD + size + length > ROW:
            return False
        self.octets[at + _RCODE] = rcode
        self.octets[at + _BODY] = length & 255
        self.octets[at + _BODY + 1] = length >> 8
        octets.put(self.octets, at + _HEAD, name, 0, size)
        octets.put(self.octets, at + _HEAD + size, body, 0, length)
        self.octets[at + _NAMED] = size
        return True


class Core:
    """One UDP socket's batches: query i begins at SLOT * i of `requests` and is received[i] octets long; its
    reply goes to SLOT * i of `replies`, and its length to lengths[i]."""

    def __init__(
        self, rows: Rows, frames: batch.Frames, layout: counters.Layout, hand: errands.Hand, gate: "gate.Gate"
    ) -> None:
        self._rows, self._hand, self._gate = rows, hand, gate
        self._requests, self._replies, self._names = frames.requests, frames.replies, frames.names
        self._received, self._lengths = frames.received, frames.lengths
        self._fd, self._in, self._out = frames.socket, frames.receive, frames.send
        self._wildcard = frames.wildcard
        self._cells = layout.words
        self._counted = memoryview(array("q", layout.counted))
        self._sized = memoryview(array("q", layout.sized))
        self._bounds = memoryview(array("q", (*layout.bounds, 1 << 62)))
        self._asked, self._told, self._latency = layout.asked, layout.told, layout.latency
        self._total, self._batches = layout.total, layout.batches
        self._end = self._rtype = self._opt = self._limit = 0
        self._do = False
        self._foreseen = memoryview(array("Q", bytes(8 * _SIZE)))

    def turn(self) -> int:
        """Answers a batch; how many packets were in it."""
        if self._wildcard:
            self._hand.refresh()
        count: int = octets.receive(self._fd, self._in, _SIZE)
        if count <= 0:
            return 0
        now = octets.clock()
        loud = self._gate.count(count, now)
        if loud is not None:
            self._hand.suspects(count, now, loud)
        left = self.answer(count)
        dropped = self._hand.others(count) if left or loud is not None else 0
        sent = 0 if left or self._wildcard else max(octets.send(self._fd, self._out, count), 0)
        if sent < count:
            sent += self._hand.send(sent, count)
        if sent < count:
            self._hand.unsent(count - sent - dropped)
        self._took(octets.clock() - now, count)
        return count

    def answer(self, count: int) -> int:
        """Replies to what it can of the first `count` queries; how many are left, with a length of 0."""
        left = count
        for place in range(count):
            self._lengths[place] = 0
        try:
            self._rows.begin()
            self._foresee(count)
            for place in range(count):
                length = self._reply(place * _SLOT, self._received[place])
                if length:
                    self._lengths[place] = length
                    self._count(place, length)
                    left -= 1
        except Exception:
            self._hand.failed()
        finally:
            self._rows.end()
        return left

    def _foresee(self, count: int) -> None:
        """Memory is slow, but answers many at once: asked ahead for all that the batch will need."""
        for place in range(count):
            at = place * _SLOT
            self._foreseen[place] = 0
            if self._plain(at, at + self._received[place]) and self._asks(at, at + self._received[place]):
                named = self._end - at - _HEADER - 4
                octets.lower(self._rows.name, 0, self._requests, at + _HEADER, named)
                self._foreseen[place] = self._rows.foresee(named, self._rtype)
        for place in range(count):
            self._rows.fetch(self._foreseen[place])

    def _count(self, place: int, length: int) -> None:
        """By type and response code, and both messages by size."""
        kind = 2 * (self._rtype == _AAAA) + (self._replies[place * _SLOT + 3] != 0)
        self._cells[self._counted[kind]] += 1
        size = self._received[place]
        self._cells[self._asked] += size
        self._cells[self._asked + self._sized[size]] += 1
        self._cells[self._told] += length
        self._cells[self._told + self._sized[length]] += 1

    def _took(self, nanoseconds: int, count: int) -> None:
        microseconds = nanoseconds // 1000
        bucket = 0
        while microseconds > self._bounds[bucket]:
            bucket += 1
        self._cells[self._latency + bucket] += count
        self._cells[self._total] += microseconds * count
        self._cells[self._batches] += 1

    def _reply(self, at: int, size: int) -> int:
        """The length of the reply to the query of `size` octets at `at`, which goes to the same place."""
        if not (self._plain(at, at + size) and self._asks(at, at + size)):
            return 0
        named = self._end - at - _HEADER - 4
        octets.lower(self._rows.name, 0, self._requests, at + _HEADER, named)
        row = self._rows.find(named, self._rtype)
        if row >= 0 and self._rows.octets[row + _RCODE] == _BY_PLACE:
            there: int = self._hand.place(at // _SLOT, self._rows.atlas) + 1
            row = self._rows.find(named, self._rtype + (there << _PLACES))
        if row < 0 or (self._do and self._rows.signed):  # perhaps of a younger generation than `_bare` knew
            return 0
        length = self._compose(at, row)
        return length if length <= self._limit else 0

    def _plain(self, at: int, stop: int) -> bool:
        """Whether it is a standard query with one question and at most an additional record."""
        asked = self._requests
        if stop - at < _LEAST or asked[at + 2] & 0xFE or asked[at + 3] & 0xCF:
            return False
        return bool(octets.word(asked, at + 4, 8) | _ADDED == _QUESTION)

    def _asks(self, at: int, stop: int) -> bool:
        """Whether question and OPT record are plain ones; leaves what they say in `_rtype` and others."""
        asked = self._requests
        end = at + _HEADER
        while asked[end]:
            if asked[end] > 63:
                return False
            end += 1 + asked[end]
            if end + 5 > stop:
                return False
        self._rtype = asked[end + 2]
        if end - at - _HEADER >= _MAX_NAME or asked[end + 1] or asked[end + 3] or asked[end + 4] != 1:
            return False
        if self._rtype != _A and self._rtype != _AAAA:
            return False
        self._end = end + 5
        self._opt = asked[at + 11]
        if self._opt:
            return self._bare(end + 5, stop)
        self._limit, self._do = _CLASSIC, False
        return self._end == stop

    def _bare(self, at: int, stop: int) -> bool:
        """Whether the last record is an OPT record without options, of version 0."""
        asked = self._requests
        if at + _OPT != stop or asked[at] or asked[at + 1] or asked[at + 2] != _OPT_TYPE:
            return False
        size = asked[at + 3] << 8 | asked[at + 4]
        rest = octets.word(asked, at + 5, 6)
        self._limit, self._do = min(size, _OWN), rest == _DO
        return _CLASSIC <= size <= _COMMON and (not rest or (rest == _DO and not self._rows.signed))

    def _compose(self, at: int, row: int) -> int:
        """Header, question, the row's answer in its turn, OPT record; the length."""
        told, kept = self._replies, self._rows.octets
        octets.copy(told, at, self._requests, at, self._end - at)
        told[at + 2] = 0x84 | told[at + 2] & 1  # QR, AA, and RD as it was
        told[at + 3] = kept[row + _RCODE]
        told[at + 6] = kept[row + _ANSWERS]
        told[at + 7] = kept[row + _ANSWERS + 1]
        told[at + 9] = kept[row + _AUTHORITY]
        end = self._end
        size = kept[row + _BODY] | kept[row + _BODY + 1] << 8
        body = row + _HEAD + kept[row + _NAMED]
        unit = kept[row + _UNITS]
        if unit:
            turn = kept[row + _TURNS] | kept[row + _TURNS + 1] << 8
            cut = turn + unit * (told[at + 1] % ((size - turn) // unit))
            octets.copy(told, end, kept, body, turn)
            octets.copy(told, end + turn, kept, body + cut, size - cut)
            octets.copy(told, end + turn + size - cut, kept, body + turn, cut - turn)
        else:
            octets.copy(told, end, kept, body, size)
        end += size
        if self._opt:
            octets.copy(told, end, self._requests, self._end, _OPT)
            told[end + 3] = _OWN >> 8
            told[end + 4] = _OWN & 255
            end += _OPT
        return end - at
