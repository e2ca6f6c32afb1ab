"""Aliases on a real store: they follow what they stand for in the same turn, and only names that are ours."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from fedns.control import turn
from fedns.dns import client, names, node, wire
from fedns.model import state
from fedns.model.facts import Hostname, MemberFacts, ShardFacts
from fedns.sources import change
from tests.control import test_turn
from tests.control.test_turn import name, zone

HOST = "lb.example.net"
TOLD = {
    "example.com": test_turn.GLOBAL,
    "acme.com": "www.acme.com",
    "www.acme.com": test_turn.GLOBAL,
    "deep.er.acme.com": HOST,
    "*.apps.acme.com": test_turn.GLOBAL,
}
TXT = (wire.TXT, 60, (b"\1x",))


class Bench(test_turn.Bench):
    """With aliases."""

    told = TOLD

    def begin(self) -> None:
        super().begin()
        settings = names.Settings(
            "fed", "example.com", {"ns1.example.com": ("127.0.0.1",)}, aliases=self.told
        )
        previous, _ = state.load(self.writer.items("state"))
        self.turn = turn.Turn(self.writer, settings, previous, client.Server())

    def addresses(self, text: str) -> list[str]:
        found = self.node(text)
        rrsets = found.rrsets if found else ()
        return [".".join(map(str, each)) for held in rrsets if held.type == wire.A for each in held.rdatas]

    @property
    def problems(self) -> list[str]:
        return [str(each) for each in self.turn.problems["aliases"]]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path / "tables")
    yield made
    made.writer.close()


def member(*addresses: str, services: tuple[str, ...] = ("web",)) -> change.MemberChange:
    shards = {f"shop/{each}": ShardFacts(addresses) for each in services}
    return change.MemberChange(MemberFacts("a", "eu", ("eu-1",), {}, shards, (), "reachable", 1.0, 1.0), None)


def resolved(*addresses: str, at: float = 1.0) -> change.HostnameChange:
    return change.HostnameChange({HOST: Hostname(addresses, at)}, frozenset((HOST,)))


def test_aliases_follow_in_the_turn_that_changes_their_targets(bench: Bench) -> None:
    bench.run(member("192.0.2.1"), zone("acme.com", ("acme.com", *TXT), ("www.acme.com", *TXT)))
    followers = ("example.com", "www.acme.com", "acme.com", "*.apps.acme.com")
    assert [bench.addresses(each) for each in followers] == [["192.0.2.1"]] * 4
    apex = bench.node("acme.com")
    assert apex and {each.type for each in apex.rrsets} == {wire.NS, wire.TXT, wire.A}
    assert apex.flags & node.APEX and apex.slots[wire.A].ancount == 1 and apex.slots[wire.AAAA].nodata
    before = bench.writer.generation()
    assert bench.run(member("192.0.2.2", "192.0.2.3")).generation == before + 1
    assert [bench.addresses(each) for each in followers] == [["192.0.2.2", "192.0.2.3"]] * 4
    assert bench.run(member("192.0.2.2", "192.0.2.3")).generation == before + 1
    wild = bench.node("apps.acme.com")
    assert wild and wild.flags & node.WILD
    bench.again()
    bench.run(member("192.0.2.2", "192.0.2.3"), zone("acme.com", ("acme.com", *TXT), ("www.acme.com", *TXT)))
    assert bench.writer.generation() == before + 1 and not bench.problems


def test_a_service_that_comes_and_goes_takes_its_addresses_along(bench: Bench) -> None:
    bench.run(member(services=()), zone("acme.com"))
    assert bench.addresses("acme.com") == [] and any("does not exist" in each for each in bench.problems)
    bench.run(member("192.0.2.1"))
    assert (
        bench.addresses("acme.com") == bench.addresses("example.com") == ["192.0.2.1"] and not bench.problems
    )
    bench.run(member(services=()))
    assert bench.addresses("acme.com") == bench.addresses("example.com") == []
    assert (apex := bench.node("example.com")) and wire.NS in {each.type for each in apex.rrsets}


def test_a_host_outside_keeps_its_last_good_addresses_across_a_restart(bench: Bench) -> None:
    bench.run(zone("acme.com"))
    assert bench.turn.aliases.hosts == {HOST} and bench.addresses("deep.er.acme.com") == []
    bench.run(resolved("198.51.100.1"))
    assert bench.addresses("deep.er.acme.com") == ["198.51.100.1"]
    bench.run(resolved("198.51.100.2"))
    bench.again()
    bench.run(zone("acme.com"))
    assert bench.addresses("deep.er.acme.com") == ["198.51.100.2"]
    bench.run(resolved(at=0.0))
    assert bench.addresses("deep.er.acme.com") == ["198.51.100.2"]
    assert (between := bench.node("er.acme.com")) and not between.rrsets


def test_a_name_that_is_taken_or_not_ours_is_a_problem(tmp_path: Path) -> None:
    made = Bench(tmp_path / "tables")
    made.told = {f"{each}.acme.com": HOST for each in ("cname", "cut", "x.cut", "address")} | {
        "web.shop.fed.svc.example.com": HOST,
        "else.org": HOST,
    }
    made.again()
    rows = (
        ("cname.acme.com", wire.CNAME, 60, (name("x.acme.com"),)),
        ("cut.acme.com", wire.NS, 60, (name("ns.else"),)),
        ("address.acme.com", wire.A, 60, (b"\1\1\1\1",)),
    )
    made.run(member("192.0.2.1"), zone("acme.com", *rows), resolved("198.51.100.1"))
    assert [each.split(":")[0] for each in made.problems] == [
        "alias address.acme.com",
        "alias cname.acme.com",
        "alias cut.acme.com",
        "alias else.org",
        "alias web.shop.fed.svc.example.com",
        "alias x.cut.acme.com",
    ]
    assert made.addresses("address.acme.com") == ["198.51.100.1"]
    assert made.addresses("web.shop.fed.svc.example.com") == ["192.0.2.1"]
    assert made.node("x.cut.acme.com") is None
    made.run(member(services=()))
    assert made.addresses("web.shop.fed.svc.example.com") == ["198.51.100.1"]
    made.writer.close()
