"""The zone of a cluster set: services that members export, as the Multi-Cluster Services API names them.

Law: `S.N.svc` is there while somebody exports the service, and of a headless one while an endpoint is ready;
all else is not. Answers are what `model.clusterset` merges. Who is unable to serve is not told, though
nobody else is able, unless that is wanted.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

from msgspec import structs

from fedns.dns import annex, answers, federation, headless, names, node, offering, outcome, skeleton, wire
from fedns.errors import FednsError, Problem
from fedns.model import clusterset, selection
from fedns.model import snapshot as model

VERSION = b"\x0bdns-version"
SCHEMA = b"\x051.0.0"
_VERSION_TTL = 28800  # seconds; as the specification has it
SVC = b"\x03svc"


class Settings(NamedTuple):
    """`addresses`: where clients reach services that have no addresses of their own; `fail_open`: what served
    last is told when nothing can serve."""

    domain: str = "clusterset.local"
    addresses: tuple[str, ...] = ()
    fail_open: bool = False


class Kind:
    """The zone as configured."""

    def __init__(self, settings: Settings) -> None:
        self.settings, self.apex = settings, names.wire(settings.domain)

    def open(self, setting: annex.Setting) -> "Set":
        return Set(self.settings, setting)


class Set:
    """The zone of a fleet. Others may copy it, and have what who is at no place has."""

    copied = True

    def __init__(self, settings: Settings, setting: annex.Setting) -> None:
        self.settings, self.layout, self.number = settings, setting.layout, setting.zone
        apex = names.wire(settings.domain)
        told = skeleton.zone(setting.layout, 0)
        self.host = told.soa[: wire.skip_name(told.soa, 0)]
        self.zone = told._replace(apex=apex, soa=self.host + b"\x0ahostmaster" + apex + told.soa[-20:])
        self.top = SVC + apex
        self.ids, self._doubts = ids(setting.members)
        self._found: dict[str, tuple[Problem, ...]] = {}
        # what the table holds
        self._held: dict[str, tuple[bytes, ...]] = {}
        self._spaces: Counter[bytes] = Counter()
        self.between = node.encode(node.Node(self.number, node.BETWEEN))

    @property
    def problems(self) -> tuple[Problem, ...]:
        return (*self._doubts, *(problem for each in self._found.values() for problem in each))

    def whole(self, snapshot: model.Snapshot, now: float) -> Iterator[annex.Changes]:
        self._held, self._spaces, self._found = {}, Counter(), {}
        yield dict(self._skeleton())
        todo = iter(sorted(snapshot.services))
        while some := tuple(islice(todo, annex.PART)):
            part: annex.Changes = {}
            for key in some:
                self._put(key, snapshot.services[key], now, part)
            yield part

    def difference(self, before: model.Snapshot, after: model.Snapshot, now: float) -> annex.Changes:
        changes: annex.Changes = {}
        for key in sorted(after.touched or ()):
            self._put(key, after.services.get(key), now, changes)
        return changes

    def tell(self, name: bytes, place: int, snapshot: model.Snapshot) -> annex.Story | None:
        """Why a name of the zone is answered as it is."""
        if not wire.below(name, self.zone.apex):
            return None
        labels = list(names.labels(name[: len(name) - len(self.top)])) if name.endswith(self.top) else []
        if len(labels) < 2:
            return annex.Story(offering.NOT_NAMED)
        key = f"{labels[-1].decode('latin-1')}/{labels[-2].decode('latin-1')}"
        return offering.story(key, snapshot.services.get(key), self.layout.places[place])

    def entries(self, service: model.Service, now: float) -> dict[bytes, bytes]:
        """All of one service."""
        prefix = names.prefix(service)
        merged = clusterset.merge(service)
        if not prefix or not merged.exporters or len(prefix + self.top) > names.MAX_NAME:
            return {}
        if merged.headless:
            ttl = federation.time_to_live(service, self.layout, now)
            home = headless.Home(self.number, prefix + self.top, ttl, self.ids)
            return dict(headless.Headless(merged, home).entries())
        return {prefix + self.top: _Balanced(self, service, merged, now).entry()}

    def _put(self, key: str, service: model.Service | None, now: float, into: annex.Changes) -> None:
        """The entries that a service has by now, and the removal of those that it had."""
        made = self.entries(service, now) if service is not None else {}
        had = self._held.pop(key, ())
        into.update(dict.fromkeys(had))
        into.update(made)
        if made:
            self._held[key] = tuple(made)
        if bool(had) != bool(made):
            self._space(key, 1 if made else -1, into)
        found = offering.problems(service) if service is not None else ()
        if found:
            self._found[key] = found
        else:
            self._found.pop(key, None)

    def _space(self, key: str, step: int, into: annex.Changes) -> None:
        """The name of a namespace is there while a service in it is."""
        owner = (names.label(key.partition("/")[0]) or b"") + self.top
        self._spaces[owner] += step
        into[owner] = self.between if self._spaces[owner] else None

    def _skeleton(self) -> Iterator[tuple[bytes, bytes]]:
        servers = node.RRset(wire.NS, skeleton.NS_TTL, (self.host,))
        schema = node.RRset(wire.TXT, _VERSION_TTL, (SCHEMA,))
        denied = dict.fromkeys(node.SLOT_AT, node.Slot(0, b"", nodata=True))
        yield self.zone.apex, node.encode(node.Node(self.number, node.APEX, (servers,), denied))
        yield VERSION + self.zone.apex, node.encode(node.Node(self.number, 0, (schema,), denied))
        yield self.top, self.between


class _Balanced:
    """A service with one address for all: its clusterset IP, or addresses that its members publish."""

    def __init__(self, zone: Set, service: model.Service, merged: clusterset.Merged, now: float) -> None:
        self._zone, self._layout = zone, zone.layout
        self._owner = names.prefix(service) + zone.top
        shards = tuple(map(_addressed, merged.shards))
        ports = tuple(offer.port for offer in merged.offers)
        self._service = structs.replace(service, shards=shards, ports=ports)
        self._ttl = federation.time_to_live(service, zone.layout, now)
        self._outcomes = outcome.Outcomes(self._service, zone.layout, now)
        self._own = own(service, zone.layout)
        self._shut = not any(map(selection.candidate, shards))
        self._home = {} if self._own or not self._shut else homes(shards)

    def entry(self) -> bytes:
        places, inner = self._layout.places, {**self._home, **self._own}
        default = self._default(self._usual())
        if len(places) < 2 or not (inner or self._outcomes.local):
            return self._view(default)
        near = self._near(default)
        found = [inner.get(place.member) or near[at] for at, place in enumerate(places)]
        views: dict[int, bytes] = {}
        for each in found:
            if id(each) not in views:
                views[id(each)] = self._view(each)
        distinct = list(dict.fromkeys(views.values()))
        return node.locate(distinct, [distinct.index(views[id(each)]) for each in found])

    def _near(self, default: outcome.Outcome) -> Sequence[outcome.Outcome]:
        """What the law gives at each place; the default one where all have an address in common."""
        places = self._layout.places
        if self._common() or not self._outcomes.local:
            return [default] * len(places)
        return [self._default(each) for each in self._outcomes.by_place(0, places)]

    def _common(self) -> outcome.Outcome | None:
        """The clusterset IP, where all that have one have the same."""
        told = list(self._own.values())
        return told[0] if told and all(each == told[0] for each in told) else None

    def _usual(self) -> outcome.Outcome:
        return self._common() or self._outcomes[0]

    def _default(self, found: outcome.Outcome) -> outcome.Outcome:
        """What is told of an outcome: a last resort only where it is wanted."""
        if found.rule == "open" and not self._zone.settings.fail_open:
            found = outcome.Outcome("closed")
        if found.serves or not self._shut:
            return found
        return outcome.Outcome("serve", (), *outcome.packed(self._zone.settings.addresses))

    def _view(self, found: outcome.Outcome) -> bytes:
        kind, ttl = (self._zone.number, node.SERVICE), self._ttl
        if found.host:
            alias = (node.RRset(wire.CNAME, ttl, (found.host,)),)
            stem = node.encode(node.Node(*kind, alias, {}, (), found.stale))
        elif found.choices or found.stale:
            slots = federation.slots(ttl, wire.ROOT, [], found)
            stem = node.encode(node.Node(*kind, federation.rrsets(found, ttl), slots, (), found.stale))
        else:
            stem = answers.stem(kind, ttl, (found.v4, found.v6))
        return headless.ported(stem, self._rows(found), ttl)

    def _rows(self, found: outcome.Outcome) -> headless.Rows:
        """Each named port, at the service's own name."""
        shared = len(found.v4) + len(found.v6) if found in self._own.values() else 1
        weight = headless.WEIGHT // shared
        target, rows = found.host or self._owner, dict[bytes, list[bytes]]()
        for port in self._service.ports:
            if labels := headless.labels(port, self._owner):
                rows[labels] = [headless.SRV.pack(0, weight, port.number) + target] if found.serves else []
        return rows


def ids(members: Mapping[str, model.Member]) -> tuple[Mapping[str, bytes], tuple[Problem, ...]]:
    """How each member is called in the set, as labels; those that cannot be told apart are problems."""
    found: dict[str, bytes] = {}
    problems = []
    for name in sorted(members):
        told = members[name].clusterid
        label = _labelled(told) or _labelled(name)
        if told and not _labelled(told):
            what = f"it calls itself {told!r} in its cluster set, which is no name"
            problems.append(Problem(f"member {name}", what, "it is called by its own name meanwhile"))
        rival = next((other for other, each in found.items() if each == label), None)
        if rival is not None:
            what = f"it is called {told or name!r} in its cluster set, and so is {rival}"
            problems.append(Problem(f"member {name}", what, "endpoints of both answer to one name"))
        found[name] = label
    return found, tuple(problems)


def own(service: model.Service, layout: names.Layout) -> Mapping[str, outcome.Outcome]:
    """The clusterset IPs that members have, each once where they are the same."""
    made: dict[tuple[str, ...], outcome.Outcome] = {}
    found = {}
    for member, addresses in service.imports:
        if member in layout.homes:
            if addresses not in made:
                made[addresses] = outcome.Outcome("serve", (), *outcome.packed(addresses))
            found[member] = made[addresses]
    return found


def homes(shards: Sequence[model.Shard]) -> Mapping[str, outcome.Outcome]:
    """What those inside a member have of its own shard, where nobody outside could reach any: cluster IPs."""
    found = {}
    for shard in shards:
        told = shard.facts.inside
        if told is not None and told.cluster_ips and shard.verdict.state in selection.ABLE:
            found[shard.member] = outcome.Outcome("serve", (), *outcome.packed(told.cluster_ips))
    return found


def _labelled(name: str) -> bytes:
    try:
        return names.wire(name)[:-1]
    except FednsError:
        return b""


def _addressed(shard: model.Shard) -> model.Shard:
    """By its addresses, and not by the name that they were found by."""
    if not shard.facts.hostnames or not shard.addresses:
        return shard
    return structs.replace(shard, facts=structs.replace(shard.facts, hostnames=()))
