"""What a source publishes, kept for a test, with deadlines instead of sleeps."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from fedns.sources.change import Change, ProblemsChange

DEADLINE_S = 10.0
T = TypeVar("T")


class Listener:
    """A `Publish` that remembers; `until` waits for news that a test looks for."""

    def __init__(self) -> None:
        self.heard: list[Change] = []
        self._news = asyncio.Event()

    def __call__(self, change: Change) -> None:
        self.heard.append(change)
        self._news.set()

    def all(self, kind: type[T]) -> list[T]:
        return [one for one in self.heard if isinstance(one, kind)]

    def last(self, kind: type[T]) -> T:
        return self.all(kind)[-1]

    def problems(self) -> list[str]:
        found = self.all(ProblemsChange)
        return [str(problem) for problem in found[-1].problems] if found else []

    async def until(self, holds: Callable[[], object]) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while not holds():
                self._news.clear()
                await self._news.wait()
