"""Persisted state: whole and partial dumps, and what cannot be read."""

import msgspec
import pytest
from msgspec import structs

from fedns.errors import StateError
from fedns.model import assemble, state
from fedns.model.facts import (
    Backend,
    Endpoint,
    Export,
    Inside,
    MemberFacts,
    Port,
    ProbeCount,
    ShardFacts,
    Traffic,
    ZoneReadiness,
)
from fedns.model.snapshot import Snapshot

SHARD = ShardFacts(
    ("198.51.100.1",),
    ("lb.example.net",),
    (Port("http", "tcp", 80), Port("rpc", "tcp", 81, h2c=True)),
    (ZoneReadiness("z", 1, 1, 0, 1),),
    (Endpoint("10.0.0.1", (("http", 8080),), "z"),),
    Inside(
        "ClusterIP",
        headless=True,
        backends=(Backend("10.0.0.1", "a-0", (("http", 8080),)),),
        export=Export(7.0, (("a", "b"),)),
        traffic=Traffic("ClientIP", 5),
    ),
)
PROBES = {("m", "n/a"): ProbeCount("down", 1, 3, "refused", 9.0)}


def world(*names: str) -> assemble.World:
    member = MemberFacts(
        "m",
        "eu",
        ("z",),
        {"tier": "prod"},
        dict.fromkeys(names, SHARD),
        (),
        "reachable",
        1.0,
        2.0,
        "eu-1",
        imports={"n/a": ("10.98.0.1",)},
    )
    return assemble.World({"m": member})


BOTH = assemble.assemble(Snapshot(), world("n/a", "n/b"), None, 5.0)


def stored(entries: object) -> list[tuple[bytes, bytes]]:
    return [(key, value) for key, value in entries.items() if value is not None]  # type: ignore[attr-defined]


def test_what_is_loaded_is_what_was_dumped_without_evidence() -> None:
    loaded, probes = state.load(stored(state.dump(BOTH, PROBES)))
    assert probes == PROBES and loaded.members == BOTH.members
    for key, service in BOTH.services.items():
        assert loaded.services[key] == structs.replace(
            service,
            shards=tuple(
                structs.replace(shard, verdict=structs.replace(shard.verdict, evidence=()))
                for shard in service.shards
            ),
        )


def test_only_what_differs_is_dumped_and_what_is_gone_is_deleted() -> None:
    after = assemble.assemble(BOTH, world("n/b"), frozenset({"n/a"}), 6.0)
    assert state.dump(after, PROBES, BOTH) == {b"service/n/a": None, b"shard/n/a/m": None}
    assert {b"service/n/b", b"shard/n/b/m", b"member/m"} == state.dump(after, PROBES).keys()


def test_other_formats_and_keys_are_passed_over() -> None:
    loaded, probes = state.load([(b"service/n/a", b"\x00old"), (b"\xffserial", b"\x01"), (b"x", b"")])
    assert not loaded.services and not probes


@pytest.mark.parametrize("value", [b"\x02", b"\x02\x93", b"\x02\xc0", b"\x02\x90"])
@pytest.mark.parametrize("key", [b"service/n/a", b"member/m", b"shard/n/a/m"])
def test_broken_entries_are_a_state_error(key: bytes, value: bytes) -> None:
    with pytest.raises(StateError, match="cannot be read"):
        state.load([(key, value)])


def test_what_an_older_version_wrote_is_still_read() -> None:
    old = [
        (b"service/n/a", b"\x02" + msgspec.msgpack.encode([[["http", "tcp", 80]], ["m"]])),
        (
            b"shard/n/a/m",
            b"\x02" + msgspec.msgpack.encode(["eu", ["z"], ["198.51.100.1"], ["healthy", "it is", 1.0]]),
        ),
    ]
    loaded, _ = state.load(old)
    shard = loaded.services["n/a"].shards[0]
    assert shard.facts == ShardFacts(("198.51.100.1",)) and loaded.services["n/a"].imports == ()
