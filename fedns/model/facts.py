"""What the sources say: frozen values, one kind per source, whole and with their age.

Law: nothing downstream edits a fact. A source replaces its facts as a whole and names the
services it touched, so that a turn recompiles only those. Foreign objects are stripped to
these few fields at the door; times are Unix seconds.
"""

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

Api = Literal["unknown", "reachable", "unreachable"]
Word = Literal["up", "down", "drain"]
ProbeState = Literal["unknown", "up", "down"]


class Port(Struct, frozen=True, order=True, gc=False):
    """One Service port. `protocol` is lower case (`tcp`, `udp`, `sctp`); `name` may be empty; `h2c`:
    behind it HTTP/2 is spoken without TLS."""

    name: str
    protocol: str
    number: int
    h2c: bool = False


class ZoneReadiness(Struct, frozen=True, order=True, gc=False):
    """Endpoint counts of one shard in one zone (`zone` is empty where the endpoints name none)."""

    zone: str
    ready: int
    serving: int
    terminating: int
    total: int


class Endpoint(Struct, frozen=True, order=True, gc=False, array_like=True):
    """One address behind a Service; `ports` maps names of Service ports to the numbers it listens on."""

    address: str
    ports: tuple[tuple[str, int], ...]
    zone: str = ""
    ready: bool = True
    serving: bool = True
    terminating: bool = False


class ShardFacts(Struct, frozen=True, gc=False):
    """One member's part of a federated service, as its API shows it.

    `addresses` are IP literals (IPv4 and IPv6 mixed) and `hostnames` load-balancer names still
    to be resolved. `readiness` is None when no EndpointSlice or Endpoints object was seen.
    `endpoints` are told only where a gateway goes to them (None: it goes to the addresses).
    """

    addresses: tuple[str, ...] = ()
    hostnames: tuple[str, ...] = ()
    ports: tuple[Port, ...] = ()
    readiness: tuple[ZoneReadiness, ...] | None = None
    endpoints: tuple[Endpoint, ...] | None = None


class NodeZone(Struct, frozen=True, order=True, gc=False):
    """Nodes of a member in one zone: how many are Ready, of how many."""

    zone: str
    ready: int
    total: int


class MemberFacts(Struct, frozen=True):
    """All that one member says. `shards` maps `namespace/name` to facts; region may be empty."""

    name: str
    region: str
    zones: tuple[str, ...]
    labels: Mapping[str, str]
    shards: Mapping[str, ShardFacts]
    nodes: tuple[NodeZone, ...] = ()
    api: Api = "unknown"
    api_since: float = 0.0
    read_at: float = 0.0


class ProbeCount(Struct, frozen=True, gc=False):
    """Where one probe target stands: its state, and its run of results against that state."""

    state: ProbeState = "unknown"
    successes: int = 0
    failures: int = 0
    reason: str = ""
    at: float = 0.0


class Order(Struct, frozen=True, order=True):
    """An operator's word about a target until it expires (`until` None: until taken back).

    Targets: `MEMBER`, `MEMBER/NAMESPACE/NAME`, `region:REGION`, `zone:ZONE`.
    """

    target: str
    word: Word
    issued: float
    until: float | None = None
    reason: str = ""


class Passive(Struct, frozen=True, gc=False):
    """What gateway workers saw of one shard in the last window: requests that came to it, and those that it
    broke off, kept silent about or said it could not serve. `unreachable`: those of its `endpoints` to
    which no connection could be made, again and again; `at`: when it was last seen to fail."""

    requests: int
    errors: int
    at: float
    unreachable: int = 0
    endpoints: int = 0


class Hostname(Struct, frozen=True, gc=False):
    """Addresses a load-balancer hostname last resolved to; `error` is set while re-resolving fails."""

    addresses: tuple[str, ...]
    at: float
    error: str = ""
