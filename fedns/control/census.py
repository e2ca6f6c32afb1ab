"""How copies stand, counted: by policy and member, those that are not as they should be, and since when.

Law: looked at where something moved, by who asks as it was at the last look. An age begins when a state was
first seen here: a restart begins anew, a copy that fails again in other words goes on.
"""

from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import NamedTuple, Protocol

from fedns.distribute import holding
from fedns.errors import Problem
from fedns.placement import assignment, choice, item, plan

OVERRIDES = ("OverridePolicy ", "ClusterOverridePolicy ")


class Post(Protocol):
    """One member's copies; `moves` grows with whatever may stand otherwise."""

    @property
    def moves(self) -> int: ...

    def stirred(self) -> Collection[item.Ref]:
        """Those that may stand otherwise than when it was asked last."""

    def rows(self) -> Iterable[holding.Row]: ...

    def row(self, what: item.Ref) -> holding.Row | None: ...


class Stand(NamedTuple):
    """One copy: `since` when it stands so (epoch seconds; None: not known)."""

    member: str
    row: holding.Row
    since: float | None = None


class Reason(NamedTuple):
    """One object and one member (empty: none gets it): how its copy stands (None: none is to be there), and
    `why` it goes there, or the first condition that stopped it."""

    what: item.Ref
    member: str
    policy: str
    why: tuple[str, ...]
    stand: Stand | None = None


class _Known:
    """Of one member, as it was at the last look. `ill`: what is not as it should be."""

    def __init__(self, post: Post) -> None:
        self.post, self._moves = post, 0
        self.counts: Counter[tuple[str, str]] = Counter()
        self._places: dict[item.Ref, tuple[str, str]] = {}
        self.since: dict[item.Ref, tuple[str, float]] = {}
        self.ill: dict[item.Ref, holding.Row] = {}

    def look(self, now: float) -> None:
        if self._moves == self.post.moves:
            return
        self._moves = self.post.moves
        leaving = {what for what, row in self.ill.items() if row.state in holding.LEAVING}
        for what in leaving.union(self.post.stirred()):
            self._take(what, self.post.row(what), now)
        self.counts = +self.counts

    def _take(self, what: item.Ref, row: holding.Row | None, now: float) -> None:
        before, place = self._places.pop(what, None), None if row is None else (row.policy, row.state)
        if before is not None:
            self.counts[before] -= 1
        if place is not None:
            self._places[what] = place
            self.counts[place] += 1
        since = self.since.pop(what, None)
        self.ill.pop(what, None)
        if row is not None and row.state != "applied":
            self.ill[what], self.since[what] = row, _since(row, since, now)


class Census:
    """Of all members. Only what moved is looked at again, and what waits to go."""

    def __init__(self) -> None:
        self._known: dict[str, _Known] = {}

    def look(self, posts: Mapping[str, Post], now: float) -> None:
        """Counts anew where something moved. `now`: epoch seconds."""
        deque(self.looks(posts, now), 0)

    def looks(self, posts: Mapping[str, Post], now: float) -> Iterator[None]:
        """The same, member by member."""
        for name in self._known.keys() - posts.keys():
            del self._known[name]
        for name, one in tuple(posts.items()):
            known = self._known.get(name)
            if known is None or known.post is not one:
                known = self._known[name] = _Known(one)
            known.look(now)
            yield

    @property
    def states(self) -> Mapping[tuple[str, ...], float]:
        """(member, state) -> copies."""
        found: Counter[tuple[str, ...]] = Counter()
        for name, known in sorted(self._known.items()):
            for (_, state), count in known.counts.items():
                found[name, state] += count
        return found

    @property
    def policies(self) -> Iterator[tuple[str, str, Mapping[str, int]]]:
        """Policy, member, and its copies by state."""
        for name, known in sorted(self._known.items()):
            counts = sorted(known.counts.items())
            for policy in sorted({policy for (policy, _), _ in counts}):
                yield policy, name, {state: n for (one, state), n in counts if one == policy}

    def ailing(self) -> Iterator[Stand]:
        """Those that are not as they should be."""
        for name, known in sorted(self._known.items()):
            yield from (self.stand(name, row) for _, row in sorted(known.ill.items()))

    def problems(self) -> Iterator[Problem]:
        """Overrides that cannot be applied, each once."""
        found: dict[tuple[str, str], list[Stand]] = {}
        for one in self.ailing():
            title, _, what = one.row.words.partition(": ")
            if one.row.state == "stopped" and title.startswith(OVERRIDES):
                found.setdefault((title, what), []).append(one)
        for (title, what), stands in found.items():
            more = f"; {len(stands) - 1} more copies likewise" if len(stands) > 1 else ""
            yield Problem(f"{title}: {stands[0].row.what} in {stands[0].member}", what + more, plan.STOPS)

    def failing(self, now: float) -> Mapping[tuple[str, ...], float]:
        """(member,) -> seconds for which a copy has failed, of the one that has longest."""
        return {
            (name,): max((now - at for state, at in known.since.values() if state == "failing"), default=0.0)
            for name, known in sorted(self._known.items())
        }

    def stand(self, member: str, row: holding.Row) -> Stand:
        known = self._known.get(member)
        state, at = known.since.get(row.what, ("", 0.0)) if known is not None else ("", 0.0)
        return Stand(member, row, at if state == row.state else None)

    def reasons(
        self, told: assignment.Assignment, posts: Mapping[str, Post], means: Callable[[item.Ref], bool]
    ) -> Iterator[Reason]:
        """Of every object that is meant, whether and why it is in each member, or not."""
        here = {row.what for one in posts.values() for row in one.rows() if means(row.what)}
        for what in sorted(here | {each for each in told.fleet.templates if means(each)}):
            rows = [(name, None if one is None else one.row(what)) for name, one in _all(told, posts)]
            if not any(row for _, row in rows) and what not in told.refs():
                found = told.fleet.templates[what]
                yield Reason(what, "", "", (choice.missed(found, told.fleet.policies),))
                continue
            for name, row in rows:
                why = told.why(what, name)
                stand = None if row is None else self.stand(name, row)
                yield Reason(what, name, told.policy(what) if row is None else row.policy, why, stand)


def _all(told: assignment.Assignment, posts: Mapping[str, Post]) -> Collection[tuple[str, Post | None]]:
    return [(name, posts.get(name)) for name in sorted({*told.members, *posts})]


def _since(row: holding.Row, before: tuple[str, float] | None, now: float) -> tuple[str, float]:
    return before if before is not None and before[0] == row.state else (row.state, now)
