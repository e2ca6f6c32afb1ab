"""The ground for trouble: bad user input is a `Problem` value, never a crash.

Law: a problem says where and what to do; it travels with the data and is shown by `check`, logs,
metrics and the admin API. Exceptions here are for the world failing or for bugs.
"""

from collections.abc import Iterable
from typing import Literal

from msgspec import Struct

Severity = Literal["error", "warning"]


class Problem(Struct, frozen=True, order=True):
    """Bad user input. `where` is `file:line` or an object's name; `hint` says what to do. A `warning` is of
    what counts as it is, and is odd: nothing fails for it."""

    where: str
    what: str
    hint: str = ""
    severity: Severity = "error"

    @classmethod
    def warning(cls, where: str, what: str, hint: str = "") -> "Problem":
        return cls(where, what, hint, "warning")

    def __str__(self) -> str:
        return f"{self.where}: {self.what}" + (f" ({self.hint})" if self.hint else "")


def faulty(found: Iterable[Problem], strict: bool = False) -> bool:
    """Whether there is anything to fail for; `strict`: warnings are."""
    return any(strict or each.severity == "error" for each in found)


class FednsError(Exception):
    """Anything fedns raises on purpose."""


class StateError(FednsError):
    """The state directory cannot be used: corrupt, full, or held by another writer."""
