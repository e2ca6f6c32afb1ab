"""What becomes of the zones' serials with a generation, and the journal of how each zone changed.

Law: a zone's serial moves with every change of its content, and never backwards (RFC 1982). That of the
federated zone moves with each generation; one written by hand counts where it is ahead, and is moved on
where the file forgot to. The journal is bounded, and none is kept where nobody may copy; what it has
forgotten, a secondary gets whole.
"""

import os
from collections import deque
from collections.abc import Callable, Mapping
from typing import NamedTuple

from fedns import tables
from fedns.control import marks
from fedns.dns import content, difference, journal, node

ENTRIES = 20_000
"""Steps kept at most, over all zones: at a change a second, five hours."""
OCTETS = 64 << 20
"""Size of all steps that are kept."""
OWN = 0
"""Serial of a zone that brings none: it begins with the federated zone's."""
SAME = difference.Difference([], [])

Zones = tuple[node.Zone, ...]
Entries = dict[bytes, bytes | None]
Change = difference.Difference | None
"""What differs in a zone; None: that is not known."""


class _Kept(NamedTuple):
    generation: int
    key: bytes
    size: int


class History:
    """The journal as the writer knows it, and the marks of the serials in a file beside the tables. `read`:
    whether there may be somebody who copies zones."""

    def __init__(self, writer: tables.Writer, read: bool = True) -> None:
        self._writer, self._read = writer, read
        self.private: frozenset[bytes] = frozenset()
        """Apexes of zones that nobody may copy: how they change is not kept."""
        self._marks = marks.Marks(os.path.join(os.path.dirname(writer.path), "serials.json"))
        found = [_Kept(journal.generation(key), key, len(value)) for key, value in writer.items("journal")]
        self._kept = deque(sorted(found))
        self._octets = sum(each.size for each in found)

    def continued(self, zones: Zones) -> Zones:
        """The zones, none of them with a serial that is behind the one it is served with."""
        served = self._served()
        return tuple(_continued(zone, served.get(zone.apex)) for zone in zones)

    def floor(self, apex: bytes) -> int | None:
        """The serial that the next one of this zone has to be newer than, if any."""
        served = self._served().get(apex)
        return self._marks.above(apex, None if served is None else journal.number(served))

    def advance(
        self, zones: Zones, replaced: tables.Replaced | None, generation: int
    ) -> tuple[Zones, Entries]:
        """The zones with the serials of this generation (the first has its own already), and what changes
        in the journal. OSError: the marks cannot be kept."""
        served, change = self._served(), self._changes(zones, replaced)
        first = journal.number(zones[0])
        moved = [zones[0]]
        for zone in zones[1:]:
            changed = change(zone.apex) != SAME or served.get(zone.apex) != zone
            moved.append(_moved(zone, self.floor(zone.apex), first) if changed else zone)
        self._marks.reserve({zone.apex: journal.number(zone) for zone in moved}, zones[0].apex)
        entries: Entries = {}
        for zone in moved:
            self._note(served.get(zone.apex), zone, change(zone.apex), (generation, entries))
        self._forget(entries)
        return tuple(moved), entries

    def _served(self) -> Mapping[bytes, node.Zone]:
        return node.apexes(self._writer.get("dns", tables.ZONES) or b"")

    def _changes(self, zones: Zones, replaced: tables.Replaced | None) -> Callable[[bytes], Change]:
        """Apex -> what differs there."""
        if replaced is None:
            return lambda apex: None
        raw = self._writer.get("dns", tables.ZONES) or b""
        before, after = content.Zones(node.decode_zones(raw)), content.Zones(zones)
        named = [each for each in replaced if each[0][-1] == 0]
        if not self._read:  # the federated zone's serial is moved by its generations
            named = [(name, old, new) for name, old, new in named if not (_first(old) and _first(new))]
        doubtful = content.moved(before, after)
        if self.private:
            doubtful |= {apex for each in named if (apex := self._hidden(each, before, after))}
            named = [each for each in named if not self._hidden(each, before, after)]
        found = difference.of(named, before, after)
        return lambda apex: None if apex in doubtful else found.get(apex, SAME)

    def _hidden(
        self,
        replaced: tuple[bytes, bytes | None, bytes | None],
        before: content.Zones,
        after: content.Zones,
    ) -> bytes:
        """The zone that an entry belongs to and belonged to, if nobody may copy it."""
        _, old, new = replaced
        pairs = ((old, before), (new, after))
        homes = {zones.apexes[node.place(value)[0]] for value, zones in pairs if value is not None}
        return homes.pop() if len(homes) == 1 and homes <= self.private else b""

    def _note(
        self, before: node.Zone | None, after: node.Zone, change: Change, into: tuple[int, Entries]
    ) -> None:
        if before is None or before == after or change is None or not self._read:
            return
        entry = journal.encode(journal.Step(before, after, change))
        if entry is not None:
            generation, entries = into
            key = journal.key(after.apex, generation)
            entries[key] = entry
            self._kept.append(_Kept(generation, key, len(entry)))
            self._octets += len(entry)

    def _forget(self, entries: Entries) -> None:
        while self._kept and (len(self._kept) > ENTRIES or self._octets > OCTETS):
            oldest = self._kept.popleft()
            self._octets -= oldest.size
            entries[oldest.key] = None


def _first(value: bytes | None) -> bool:
    """Whether this has no records of another zone than the first: an apex may stand in the zone above too."""
    if value is None:
        return True
    index, flags, _ = node.place(value)
    return index == 0 and not flags & node.APEX


def numbered(zone: node.Zone, serial: int) -> node.Zone:
    """The zone with this serial."""
    return zone._replace(soa=zone.soa[:-20] + (serial & 0xFFFFFFFF).to_bytes(4, "big") + zone.soa[-16:])


def _continued(zone: node.Zone, served: node.Zone | None) -> node.Zone:
    number = journal.number(zone)
    if served is None or (number != OWN and journal.newer(number, journal.number(served))):
        return zone
    return numbered(zone, journal.number(served))


def _moved(zone: node.Zone, floor: int | None, first: int) -> node.Zone:
    """With a serial that is newer than `floor`, for content that is another."""
    number = journal.number(zone)
    if number == OWN and floor is None:
        return numbered(zone, first)
    return zone if floor is None or journal.newer(number, floor) else numbered(zone, floor + 1)
