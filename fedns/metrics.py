"""What fedns counts, in Prometheus' terms; every name begins with `fedns_` and has a help text.

Law: control's own events are counted here as they happen; everything that is a state (table, shards,
problems, the workers' counters) is read when a scraper asks, through the callables handed in, so
that nothing has to be kept in step. Values in, text out: this room knows neither model nor workers.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

import prometheus_client as prometheus
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from fedns import traffic

SHARD_SERIES = 10_000
"""Above so many shards only those not healthy have a series: a scrape must stay a few megabytes."""
CONVERGENCE_BUCKETS = (0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60)
TURN_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 5, 30)


CLOSED = ("idled", "crowded", "evicted")
"""Why a connection was ended: quiet for too long; its network beyond its share; no place left."""


class ShardState(NamedTuple):
    """One shard as the gauges show it."""

    service: str
    member: str
    state: str


class SignedZone(NamedTuple):
    """`keys`: (tag, role, state) -> 1. `next`: when the next step of a key is due (0: none by itself);
    `expires`: when the signatures over its keys do; Unix seconds."""

    zone: str
    keys: Mapping[tuple[str, str, str], float]
    next: float
    expires: float


class Watch(NamedTuple):
    """One resource watched on one member's API server. `heard`: seconds since its last word (None: never)."""

    member: str
    resource: str
    objects: int
    synced: bool
    heard: float | None
    lists: int
    errors: Mapping[str, int]


class Writer(NamedTuple):
    """Whether this process writes to the fleet, and its writes by outcome."""

    held: bool
    outcomes: Mapping[str, int]


class State(NamedTuple):
    """What holds at the time of a scrape. `published` and `now` are Unix seconds."""

    now: float
    generation: int
    published: float
    ready: bool
    members: Mapping[str, str]
    """Member name -> reachability of its API."""
    services: int
    states: Mapping[str, int]
    """Shard state -> how many."""
    shards: Iterable[ShardState]
    problems: Mapping[str, int]
    signed: Iterable[SignedZone] = ()
    watches: Sequence[Watch] = ()
    writer: Writer | None = None
    imports: Mapping[tuple[str, ...], float] = {}
    """(member, outcome) -> objects of the cluster set written there by this process."""
    copies: Mapping[tuple[str, ...], float] = {}
    """(member, state) -> copies of the fleet's objects."""
    brought: Mapping[tuple[str, ...], float] = {}
    """(member, outcome) -> writes of copies."""
    righted: Mapping[tuple[str, ...], float] = {}
    """(member,) -> copies that somebody changed and that were put right."""
    failing: Mapping[tuple[str, ...], float] = {}
    """(member,) -> seconds for which a copy has failed, of the one that has longest."""
    unreachable: Mapping[tuple[str, ...], float] = {}
    """(service, member) -> endpoints that gateways cannot reach."""


class Histogram(NamedTuple):
    """`counts[i]` observations of at most `bounds[i]` (and above the one before); one more for the rest."""

    bounds: Sequence[float]
    counts: Sequence[int]
    sum: float


class Workers(NamedTuple):
    """All DNS workers' counters added up, those of finished workers included."""

    queries: Mapping[tuple[str, str, str], int]
    """(transport, type, rcode) -> answered."""
    dropped: Mapping[str, int]
    """Reason -> packets that got no answer."""
    latency: Histogram | None = None
    generations: Mapping[str, int] = {}
    """Worker -> generation of the table it answers from."""
    limited: Mapping[tuple[str, str], int] = {}
    """(class, dropped or slipped) -> replies beyond a rate limit."""
    connections: Mapping[str, int] = {}
    """`open` ones, and those ended for a reason of `CLOSED`."""
    sizes: Mapping[tuple[str, str], Histogram] = {}
    """(transport, query or reply) -> octets of messages."""
    transfers: Mapping[str, int] = {}
    """Zones given to secondaries, by how: axfr, ixfr, soa (there was nothing new), whole (for an ixfr)."""
    gateway: traffic.Traffic | None = None


class Snapshot(Collector):
    """Reads the state when asked."""

    def __init__(self, state: Callable[[], State], workers: Callable[[], Workers]) -> None:
        self._state, self._workers = state, workers

    def collect(self) -> Iterator[Metric]:
        yield from _table(state := self._state())
        yield from _fleet(state)
        yield from _gateways(state)
        yield from _watches(state.watches)
        yield from _writer(state.writer)
        yield from _imports(state.imports)
        yield from _copies(state)
        yield from _dnssec(state)
        yield from _dns(workers := self._workers())
        if workers.gateway is not None:
            yield from traffic.families(workers.gateway)


def _gauge(name: str, help: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, help, value=value)


def _table(state: State) -> Iterator[Metric]:
    yield _gauge("fedns_ready", "1 when queries can be answered.", float(state.ready))
    yield _gauge("fedns_table_generation", "Generation of the published answer table.", state.generation)
    yield _gauge(
        "fedns_table_published_timestamp_seconds", "When that generation was published.", state.published
    )
    age = max(0.0, state.now - state.published) if state.published else 0.0
    yield _gauge("fedns_table_age_seconds", "Age of the published answer table.", age)


def _fleet(state: State) -> Iterator[Metric]:
    yield _gauge("fedns_services", "Federated services known.", state.services)
    yield _labelled("fedns_member_api", "1 for the reachability each member's API is in.", ("member", "api"),
                    dict.fromkeys(state.members.items(), 1))  # fmt: skip
    yield _labelled("fedns_shards", "Shards in each state.", ("state",),
                    {(name,): count for name, count in state.states.items()})  # fmt: skip
    yield _labelled("fedns_problems", "Problems in the input now in force, by source.", ("source",),
                    {(name,): count for name, count in state.problems.items()})  # fmt: skip
    yield _labelled(
        "fedns_shard_state",
        f"1 for the state each shard is in (above {SHARD_SERIES} shards: only those not healthy).",
        ("service", "member", "state"),
        dict.fromkeys(_shown(state), 1),
    )


def _dnssec(state: State) -> Iterator[Metric]:
    signed = list(state.signed)
    keys: dict[tuple[str, ...], float] = {
        (one.zone, *key): value for one in signed for key, value in one.keys.items()
    }
    yield _labelled("fedns_dnssec_key", "1 for the state each key of a signed zone is in.",
                    ("zone", "tag", "role", "state"), keys)  # fmt: skip
    yield _labelled("fedns_dnssec_next_step_timestamp_seconds", "When a key changes its state by itself.",
                    ("zone",), {(one.zone,): one.next for one in signed if one.next})  # fmt: skip
    yield _labelled("fedns_dnssec_expiry_timestamp_seconds", "When the signatures over key sets expire.",
                    ("zone",), {(one.zone,): one.expires for one in signed})  # fmt: skip


def _gateways(state: State) -> Iterator[Metric]:
    """Nothing where all can be reached."""
    if state.unreachable:
        yield _labelled("fedns_gateway_unreachable_endpoints", "Endpoints that gateways cannot reach.",
                        ("service", "member"), state.unreachable)  # fmt: skip


def _watches(watches: Sequence[Watch]) -> Iterator[Metric]:
    """The API servers of members, by resource."""
    labels, at = ("member", "resource"), [(one.member, one.resource) for one in watches]
    yield _labelled("fedns_member_objects", "Objects known from a member's API server.", labels,
                    {key: one.objects for key, one in zip(at, watches, strict=True)})  # fmt: skip
    yield _labelled("fedns_member_synced", "1 where all objects were listed, and none is refused.", labels,
                    {key: int(one.synced) for key, one in zip(at, watches, strict=True)})  # fmt: skip
    age = GaugeMetricFamily(
        "fedns_member_event_age_seconds", "Since an API server's last word on a resource.", labels=labels
    )
    lists = CounterMetricFamily("fedns_member_lists", "Whole lists read from API servers.", labels=labels)
    errors = CounterMetricFamily(
        "fedns_member_errors", "Failures of lists and watches, by kind.", labels=(*labels, "kind")
    )
    for key, one in zip(at, watches, strict=True):
        lists.add_metric(key, one.lists)
        if one.heard is not None:
            age.add_metric(key, one.heard)
        for kind, count in one.errors.items():
            errors.add_metric((*key, kind), count)
    yield from (age, lists, errors)


def _writer(writer: Writer | None) -> Iterator[Metric]:
    """Nothing where nothing is written."""
    if writer is None:
        return
    yield _gauge("fedns_leader", "1 where this process writes to the fleet.", float(writer.held))
    writes = CounterMetricFamily(
        "fedns_status_writes",
        "Statuses written to the fleet by this process, by outcome.",
        labels=("outcome",),
    )
    for outcome, count in writer.outcomes.items():
        writes.add_metric((outcome,), count)
    yield writes


def _imports(counts: Mapping[tuple[str, ...], float]) -> Iterator[Metric]:
    """Nothing where nothing is written."""
    if not counts:
        return
    writes = CounterMetricFamily(
        "fedns_import_writes",
        "Objects of the cluster set written to members by this process, by outcome.",
        labels=("member", "outcome"),
    )
    for labels, count in counts.items():
        writes.add_metric(labels, count)
    yield writes


def _copies(state: State) -> Iterator[Metric]:
    """Nothing where nothing is distributed."""
    if state.copies or state.brought:
        yield _labelled("fedns_copies", "Copies of the fleet's objects in members, by state.",
                        ("member", "state"), state.copies)  # fmt: skip
        writes = CounterMetricFamily(
            "fedns_copy_writes", "Writes of copies by this process, by outcome.", labels=("member", "outcome")
        )
        for key, count in state.brought.items():
            writes.add_metric(key, count)
        yield writes
        righted = CounterMetricFamily(
            "fedns_copy_corrections",
            "Copies that somebody changed and that this process put right.",
            labels=("member",),
        )
        for key, count in state.righted.items():
            righted.add_metric(key, count)
        yield righted
        yield _labelled("fedns_copy_failing_seconds", "How long the copy has failed that has longest.",
                        ("member",), state.failing)  # fmt: skip


def _shown(state: State) -> Iterator[ShardState]:
    whole = sum(state.states.values()) <= SHARD_SERIES
    return islice((one for one in state.shards if whole or one.state != "healthy"), SHARD_SERIES)


def _labelled(
    name: str, help: str, labels: Sequence[str], values: Mapping[tuple[str, ...], float]
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, help, labels=labels)
    for key, value in values.items():
        family.add_metric(key, value)
    return family


def _dns(workers: Workers) -> Iterator[Metric]:
    queries = CounterMetricFamily(
        "fedns_dns_queries", "DNS queries answered.", labels=("transport", "type", "rcode")
    )
    for key, count in workers.queries.items():
        queries.add_metric(key, count)
    yield queries
    dropped = CounterMetricFamily("fedns_dns_dropped", "Packets that got no answer.", labels=("reason",))
    for reason, count in workers.dropped.items():
        dropped.add_metric((reason,), count)
    yield dropped
    limited = CounterMetricFamily(
        "fedns_dns_limited", "Replies beyond a rate limit, by class of reply.", labels=("class", "outcome")
    )
    for pair, count in workers.limited.items():
        limited.add_metric(pair, count)
    yield limited
    yield from _sizes(workers.sizes)
    if workers.connections:
        yield _gauge("fedns_dns_connections", "Open TCP and TLS connections.", workers.connections["open"])
    closed = CounterMetricFamily(
        "fedns_dns_connections_closed", "Connections that we ended, by reason.", labels=("reason",)
    )
    for reason in CLOSED:
        closed.add_metric((reason,), workers.connections.get(reason, 0))
    yield closed
    transfers = CounterMetricFamily("fedns_transfers", "Zones given to secondaries.", labels=("kind",))
    for kind, count in workers.transfers.items():
        transfers.add_metric((kind,), count)
    yield transfers
    yield _labelled("fedns_dns_worker_generation", "Table generation each DNS worker answers from.",
                    ("worker",), {(name,): value for name, value in workers.generations.items()})  # fmt: skip
    if workers.latency is not None:
        yield _histogram("fedns_dns_latency_seconds", "From reading a query to sending its answer.",
                         workers.latency)  # fmt: skip


def _sizes(sizes: Mapping[tuple[str, str], Histogram]) -> Iterator[Metric]:
    """A family for queries, one for replies."""
    for direction, help in (("query", "Size of DNS queries."), ("reply", "Size of DNS replies.")):
        family = HistogramMetricFamily(f"fedns_dns_{direction}_size_bytes", help, labels=("transport",))
        for (transport, way), value in sizes.items():
            if way == direction:
                family.add_metric((transport,), _buckets(value), sum_value=value.sum)
        yield family


def _histogram(name: str, help: str, value: Histogram) -> HistogramMetricFamily:
    return HistogramMetricFamily(name, help, buckets=_buckets(value), sum_value=value.sum)


def _buckets(value: Histogram) -> list[tuple[str, float]]:
    total = 0
    buckets: list[tuple[str, float]] = []
    for bound, count in zip((*map(str, value.bounds), "+Inf"), value.counts, strict=True):
        total += count
        buckets.append((bound, total))
    return buckets


class Metrics:
    """One process's metrics. `render` may be called from another thread than the counting methods."""

    def __init__(self, state: Callable[[], State], workers: Callable[[], Workers], version: str) -> None:
        self.registry = prometheus.CollectorRegistry()
        self.registry.register(Snapshot(state, workers))
        prometheus.Info("fedns_build", "The running version.", registry=self.registry).info(
            {"version": version}
        )
        self._convergence = prometheus.Histogram(
            "fedns_convergence_seconds",
            "From seeing a change to its answers being published.",
            buckets=CONVERGENCE_BUCKETS,
            registry=self.registry,
        )
        self._turn = prometheus.Histogram(
            "fedns_turn_seconds", "Duration of a turn.", buckets=TURN_BUCKETS, registry=self.registry
        )
        self._flaps = prometheus.Counter(
            "fedns_shard_flaps", "Changes of state of shards after their first.", registry=self.registry
        )
        self._notices = prometheus.Counter(
            "fedns_notices",
            "Notices to secondaries, by outcome.",
            ("outcome",),
            registry=self.registry,
        )
        self._failures = prometheus.Counter(
            "fedns_turn_failures", "Turns whose products could not be published.", registry=self.registry
        )

    def turned(self, seconds: float) -> None:
        self._turn.observe(seconds)

    def converged(self, seconds: float) -> None:
        self._convergence.observe(seconds)

    def flapped(self, count: int) -> None:
        self._flaps.inc(count)

    def noticed(self, outcome: str) -> None:
        """A NOTIFY was `sent`, `answered`, or given up (`unanswered`)."""
        self._notices.labels(outcome).inc()

    def failed(self) -> None:
        self._failures.inc()

    def render(self) -> bytes:
        """The text exposition format 0.0.4."""
        return prometheus.generate_latest(self.registry)
