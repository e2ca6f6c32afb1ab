"""The one mutable cell: the latest facts of every source, and what they touched since the last turn.

Law: facts are replaced, never edited; `take` hands out a frozen `World` and forgets what was touched.
A member that cannot be read yet keeps the shards it had when the state was last persisted: losing a
member's API, across a restart too, is not losing its services.
"""

from collections.abc import Callable, Iterable, Mapping

from msgspec import structs

from fedns.errors import Problem
from fedns.model import assemble, snapshot
from fedns.model.facts import Hostname, MemberFacts, Order, Passive, ProbeCount
from fedns.model.policy import TrafficPolicy
from fedns.sources import change


class Known:
    """`awaited`: the sources (`member:NAME`, `fleet`, `zones`, `orders`) that must speak before the first turn."""

    def __init__(self, defaults: TrafficPolicy, tombstone: float, awaited: Iterable[str]) -> None:
        self.awaited = set(awaited)
        self.members: Mapping[str, MemberFacts] = {}
        self.policies: Mapping[str, TrafficPolicy] = {}
        self.zones: Mapping[str, change.ZoneFacts] = {}
        self.orders: tuple[Order, ...] = ()
        self.probes: dict[change.Target, ProbeCount] = {}
        self.hostnames: Mapping[str, Hostname] = {}
        self.passive: Mapping[change.Target, Passive] = {}
        self.problems: dict[str, tuple[Problem, ...]] = {}
        self._defaults, self._tombstone = defaults, tombstone
        self._touched: set[str] | None = set()
        self.zones_changed = True
        self.orders_before: tuple[Order, ...] = ()
        self.hostnames_touched: set[str] = set()

    def restore(self, previous: snapshot.Snapshot, probes: Mapping[change.Target, ProbeCount]) -> None:
        """Begins from persisted state: the members' last shards, and the probe counters."""
        shards: dict[str, dict[str, snapshot.ShardFacts]] = {name: {} for name in previous.members}
        for key, service in previous.services.items():
            for shard in service.shards:
                shards.setdefault(shard.member, {})[key] = shard.facts
        self.members = {
            name: MemberFacts(
                name=name,
                region=member.region,
                zones=member.zones,
                labels=member.labels,
                shards=shards[name],
                nodes=member.nodes,
                api="unknown",
                read_at=member.read_at,
            )
            for name, member in previous.members.items()
        }
        self.probes = dict(probes)
        self._touched = None

    def keep(self, names: Iterable[str]) -> None:
        """Forgets restored members that the configuration no longer has."""
        wanted = set(names)
        self.members = {name: facts for name, facts in self.members.items() if name in wanted}

    def put(self, news: change.Change) -> None:
        """Takes one change in; one row per kind of news in `_TAKERS`."""
        _TAKERS[type(news)](self, news)

    def take(self) -> tuple[assemble.World, frozenset[str] | None]:
        """All that is known, and the services touched since the last call (None: any may be)."""
        touched = None if self._touched is None else frozenset(self._touched)
        self._touched = set()
        world = assemble.World(
            members=self.members,
            policies=self.policies,
            probes=self.probes,
            orders=self.orders,
            hostnames=self.hostnames,
            passive=self.passive,
            defaults=self._defaults,
            tombstone=self._tombstone,
        )
        return world, touched

    def touch(self, keys: Iterable[str] | None) -> None:
        if keys is None or self._touched is None:
            self._touched = None
        else:
            self._touched.update(keys)

    def _member(self, news: change.MemberChange) -> None:
        facts, touched = news.facts, news.touched
        before = self.members.get(facts.name)
        if facts.api == "unreachable" and not facts.read_at and before is not None:
            facts = structs.replace(
                before, api="unreachable", api_since=facts.api_since, labels=facts.labels
            )
            touched = None
        self.members = {**self.members, facts.name: facts}
        self.awaited.discard(f"member:{facts.name}")
        self.touch(touched)

    def _policies(self, news: change.PolicyChange) -> None:
        self.policies = news.policies
        self.awaited.discard("fleet")
        self.touch(news.touched)

    def _zones(self, news: change.ZonesChange) -> None:
        self.zones, self.zones_changed = news.zones, True
        self.awaited.discard("zones")

    def _orders(self, news: change.OrdersChange) -> None:
        self.orders = news.orders
        self.awaited.discard("orders")

    def _probes(self, news: change.ProbeChange) -> None:
        for target, result in news.results.items():
            if result is None:
                self.probes.pop(target, None)
            else:
                self.probes[target] = result
        self.touch(news.touched)

    def _hostnames(self, news: change.HostnameChange) -> None:
        self.hostnames = news.hostnames
        self.hostnames_touched |= news.touched

    def _problems(self, news: change.ProblemsChange) -> None:
        self.problems[news.source] = news.problems


_TAKERS: dict[type, Callable[..., None]] = {
    change.MemberChange: Known._member,
    change.PolicyChange: Known._policies,
    change.ZonesChange: Known._zones,
    change.OrdersChange: Known._orders,
    change.ProbeChange: Known._probes,
    change.HostnameChange: Known._hostnames,
    change.ProblemsChange: Known._problems,
}
