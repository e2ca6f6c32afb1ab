"""The cluster domain as clients inside members are told of it: on whole tables, through `respond`."""

from typing import Any

import dns.edns
import dns.message
import dns.rcode
import dns.rdatatype
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedns.dns import atlas, client, dump, inside, names, node, respond, signing, wire
from tests.dns import asking
from tests.dns.test_places import From
from tests.fakes import signed
from tests.golden import fleet

MEMBERS = {
    "eu": {"region": "europe-west1", "zones": ["europe-west1-b", "europe-west1-c"]},
    "us": {"region": "us-east1", "zones": ["us-east1-a"]},
    "bare": {"zones": []},
    "region": {"region": "us-east1"},
}
CLIENTS = {
    "eu": ("10.1.0.0/16",),
    "us": ("10.2.0.0/16",),
    "bare": ("10.3.0.0/16",),
    "region": ("10.4.0.0/16",),
}
WHERE = atlas.Settings(prefixes=(("10.1.9.0/24", "europe-west1", "europe-west1-c"),), clients=CLIENTS)
IN = {
    "eu": "10.1.0.1",
    "eu-c": "10.1.9.1",
    "us": "10.2.0.1",
    "bare": "10.3.0.1",
    "region": "10.4.0.1",
    "out": "192.0.2.9",
}
SHORT = "s.n.fed.svc.cluster.local."
OWN = "s.n.svc.cluster.local."
G = "s.n.fed.svc.example.com."
US, USA = "s.n.fed.svc.us-east1.example.com.", "s.n.fed.svc.us-east1-a.us-east1.example.com."
EU, EUB = "s.n.fed.svc.europe-west1.example.com.", "s.n.fed.svc.europe-west1-b.europe-west1.example.com."
EUC = "s.n.fed.svc.europe-west1-c.europe-west1.example.com."
SETTINGS = {"federation": "fed", "domain": "example.com", "nameservers": {"ns1.example.com": ["127.0.0.1"]}}


def shard(*ips: str, address: str = "192.0.2.1", **fields: Any) -> dict[str, Any]:
    return {"addresses": [address], "inside": {"cluster_ips": list(ips)}, **fields}


def table(shards: dict[str, Any], style: inside.Style = "cname", **service: Any) -> dict[bytes, bytes]:
    world = {"settings": SETTINGS, "members": MEMBERS, "where": WHERE}
    world["services"] = {"n/s": {"shards": shards, "ports": [["http", "tcp", 80]], **service}}
    return fleet.build(world).table(inside.Kind(inside.Settings(style=style)))


def ask(view: dict[bytes, bytes], name: str, rtype: str = "A", where: str = "us") -> dns.message.Message:
    return asking.both(view, (name, rtype), wire.OWN_SIZE, From(IN[where]))


def told(view: dict[bytes, bytes], name: str, rtype: str = "A", where: str = "us") -> list[str]:
    """`OWNER TYPE RDATA` of the answer, in its order."""
    reply = ask(view, name, rtype, where)
    return [
        f"{each.name} {dns.rdatatype.to_text(each.rdtype)} {one}" for each in reply.answer for one in each
    ]


def test_the_local_shard_with_ready_endpoints_is_the_answer() -> None:
    view = table({"us": shard("10.0.0.1"), "eu": shard("10.0.0.2", address="192.0.2.2")})
    assert told(view, SHORT) == [f"{SHORT} CNAME {OWN}", f"{OWN} A 10.0.0.1"]
    assert told(view, SHORT, where="eu") == [f"{SHORT} CNAME {OWN}", f"{OWN} A 10.0.0.2"]
    assert told(view, OWN) == [f"{OWN} A 10.0.0.1"]


def test_without_ready_endpoints_it_leads_to_the_zones_name_and_on_to_addresses() -> None:
    view = table({"us": shard("10.0.0.1", state="unhealthy"), "eu": shard("10.0.0.2", address="192.0.2.2")})
    chain = [f"{SHORT} CNAME {USA}", f"{USA} CNAME {US}", f"{US} CNAME {G}", f"{G} A 192.0.2.2"]
    assert told(view, SHORT) == chain
    assert told(view, OWN) == [f"{OWN} A 10.0.0.1"], "as the cluster itself has it"


def test_absent_in_the_member_it_leads_away_and_there_is_no_local_name() -> None:
    view = table({"eu": shard("10.0.0.2", address="192.0.2.2")})
    assert told(view, SHORT)[0] == f"{SHORT} CNAME {USA}"
    assert ask(view, OWN).rcode() == dns.rcode.NXDOMAIN
    assert ask(view, f"_http._tcp.{OWN}", "SRV").rcode() == dns.rcode.NXDOMAIN
    assert told(view, OWN, where="eu") == [f"{OWN} A 10.0.0.2"]


def test_a_client_in_a_known_zone_is_led_by_that_zones_name_and_others_by_the_first() -> None:
    view = table({"us": shard("10.0.0.1")})
    assert told(view, SHORT, where="eu")[0] == f"{SHORT} CNAME {EUB}"
    assert told(view, SHORT, where="eu-c")[0] == f"{SHORT} CNAME {EUC}"


def test_a_member_without_zone_or_region_gets_the_widest_name_it_can() -> None:
    view = table({"us": shard("10.0.0.1")})
    assert told(view, SHORT, where="region")[0] == f"{SHORT} CNAME {US}"
    assert told(view, SHORT, where="bare") == [f"{SHORT} CNAME {G}", f"{G} A 192.0.2.1"]


def test_who_is_in_no_member_gets_the_global_name_and_no_local_one() -> None:
    view = table({"us": shard("10.0.0.1")})
    assert told(view, SHORT, where="out") == [f"{SHORT} CNAME {G}", f"{G} A 192.0.2.1"]
    for rtype in ("A", "AAAA", "TXT", "HTTPS"):
        assert ask(view, OWN, rtype, where="out").rcode() == dns.rcode.NXDOMAIN


@pytest.mark.parametrize("rtype", ["A", "AAAA", "HTTPS", "TXT", "SRV", "ANY"])
@pytest.mark.parametrize("where", ["us", "eu", "out"])
@pytest.mark.parametrize(
    "name",
    [
        "s.n.fed.other.svc.cluster.local",
        "s.n.fed.n.svc.cluster.local",
        "s.n.fed.cluster.local",
        "s.n.cluster.local",
        "s.n.other.svc.cluster.local",
        "www.example.com.n.svc.cluster.local",
        "www.example.com.svc.cluster.local",
        "www.example.com.cluster.local",
        "a.b.c.d.e.www.example.com.n.svc.cluster.local",
        "10-1-2-3.n.pod.cluster.local",
    ],
)
def test_all_other_steps_of_a_search_path_are_not_there(name: str, where: str, rtype: str) -> None:
    view = table({"us": shard("10.0.0.1")})
    reply = ask(view, name, rtype, where)
    assert reply.rcode() == dns.rcode.NXDOMAIN and not reply.answer
    (soa,) = reply.authority
    assert str(soa.name) == "cluster.local." and soa.ttl <= 30 and soa[0].minimum <= 30


def test_both_families_and_a_chain_without_one_of_them() -> None:
    view = table(
        {"us": shard("10.0.0.1", "fd00::1"), "eu": shard("10.0.0.2", address="192.0.2.2")},
    )
    assert told(view, SHORT, "AAAA") == [f"{SHORT} CNAME {OWN}", f"{OWN} AAAA fd00::1"]
    reply = ask(view, SHORT, "AAAA", "eu")
    assert [str(each.name) for each in reply.authority] == ["cluster.local."] and len(reply.answer) == 1
    reply = ask(table({"us": shard("10.0.0.1")}), SHORT, "AAAA", "eu")
    assert len(reply.answer) == 3 and reply.rcode() == dns.rcode.NOERROR
    assert [str(each.name) for each in reply.authority] == ["example.com."], "the zone where the chain ends"


def test_ready_answers_lie_in_the_table() -> None:
    view = table({"us": shard("10.0.0.1")})
    for name in (SHORT, OWN):
        for each in node.views(view[names.wire(name)]):
            kinds = {node.SLOT.unpack_from(each, at)[0] for at in node.SLOT_AT.values()}
            assert kinds <= {node.PLAIN, node.ROTATE, node.NODATA} or node.absent(each)


def test_ports_are_found_at_the_local_name() -> None:
    view = table({"us": shard("10.0.0.1")})
    reply = ask(view, f"_http._tcp.{OWN}", "SRV")
    assert [str(each) for each in reply.answer[0]] == [f"0 100 80 {OWN}"]
    assert [str(each) for each in reply.additional[0]] == ["10.0.0.1"]
    assert ask(view, f"_tcp.{OWN}").rcode() == dns.rcode.NOERROR


def backend(address: str, hostname: str = "", ready: bool = True) -> dict[str, Any]:
    return {"address": address, "hostname": hostname, "ports": [["http", 8080]], "ready": ready}


def headless(*backends: dict[str, Any]) -> dict[str, Any]:
    told = {"headless": True, "backends": list(backends)}
    return {"addresses": ["192.0.2.1"], "inside": told}


def test_a_headless_service_is_its_ready_endpoints() -> None:
    view = table(
        {"us": headless(backend("10.9.0.1", "a"), backend("10.9.0.2"), backend("10.9.0.3", ready=False))}
    )
    assert sorted(told(view, SHORT)[1:]) == [f"{OWN} A 10.9.0.1", f"{OWN} A 10.9.0.2"]
    assert told(view, SHORT)[0] == f"{SHORT} CNAME {OWN}"
    assert told(view, f"a.{OWN}") == [f"a.{OWN} A 10.9.0.1"]
    ports = ask(view, f"_http._tcp.{OWN}", "SRV")
    assert sorted(map(str, ports.answer[0])) == [f"0 50 8080 10-9-0-2.{OWN}", f"0 50 8080 a.{OWN}"]


def test_a_headless_service_without_ready_endpoints_is_not_there() -> None:
    view = table({"us": headless(backend("10.9.0.1", "a", ready=False)), "eu": shard("10.0.0.2")})
    assert told(view, SHORT)[0] == f"{SHORT} CNAME {USA}"
    assert ask(view, OWN).rcode() == dns.rcode.NXDOMAIN


def test_an_external_name_is_an_alias() -> None:
    view = table({"us": {"addresses": ["192.0.2.1"], "inside": {"external_name": "www.example.org"}}})
    assert told(view, SHORT) == [f"{SHORT} CNAME {OWN}", f"{OWN} CNAME www.example.org."]


def test_rewriting_gives_the_local_addresses_at_the_name_itself() -> None:
    view = table({"us": shard("10.0.0.1", state="unhealthy"), "eu": shard("10.0.0.2")}, "rewrite")
    assert told(view, SHORT) == [f"{SHORT} A 10.0.0.1"], "what is there counts, not its health"
    assert told(view, SHORT, where="region")[0] == f"{SHORT} CNAME {US}"


def test_the_nearest_shard_is_that_of_the_client() -> None:
    shards = {"us": shard(), "eu": shard(address="192.0.2.2")}
    view = table(shards, policy={"strategy": "Nearest"})
    assert told(view, SHORT, where="eu")[-1].endswith("192.0.2.2")
    assert told(view, SHORT, where="us")[-1].endswith("192.0.2.1")
    assert told(view, SHORT, where="region")[-1].endswith("192.0.2.1")


def test_weights_and_last_resorts_are_those_of_the_federated_names() -> None:
    shards = {"us": shard(state="unhealthy"), "eu": shard(address="192.0.2.2", state="unhealthy")}
    reply = ask(table(shards, last_good=["us"]), SHORT, where="bare")
    assert [str(one) for one in reply.answer[-1]] == ["192.0.2.1"] and "EDE 3" in str(
        reply.options[0].to_text()
    )
    weights = {"strategy": "Weighted", "weights": {"us": 1, "eu": 1}}
    view = table({"us": shard(), "eu": shard(address="192.0.2.2")}, policy=weights)
    packets = (dns.message.make_query(SHORT, "A", id=number).to_wire() for number in range(2))
    raws = [respond.respond(view, packet, wire.OWN_SIZE, From(IN["bare"])) for packet in packets]
    last = {str(dns.message.from_wire(raw or b"").answer[-1][0]) for raw in raws}
    assert last == {"192.0.2.1", "192.0.2.2"}


def test_names_that_are_there_for_everybody() -> None:
    view = table({"us": shard("10.0.0.1")})
    assert told(view, "dns-version.cluster.local.", "TXT", "out") == [
        'dns-version.cluster.local. TXT "1.1.0"'
    ]
    for name in ("cluster.local", "svc.cluster.local", "n.svc.cluster.local", "n.fed.svc.cluster.local"):
        reply = ask(view, name, where="out")
        assert reply.rcode() == dns.rcode.NOERROR and not reply.answer and len(reply.authority) == 1
    assert ask(view, "cluster.local", "SOA").answer and ask(view, "cluster.local", "NS").answer


def test_it_is_served_only_where_somebody_is_inside_or_it_is_wanted() -> None:
    world = {
        "settings": SETTINGS,
        "members": MEMBERS,
        "services": {"n/s": {"shards": {"us": shard("10.0.0.1")}}},
    }
    assert not [
        key
        for key in fleet.build(world).table(inside.Kind(inside.Settings()))
        if key.endswith(b"\x05local\0")
    ]
    view = fleet.build(world).table(inside.Kind(inside.Settings(served=True)))
    assert told(view, SHORT, where="us") == [f"{SHORT} CNAME {G}", f"{G} A 192.0.2.1"]
    assert names.wire(OWN) not in view


def test_a_chain_into_a_signed_zone_is_signed_there() -> None:
    view = table({"us": shard("10.0.0.1", state="unhealthy"), "eu": shard("10.0.0.2", address="192.0.2.2")})
    keys = signed.zone("example.com.")
    pod = From(IN["us"], client.Host(client.Server()))
    pod.host.renew(client.Server(), signed.NOW, signing.encode([keys]))
    packet = dns.message.make_query(SHORT, "A", want_dnssec=True).to_wire()
    for _ in range(2):
        reply = dns.message.from_wire(respond.respond(view, packet, wire.STREAM, pod) or b"")
        covered = [str(each.name) for each in reply.answer if each.rdtype == dns.rdatatype.RRSIG]
        assert covered == [USA, US, G], "the cluster domain itself is not signed"


def test_what_is_dumped_is_what_those_see_who_are_inside_no_member() -> None:
    view = table({"us": shard("10.0.0.1")})
    lines = [line.split("\t") for line in dump.zone(view, view.get, "cluster.local") or ()]
    assert [SHORT, "30", "IN", "CNAME", G] in lines
    assert OWN not in [line[0] for line in lines]


def test_an_answer_by_place_says_for_how_much_of_a_subnet_it_holds() -> None:
    view = table({"us": shard("10.0.0.1")})
    for name, bits in ((SHORT, 16), (OWN, 16), ("x.y.cluster.local.", 0)):
        subnet = dns.edns.ECSOption("10.2.3.4", 32)
        packet = dns.message.make_query(name, "A", use_edns=0, options=[subnet]).to_wire()
        reply = dns.message.from_wire(respond.respond(view, packet, wire.STREAM, From(IN["out"])) or b"")
        (told_,) = reply.options
        assert isinstance(told_, dns.edns.ECSOption) and told_.scopelen == bits, name


# Random fleets against the rule, worked out the long way


STATES = ("healthy", "unhealthy", "draining", "degraded", "unknown")
shards = st.fixed_dictionaries(
    {
        "state": st.sampled_from(STATES),
        "ready": st.integers(0, 2),
        "address": st.booleans(),
        "ips": st.sampled_from([(), ("10.0.0.1",), ("10.0.0.1", "fd00::1")]),
    }
)


def drawn(told: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The shards as `fleet` takes them; each member's addresses tell who it is."""
    made = {}
    for number, (name, each) in enumerate(sorted(told.items()), 1):
        ready = each["ready"]
        counted = [
            {"zone": zone, "ready": ready, "serving": ready, "terminating": 0, "total": 2} for zone in ("",)
        ]
        addresses = [f"192.0.2.{number}"] if each["address"] else []
        own = [ip.replace("10.0.0.1", f"10.0.0.{number}") for ip in each["ips"]]
        made[name] = {
            "addresses": addresses,
            "state": each["state"],
            "readiness": counted,
            "inside": {"cluster_ips": own},
        }
    return made


def serving(told: dict[str, dict[str, Any]]) -> set[str]:
    """Members that others may be sent to."""
    there = {name: each for name, each in told.items() if each["address"]}
    able = {name for name, each in there.items() if each["state"] in ("healthy", "degraded", "unknown")}
    return able or {name for name, each in there.items() if each["state"] == "draining"}


def local(told: dict[str, dict[str, Any]], member: str) -> bool:
    own = told.get(member)
    if own is None or not own["ips"] or not own["ready"] or own["state"] == "unhealthy":
        return False
    others = {name: each for name, each in told.items() if name != member and each["state"] != "draining"}
    return own["state"] != "draining" or not serving(others)


@settings(deadline=None, max_examples=150)
@given(st.dictionaries(st.sampled_from(sorted(MEMBERS)), shards, min_size=1), st.sampled_from(["A", "AAAA"]))
def test_every_members_pod_is_answered_by_the_rule(told_: dict[str, dict[str, Any]], rtype: str) -> None:
    made = drawn(told_)
    view = table(made)
    for where, member in (("eu", "eu"), ("us", "us"), ("bare", "bare"), ("region", "region"), ("out", "")):
        reply = ask(view, SHORT, rtype, where)
        names_ = [str(each.name) for each in reply.answer]
        ends = [str(one) for each in reply.answer if each.rdtype != 5 for one in each]
        assert reply.rcode() == dns.rcode.NOERROR and names_[0] == SHORT
        if local(told_, member):
            wanted = [ip for ip in made[member]["inside"]["cluster_ips"] if (":" in ip) == (rtype == "AAAA")]
            assert (sorted(ends), str(reply.answer[0][0])) == (sorted(wanted), OWN)
            continue
        first = {"eu": EUB, "us": USA, "region": US}.get(where, G)
        assert str(reply.answer[0][0]) == first
        allowed = {ip for name in serving(told_) for ip in made[name]["addresses"]}
        assert set(ends) <= allowed and (
            bool(ends) or not allowed or rtype == "AAAA" or serving(told_) == set()
        )
        assert bool(ends) != bool(reply.authority), "addresses, or who says that there are none"
