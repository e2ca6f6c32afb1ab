"""What becomes of the zones' serials with a generation, and the journal of how each zone changed.

Law: a zone's serial moves with every change of its content, and never backwards (RFC 1982). That of the
federated zone moves with each generation; one written by hand counts where it is ahead, and is moved on
where the file forgot to. The journal is bounded; what it has forgotten, a secondary gets whole.
"""

from collections import deque
from collections.abc import Mapping
from typing import NamedTuple

from fedns import tables
from fedns.dns import content, difference, journal, node

ENTRIES = 20_000
"""Steps kept at most, over all zones: at a change a second, five hours."""
OCTETS = 64 << 20
"""Size of all steps that are kept."""
OWN = 0
"""Serial of a zone that brings none: it begins with the federated zone's."""


class _Kept(NamedTuple):
    generation: int
    key: bytes
    size: int


class History:
    """The journal as the writer knows it."""

    def __init__(self, writer: tables.Writer) -> None:
        self._writer = writer
        found = [_Kept(journal.generation(key), key, len(value)) for key, value in writer.items("journal")]
        self._kept = deque(sorted(found))
        self._octets = sum(each.size for each in found)

    def continued(self, zones: tuple[node.Zone, ...]) -> tuple[node.Zone, ...]:
        """The zones, none of them with a serial that is behind the one it is served with."""
        served = self._served()
        return tuple(_continued(zone, served.get(zone.apex)) for zone in zones)

    def advance(
        self, zones: tuple[node.Zone, ...], replaced: tables.Replaced | None, generation: int
    ) -> tuple[tuple[node.Zone, ...], dict[bytes, bytes | None]]:
        """The zones with the serials of this generation (the first has its own already), and what changes
        in the journal."""
        served = self._served()
        differing = self._differing(zones, replaced)
        first = journal.number(zones[0])
        moved = [zones[0]]
        for zone in zones[1:]:
            changed = differing is None or bool(differing.get(zone.apex)) or _told(zone, served)
            moved.append(_moved(zone, served.get(zone.apex), first) if changed else zone)
        entries: dict[bytes, bytes | None] = {}
        if differing is not None:
            for zone in moved:
                self._note(served.get(zone.apex), zone, differing, (generation, entries))
        self._forget(entries)
        return tuple(moved), entries

    def _served(self) -> dict[bytes, node.Zone]:
        raw = self._writer.get("dns", tables.ZONES)
        return {zone.apex: zone for zone in node.decode_zones(raw)} if raw else {}

    def _differing(
        self, zones: tuple[node.Zone, ...], replaced: tables.Replaced | None
    ) -> Mapping[bytes, difference.Difference] | None:
        if replaced is None:
            return None
        raw = self._writer.get("dns", tables.ZONES) or b""
        before, after = content.Zones(node.decode_zones(raw)), content.Zones(zones)
        return difference.of((each for each in replaced if each[0][-1] == 0), before, after)

    def _note(
        self,
        before: node.Zone | None,
        after: node.Zone,
        differing: Mapping[bytes, difference.Difference],
        into: tuple[int, dict[bytes, bytes | None]],
    ) -> None:
        if before is None or before == after:
            return
        change = differing.get(after.apex, difference.Difference([], []))
        entry = journal.encode(journal.Step(before, after, change))
        if entry is not None:
            generation, entries = into
            key = journal.key(after.apex, generation)
            entries[key] = entry
            self._kept.append(_Kept(generation, key, len(entry)))
            self._octets += len(entry)

    def _forget(self, entries: dict[bytes, bytes | None]) -> None:
        while self._kept and (len(self._kept) > ENTRIES or self._octets > OCTETS):
            oldest = self._kept.popleft()
            self._octets -= oldest.size
            entries[oldest.key] = None


def numbered(zone: node.Zone, serial: int) -> node.Zone:
    """The zone with this serial."""
    return zone._replace(soa=zone.soa[:-20] + (serial & 0xFFFFFFFF).to_bytes(4, "big") + zone.soa[-16:])


def _continued(zone: node.Zone, served: node.Zone | None) -> node.Zone:
    number = journal.number(zone)
    if served is None or (number != OWN and journal.newer(number, journal.number(served))):
        return zone
    return numbered(zone, journal.number(served))


def _told(zone: node.Zone, served: Mapping[bytes, node.Zone]) -> bool:
    """Whether the SOA itself says something else than before."""
    return served.get(zone.apex) != zone


def _moved(zone: node.Zone, served: node.Zone | None, first: int) -> node.Zone:
    """With a serial after the one that is served, for content that is another."""
    number = journal.number(zone)
    if number == OWN and served is None:
        return numbered(zone, first)
    if served is not None and not journal.newer(number, journal.number(served)):
        return numbered(zone, journal.number(served) + 1)
    return zone
