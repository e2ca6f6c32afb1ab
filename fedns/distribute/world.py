"""What the copies of one kind ask of their member: what there is to be, when, and who is told.

Law: a shape only; `control.post` is who answers.
"""

from collections.abc import Iterable
from typing import Protocol

from fedns.placement import assignment, fate, item, marks


class World(Protocol):
    """What one member is to have, and when."""

    def refs(self) -> Iterable[item.Ref]: ...

    def copy(self, what: item.Ref) -> assignment.Copy | None: ...

    def fate(self, what: item.Ref, told: marks.Told) -> fate.Fate: ...

    def scaled(self, what: item.Ref) -> bool: ...

    def waits(self, what: item.Ref, goes: bool) -> str:
        """Why an object is not made (or removed, `goes`) now; empty: it may be."""

    def parts(self, what: item.Ref) -> str:
        """Since when clients are to leave a copy; empty: they need not."""

    def moved(self, what: item.Ref) -> None:
        """One came, differs, or went."""

    def removed(self, what: item.Ref) -> None:
        """We removed one."""

    def healed(self) -> None:
        """One that had failed was written: what stood in its way may have stood in others'."""
