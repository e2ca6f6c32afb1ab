from typing import Any

import dns.message
import msgspec
import pytest
from msgspec import structs

from fedns.dns import atlas, client, explain, explanation
from fedns.errors import FednsError
from tests.dns import test_places as places
from tests.golden import fleet

STATIC = """
@ 60 IN SOA ns.x. me.x. 1 2 3 4 5
@ 60 IN NS ns.x.
a.b 60 IN TXT here
*.wild 60 IN TXT there
away 60 IN NS ns.x.
shop 60 IN CNAME web.shop.fed.svc.europe
"""
WORLD: dict[str, Any] = {
    "settings": {
        "federation": "fed",
        "domain": "example.com",
        "nameservers": {"ns1.example.com": ["127.0.0.1"]},
    },
    "members": {
        "eu": {"region": "europe", "zones": ["europe-b"]},
        "us": {"region": "america", "zones": ["america-a"]},
    },
    "services": {
        "shop/web": {
            "shards": {
                "eu": {"addresses": ["192.0.2.2"], "state": "unhealthy"},
                "us": {"addresses": ["192.0.2.1"]},
            }
        }
    },
    "static": STATIC,
}
GLOBAL = "web.shop.fed.svc.example.com."
REGION = "web.shop.fed.svc.europe.example.com."


def told(name: str, rtype: str = "A", **change: Any) -> explanation.Explanation:
    built = fleet.build({**WORLD, **change})
    return explain.explain(built.snapshot, built.layout, built.table(), (name, rtype), fleet.NOW)


def test_a_region_without_a_healthy_shard() -> None:
    found = told(REGION.upper())
    assert (found.kind, found.service, found.level, found.via) == (
        "federated",
        "shop/web",
        "region",
        (GLOBAL,),
    )
    assert found.reply.answer == (f"{REGION} 15 IN CNAME {GLOBAL}", f"{GLOBAL} 15 IN A 192.0.2.1")
    assert found.selection == (("us", 1.0),)
    assert (found.ttl, "halved" in found.ttl_why) == (15, True)
    down, up = found.candidates
    assert (down.member, down.serves, down.state, down.age) == ("eu", False, "unhealthy", 60.0)
    assert "unhealthy" in down.why
    assert (up.member, up.serves, up.share, up.why) == ("us", True, 1.0, "serves")
    assert [(fact.kind, fact.says, fact.age) for fact in down.evidence] == [("readiness", "down", 0.0)]


def test_the_records_are_those_of_the_reply() -> None:
    found = told(GLOBAL)
    reply = dns.message.from_wire(bytes.fromhex(found.reply.wire))
    assert "\n".join(found.reply.answer) == "\n".join(rrset.to_text() for rrset in reply.answer)


def test_fail_open_is_told_with_its_error_code() -> None:
    services = {
        "shop/web": {
            "shards": {"us": {"addresses": ["192.0.2.1"], "state": "unhealthy"}},
            "last_good": ["us"],
        }
    }
    found = told(GLOBAL, services=services)
    assert "fail open" in found.rule
    assert found.reply.errors[0].startswith("EDE 3")
    assert found.candidates[0].serves


def test_below_a_service() -> None:
    assert told(f"_http._tcp.{GLOBAL}", "SRV").service == "shop/web"
    assert told(f"_explain.{GLOBAL}", "TXT").reply.answer


@pytest.mark.parametrize(
    ("name", "kind", "rcode"),
    [
        ("a.b.example.com", "static", "NOERROR"),
        ("b.example.com", "between", "NOERROR"),
        ("svc.europe.example.com", "between", "NOERROR"),
        ("x.b.example.com", "missing", "NXDOMAIN"),
        ("other.shop.fed.svc.example.com", "missing", "NXDOMAIN"),
        ("example.net", "foreign", "REFUSED"),
        ("x.wild.example.com", "static", "NOERROR"),
        ("x.away.example.com", "static", "NOERROR"),
    ],
)
def test_names_that_are_no_service(name: str, kind: str, rcode: str) -> None:
    found = told(name)
    assert (found.kind, found.reply.rcode, found.candidates) == (kind, rcode, ())


def test_a_static_alias_is_followed_into_the_federation() -> None:
    found = told("shop.example.com")
    assert (found.kind, found.service, found.via) == ("static", "shop/web", (GLOBAL,))
    assert found.steps[0] == "static data of zone example.com."
    assert found.reply.answer[-1] == f"{GLOBAL} 15 IN A 192.0.2.1"


def test_a_deleted_service() -> None:
    found = told(GLOBAL, services={"shop/web": {"tombstone": fleet.NOW - 5}})
    assert found.reply.rcode == "NOERROR"
    assert any("no member declares it since 2027-01-15T07:59:55Z" in step for step in found.steps)
    assert not any("ever good" in step for step in found.steps)


def test_each_level_that_cannot_serve_says_why() -> None:
    found = told(REGION)
    assert (
        "region europe: no shard can serve here (eu: it is unhealthy: 0 of 3 endpoints ready),"
        " alias of the global name" in found.steps
    )
    services = {"shop/web": {"shards": {"us": {"addresses": ["192.0.2.1"]}}}}
    found = told(REGION, services=services)
    assert any(
        "no shard can serve here (no member there declares the service)" in step for step in found.steps
    )


def test_a_zone_whose_endpoints_are_not_ready() -> None:
    members = {"eu": {"region": "europe", "zones": ["europe-b", "europe-c"]}}
    counts = [("europe-b", 2), ("europe-c", 0)]
    ready = [{"zone": zone, "ready": n, "serving": n, "terminating": 0, "total": 2} for zone, n in counts]
    services = {"shop/web": {"shards": {"eu": {"addresses": ["192.0.2.2"], "readiness": ready}}}}
    found = told("web.shop.fed.svc.europe-c.example.com", members=members, services=services)
    assert "(eu: no endpoint is ready in zone europe-c), alias of the region name" in found.steps[1]


def test_a_type_that_the_name_lacks() -> None:
    assert told(GLOBAL, "AAAA").steps[-1] == "the name exists, and has no AAAA: no data"


def test_a_port_that_the_service_lacks() -> None:
    services = {"shop/web": {"ports": [["http", "tcp", 80]], "shards": {"us": {"addresses": ["192.0.2.1"]}}}}
    found = told(f"_nope._tcp.{GLOBAL}", "SRV", services=services)
    assert found.reply.rcode == "NXDOMAIN"
    assert "no such name there; its named ports are _http._tcp" in found.steps


@pytest.mark.parametrize(
    "name", ["api.shop.fed.svc.example.com", "_a._b.api.shop.fed.svc.europe.example.com"]
)
def test_a_service_that_nobody_declares(name: str) -> None:
    assert told(name).steps[1].startswith("no member declares a service shop/api that is to be published: ")


def test_aliases_that_end_in_a_ring_or_elsewhere() -> None:
    static = STATIC + "one 60 IN CNAME two\ntwo 60 IN CNAME one\nout 60 IN CNAME www.example.net.\n"
    ring, out = told("one.example.com", static=static), told("out.example.com", static=static)
    assert ring.steps[-1] == "the aliases go round in a ring: one.example.com. was there before"
    assert out.steps[-1].endswith("out of the zones served here: resolvers go on at www.example.net.")


def test_a_host_name_that_is_not_resolved_gives_no_address() -> None:
    services = {"shop/web": {"shards": {"eu": {"hostnames": ["lb.x"]}, "us": {"addresses": ["192.0.2.1"]}}}}
    eu, us = told(GLOBAL, services=services).candidates
    assert (eu.serves, eu.hostnames, eu.why) == (False, ("lb.x",), "could serve, but is not resolved: lb.x")
    assert us.serves
    found = told(REGION, services=services)
    assert found.candidates[0].serves and found.reply.answer == (f"{REGION} 30 IN CNAME lb.x.",)


def test_a_lost_api_is_told_and_judges_nobody() -> None:
    built = fleet.build(WORLD)
    gone = structs.replace(built.snapshot.members["us"], api="unreachable", api_since=fleet.NOW - 9)
    lost = structs.replace(built.snapshot, members={**built.snapshot.members, "us": gone})
    eu, us = explain.explain(lost, built.layout, built.table(), (GLOBAL, "A"), fleet.NOW).candidates
    assert us.serves and us.state == "healthy"
    assert (us.evidence[-1].kind, us.evidence[-1].age) == ("reachability", 9)
    assert {each.kind for each in eu.evidence} == {"readiness"}


def test_it_goes_through_json() -> None:
    found = told(REGION)
    assert msgspec.json.decode(msgspec.json.encode(found), type=explanation.Explanation) == found


def test_what_dns_makes_of_shares_is_said() -> None:
    both = {"shards": {name: {"addresses": [f"192.0.2.{at}"]} for at, name in enumerate(("eu", "us"), 1)}}
    alike = told(GLOBAL, services={"shop/web": both})
    assert "each answer holds all their addresses, turned around: clients come to each alike" in alike.steps
    weights = {"strategy": "Weighted", "weights": {"eu": 1, "us": 3}}
    dealt = told(GLOBAL, services={"shop/web": {**both, "policy": weights}})
    assert "each answer holds the addresses of one of them, as often as its share says" in dealt.steps


def test_bad_questions() -> None:
    with pytest.raises(ValueError, match="not a record type"):
        told(GLOBAL, "WAT")
    with pytest.raises(FednsError):
        told("a..b")


def test_a_name_with_escapes() -> None:
    assert told("a\\.b.example.com").name == "a\\.b.example.com."


def seen_from(address: str, **settings: Any) -> explanation.Explanation:
    built = fleet.build({**places.WORLD, "where": places.WORLD["where"]._replace(**settings)})
    asked = explain.Question(places.GLOBAL, "A", places.From(address) if address else client.NOBODY)
    return explain.explain(built.snapshot, built.layout, built.table(), asked, fleet.NOW)


@pytest.mark.parametrize(
    ("address", "step", "member", "subnet"),
    [
        (
            "10.1.2.3",
            "is in zone us-east1-a of region us-east1: 10.1.2.0/24 of `places`",
            "us",
            "10.1.2.0/25",
        ),
        ("2001:db8::1", "is in region us-west1: 2001:db8::/32 of `places`", "uw", "2001:db8::/32"),
        ("203.0.113.1", "is nowhere in particular: no rule is about it, so it", "as", "128.0.0.0/1"),
        ("", "no client is named: the default view, for clients nowhere in particular", "as", ""),
    ],
)
def test_the_client_and_the_place_it_is_at(address: str, step: str, member: str, subnet: str) -> None:
    found = seen_from(address)
    assert any(step in each for each in found.steps), found.steps
    assert found.candidates[0].member == "as"
    assert member in {each.member for each in found.candidates if each.serves}
    assert len(found.selection) == (1 if address and "particular" not in step else 4)
    assert {row.split()[4] for row in found.reply.answer} == {
        address
        for each in found.candidates
        if each.serves
        for address in each.addresses
        if ":" not in address
    }
    assert found.reply.subnet == subnet
    assert any("for clients in" in each for each in found.steps) is bool(subnet)


def test_a_place_that_does_not_matter() -> None:
    built = fleet.build(places.WORLD)
    asked = explain.Question("same.n.fed.svc.example.com", "A", places.From("10.1.2.3"))
    found = explain.explain(built.snapshot, built.layout, built.table(), asked, fleet.NOW)
    assert "clients' places do not matter to its strategy" in found.steps
    assert "it holds for all clients" in found.steps


def test_an_alias_is_explained_by_what_it_stands_for() -> None:
    settings = {**WORLD["settings"], "aliases": {"example.com": REGION, "www.a.b.example.com": "example.com"}}
    found = told("example.com", settings=settings)
    assert found.service == "shop/web" and f"example.com. has the addresses of {REGION}" in found.steps
    found = told("example.com", "TXT", settings=settings)
    assert found.service == "" and not any("has the addresses" in each for each in found.steps)


def test_who_is_inside_a_member_by_the_listener() -> None:
    where = atlas.Settings(inside=("us",))
    built = fleet.build(places.WORLD | {"where": where})
    for asker in (places.From(member="us"), client.Client(client.NOBODY.host, "us")):
        asked = explain.Question(places.GLOBAL, "A", asker)
        told = explain.explain(built.snapshot, built.layout, built.table(), asked, fleet.NOW)
        said = "is inside member us, in zone us-east1-a of region us-east1: as who asks at a listener"
        assert any(said in step for step in told.steps)
        assert [share.member for share in told.selection] == ["us"]
