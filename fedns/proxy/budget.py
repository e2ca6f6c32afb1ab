"""How many further tries the requests of one pool may have.

Law: a part of all tries of the last seconds, and a few in any case. A member that dies takes all its requests
with it at once, and each may be tried elsewhere; tries that go on failing never add more than that part.
"""

WINDOW = 10.0  # seconds; what counts is the last whole one and what has begun of the next


class Budget:
    """Of one pool. `tries` is always how many there ever were."""

    __slots__ = ("_first", "_past", "_spent")

    def __init__(self) -> None:
        self._past = self._first = 0
        self._spent = 0, 0

    def note(self, tries: int) -> None:
        """To be told once a window."""
        self._past, self._first, self._spent = self._first, tries, (self._spent[1], 0)

    def grant(self, tries: int, part: float, least: int) -> bool:
        """Whether there may be one more, which it takes."""
        before, lately = self._spent
        if before + lately >= max(least, part * (tries - self._past)):
            return False
        self._spent = before, lately + 1
        return True
