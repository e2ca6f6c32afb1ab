"""What a scraper reads, parsed back by prometheus-client's own parser."""

from collections.abc import Iterator

from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from fedns import metrics

STATE = metrics.State(
    now=110.0,
    generation=7,
    published=100.0,
    ready=True,
    members={"m1": "reachable"},
    services=1,
    states={"healthy": 1, "unhealthy": 1},
    shards=(
        metrics.ShardState("shop/web", "m1", "healthy"),
        metrics.ShardState("shop/web", "m2", "unhealthy"),
    ),
    problems={"zones": 2},
)
WORKERS = metrics.Workers(
    queries={("udp", "A", "NOERROR"): 5},
    dropped={"malformed": 1},
    latency=metrics.Histogram((0.001, 0.01), (3, 1, 1), 0.5),
    generations={"dns-0": 7},
)


def scrape(state: metrics.State = STATE, workers: metrics.Workers = WORKERS) -> dict[str, Metric]:
    kept = metrics.Metrics(lambda: state, lambda: workers, "1.2.3")
    kept.converged(0.02)
    kept.turned(0.001)
    kept.flapped(2)
    families = text_string_to_metric_families(kept.render().decode())
    return {family.name: family for family in families}


def samples(family: Metric) -> Iterator[tuple[str, tuple[str, ...], float]]:
    return ((one.name, tuple(sorted(one.labels.values())), one.value) for one in family.samples)


def test_states_are_read_when_asked() -> None:
    found = scrape()
    assert list(samples(found["fedns_table_age_seconds"])) == [("fedns_table_age_seconds", (), 10.0)]
    assert ("fedns_problems", ("zones",), 2.0) in samples(found["fedns_problems"])
    assert ("fedns_shard_state", ("m2", "shop/web", "unhealthy"), 1.0) in samples(found["fedns_shard_state"])
    assert ("fedns_member_api", ("m1", "reachable"), 1.0) in samples(found["fedns_member_api"])


def test_workers_are_included_and_their_histogram_is_cumulative() -> None:
    found = scrape()
    queries = samples(found["fedns_dns_queries"])
    assert list(queries) == [("fedns_dns_queries_total", ("A", "NOERROR", "udp"), 5.0)]
    buckets = {bound: value for name, (bound, *_), value in (
        one for one in samples(found["fedns_dns_latency_seconds"]) if one[1]
    )}  # fmt: skip
    assert buckets == {"0.001": 3, "0.01": 4, "+Inf": 5}


def test_events_of_control_are_counted() -> None:
    found = scrape()
    assert ("fedns_convergence_seconds_count", (), 1.0) in samples(found["fedns_convergence_seconds"])
    assert ("fedns_shard_flaps_total", (), 2.0) in samples(found["fedns_shard_flaps"])


def test_a_huge_fleet_shows_only_the_shards_that_need_attention() -> None:
    found = scrape(STATE._replace(states={"healthy": 200_000, "unhealthy": 1}))
    assert [one[1][2] for one in samples(found["fedns_shard_state"])] == ["unhealthy"]


def test_every_name_has_the_prefix_and_a_help_text() -> None:
    for name, family in scrape().items():
        assert name.startswith("fedns_")
        assert family.documentation.endswith("."), name
