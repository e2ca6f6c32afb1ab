"""Zones beside the federated one, as turns compile them: numbers, changes, collisions, who may copy them."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from fedns import replicas, tables
from fedns.control import annexes
from fedns.dns import annex, client, journal, names, node, permit, query, transfer, wire
from fedns.model import snapshot
from fedns.sources import change
from tests.control import test_turn as turns

APEX = names.wire("web.test")


class Parts(NamedTuple):
    """Each service has one name, with the number of its shards."""

    zone: node.Zone
    number: int
    copied: bool
    problems = ()

    def skeleton(self, snap: snapshot.Snapshot) -> dict[bytes, bytes]:
        found = {APEX: node.encode(node.Node(self.number, node.APEX))}
        for service in snap.services.values():
            found[names.wire(service.namespace)[:-1] + APEX] = node.encode(
                node.Node(self.number, node.BETWEEN)
            )
        return found

    def names(self, service: snapshot.Service) -> Iterable[bytes]:
        return (names.prefix(service) + APEX,)

    def entries(self, service: snapshot.Service, now: float) -> annex.Changes:
        text = f"{len(service.shards)} {service.shards and service.shards[0].verdict.state}".encode()
        told = node.RRset(wire.TXT, 5, (bytes((len(text),)) + text,))
        return {names.prefix(service) + APEX: node.encode(node.Node(self.number, node.SERVICE, (told,)))}


class Zone(annex.Services):
    problems = ()

    def __init__(self, parts: Parts) -> None:
        super().__init__(parts)
        self.zone, self.copied = parts.zone, parts.copied


class Kind(NamedTuple):
    apex: bytes = APEX
    copied: bool = True
    wanted: bool = True

    def open(self, setting: annex.Setting) -> annex.Annex | None:
        soa = b"\x02ns\x07invalid\0" * 2 + bytes(16) + (30).to_bytes(4, "big")
        zone = node.Zone(self.apex, soa, 30)
        return Zone(Parts(zone, setting.zone, self.copied)) if self.wanted else None


class Bench(turns.Bench):
    kinds: tuple[annex.Kind, ...] = (Kind(),)
    copies = replicas.Transfer(allow=(replicas.Peer("127.0.0.1"),))

    def begin(self) -> None:
        super().begin()
        self.turn.annexes = annexes.Annexes(self.kinds)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path / "tables")
    yield made
    made.writer.close()


def serial(bench: Bench, apex: bytes) -> int:
    return journal.number(node.apexes(bench.writer.get("dns", tables.ZONES) or b"")[apex])


def test_its_number_follows_those_of_the_static_zones_and_comes_before_the_catalog(tmp_path: Path) -> None:
    made = Bench(tmp_path / "tables")
    made.copies = replicas.Transfer(catalog="catalog.invalid")
    made.again()
    made.run(turns.member("web"), turns.zone("acme.com"))
    apexes = [zone.apex for zone in node.decode_zones(made.writer.get("dns", tables.ZONES) or b"")]
    assert apexes == [turns.name(each) for each in ("example.com", "acme.com", "web.test", "catalog.invalid")]
    found = made.node("web.shop.web.test")
    assert found is not None and found.zone == 2
    listed = [key for key in made.dns() if key.endswith(b"\x05zones" + turns.name("catalog.invalid"))]
    assert len(listed) == 4, "with the name above the three"
    made.writer.close()


def test_a_difference_publishes_what_a_whole_turn_would(bench: Bench, tmp_path: Path) -> None:
    bench.run(turns.member("web"))
    bench.run(change.MemberChange(turns.member("web", "api").facts, frozenset({"shop/api"})))
    other = Bench(tmp_path / "other")
    other.run(turns.member("web", "api"))
    assert {**bench.dns(), tables.ZONES: b""} == {**other.dns(), tables.ZONES: b""}  # serials differ
    other.writer.close()


def test_nothing_new_publishes_nothing_though_all_is_compiled_again(bench: Bench) -> None:
    first = bench.run(turns.member("web"))
    bench.again()
    assert bench.run(turns.member("web")) == (first.generation, 0)


def test_the_last_service_takes_the_names_above_it_along(bench: Bench) -> None:
    bench.run(turns.member("web"))
    assert bench.node("shop.web.test")
    bench.run(change.MemberChange(turns.member().facts, frozenset({"shop/web"})))
    bench.run(now=1000.0)
    assert bench.node("shop.web.test") is None and bench.node("web.test")


def test_an_apex_that_a_static_zone_has_is_that_ones(bench: Bench) -> None:
    bench.run(turns.member("web"), turns.zone("web.test"))
    assert bench.node("web.shop.web.test") is None
    assert "web.test" in bench.turn.problems["annexes"][0].where
    bench.run(change.ZonesChange({}))
    assert bench.node("web.shop.web.test") and not bench.turn.problems["annexes"]


def test_a_deeper_static_zone_has_the_word_below_its_apex(bench: Bench) -> None:
    bench.run(turns.member("web"), turns.zone("shop.web.test"))
    assert bench.node("web.shop.web.test") is None and bench.node("web.test")


def test_one_that_the_fleet_has_no_use_for_is_not_served(bench: Bench) -> None:
    bench.kinds = (Kind(wanted=False),)
    bench.again()
    bench.run(turns.member("web"))
    assert bench.node("web.test") is None and len(bench.turn.zones) == 1


def judged(bench: Bench) -> int:
    class View:
        def get(self, key: bytes) -> bytes | None:
            return bench.writer.get("dns", key)

    class Asker(client.Client):
        stream = True

        def address(self) -> bytes:
            return b"\x7f\0\0\x01"

    asked = query.parse(bytes(5) + b"\x01" + bytes(6) + APEX + b"\0\xfc\0\x01")
    return transfer.judge(View(), asked, Asker(client.NOBODY.host), b"")[0]


def test_its_serial_moves_with_its_own_content_only(bench: Bench) -> None:
    bench.run(turns.member("web"))
    first = serial(bench, APEX)
    assert first and judged(bench) == wire.NOERROR
    bench.run(turns.zone("acme.com"))
    assert serial(bench, APEX) == first
    bench.run(change.MemberChange(turns.member("web", "api").facts, frozenset({"shop/api"})))
    assert journal.newer(serial(bench, APEX), first)
    assert [key for key, _ in bench.writer.items("journal") if key.startswith(APEX)]


def test_a_private_one_is_copied_by_nobody_and_has_no_journal(bench: Bench) -> None:
    bench.kinds = (Kind(copied=False),)
    bench.again()
    bench.run(turns.member("web"), turns.zone("acme.com"))
    first = serial(bench, APEX)
    assert judged(bench) == wire.REFUSED and permit.RULES in bench.dns()
    assert [zone.apex for zone in bench.turn.copied] == [turns.name("example.com"), turns.name("acme.com")]
    bench.run(turns.zone("acme.com", ("www.acme.com", 16, 60, (b"\x01a",))))
    assert serial(bench, APEX) == first
    bench.run(change.MemberChange(turns.member("web", "api").facts, frozenset({"shop/api"})))
    assert journal.newer(serial(bench, APEX), first)
    assert not [key for key, _ in bench.writer.items("journal") if key.startswith(APEX)]
