"""The zones beside the federated one that a turn compiles, whatever they are.

Law: their numbers follow those of the static zones. An apex that another zone has is that one's, and a
problem; at and below the apex of a deeper zone that one has the word.
"""

from collections.abc import Iterator, Sequence

from fedns.dns import annex, node, wire, zones
from fedns.errors import Problem
from fedns.model import snapshot

HINT = "its names are left out: give one of the two another domain"


class Annexes:
    """All of one configuration; `open` are those that are served."""

    def __init__(self, kinds: Sequence[annex.Kind] = ()) -> None:
        self._kinds = kinds
        self.open: tuple[annex.Annex, ...] = ()
        self._deeper: dict[bytes, tuple[bytes, ...]] = {}
        self._refused: tuple[Problem, ...] = ()

    def draw(self, setting: annex.Setting, apexes: Sequence[bytes]) -> tuple[node.Zone, ...]:
        """Opens them anew; `apexes` are those of the zones that have numbers already, as many as
        `setting.zone` says."""
        taken, refused = list(apexes), []
        opened: list[annex.Annex] = []
        for kind in self._kinds:
            found = kind.open(setting._replace(zone=setting.zone + len(opened)))
            if found is None:
                continue
            if kind.apex in taken:
                what = "is served with names of the fleet, and is a zone of its own too"
                refused.append(Problem(zones.text(kind.apex), what, HINT))
                continue
            taken.append(kind.apex)
            opened.append(found)
        self.open, self._refused = tuple(opened), tuple(refused)
        mine = [zone.apex for zone in _zones(opened)]
        self._deeper = {one: tuple(each for each in taken if _within(each, one)) for one in mine}
        return tuple(zone._replace(flat=zone.flat and not self._deeper[zone.apex]) for zone in _zones(opened))

    @property
    def problems(self) -> tuple[Problem, ...]:
        return (*self._refused, *(problem for each in self.open for problem in each.problems))

    @property
    def tellers(self) -> tuple[annex.Teller, ...]:
        return tuple(each for each in self.open if isinstance(each, annex.Teller))

    @property
    def private(self) -> frozenset[bytes]:
        """Apexes of those that nobody may copy."""
        return frozenset(each.zone.apex for each in self.open if not each.copied)

    def whole(self, snap: snapshot.Snapshot, now: float) -> Iterator[annex.Changes]:
        """All of their entries, part by part."""
        for each in self.open:
            for part in each.whole(snap, now):
                yield self._own(each, part)

    def difference(
        self, before: snapshot.Snapshot, after: snapshot.Snapshot, now: float
    ) -> Iterator[annex.Changes]:
        return (self._own(each, each.difference(before, after, now)) for each in self.open)

    def _own(self, one: annex.Annex, entries: annex.Changes) -> annex.Changes:
        """Without those that a deeper zone has the word about."""
        deeper = self._deeper[one.zone.apex]
        if not deeper:
            return entries
        return {
            name: value
            for name, value in entries.items()
            if not any(wire.below(name, apex) for apex in deeper)
        }


def _zones(opened: Sequence[annex.Annex]) -> tuple[node.Zone, ...]:
    return tuple(each.zone for each in opened)


def _within(name: bytes, apex: bytes) -> bool:
    return name != apex and wire.below(name, apex)
