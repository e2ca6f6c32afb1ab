"""Metric names follow one law, so that a dashboard can be written without reading the code."""

import re

from prometheus_client.metrics_core import Metric

from fedns import metrics, traffic

NAME = re.compile(r"fedns_[a-z]+(_[a-z]+)*")
UNITS = ("_seconds", "_bytes", "_ratio")


def families() -> list[Metric]:
    """Everything a scrape shows, from a process that has seen one of each."""
    state = metrics.State(
        now=2.0,
        generation=1,
        published=1.0,
        ready=True,
        members={"a": "reachable"},
        services=1,
        states={"healthy": 1},
        shards=[metrics.ShardState("n/s", "a", "healthy")],
        problems={"config": 1},
        watches=[metrics.Watch("a", "services", 1, True, 1.0, 1, {"410": 1})],
        writer=metrics.Writer(True, {"written": 1}),
        unreachable={("n/s", "a"): 1},
        signed=[metrics.SignedZone("example.com", {("1", "csk", "active"): 1}, 3.0, 4.0)],
    )
    workers = metrics.Workers(
        queries={("udp", "A", "NOERROR"): 1},
        dropped={"short": 1},
        latency=metrics.Histogram((0.1,), (1, 0), 0.05),
        generations={"0": 1},
        connections={"open": 1, "idled": 1},
        limited={("answers", "slipped"): 1},
        sizes={("udp", "query"): metrics.Histogram((64,), (1, 0), 40)},
        gateway=traffic.Traffic(
            {("shop/web a.test/", "m1", "200"): (2, 0.5)},
            {("m1", "shop/web/80"): 3},
            {("m1", "shop/web/80", "refused"): 1},
            {"retries": 1, "ejections": 1, "refused_400": 1, "evicted": 1},
        ),
    )
    return list(metrics.Metrics(lambda: state, lambda: workers, "0").registry.collect())


def test_names_begin_with_fedns_and_are_lower_case_words() -> None:
    odd = [family.name for family in families() if not NAME.fullmatch(family.name)]
    assert not odd, odd


def test_every_metric_has_a_sentence_of_help() -> None:
    silent = [family.name for family in families() if not family.documentation.endswith(".")]
    assert not silent, silent


def test_histograms_name_their_unit() -> None:
    bare = [f.name for f in families() if f.type == "histogram" and not f.name.endswith(UNITS)]
    assert not bare, bare


def test_gauges_do_not_look_like_counters() -> None:
    wrong = [f.name for f in families() if f.type == "gauge" and f.name.endswith("_total")]
    assert not wrong, wrong


def test_label_names_are_plain_words() -> None:
    labels = {label for family in families() for sample in family.samples for label in sample.labels}
    odd = {label for label in labels if not re.fullmatch(r"[a-z]+", label)}
    assert not odd, odd
