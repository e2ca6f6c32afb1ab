"""kube-dns' rule, case by case: whether those inside a member are sent to its own shard, and why."""

from typing import Any

import msgspec
import pytest

from fedns.model import locality
from fedns.model.facts import Backend, Inside, ShardFacts, ZoneReadiness
from fedns.model.policy import TrafficPolicy
from fedns.model.snapshot import Service, Shard, Verdict

IP = Inside(cluster_ips=("10.0.0.1",))


def shard(member: str = "a", ready: int | None = 2, told: Inside | None = IP, **verdict: Any) -> Shard:
    counted = None if ready is None else (ZoneReadiness("", ready, ready, 0, 3),)
    facts = ShardFacts(("192.0.2.1",), (), (), counted, None, told)
    judged = Verdict(**{"state": "healthy", "reason": "so", **verdict})
    return Shard(member, "", (), facts, facts.addresses, judged)


def judged(*shards: Shard, member: str = "a") -> tuple[bool, str]:
    return locality.judge(Service("n", "s", TrafficPolicy(), shards, ()), member)[:2]


def headless(*ready: bool) -> Inside:
    return Inside(headless=True, backends=tuple(Backend("10.1.0.1", ready=each) for each in ready))


@pytest.mark.parametrize(
    ("one", "serves", "why"),
    [
        (shard(), True, "2 ready endpoints"),
        (shard(ready=1, state="degraded"), True, "1 ready endpoint"),
        (shard(ready=0), False, "it has no ready endpoint"),
        (shard(ready=0, ordered=True), False, "it has no ready endpoint"),
        (shard(ready=None), False, "nothing is known of its endpoints"),
        (shard(ready=None, ordered=True), True, "so"),
        (shard(state="unhealthy"), False, "it is unhealthy: so"),
        (shard(told=None), False, "its cluster IP is not known"),
        (shard(told=Inside()), False, "it has no cluster IP"),
        (shard(told=headless(True, False)), True, "1 ready endpoint"),
        (shard(told=headless(False)), False, "it has no ready endpoint"),
        (shard(ready=0, told=Inside(external_name="x.test")), True, "it is an alias of x.test"),
    ],
)
def test_a_lone_shard(one: Shard, serves: bool, why: str) -> None:
    assert judged(one) == (serves, why)


def test_a_draining_one_serves_only_if_nobody_else_can() -> None:
    mine = shard(state="draining")
    assert judged(mine) == (True, "2 ready endpoints")
    assert judged(mine, shard("b", state="unhealthy")) == (True, "2 ready endpoints")
    assert judged(mine, shard("b", state="draining"))[0]
    assert judged(mine, shard("b")) == (False, "it is draining and others can serve: so")
    bare = msgspec.structs.replace(shard("b"), addresses=(), facts=ShardFacts())
    assert judged(mine, bare)[0], "one without an address serves nobody"


def test_a_member_without_the_service() -> None:
    assert judged(shard(), member="b") == (False, "it does not declare the service")


@pytest.mark.parametrize(
    ("told", "there"),
    [(None, False), (IP, True), (Inside(external_name="x.test"), True), (headless(False), False)],
)
def test_what_the_clusters_own_dns_would_know(told: Inside | None, there: bool) -> None:
    assert locality.exists(shard(ready=0, told=told, state="unhealthy")) is there
    assert not locality.exists(None)
