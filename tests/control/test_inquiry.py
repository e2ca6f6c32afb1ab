"""What becomes of a request: the data path's decision, with everybody who could have got it."""

import time
from typing import Any

import pytest
from msgspec import structs

from fedns import portal
from fedns.control import inquiry
from fedns.errors import FednsError
from fedns.gateway import compile, endpoints, route
from fedns.model import facts, snapshot
from fedns.model.ingress import Secret, Tls
from fedns.model.policy import TrafficPolicy
from fedns.model.selection import Place
from fedns.servers import api
from fedns.servers.itinerary import Asked, Itinerary
from fedns.values import Address
from tests.gateway.ingresses import NS, ingress, one, path
from tests.proxy import authorities

HOST = "shop.example.com"


def shard(member: str, state: snapshot.State, *told: tuple[str, bool]) -> snapshot.Shard:
    found = tuple(
        facts.Endpoint(address, (("http", 8080),), zone="z", ready=ready, serving=ready)
        for address, ready in told
    )
    known = facts.ShardFacts(("192.0.2.1",), (), (facts.Port("http", "tcp", 80),), None, found)
    evidence = (snapshot.Evidence("readiness", "up", "as told", 5.0),)
    verdict = snapshot.Verdict(state, "as told", 5.0, evidence=evidence)
    return snapshot.Shard(member, "", (), known, ("192.0.2.1",), verdict)


WORLD = snapshot.Snapshot(
    1.0,
    {},
    {
        f"{NS}/web": snapshot.Service(
            NS,
            "web",
            TrafficPolicy(),
            (
                shard("east", "healthy", ("10.0.0.1", True), ("10.0.0.2", False)),
                shard("south", "unhealthy", ("10.2.0.1", False)),
                shard("west", "healthy", ("10.1.0.1", True)),
            ),
            (facts.Port("http", "tcp", 80),),
        )
    },
)


def scene(secrets: dict[str, Secret] | None = None, **more: Any) -> inquiry.Scene:
    web = ingress(
        "web",
        one(HOST, path("/", "web")),
        annotations={"fedns.io/clusters": "east;west", "proxy-read-timeout": "7"},
        tls=(Tls((HOST,), "cert"),),
    )
    output = compile.table(compile.Input((web,), (), secrets or {}), compile.Settings())
    pools = {
        key: endpoints.pool(wanted, endpoints.Seen(WORLD.services.get(wanted.service)), 9.0).pool
        for key, wanted in output.wanted.items()
    }
    known: dict[str, Any] = {
        "settings": portal.Gateway((Address("127.0.0.1", 8080),), (Address("127.0.0.1", 8443),)),
        "table": output.table,
        "pools": pools,
        "output": output,
        "snapshot": WORLD,
        "generation": 4,
        "problems": [api.Problem("gateway", f"Ingress {NS}/web", "bad", ""), api.Problem("x", "y", "z", "")],
        "seen": {("west", next(iter(pools))): (5, 1, 0, 0, 2, 0)},
        "probes": {},
        "where": {},
    }
    return inquiry.Scene(**{**known, **more})


def told(url: str, *headers: tuple[str, str], **more: Any) -> Itinerary:
    client = more.pop("client", "")
    return inquiry.explained(scene(**more), Asked(url, "GET", headers, client), 10.0)


def test_it_is_told_with_everybody_who_could_have_got_it() -> None:
    made = told(f"http://{HOST}:8080/cart", ("X-Canary", "always"), client="192.0.2.9")
    assert (made.status, made.member, made.endpoint) == (0, "east", "10.0.0.1:8080")
    assert (made.listener, made.service, made.port) == ("127.0.0.1:8080", f"{NS}/web", "80")
    assert made.tries == ["10.1.0.1:8080"] and "3 tries" in made.retry and made.options["timeouts"]
    rows = {each.member: each for each in made.candidates}
    assert [each.member for each in made.candidates] == ["east", "west", "south"]
    assert (rows["east"].tier, rows["west"].tier, rows["south"].tier) == (1, 2, 0)
    assert rows["west"].why.startswith("in reserve") and rows["west"].seen["refused"] == 1
    assert rows["south"].why == "annotations of the Ingress choose other clusters"
    assert [(each.address, each.state, each.chosen) for each in rows["east"].endpoints] == [
        ("10.0.0.1:8080", "ready", True),
        ("10.0.0.2:8080", "not ready", False),
    ]
    assert [each.what for each in made.problems] == ["bad"]
    assert made.steps[0] == "listener 127.0.0.1:8080 for HTTP" and made.steps[1] == "client 192.0.2.9"


def test_over_tls_the_certificate_is_that_of_the_name_asked_for() -> None:
    made_for = authorities.make().issue(HOST, HOST)
    data = {"tls.crt": made_for.chain, "tls.key": made_for.key}
    secret = Secret(NS, "cert", "kubernetes.io/tls", data)
    made = told(f"https://{HOST}/", secrets={f"{NS}/cert": secret})
    assert made.certificate is not None and made.certificate.secret == f"{NS}/cert"
    assert made.certificate.names == [HOST] and (made.certificate.ends or 0) > time.time()
    assert f"certificate of secret {NS}/cert, for {HOST}" in made.steps
    none = told("https://else.example.com/", secrets={})
    assert none.certificate is not None and none.certificate.ends is None
    assert none.status == 404 and "no certificate can be shown" in none.steps[1]


def test_what_the_pool_is_made_by() -> None:
    levels = f"service {NS}/web: clusters by annotation: east; then west"
    made = told(f"http://{HOST}:8080/")
    assert made.steps[made.steps.index(levels) + 1].startswith("pool ")
    plain = ingress("web", one(HOST, path("/", "web")))
    output = compile.table(compile.Input((plain,)), compile.Settings())
    near = structs.replace(WORLD.services[f"{NS}/web"], policy=TrafficPolicy(strategy="Nearest"))
    world = structs.replace(WORLD, services={f"{NS}/web": near})
    more = {"output": output, "table": output.table, "snapshot": world, "pools": {}, "seen": {}}
    steps = told(f"http://{HOST}:8080/", **more).steps
    assert any(
        step.startswith(f"service {NS}/web: Nearest (member, then zone, then region") for step in steps
    )
    assert "the gateway is nowhere: gateway.place says where" in steps
    assert "the gateway is eu/eu-1" in told(f"http://{HOST}:8080/", place=Place("eu", "eu-1"), **more).steps
    inside = told(f"http://{HOST}:8080/", place=Place(member="east"), **more).steps
    assert "the gateway is inside member east" in inside


def test_where_addresses_decide_a_client_is_to_be_named() -> None:
    only = {"allowlist-source-range": "192.0.2.0/24"}
    output = compile.table(
        compile.Input((ingress("web", one(HOST, path("/", "web")), annotations=only),)), compile.Settings()
    )
    more = {"output": output, "table": output.table, "pools": {}, "seen": {}}
    made = told(f"http://{HOST}:8080/", **more)
    assert made.status == 403 and inquiry.NOBODY in made.steps
    assert inquiry.NOBODY not in told(f"http://{HOST}:8080/", client="192.0.2.1", **more).steps


def test_nobody_listens_there() -> None:
    assert "nothing listens on port 80 here" in told(f"http://{HOST}/").steps[0]
    silent = told(f"http://{HOST}/", settings=portal.Gateway())
    assert silent.listener == "" and "gateway.listen is not set" in silent.steps[0]


def test_what_nobody_sends_is_rejected_as_the_data_path_does() -> None:
    assert told("http://a%20b/", ("Host", "a b")).status == 400
    assert told(f"http://{HOST}/%").status == 400
    assert told(f"http://{HOST}/", ("Host", HOST), ("Host", HOST)).status == 400


@pytest.mark.parametrize("url", ["ftp://x/", "http:///x", "http://x:y/", "http://x:99999/"])
def test_no_url(url: str) -> None:
    with pytest.raises(FednsError):
        told(url)


def test_no_client() -> None:
    with pytest.raises(ValueError, match="does not appear"):
        told(f"http://{HOST}/", client="here")


def test_a_service_that_is_nowhere() -> None:
    made = told(f"http://{HOST}/", snapshot=snapshot.Snapshot(), pools={b"": route.Pool()})
    assert made.status == 503 and made.candidates == [] and made.endpoint == ""
