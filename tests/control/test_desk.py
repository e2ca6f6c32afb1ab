"""What the admin API is told by the parts of a control process that has taken one turn."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from fedns import config, metrics, tables
from fedns.control import desk, farewell, keys, known, turn, vault
from fedns.errors import FednsError, Problem
from fedns.model import assemble, snapshot
from fedns.model.facts import MemberFacts, ShardFacts, ZoneReadiness
from fedns.servers import api
from fedns.sources import change, operator, probes

CONFIG = """
federation: fed
domain: example.com
nameservers: {ns1.example.com: [127.0.0.1]}
members: []
"""
READY = (ZoneReadiness("eu-1", 2, 2, 0, 2),)
WEB = "web.shop.fed.svc.example.com"


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[Any]:
    loaded = config.parse(CONFIG.encode(), str(tmp_path / "fedns.yaml"))
    assert loaded.config
    writer = tables.Writer(str(tmp_path / "state/tables"))
    cell = known.Known(assemble.World(), ["fleet"])
    shards = {"shop/web": ShardFacts(("192.0.2.1",), readiness=READY)}
    facts = MemberFacts("a", "eu", ("eu-1",), {}, shards, (), "reachable", 1.0, 1.0)
    cell.put(change.MemberChange(facts, None))
    made = SimpleNamespace(
        path=str(tmp_path / "fedns.yaml"),
        config=loaded.config,
        started=1.0,
        known=cell,
        turn=turn.Turn(
            writer, config.naming(loaded.config), snapshot.Snapshot(), config.server(loaded.config)
        ),
        writer=writer,
        operator=operator.Operator(str(tmp_path / "state/orders.json")),
        prober=probes.Prober({}),
        roster=SimpleNamespace(feeds={}, origins={}),
        scribe=None,
        customs=None,
        dispatch=None,
        farewell=farewell.Farewell(),
        keys=keys.Keeper(vault.Vault(str(tmp_path / "keys")), loaded.config.dns.dnssec, None),
    )
    told = desk.Desk(made)
    made.metrics = metrics.Metrics(told.state, told.workers, desk.VERSION)
    made.desk = told
    yield made
    writer.close()


def test_it_says_what_it_waits_for_until_something_is_published(parts: Any) -> None:
    assert "waiting for fleet" in parts.desk.ready() and not parts.desk.state().ready
    parts.turn.run(parts.known, time.time())
    assert parts.desk.ready() == "" and parts.desk.state().ready


def test_status_counts_what_the_last_turn_saw(parts: Any) -> None:
    parts.turn.run(parts.known, time.time())
    parts.known.problems["zones"] = (Problem("a.zone:3", "bad"),)
    status = parts.desk.status()
    assert (status.members, status.services, status.shards, status.problems) == (1, 1, {"healthy": 1}, 1)
    assert status.table.generation == 1 and 0 <= status.table.age < 60
    assert [problem.source for problem in parts.desk.problems()] == ["zones"]


def test_explain_reads_the_table_that_is_served(parts: Any) -> None:
    parts.turn.run(parts.known, time.time())
    told = msgspec.json.decode(msgspec.json.encode(parts.desk.explain(WEB, "A", "")))
    assert "192.0.2.1" in str(told["reply"]) and told["generation"] == 1


def test_a_client_is_an_address(parts: Any) -> None:
    parts.turn.run(parts.known, time.time())
    assert parts.desk.explain(WEB, "A", "2001:db8::1")
    with pytest.raises(ValueError, match="appear to be an IPv4"):
        parts.desk.explain(WEB, "A", "here")


def test_a_zone_is_written_out_and_others_are_not_served(parts: Any) -> None:
    parts.turn.run(parts.known, time.time())

    async def dumped(origin: str) -> str | None:
        pieces = await parts.desk.zone(origin)
        return None if pieces is None else b"".join([piece async for piece in pieces]).decode()

    assert WEB in (asyncio.run(dumped("")) or "")
    assert asyncio.run(dumped("example.net")) is None
    with pytest.raises(FednsError):
        asyncio.run(dumped("a..b"))


@pytest.mark.parametrize("target", ["a", "a/shop/web", "region:eu", "zone:eu-1"])
def test_an_order_for_what_the_fleet_has_is_kept_and_taken_back(parts: Any, target: str) -> None:
    parts.turn.run(parts.known, time.time())
    given = parts.desk.add_order(api.NewOrder(target, "drain", 60.0, "why"))
    assert given.target == target and given.until is not None
    assert [one.target for one in parts.desk.orders()] == [target]
    assert parts.desk.remove_order(target) and not parts.desk.remove_order(target)


@pytest.mark.parametrize("target", ["b", "a/shop/wep", "region:us", "zone:eu", "a/shop", ""])
def test_an_order_for_what_is_not_there_is_refused(parts: Any, target: str) -> None:
    parts.turn.run(parts.known, time.time())
    with pytest.raises(ValueError):
        parts.desk.add_order(api.NewOrder(target, "drain", None, ""))
    assert list(parts.desk.orders()) == []


def test_flaps_are_changes_of_state_but_for_the_first_word() -> None:
    def snap(state: snapshot.State, flaps: int) -> snapshot.Snapshot:
        verdict = snapshot.Verdict(state, flaps=flaps)
        shard = snapshot.Shard("a", "eu", (), ShardFacts(), (), verdict)
        service = snapshot.Service("shop", "web", assemble.World().defaults, (shard,), ())
        return snapshot.Snapshot(services={"shop/web": service}, touched=frozenset({"shop/web"}))

    new, up, down = snap("unknown", 0), snap("healthy", 0), snap("unhealthy", 1)
    assert (desk.flaps(new, up), desk.flaps(up, down), desk.flaps(down, down)) == (0, 1, 0)


@pytest.mark.parametrize("everything", [True, False])
def test_flaps_after_a_quiet_time_and_in_whole_turns_count_too(everything: bool) -> None:
    def snap(**shards: tuple[snapshot.State, int]) -> snapshot.Snapshot:
        judged = tuple(
            snapshot.Shard(name, "eu", (), ShardFacts(), (), snapshot.Verdict(state, flaps=flaps))
            for name, (state, flaps) in shards.items()
        )
        service = snapshot.Service("shop", "web", assemble.World().defaults, judged, ())
        return snapshot.Snapshot(services={"shop/web": service}, touched=frozenset({"shop/web"}))

    before = snap(a=("healthy", 0), b=("unknown", 0), c=("unhealthy", 3))
    after = snap(a=("unhealthy", 1), b=("healthy", 0), c=("healthy", 1), new=("unhealthy", 0))
    whole = msgspec.structs.replace(after, touched=None if everything else after.touched)
    assert desk.flaps(before, whole) == 2
    assert desk.flaps(snapshot.Snapshot(), whole) == 0


@pytest.mark.parametrize(
    ("target", "meant"),
    [("zone:eu-l", "did you mean 'zone:eu-1'?"), ("a/shop/wep", "did you mean 'shop/web'?"), ("q", "fleet.")],
)
def test_a_refused_order_tells_what_was_likely_meant(parts: Any, target: str, meant: str) -> None:
    parts.turn.run(parts.known, time.time())
    with pytest.raises(ValueError) as refused:
        parts.desk.add_order(api.NewOrder(target, "drain", None, ""))
    assert str(refused.value).endswith(meant)
