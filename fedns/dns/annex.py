"""A zone beside the federated one that is compiled from the snapshot too.

Law: a kind says whether there is such a zone in this fleet, and opens it; the zone says all its entries, and
those that a change touches. It is told what number it has among the zones; nobody asks which kind it is.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import NamedTuple, Protocol, runtime_checkable

from fedns.dns import names, node
from fedns.errors import Problem
from fedns.model import snapshot as model

PART = 100
"""Services compiled before their entries are written, where all are."""
Changes = dict[bytes, bytes | None]
"""Lower-case wire name -> encoded node; None: there is none."""


class Setting(NamedTuple):
    """What a zone is opened with: the federated names, the fleet's members, and its number."""

    layout: names.Layout
    members: Mapping[str, model.Member]
    zone: int


class Annex(Protocol):
    """One such zone. `copied`: whether those who copy zones may have it, which they may not where it holds an
    answer per client and nothing else."""

    @property
    def zone(self) -> node.Zone:
        """Apex and SOA, with serial 0."""

    @property
    def copied(self) -> bool: ...

    @property
    def problems(self) -> tuple[Problem, ...]: ...

    def whole(self, snapshot: model.Snapshot, now: float) -> Iterator[Changes]:
        """All entries, the apex among them, in parts."""

    def difference(self, before: model.Snapshot, after: model.Snapshot, now: float) -> Changes:
        """What may differ since `before`, of this setting; `after.touched` are the services to look at."""


class Story(NamedTuple):
    """Why one name of a zone is answered as it is, in words, and the service that it is about."""

    rule: str
    steps: tuple[str, ...] = ()
    service: model.Service | None = None


@runtime_checkable
class Teller(Protocol):
    """A zone that tells why."""

    def tell(self, name: bytes, place: int, snapshot: model.Snapshot) -> Story | None:
        """Of a name, to a client at the place with this number; None: it is not in the zone."""


class Parts(Protocol):
    """A zone of which each entry is one service's, but for a skeleton."""

    def skeleton(self, snapshot: model.Snapshot) -> dict[bytes, bytes]:
        """The entries that no service has: renewed when services come or go, not when health changes."""

    def entries(self, service: model.Service, now: float) -> Changes:
        """Those of one service; None for a name that it may have but has not."""

    def names(self, service: model.Service) -> Iterable[bytes]:
        """Every name that it may have."""


class Services:
    """What such a zone's parts make of a snapshot, and of the next one. At a name of both the service's entry
    stands."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._skeleton: dict[bytes, bytes] = {}

    def whole(self, snapshot: model.Snapshot, now: float) -> Iterator[Changes]:
        self._skeleton = self._above(snapshot)
        yield dict(self._skeleton)
        todo = iter(sorted(snapshot.services))
        while some := tuple(islice(todo, PART)):
            made = (self._parts.entries(snapshot.services[key], now) for key in some)
            yield {name: value for each in made for name, value in each.items() if value is not None}

    def difference(self, before: model.Snapshot, after: model.Snapshot, now: float) -> Changes:
        changes: Changes = {}
        touched = after.touched or frozenset()
        for key in touched:
            service = after.services.get(key)
            if service is not None:
                changes.update(self._parts.entries(service, now))
            else:
                changes.update(dict.fromkeys(self._parts.names(before.services[key])))
        if any((key in before.services) != (key in after.services) for key in touched):
            above = self._above(after)
            gone = self._skeleton.keys() - above.keys() - changes.keys()
            changes.update(dict.fromkeys(gone))
            changes.update((name, each) for name, each in above.items() if not changes.get(name))
            self._skeleton = above
        return changes

    def _above(self, snapshot: model.Snapshot) -> dict[bytes, bytes]:
        found = self._parts.skeleton(snapshot)
        for service in snapshot.services.values():
            for name in self._parts.names(service):
                found.pop(name, None)
        return found


class Kind(Protocol):
    """A sort of zone that the configuration knows."""

    @property
    def apex(self) -> bytes: ...

    def open(self, setting: Setting) -> Annex | None:
        """The zone; None where this fleet has no use for it."""
