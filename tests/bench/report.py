"""What was measured, as the tables of docs/benchmarks.md, and what of the targets was missed.

Law: every figure is a median over the rounds; a ratio is the median of the rounds' ratios, since rounds of
one number were measured side by side.
"""

import math
import statistics
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

import changes
import load
import peers
import recipes
import scaling
import scenarios

MIX = "mix"
TARGETS = {"knot": 0.9, "bind": 1.4}  # answers per CPU-second of the ordinary mix
BEST = 1.0  # of the best peer, by the best build of fedns
SCALED = 1.9  # times the answers with two workers
LATE = 1.5  # times Knot's p99 at half load
TITLES = {each.name: each.title for each in (*peers.OURS, *recipes.PEERS)}
OURS = [each.name for each in peers.OURS]

Rounds = Mapping[str, Sequence[load.Round]]


class Results:
    """Rounds and delays (microseconds) by scenario and server."""

    def __init__(self) -> None:
        self.rounds: defaultdict[str, defaultdict[str, list[load.Round]]] = defaultdict(
            lambda: defaultdict(list)
        )
        self.delays: defaultdict[str, defaultdict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
        self.disagreements: dict[str, list[str]] = {}
        self.changes: list[changes.Rounds] = []
        self.scaling: list[scaling.Rounds] = []
        self.left_out: dict[tuple[str, frozenset[str]], str] = {}

    def add(self, scenario: str, server: str, told: load.Round) -> None:
        self.rounds[scenario][server].append(told)

    def delayed(self, scenario: str, server: str, delay: float) -> None:
        self.delays[scenario][server].append(delay)

    def last(self, scenario: str, server: str) -> load.Round:
        return self.rounds[scenario][server][-1]

    def leave_out(self, who: peers.Participant, features: frozenset[str], reason: str) -> None:
        self.left_out[who.name, features] = f"{who.title}: {reason}"


def text(results: Results) -> str:
    parts = (_speeds, _ratios, _delays, _scaling, _changes, _notes)
    return "\n".join(line for part in parts for line in part(results))


def verdict(results: Results) -> int:
    """Prints what was missed; the exit status."""
    missed = list(_missed(results))
    targets = MIX in results.rounds or results.scaling or results.changes
    met = "all targets met" if targets else "no target is among what was measured"
    print("missed: " + "; ".join(missed) if missed else met)
    return 1 if missed else 0


def row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def head(cells: Sequence[str]) -> Iterator[str]:
    yield ""
    yield row(cells)
    yield "|---" * len(cells) + "|"


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Infinite where the other did not do enough to be measured."""
    pairs = zip(ours, theirs, strict=True)
    return statistics.median(mine / other if other else math.inf for mine, other in pairs)


def _speeds(results: Results) -> Iterator[str]:
    """A row a scenario: answers per CPU-second of every server."""
    if not results.rounds:
        return
    yield from head(["answers per CPU-second", *TITLES.values()])
    for scenario, rounds in _known(results):
        yield row([scenario.title, *(_speed(rounds.get(name)) for name in TITLES)])


def _speed(rounds: Sequence[load.Round] | None) -> str:
    middle = statistics.median(each.per_cpu for each in rounds) if rounds else 0.0
    return f"{middle:,.0f}" if middle else "–"


def _ratios(results: Results) -> Iterator[str]:
    """A row a scenario and build: how many times each peer's answers per CPU-second."""
    if not results.rounds:
        return
    others = [name for name in TITLES if name not in OURS]
    yield from head(["fedns / peer", *(TITLES[name] for name in others), "the best peer"])
    for scenario, rounds in _known(results):
        for mine in (name for name in OURS if name in rounds):
            each = {name: _faster(rounds, mine, name) for name in others if name in rounds}
            cells = [_times(each.get(name, math.inf)) for name in others]
            title = scenario.title if mine == OURS[0] else f"{scenario.title}: {TITLES[mine]}"
            yield row([title, *cells, _times(min(each.values(), default=math.inf))])


def _times(factor: float) -> str:
    return "–" if factor == math.inf else f"{factor:.2f}"


def _faster(rounds: Rounds, mine: str, other: str) -> float:
    return ratio([each.per_cpu for each in rounds[mine]], [each.per_cpu for each in rounds[other]])


def _delays(results: Results) -> Iterator[str]:
    if not results.delays:
        return
    yield from head(["p99 at half load", *TITLES.values()])
    for scenario, _ in _known(results):
        delays = results.delays.get(scenario.name, {})
        if delays:
            cells = (f"{statistics.median(delays[n]):,.0f} µs" if n in delays else "–" for n in TITLES)
            yield row([scenario.title, *cells])


def _scaling(results: Results) -> Iterator[str]:
    if results.scaling:
        first, *rest = scaling.table(results.scaling)
        yield from head(first)
        yield from map(row, rest)


def _changes(results: Results) -> Iterator[str]:
    if results.changes:
        first, *rest = changes.table(results.changes)
        yield from head(first)
        yield from map(row, rest)


def _notes(results: Results) -> Iterator[str]:
    yield ""
    if results.left_out:
        yield "Left out: " + "; ".join(dict.fromkeys(results.left_out.values())) + "."
    for scenario, rounds in _known(results):
        for name, each in rounds.items():
            lost, all_ = (sum(getattr(one, what) for one in each) for what in ("lost", "answers"))
            if lost:
                yield f"{scenario.name}: {TITLES[name]} lost {lost} of {all_ + lost}"
        wrong = results.disagreements.get(scenario.name, [])
        if wrong:
            yield f"{scenario.name}: {len(wrong)} answers differ, such as {wrong[0]}"


def _known(results: Results) -> Iterator[tuple[scenarios.Scenario, Rounds]]:
    return ((each, results.rounds[each.name]) for each in scenarios.TABLE if each.name in results.rounds)


def _missed(results: Results) -> Iterator[str]:
    """Targets that the ordinary mix missed; each build of fedns is to keep up with Knot and BIND, the best
    one with everybody."""
    rounds, delays = results.rounds.get(MIX, {}), results.delays.get(MIX, {})
    ours = [name for name in OURS if name in rounds]
    others = [name for name in rounds if name not in OURS]
    for mine in ours:
        for other in (name for name in others if name in TARGETS):
            reached = _faster(rounds, mine, other)
            if reached < TARGETS[other]:
                yield f"{mine} / {other} {reached:.2f} of {TARGETS[other]}"
        if "knot" in delays and ratio(delays[mine], delays["knot"]) > LATE:
            yield f"p99 of {mine} / knot {ratio(delays[mine], delays['knot']):.2f} of at most {LATE}"
    if ours and others:
        best = max(min(_faster(rounds, mine, other) for other in others) for mine in ours)
        if best < BEST:
            yield f"{best:.2f} of {BEST} of the best peer"
    for flow in results.changes:
        lost = sum(each.lost for each in flow.moving)
        if lost or flow.unseen:
            yield f"{flow.title}: {lost} answers lost, {len(flow.unseen)} changes not seen"
    for each in results.scaling:
        if each.title in [TITLES[name] for name in OURS] and each.times < SCALED:
            yield f"{each.title} with two workers {each.times:.2f} times of {SCALED}"
