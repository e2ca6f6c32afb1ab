"""Where clients are, and what they and their resolvers are told: on whole tables, through `respond`."""

import json
from ipaddress import ip_address, ip_network
from typing import Any

import dns.edns
import dns.message
import dns.rcode
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedns.dns import atlas, client, node, places, resolve, respond, wire
from tests.golden import fleet

GLOBAL = "s.n.fed.svc.example.com"
MEMBERS = {
    "eu": {"region": "europe-west1", "zones": ["europe-west1-b", "europe-west1-c"]},
    "us": {"region": "us-east1", "zones": ["us-east1-a"]},
    "uw": {"region": "us-west1", "zones": ["us-west1-a"]},
    "as": {"region": "asia-east1", "zones": ["asia-east1-a"]},
}
SHARDS = {
    "eu": {"addresses": ["192.0.2.1", "2001:db8::1"]},
    "us": {"addresses": ["192.0.2.2"]},
    "uw": {"addresses": ["192.0.2.3"]},
    "as": {"addresses": ["192.0.2.4"]},
}
WORLD: dict[str, Any] = {
    "settings": {
        "federation": "fed",
        "domain": "example.com",
        "nameservers": {"ns1.example.com": ["127.0.0.1"]},
    },
    "members": MEMBERS,
    "services": {
        "n/s": {"policy": {"strategy": "Nearest"}, "ports": [["http", "TCP", 80]], "shards": SHARDS},
        "n/same": {"shards": SHARDS},
    },
    "static": "@ 60 IN SOA ns.x. me.x. 1 2 3 4 5\n@ 60 IN NS ns.x.\n@ 60 IN MX 5 s.n.fed.svc\n",
    "where": atlas.Settings(
        prefixes=(
            ("10.0.0.0/8", "europe-west1", ""),
            ("10.1.0.0/16", "us-east1", ""),
            ("10.1.2.0/24", "us-east1", "us-east1-a"),
            ("10.1.2.128/25", "asia-east1", ""),
            ("2001:db8::/32", "us-west1", ""),
        )
    ),
}
BUILT = fleet.build(WORLD)
ATLAS, TABLE = BUILT.atlas, BUILT.table()
EU, US, UW, AS = ("192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4")


class From(client.Client):
    """Somebody at an address."""

    def __init__(
        self, address: str = "192.0.2.53", host: client.Host = client.NOBODY.host, member: str = ""
    ) -> None:
        super().__init__(host, member)
        self._address = ip_address(address).packed

    def address(self) -> bytes:
        return self._address


def subnet_option(subnet: str) -> dns.edns.Option:
    network, _, length = subnet.partition("/")
    return dns.edns.ECSOption(network, int(length))


def ask(
    name: str, rtype: str = "A", subnet: str = "", table: dict[bytes, bytes] = TABLE, **how: Any
) -> tuple[list[str], str | None]:
    """The answer's data, and the client subnet of the reply."""
    query = dns.message.make_query(name, rtype)
    network, _, length = subnet.partition("/")
    option = [subnet_option(subnet)] if subnet else []
    query.use_edns(0, 0x8000 if how.pop("signed", False) else 0, payload=4096, options=option)
    raw = respond.respond(table, query.to_wire(), wire.STREAM, From(**how))
    assert raw is not None
    reply = dns.message.from_wire(raw)
    assert reply.rcode() == dns.rcode.NOERROR
    told = [each for each in reply.options if isinstance(each, dns.edns.ECSOption)]
    assert all((each.address, each.srclen) == (network, int(length)) for each in told)
    data = [row.to_text() for rrset in reply.answer for row in rrset]
    return sorted(data), f"/{told[0].scopelen}" if told else None


@pytest.mark.parametrize(
    ("subnet", "data", "scope"),
    [
        ("10.9.9.0/24", [EU], "/13"),  # 10.1.0.0/16 is another place
        ("10.1.9.0/24", [US], "/21"),
        ("10.1.2.0/24", [US], "/25"),  # the zone and the rest of it, one place after the other
        ("10.1.2.129/32", [AS], "/25"),
        ("10.1.2.0/25", [US], "/25"),
        ("10.1.0.0/16", [US], "/23"),  # as for 10.1.0.0: more would tell more
        ("203.0.113.0/24", [EU, US, UW, AS], "/1"),
        ("2001:db8:1::/48", [UW], "/32"),
        ("2001:db9::/48", [EU, US, UW, AS], "/32"),
        ("::/0", [EU, US, UW, AS], "/0"),
        ("0.0.0.0/0", [EU, US, UW, AS], "/0"),
    ],
)
def test_the_nearest_shard_and_for_whom_it_is(subnet: str, data: list[str], scope: str) -> None:
    assert ask(GLOBAL, subnet=subnet) == (data, scope)


def test_of_who_sends_no_subnet_or_hides_it_the_address_counts() -> None:
    assert ask(GLOBAL, address="10.1.2.3") == ([US], None)
    assert ask(GLOBAL, address="::ffff:10.1.2.3") == ([US], None)
    assert ask(GLOBAL, subnet="0.0.0.0/0", address="10.1.2.3") == ([US], "/0")
    assert ask(GLOBAL, subnet="10.9.9.0/24", address="10.1.2.3") == ([EU], "/13")


def test_who_is_inside_a_member_has_its_shard_first() -> None:
    """Also where others are in the same zone; a client beside it knows zone and region only."""
    twin = MEMBERS | {"us2": MEMBERS["us"]}
    shards = SHARDS | {"us2": {"addresses": ["192.0.2.9"]}}
    world = WORLD | {
        "members": twin,
        "services": {"n/s": {"policy": {"strategy": "Nearest"}, "shards": shards}},
        "where": atlas.Settings(
            prefixes=(("10.1.0.0/16", "us-east1", "us-east1-a"), ("10.7.7.0/24", "asia-east1", "")),
            clients={"us2": ("10.7.0.0/16",)},
        ),
    }
    table = fleet.build(world).table()
    assert ask(GLOBAL, subnet="10.7.0.0/24", table=table)[0] == ["192.0.2.9"]
    assert ask(GLOBAL, subnet="10.1.0.0/24", table=table)[0] == [US, "192.0.2.9"]
    assert ask(GLOBAL, subnet="10.7.7.0/24", table=table) == (["192.0.2.9"], "/24")
    assert ask("s.n.fed.svc.asia-east1.example.com", subnet="10.7.0.0/24", table=table) == (
        [AS],
        "/0",
    )
    told = " ".join(ask("_explain." + GLOBAL, "TXT", "10.7.0.0/24", table=table)[0])
    assert "inside member us2, in zone us-east1-a of region us-east1" in told


def test_the_listener_decides_for_all_who_ask_there() -> None:
    """What hangs on the listener and not on the address holds for everybody who asks there (scope 0)."""
    inside = atlas.Settings(prefixes=(("10.1.0.0/16", "us-east1", ""),), inside=("us", "eu"))
    table = fleet.build(WORLD | {"where": inside}).table()
    assert ask(GLOBAL, subnet="10.1.0.0/24", table=table, member="eu") == ([EU], "/0")
    assert ask(GLOBAL, subnet="9.0.0.0/24", table=table, member="us") == ([US], "/0")
    assert ask(GLOBAL, table=table, member="us") == ([US], None)
    assert ask(GLOBAL, "MX", "9.0.0.0/24", table=table, member="us")[1] == "/0"
    assert ask(GLOBAL, subnet="10.1.0.0/24", table=table) == ([US], "/16")
    assert len(ask(GLOBAL, subnet="9.0.0.0/24", table=table, member="mars")[0]) == 4
    both = atlas.Settings(prefixes=(("10.1.0.0/16", "europe-west1", "europe-west1-b"),), inside=("eu",))
    zoned = fleet.build(WORLD | {"where": both}).table()
    assert ask(GLOBAL, subnet="10.1.0.0/24", table=zoned, member="eu") == ([EU], "/16")


def test_the_next_region_is_the_nearest_one() -> None:
    down = {**SHARDS, "us": {**SHARDS["us"], "state": "unhealthy"}}
    service = {**WORLD["services"]["n/s"], "shards": down}
    table = fleet.build({**WORLD, "services": {"n/s": service}}).table()
    assert ask(GLOBAL, subnet="10.1.9.0/24", table=table) == ([UW], "/21")
    narrow = "s.n.fed.svc.us-east1.example.com"
    found, scope = ask(narrow, subnet="10.1.9.0/24", table=table)
    assert (found, scope) == ([UW, f"{GLOBAL}."], "/21")
    assert ask(narrow, "CNAME", "10.1.9.0/24", table) == ([f"{GLOBAL}."], "/0")
    assert ask(f"_http._tcp.{narrow}", "SRV", "10.1.9.0/24", table)[1] == "/21"  # its additional addresses


@pytest.mark.parametrize(
    ("name", "rtype"),
    [
        ("same.n.fed.svc.example.com", "A"),
        ("s.n.fed.svc.us-east1.example.com", "A"),
        (GLOBAL, "MX"),
        (GLOBAL, "CNAME"),
        (GLOBAL, "DS"),
        ("example.com", "SOA"),
        ("ns1.example.com", "A"),
    ],
)
@pytest.mark.parametrize("subnet", ["10.9.9.0/24", "2001:db8:1::/48", "0.0.0.0/0"])
def test_what_does_not_depend_on_the_place_is_for_everybody(name: str, rtype: str, subnet: str) -> None:
    plain, none = ask(name, rtype)
    assert none is None
    assert ask(name, rtype, subnet) == (plain, "/0")


def test_what_else_depends_on_it() -> None:
    assert ask(GLOBAL, "AAAA", "10.9.9.0/24") == (["2001:db8::1"], "/13")
    assert ask(GLOBAL, "AAAA", "10.1.9.0/24") == ([], "/21")  # no data for those only
    assert ask(GLOBAL, "ANY", "10.1.9.0/24") == ([US], "/21")
    assert ask("example.com", "MX", "10.1.9.0/24")[1] == "/21"
    assert ask(GLOBAL, "TXT", "10.1.9.0/24", signed=True)[1] == "/21"  # the types that there are
    (told,), scope = ask(f"_explain.{GLOBAL}", "TXT", "10.1.9.0/24")
    assert scope == "/21"
    assert "the nearest to clients in region us-east1" in told
    assert "+ us" in told


SAME = "same.n.fed.svc.example.com"
NAMES = st.sampled_from([GLOBAL, f"nope.{GLOBAL}", f"_http._tcp.{GLOBAL}", SAME, "no.such.example.com"])
SUBNETS = st.sampled_from(["10.9.9.0/24", "10.1.2.128/25", "2001:db8::/56", "8000::/1", "0.0.0.0/0", "::/0"])
COOKIE = dns.edns.GenericOption(dns.edns.OptionType.COOKIE, b"12345678")  # type: ignore[no-untyped-call]


@settings(max_examples=200, deadline=None)
@given(
    NAMES,
    st.sampled_from(["A", "AAAA", "TXT", "SRV"]),
    st.lists(SUBNETS.map(subnet_option) | st.just(COOKIE), min_size=1, max_size=3),
    st.sampled_from([(), ("192.0.2.0/24",), ("10.0.0.0/8",)]),
    st.booleans(),
)
def test_both_paths_tell_the_same(
    name: str, rtype: str, options: list[dns.edns.Option], trust: tuple[str, ...], jar: bool
) -> None:
    drawn = places.encode(ATLAS._replace(trust=trust))
    table = {**TABLE, node.ATLAS: drawn, node.ATLAS_STAMP: places.stamp(drawn)}
    asker = From(host=client.Host(client.Server(cookies=bytes(16).hex() if jar else ""), 1_800_000_000))
    query = dns.message.make_query(name, rtype, use_edns=0, payload=1232, options=options).to_wire()
    replies = [path(table, query, wire.STREAM, asker) for path in (respond.respond, resolve.resolve)]
    fast, slow = (dns.message.from_wire(reply or b"") for reply in replies)
    assert fast == slow  # header, question and sections, in any order
    assert {each.to_wire() for each in fast.options} == {each.to_wire() for each in slow.options}


def test_only_trusted_resolvers_are_believed() -> None:
    where = WORLD["where"]._replace(trust=("192.0.2.0/24", "2001:db8::/32"))
    table = fleet.build({**WORLD, "where": where}).table()
    assert ask(GLOBAL, subnet="10.9.9.0/24", table=table) == ([EU], "/13")
    for stranger in ("10.1.2.3", "::ffff:10.1.2.3"):
        assert ask(GLOBAL, subnet="10.9.9.0/24", table=table, address=stranger) == ([US], None)
    assert ask(GLOBAL, subnet="10.9.9.0/24", table=table, address="2001:db8::53") == ([EU], "/13")
    table = fleet.build({**WORLD, "where": where._replace(ecs=False)}).table()
    assert ask(GLOBAL, subnet="10.9.9.0/24", table=table, address="2001:db8::53") == ([UW], None)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0\1\x18",
        b"\0\1\x18\0\x0a\1",  # too short
        b"\0\1\x18\0\x0a\1\2\3",  # too long
        b"\0\1\x17\0\x0a\1\3",  # bits beyond
        b"\0\1\x21\0\x0a\1\2\3\4",  # longer than an address
        b"\0\1\x18\1\x0a\1\2",  # scope in a query
        b"\0\3\x08\0\x0a",  # no such family
        b"\1\1\x08\0\x0a",
        b"\0\0\x08\0\x0a",
        b"\0\2\x81\0" + bytes(17),
    ],
)
def test_what_is_no_client_subnet(data: bytes) -> None:
    query = dns.message.make_query(GLOBAL, "A")
    query.use_edns(0, options=[dns.edns.GenericOption(dns.edns.OptionType.ECS, data)])
    raw = respond.respond(TABLE, query.to_wire(), wire.STREAM)
    assert raw is not None
    assert dns.message.from_wire(raw).rcode() == dns.rcode.FORMERR


def test_who_knows_nothing_of_places_reads_the_default_view() -> None:
    key = b"\1s\1n\3fed\3svc\7example\3com\0"
    default = node.decode(TABLE[key])
    assert node.placed(TABLE[key])
    assert not default.flags & node.PLACED
    assert [len(each.rdatas) for each in default.rrsets] == [4, 1]
    where = WORLD["where"]._replace(default=("us-east1", ""))
    default = node.decode(fleet.build({**WORLD, "where": where}).table()[key])
    assert [each.rdatas for each in default.rrsets] == [(ip_address(US).packed,)]


def test_the_default_place() -> None:
    where = WORLD["where"]._replace(default=("asia-east1", ""))
    table = fleet.build({**WORLD, "where": where}).table()
    assert ask(GLOBAL, table=table) == ([AS], None)
    assert ask(GLOBAL, subnet="203.0.113.0/24", table=table) == ([AS], "/1")


def test_a_map_is_read_as_it_was_drawn() -> None:
    drawn = places.Atlas(
        (places.Row(), places.Row("a", "b"), places.Row("a", "b", "m")),
        (places.Prefix("10.0.0.0/8", 1, "x"),),
        {"country:DE": 1},
        {1: places.Position(1.0, 2.0)},
        "/db",
        False,
        ("10.0.0.0/8",),
        {"m": places.Inside(2, {1: 2})},
    )
    assert places.decode(places.encode(drawn)) == drawn
    older = json.dumps({"places": [["", ""], ["a", "b"]]}).encode()
    assert places.decode(older).places == (places.Row(), places.Row("a", "b"))
    assert places.decode(None) == places.decode(b'{"later": 1}') == places.Atlas()


class Chart:
    """A geographic database: networks by hand."""

    def __init__(self, rows: dict[str, client.Spot], path: str = "/geo") -> None:
        self.path = path
        self._rows = {ip_network(network): spot for network, spot in rows.items()}

    def find(self, path: str, address: bytes) -> client.Spot:
        assert path == self.path
        for network, spot in self._rows.items():
            if ip_address(address) in network:
                return spot
        return client.Spot((), None, 1)


def test_a_database_is_asked_where_no_prefix_tells() -> None:
    known = places.Places(
        places.Atlas(
            (("", ""), ("eu", ""), ("us", ""), ("de", "")),
            (places.Prefix("10.0.0.0/8", 1, ""),),
            {"country:DE": 3, "continent:EU": 1},
            {1: places.Position(50, 8), 2: places.Position(39, -77)},
            "/geo",
        )
    )
    geo = Chart(
        {
            "192.0.2.0/28": client.Spot(("country:DE", "continent:EU"), (0.0, 0.0), 28),
            "198.51.100.0/24": client.Spot(("country:FR", "continent:EU"), None, 24),
            "203.0.113.0/24": client.Spot(("country:US",), (40.0, -80.0), 24),
            "128.0.0.0/1": client.Spot((), None, 3),
        }
    )

    def find(address: str) -> tuple[int, int, str]:
        return known.find(ip_address(address).packed, geo)

    assert find("10.1.1.1") == (1, 8, "prefix")
    assert find("192.0.2.1") == (3, 28, "country:DE")
    assert find("198.51.100.1") == (1, 24, "continent:EU")
    assert find("203.0.113.9") == (2, 24, "position")
    assert find("9.0.0.1") == (0, 7, "default")
    assert known.find(b"", geo) == (0, 0, "default")
    assert known.find(ip_address("192.0.2.1").packed, None) == (0, 1, "default")


NETWORKS = st.builds(
    lambda number, length: str(ip_network((number << 20 & 0xFFFFFFFF, length), strict=False)),
    st.integers(0, 4095),
    st.integers(0, 12),
)
WIDE = st.builds(
    lambda number, length: str(ip_network((number << 116, length), strict=False)),
    st.integers(0, 4095),
    st.integers(0, 12),
)
TABLES = st.dictionaries(NETWORKS | WIDE, st.integers(1, 3), max_size=12)


@settings(max_examples=300, deadline=None)
@given(TABLES, st.integers(0, 4095), st.integers(0, 12), st.booleans(), st.data())
def test_what_a_resolver_keeps_is_right_for_all_that_it_is_used_for(
    rows: dict[str, int], number: int, source: int, wide: bool, data: st.DataObject
) -> None:
    """Resolvers reuse an answer for all of address/min(source, scope) (RFC 7871 section 7.3.1)."""
    known = places.Places(
        places.Atlas(prefixes=tuple(places.Prefix(net, place, "") for net, place in rows.items()))
    )
    bits, size = (128, 16) if wide else (32, 4)

    def found(client_: int, length: int) -> places.Found:
        cut = client_ << (bits - 12) >> (bits - length) << (bits - length)
        return known.find(cut.to_bytes(size, "big"), None)

    first = found(number, source)
    kept = min(source, first.scope)
    free = 12 - kept
    other = number >> free << free | data.draw(st.integers(0, (1 << free) - 1))
    assert found(other, source).place == first.place
    # and no shorter scope would have done
    if 0 < first.scope <= source:
        around = [(number ^ (1 << (12 - first.scope))) >> (12 - first.scope) << (12 - first.scope)]
        beside = range(around[0], around[0] + (1 << (12 - first.scope)))
        assert any(found(each, 12).place != first.place for each in beside)


@settings(max_examples=100, deadline=None)
@given(TABLES, st.integers(0, (1 << 32) - 1))
def test_the_longest_prefix_wins(rows: dict[str, int], number: int) -> None:
    known = places.Places(
        places.Atlas(prefixes=tuple(places.Prefix(net, place, "") for net, place in rows.items()))
    )
    holding = [ip_network(net) for net in rows if ip_address(number) in ip_network(net)]
    place = rows[str(max(holding, key=lambda net: net.prefixlen))] if holding else 0
    assert known.find(number.to_bytes(4, "big"), None).place == place
