"""What a scraper reads, parsed back by prometheus-client's own parser."""

from collections.abc import Iterator

from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from fedns import metrics, traffic

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


GATEWAY = traffic.Traffic(
    {("shop/web a.test/", "m1", "200"): (9, 1.5), ("shop/web a.test/", "m1", "503"): (1, 0.5)},
    {("m1", "shop/web/80"): 12},
    {("m1", "shop/web/80", "refused"): 2},
    {"retries": 2, "ejections": 1, "refused_400": 3, "evicted": 4},
    {"shop/web a.test/": ((5, 0, 2, 1, 0, 2), 2.0)},
)


def test_the_gateway_by_route_member_and_code() -> None:
    found = scrape(workers=WORKERS._replace(gateway=GATEWAY))
    requests = list(samples(found["fedns_gateway_requests"]))
    assert ("fedns_gateway_requests_total", ("200", "m1", "shop/web a.test/"), 9.0) in requests
    spent = list(samples(found["fedns_gateway_request_seconds"]))
    assert spent == [("fedns_gateway_request_seconds_total", ("m1", "shop/web a.test/"), 2.0)]
    for name, labels, value in (
        ("tries", ("m1", "shop/web/80"), 12.0),
        ("failures", ("m1", "refused", "shop/web/80"), 2.0),
        ("retries", (), 2.0),
        ("ejections", (), 1.0),
        ("refused", ("400",), 3.0),
        ("events", ("evicted",), 4.0),
    ):
        family = found[f"fedns_gateway_{name}"]
        assert list(samples(family)) == [(f"fedns_gateway_{name}_total", labels, value)]
    assert "fedns_gateway_requests" not in scrape()


def test_how_long_requests_took_by_route() -> None:
    found = list(samples(scrape(workers=WORKERS._replace(gateway=GATEWAY))["fedns_gateway_duration_seconds"]))
    buckets = [value for name, _, value in found if name.endswith("_bucket")]
    assert buckets == [5.0, 5.0, 7.0, 8.0, 8.0, 10.0]
    assert ("fedns_gateway_duration_seconds_sum", ("shop/web a.test/",), 2.0) in found
    assert ("fedns_gateway_duration_seconds_count", ("shop/web a.test/",), 10.0) in found


def test_the_busiest_routes_have_histograms_and_nothing_is_lost() -> None:
    spans = {f"r{n}": ((n, 0, 0, 0, 0, 1), 1.0) for n in range(traffic.ROUTES + 10)}
    told = scrape(workers=WORKERS._replace(gateway=traffic.Traffic({}, spans=spans)))
    family = samples(told["fedns_gateway_duration_seconds"])
    counts = {labels: value for name, labels, value in family if name.endswith("_count")}
    assert len(counts) == traffic.ROUTES + 1 and counts["other",] == sum(range(10)) + 10
    assert sum(counts.values()) == sum(range(traffic.ROUTES + 10)) + traffic.ROUTES + 10


def test_the_busiest_routes_have_series_and_nothing_is_lost() -> None:
    most = traffic.SERIES
    rows = {(f"r{n}", "m1", "200"): (n, 0.0) for n in range(most + 10)}
    found = scrape(workers=WORKERS._replace(gateway=traffic.Traffic(rows)))
    shown = {labels: value for _, labels, value in samples(found["fedns_gateway_requests"])}
    assert len(shown) == most + 1 and shown["200", "m1", "other"] == sum(range(10))
    assert sum(shown.values()) == sum(range(most + 10))


def test_copies_are_counted_where_something_is_distributed() -> None:
    counted = STATE._replace(
        copies={("m1", "failing"): 2.0},
        brought={("m1", "written"): 5},
        righted={("m1",): 3},
        failing={("m1",): 40.0},
    )
    found = scrape(counted)
    assert list(samples(found["fedns_copies"])) == [("fedns_copies", ("failing", "m1"), 2.0)]
    assert ("fedns_copy_corrections_total", ("m1",), 3.0) in samples(found["fedns_copy_corrections"])
    assert ("fedns_copy_failing_seconds", ("m1",), 40.0) in samples(found["fedns_copy_failing_seconds"])
    assert "fedns_copies" not in scrape()
