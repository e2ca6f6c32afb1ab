from fedns.dns import names, node, skeleton, wire
from tests.golden import fleet

SETTINGS = {"federation": "fed", "domain": "example.com"}
MEMBERS = {"m": {"region": "eu", "zones": ["eu-a"]}}


def built(static: str = "", **settings: object) -> fleet.Fleet:
    return fleet.build({"settings": SETTINGS | settings, "members": MEMBERS, "static": static})


def apex(of: fleet.Fleet) -> node.Node:
    return node.decode(skeleton.skeleton(of.snapshot, of.layout)[of.layout.origin])


def ns(of: fleet.Fleet) -> tuple[bytes, ...]:
    return next(rrset.rdatas for rrset in apex(of).rrsets if rrset.type == wire.NS)


STATIC = (
    "@ 60 IN SOA a. b. 1 2 3 4 5\n@ 60 IN NS ns.static.net.\n@ 60 IN MX 10 mail\nmail 60 IN A 192.0.2.1\n"
)


def test_the_soa_names_the_first_name_server_and_a_short_minimum() -> None:
    zone = skeleton.zone(
        built(nameservers={"ns1.example.com": ["127.0.0.1"], "ns2.test": []}).layout, 2**32 + 7
    )
    assert zone.soa.startswith(names.wire("ns1.example.com") + names.wire("hostmaster.example.com"))
    assert int.from_bytes(zone.serial, "big") == 7
    assert zone.negative_ttl <= 30


def test_name_servers_in_the_zone_have_addresses() -> None:
    of = built(nameservers={"ns1.deep.example.com": ["127.0.0.1", "::1"], "ns.test": ["192.0.2.1"]})
    entries = skeleton.skeleton(of.snapshot, of.layout)
    host = node.decode(entries[names.wire("ns1.deep.example.com")])
    assert [(rrset.type, len(rrset.rdatas)) for rrset in host.rrsets] == [(wire.A, 1), (wire.AAAA, 1)]
    assert node.decode(entries[names.wire("deep.example.com")]).rrsets == ()
    assert names.wire("ns.test") not in entries
    assert ns(of) == (names.wire("ns1.deep.example.com"), names.wire("ns.test"))


def test_a_static_zone_is_kept_and_its_name_servers_give_way() -> None:
    of = built(STATIC, nameservers={"ns1.example.com": ["127.0.0.1"]})
    entries = skeleton.skeleton(of.snapshot, of.layout)
    assert ns(of) == (names.wire("ns1.example.com"),)
    assert wire.MX in {rrset.type for rrset in apex(of).rrsets}
    assert node.decode(entries[names.wire("mail.example.com")]).rrsets


def test_without_configured_name_servers_those_of_the_static_zone_stand() -> None:
    assert ns(built(STATIC)) == (names.wire("ns.static.net"),)
    assert ns(built()) == (skeleton.NOWHERE,)


def test_the_apex_is_marked() -> None:
    assert apex(built()).flags & node.APEX
