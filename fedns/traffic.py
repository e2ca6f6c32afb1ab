"""What gateway workers did, in Prometheus' terms.

Law: values in, families out; a scrape stays a few megabytes, however many routes there are.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any, NamedTuple

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric

SERIES = 5_000
"""Series of requests by route."""
ROUTES = 500
"""Routes with a histogram, of eight series each."""
BOUNDS = ("0.005", "0.025", "0.1", "0.5", "2.5", "+Inf")  # seconds, as workers count them
OTHER = "other"

Spans = tuple[tuple[int, ...], float]
"""Requests that took at most so long, each counted once; and the seconds of all of them."""


class Traffic(NamedTuple):
    """What all gateway workers did, since their counters began."""

    requests: Mapping[tuple[str, str, str], tuple[int, float]]
    """(route, member, code) -> how many, and their seconds. Member is empty for answers of our own."""
    tries: Mapping[tuple[str, str], int] = {}
    """(member, pool) -> requests sent there, each try counted."""
    failures: Mapping[tuple[str, str, str], int] = {}
    """(member, pool, kind)"""
    events: Mapping[str, int] = {}
    """Retries, ejections, refusals by status, and whatever else is counted."""
    spans: Mapping[str, Spans] = {}
    """By route."""


def families(told: Traffic) -> Iterator[Metric]:
    rows = _busiest(told.requests)
    by_route: dict[tuple[str, str], float] = {}
    for (route, member, _), (_, seconds) in rows.items():
        by_route[route, member] = by_route.get((route, member), 0.0) + seconds
    yield _counted(
        "fedns_gateway_requests",
        f"HTTP requests answered (beyond {SERIES} series the quiet ones are route `other`).",
        ("route", "member", "code"),
        {key: count for key, (count, _) in rows.items()},
    )
    yield _counted("fedns_gateway_request_seconds", "From the head of a request to the end of its answer.",
                   ("route", "member"), by_route)  # fmt: skip
    yield _spread(told.spans)
    yield _counted("fedns_gateway_tries", "Requests sent to a member, each try.", ("member", "pool"),
                   told.tries)  # fmt: skip
    yield _counted("fedns_gateway_failures", "What backends failed at, by kind.", ("member", "pool", "kind"),
                   told.failures)  # fmt: skip
    rest = dict(told.events)
    for name, help in (("retries", "Further tries."), ("ejections", "Times that an endpoint sat out.")):
        yield _counted(f"fedns_gateway_{name}", help, (), {(): rest.pop(name, 0)})
    refused = {name: rest.pop(name) for name in tuple(rest) if name.startswith("refused_")}
    yield _counted("fedns_gateway_refused", "Requests that meant nothing, or too much, by status.", ("code",),
                   {(name.removeprefix("refused_"),): count for name, count in refused.items()})  # fmt: skip
    yield _counted("fedns_gateway_events", "What else happened, by name.", ("event",),
                   {(name,): count for name, count in rest.items()})  # fmt: skip


def _busiest(
    rows: Mapping[tuple[str, str, str], tuple[int, float]],
) -> Mapping[tuple[str, str, str], tuple[int, float]]:
    """Not more series than a scrape should have."""
    if len(rows) <= SERIES:
        return rows
    ordered = sorted(rows.items(), key=lambda row: row[1][0], reverse=True)
    found = dict(ordered[:SERIES])
    for (_, member, code), (count, seconds) in ordered[SERIES:]:
        before = found.get((OTHER, member, code), (0, 0.0))
        found[OTHER, member, code] = before[0] + count, before[1] + seconds
    return found


def joined(one: Spans | None, other: Spans) -> Spans:
    if one is None:
        return other
    return tuple(map(sum, zip(one[0], other[0], strict=True))), one[1] + other[1]


def _spread(spans: Mapping[str, Spans]) -> HistogramMetricFamily:
    help = f"From a request's head to the end of its answer (beyond {ROUTES} quiet ones are route `other`)."
    family = HistogramMetricFamily("fedns_gateway_duration_seconds", help, labels=("route",))
    ordered = sorted(spans.items(), key=lambda item: sum(item[1][0]), reverse=True)
    shown = dict(ordered[:ROUTES])
    for _, span in ordered[ROUTES:]:
        shown[OTHER] = joined(shown.get(OTHER), span)
    for route, (counts, seconds) in shown.items():
        family.add_metric((route,), list(zip(BOUNDS, accumulate(counts), strict=True)), sum_value=seconds)
    return family


def _counted(name: str, help: str, labels: Sequence[str], values: Mapping[Any, float]) -> CounterMetricFamily:
    family = CounterMetricFamily(name, help, labels=labels)
    for key, value in values.items():
        family.add_metric(key, value)
    return family
