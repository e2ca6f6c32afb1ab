"""Objects of a cluster that others are made by: they are watched beside what is written, and never written.

Law: to a writer it is a shelf with nothing due. What keeps it from seeing is a problem.
"""

from collections.abc import Iterator
from typing import Any

from fedns.distribute import docket, errand
from fedns.errors import Problem
from fedns.kube import informer
from fedns.kube.failure import Failure


class Lookout:
    """`plural`: what is looked at, as problems call it."""

    def __init__(self, plural: str, hint: str) -> None:
        self.book = docket.Docket()
        self._plural, self._hint = plural, hint
        self._feed: informer.Informer | None = None

    @property
    def doubted(self) -> bool:
        return False

    def due(self, now: float) -> docket.Looks:
        return iter(())

    def errand(self, key: informer.Key) -> errand.Task | None:
        return None

    def wrote(self, key: informer.Key, there: Any) -> None:
        """Never."""

    def failed(self, key: informer.Key, failure: Failure) -> None:
        """Never."""

    def problems(self, where: str) -> Iterator[Problem]:
        if self._feed is not None and self._feed.off:
            yield Problem(where, f"{self._plural}: {self._feed.off}", self._hint)
