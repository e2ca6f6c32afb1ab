"""Turn after turn on a real store: serials that move, and copies that follow step by step."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import dns.zone
import pytest

from fedns import replicas
from fedns.control import turn
from fedns.dns import client, journal, names
from fedns.model import snapshot
from fedns.sources import change
from tests.control import test_turn
from tests.fakes import copying

FEDERATED, STATIC, CATALOG = "example.com.", "acme.com.", "catalog.invalid."


class Bench(test_turn.Bench):
    """A turn whose zones somebody may copy."""

    copies = replicas.Transfer(allow=(replicas.Peer("127.0.0.0/8"),))


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[test_turn.Bench]:
    made = Bench(tmp_path / "tables")
    yield made
    made.writer.close()


def view(bench: test_turn.Bench) -> copying.View:
    return copying.View(dict(bench.writer.items("dns")), dict(bench.writer.items("journal")))


def serial(bench: test_turn.Bench, index: int) -> int:
    return journal.number(bench.turn.zones[index])


def test_a_copy_follows_step_by_step(bench: test_turn.Bench) -> None:
    bench.run(test_turn.member("web"))
    _, copy = copying.pulled(view(bench), FEDERATED)
    for services in (["web", "api"], ["api"], [], ["web", "db"]):
        before = serial(bench, 0)
        bench.run(test_turn.member(*services))
        kind, copy = copying.pulled(view(bench), FEDERATED, before, copy)
        assert kind == "ixfr" and copy == copying.pulled(view(bench), FEDERATED)[1]


def test_and_over_a_restart(bench: test_turn.Bench) -> None:
    bench.run(test_turn.member("web"))
    before, copy = serial(bench, 0), copying.pulled(view(bench), FEDERATED)[1]
    bench.again()
    bench.run(test_turn.member("web", "api"))
    kind, copy = copying.pulled(view(bench), FEDERATED, before, copy)
    assert kind == "ixfr" and copy == copying.pulled(view(bench), FEDERATED)[1]


def test_a_static_zone_moves_on_where_its_file_forgot_to(bench: test_turn.Bench) -> None:
    bench.run(test_turn.member("web"), test_turn.zone("acme.com"))
    first, federated = serial(bench, 1), serial(bench, 0)
    bench.run(test_turn.zone("acme.com", ("www.acme.com", 1, 60, (b"\xc0\0\2\1",))))
    second = serial(bench, 1)
    assert second == first + 1
    bench.run(test_turn.member("web", "api"))
    assert serial(bench, 1) == second and serial(bench, 0) > federated


def test_where_nobody_may_copy_serials_move_without_a_journal(tmp_path: Path) -> None:
    made = test_turn.Bench(tmp_path / "tables")
    made.run(test_turn.member("web"), test_turn.zone("acme.com"))
    federated, static = serial(made, 0), serial(made, 1)
    made.run(test_turn.member("web", "api"))
    assert serial(made, 0) > federated and serial(made, 1) == static
    made.run(test_turn.zone("acme.com", ("www.acme.com", 1, 60, (b"\xc0\0\2\1",))))
    assert serial(made, 1) == static + 1
    assert not list(made.writer.items("journal"))
    made.writer.close()


def test_the_catalog_lists_all_zones(tmp_path: Path) -> None:
    made = test_turn.Bench(tmp_path / "catalog")
    copies = replicas.Transfer(catalog="catalog.invalid")
    made.turn = turn.Turn(made.writer, test_turn.SETTINGS, snapshot.Snapshot(), client.Server(), copies)
    made.run(test_turn.member("web"), test_turn.zone("acme.com"))
    before, catalog = serial(made, 2), copying.pulled(view(made), CATALOG)[1]
    assert _members(catalog) == {FEDERATED, STATIC}
    made.run(test_turn.zone("acme.org"))
    assert serial(made, 2) > before
    kind, catalog = copying.pulled(view(made), CATALOG, before, catalog)
    assert kind == "ixfr" and _members(catalog) == {FEDERATED, "acme.org."}
    made.writer.close()


def _members(zone: dns.zone.Zone) -> set[str]:
    return {str(rdata.target) for _, _, rdata in zone.iterate_rdatas("PTR")}


def _hosts(*hosts: str) -> change.ZonesChange:
    return test_turn.zone("acme.com", *((f"{host}.acme.com", 1, 60, (bytes(4),)) for host in hosts))


def test_serials_go_on_where_the_tables_were_lost(tmp_path: Path) -> None:
    made = test_turn.Bench(tmp_path / "tables")
    copy = tmp_path / "copy"
    made.run(test_turn.member("web"), test_turn.zone("acme.com"))
    shutil.copytree(tmp_path / "tables", copy)
    for at in range(5):
        made.run(
            test_turn.member(f"s{at}"), test_turn.zone("acme.com", (f"w{at}.acme.com", 1, 60, (bytes(4),)))
        )
    last = [serial(made, index) for index in (0, 1)]
    for old in (None, copy):  # lost; and restored from a copy
        made.writer.close()
        shutil.rmtree(tmp_path / "tables")
        if old:
            shutil.copytree(old, tmp_path / "tables")
        made.begin()
        made.run(
            test_turn.member("web", "api"), test_turn.zone("acme.com", *[("b.acme.com", 1, 9, (bytes(4),))])
        )
        found = [serial(made, index) for index in (0, 1)]
        assert all(journal.newer(now, before) for now, before in zip(found, last, strict=True))
        last = found
    made.writer.close()


def test_zones_in_each_other_are_copied_right_when_one_comes_between(bench: test_turn.Bench) -> None:
    apexes = ["a.b.c.example.", "c.example.", "b.c.example."]
    bench.run(test_turn.member("web"), _zones(apexes[:2]))
    numbers = {each.apex: journal.number(each) for each in bench.turn.zones}
    copies = {apex: copying.pulled(view(bench), apex)[1] for apex in apexes[:2]}
    bench.run(_zones(apexes))
    for apex, copy in copies.items():
        before = numbers[names.wire(apex)]
        assert copying.pulled(view(bench), apex, before, copy)[1] == copying.pulled(view(bench), apex)[1]


def _zones(apexes: list[str]) -> change.ZonesChange:
    found = [test_turn.zone(apex.rstrip(".")).zones for apex in apexes]
    return change.ZonesChange({key: each for one in found for key, each in one.items()})
