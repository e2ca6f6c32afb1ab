"""One turn: what is known -> what is served. Facts become a snapshot, the snapshot becomes table entries.

Law: a turn compiles only the services that were touched, or all of them when the fleet's places or the
static zones changed. Everything of one turn goes out in one transaction: answers, the zones with their
new serial, and the state a restart begins from. Equal entries are not published.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, islice
from typing import NamedTuple

import msgspec

from fedns import replicas, tables
from fedns.control import aliases, annexes, history, passage
from fedns.control.known import Known
from fedns.dns import (
    annex,
    atlas,
    client,
    federation,
    journal,
    listing,
    names,
    node,
    permit,
    places,
    signing,
    skeleton,
    wire,
    zones,
)
from fedns.errors import Problem
from fedns.gateway import terms
from fedns.model import assemble, snapshot, state
from fedns.model.facts import Order
from fedns.sources import change

SERIAL = b"\xffserial"
"""Key in db `state`: what is added to the generation to make the SOA serial (4 octets)."""
NOBODY = replicas.Transfer()
"""Nobody may copy zones."""
SPECIAL = 0xFF
"""First octet of the keys that are no names."""
PART = 100
"""Services compiled before their entries are written, where all are."""

Changes = dict[bytes, bytes | None]
Tables = list[tuple[bytes, Mapping[bytes, bytes]]]
"""Static zones: apex, nodes."""


class Outcome(NamedTuple):
    """What one turn did: the generation now served, and how many entries it changed."""

    generation: int
    changed: int


class Turn:
    """Owns the writer's side of the tables, and the snapshot that they were compiled from."""

    def __init__(
        self,
        writer: tables.Writer,
        settings: names.Settings,
        previous: snapshot.Snapshot,
        server: client.Server,
        copies: replicas.Transfer = NOBODY,
    ) -> None:
        self.snapshot = previous
        self.server = server
        self.atlas = places.Atlas()
        self._rules = self._closed = replicas.rules(copies)
        self._catalog = copies.catalog
        self._history = history.History(writer, copies != NOBODY)
        self.aliases = aliases.Aliases(settings.aliases, self._held, writer.items("state"))
        self.signing: bytes | None = None
        """What signs which zones (`signing.encode`)."""
        self.terms: bytes | None = None
        """On what terms the gateway serves (`terms.encode`); None: there is none."""
        self.layout = names.layout(settings, ())
        self.zones: tuple[node.Zone, ...] = ()
        self.problems: dict[str, tuple[Problem, ...]] = {}
        self.annexes = annexes.Annexes()
        """Zones beside the federated one."""
        self.passage: passage.Passage | None = None
        """What the gateway is told; None: there is none."""
        # what the last turn left behind
        self._writer, self._settings = writer, settings
        self._orders: tuple[Order, ...] = ()
        self._skeleton: Mapping[bytes, bytes] = {}
        self._deeper: tuple[bytes, ...] = ()
        self._geodata = ""
        self._signed: frozenset[bytes] = frozenset()
        self._stale = True  # the table may hold anything: compare all of it

    def run(self, known: Known, now: float) -> Outcome:
        """Takes what is new in `known` and publishes it. StateError when the tables cannot be written:
        readers keep what they have, and the next turn compiles everything again."""
        self._sign()
        resolved = frozenset(known.hostnames_touched)
        known.touch(self._aside(known, now))
        self._geodata = known.geodata
        world, touched, told = known.take()
        before, after = self.snapshot, assemble.assemble(self.snapshot, world, touched, now, told)
        self.snapshot = after
        whole = self._stale or known.zones_changed or after.touched is None
        self._stale = True
        changes = self._whole(self._statics(known), now) if whole else self._difference(before, now)
        changes = self._alias(changes, known, resolved)
        outcome = self._publish(changes, known, now, None if whole else before)
        self.problems["annexes"] = self.annexes.problems
        known.unsaved.clear()
        known.zones_changed = self._stale = False
        return outcome

    def locate(self, where: atlas.Settings) -> None:
        """Members came or went, so clients are known otherwise."""
        if where != self._settings.where:
            self._settings = msgspec.structs.replace(self._settings, where=where)
            self._stale = True

    def _sign(self) -> None:
        """A zone that is signed from now on, or no more, is compiled anew."""
        zones = signing.decode(self.signing) if self.signing else ()
        signed = frozenset(zone.apex for zone in zones)
        self._stale = self._stale or signed != self._signed
        self._signed = signed

    def _aside(self, known: Known, now: float) -> set[str] | None:
        """Services that change for other reasons than their own facts: time, orders, hostnames."""
        touched = set(assemble.due(self.snapshot, now))
        if known.orders != self._orders:
            affected = assemble.affected(self.snapshot, self._orders, known.orders)
            self._orders = known.orders
            if affected is None:
                return None
            touched |= affected
        if known.hostnames_touched:
            touched.update(_behind(self.snapshot, known.hostnames_touched))
            known.hostnames_touched = set()
        return touched

    def _statics(self, known: Known) -> Tables:
        """Static zones compiled, and the layout that goes with them. The federated zone has index 0."""
        origin = names.wire(self._settings.domain)
        problems: list[Problem] = []
        own, served, found = _compiled(_stripped(known.zones, self._signed, problems), origin, problems)
        merged = {key: node.decode(value) for key, value in own.items()}
        drawn = atlas.draw(self._settings.where, self.snapshot.members.values())
        self.atlas, self.problems["places"] = drawn.atlas, drawn.problems
        self.layout = names.layout(self._settings, self.snapshot.members.values(), 0, merged, drawn.places)
        self.problems["zones.compile"] = tuple(problems)
        self.problems["names"] = self.layout.problems
        served, found = self._annexed(served, found)
        self.zones = self._history.continued((skeleton.zone(self.layout, self._served()), *served))
        self._deeper = tuple(zone.apex for zone in served if wire.below(zone.apex, origin))
        return found

    def _annexed(self, served: tuple[node.Zone, ...], found: Tables) -> tuple[tuple[node.Zone, ...], Tables]:
        """With the zones that are compiled from the snapshot beside, and with the catalog of all."""
        first = (self.layout.origin, *(zone.apex for zone in served))
        setting = annex.Setting(self.layout, self.snapshot.members, len(first))
        more = self.annexes.draw(setting, first)
        private = self._history.private = self.annexes.private
        self._closed = permit.closed(self._rules, private)
        served, found = (*served, *more), [*found, *((zone.apex, {}) for zone in more)]
        if not self._catalog:
            return served, found
        listed = tuple(zone.apex for zone in served if zone.apex not in private)
        return _with_catalog(self._catalog, (self.layout.origin, *listed), (served, found))

    def _whole(self, statics: Tables, now: float) -> Iterator[Changes]:
        """Every entry there is, part by part, and the removal of all others."""
        self._skeleton = skeleton.skeleton(self.snapshot, self.layout)
        rest: Changes = dict(zones.overlay([(self.layout.origin, self._skeleton), *statics]))
        rest[tables.ZONES], rest[tables.READY] = node.encode_zones(self.zones), b"1"
        rest.update(self._heads())
        self._note(self.snapshot.services.values())
        there = (key for key, _ in self._writer.items("dns") if key[0] != SPECIAL)
        parts = chain(self._services(rest, now), self.annexes.whole(self.snapshot, now), (rest,))
        return _completed(parts, there)

    def _services(self, rest: Changes, now: float) -> Iterator[Changes]:
        """The entries of all services, but for names that others have the word about."""
        todo = iter(sorted(self.snapshot.services))
        while some := tuple(islice(todo, PART)):
            part: Changes = {}
            for key in some:
                part.update(federation.compile_service(self.snapshot.services[key], self.layout, now))
            yield {name: value for name, value in self._above(part).items() if name not in rest}

    def _difference(self, before: snapshot.Snapshot, now: float) -> Changes:
        """The entries of the touched services, and of the names above them when services come or go."""
        changes: Changes = {}
        touched = self.snapshot.touched or frozenset()
        for key in touched:
            service = self.snapshot.services.get(key)
            if service is None:
                changes.update(federation.withdraw(before.services[key], self.layout))
                continue
            changes.update(federation.changes(service, self.layout, now, before.services.get(key)))
        if any((key in before.services) != (key in self.snapshot.services) for key in touched):
            above = skeleton.skeleton(self.snapshot, self.layout)
            gone = self._skeleton.keys() - above.keys() - changes.keys()
            changes.update((key, value) for key, value in above.items() if self._skeleton.get(key) != value)
            changes.update(dict.fromkeys(gone))
            self._skeleton = above
        self._note(self.snapshot.services[key] for key in touched if key in self.snapshot.services)
        changes = self._above(changes)
        for part in self.annexes.difference(before, self.snapshot, now):
            changes.update(part)
        return {**changes, **self._heads()}

    def _heads(self) -> Changes:
        """What workers go by beside the answers."""
        drawn = places.encode(self.atlas._replace(database=self._geodata))
        return {
            tables.SERVER: client.encode(self.server),
            tables.SIGNING: self.signing,
            permit.RULES: self._closed,
            node.ATLAS: drawn,
            node.ATLAS_STAMP: places.stamp(drawn),
        }

    def _alias(
        self, changes: Changes | Iterator[Changes], known: Known, resolved: frozenset[str]
    ) -> Changes | Iterator[Changes]:
        """With what aliases have of their targets by now. A table made anew is held as a whole for it."""
        if not isinstance(changes, dict):
            if not self._settings.aliases:
                return changes
            changes = {name: value for part in changes for name, value in part.items()}
            self.aliases.begin(self.zones, changes)
        known.unsaved.update(self.aliases.follow(changes, known.hostnames, resolved))
        self.problems["aliases"] = self.aliases.problems
        return changes

    def _held(self, key: bytes) -> bytes | None:
        return self._writer.get("dns", key)

    def _above(self, entries: Changes) -> Changes:
        """Without the names that a static zone below the federation's domain has the word about."""
        if not self._deeper:
            return entries
        return {
            name: value
            for name, value in entries.items()
            if not any(wire.below(name, apex) for apex in self._deeper)
        }

    def _note(self, services: Iterable[snapshot.Service]) -> None:
        """Keeps the problems that names of services have, by service."""
        for service in services:
            key = f"service:{service.namespace}/{service.name}"
            found = federation.problems(service, self.layout)
            if found:
                self.problems[key] = found
            else:
                self.problems.pop(key, None)

    def _publish(
        self, dns: Changes | Iterator[Changes], known: Known, now: float, before: snapshot.Snapshot | None
    ) -> Outcome:
        """`before`: what the store has (None: it may have anything)."""
        kept = state.parts(self.snapshot, known.probes, before)
        if before is None:
            there = (key for key, _ in self._writer.items("state") if key.startswith(state.OWN))
            kept = _completed(kept, there)
        changes: dict[str, Changes | Iterator[Changes]] = {"dns": dns, "state": chain(kept, (known.unsaved,))}
        if self.passage is not None:
            touched = None if before is None else self.snapshot.touched
            self.passage.stand(self.layout.places, self.snapshot.members)
            agreed: Changes = {terms.TERMS: self.terms}
            changes["gateway"] = {**self.passage.entries(self.snapshot, touched, now), **agreed}
            changes["state"] = chain(kept, (known.unsaved, self.passage.unsaved))
        outcome = Outcome(*self._writer.renew(changes, now, self._head(now)))
        if self.passage is not None:
            self.passage.published()
            self.problems["gateway"] = self.passage.problems
        return outcome

    @property
    def copied(self) -> tuple[node.Zone, ...]:
        """The zones that others may have copies of."""
        private = self.annexes.private
        return tuple(zone for zone in self.zones if zone.apex not in private)

    @property
    def wake_at(self) -> float | None:
        """When time alone changes something (Unix seconds; None: never)."""
        times = (self.snapshot.wake_at, None if self.passage is None else self.passage.wake_at)
        return min((time for time in times if time is not None), default=None)

    def _head(self, now: float) -> tables.Head:
        """What goes with a generation of other answers. The SOA serial moves with each, and never backwards
        (RFC 1982): generations are persisted, and tables rebuilt from nothing begin at the time of day, or
        where the history says."""
        raw, floor = self._writer.get("state", SERIAL), self._history.floor(self.layout.origin)

        def head(generation: int, replaced: tables.Replaced | None) -> tables.Changes:
            base = int.from_bytes(raw, "big") if raw else (int(now) - generation) & 0xFFFFFFFF
            if floor is not None and not journal.newer((base + generation) & 0xFFFFFFFF, floor):
                base = (floor + 1 - generation) & 0xFFFFFFFF
            first = skeleton.zone(self.layout, (base + generation) & 0xFFFFFFFF)
            moved = (first, *self.zones[1:])
            self.zones, steps = self._history.advance(moved, replaced, generation)
            dns = {tables.ZONES: node.encode_zones(self.zones), tables.READY: b"1"}
            return {"dns": dns, "state": {SERIAL: base.to_bytes(4, "big")}, "journal": steps}

        return head

    def _served(self) -> int:
        """The serial that is served (0: none yet)."""
        raw = self._writer.get("dns", tables.ZONES)
        return skeleton.serial(node.decode_zones(raw)[0]) if raw else 0


def _completed(parts: Iterable[Changes], there: Iterable[bytes]) -> Iterator[Changes]:
    """The parts, and then the removal of what there is beside them."""
    left = set(there)
    for part in parts:
        left.difference_update(part)
        yield part
    yield dict.fromkeys(left)


def _behind(snap: snapshot.Snapshot, hostnames: set[str]) -> Iterator[str]:
    """Services with a shard behind one of these load-balancer hostnames."""
    for key, service in snap.services.items():
        if any(hostnames.intersection(shard.facts.hostnames) for shard in service.shards):
            yield key


def _with_catalog(
    name: str, members: tuple[bytes, ...], others: tuple[tuple[node.Zone, ...], Tables]
) -> tuple[tuple[node.Zone, ...], Tables]:
    """The other zones but the first, and with them the catalog of all."""
    served, nodes = others
    origin = names.wire(name)
    compiled = zones.compile(origin, listing.rrsets(origin, members), len(served) + 1)
    if compiled.zone is None or origin in members:
        return others
    return (*served, compiled.zone), [*nodes, (origin, compiled.nodes)]


def _stripped(
    facts: Mapping[str, change.ZoneFacts], signed: frozenset[bytes], problems: list[Problem]
) -> Mapping[str, change.ZoneFacts]:
    """Static zones without what a signer makes, where they are signed here."""
    left = dict(facts)
    for origin, each in facts.items():
        if each.origin not in signed:
            continue
        kept = tuple(row for row in each.rrsets if row[1] not in signing.OWN)
        if len(kept) < len(each.rrsets):
            what = f"{len(each.rrsets) - len(kept)} sets of signatures, keys or denials are left out"
            problems.append(Problem(each.path, what, f"{origin} is signed here, with keys of its own"))
            left[origin] = msgspec.structs.replace(each, rrsets=kept)
    return left


def _compiled(
    facts: Mapping[str, change.ZoneFacts], origin: bytes, problems: list[Problem]
) -> tuple[Mapping[bytes, bytes], tuple[node.Zone, ...], Tables]:
    """Static zones compiled: the nodes of the one at `origin`, the other zones, and their nodes."""
    own: Mapping[bytes, bytes] = {}
    served: list[node.Zone] = []
    nodes: Tables = []
    for each in sorted(facts.values(), key=lambda each: (len(each.origin), each.origin)):
        rrsets = [(owner, node.RRset(rtype, ttl, rdatas)) for owner, rtype, ttl, rdatas in each.rrsets]
        mine = each.origin == origin
        compiled = zones.compile(each.origin, rrsets, 0 if mine else len(served) + 1)
        problems += compiled.problems
        if mine:
            own = compiled.nodes
        elif compiled.zone is not None:
            served.append(compiled.zone)
            nodes.append((each.origin, compiled.nodes))
    return own, tuple(served), nodes
