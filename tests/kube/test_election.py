"""The election: no two believe at once, whatever the network and the clocks do; and somebody soon does."""

import heapq
import random
from collections.abc import Callable
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from fedns.kube.election import Election, Record, Terms

END = 400.0
"""Seconds that a run lasts."""
TIMEOUT = 5.0
OTHER = Record("b", 15, "t0", "t0", 3)


class Conflict(Exception):
    pass


class Server:
    """The one object, and its versions."""

    def __init__(self) -> None:
        self.record, self.version = Record(), 0

    def read(self) -> tuple[Record | None, str]:
        return (self.record, str(self.version)) if self.version else (None, "")

    def write(self, record: Record, version: str) -> tuple[Record, str]:
        if version != (str(self.version) if self.version else ""):
            raise Conflict
        self.record, self.version = record, self.version + 1
        return record, str(self.version)


class Weather(NamedTuple):
    """How bad the network is: shares lost and late, and how late (seconds). `stops`: how often a process is
    stopped for a while between what it read and what it does."""

    lost: float
    late: float
    most: float
    stops: float = 0.2


class World:
    """Processes, each with a clock of its own, one server, and what is on its way between them."""

    def __init__(self, chance: random.Random, weather: Weather) -> None:
        self.now, self.chance, self.weather = 0.0, chance, weather
        self.server, self.processes = Server(), list[Process]()
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0
        self.believed: set[str] = set()

    def later(self, seconds: float, what: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._events, (self.now + seconds, self._count, what))

    def travel(self, what: Callable[[], None]) -> None:
        """A message that arrives soon, late, or never."""
        if self.chance.random() < self.weather.lost:
            return
        late = self.chance.random() < self.weather.late
        self.later(self.chance.uniform(0.0, self.weather.most if late else 0.05), what)

    def run(self, until: float) -> None:
        while self._events and self._events[0][0] <= until:
            self.now, _, what = heapq.heappop(self._events)
            what()
            believers = [one.name for one in self.processes if one.believes()]
            assert len(believers) <= 1, (self.now, believers)
            self.believed.update(believers)
        self.now = until


class Process:
    """One contender, its requests one after another. `rate`: seconds of its clock in a second."""

    def __init__(self, world: World, name: str, rate: float) -> None:
        self.world, self.name, self.rate = world, name, rate
        self.offset = world.chance.uniform(0.0, 1e6)
        self.election = Election(name)
        self.alive, self.turn, self.doubt = True, 0, False
        world.processes.append(self)
        world.later(world.chance.uniform(0.0, 2.0), self.begin)

    def clock(self) -> float:
        return self.offset + self.world.now * self.rate

    def believes(self) -> bool:
        return self.alive and self.election.held(self.clock())

    def ask(self, request: Callable[[], object], then: Callable[[object], None]) -> None:
        """Sends; `then` hears the reply unless this process gave up waiting, or a Conflict."""
        self.turn += 1
        turn = self.turn

        def hear(reply: object) -> None:
            if self.alive and self.turn == turn:
                self.turn += 1
                then(reply)

        def arrive() -> None:
            try:
                reply = request()
            except Conflict as conflict:
                reply = conflict
            self.world.travel(lambda: hear(reply))

        def give_up() -> None:
            if self.turn == turn:
                self.pause()

        self.world.travel(arrive)
        self.world.later(TIMEOUT / self.rate, give_up)

    def pause(self) -> None:
        self.turn += 1
        wait = self.election.wait(self.clock(), self.world.chance.random()) / self.rate
        self.world.later(wait, self.begin)

    def begin(self) -> None:
        if not self.alive:
            return
        if self.doubt or not self.election.mine:
            self.ask(self.world.server.read, self.read)
        else:
            self.write()

    def read(self, reply: object) -> None:
        record, version = reply  # type: ignore[misc]
        self.election.saw(record, version, self.clock())
        self.doubt = False
        stopped = self.world.chance.random() < self.world.weather.stops
        self.world.later(12.0 if stopped else 0.0, self.write)

    def write(self) -> None:
        wanted = self.election.wish(self.clock(), str(self.world.now)) if self.alive else None
        if wanted is None:
            return self.pause()
        sent, version, self.doubt = self.clock(), self.election.version, True

        def heard(reply: object) -> None:
            if not isinstance(reply, Conflict):
                self.election.wrote(*reply, sent)  # type: ignore[misc]
                self.doubt = False
            self.pause()

        self.ask(lambda: self.world.server.write(wanted, version), heard)

    def end(self, orderly: bool) -> None:
        """Killed, or let go at SIGTERM; again where a renewal that was under way came between."""
        self.alive, server = False, self.world.server
        self.election.leave("")

        def let_go() -> None:
            self.election.saw(*server.read(), self.clock())
            wanted, version = self.election.leave(str(self.world.now)), self.election.version
            if wanted is not None:
                self.world.travel(lambda: write(wanted, version))

        def write(wanted: Record, version: str) -> None:
            try:
                server.write(wanted, version)
            except Conflict:
                self.world.travel(let_go)

        if orderly:
            self.world.travel(let_go)


WEATHER = st.builds(
    Weather, st.floats(0.0, 0.7), st.floats(0.0, 0.7), st.sampled_from([0.5, 3.0, 12.0, 40.0])
)
SEEDS = st.integers(0, 2**32)
RATES = st.lists(st.floats(0.85, 1.2), min_size=2, max_size=4)


@settings(max_examples=300, deadline=None)
@given(SEEDS, WEATHER, RATES, st.lists(st.floats(0.0, END), max_size=6))
def test_no_two_ever_believe_at_once(
    seed: int, weather: Weather, rates: list[float], deaths: list[float]
) -> None:
    chance = random.Random(seed)
    world = World(chance, weather)
    for number, rate in enumerate(rates):
        Process(world, f"p{number}", rate)

    def die() -> None:
        one = chance.choice(world.processes)
        one.end(chance.random() < 0.5)
        Process(world, f"p{len(world.processes)}", one.rate)

    for at in deaths:
        world.later(at, die)
    world.run(END)


@settings(max_examples=50, deadline=None)
@given(SEEDS, st.booleans(), RATES)
def test_when_one_goes_another_soon_holds_it(seed: int, orderly: bool, rates: list[float]) -> None:
    chance = random.Random(seed)
    world = World(chance, Weather(0.0, 0.0, 0.1, 0.0))
    for number, rate in enumerate(rates):
        Process(world, f"p{number}", rate)
    world.run(30.0)
    (first,) = [one for one in world.processes if one.believes()]
    first.end(orderly)
    world.run(world.now + (3.0 if orderly else 15.0 / 0.85 + 3.0))
    (second,) = [one for one in world.processes if one.believes()]
    assert second is not first
    assert world.server.record.transitions >= 1


def test_a_record_runs_out_by_when_it_was_seen_to_change() -> None:
    one = Election("a")
    one.saw(OTHER, "1", 100.0)
    assert one.wish(114.9, "w") is None
    one.saw(OTHER._replace(renewed="t1"), "2", 110.0)
    one.saw(OTHER._replace(renewed="t1"), "3", 120.0)  # somebody labelled the object
    assert one.wish(124.9, "w") is None
    assert one.wish(125.0, "w") == Record("a", 15, "w", "w", 4)


def test_it_ends_by_itself_and_counts_from_the_sending() -> None:
    one = Election("a")
    one.saw(None, "", 0.0)
    wanted = one.wish(0.0, "w")
    assert wanted == Record("a", 15, "w", "w", 0)
    one.wrote(wanted, "1", sent=1.0)
    assert one.held(10.9) and not one.held(11.0)
    assert one.wish(11.0, "x") == wanted._replace(renewed="x")
    one.wrote(wanted, "2", sent=12.0)
    assert one.held(13.0)
    one.saw(OTHER, "3", 13.0)
    assert not one.held(13.0)


def test_who_let_go_is_followed_at_once() -> None:
    one, other = Election("a"), Election("b")
    one.saw(OTHER, "1", 0.0)
    other.saw(OTHER, "1", 0.0)
    assert one.leave("w") is None
    left = other.leave("w")
    assert left == Record("", 1, "t0", "w", 3)
    assert not other.held(0.0) and other.wish(100.0, "w") is None
    third = Election("c")
    third.saw(left, "2", 0.0)
    assert third.wish(0.0, "x") == Record("c", 15, "x", "x", 4)
    assert 1.6 <= third.wait(0.0, 0.0) < third.wait(0.0, 1.0) <= 2.4


def test_one_that_was_removed_may_still_be_believed_in() -> None:
    one = Election("a")
    one.saw(OTHER, "1", 0.0)
    one.saw(None, "", 10.0)
    one.saw(None, "", 20.0)
    assert one.wish(24.0, "w") is None
    assert one.wish(25.0, "w") == Record("a", 15, "w", "w", 4)
    own = Election("b")
    own.wrote(OTHER, "1", sent=0.0)
    own.saw(None, "", 1.0)
    assert not own.held(1.0)
    assert own.wish(1.0, "w") == OTHER._replace(renewed="w")


def test_the_next_look_is_when_a_record_runs_out() -> None:
    one = Election("a", Terms(jitter=0.0))
    one.saw(OTHER, "1", 0.0)
    assert one.wait(0.0, 0.5) == 2.0
    assert one.wait(14.0, 0.5) == 1.0
