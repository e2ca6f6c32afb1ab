"""What a restart begins from: shards, verdicts, counters and their ages, as entries of db `state`.

Law: `load(dump(x))` judges as `x` would have. Evidence is left out: it is weighed again. An entry of
another format is forgotten, one that cannot be read is a StateError: the caller sets the store aside.
"""

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar, cast

import msgspec
from msgspec import Struct

from fedns.errors import StateError
from fedns.model.assemble import Target
from fedns.model.facts import Port, ProbeCount, ProbeState, ShardFacts, ZoneReadiness
from fedns.model.policy import TrafficPolicy
from fedns.model.snapshot import Member, Service, Shard, Snapshot, State, Verdict

Value = TypeVar("Value")

FORMAT = b"\x01"
"""First octet of each value."""
SERVICE, MEMBER = b"service/", b"member/"
OWN = (SERVICE, MEMBER)
"""Beginnings of keys."""


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


class _Shard(Struct, array_like=True, omit_defaults=True):
    member: str
    region: str
    zones: tuple[str, ...]
    addresses: tuple[str, ...]
    verdict: _Verdict
    literals: tuple[str, ...] | None = None
    hostnames: tuple[str, ...] = ()
    ports: tuple[tuple[str, str, int], ...] = ()
    readiness: tuple[tuple[str, int, int, int, int], ...] | None = None
    probe: tuple[ProbeState, int, int, str, float] | None = None
    next_change: float | None = None
    shut: tuple[str, ...] = ()


class _Service(Struct, array_like=True, omit_defaults=True):
    shards: tuple[_Shard, ...]
    ports: tuple[tuple[str, str, int], ...]
    last_good: tuple[str, ...] = ()
    tombstone: float | None = None


class _Pool:
    """Equal values once: a fleet repeats its names, zones, ports and reasons in every shard."""

    def __init__(self) -> None:
        self._values: dict[Any, Any] = {}

    def one(self, value: Value) -> Value:
        return cast(Value, self._values.setdefault(value, value))


_services = msgspec.msgpack.Decoder(_Service)
_members = msgspec.msgpack.Decoder(Member)


def dump(
    snapshot: Snapshot, probes: Mapping[Target, ProbeCount], whole: bool = False
) -> Mapping[bytes, bytes | None]:
    """Entries of what differs from the previous snapshot (`whole`: of all). None: delete the key."""
    members = {MEMBER + name.encode(): _encode(member) for name, member in snapshot.members.items()}
    keys: Iterable[str] = snapshot.services if whole or snapshot.touched is None else snapshot.touched
    services = ((key, snapshot.services.get(key)) for key in keys)
    return {**members, **{SERVICE + key.encode(): _service(key, each, probes) for key, each in services}}


def load(
    items: Iterable[tuple[bytes, bytes]],
) -> tuple[Snapshot, dict[Target, ProbeCount]]:
    """The snapshot to begin from, and the probe counters. StateError when an entry cannot be read."""
    members: dict[str, Member] = {}
    services: dict[str, Service] = {}
    probes: dict[Target, ProbeCount] = {}
    pool = _Pool()
    for raw, value in items:
        if value[:1] != FORMAT or not raw.startswith(OWN):
            continue
        try:
            kind, name = raw.decode().split("/", 1)
            if kind == "member":
                members[name] = _members.decode(value[1:])
            else:
                services[name] = _restored(name, _probed(name, _services.decode(value[1:]), probes), pool)
        except (ValueError, msgspec.MsgspecError) as error:
            raise StateError(f"persisted state of {raw!r} cannot be read: {error}") from error
    at = max((member.read_at for member in members.values()), default=0.0)
    return Snapshot(at=at, members=members, services=services, touched=None), probes


def _encode(value: Struct) -> bytes:
    return FORMAT + msgspec.msgpack.encode(value)


def _service(key: str, service: Service | None, probes: Mapping[Target, ProbeCount]) -> bytes | None:
    if service is None:
        return None
    shards = tuple(_kept(shard, probes.get((shard.member, key))) for shard in service.shards)
    ports = tuple(map(_row, service.ports))
    return _encode(_Service(shards, ports, service.last_good, service.tombstone))


def _row(value: Port) -> tuple[str, str, int]:
    return value.name, value.protocol, value.number


def _kept(shard: Shard, probe: ProbeCount | None) -> _Shard:
    facts, zones = shard.facts, shard.facts.readiness
    rows = (
        None if zones is None else tuple((z.zone, z.ready, z.serving, z.terminating, z.total) for z in zones)
    )
    return _Shard(
        shard.member,
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


def _probed(key: str, kept: _Service, probes: dict[Target, ProbeCount]) -> _Service:
    """Takes the probe counters out."""
    for shard in kept.shards:
        if shard.probe is not None:
            probes[shard.member, key] = ProbeCount(*shard.probe)
    return kept


def _restored(key: str, kept: _Service, pool: _Pool) -> Service:
    namespace, _, name = key.partition("/")
    shards = tuple(_shard(shard, pool) for shard in kept.shards)
    ports = _ports(kept.ports, pool)
    return Service(namespace, name, TrafficPolicy(), shards, ports, pool.one(kept.last_good), kept.tombstone)


def _ports(rows: tuple[tuple[str, str, int], ...], pool: _Pool) -> tuple[Port, ...]:
    return pool.one(tuple(Port(*row) for row in rows))


def _shard(kept: _Shard, pool: _Pool) -> Shard:
    rows = kept.readiness
    facts = ShardFacts(
        kept.addresses if kept.literals is None else kept.literals,
        kept.hostnames,
        _ports(kept.ports, pool),
        None if rows is None else pool.one(tuple(ZoneReadiness(*row) for row in rows)),
    )
    return Shard(
        pool.one(kept.member),
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
