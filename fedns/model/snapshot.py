"""The one immutable value that everything is compiled from: all facts merged, verdicts judged.

Law: built by `assemble` from the previous snapshot, new facts and a time; unchanged services are
shared with the previous snapshot, so a turn costs what changed and not what exists.
"""

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

from fedns.model.facts import Api, NodeZone, Port, ShardFacts
from fedns.model.policy import TrafficPolicy

State = Literal["unknown", "healthy", "degraded", "draining", "unhealthy"]
EvidenceKind = Literal["operator", "readiness", "probe", "passive", "nodes", "reachability"]
Says = Literal["up", "down", "degraded", "draining", "unknown"]


class Evidence(Struct, frozen=True, gc=False):
    """One fact about health as `explain` shows it. `at` is when it was last confirmed."""

    kind: EvidenceKind
    says: Says
    detail: str
    at: float


class Verdict(Struct, frozen=True, gc=False):
    """The judged health of one shard. `held_until` > now: a change to `pending` waits (damping).

    `ordered`: an operator's word made it. `was_good`: not healthy now, but it once was. `origin` is
    what stood before the instant `judged`, so that all evidence of one instant is judged against the
    same past, in whatever order it came.
    """

    state: State = "unknown"
    reason: str = "not judged yet"
    since: float = 0.0
    held_until: float = 0.0
    flaps: int = 0
    pending: str = ""
    evidence: tuple[Evidence, ...] = ()
    ordered: bool = False
    was_good: bool = False
    judged: float = 0.0
    origin: "Verdict | None" = None


class Shard(Struct, frozen=True, gc=False):
    """One member's part of a service, judged. `addresses` include resolved hostnames (keep-last-good).

    `shut` are zones of a multi-zone member that an operator took out: no answer at their level.
    """

    member: str
    region: str
    zones: tuple[str, ...]
    facts: ShardFacts
    addresses: tuple[str, ...]
    verdict: Verdict
    next_change: float | None = None
    """Seconds until probes or expiry could next change the state, at judging time; None: unknown."""
    shut: tuple[str, ...] = ()


class Service(Struct, frozen=True):
    """A federated service: shards sorted by member name; `last_good` members were the last to serve.

    `tombstone`: Unix time when the last member stopped declaring it (None: declared). `restless`: members
    whose shards the same evidence may judge otherwise later. `imports`: (member, addresses) of those that
    have addresses of their own for it, as one of a cluster set."""

    namespace: str
    name: str
    policy: TrafficPolicy
    shards: tuple[Shard, ...]
    ports: tuple[Port, ...]
    last_good: tuple[str, ...] = ()
    tombstone: float | None = None
    restless: tuple[str, ...] = ()
    imports: tuple[tuple[str, tuple[str, ...]], ...] = ()


class Member(Struct, frozen=True):
    """A cluster of the fleet. `zones` and `region` are what names are made of (may be empty), and `clusterid`
    those in a cluster set (empty: `name` is)."""

    name: str
    region: str
    zones: tuple[str, ...]
    labels: Mapping[str, str]
    nodes: tuple[NodeZone, ...]
    api: Api
    api_since: float
    read_at: float
    clusterid: str = ""


class Snapshot(Struct, frozen=True):
    """`services` maps `namespace/name`; `touched` are the keys that differ from the previous snapshot
    (None: all, because the members' places changed)."""

    at: float = 0.0
    members: Mapping[str, Member] = {}
    services: Mapping[str, Service] = {}
    touched: frozenset[str] | None = frozenset()
    wakes: Mapping[str, float] = {}
    """Services that time alone can change (an order or a hold ends), and when; Unix seconds."""

    @property
    def wake_at(self) -> float | None:
        """The earliest of `wakes`."""
        return min(self.wakes.values(), default=None)
