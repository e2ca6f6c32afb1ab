"""When the last client was sent to a shard that was taken out."""

import pytest
from msgspec import structs

from fedns.model import exit
from fedns.model.facts import Endpoint
from fedns.model.snapshot import Shard, Verdict
from tests.model import test_selection as cases


def shard(member: str, state: str, since: float) -> Shard:
    verdict = Verdict(state, "because", since)  # type: ignore[arg-type]
    return structs.replace(cases.shard(member), verdict=verdict)


@pytest.mark.parametrize(
    ("shards", "expected"),
    [
        ((shard("a", "healthy", 5.0), shard("b", "healthy", 1.0)), None),
        ((shard("a", "draining", 5.0), shard("b", "healthy", 1.0)), 5.0),
        ((shard("a", "draining", 5.0), shard("b", "degraded", 8.0)), 8.0),
        ((shard("a", "draining", 5.0), shard("b", "healthy", 9.0), shard("c", "unknown", 7.0)), 7.0),
        ((shard("a", "draining", 5.0), shard("b", "draining", 1.0)), None),
        ((shard("a", "unhealthy", 5.0), shard("b", "unhealthy", 1.0)), None),
        ((shard("a", "draining", 5.0),), None),
        ((shard("b", "healthy", 1.0),), 0.0),
    ],
)
def test_it_is_out_while_somebody_else_is_able(shards: tuple[Shard, ...], expected: float | None) -> None:
    assert exit.since(cases.service(*shards), "a") == expected


def test_what_only_gateways_reach_counts_by_its_endpoints() -> None:
    facts = structs.replace(cases.shard("a").facts, endpoints=(Endpoint("10.0.0.1", 80),), addresses=())
    inner = structs.replace(shard("a", "draining", 5.0), facts=facts, addresses=())
    assert exit.since(cases.service(inner, shard("b", "healthy", 1.0)), "a") == 5.0
    assert exit.since(cases.service(inner), "a") is None
