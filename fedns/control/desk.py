"""What the admin API is told: the control process as its callers see it (`servers.admin.Views`).

Law: it reads the last turn's snapshot and the published tables, and judges nothing. Commands go to
the operator source, and come back as facts like everything else.
"""

import os
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from importlib import metadata
from ipaddress import ip_address
from typing import Protocol

from fedns import config, tables
from fedns import metrics as measures
from fedns.control import (
    customs,
    dispatch,
    doubts,
    farewell,
    inquiry,
    keys,
    known,
    masterfile,
    parting,
    roadmap,
    roster,
    scribe,
    signatures,
    turn,
    views,
)
from fedns.dns import client, explain, explanation, federation, names
from fedns.errors import FednsError, Problem
from fedns.gateway import route
from fedns.model import exit, selection, snapshot
from fedns.model.facts import Order
from fedns.placement import naming
from fedns.servers import api, geodata, itinerary, tally
from fedns.sources import fleet, operator, probes

VERSION = metadata.version("fedns")


class Parts(Protocol):
    """What the desk needs of the control process."""

    path: str
    config: config.Config
    started: float
    known: known.Known
    turn: turn.Turn
    writer: tables.Writer
    operator: operator.Operator
    prober: probes.Prober
    metrics: measures.Metrics
    keys: keys.Keeper
    roster: roster.Roster
    scribe: scribe.Scribe | None
    customs: customs.Customs | None
    dispatch: dispatch.Dispatch | None
    farewell: farewell.Farewell


class Desk:
    """Answers the admin API from the parts of the control process."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._host = client.Host(client.Server())
        self._host.geo = geodata.Shelf()
        self._decoded = b"", route.Table()

    def ready(self) -> str:
        if self._parts.writer.get("dns", tables.READY) is not None:
            return ""
        waiting = ", ".join(sorted(self._parts.known.awaited))
        return f"nothing is published yet; waiting for {waiting or 'the first turn'}"

    def status(self) -> api.Status:
        parts, now = self._parts, time.time()
        snap = parts.turn.snapshot
        generation, published = self._published()
        return api.Status(
            version=VERSION,
            config=parts.path,
            federation=parts.config.federation,
            domain=parts.config.domain,
            at=now,
            started=parts.started,
            ready=self.ready(),
            table=api.Table(generation, published, max(0.0, now - published) if published else 0.0),
            members=len(snap.members),
            services=len(snap.services),
            shards=views.states(snap),
            problems=sum(map(len, self._problems().values())),
            orders=len(parts.operator.orders),
            secondaries=views.secondaries(self._counters(), parts.turn.copied, now),
            fleet=[views.watch(feed, now) for feed in parts.roster.feeds.get(fleet.NAME, ())],
            writer=None if parts.scribe is None else parts.scribe.told(),
            importers=[] if parts.customs is None else parts.customs.told(),
        )

    def members(self) -> Iterable[api.Member]:
        return views.members(self._parts.turn.snapshot, time.time(), self._parts.roster.feeds)

    def services(self) -> Iterable[api.Service]:
        return views.services(self._parts.turn.snapshot)

    def shards(self, wanted: Mapping[str, str]) -> Iterable[api.Shard]:
        return views.shards(self._parts.turn.snapshot, time.time(), wanted, self._parts.prober.counts)

    def problems(self) -> Iterable[api.Problem]:
        return views.problems(self._problems())

    def orders(self) -> Iterable[api.Order]:
        given = self._parts.operator.orders
        scene = self._farewells() if given else None
        for one in given:
            taken = None if one.word == "up" or scene is None else self._parts.farewell.look(one, scene)
            yield views.order(one, taken)

    def _farewells(self) -> farewell.Scene:
        """What there is for who leaves."""
        parts, now, layout = self._parts, time.time(), self._parts.turn.layout
        behind = tuple(farewell.behind(views.workers(self._counters()).generations, self._published(), now))
        return farewell.Scene(parts.turn.snapshot, lambda each: federation.longest(each, layout), behind, now)

    def left(self, member: str, key: str, since: float) -> parting.Left | None:
        """How far clients have left a member's part of a service that is to go."""
        service = self._parts.turn.snapshot.services.get(key)
        if service is None or exit.since(service, member) == 0.0:
            return None
        if any(one.member == member for one in service.shards if one.verdict.state in selection.ABLE):
            return parting.Left(None, True)
        found = self._parts.farewell.look(Order(f"{member}/{key}", "drain", since), self._farewells())
        return parting.Left(found.seconds, False, tuple(found.workers))

    def signed(self) -> Iterable[api.Signed]:
        return (signatures.told(name, each) for name, each in sorted(self._parts.keys.held.items()))

    def copies(self, ailing: bool) -> Iterable[api.Copy]:
        made = self._parts.dispatch
        if made is None:
            return ()
        if ailing:
            return views.copies(made.census.ailing())
        return views.copies(made.census.stand(member, row) for member, row in made.rows())

    def portions(self) -> Iterable[api.Portion]:
        made = self._parts.dispatch
        return () if made is None else views.portions(made.census.policies)

    def whereabouts(self, name: str) -> Iterable[api.Whereabouts]:
        made = self._parts.dispatch
        return (
            ()
            if made is None
            else views.reasons(made.reasons(lambda what: naming.means(name, what)), made.place)
        )

    def allow(self, member: str) -> int:
        if self._parts.dispatch is None or member not in self._parts.dispatch.posts:
            raise FednsError(f"no copies are brought to a member {member!r}")
        return self._parts.dispatch.allow(member)

    def metrics(self) -> bytes:
        return self._parts.metrics.render()

    def explain(self, name: str, rtype: str, source: str, member: str = "") -> explanation.Explanation:
        asker = _From(self._host, ip_address(source).packed if source else b"", member)
        done, view, now = self._parts.turn, self._parts.writer.view(), time.time()
        if member and member not in done.atlas.inside:
            view.close()
            raise FednsError(f"nobody is inside member {member!r}: it has no `clients`, and no `dns.inside`")
        try:
            question = explain.Question(name, rtype, asker, done.annexes.tellers)
            told = explain.explain(done.snapshot, done.layout, view, question, now)
            told = views.confirmed(told, done.snapshot, self._parts.prober.counts, now)
            return views.sourced(told, self._parts.roster.origins)
        finally:
            view.close()

    def request(self, asked: itinerary.Asked) -> itinerary.Itinerary:
        return inquiry.explained(self._scene(), asked, time.time())

    def routes(self, wanted: Mapping[str, str]) -> Iterable[itinerary.Route]:
        if self._parts.turn.passage is None:
            return ()
        scene = self._scene()
        return roadmap.routes(roadmap.Map(scene.table, scene.pools, scene.output.wanted), wanted)

    def _scene(self) -> inquiry.Scene:
        """What is known about requests just now."""
        parts, found = self._parts, self._parts.turn.passage
        if found is None:
            raise FednsError("no gateway is configured: `gateway.listen` in fedns.yaml says where")
        return inquiry.Scene(
            settings=parts.config.gateway,
            table=self._table(),
            pools=_Pools(parts.writer),
            output=found.output,
            snapshot=parts.turn.snapshot,
            generation=self._published()[0],
            problems=self.problems(),
            seen=tally.seen(self._counters()),
            probes=parts.prober.counts,
            where={each.key: each.where for each in found.said.ingresses if each.where},
            place=found.place,
        )

    def _table(self) -> route.Table:
        """The routes that are published, decoded once."""
        raw = self._parts.writer.get("gateway", route.ROUTES) or b""
        if raw != self._decoded[0]:
            self._decoded = raw, route.table(raw) if raw else route.Table()
        return self._decoded[1]

    async def zone(self, origin: str) -> AsyncIterator[bytes] | None:
        wanted = origin or self._parts.config.domain
        names.wire(wanted)
        return await masterfile.read(os.path.join(self._parts.config.state, "tables"), wanted)

    def add_order(self, order: api.NewOrder) -> api.Order:
        now = time.time()
        until = None if order.seconds is None else now + order.seconds
        given = Order(order.target, order.word, now, until, order.reason)  # type: ignore[arg-type]
        self._known_target(order.target)
        try:
            self._parts.operator.add(given)
        except operator.BadOrder as error:
            raise ValueError(str(error)) from None
        return views.order(given)

    def remove_order(self, target: str) -> bool:
        return self._parts.operator.remove(target)

    def state(self) -> measures.State:
        """The state that the metrics show at a scrape."""
        snap = self._parts.turn.snapshot
        generation, published = self._published()
        return measures.State(
            now=time.time(),
            generation=generation,
            published=published,
            ready=not self.ready(),
            members={name: member.api for name, member in snap.members.items()},
            services=len(snap.services),
            states=views.states(snap),
            shards=views.shard_states(snap),
            signed=signatures.measured(self._parts.keys.held),
            problems={source: len(found) for source, found in self._problems().items() if found},
            watches=tuple(views.watched(self._parts.roster.feeds, time.time())),
            writer=None if self._parts.scribe is None else _counted(self._parts.scribe.told()),
            imports={} if self._parts.customs is None else dict(_imported(self._parts.customs.told())),
            **_copied(self._parts.dispatch),
            unreachable={
                (key, member): seen.unreachable
                for (member, key), seen in self._parts.known.passive.items()
                if seen.unreachable
            },
        )

    def workers(self) -> measures.Workers:
        found, where = views.workers(self._counters()), self._counters()
        return found._replace(gateway=views.gateway(where)) if self._parts.config.gateway.serves else found

    def _counters(self) -> str:
        return os.path.join(self._parts.config.state, "counters")

    def _published(self) -> tuple[int, float]:
        view = self._parts.writer.view()
        try:
            return view.published()
        finally:
            view.close()

    def _problems(self) -> Mapping[str, tuple[Problem, ...]]:
        known, done = self._parts.known, self._parts.turn
        found = {**known.problems, **done.problems}
        if known.awaited:
            return views.once(found, dispatch.SOURCE)
        found["policies"] = doubts.policies(done.snapshot, known.policies)
        found["hostnames"] = doubts.hostnames(done.snapshot, known.hostnames)
        found["dnssec"] = signatures.problems(self._parts.config.dns.dnssec, done.zones, known.zones)
        found["targets"] = doubts.orders(done.snapshot, self._parts.operator.orders)
        return views.once(found, dispatch.SOURCE)

    def _known_target(self, target: str) -> None:
        """Refuses a target that is nowhere in the fleet: a mistyped drain must not look like one."""
        snap = self._parts.turn.snapshot
        member, _, service = target.partition("/")
        places = {f"region:{one.region}" for one in snap.members.values()}
        places |= {f"zone:{zone}" for one in snap.members.values() for zone in one.zones}
        if target in places:
            return
        if member not in snap.members:
            hint = doubts.likely(target, sorted({*places, *snap.members}))
            raise ValueError(
                f"{target!r} is no member, region:REGION or zone:ZONE of this fleet. {hint}".strip()
            )
        if service and service not in snap.services:
            beside = (key for key in snap.services if key.startswith(service.partition("/")[0] + "/"))
            hint = doubts.likely(service, beside)
            raise ValueError(f"{service!r} is no federated service of this fleet. {hint}".strip())


class _Pools(Mapping[bytes, route.Pool]):
    """The pools that are published, each read when somebody asks for it."""

    def __init__(self, writer: tables.Writer) -> None:
        self._writer = writer
        self._read: dict[bytes, route.Pool | None] = {}

    def __getitem__(self, key: bytes) -> route.Pool:
        if key not in self._read:
            raw = self._writer.get("gateway", route.SERVICE + key)
            self._read[key] = route.pool(raw) if raw else None
        found = self._read[key]
        if found is None:
            raise KeyError(key)
        return found

    def __iter__(self) -> Iterator[bytes]:
        start = route.SERVICE
        return (key.removeprefix(start) for key, _ in self._writer.items("gateway") if key.startswith(start))

    def __len__(self) -> int:
        return sum(1 for _ in self)


class _From(client.Client):
    """Who is said to ask."""

    def __init__(self, host: client.Host, address: bytes, member: str) -> None:
        super().__init__(host, member)
        self._address = address

    def address(self) -> bytes:
        return self._address


def _copied(made: dispatch.Dispatch | None) -> dict[str, Mapping[tuple[str, ...], float]]:
    """What is counted of copies."""
    if made is None:
        return {}
    failing = made.census.failing(time.time())
    return {
        "copies": made.census.states,
        "brought": made.outcomes,
        "righted": made.righted,
        "failing": failing,
    }


def _counted(writer: api.Writer) -> measures.Writer:
    return measures.Writer(writer.held, {"written": writer.written, "failed": writer.failed})


def _imported(told: Iterable[api.Importer]) -> Iterator[tuple[tuple[str, str], float]]:
    for one in told:
        for outcome in ("written", "removed", "failed"):
            yield (one.member, outcome), getattr(one, outcome)


def flaps(before: snapshot.Snapshot, after: snapshot.Snapshot) -> int:
    """How many shards changed state in this turn, their first word apart."""
    if before.services is after.services:
        return 0
    keys = after.services.keys() if after.touched is None else after.touched & after.services.keys()
    return sum(_changes(before.services.get(key), after.services[key]) for key in keys)


def _changes(old: snapshot.Service | None, new: snapshot.Service) -> int:
    if old is None or old is new:
        return 0
    if len(old.shards) == len(new.shards):
        pairs = [each for each in zip(old.shards, new.shards, strict=True) if each[0] is not each[1]]
    else:
        was = {shard.member: shard for shard in old.shards}
        pairs = [(was[shard.member], shard) for shard in new.shards if shard.member in was]
    there = ((one.verdict, other.verdict) for one, other in pairs if one.member == other.member)
    return sum(one.state != other.state and bool(other.flaps) for one, other in there)
