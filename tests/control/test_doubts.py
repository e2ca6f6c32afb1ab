"""What is well written and makes no sense is told, with what may have been meant."""

import pytest

from fedns.control import doubts
from fedns.model import assemble
from fedns.model.facts import Hostname, MemberFacts, Order, Port, ShardFacts
from fedns.model.policy import ProbeSpec, TrafficPolicy
from fedns.model.snapshot import Snapshot

DNS = ShardFacts(("192.0.2.1",), ports=(Port("dns", "udp", 53),))
WEB = ShardFacts((), ("lb.example.net",), ports=(Port("http", "tcp", 80),))
EAST = MemberFacts("east", "eu", ("eu-1",), {}, {"shop/web": WEB, "shop/dns": DNS}, (), "reachable", 1.0, 1.0)
FLEET = assemble.assemble(Snapshot(), assemble.World({"east": EAST}), None, 10.0)


@pytest.mark.parametrize(
    ("target", "policy", "what", "hint"),
    [
        ("shop/wbe", TrafficPolicy(), "no member declares this service", "did you mean 'shop/web'?"),
        ("*", TrafficPolicy("PrimarySecondary", order=("aest",)), "`order` names 'aest', which is no member",
         "did you mean 'east'?"),
        ("shop/web", TrafficPolicy("Weighted", weights={"e": 1}), "`weights` names 'e', which is no member",
         ""),
        ("shop/web", TrafficPolicy(weights={"east": 1}), "`weights` mean nothing to strategy ActiveActive",
         "write `strategy: Weighted`"),
        ("shop/web", TrafficPolicy(spill=True), "`order` and `spill` mean nothing to strategy ActiveActive",
         "write `strategy: PrimarySecondary`"),
        ("shop/web", TrafficPolicy("Weighted"),
         "strategy Weighted without `weights`: all members weigh the same",
         "give each member a weight"),
        ("shop/web", TrafficPolicy("PrimarySecondary"),
         "strategy PrimarySecondary without `order`: nobody comes first", "list the members in `order`"),
        ("shop/web", TrafficPolicy(backup=("192.0.2.9",)), "`backup` is never used",
         "write `onAllUnhealthy: backup`"),
        ("shop/dns", TrafficPolicy(probe=ProbeSpec()), "there is no TCP port to probe: nothing is probed",
         "name one: `probe.port`"),
    ],
)  # fmt: skip
def test_a_policy_that_does_not_say_what_it_means(
    target: str, policy: TrafficPolicy, what: str, hint: str
) -> None:
    (found,) = doubts.policies(FLEET, {target: policy})
    assert (found.what, found.hint) == (what, hint)
    assert found.where == f"TrafficPolicy for {'every service' if target == '*' else target}"


def test_policies_that_mean_something() -> None:
    weighted = TrafficPolicy("Weighted", weights={"east": 1}, probe=ProbeSpec())
    ordered = TrafficPolicy("PrimarySecondary", order=("east",), spill=True, probe=ProbeSpec(port=53))
    assert doubts.policies(FLEET, {"shop/web": weighted, "shop/dns": ordered, "*": TrafficPolicy()}) == ()


def test_many_mistakes_are_told_without_guessing_at_each() -> None:
    found = doubts.policies(FLEET, {f"shop/web{number:03}": TrafficPolicy() for number in range(100)})
    assert len(found) == 100
    assert sum(bool(each.hint) for each in found) == doubts.HINTED


def test_a_host_name_that_does_not_resolve() -> None:
    failing = {"lb.example.net": Hostname((), 0.0, "there is no such name")}
    (found,) = doubts.hostnames(FLEET, failing)
    assert found.where == "service shop/web, member east"
    assert found.what == "host name 'lb.example.net' is not resolved: there is no such name"
    assert doubts.hostnames(FLEET, {"lb.example.net": Hostname(("192.0.2.1",), 1.0)}) == ()


def test_an_order_for_what_is_not_there_any_more() -> None:
    there = ("east", "east/shop/web", "region:eu", "zone:eu-1")
    gone = ("west", "west/shop/web", "region:us", "zone:eu-2")
    found = doubts.orders(FLEET, tuple(Order(target, "drain", 1.0) for target in (*there, *gone)))
    assert [each.where for each in found] == [f"order for {target}" for target in gone]
