from collections import Counter
from collections.abc import Mapping
from typing import Any

import dns.edns
import dns.message
import dns.rcode
import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedns.dns import federation, names, node, resolve, respond, wire
from tests.golden import fleet

SETTINGS = {"federation": "ufp", "domain": "example.com", "nameservers": {"ns1.example.com": ["127.0.0.1"]}}
MEMBERS = {
    "c1": {"region": "fooregion", "zones": ["foozone"]},
    "c2": {"region": "barregion", "zones": ["barzone"]},
}
G = "nginx.test.ufp.svc.example.com."
BR = "nginx.test.ufp.svc.barregion.example.com."
BZ = "nginx.test.ufp.svc.barzone.barregion.example.com."
BZ_SHORT = "nginx.test.ufp.svc.barzone.example.com."


def build(service: Mapping[str, Any], **settings: Any) -> fleet.Fleet:
    world = {"settings": SETTINGS | settings, "members": MEMBERS, "services": {"test/nginx": service}}
    return fleet.build(world)


def shards(c1: str = "healthy", c2: str = "healthy") -> dict[str, Any]:
    return {
        "c1": {"addresses": ["198.51.100.1"], "state": c1},
        "c2": {"addresses": ["198.51.200.1"], "state": c2},
    }


def ask(table: dict[bytes, bytes], name: str, rtype: str = "A", number: int = 0) -> dns.message.Message:
    query = dns.message.make_query(name, rtype, use_edns=0, id=number)
    reply = respond.respond(table, query.to_wire(), wire.OWN_SIZE)
    assert reply is not None
    return dns.message.from_wire(reply)


def answer(table: dict[bytes, bytes], name: str, rtype: str = "A") -> list[str]:
    """`OWNER TYPE RDATA` in the order of the message, names without the domain."""
    found = []
    for rrset in ask(table, name, rtype).answer:
        kind = dns.rdatatype.to_text(rrset.rdtype)
        found += [f"{rrset.name} {kind} {rdata}" for rdata in rrset]
    return found


def test_a_narrow_name_leads_to_the_next_wider_one_that_serves() -> None:
    table = build({"shards": shards(c2="unhealthy")}).table()
    chain = [f"{BZ} CNAME {BR}", f"{BR} CNAME {G}", f"{G} A 198.51.100.1"]
    assert answer(table, BZ) == chain
    assert answer(table, BZ_SHORT) == [f"{BZ_SHORT} CNAME {BR}", *chain[1:]]
    assert answer(table, BZ, "CNAME") == chain[:1]


def test_a_chain_to_a_name_without_that_family_is_no_data() -> None:
    reply = ask(build({"shards": shards(c2="unhealthy")}).table(), BZ, "AAAA")
    assert (reply.rcode(), len(reply.answer), len(reply.authority)) == (dns.rcode.NOERROR, 2, 1)


@pytest.mark.parametrize("name", [G, BR, BZ, BZ_SHORT])
@pytest.mark.parametrize("rtype", ["A", "AAAA", "MX", "TXT"])
@pytest.mark.parametrize("service", [{"shards": {}}, {"tombstone": fleet.NOW - 1}, {"shards": {"c1": {}}}])
def test_a_declared_name_is_never_denied(name: str, rtype: str, service: dict[str, Any]) -> None:
    reply = ask(build(service).table(), name, rtype)
    assert reply.rcode() == dns.rcode.NOERROR
    assert len(reply.authority) == 1


@pytest.mark.parametrize(
    "name",
    [
        "example.com.",
        "svc.example.com.",
        "ufp.svc.example.com.",
        "test.ufp.svc.example.com.",
        "barregion.example.com.",
        "svc.barregion.example.com.",
        "barzone.barregion.example.com.",
        "test.ufp.svc.barzone.barregion.example.com.",
        "barzone.example.com.",
        "_tcp.nginx.test.ufp.svc.example.com.",
    ],
)
def test_names_above_served_names_exist(name: str) -> None:
    table = build({"shards": shards(), "ports": [["http", "tcp", 80]]}).table()
    reply = ask(table, name)
    assert (reply.rcode(), reply.answer) == (dns.rcode.NOERROR, [])


def test_names_beside_are_denied() -> None:
    table = build({"shards": shards()}).table()
    for name in (f"x.{G}", "nope.example.com.", f"_http._tcp.{G}"):
        assert ask(table, name).rcode() == dns.rcode.NXDOMAIN, name


def test_both_families_are_one_path() -> None:
    both = {"c1": {"addresses": ["198.51.100.1", "2001:db8::1"]}}
    table = build({"shards": both}).table()
    assert answer(table, BZ)[-1] == f"{G} A 198.51.100.1"
    assert answer(table, BZ, "AAAA")[-1] == f"{G} AAAA 2001:db8::1"


def test_srv_names_the_level_or_leads_to_the_next() -> None:
    table = build({"shards": shards(c2="unhealthy"), "ports": [["http", "tcp", 80]]}).table()
    assert answer(table, f"_http._tcp.{G}", "SRV") == [f"_http._tcp.{G} SRV 0 100 80 {G}"]
    assert answer(table, f"_http._tcp.{BZ}", "SRV") == [
        f"_http._tcp.{BZ} CNAME _http._tcp.{BR}",
        f"_http._tcp.{BR} CNAME _http._tcp.{G}",
        f"_http._tcp.{G} SRV 0 100 80 {G}",
    ]


def test_two_numbers_of_one_port_name_are_two_records() -> None:
    ports = [["http", "tcp", 80], ["http", "tcp", 8080]]
    table = build({"shards": shards(), "ports": ports}).table()
    assert len(answer(table, f"_http._tcp.{G}", "SRV")) == 2


def test_fail_open_says_that_it_is_stale() -> None:
    service = {"shards": shards("unhealthy", "unhealthy"), "last_good": ["c1"]}
    for name in (G, BZ):
        reply = ask(build(service).table(), name)
        assert str(reply.answer[-1][0]) == "198.51.100.1"
        assert [option.code for option in reply.options if isinstance(option, dns.edns.EDEOption)] == [3]


def test_closed_means_no_data() -> None:
    service = {
        "shards": shards("unhealthy", "unhealthy"),
        "last_good": ["c1"],
        "policy": {"on_all_unhealthy": "closed"},
    }
    reply = ask(build(service).table(), G)
    assert (reply.rcode(), reply.answer) == (dns.rcode.NOERROR, [])


def test_a_backup_name_is_an_alias() -> None:
    policy = {"on_all_unhealthy": "backup", "backup": ["sorry.elsewhere.test"]}
    table = build({"shards": shards("unhealthy", "unhealthy"), "policy": policy}).table()
    assert answer(table, BR) == [f"{BR} CNAME {G}", f"{G} CNAME sorry.elsewhere.test."]


def test_weighted_gives_one_shard_per_answer_in_proportion() -> None:
    policy = {"strategy": "Weighted", "weights": {"c1": 3, "c2": 1}}
    table = build({"shards": shards(), "policy": policy}).table()
    seen = Counter(str(ask(table, G, number=number).answer[0][0]) for number in range(400))
    assert all(len(ask(table, G, number=number).answer[0]) == 1 for number in range(8))
    assert seen == {"198.51.100.1": 300, "198.51.200.1": 100}


def test_weights_hold_at_the_end_of_a_chain() -> None:
    policy = {"strategy": "Weighted", "weights": {"c1": 1, "c2": 1}}
    world = {
        "settings": SETTINGS,
        "members": MEMBERS | {"c3": {"region": "third", "zones": ["third-a"]}},
        "services": {"test/nginx": {"shards": shards(), "policy": policy}},
    }
    table = fleet.build(world).table()
    name = "nginx.test.ufp.svc.third-a.third.example.com."
    seen = Counter(str(ask(table, name, number=number).answer[-1][0]) for number in range(100))
    assert seen == {"198.51.100.1": 50, "198.51.200.1": 50}


@given(st.lists(st.integers(1, 1000), min_size=1, max_size=20))
def test_counts_keep_proportions_within_the_schedule(weights: list[int]) -> None:
    shares = [weight / sum(weights) for weight in weights]
    counts = federation.counts(shares)
    assert all(count >= 1 for count in counts)
    assert sum(counts) <= federation.SLOTS
    for share, count in zip(shares, counts, strict=True):
        assert abs(count / sum(counts) - share) <= len(weights) / federation.SLOTS


def test_small_weights_are_exact() -> None:
    assert federation.counts([0.75, 0.25]) == [3, 1]
    assert federation.counts([1 / 3, 2 / 3]) == [1, 2]
    assert federation.counts([0.5, 0.3, 0.2]) == [5, 3, 2]
    assert federation.counts([0.5, 0.25]) == [2, 1]


def test_a_hostname_that_is_the_only_target_is_an_alias() -> None:
    table = build({"shards": {"c1": {"hostnames": ["lb.cloud.test"], "resolved": ["203.0.113.7"]}}}).table()
    assert answer(table, BZ)[-1] == f"{G} CNAME lb.cloud.test."


def test_v1_denies_the_global_name_at_the_end_of_its_chain() -> None:
    table = build({"shards": shards("unhealthy", "unhealthy"), "last_good": ["c1"]}, compat="v1").table()
    reply = ask(table, BZ)
    assert (reply.rcode(), len(reply.answer)) == (dns.rcode.NXDOMAIN, 2)
    assert ask(table, G).rcode() == dns.rcode.NXDOMAIN


def test_names_too_long_are_left_out_and_others_go_on() -> None:
    deep = {"c1": {"region": "r" * 63, "zones": ["z" * 63]}}
    service = {"shards": {"c1": {"addresses": ["198.51.100.1"]}}}
    long = "s" * 63
    world = {
        "settings": {**SETTINGS, "domain": f"{'d' * 40}.example.com"},
        "members": deep,
        "services": {f"test/{long}": service},
    }
    built = fleet.build(world)
    one = built.snapshot.services[f"test/{long}"]
    entries = federation.compile_service(one, built.layout, fleet.NOW)
    assert set(entries) == set(federation.keys(one, built.layout))
    assert len(entries) == len(built.layout.levels) - 1
    assert ["longer than 255" in problem.what for problem in federation.problems(one, built.layout)] == [True]


def test_a_service_whose_name_is_no_label_has_a_problem_and_no_names() -> None:
    built = build({})
    bad = fleet.build({"settings": SETTINGS, "members": MEMBERS, "services": {"test/a.b": {}}})
    one = bad.snapshot.services["test/a.b"]
    assert federation.compile_service(one, built.layout, fleet.NOW) == {}
    assert federation.keys(one, built.layout) == []
    assert len(federation.problems(one, built.layout)) == 1


STATIC = """
$TTL 60
@ IN SOA ns.elsewhere.net. me.example.com. 1 2 3 4 5
@ IN NS ns.elsewhere.net.
nginx.test.ufp.svc IN TXT "static"
test.ufp.svc IN TXT "kept"
*.nginx.test.ufp.svc IN A 192.0.2.7
"""


def test_a_federated_name_wins_over_a_static_one_and_gives_it_back() -> None:
    world = {
        "settings": SETTINGS,
        "members": MEMBERS,
        "services": {"test/nginx": {"shards": shards()}},
        "static": STATIC,
    }
    built = fleet.build(world)
    one = built.snapshot.services["test/nginx"]
    table = built.table()
    assert answer(table, G) == [f"{G} A 198.51.100.1", f"{G} A 198.51.200.1"]
    assert answer(table, "test.ufp.svc.example.com.", "TXT") == ['test.ufp.svc.example.com. TXT "kept"']
    assert answer(table, f"x.{G}") == [f"x.{G} A 192.0.2.7"]
    assert ["static zone" in problem.what for problem in federation.problems(one, built.layout)] == [True]
    back = federation.withdraw(one, built.layout)
    given_back = back[names.wire(G)]
    assert given_back is not None
    assert node.decode(given_back).rrsets[0].rdatas == (b"\x06static",)
    assert back[names.wire(BR)] is None


def test_explain_is_asked_in_band() -> None:
    table = build({"shards": shards(c2="unhealthy")}).table()
    lines = answer(table, f"_explain.{BR}", "TXT")[0]
    assert "region name: no shard can serve here: alias of the global name" in lines
    assert "- c2 unhealthy" in lines
    assert "0 of 1 shards serve" in lines


STATES = st.sampled_from(["unknown", "healthy", "degraded", "draining", "unhealthy"])
POLICIES = st.fixed_dictionaries(
    {
        "strategy": st.sampled_from(["ActiveActive", "PrimarySecondary", "Nearest"]),
        "on_all_unhealthy": st.sampled_from(["open", "closed"]),
        "order": st.just(["c2", "c1"]),
    }
)


@hypothesis.settings(deadline=None, max_examples=40)
@given(states=st.dictionaries(st.sampled_from(["c1", "c2"]), STATES), policy=POLICIES, six=st.booleans())
def test_ready_answers_are_what_the_slow_path_finds(states: Any, policy: Any, six: bool) -> None:
    extra = ["2001:db8::1"] if six else []
    service = {
        "shards": {
            member: {"addresses": [f"192.0.2.{member[1]}", *extra], "state": state}
            for member, state in states.items()
        },
        "policy": policy,
        "last_good": list(states),
    }
    built = build(service)
    table = built.table()
    for owner in federation.keys(built.snapshot.services["test/nginx"], built.layout):
        for rtype in (wire.A, wire.AAAA):
            packet = b"\0\0\0\0\0\1\0\0\0\0\0\1" + owner + rtype.to_bytes(2, "big") + b"\0\1" + OPT
            ready, slow = respond.respond(table, packet, 1232), resolve.resolve(table, packet, 1232)
            assert ready is not None and slow is not None
            assert sections(ready) == sections(slow)
            assert ready[3] & 15 == 0, "a declared name is never denied"


OPT = b"\0\0\x29\x04\xd0\0\0\0\0\0\0"


def sections(reply: bytes) -> object:
    message = dns.message.from_wire(reply)
    shown = [[rrset.to_text() for rrset in section] for section in message.sections]
    return message.rcode(), message.flags, [sorted(each) for each in shown], message.options


PLACES = {
    "a": {"region": "eu", "zones": ["eu-a", "eu-b"]},
    "b": {"region": "eu", "zones": ["eu-b"]},
    "c": {"region": "us", "zones": ["us-a"]},
    "d": {"region": "us", "zones": ["us-a"]},
}


MORE = {f"m{number}": {"region": "eu", "zones": [f"eu-{number % 3}"]} for number in range(9)}


def spread(
    service: Mapping[str, Any], compat: str = "fedns", members: Mapping[str, Any] = PLACES
) -> fleet.Fleet:
    settings = SETTINGS | {"compat": compat}
    return fleet.build({"settings": settings, "members": members, "services": {"test/nginx": service}})


FIELDS = ["addresses", "hostnames", "resolved", "state", "readiness"]


@st.composite
def services(draw: st.DrawFn) -> dict[str, Any]:
    """Shards that are often alike, so that two draws differ in little."""
    rows = st.sampled_from([None, [["eu-a", 2, 2, 0, 2], ["eu-b", 0, 0, 0, 2]], [["eu-b", 1, 1, 0, 1]]])
    fields = ("zone", "ready", "serving", "terminating", "total")
    found = {}
    for number, member in enumerate(draw(st.sets(st.sampled_from(sorted(PLACES)), min_size=2)), 1):
        readiness = draw(rows)
        found[member] = {
            "addresses": draw(st.sampled_from([[f"192.0.2.{number}"]] * 2 + [[], ["2001:db8::1"]])),
            "hostnames": draw(st.sampled_from([[]] * 2 + [["lb.test"], ["lb.test", "lc.test"]])),
            "resolved": draw(st.sampled_from([[]] * 2 + [["192.0.2.99"]])),
            "state": draw(st.sampled_from(["healthy"] * 3 + ["unknown", "draining", "unhealthy"])),
            "readiness": readiness and [dict(zip(fields, row, strict=True)) for row in readiness],
        }
    policy = draw(POLICIES) | {
        "order": ["c", "a"],
        "ttl": {"min": 30, "max": draw(st.sampled_from([30, 60]))},
    }
    if draw(st.booleans()):
        policy |= {"strategy": "Weighted", "weights": {"a": 1, "b": 2}}
    ports = draw(st.sampled_from([[["http", "tcp", 80]]] * 3 + [[]]))
    return {
        "shards": found,
        "policy": policy,
        "ports": ports,
        "last_good": draw(st.sampled_from([["a"], []])),
    }


@hypothesis.settings(deadline=None, max_examples=300)
@given(services(), services(), st.data(), st.sampled_from(["fedns", "fedns", "v1"]))
def test_what_differs_is_all_that_differs(old: Any, new: Any, data: st.DataObject, compat: str) -> None:
    both = sorted(old["shards"].keys() & new["shards"].keys())
    if both and data.draw(st.integers(0, 3), "what moves: 0 everything, else one shard"):
        member, field = data.draw(st.sampled_from(both)), data.draw(st.sampled_from(FIELDS))
        moved = old["shards"][member] | {field: new["shards"][member][field]}
        new = old | {"shards": old["shards"] | {member: moved}}
    before, after = (spread(each, compat) for each in (old, new))
    service = after.snapshot.services["test/nginx"]
    earlier = before.snapshot.services["test/nginx"]
    table = federation.changes(earlier, before.layout, fleet.NOW)
    table |= federation.changes(service, after.layout, fleet.NOW, earlier)
    assert table == federation.changes(service, after.layout, fleet.NOW)


ROWS = st.sampled_from([[["eu-0", 3, 3, 0, 3]], [["eu-0", 2, 2, 0, 3]], [["eu-0", 0, 0, 0, 3]], None])


@st.composite
def crowds(draw: st.DrawFn) -> dict[str, Any]:
    """A service of so many shards that not all are told of."""
    fields = ("zone", "ready", "serving", "terminating", "total")
    found = {}
    for number, member in enumerate([*MORE, *PLACES]):
        rows = draw(ROWS)
        state = draw(st.sampled_from(["healthy"] * 4 + ["degraded", "draining", "unhealthy"]))
        found[member] = {
            "addresses": [f"192.0.2.{number}"] if draw(st.integers(0, 5)) else [],
            "state": state,
            "readiness": rows and [dict(zip(fields, row, strict=True)) for row in rows],
        }
    return {"shards": found, "policy": draw(POLICIES) | {"ttl": {"min": 30, "max": 30}}}


@hypothesis.settings(deadline=None, max_examples=200)
@given(crowds(), crowds(), st.data())
def test_who_is_not_told_of_changes_nothing(old: Any, new: Any, data: st.DataObject) -> None:
    moved = data.draw(st.sets(st.sampled_from(sorted(old["shards"])), max_size=3), "who moves")
    new = {**old, "shards": {**old["shards"], **{member: new["shards"][member] for member in moved}}}
    before, after = (spread(each, members=MORE | PLACES) for each in (old, new))
    (earlier,), (service,) = before.snapshot.services.values(), after.snapshot.services.values()
    table = federation.changes(earlier, before.layout, fleet.NOW)
    table |= federation.changes(service, after.layout, fleet.NOW, earlier)
    assert table == federation.changes(service, after.layout, fleet.NOW)


@pytest.mark.parametrize("addresses", [["192.0.2.99"], []])
@pytest.mark.parametrize("member", ["m0", "m8"])
def test_who_is_told_of_changes_what_tells_it(member: str, addresses: list[str]) -> None:
    shards = {each: {"addresses": [f"192.0.2.{number}"]} for number, each in enumerate(MORE)}
    before, after = (
        spread({"shards": shards | {member: {"addresses": addresses, "state": state}}}, members=MORE)
        for state in ("healthy", "degraded")
    )
    (earlier,), (service,) = before.snapshot.services.values(), after.snapshot.services.values()
    found = federation.changes(service, after.layout, fleet.NOW, earlier)
    whole = federation.changes(service, after.layout, fleet.NOW)
    assert federation.changes(earlier, before.layout, fleet.NOW) | found == whole
    assert (names.wire("nginx.test.ufp.svc.example.com.") in found) == (member == "m0" or not addresses)


def test_levels_that_stand_are_left_out() -> None:
    shards = {member: {"addresses": [f"192.0.2.{number}"]} for number, member in enumerate(PLACES, 1)}
    policy = {"ttl": {"min": 30, "max": 30}}
    before, after = (
        spread({"shards": shards | {"d": shards["d"] | {"state": state}}, "policy": policy})
        for state in ("healthy", "unhealthy")
    )
    (earlier,), (service,) = before.snapshot.services.values(), after.snapshot.services.values()
    found = federation.changes(service, after.layout, fleet.NOW, earlier)
    stem = "nginx.test.ufp.svc"
    touched = [f"{stem}.{place}example.com." for place in ("", "us.", "us-a.us.", "us-a.")]
    assert set(found) == set(map(names.wire, touched))
