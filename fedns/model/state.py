"""What a restart begins from: shards, verdicts, counters and their ages, as entries of db `state`.

Law: `load(dump(x))` judges as `x` would have. Evidence is left out: it is weighed again. A shard is an entry
of its own, so that a change costs what it is and not how many members there are. An entry of another format
is forgotten, one that cannot be read is a StateError: the caller sets the store aside.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, TypeVar, cast

import msgspec
from msgspec import Struct

from fedns.errors import StateError
from fedns.model import assemble
from fedns.model.assemble import Target
from fedns.model.facts import Endpoint, Inside, Port, ProbeCount, ProbeState, ShardFacts, ZoneReadiness
from fedns.model.policy import TrafficPolicy
from fedns.model.snapshot import Member, Service, Shard, Snapshot, State, Verdict

Value = TypeVar("Value")
Entries = dict[bytes, bytes | None]

FORMAT = b"\x02"
"""First octet of each value."""
SERVICE, MEMBER, SHARD = b"service/", b"member/", b"shard/"
PART = 200
"""Services in a part of all entries."""
OWN = (SERVICE, MEMBER, SHARD)
"""Beginnings of keys: `service/NAMESPACE/NAME`, `member/MEMBER`, `shard/NAMESPACE/NAME/MEMBER`."""


class _Verdict(Struct, array_like=True, omit_defaults=True):
    state: State
    reason: str
    since: float
    held_until: float = 0.0
    flaps: int = 0
    pending: str = ""
    ordered: bool = False
    was_good: bool = False
    judged: float = 0.0
    origin: "_Verdict | None" = None


class _Port(Struct, frozen=True, array_like=True, omit_defaults=True, gc=False):
    name: str
    protocol: str
    number: int
    h2c: bool = False


class _Shard(Struct, array_like=True, omit_defaults=True):
    region: str
    zones: tuple[str, ...]
    addresses: tuple[str, ...]
    verdict: _Verdict
    literals: tuple[str, ...] | None = None
    hostnames: tuple[str, ...] = ()
    ports: tuple[_Port, ...] = ()
    readiness: tuple[tuple[str, int, int, int, int], ...] | None = None
    probe: tuple[ProbeState, int, int, str, float] | None = None
    next_change: float | None = None
    shut: tuple[str, ...] = ()
    endpoints: tuple[Endpoint, ...] | None = None
    inside: Inside | None = None


class _Service(Struct, array_like=True, omit_defaults=True):
    ports: tuple[_Port, ...]
    last_good: tuple[str, ...] = ()
    tombstone: float | None = None
    imports: tuple[tuple[str, tuple[str, ...]], ...] = ()


class _Pool:
    """Equal values once: a fleet repeats its names, zones, ports and reasons in every shard."""

    def __init__(self) -> None:
        self._values: dict[Any, Any] = {}

    def one(self, value: Value) -> Value:
        return cast(Value, self._values.setdefault(value, value))


_services = msgspec.msgpack.Decoder(_Service)
_shards = msgspec.msgpack.Decoder(_Shard)
_members = msgspec.msgpack.Decoder(Member)


def dump(snapshot: Snapshot, probes: Mapping[Target, ProbeCount], before: Snapshot | None = None) -> Entries:
    """Entries of what differs from the snapshot `before` (None: all entries). A value of None: delete the
    key."""
    return {key: value for part in parts(snapshot, probes, before) for key, value in part.items()}


def parts(
    snapshot: Snapshot, probes: Mapping[Target, ProbeCount], before: Snapshot | None = None
) -> Iterator[Entries]:
    """`dump`, some services at a time."""
    keys: Iterable[str] = sorted(snapshot.services) if before is None else ()
    if before is None:
        before = Snapshot()
    elif snapshot.touched is not None:
        keys = snapshot.touched
    else:
        keys = snapshot.services.keys() | before.services.keys()
    yield {
        MEMBER + name.encode(): _encode(member)
        for name, member in snapshot.members.items()
        if member is not before.members.get(name)
    }
    todo = iter(keys)
    while some := tuple(islice(todo, PART)):
        versions = ((key, (before.services.get(key), snapshot.services.get(key))) for key in some)
        yield dict(entry for key, change in versions for entry in _entries(key, change, probes))


def load(
    items: Iterable[tuple[bytes, bytes]],
) -> tuple[Snapshot, dict[Target, ProbeCount]]:
    """The snapshot to begin from, and the probe counters. StateError when an entry cannot be read."""
    found = _Found()
    for raw, value in items:
        if value[:1] != FORMAT or not raw.startswith(OWN):
            continue
        try:
            kind, name = raw.decode().split("/", 1)
            found.take(kind, name, value[1:])
        except (ValueError, msgspec.MsgspecError) as error:
            raise StateError(f"persisted state of {raw!r} cannot be read: {error}") from error
    return found.snapshot(), found.probes


class _Found:
    """What was read so far."""

    def __init__(self) -> None:
        self._members: dict[str, Member] = {}
        self._services: dict[str, _Service] = {}
        self._shards: dict[str, list[Shard]] = {}
        self.probes: dict[Target, ProbeCount] = {}
        self._pool = _Pool()

    def take(self, kind: str, name: str, data: bytes) -> None:
        if kind == "member":
            self._members[name] = _members.decode(data)
        elif kind == "service":
            self._services[name] = _services.decode(data)
        else:
            key, member = map(self._pool.one, name.rsplit("/", 1))
            kept = _shards.decode(data)
            self._shards.setdefault(key, []).append(_shard(member, kept, self._pool))
            if kept.probe is not None:
                self.probes[member, key] = ProbeCount(*kept.probe)

    def snapshot(self) -> Snapshot:
        at = max((member.read_at for member in self._members.values()), default=0.0)
        services = {
            key: _restored(key, kept, self._shards.get(key, ()), self._pool)
            for key, kept in self._services.items()
        }
        return Snapshot(at=at, members=self._members, services=services, touched=None)


def _encode(value: Struct) -> bytes:
    return FORMAT + msgspec.msgpack.encode(value)


def _entries(
    key: str, change: tuple[Service | None, Service | None], probes: Mapping[Target, ProbeCount]
) -> Iterator[tuple[bytes, bytes | None]]:
    """What differs between two versions of a service, by what is not the same object."""
    (old, new), stem = change, f"{key}/".encode()
    was = {shard.member: shard for shard in old.shards} if old is not None else {}
    for shard in new.shards if new is not None else ():
        if shard is not was.pop(shard.member, None):
            yield SHARD + stem + shard.member.encode(), _encode(_kept(shard, probes.get((shard.member, key))))
    yield from ((SHARD + stem + member.encode(), None) for member in was)
    if new is None:
        yield SERVICE + key.encode(), None
    elif old is None or _whole(old) != _whole(new):
        yield SERVICE + key.encode(), _encode(_whole(new))


def _whole(value: Service) -> _Service:
    """What is kept of a service beside its shards."""
    return _Service(tuple(map(_row, value.ports)), value.last_good, value.tombstone, value.imports)


def _row(value: Port) -> _Port:
    return _Port(value.name, value.protocol, value.number, value.h2c)


def _kept(shard: Shard, probe: ProbeCount | None) -> _Shard:
    facts, zones = shard.facts, shard.facts.readiness
    rows = (
        None if zones is None else tuple((z.zone, z.ready, z.serving, z.terminating, z.total) for z in zones)
    )
    return _Shard(
        shard.region,
        shard.zones,
        shard.addresses,
        _judged(shard.verdict),
        None if facts.addresses == shard.addresses else facts.addresses,
        facts.hostnames,
        tuple(map(_row, facts.ports)),
        rows,
        None if probe is None else (probe.state, probe.successes, probe.failures, probe.reason, probe.at),
        shard.next_change,
        shard.shut,
        facts.endpoints,
        facts.inside,
    )


def _judged(verdict: Verdict) -> _Verdict:
    return _Verdict(
        verdict.state,
        verdict.reason,
        verdict.since,
        verdict.held_until,
        verdict.flaps,
        verdict.pending,
        verdict.ordered,
        verdict.was_good,
        verdict.judged,
        None if verdict.origin is None else _judged(verdict.origin),
    )


def _restored(key: str, kept: _Service, shards: Iterable[Shard], pool: _Pool) -> Service:
    namespace, _, name = key.partition("/")
    ordered = tuple(sorted(shards, key=lambda shard: shard.member))
    restless = tuple(shard.member for shard in ordered if assemble.is_restless(shard))
    good = pool.one(kept.last_good)
    ports = _ports(kept.ports, pool)
    return Service(
        namespace, name, TrafficPolicy(), ordered, ports, good, kept.tombstone, restless, kept.imports
    )


def _ports(rows: tuple[_Port, ...], pool: _Pool) -> tuple[Port, ...]:
    return pool.one(tuple(Port(row.name, row.protocol, row.number, row.h2c) for row in rows))


def _shard(member: str, kept: _Shard, pool: _Pool) -> Shard:
    rows = kept.readiness
    facts = ShardFacts(
        kept.addresses if kept.literals is None else kept.literals,
        kept.hostnames,
        _ports(kept.ports, pool),
        None if rows is None else pool.one(tuple(ZoneReadiness(*row) for row in rows)),
        kept.endpoints,
        kept.inside,
    )
    return Shard(
        member,
        pool.one(kept.region),
        pool.one(kept.zones),
        facts,
        kept.addresses,
        pool.one(_verdict(kept.verdict)),
        kept.next_change,
        kept.shut,
    )


def _verdict(kept: _Verdict) -> Verdict:
    origin = None if kept.origin is None else _verdict(kept.origin)
    return Verdict(
        kept.state,
        kept.reason,
        kept.since,
        kept.held_until,
        kept.flaps,
        kept.pending,
        ordered=kept.ordered,
        was_good=kept.was_good,
        judged=kept.judged,
        origin=origin,
    )
