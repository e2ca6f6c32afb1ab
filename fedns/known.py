"""The one mutable cell: the latest facts of every source, and what they touched since the last turn.

Law: facts are replaced, never edited; `take` hands out a frozen `World` and forgets what was touched.
A source that could not be read yet says so (`None`), and what was persisted stays: losing a source, across
a restart too, is not losing what it said.
"""

from collections.abc import Callable, Iterable, Mapping

from fedns.errors import Problem
from fedns.model import assemble
from fedns.model.facts import Hostname, MemberFacts, Order, Passive, ProbeCount
from fedns.model.policy import TrafficPolicy
from fedns.sources import change


class Known:
    """`awaited`: the sources (`member:NAME`, `fleet`, `zones`, `orders`) that the first turn waits for."""

    def __init__(self, defaults: TrafficPolicy, tombstone: float, awaited: Iterable[str]) -> None:
        self.awaited = set(awaited)
        self.members: Mapping[str, MemberFacts] = {}
        self.policies: Mapping[str, TrafficPolicy] = {}
        self.zones: Mapping[str, change.ZoneFacts] | None = None
        self.orders: tuple[Order, ...] = ()
        self.probes: dict[change.Target, ProbeCount] = {}
        self.hostnames: Mapping[str, Hostname] = {}
        self.passive: Mapping[change.Target, Passive] = {}
        self.problems: dict[str, tuple[Problem, ...]] = {}
        self._defaults, self._tombstone = defaults, tombstone
        self._touched: set[str] | None = None
        self.zones_changed = True
        self.hostnames_touched: set[str] = set()

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
        self.members = {**self.members, news.facts.name: news.facts}
        self.awaited.discard(f"member:{news.facts.name}")
        self.touch(news.touched)

    def _policies(self, news: change.PolicyChange) -> None:
        if news.policies is not None:
            self.policies = news.policies
        self.awaited.discard("fleet")
        self.touch(news.touched)

    def _zones(self, news: change.ZonesChange) -> None:
        if news.zones is not None:
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
