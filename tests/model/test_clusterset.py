"""The law of a cluster set's services."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from fedns.model import assemble, clusterset
from fedns.model.facts import Export, Inside, MemberFacts, Port, ShardFacts, Traffic
from fedns.model.policy import TrafficPolicy
from fedns.model.snapshot import Service, Shard, Snapshot, Verdict

KEY = "n/a"


def member(name: str, *addresses: str, read_at: float = 1.0, shards: bool = False) -> MemberFacts:
    there = {KEY: ShardFacts(("198.51.100.1",))} if shards else {}
    return MemberFacts(
        name, "", (), {}, there, read_at=read_at, imports={KEY: addresses} if addresses else {}
    )


def turned(before: Snapshot, *members: MemberFacts) -> Snapshot:
    world = assemble.World({one.name: one for one in members})
    told = assemble.Told(members=[one.name for one in members])
    return assemble.assemble(before, world, frozenset(), 5.0, told)


def imports(found: Snapshot) -> object:
    service: Service = found.services[KEY]
    return service.imports


def test_a_service_has_what_members_have_for_it() -> None:
    first = turned(Snapshot(), member("a", shards=True), member("b", "10.98.0.1"))
    assert imports(first) == (("b", ("10.98.0.1",)),)
    later = turned(first, member("a", "10.98.0.2", shards=True), member("b"))
    assert imports(later) == (("a", ("10.98.0.2",)),)
    assert imports(turned(later, member("a", shards=True), member("b"))) == ()


def test_one_that_was_not_heard_since_a_restart_has_what_it_had() -> None:
    first = turned(Snapshot(), member("a", shards=True), member("b", "10.98.0.1"))
    assert imports(turned(first, member("a", shards=True), member("b", read_at=0.0))) == imports(first)


def shard(member: str, created: float, *ports: Port, headless: bool = False, **more: Any) -> Shard:
    inside = Inside(headless=headless, export=Export(created), **more)
    facts = ShardFacts(ports=ports, inside=inside)
    return Shard(member, "", (), facts, (), Verdict())


def merged(*shards: Shard) -> clusterset.Merged:
    ordered = tuple(sorted(shards, key=lambda one: one.member))
    return clusterset.merge(Service("n", "a", TrafficPolicy(), ordered, ()))


HTTP, ALT = Port("http", "tcp", 80), Port("http", "tcp", 8080)
DNS = Port("dns", "udp", 53)


def told(found: clusterset.Merged) -> list[tuple[str, str]]:
    return [(each.reason, each.member) for each in found.conflicts]


def test_nothing_is_exported() -> None:
    plain = Shard("a", "", (), ShardFacts(inside=Inside()), (), Verdict())
    assert merged(plain, structs.replace(plain, member="b", facts=ShardFacts())) == clusterset.NOTHING


def test_ports_of_all_are_offered_and_who_has_others_is_told_of() -> None:
    found = merged(shard("a", 2.0, HTTP, DNS), shard("b", 1.0, HTTP))
    assert [each.port for each in found.offers] == [HTTP, DNS]
    assert [(one.member, one.detail) for one in found.conflicts] == [("a", "has port 'dns' 53/udp, unlike b")]
    (lacks,) = merged(shard("a", 1.0, HTTP, DNS), shard("b", 2.0, HTTP)).conflicts
    assert (lacks.reason, lacks.detail) == ("PortConflict", "lacks port 'dns' 53/udp, unlike a")
    assert not merged(shard("a", 1.0, HTTP, DNS), shard("b", 2.0, DNS, HTTP)).conflicts
    assert [each.member for each in found.exporters] == ["b", "a"]
    assert [each.member for each in found.shards] == ["a", "b"]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (HTTP, ALT),
        (HTTP, Port("http", "udp", 80)),
        (HTTP, Port("web", "tcp", 80)),
        (HTTP, Port("", "tcp", 81)),
        (Port("", "tcp", 81), HTTP),
    ],
)
def test_of_ports_that_cannot_be_together_that_of_the_first_export_counts(first: Port, second: Port) -> None:
    found = merged(shard("a", 2.0, second), shard("b", 1.0, first))
    assert [each.port for each in found.offers] == [first]
    assert told(found) == [("PortConflict", "a")]


def test_what_is_spoken_at_a_port_is_part_of_it() -> None:
    one, other = shard("a", 1.0, HTTP, protocols=("grpc",)), shard("b", 2.0, HTTP)
    found = merged(one, other)
    assert found.offers == (clusterset.Offer(HTTP, "grpc"),) and told(found) == [("PortConflict", "b")]
    assert "port 'http' 80/tcp, and a port 'http' 80/tcp (grpc)" in found.conflicts[0].detail


def test_exports_of_one_time_go_by_name_and_those_of_none_come_last() -> None:
    found = merged(shard("c", 5.0, HTTP), shard("b", 5.0, ALT), shard("a", 0.0, HTTP))
    assert [each.member for each in found.exporters] == ["b", "c", "a"]
    assert [each.port for each in found.offers] == [ALT]


def test_the_type_of_the_first_export_counts_and_others_are_left_out() -> None:
    found = merged(shard("a", 2.0, HTTP, headless=True), shard("b", 1.0, DNS))
    assert not found.headless and [each.member for each in found.shards] == ["b"]
    assert [each.port for each in found.offers] == [DNS] and told(found) == [("TypeConflict", "a")]


def test_an_external_name_is_not_exported() -> None:
    assert merged(shard("a", 1.0, type="ExternalName")) == clusterset.Merged(refused=("a",))
    found = merged(shard("a", 1.0, type="ExternalName"), shard("b", 2.0))
    assert found.refused == ("a",) and [each.member for each in found.exporters] == ["b"]


def test_what_else_differs_is_told_of() -> None:
    one = shard("a", 1.0, traffic=Traffic("ClientIP", 5, "Local", "PreferClose"))
    found = merged(one, shard("b", 2.0))
    assert found.traffic.affinity == "ClientIP"
    assert [reason for reason, _ in told(found)] == [
        "SessionAffinityConflict",
        "SessionAffinityConfigConflict",
        "InternalTrafficPolicyConflict",
        "TrafficDistributionConflict",
    ]


PORTS = st.builds(Port, st.sampled_from(["", "a", "b"]), st.sampled_from(["tcp", "udp"]), st.integers(1, 3))
SHARDS = st.builds(
    lambda member, created, ports, headless: shard(member, created, *ports, headless=headless),
    st.sampled_from("abcd"),
    st.sampled_from([0.0, 1.0, 2.0]),
    st.lists(PORTS, max_size=3),
    st.booleans(),
)


@given(st.lists(SHARDS, max_size=4, unique_by=lambda one: one.member))
def test_what_is_merged_is_a_service_whatever_comes(shards: list[Shard]) -> None:
    found = merged(*shards)
    names = [each.port.name for each in found.offers]
    numbers = [(each.port.protocol, each.port.number) for each in found.offers]
    assert len(set(names)) == len(names) and len(set(numbers)) == len(numbers)
    assert "" not in names or len(names) == 1
    assert {each.member for each in found.exporters} == {one.member for one in shards}
    for each in found.offers:
        assert any(each.port in one.facts.ports for one in found.shards)
    if found.exporters and found.exporters[0].facts.ports:
        assert found.offers[0].port == found.exporters[0].facts.ports[0]
