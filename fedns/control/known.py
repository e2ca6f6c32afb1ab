"""The one mutable cell: the latest facts of every source, and what they touched since the last turn.

Law: facts are replaced, never edited; `take` hands out a frozen `World` and forgets what was touched.
Losing a source is not losing what it said, across a restart too: policies and static zones go to db `state`
as they come (shards and verdicts go there with the snapshot), and stay until their source speaks again.
"""

from collections.abc import Callable, Iterable, Mapping

import msgspec

from fedns.errors import Problem
from fedns.model import assemble, ingress
from fedns.model.facts import Hostname, MemberFacts, Order, Passive, ProbeCount, ShardFacts
from fedns.model.policy import TrafficPolicy
from fedns.sources import change, registrations

FORMAT = b"\x01"
"""First octet of each persisted value."""
POLICIES, INGRESSES, ZONE = b"policies", b"ingresses", b"zone/"
"""Keys of all policies and of all that Ingresses say, and the beginning of the key of one zone."""
_policies = msgspec.msgpack.Decoder(dict[str, TrafficPolicy])
_said = msgspec.msgpack.Decoder(ingress.Said)
_zone = msgspec.msgpack.Decoder(change.ZoneFacts)


class Known:
    """`world`: how the configuration wants facts judged, without any. `awaited`: the sources (`member:NAME`,
    `fleet`, `ingresses`, `registry`, `zones`, `orders`, `geodata`, `passive`) that the first turn waits for.
    `unsaved`: entries of db `state` to write."""

    def __init__(self, world: assemble.World, awaited: Iterable[str] = ()) -> None:
        self.awaited = set(awaited)
        self.members: Mapping[str, MemberFacts] = {}
        self.registered: Mapping[str, registrations.Registered] = {}
        self.policies: Mapping[str, TrafficPolicy] = {}
        self.said = ingress.NOTHING
        self.zones: Mapping[str, change.ZoneFacts] = {}
        self.orders: tuple[Order, ...] = ()
        self.probes: dict[change.Target, ProbeCount] = {}
        self.hostnames: Mapping[str, Hostname] = {}
        self.passive: dict[change.Target, Passive] = {}
        self.problems: dict[str, tuple[Problem, ...]] = {}
        self.geodata = ""
        self.zones_changed = True
        self.hostnames_touched: set[str] = set()
        self.unsaved: dict[bytes, bytes | None] = {}
        self._world = world
        self._touched: set[str] | None = None
        self._told: dict[str, set[str]] = {}
        self._wholly: set[str] = set()

    def restore(self, items: Iterable[tuple[bytes, bytes]]) -> None:
        """Takes back what `unsaved` once held; what cannot be read (another format) waits for its source."""
        zones = {}
        for key, value in items:
            if value[:1] != FORMAT or not (key in (POLICIES, INGRESSES) or key.startswith(ZONE)):
                continue
            try:
                if key == POLICIES:
                    self.policies = _policies.decode(value[1:])
                elif key == INGRESSES:
                    self.said = _said.decode(value[1:])
                else:
                    zones[key.removeprefix(ZONE).decode()] = _zone.decode(value[1:])
            except (msgspec.MsgspecError, UnicodeDecodeError):
                continue
        self.zones = zones

    def put(self, news: change.Change) -> None:
        """Takes one change in; one row per kind of news in `_TAKERS`."""
        _TAKERS[type(news)](self, news)

    def take(self) -> tuple[assemble.World, frozenset[str] | None, assemble.Told]:
        """All that is known; the services touched since the last call (None: any may be), and what members
        said."""
        touched = None if self._touched is None else frozenset(self._touched)
        told = assemble.Told(self._told, frozenset(self._wholly))
        self._touched, self._told, self._wholly = set(), {}, set()
        world = msgspec.structs.replace(
            self._world,
            members=self.members,
            policies=self.policies,
            probes=self.probes,
            orders=self.orders,
            hostnames=self.hostnames,
            passive=self.passive,
        )
        return world, touched, told

    def touch(self, keys: Iterable[str] | None) -> None:
        if keys is None or self._touched is None:
            self._touched = None
        else:
            self._touched.update(keys)

    def _member(self, news: change.MemberChange) -> None:
        self._renewed(news.facts)
        self.members = {**self.members, news.facts.name: news.facts}
        self.awaited.discard(f"member:{news.facts.name}")
        if news.touched is None:
            self._wholly.add(news.facts.name)
        for key in news.touched or ():
            self._told.setdefault(key, set()).add(news.facts.name)

    def _renewed(self, facts: MemberFacts) -> None:
        """What was seen of a shard's endpoints is not held against others, nor against those that became
        ready since."""
        before = self.members.get(facts.name)
        for target in [each for each in self.passive if each[0] == facts.name]:
            old = None if before is None else before.shards.get(target[1])
            if _able(facts.shards.get(target[1])) - _able(old):
                del self.passive[target]
                self.touch((target[1],))

    def _gone(self, news: change.MemberGone) -> None:
        self.members = {name: facts for name, facts in self.members.items() if name != news.name}
        for target in [each for each in self.passive if each[0] == news.name]:
            del self.passive[target]
        self.problems.pop(f"member:{news.name}", None)
        self.awaited.discard(f"member:{news.name}")

    def _roster(self, news: change.RosterChange) -> None:
        self.registered = news.members
        self.awaited.discard("registry")

    def _policies(self, news: change.PolicyChange) -> None:
        if news.whole:
            self.policies = news.policies
            self.unsaved[POLICIES] = _encode(news.policies)
        self.awaited.discard("fleet")
        self.touch(news.touched)

    def _ingresses(self, news: change.IngressChange) -> None:
        if news.whole and news.said != self.said:
            self.said = news.said
            self.unsaved[INGRESSES] = _encode(news.said)
        self.awaited.discard("ingresses")

    def _zones(self, news: change.ZonesChange) -> None:
        before, after = self.zones, news.zones if news.whole else {**self.zones, **news.zones}
        for origin in before.keys() | after.keys():
            zone = after.get(origin)
            if zone is None or zone is not before.get(origin):
                self.unsaved[ZONE + origin.encode()] = None if zone is None else _encode(zone)
        self.zones, self.zones_changed = after, True
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

    def _passive(self, news: change.PassiveChange) -> None:
        for target, seen in news.results.items():
            if seen is None:
                self.passive.pop(target, None)
            else:
                self.passive[target] = seen
        self.touch(news.touched)
        self.awaited.discard("passive")

    def _hostnames(self, news: change.HostnameChange) -> None:
        self.hostnames = news.hostnames
        self.hostnames_touched |= news.touched

    def _geodata(self, news: change.GeodataChange) -> None:
        self.geodata = news.path
        self.awaited.discard("geodata")

    def _problems(self, news: change.ProblemsChange) -> None:
        self.problems[news.source] = news.problems


def _able(shard: ShardFacts | None) -> set[object]:
    """Where a shard takes requests."""
    if shard is None:
        return set()
    if shard.endpoints is None:
        return set(shard.addresses)
    return {(each.address, each.ports) for each in shard.endpoints if each.ready}


def _encode(value: object) -> bytes:
    return FORMAT + msgspec.msgpack.encode(value)


_TAKERS: dict[type, Callable[..., None]] = {
    change.MemberChange: Known._member,
    change.MemberGone: Known._gone,
    change.RosterChange: Known._roster,
    change.PolicyChange: Known._policies,
    change.IngressChange: Known._ingresses,
    change.ZonesChange: Known._zones,
    change.OrdersChange: Known._orders,
    change.ProbeChange: Known._probes,
    change.PassiveChange: Known._passive,
    change.HostnameChange: Known._hostnames,
    change.GeodataChange: Known._geodata,
    change.ProblemsChange: Known._problems,
}
