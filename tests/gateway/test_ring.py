"""Consistent hashing: even, stable, weighted."""

from collections import Counter

from fedns.gateway import ring
from fedns.gateway.route import Endpoint

ALL = [Endpoint(f"10.0.0.{n}", 80, "m", f"{n:016x}".encode()) for n in range(10)]
KEYS = [b"/page/%d" % n for n in range(5000)]


def owners(endpoints: list[tuple[Endpoint, float]]) -> dict[bytes, str]:
    built = ring.build(endpoints)
    return {key: ring.walk(built, key, 1)[0].address for key in KEYS}


def test_even_and_stable() -> None:
    full = owners([(each, 1.0) for each in ALL])
    counts = Counter(full.values())
    assert len(counts) == 10 and min(counts.values()) > 300 and max(counts.values()) < 750
    less = owners([(each, 1.0) for each in ALL[1:]])
    moved = sum(full[key] != less[key] for key in KEYS if full[key] != "10.0.0.0")
    assert moved == 0


def test_weights_count() -> None:
    counts = Counter(owners([(ALL[0], 3.0), (ALL[1], 1.0)]).values())
    assert 0.65 < counts["10.0.0.0"] / len(KEYS) < 0.85


def test_a_walk_gives_each_once() -> None:
    built = ring.build([(each, 1.0) for each in ALL])
    assert len({each.address for each in ring.walk(built, b"k", 3)}) == 3
    assert len(ring.walk(built, b"k", 99)) == 10
