"""What becomes of the numbers that gateway workers count."""

from collections import Counter
from pathlib import Path

from fedns.model.facts import Passive
from fedns.servers import sightings, tally
from fedns.sources import change, passive

NOW = 1_700_000_000.0
WEB = ("east", "ns/web")
POOL = ("east", b"ns/web/80")


class Workers:
    """Counters of all workers, and whoever watches them."""

    def __init__(self) -> None:
        self.now = NOW
        self.rows: dict[passive.Pool, Counter[int]] = {}
        self.heard: list[change.PassiveChange] = []
        self.watch = passive.Watch(self, lambda: self.now)
        self.seen()

    def rang(self) -> bool:
        return True

    def look(self) -> dict[passive.Pool, tuple[int, ...]]:
        return {pool: tuple(row[column] for column in range(8)) for pool, row in self.rows.items()}

    def saw(self, pool: passive.Pool = POOL, seconds: int = 1, **counts: int) -> None:
        """Counts so much in each of some seconds."""
        for _ in range(seconds):
            self.now += 1.0
            row = self.rows.setdefault(pool, Counter())
            for name, count in counts.items():
                column = getattr(tally, name.upper())
                row[column] = count if column in (tally.OUT, tally.ALL) else row[column] + count
            if counts.keys() - {"tries"}:
                row[tally.LAST] = int(self.now * 1000)
            self.seen()

    def seen(self) -> None:
        """One look of the watch."""
        self.watch.take(self.look(), self.hear)

    def hear(self, news: change.Change) -> None:
        assert isinstance(news, change.PassiveChange)
        self.heard.append(news)

    def told(self, target: change.Target = WEB) -> list[Passive | None]:
        """What was said of a target so far."""
        return [each.results[target] for each in self.heard if target in each.results]


def test_success_is_not_worth_a_word_but_that_there_is_none_is_said_once() -> None:
    workers = Workers()
    workers.saw(seconds=30, tries=100)
    assert workers.heard == [change.PassiveChange({}, frozenset())]


def test_failures_of_the_last_seconds_are_told_as_they_grow_and_end_with_success() -> None:
    workers = Workers()
    workers.saw(seconds=20, tries=100)
    workers.saw(tries=100, reset=100)
    workers.saw(seconds=4, tries=100, silent=100)
    shares = [each.errors / each.requests for each in workers.told() if each is not None]
    assert shares == sorted(shares) and shares[0] < 0.5 and shares[-1] == 1.0
    workers.saw(seconds=20, tries=100)
    assert workers.told()[-1] is None


def test_a_few_failures_of_many_are_nothing() -> None:
    workers = Workers()
    workers.saw(seconds=30, tries=100, unable=4)
    assert workers.told() == []


def test_what_was_seen_stays_while_nobody_goes_there_any_more() -> None:
    workers = Workers()
    workers.saw(seconds=5, tries=100, reset=100)
    seen = workers.told()[-1]
    assert seen is not None and seen.errors == seen.requests
    workers.saw(seconds=30)
    assert workers.told()[-1] == seen
    workers.saw(seconds=20, tries=100)
    assert workers.told()[-1] is None


def test_endpoints_that_cannot_be_reached_are_told_until_they_can() -> None:
    workers = Workers()
    workers.saw(seconds=20, tries=100)
    workers.saw(refused=3, out=1, all=3)
    workers.saw(refused=3, out=3, all=3)
    assert [(seen.unreachable, seen.endpoints) for seen in workers.told() if seen] == [(1, 3), (3, 3)]
    workers.saw(seconds=30, out=3, all=3)
    seen = workers.told()[-1]
    assert seen is not None and workers.now - seen.at <= passive.FRESH
    workers.saw(out=0, all=0)
    assert workers.told()[-1] is None  # what failed before counts no more


def test_what_nobody_looked_at_for_long_is_no_news() -> None:
    workers = Workers()
    workers.saw(out=3, all=3)
    workers.now += passive.STALE
    workers.seen()
    assert workers.told()[-1] is None


def test_another_port_that_serves_keeps_the_shard() -> None:
    workers, other = Workers(), ("east", b"ns/web/443")
    workers.saw(other, tries=10)
    for _ in range(3):
        workers.rows[other][tally.TRIES] += 10
        workers.saw(out=1, all=1)
        assert all(seen is None or seen.unreachable < seen.endpoints for seen in workers.told())
    workers.saw(out=1, all=1)
    seen = workers.told()[-1]
    assert seen is not None and seen.unreachable == seen.endpoints == 1


def test_counters_that_begin_anew_are_no_failures() -> None:
    workers = Workers()
    workers.saw(seconds=5, tries=100, reset=2)
    workers.rows[POOL] = Counter({tally.TRIES: 10})
    workers.saw(seconds=3, tries=10)
    assert workers.told() == []


def test_it_reads_what_workers_write(tmp_path: Path) -> None:
    one, other = (tally.Tally(str(tmp_path / name)) for name in ("gateway-0", "gateway-1"))
    found = sightings.Sightings(str(tmp_path))
    assert found.look() == {} or not any(map(any, found.look().values()))
    one.saw("east", b"ns/web/80", tally.TRIES)
    found.rang()
    assert not found.rang()
    other.stands(b"ns/web/80", {"east": (2, 2)})
    one.stands(b"ns/web/80", {"east": (1, 2)})
    assert found.rang()
    row = passive.Seen(*found.look()[POOL])
    assert (row.tries, row.out, row.of) == (1, 2, 2)
    other.stands(b"ns/web/80", {})
    assert passive.Seen(*found.look()[POOL]).out == 1
    tally.Tally(str(tmp_path / "gateway-0"))  # its successor has seen nothing yet
    assert passive.Seen(*found.look()[POOL])[-2:] == (0, 0)


def test_who_stops_answering_is_told_of_before_all_is_forgotten_that_went_well() -> None:
    workers = Workers()
    workers.saw(seconds=20, tries=1000)
    workers.saw(tries=100)  # they all wait
    workers.saw(tries=10, silent=100)
    workers.saw(tries=10, silent=10)
    seen = workers.told()[-1]
    assert seen is not None and seen.requests >= 20 and seen.errors >= seen.requests * 0.5
