"""What the members export, as it is to be written to each of them: asked for by service, made once.

Law: as of the last turn; `model.clusterset` says what holds. Nothing is said before all members were heard
once. A member of which nothing was ever heard is told as such: what came from it before stays.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from fedns import fleet
from fedns.control import known, turn
from fedns.distribute import exports, imports, stock
from fedns.distribute.statuses import Verdict
from fedns.model import clusterset
from fedns.model.snapshot import Service


class Roster(Protocol):
    """Who is a member."""

    members: dict[str, fleet.Member]


class Parts(Protocol):
    """What is needed of the control process."""

    known: known.Known
    turn: turn.Turn

    @property
    def roster(self) -> Roster: ...


class _Made(NamedTuple):
    """All that is said of one state of a service."""

    service: Service
    merged: clusterset.Merged
    clusters: tuple[str, ...]
    imports: Mapping[str, Any]
    slices: Mapping[str, Any]


class Offers:
    """`namespace/name` is what services are called by."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._made: dict[str, _Made] = {}
        self._called: Mapping[str, str] = {}
        self.unheard: frozenset[str] = frozenset()
        """Clusters of which nothing is known."""

    @property
    def complete(self) -> bool:
        """Whether all members were heard once, or known of before."""
        return not self._parts.known.awaited

    def services(self) -> frozenset[str]:
        """All that anybody exports."""
        members = self._parts.known.members.values()
        return frozenset(self._made).union(*(one.exports for one in members))

    def concerned(self, touched: frozenset[str] | None) -> frozenset[str]:
        """Those of them (None: of all that there are) that are exported, or were."""
        called = {name: one.clusterid or name for name, one in self._parts.turn.snapshot.members.items()}
        if called != self._called:
            self._called, self._made, touched = called, {}, None
        services = self._parts.turn.snapshot.services
        if touched is None:
            return self.services() | {key for key, one in services.items() if _offered(one)}
        return frozenset(key for key in touched if key in self._made or _offered(services.get(key)))

    def refresh(self) -> None:
        """Looks who was heard."""
        members = self._parts.known.members
        names = (
            name
            for name in self._parts.roster.members
            if (one := members.get(name)) is None or not (one.read_at or one.shards)
        )
        self.unheard = frozenset(each for name in names for each in (name, self._called.get(name, name)))

    def clusters(self, key: str) -> tuple[str, ...]:
        """Who offers a service, as the set calls them."""
        found = self._find(key)
        return found.clusters if found is not None else ()

    def imports(self, key: str) -> stock.Wanted:
        found = self._find(key)
        return found.imports if found is not None else {}

    def slices(self, key: str) -> stock.Wanted:
        found = self._find(key)
        return found.slices if found is not None else {}

    def verdict(self, key: str, member: str) -> Verdict | None:
        """What the export of a member is told; None: nothing yet."""
        facts = self._parts.known.members.get(member)
        if not self.complete or facts is None or key not in facts.exports:
            return None
        service, found = self._parts.turn.snapshot.services.get(key), self._find(key)
        shards = service.shards if service is not None else ()
        shard = next((one for one in shards if one.member == member), None)
        if shard is None or shard.facts.inside is None or shard.facts.inside.export is None:
            return exports.missing()
        if found is None or member in found.merged.refused:
            return exports.invalid(shard.facts.inside.type)
        return exports.exported(found.merged.conflicts, found.clusters)

    def _find(self, key: str) -> _Made | None:
        """None: nobody exports it."""
        service = self._parts.turn.snapshot.services.get(key)
        if service is None or not _offered(service):
            self._made.pop(key, None)
            return None
        known = self._made.get(key)
        if known is None or known.service is not service:
            known = self._made[key] = self._make(key, service)
        return known if known.merged.exporters else None

    def _make(self, key: str, service: Service) -> _Made:
        merged = clusterset.merge(service)
        if not merged.exporters:
            return _Made(service, merged, (), {}, {})
        called = {shard.member: self._called.get(shard.member, shard.member) for shard in merged.shards}
        name = key.partition("/")[2]
        slices: dict[str, Any] = {}
        for shard in merged.shards:
            slices |= imports.slices(key, called[shard.member], shard.facts)
        made = {name: imports.service_import(key, merged)}
        return _Made(service, merged, tuple(sorted(called.values())), made, slices)


def _offered(service: Service | None) -> bool:
    """Whether anybody exports it."""
    shards = service.shards if service is not None else ()
    return any(one.facts.inside is not None and one.facts.inside.export is not None for one in shards)
