"""What multi-cluster gateways are for, line by line (issue 5, line 1), with real backends in three members.

Everything is configured in the fleet; members have Services and EndpointSlices, and nothing else.
"""

import time
from collections import Counter
from collections.abc import Iterator, Mapping

import pytest
import yaml

from tests.bench import herd, serving
from tests.scenarios import shops, world

MEMBERS = {
    name: [f"127.2.{at}.{n}" for n in range(1, 5)] for at, name in enumerate(("east", "west", "south"))
}
KINDS = ("one", "two", "three", "four")
KIND = {f"kind-{n}": KINDS[(n - 1) // 2] for n in range(1, 9)}
"""Replica -> the Service that it is of; each has one replica in the east and one in the west."""
NGINX, FEDNS, MSE = "nginx.ingress.kubernetes.io/", "fedns.io/", "mse.ingress.kubernetes.io/"
DELAY = 3.0  # seconds of failback
MANY = 2000


class Stage:
    """All members with all their replicas."""

    def __init__(self, fleet: shops.Shops, served: shops.Served) -> None:
        self.fleet, self.served = fleet, served

    def offers(self, service: str, **ready: int) -> None:
        """A Service in some members: so many of their four replicas are ready."""
        for member, count in ready.items():
            there = MEMBERS[member]
            self.fleet.serves(member, there[:count], there[count:], service)

    def opens(self, service: str, annotations: Mapping[str, str] | None = None) -> None:
        """An Ingress at the host of its name."""
        self.fleet.ingress(service, f"{service}.example.com", annotations or {}, shops.path(service))

    def goes(self, target: str, host: str, method: str = "GET", **headers: str) -> set[str]:
        """Which Services (or statuses) requests come to."""
        told = {"Host": host, **{key.replace("_", "-"): value for key, value in headers.items()}}
        return {KIND.get(who, who) for who in shops.answers(self.served.http, 4, target, told, method)}

    def shares(self, service: str, requests: int = MANY) -> Counter[str]:
        return self.served.members(requests, host=f"{service}.example.com")

    def settles(self, service: str, *members: str) -> None:
        """Until nobody else serves it, at any worker."""
        host = f"{service}.example.com"
        world.until(lambda: self.served.reached(host) == set(members), f"{service} at {members}")


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    port = serving.free_port()
    kinds = [f"127.2.9.{n}" for n in range(1, 9)]
    fleet = shops.Shops(tmp_path_factory.mktemp("ackone"), MEMBERS, port)
    for at, name in enumerate(KINDS):
        fleet.serves("east", kinds[2 * at : 2 * at + 1], name=name)
        fleet.serves("west", kinds[2 * at + 1 : 2 * at + 2], name=name)
    fleet.ingress("site", "site.example.com", {}, *SITE)
    with herd.running(port, kind=kinds, **MEMBERS), shops.serve(fleet) as served:
        made = Stage(fleet, served)
        for _ in range(16):  # each worker
            world.until(lambda: made.goes("/exact", "site.example.com") == {"one"}, "the first route")
        yield made


SITE = (
    shops.path("one", "/exact", "Exact"),
    shops.path("two", "/pre", "Prefix"),
    shops.path("three", "/impl", "ImplementationSpecific"),
)


# (a) routing


@pytest.mark.parametrize(
    ("target", "kind"),
    [
        ("/exact", "one"),
        ("/exact/", "404"),
        ("/exact?a=b", "one"),
        ("/pre", "two"),
        ("/pre/fix", "two"),
        ("/prefix", "404"),
        ("/impl", "three"),
        ("/implementation", "three"),
        ("/", "404"),
    ],
)
def test_requests_are_routed_by_path(stage: Stage, target: str, kind: str) -> None:
    assert stage.goes(target, "site.example.com") == {kind}


def test_requests_are_routed_by_host_and_one_label_of_it(stage: Stage) -> None:
    stage.fleet.ingress("wild", "*.wild.example.com", {}, shops.path("two"))
    stage.fleet.ingress("tame", "tame.wild.example.com", {}, shops.path("three"))
    world.until(lambda: stage.goes("/", "tame.wild.example.com") == {"three"}, "the hosts")
    assert stage.goes("/", "any.wild.example.com") == {"two"}
    assert stage.goes("/", "a.b.wild.example.com") == {"404"}
    assert stage.goes("/", "wild.example.com") == {"404"}


def test_requests_are_routed_by_method_and_header(stage: Stage) -> None:
    host = "match.example.com"
    stage.fleet.ingress("match", host, {}, shops.path("one"))
    stage.fleet.ingress("match-post", host, {MSE + "match-method": "POST PUT"}, shops.path("two"))
    stage.fleet.ingress("match-jo", host, {MSE + "exact-match-header-x-user": "jo"}, shops.path("three"))
    world.until(lambda: stage.goes("/", host, x_user="jo") == {"three"}, "the header")
    world.until(lambda: stage.goes("/", host, "POST") == {"two"}, "the method")
    assert stage.goes("/", host) == stage.goes("/", host, x_user="joe") == {"one"}


def test_a_header_names_the_cluster(stage: Stage) -> None:
    stage.offers("named", east=2, west=2)
    stage.opens("named", {FEDNS + "cluster-by-header": "X-Cluster"})
    stage.settles("named", "east", "west")
    for member in ("east", "west"):
        named = {"X-Cluster": member}
        assert stage.served.members(100, "/", "named.example.com", **named) == {member: 100}


def test_a_header_leads_to_the_canary_of_one_cluster(stage: Stage) -> None:
    stage.offers("gray", east=2, west=2)
    stage.opens("gray")
    told = {
        NGINX + "canary": "true",
        NGINX + "canary-by-header": "stage",
        NGINX + "canary-by-header-value": "gray",
        MSE + "subset-labels": "topology.istio.io/cluster west",
    }
    stage.fleet.ingress("gray-canary", "gray.example.com", told, shops.path("gray"))
    asked = {"stage": "gray"}
    world.until(
        lambda: stage.served.members(50, "/", "gray.example.com", **asked) == {"west": 50}, "the canary"
    )
    assert set(stage.shares("gray", 200)) == {"east", "west"}


# (b) splitting


def canary(**annotations: str) -> dict[str, str]:
    return {NGINX + "canary": "true", **{NGINX + key.replace("_", "-"): v for key, v in annotations.items()}}


def test_weights_split_traffic_among_several_canaries_of_one_rule(stage: Stage) -> None:
    host = "split.example.com"
    stage.fleet.ingress("split", host, {}, shops.path("one"))
    stage.fleet.ingress("split-2", host, canary(canary_weight="30"), shops.path("two"))
    stage.fleet.ingress("split-3", host, canary(canary_weight="10"), shops.path("three"))

    def kinds(requests: int) -> Counter[str]:
        found: Counter[str] = Counter()
        for who, count in stage.served.who(requests, "/", host).items():
            found[KIND.get(who, who)] += count
        return found

    world.until(lambda: set(kinds(200)) == {"one", "two", "three"}, "both canaries")
    counts = kinds(4000)  # draws: each bound is more than five standard deviations away
    assert abs(counts["two"] - 1200) < 150 and abs(counts["three"] - 400) < 100, counts


def test_a_cookie_or_a_header_takes_its_users_to_the_other_version(stage: Stage) -> None:
    host = "ab.example.com"
    stage.fleet.ingress("ab", host, {}, shops.path("one"))
    stage.fleet.ingress("ab-cookie", host, canary(canary_by_cookie="beta"), shops.path("two"))
    stage.fleet.ingress("ab-header", host, canary(canary_by_header="X-Gamma"), shops.path("three"))
    world.until(lambda: stage.goes("/", host, cookie="beta=always") == {"two"}, "by cookie")
    world.until(lambda: stage.goes("/", host, x_gamma="always") == {"three"}, "by header")
    assert stage.goes("/", host) == stage.goes("/", host, cookie="beta=never") == {"one"}


def test_blue_becomes_green_at_once_and_back(stage: Stage) -> None:
    host = "bg.example.com"
    for kind in ("one", "two", "one"):
        stage.fleet.ingress("bg", host, {}, shops.path(kind))
        world.until(lambda kind=kind: stage.goes("/", host) == {kind}, kind)  # type: ignore[misc]
        world.until(lambda kind=kind: all(stage.goes("/", host) == {kind} for _ in range(16)), kind)  # type: ignore[misc]


# (c) all members at once


def test_traffic_is_in_proportion_to_ready_replicas(stage: Stage) -> None:
    stage.offers("active", east=2, west=2)
    stage.opens("active")
    stage.served.agrees("east", "west", service="active")
    counts = stage.shares("active")
    assert all(abs(counts[each] - MANY / 2) <= MANY * 0.02 for each in ("east", "west")), counts
    stage.offers("active", east=3, west=1)
    world.until(lambda: stage.shares("active", 100)["east"] > 65, "three to one")
    world.until(lambda: abs(stage.shares("active")["east"] - MANY * 0.75) <= MANY * 0.02, "at each worker")
    stage.offers("active", east=3, west=0)
    stage.served.agrees("east", service="active")
    assert stage.shares("active", 500) == {"east": 500}


# (d) in order


def test_the_secondary_serves_when_the_primary_cannot_and_so_on(stage: Stage) -> None:
    stage.offers("primary", east=2, west=2, south=2)
    stage.fleet.policy("primary", strategy="PrimarySecondary", order=["west", "east"])
    stage.opens("primary")
    stage.served.agrees("west", service="primary")
    stage.offers("primary", west=1)  # strict: one of four is enough
    stage.served.agrees("west", service="primary")
    assert stage.shares("primary", 500) == {"west": 500}
    for member, heir in (("west", "east"), ("east", "south")):
        stage.offers("primary", **{member: 0})
        stage.served.agrees(heir, service="primary")
        assert stage.shares("primary", 500) == {heir: 500}
    stage.offers("primary", east=2, west=2)
    stage.served.agrees("west", service="primary")


def test_a_primary_that_is_back_serves_after_a_delay(stage: Stage) -> None:
    stage.offers("back", east=2, west=2, south=2)
    stage.opens("back", {FEDNS + "clusters": "west;east;south", FEDNS + "failback": f"{DELAY:.0f}s"})
    stage.settles("back", "west")
    stage.offers("back", west=0)
    stage.settles("back", "east")
    written = time.monotonic()
    stage.offers("back", west=2)
    while (found := stage.shares("back", 20)) == {"east": 20}:
        assert time.monotonic() - written < world.LONG
        time.sleep(0.02)
    assert time.monotonic() - written >= DELAY and set(found) <= {"east", "west"}
    stage.settles("back", "west")


def test_a_primary_that_loses_replicas_is_helped_in_proportion_where_asked(stage: Stage) -> None:
    stage.offers("spill", east=4, west=4)
    stage.opens("spill", {FEDNS + "clusters": "west;east", FEDNS + "spill-threshold": "80"})
    stage.settles("spill", "west")
    stage.offers("spill", west=2)
    stage.settles("spill", "west", "east")
    counts = stage.shares("spill")  # 2 of 4 are 62.5 % of the 80 % that would do
    assert abs(counts["west"] - MANY * 0.625) <= MANY * 0.02, counts
    stage.offers("spill", west=0)
    stage.settles("spill", "east")


# (e) one replica


def test_one_replica_that_is_not_ready_leaves_alone(stage: Stage) -> None:
    stage.offers("alone", east=4, west=3)
    stage.opens("alone")
    stage.served.agrees("east", "west", service="alone")
    served = stage.served.who(700, "/", "alone.example.com")
    assert set(served) == {f"east-{n}" for n in range(1, 5)} | {f"west-{n}" for n in range(1, 4)}
    assert all(abs(count - 100) <= 14 for count in served.values()), served


# (g) in the fleet only


def test_nothing_is_installed_in_members(stage: Stage) -> None:
    found = stage.fleet.root.glob("members/**/*")
    objects = [one for each in found if each.is_file() for one in yaml.safe_load_all(each.read_text())]
    assert {one["kind"] for one in objects} == {"Service", "EndpointSlice"}
    assert not any(key.startswith("fedns") for one in objects for key in one["metadata"].get("labels", {}))
