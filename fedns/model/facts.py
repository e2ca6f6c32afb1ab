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


class Backend(Struct, frozen=True, order=True, gc=False, array_like=True):
    """One address of an endpoint as its service's slices tell it. `hostname` is a label of its own, empty
    where it has none; `ports` maps names of Service ports to the numbers it listens on."""

    address: str
    hostname: str = ""
    ports: tuple[tuple[str, int], ...] = ()
    zone: str = ""
    ready: bool = True


class Export(Struct, frozen=True, gc=False, array_like=True, omit_defaults=True):
    """A ServiceExport: a member offers its service to its cluster set. `created` 0: it does not say since
    when. `labels` and `annotations` go along."""

    created: float = 0.0
    labels: tuple[tuple[str, str], ...] = ()
    annotations: tuple[tuple[str, str], ...] = ()


class Traffic(Struct, frozen=True, gc=False, array_like=True, omit_defaults=True):
    """How a Service spreads its clients, as it says it. `affinity_seconds` 0: it does not say."""

    affinity: str = "None"
    affinity_seconds: int = 0
    internal: str = ""
    distribution: str = ""
    families: tuple[str, ...] = ()


class Inside(Struct, frozen=True, gc=False, array_like=True, omit_defaults=True):
    """What a shard is inside its own cluster. `type` is that of the Service; `headless` has no cluster IP;
    `published`: it has addresses for others, or is to be federated anyhow.

    `backends` are told of headless services, and of exported ones where somebody wants them (None: not told);
    `export` None: the member does not export it; `protocols`: the appProtocol of each port (empty: of none).
    """

    type: str = "ClusterIP"
    cluster_ips: tuple[str, ...] = ()
    headless: bool = False
    external_name: str = ""
    backends: tuple[Backend, ...] | None = None
    export: Export | None = None
    traffic: Traffic = Traffic()
    protocols: tuple[str, ...] = ()
    published: bool = True


class ShardFacts(Struct, frozen=True, gc=False):
    """One member's part of a federated service, as its API shows it.

    `addresses` are IP literals (IPv4 and IPv6 mixed) and `hostnames` load-balancer names still
    to be resolved. `readiness` is None when no EndpointSlice or Endpoints object was seen.
    `endpoints` are told only where a gateway goes to them (None: it goes to the addresses), `inside` only
    where somebody is answered as pods are. `parting`: since when it is to be left (Unix seconds;
    0: it stays).
    """

    addresses: tuple[str, ...] = ()
    hostnames: tuple[str, ...] = ()
    ports: tuple[Port, ...] = ()
    readiness: tuple[ZoneReadiness, ...] | None = None
    endpoints: tuple[Endpoint, ...] | None = None
    inside: Inside | None = None
    parting: float = 0.0


class NodeZone(Struct, frozen=True, order=True, gc=False):
    """Nodes of a member in one zone: how many are Ready, of how many."""

    zone: str
    ready: int
    total: int


class MemberFacts(Struct, frozen=True):
    """All that one member says. `shards` maps `namespace/name` to facts; region may be empty.

    Told where a cluster set is served: `clusterid`, how the member is called in it (empty: it does not say);
    `exports`, of services that it may not even have; `imports`, the addresses that it has for a service of
    the set."""

    name: str
    region: str
    zones: tuple[str, ...]
    labels: Mapping[str, str]
    shards: Mapping[str, ShardFacts]
    nodes: tuple[NodeZone, ...] = ()
    api: Api = "unknown"
    api_since: float = 0.0
    read_at: float = 0.0
    clusterid: str = ""
    exports: Mapping[str, Export] = {}
    imports: Mapping[str, tuple[str, ...]] = {}


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
