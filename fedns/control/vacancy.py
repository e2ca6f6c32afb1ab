"""A member to which nobody brings copies: what it is to have, told as if somebody did, and why nobody does.

Law: as a post's, for who counts. Nothing is known of what is there, and nothing is written.
"""

from collections.abc import Callable, Collection, Iterator
from typing import NamedTuple

from fedns.control import outpost
from fedns.distribute import holding
from fedns.placement import assignment, item

DIRECTORY = "it is a directory, so no copies are brought there"


class Decided(NamedTuple):
    """What goes where just now. `number` grows with each decision."""

    assignment: assignment.Assignment
    number: int


class Vacancy:
    """`decided`: by whom that is told."""

    def __init__(self, member: str, decided: Callable[[], Decided], reached: bool) -> None:
        self.member, self.reached, self._decided = member, reached, decided
        self._had: frozenset[item.Ref] = frozenset()

    @property
    def moves(self) -> int:
        return self._decided().number + 1

    def stirred(self) -> Collection[item.Ref]:
        before, self._had = self._had, frozenset(row.what for row in self.rows())
        return before | self._had

    def rows(self) -> Iterator[holding.Row]:
        for what in self._decided().assignment.refs():
            row = self.row(what)
            if row is not None:
                yield row

    def row(self, what: item.Ref) -> holding.Row | None:
        told = self._decided().assignment
        if self.member not in told.goes(what):
            return None
        if self.reached:
            return holding.Row(what, "waiting", told.policy(what), outpost.STRANGER)
        return holding.Row(what, "stopped", told.policy(what), DIRECTORY)
