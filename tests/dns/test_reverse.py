"""What addresses are called: whole tables, through `respond`, and change by change."""

from ipaddress import ip_address, ip_network
from typing import Any

import dns.message
import dns.name
import dns.rcode
import dns.reversename
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from fedns.dns import annex, atlas, explain, holders, names, respond, reverse, wire, zones
from fedns.errors import FednsError
from fedns.model import snapshot as model
from tests.dns.test_places import From
from tests.golden import fleet

MEMBERS = {"eu": {"region": "europe-west1"}, "us": {"region": "us-east1"}, "as": {}}
IN = {"eu": "10.1.0.1", "us": "10.2.0.1", "out": "192.0.2.9"}
SETTINGS = {"federation": "fed", "domain": "example.com", "nameservers": {"ns1.example.com": ["127.0.0.1"]}}
WHERE = atlas.Settings(clients={"eu": ("10.1.0.0/16",), "us": ("10.2.0.0/16",)})
ZONES = reverse.Settings(("192.0.2.0/24", "2001:db8::/32"), ("10.96.0.0/12",))
SERVICES = {
    "n/web": {
        "shards": {
            "eu": {"addresses": ["192.0.2.1", "2001:db8::1"], "inside": {"cluster_ips": ["10.96.0.10"]}},
            "us": {
                "addresses": ["192.0.2.2"],
                "state": "unhealthy",
                "inside": {"cluster_ips": ["10.96.0.10"]},
            },
        }
    },
    "n/api": {
        "shards": {
            "us": {"addresses": ["192.0.2.1", "198.51.100.1"], "inside": {"cluster_ips": ["10.97.0.1"]}}
        }
    },
}
WEB, API = "web.n.fed.svc.example.com.", "api.n.fed.svc.example.com."


def built(services: dict[str, Any], where: atlas.Settings = WHERE) -> fleet.Fleet:
    return fleet.build({"settings": SETTINGS, "members": MEMBERS, "services": services, "where": where})


TABLE = built(SERVICES).table(*reverse.kinds(ZONES))


def ask(name: dns.name.Name | str, where: str = "out", rtype: str = "PTR") -> dns.message.Message:
    packet = dns.message.make_query(name, rtype, use_edns=0).to_wire()
    raw = respond.respond(TABLE, packet, wire.OWN_SIZE, From(IN[where]))
    assert raw is not None
    return dns.message.from_wire(raw)


def called(address: str, where: str = "out") -> list[str]:
    """The names of an address; the rcode where there is none."""
    reply = ask(dns.reversename.from_address(address), where)
    if not reply.answer:
        assert reply.authority[0].rdtype == dns.rdatatype.SOA
        assert reply.authority[0][0].minimum <= 30
        return [dns.rcode.to_text(reply.rcode())]
    return [str(each.target) for each in reply.answer[0]]


def test_published_addresses_have_the_global_names_of_their_services() -> None:
    assert called("192.0.2.1") == [API, WEB]
    assert called("192.0.2.2") == [WEB], "whether it serves or not"
    assert called("2001:db8::1") == [WEB]
    assert called("192.0.2.3") == called("2001:db8::2") == ["NXDOMAIN"]
    assert ask(dns.reversename.from_address("198.51.100.1")).rcode() == dns.rcode.REFUSED
    assert called("10.96.0.10", "out") == called("10.97.0.1", "eu") == ["NXDOMAIN"]


def test_cluster_ips_have_local_names_for_those_inside() -> None:
    assert called("10.96.0.10", "eu") == called("10.96.0.10", "us") == ["web.n.svc.cluster.local."]
    assert called("10.97.0.1", "us") == ["api.n.svc.cluster.local."]


def test_names_between_exist_and_have_nothing_else() -> None:
    for name in (
        "2.0.192.in-addr.arpa",
        "8.b.d.0.1.0.0.2.ip6.arpa",
        "0.8.b.d.0.1.0.0.2.ip6.arpa",
        "0.96.10.in-addr.arpa",
    ):
        assert (ask(name).rcode(), ask(name).answer) == (dns.rcode.NOERROR, []), name
    assert [str(each) for each in ask("2.0.192.in-addr.arpa", rtype="NS").answer[0]] == ["ns1.example.com."]
    web = dns.reversename.from_address("192.0.2.1")
    assert ask(web, rtype="A").rcode() == dns.rcode.NOERROR and not ask(web, rtype="A").answer
    assert ask(f"x.{web}").rcode() == dns.rcode.NXDOMAIN


def test_an_address_of_very_many_services_has_some_of_their_names() -> None:
    spelled = [f"s{'x' * (at % 3)}{at:02}" for at in range(20)]
    many = {f"n/{each}": {"shards": {"eu": {"addresses": ["192.0.2.1"]}}} for each in spelled}
    table = built(many).table(*reverse.kinds(ZONES))
    packet = dns.message.make_query(dns.reversename.from_address("192.0.2.1"), "PTR").to_wire()
    reply = dns.message.from_wire(respond.respond(table, packet, wire.OWN_SIZE) or b"")
    found = [str(each.target).partition(".")[0] for each in reply.answer[0]]
    assert found == sorted(spelled)[: reverse.MOST]


@pytest.mark.parametrize(
    ("address", "where", "steps"),
    [
        ("192.0.2.1", "out", ["published address of service n/api", "published address of service n/web"]),
        ("192.0.2.9", "out", ["no service holds this address"]),
        ("10.96.0.10", "eu", ["cluster IP in eu of service n/web"]),
        ("10.96.0.10", "out", ["a cluster IP has a name for those inside its member alone"]),
    ],
)
def test_explain_tells_whose_an_address_is(address: str, where: str, steps: list[str]) -> None:
    fleet_ = built(SERVICES)
    setting = annex.Setting(fleet_.layout, fleet_.snapshot.members, 1)
    zones_ = [each for each in (kind.open(setting) for kind in reverse.kinds(ZONES)) if each is not None]
    for each in zones_:
        list(each.whole(fleet_.snapshot, fleet.NOW))
    name = dns.reversename.from_address(address).to_text()
    asked = explain.Question(name, "PTR", From(IN[where]), zones_)
    told = explain.explain(fleet_.snapshot, fleet_.layout, TABLE, asked, fleet.NOW)
    assert [step for step in told.steps if step in steps] == steps
    assert not any("static" in step or "below it" in step for step in told.steps)


@pytest.mark.parametrize(
    ("prefix", "apexes"),
    [
        ("192.0.2.0/24", ["2.0.192.in-addr.arpa."]),
        ("192.0.2.0/23", ["2.0.192.in-addr.arpa.", "3.0.192.in-addr.arpa."]),
        ("10.0.0.0/8", ["10.in-addr.arpa."]),
        ("10.96.0.0/15", ["96.10.in-addr.arpa.", "97.10.in-addr.arpa."]),
        ("2001:db8::/32", ["8.b.d.0.1.0.0.2.ip6.arpa."]),
        ("2001:db8::/31", ["8.b.d.0.1.0.0.2.ip6.arpa.", "9.b.d.0.1.0.0.2.ip6.arpa."]),
    ],
)
def test_zones_begin_where_labels_do(prefix: str, apexes: list[str]) -> None:
    assert [zones.text(reverse.apex(each)) for each in reverse.split(prefix)] == apexes


@pytest.mark.parametrize("prefix", ["192.0.2.0/25", "192.0.2.1/32", "2001:db8::/125"])
def test_what_ends_within_the_last_label_is_no_zone(prefix: str) -> None:
    with pytest.raises(FednsError, match="narrowest"):
        reverse.split(prefix)


@given(st.integers(0, 24), st.integers(0, 1 << 32), st.integers(0, 1 << 32))
def test_the_zones_of_a_prefix_are_the_prefix(length: int, number: int, other: int) -> None:
    network = ip_network((number % (1 << 32), length), strict=False)
    for address in (int(network[0]), int(network[-1]), other % (1 << 32), max(int(network[0]) - 1, 0)):
        packed = address.to_bytes(4, "big")
        inside = [each for each in reverse.split(str(network)) if each.holds(packed)]
        assert len(inside) == (ip_address(packed) in network)
        assert all(wire.below(reverse.name(packed), reverse.apex(each)) for each in inside)


@given(st.binary(min_size=4, max_size=4) | st.binary(min_size=16, max_size=16))
def test_addresses_are_spelled_as_others_do(address: bytes) -> None:
    assert reverse.name(address) == dns.reversename.from_address(str(ip_address(address))).to_wire()


ADDRESSES = st.sampled_from(["192.0.2.1", "192.0.2.2", "192.0.3.1", "2001:db8::1", "2001:db8::ff", "9.9.9.9"])
SHARDS = st.fixed_dictionaries(
    {
        "addresses": st.lists(ADDRESSES, max_size=2, unique=True),
        "inside": st.fixed_dictionaries(
            {"cluster_ips": st.lists(st.sampled_from(["10.96.0.1", "10.96.0.2", "10.111.1.1"]), max_size=1)}
        ),
    }
)
WORLDS = st.dictionaries(
    st.sampled_from(["n/a", "n/b", "m/c"]),
    st.fixed_dictionaries({"shards": st.dictionaries(st.sampled_from(sorted(MEMBERS)), SHARDS, max_size=2)}),
)


@given(st.lists(WORLDS, min_size=2, max_size=4))
def test_change_by_change_is_as_made_at_once(worlds: list[dict[str, Any]]) -> None:
    """And each step tells all that differs."""
    kinds = reverse.kinds(ZONES)
    first = built(worlds[0])
    opened = [kind.open(annex.Setting(first.layout, first.snapshot.members, 1)) for kind in kinds]
    serving = [each for each in opened if each is not None]
    table: dict[bytes, bytes | None] = {}
    for each in serving:
        for part in each.whole(first.snapshot, fleet.NOW):
            table.update(part)
    before = first.snapshot
    for world in worlds[1:]:
        after = changed(before, built(world).snapshot)
        for each in serving:
            table.update(each.difference(before, after, fleet.NOW))
        before = after
    fresh: dict[bytes, bytes | None] = {}
    for kind in reverse.kinds(ZONES):
        made = kind.open(annex.Setting(first.layout, first.snapshot.members, 1))
        for part in made.whole(before, fleet.NOW) if made is not None else ():
            fresh.update(part)
    assert {name: value for name, value in table.items() if value} == {
        name: value for name, value in fresh.items() if value
    }


def changed(before: model.Snapshot, after: model.Snapshot) -> model.Snapshot:
    """The second as what follows the first."""
    both = before.services.keys() | after.services.keys()
    touched = frozenset(key for key in both if before.services.get(key) != after.services.get(key))
    return structs.replace(after, touched=touched)


def test_one_look_at_the_fleet_serves_all_zones() -> None:
    """Also where a turn could not be published, so that the next one begins with another fleet."""
    one, two, three = (
        built({"n/a": {"shards": {"eu": {"addresses": [f"192.0.2.{at}"]}}}}).snapshot for at in (1, 2, 3)
    )
    (network,) = reverse.split("192.0.2.0/24")
    book = holders.Book({network: False})
    suffixes = holders.Suffixes(names.wire("fed.svc.example.com"), names.wire("svc.cluster.local"))
    book.read(one, suffixes)
    assert book.page(network) == [bytes((192, 0, 2, 1))]
    lost = structs.replace(three, touched=frozenset())
    assert book.renew(two, lost) == {bytes((192, 0, 2, 1)), bytes((192, 0, 2, 3))}
    assert book.renew(two, lost) == {bytes((192, 0, 2, 1)), bytes((192, 0, 2, 3))}
    assert book.page(network) == [bytes((192, 0, 2, 3))]
