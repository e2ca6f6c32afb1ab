"""The zone of a cluster set, row by row of the specification: on whole tables, through `respond`."""

from typing import Any

import dns.message
import dns.rcode
import dns.rdatatype
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedns.dns import annex, atlas, clusterset, wire
from fedns.dns.headless import MOST
from tests.dns import asking
from tests.dns.test_places import From
from tests.golden import fleet

MEMBERS: dict[str, Any] = {
    "eu": {"region": "europe-west1", "zones": ["europe-west1-b"]},
    "us": {"region": "us-east1", "zones": ["us-east1-a"], "clusterid": "us-1"},
}
WHERE = atlas.Settings(clients={"eu": ("10.1.0.0/16",), "us": ("10.2.0.0/16",)})
IN = {"eu": "10.1.0.1", "us": "10.2.0.1", "out": "192.0.2.9"}
SETTINGS = {"federation": "fed", "domain": "example.com", "nameservers": {"ns1.example.com": ["127.0.0.1"]}}
TOP = "clusterset.local."
NAME = f"myservice.test.svc.{TOP}"
USUAL = clusterset.Settings()
View = dict[bytes, bytes]


def shard(address: str = "", created: float = 1.0, **fields: Any) -> dict[str, Any]:
    inside = {"cluster_ips": ["10.0.0.1"], "export": {"created": created}, **fields.pop("inside", {})}
    return {"addresses": [address] if address else [], "inside": inside, **fields}


def headless(*backends: str | dict[str, Any], **fields: Any) -> dict[str, Any]:
    """Endpoints as `ADDRESS` or `ADDRESS=HOSTNAME`."""
    rows = [_row(each) if isinstance(each, str) else each for each in backends]
    return shard(inside={"cluster_ips": [], "headless": True, "backends": rows}, **fields)


def _row(text: str) -> dict[str, Any]:
    address, _, hostname = text.partition("=")
    return {"address": address, "hostname": hostname, "ports": [["https", 8443]]}


def world(shards: dict[str, Any], **service: Any) -> fleet.Fleet:
    told: dict[str, Any] = {"settings": SETTINGS, "members": MEMBERS, "where": WHERE}
    ports = [["https", "tcp", 443]]
    told["services"] = {"test/myservice": {"shards": shards, "ports": ports, **service}}
    return fleet.build(told)


def table(shards: dict[str, Any], settings: clusterset.Settings = USUAL, **service: Any) -> View:
    return world(shards, **service).table(clusterset.Kind(settings))


def ask(view: View, name: str, rtype: str = "A", where: str = "out") -> dns.message.Message:
    return asking.both(view, (name, rtype), wire.STREAM, From(IN[where]))


def told(view: View, name: str, rtype: str = "A", where: str = "out") -> list[str]:
    """`RDATA` of the answer, sorted."""
    return sorted(str(one) for each in ask(view, name, rtype, where).answer for one in each)


def missing(view: View, name: str) -> bool:
    return {ask(view, name, rtype).rcode() for rtype in ("A", "AAAA", "SRV", "TXT")} == {dns.rcode.NXDOMAIN}


def nodata(view: View, name: str, rtype: str = "A") -> bool:
    reply = ask(view, name, rtype)
    return reply.rcode() == dns.rcode.NOERROR and not reply.answer and bool(reply.authority)


def test_t5_1_the_version_of_the_schema() -> None:
    view = table({"us": shard("192.0.2.1")})
    reply = ask(view, f"dns-version.{TOP}", "TXT")
    assert [each.to_text() for each in reply.answer] == [f'dns-version.{TOP} 28800 IN TXT "1.0.0"']
    assert nodata(view, TOP) and nodata(view, f"svc.{TOP}") and nodata(view, f"test.svc.{TOP}")
    assert missing(view, f"other.svc.{TOP}") and missing(view, f"pod.{TOP}")
    soa = ask(view, TOP, "SOA").answer[0][0]
    assert soa.minimum <= 30


def test_t5_2_the_clusterset_ip_of_the_import() -> None:
    imports = {"eu": ["10.98.0.1", "fd98::1"], "us": ["10.98.0.1", "fd98::1"]}
    view = table({"us": shard("192.0.2.1")}, imports=imports)
    for where in IN:
        assert told(view, NAME, "A", where) == ["10.98.0.1"]
        assert told(view, NAME, "AAAA", where) == ["fd98::1"]


def test_a_member_that_has_an_ip_of_its_own_is_told_that_one() -> None:
    view = table({"us": shard("192.0.2.1")}, imports={"eu": ["10.98.0.1"], "us": ["10.99.0.1"]})
    assert told(view, NAME, "A", "eu") == ["10.98.0.1"] and told(view, NAME, "A", "us") == ["10.99.0.1"]
    assert told(view, NAME) == ["192.0.2.1"], "others reach neither"
    view = table({"us": shard("192.0.2.1")}, imports={"eu": ["10.98.0.1"], "gone": ["10.97.0.1"]})
    assert told(view, NAME) == ["10.98.0.1"], "a member that left has no say"


def test_without_one_the_addresses_of_healthy_shards_are_told() -> None:
    view = table({"us": shard("192.0.2.1"), "eu": shard("2001:db8::2")})
    assert told(view, NAME) == ["192.0.2.1"] and told(view, NAME, "AAAA") == ["2001:db8::2"]
    view = table({"us": shard("192.0.2.1", state="unhealthy"), "eu": shard("192.0.2.2")})
    assert told(view, NAME) == ["192.0.2.2"]
    view = table({"us": {"addresses": ["192.0.2.1"]}, "eu": shard("192.0.2.2")})
    assert told(view, NAME) == ["192.0.2.2"], "the other does not export it"


def test_when_nothing_can_serve_nothing_is_told_unless_that_is_wanted() -> None:
    shards = {"us": shard("192.0.2.1", state="unhealthy")}
    view = table(shards, last_good=["us"])
    assert nodata(view, NAME) and nodata(view, NAME, "AAAA") and nodata(view, f"_https._tcp.{NAME}", "SRV")
    view = table(shards, clusterset.Settings(fail_open=True), last_good=["us"])
    assert told(view, NAME) == ["192.0.2.1"]


def test_what_has_no_addresses_is_reached_at_the_gateway_where_that_is_wanted() -> None:
    assert nodata(table({"us": shard()}), NAME)
    gateway = clusterset.Settings(addresses=("203.0.113.9",))
    view = table({"us": shard()}, gateway)
    assert told(view, NAME) == ["203.0.113.9"] and told(view, f"_https._tcp.{NAME}", "SRV")
    assert told(table({"us": shard("192.0.2.1")}, gateway), NAME) == ["192.0.2.1"]


def test_what_has_no_addresses_is_had_from_within_by_its_cluster_ip() -> None:
    shards = {"us": shard(), "eu": shard(state="unhealthy")}
    for settings, others in ((USUAL, []), (clusterset.Settings(addresses=("203.0.113.9",)), ["203.0.113.9"])):
        view = table(shards, settings)
        assert told(view, NAME, "A", "us") == ["10.0.0.1"]
        assert told(view, NAME, "A", "eu") == told(view, NAME) == others
    assert told(table({**shards, "eu": shard("192.0.2.2")}), NAME, "A", "us") == ["192.0.2.2"]
    assert told(table(shards, imports={"eu": ["10.98.0.1"]}), NAME, "A", "us") == ["10.98.0.1"]


def test_nearest_and_weights_are_those_of_the_policy() -> None:
    shards = {"us": shard("192.0.2.1"), "eu": shard("192.0.2.2")}
    view = table(shards, policy={"strategy": "Nearest"})
    assert told(view, NAME, "A", "us") == ["192.0.2.1"] and told(view, NAME, "A", "eu") == ["192.0.2.2"]
    assert told(view, NAME) == ["192.0.2.1", "192.0.2.2"]
    view = table(shards, policy={"strategy": "Weighted", "weights": {"us": 1, "eu": 1}})
    assert len(told(view, NAME)) == 1


def test_t5_3_srv_of_named_ports_only() -> None:
    ports = [["https", "tcp", 443], ["dns", "udp", 53]]
    view = table({"us": shard("192.0.2.1")}, ports=ports)
    assert told(view, f"_https._tcp.{NAME}", "SRV") == [f"0 100 443 {NAME}"]
    assert told(view, f"_dns._udp.{NAME}", "SRV") == [f"0 100 53 {NAME}"]
    assert nodata(view, f"_tcp.{NAME}", "SRV") and missing(view, f"_dns._tcp.{NAME}")
    added = ask(view, f"_https._tcp.{NAME}", "SRV").additional
    assert [each.to_text() for each in added] == [f"{NAME} 30 IN A 192.0.2.1"]
    view = table({"us": shard("192.0.2.1")}, ports=[["", "tcp", 443]])
    assert missing(view, f"_https._tcp.{NAME}") and missing(view, f"_tcp.{NAME}")


def test_ports_of_all_exports_and_of_the_first_where_they_cannot_be_together() -> None:
    old = shard("192.0.2.1", 1.0, listens=[["https", "tcp", 443]])
    new = shard("192.0.2.2", 2.0, listens=[["https", "tcp", 8443], ["dns", "udp", 53]])
    view = table({"us": new, "eu": old})
    assert told(view, f"_https._tcp.{NAME}", "SRV") == [f"0 100 443 {NAME}"]
    assert told(view, f"_dns._udp.{NAME}", "SRV") == [f"0 100 53 {NAME}"]


def test_t5_4_no_cluster_of_a_service_with_one_address() -> None:
    view = table({"us": shard("192.0.2.1")})
    assert missing(view, f"us-1.{NAME}") and missing(view, f"us.{NAME}") and missing(view, f"a.us-1.{NAME}")


def test_t5_5_and_7_headless_by_all_ready_endpoints_and_each_by_its_name() -> None:
    unready = {"address": "10.2.0.9", "hostname": "web-9", "ready": False}
    view = table(
        {
            "us": headless("10.2.0.5=web-0", "fd02::5=web-0", unready),
            "eu": headless("10.1.0.5=web-0", "10.1.0.6"),
        }
    )
    assert told(view, NAME) == ["10.1.0.5", "10.1.0.6", "10.2.0.5"]
    assert told(view, NAME, "AAAA") == ["fd02::5"]
    assert told(view, f"web-0.us-1.{NAME}") == ["10.2.0.5"]
    assert told(view, f"web-0.us-1.{NAME}", "AAAA") == ["fd02::5"]
    assert told(view, f"web-0.eu.{NAME}") == ["10.1.0.5"] and told(view, f"10-1-0-6.eu.{NAME}") == [
        "10.1.0.6"
    ]
    assert missing(view, f"web-9.us-1.{NAME}") and missing(view, f"web-0.us.{NAME}")
    assert nodata(view, f"us-1.{NAME}"), "names below it are there (RFC 8020)"


def test_t5_6_headless_without_ready_endpoints_is_not_there_nor_is_anything_below() -> None:
    unready = {"address": "10.2.0.9", "hostname": "web-9", "ready": False, "ports": [["https", 1]]}
    for told_of in (headless(unready), headless(), shard(inside={"cluster_ips": [], "headless": True})):
        view = table({"us": told_of}, last_good=["us"])
        for name in (NAME, f"_https._tcp.{NAME}", f"web-9.us-1.{NAME}", f"us-1.{NAME}", f"test.svc.{TOP}"):
            assert missing(view, name)


def test_t5_8_srv_of_each_endpoint_at_each_named_port() -> None:
    ports = [["https", "tcp", 443], ["metrics", "tcp", 9090], ["", "udp", 1]]
    bare = {"address": "10.1.0.5", "ports": []}
    view = table({"us": headless("10.2.0.5=web-0", "10.2.0.6"), "eu": headless(bare)}, ports=ports)
    targets = [
        f"0 33 443 10-1-0-5.eu.{NAME}",
        f"0 33 8443 10-2-0-6.us-1.{NAME}",
        f"0 33 8443 web-0.us-1.{NAME}",
    ]
    assert told(view, f"_https._tcp.{NAME}", "SRV") == targets
    assert told(view, f"_metrics._tcp.{NAME}", "SRV") == [f"0 33 9090 10-1-0-5.eu.{NAME}"]
    added = ask(view, f"_https._tcp.{NAME}", "SRV").additional
    assert sorted(str(one) for each in added for one in each) == ["10.1.0.5", "10.2.0.5", "10.2.0.6"]


def test_an_endpoint_of_two_families_has_one_target_by_its_hostname() -> None:
    view = table({"us": headless("10.2.0.5=web-0", "fd02::5=web-0")})
    assert told(view, f"_https._tcp.{NAME}", "SRV") == [f"0 50 8443 web-0.us-1.{NAME}"]


def test_the_name_of_a_large_headless_service_tells_a_fair_part_the_same_in_both_families() -> None:
    many = [f"10.2.{at // 250}.{at % 250}=web-{at}" for at in range(600)]
    both = [f"fd02::{at:x}=web-{at}" for at in range(600)]
    view = table({"us": headless(*many, *both), "eu": headless("10.1.0.5=web-0")})
    v4, v6 = told(view, NAME), told(view, NAME, "AAAA")
    assert len(v4) == MOST and len(v6) == MOST - 1 and "10.1.0.5" in v4
    srv = told(view, f"_https._tcp.{NAME}", "SRV")
    assert len(srv) == MOST
    for each in srv:
        target = each.split()[-1]
        assert set(told(view, target)) <= set(v4) and set(told(view, target, "AAAA")) <= set(v6)
    assert told(view, f"web-599.us-1.{NAME}") == ["10.2.2.99"], "all can be asked for"


def test_members_that_drain_are_told_when_no_other_is_left() -> None:
    us, eu = headless("10.2.0.5", state="draining"), headless("10.1.0.5")
    assert told(table({"us": us, "eu": eu}), NAME) == ["10.1.0.5"]
    assert told(table({"us": us, "eu": headless()}), NAME) == ["10.2.0.5"]
    assert missing(table({"us": headless("10.2.0.5", state="unhealthy")}), NAME)


@pytest.mark.parametrize("kind", ["us", "eu"])
def test_the_type_of_the_first_export_counts(kind: str) -> None:
    made = {"us": headless("10.2.0.5", created=1.0 if kind == "us" else 3.0), "eu": shard("192.0.2.1", 2.0)}
    view = table(made)
    if kind == "us":
        assert told(view, NAME) == ["10.2.0.5"] and told(view, f"10-2-0-5.us-1.{NAME}") == ["10.2.0.5"]
    else:
        assert told(view, NAME) == ["192.0.2.1"] and missing(view, f"10-2-0-5.us-1.{NAME}")


def test_what_nobody_exports_is_not_there() -> None:
    assert missing(table({"us": {"addresses": ["192.0.2.1"]}}), NAME)
    external = shard(inside={"type": "ExternalName", "external_name": "example.net", "cluster_ips": []})
    assert missing(table({"us": external}), NAME)


def test_those_who_disagree_are_problems() -> None:
    made = world({"us": headless("10.2.0.5", created=2.0), "eu": shard("192.0.2.1", 1.0)})
    opened = clusterset.Kind(clusterset.Settings()).open(annex.Setting(made.layout, made.snapshot.members, 1))
    list(opened.whole(made.snapshot, fleet.NOW))
    (found,) = opened.problems
    assert found.where == "ServiceExport test/myservice of member us"
    assert "has type Headless, and eu ClusterSetIP" in found.what and "eu exported it first" in found.hint


@pytest.mark.parametrize(("value", "what"), [("eu", "so is eu"), ("a..b", "which is no name")])
def test_what_clusters_call_themselves_is_to_be_a_name_of_their_own(value: str, what: str) -> None:
    members = {"eu": {}, "us": {"clusterid": value}}
    made = fleet.build({"settings": SETTINGS, "members": members, "services": {}})
    labels, problems = clusterset.ids(made.snapshot.members)
    assert what in problems[0].what and labels["us"] == (b"\x02eu" if value == "eu" else b"\x02us")


ENDPOINTS = st.lists(
    st.tuples(
        st.sampled_from(["10.2.0.1", "10.2.0.2", "fd::1", "fd::2"]),
        st.sampled_from(["", "a", "b"]),
        st.booleans(),
    ),
    max_size=4,
    unique_by=lambda each: each[0],
)


@given(ENDPOINTS, ENDPOINTS, st.sampled_from(["healthy", "draining", "unhealthy"]))
def test_every_target_can_be_asked_for_and_nothing_is_half_there(
    us: list[Any], eu: list[Any], state: str
) -> None:
    rows = [
        [
            {
                "address": address.replace("10.2", f"10.{at}").replace("fd", f"fd0{at}"),
                "hostname": name,
                "ready": ready,
            }
            for address, name, ready in each
        ]
        for at, each in enumerate((us, eu), 1)
    ]
    view = table({"us": headless(*rows[0], state=state), "eu": headless(*rows[1])})
    alive = [each["address"] for each in rows[1] if each["ready"]]
    if state == "healthy" or (state == "draining" and not alive):
        alive += [each["address"] for each in rows[0] if each["ready"]]
    assert sorted(told(view, NAME) + told(view, NAME, "AAAA")) == sorted(alive)
    assert missing(view, NAME) is not bool(alive)
    reached = set()
    for each in told(view, f"_https._tcp.{NAME}", "SRV"):
        reached |= {*told(view, each.split()[-1]), *told(view, each.split()[-1], "AAAA")}
    assert sorted(reached) == sorted(alive)


@given(st.lists(st.sampled_from(["none", "one", "two", "plain", "gone"]), min_size=1, max_size=6))
def test_what_a_change_touches_is_what_a_whole_table_would_have(steps: list[str]) -> None:
    states = {
        "none": {"us": headless()},
        "one": {"us": headless("10.2.0.5=a")},
        "two": {"us": headless("10.2.0.5=b", "10.2.0.6"), "eu": headless("10.1.0.5=a")},
        "plain": {"us": shard("192.0.2.1")},
    }
    kind = clusterset.Kind(clusterset.Settings())
    before = world(states["none"])
    setting = annex.Setting(before.layout, before.snapshot.members, 1)
    opened = kind.open(setting)
    held = {key: value for part in opened.whole(before.snapshot, fleet.NOW) for key, value in part.items()}
    for step in steps:
        after = world(states.get(step, {}))
        services = after.snapshot.services if step in states else {}
        touched = frozenset({"test/myservice"})
        snapshot = type(after.snapshot)(fleet.NOW, after.snapshot.members, services, touched)
        held.update(opened.difference(before.snapshot, snapshot, fleet.NOW))
        fresh = kind.open(setting)
        whole = {
            key: value for part in fresh.whole(snapshot, fleet.NOW) for key, value in part.items() if value
        }
        assert {key: value for key, value in held.items() if value} == whole
        before = after._replace(snapshot=snapshot)
