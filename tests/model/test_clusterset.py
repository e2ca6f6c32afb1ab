"""The law of a cluster set's services."""

from fedns.model import assemble
from fedns.model.facts import MemberFacts, ShardFacts
from fedns.model.snapshot import Service, Snapshot

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
