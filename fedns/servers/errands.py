"""What the core has others do: reading the tables, and all that is rare.

Law: shapes only, so that the core knows neither listeners nor stores.
"""

from typing import Protocol

from fedns.dns import places


class Tables(Protocol):
    """The tables, read in one transaction from `open` to `close`."""

    def marks(self) -> memoryview | None:
        """Words of which the largest is another one in each generation; None where only `open` can tell."""

    def open(self) -> int:
        """Begins to read; a number that no other generation has had."""

    def get(self, key: bytes, /) -> bytes | None: ...

    def signed(self) -> bool:
        """Whether there are zones with signatures, which are not the core's."""

    def close(self) -> None: ...


class Hand(Protocol):
    """Who does what is rare."""

    def refresh(self) -> None:
        """Called before each batch of a wildcard socket."""

    def suspects(self, count: int, now: int, loud: list[int]) -> None:
        """Somebody in this batch may be beyond a limit; keeps such queries from the core."""

    def place(self, index: int, known: places.Places) -> int:
        """Where the client of this query of the batch is."""

    def failed(self) -> None:
        """Called amid an exception, which is let pass or told."""

    def others(self, count: int) -> int:
        """Answers what the core has left; how many of that get no reply."""

    def send(self, start: int, count: int) -> int:
        """Sends replies `start` to `count` with gaps and patience; how many were sent."""

    def unsent(self, count: int) -> None:
        """So many replies were not sent."""
