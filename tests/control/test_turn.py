"""One turn after another on a real store: what is published, what is taken back, what a restart keeps."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import structs

from fedns import tables
from fedns.control import known, turn
from fedns.dns import atlas, client, names, node, places, skeleton
from fedns.errors import StateError
from fedns.model import assemble, snapshot, state
from fedns.model.facts import MemberFacts, ShardFacts
from fedns.sources import change

SETTINGS = names.Settings("fed", "example.com", {"ns1.example.com": ("127.0.0.1",)})
GLOBAL = "web.shop.fed.svc.example.com"
DS = (43, 60, (b"\x00\x01\x0d\x02" + bytes(32),))


def name(text: str) -> bytes:
    return names.wire(text)


def member(*services: str, region: str = "eu", api: str = "reachable") -> change.MemberChange:
    shards = {f"shop/{each}": ShardFacts(("192.0.2.1",)) for each in services}
    facts = MemberFacts("a", region, ("eu-1",), {}, shards, (), api, 1.0, 1.0)  # type: ignore[arg-type]
    return change.MemberChange(facts, None)


def zone(origin: str, *more: tuple[str, int, int, tuple[bytes, ...]]) -> change.ZonesChange:
    apex = name(origin)
    soa = name("ns1.example.com") + name("root.example.com") + bytes(20)
    rows = [(apex, 6, 60, (soa,)), (apex, 2, 60, (name("ns1.example.com"),))]
    rows += [(name(owner), *rest) for owner, *rest in more]  # type: ignore[misc]
    return change.ZonesChange({f"{origin}.": change.ZoneFacts(apex, tuple(sorted(rows)), "/z")})


class Bench:
    """A turn on a store in a directory; `again` is a restart."""

    settings = SETTINGS
    copies = turn.NOBODY

    def __init__(self, path: Path, map_size: int = tables.MAP_SIZE) -> None:
        self.path, self.map_size = path, map_size
        self.begin()

    def begin(self) -> None:
        self.writer = tables.Writer(str(self.path), self.map_size)
        self.known = known.Known(assemble.World())
        self.known.restore(self.writer.items("state"))
        previous, probes = state.load(self.writer.items("state"))
        self.known.probes.update(probes)
        self.turn = turn.Turn(self.writer, self.settings, previous, client.Server(nsid="a"), self.copies)

    def again(self) -> None:
        self.writer.close()
        self.begin()

    def run(self, *news: change.Change, now: float = 100.0) -> turn.Outcome:
        for each in news:
            self.known.put(each)
        return self.turn.run(self.known, now)

    def node(self, text: str) -> node.Node | None:
        raw = self.writer.get("dns", name(text))
        return node.decode(raw) if raw else None

    def dns(self) -> dict[bytes, bytes]:
        """All that is served, but for the number and time of the generation."""
        return {key: value for key, value in self.writer.items("dns") if key != tables.META}


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path / "tables")
    yield made
    made.writer.close()


def test_a_service_appears_and_goes_with_its_names(bench: Bench) -> None:
    bench.run(member("web", "api"))
    assert bench.node(GLOBAL) and bench.node("web.shop.fed.svc.eu-1.eu.example.com")
    news = change.MemberChange(member("api").facts, frozenset({"shop/web"}))
    bench.run(news)
    assert bench.node(GLOBAL) is None and bench.node(GLOBAL.replace("web", "api"))
    assert bench.node("shop.fed.svc.example.com"), "an empty non-terminal above the service that is left"


def test_a_difference_publishes_what_a_whole_turn_would(bench: Bench, tmp_path: Path) -> None:
    bench.run(member("web"))
    bench.run(change.MemberChange(member("web", "api").facts, frozenset({"shop/api"})))
    other = Bench(tmp_path / "other")
    other.run(member("web", "api"))
    assert {**bench.dns(), tables.ZONES: b""} == {**other.dns(), tables.ZONES: b""}  # serials differ
    other.writer.close()


def test_nothing_new_publishes_nothing(bench: Bench) -> None:
    first = bench.run(member("web"))
    second = bench.run(member("web"))
    assert second == (first.generation, 0)


def test_a_moved_member_takes_its_old_names_along(bench: Bench) -> None:
    bench.run(member("web"))
    bench.run(member("web", region="us"))
    assert bench.node("web.shop.fed.svc.us.example.com")
    assert bench.node("web.shop.fed.svc.eu.example.com") is None


def test_a_static_zone_of_which_only_the_soa_changed_is_published(bench: Bench) -> None:
    bench.run(member("web"), zone("acme.com"))
    newer = zone("acme.com").zones["acme.com."]
    soa = name("ns1.example.com") + name("root.example.com") + (700).to_bytes(4, "big") + bytes(16)
    rrsets = tuple(
        (owner, kind, ttl, (soa,) if kind == 6 else rest) for owner, kind, ttl, rest in newer.rrsets
    )
    bench.run(change.ZonesChange({"acme.com.": change.ZoneFacts(newer.origin, rrsets, "/z")}))
    raw = bench.writer.get("dns", tables.ZONES)
    assert raw and [skeleton.serial(each) for each in node.decode_zones(raw)][1] == 700


def test_workers_are_told_how_to_answer_for_themselves(bench: Bench) -> None:
    bench.run(member("web"))
    assert client.decode(bench.writer.get("dns", tables.SERVER)).nsid == "a"


def test_the_serial_moves_with_each_generation_and_over_restarts(bench: Bench) -> None:
    serials = []
    for at, services in enumerate((["web"], ["web", "api"], ["web"], ["api"])):
        bench.run(member(*services), now=100.0 - at)  # a clock that runs backwards
        serials.append(skeleton.serial(bench.turn.zones[0]))
        bench.again()
    assert serials == sorted(set(serials))


def test_a_restart_without_sources_keeps_every_answer(bench: Bench) -> None:
    static = ("www.example.com", 1, 60, (b"\x7f\0\0\1",))
    bench.run(member("web"), zone("example.com", static), change.PolicyChange({}, None))
    before = bench.dns()
    bench.again()
    lost = MemberFacts("a", "", (), {}, {}, (), "unreachable", 200.0, 0.0)
    nothing = change.ZonesChange({}, whole=False)
    outcome = bench.run(change.MemberChange(lost, None), nothing, now=200.0)
    assert outcome.changed == 0 and bench.dns() == before


def test_the_store_forgets_the_state_of_services_and_members_that_went_while_down(bench: Bench) -> None:
    bench.run(member("web", "api"))
    bench.again()
    bench.run(member("web"))
    kept = {key for key, _ in bench.writer.items("state") if key.startswith(state.OWN)}
    assert kept == {b"service/shop/web", b"shard/shop/web/a", b"member/a"}


def test_a_zone_above_may_hold_the_ds_of_the_federated_one(bench: Bench) -> None:
    bench.run(
        member("web"), zone("com", ("example.com", 2, 60, (name("ns1.example.com"),)), ("example.com", *DS))
    )
    apex = bench.node("example.com")
    assert apex and {rrset.type for rrset in apex.rrsets} == {2, 43} and apex.zone == 0
    assert bench.node(GLOBAL)


def test_a_static_zone_below_has_the_word_about_its_names(bench: Bench) -> None:
    bench.run(member("web", "api"), zone("shop.fed.svc.eu.example.com"))
    assert bench.node("web.shop.fed.svc.eu.example.com") is None
    found = bench.node("shop.fed.svc.eu.example.com")
    assert found and found.zone == 1 and bench.node(GLOBAL)


def test_a_failed_turn_is_made_up_for(tmp_path: Path) -> None:
    small = Bench(tmp_path / "small", map_size=1 << 18)
    small.run(member("web"))
    with pytest.raises(StateError):
        small.run(member(*(f"s{number}" for number in range(200))))
    assert small.node(GLOBAL), "the last generation stays"
    small.run(member("api"))
    assert small.node(GLOBAL) is None and small.node(GLOBAL.replace("web", "api"))
    small.writer.close()


def test_snapshots_know_nothing_at_first(bench: Bench) -> None:
    assert bench.turn.snapshot == snapshot.Snapshot(touched=None)


def test_the_map_goes_with_the_answers(bench: Bench) -> None:
    where = atlas.Settings(clients={"a": ("10.0.0.0/8",)}, prefixes=(("11.0.0.0/8", "mars", ""),))
    bench.settings = structs.replace(SETTINGS, where=where)
    bench.again()
    bench.run(member("web"))
    view = bench.writer.view()
    drawn = places.current(view).atlas
    assert drawn.places == (places.Row(), places.Row("mars"), places.Row("eu", "eu-1", "a"))
    assert [each.network for each in drawn.prefixes] == ["11.0.0.0/8", "10.0.0.0/8"]
    view.close()
    assert [each.where for each in bench.turn.problems["places"]] == ["place mars"]
    bench.run(member("web", region="us"))
    view = bench.writer.view()
    assert places.current(view).atlas.places[-1] == ("us", "eu-1", "a")
    view.close()
