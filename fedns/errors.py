"""The ground for trouble: bad user input is a `Problem` value, never a crash.

Law: a problem says where and what to do; it travels with the data and is shown by `check`, logs,
metrics and the admin API. Exceptions here are for the world failing or for bugs.
"""

from msgspec import Struct


class Problem(Struct, frozen=True, order=True):
    """Bad user input. `where` is `file:line` or an object's name; `hint` says what to do."""

    where: str
    what: str
    hint: str = ""

    def __str__(self) -> str:
        return f"{self.where}: {self.what}" + (f" ({self.hint})" if self.hint else "")


class FednsError(Exception):
    """Anything fedns raises on purpose."""


class StateError(FednsError):
    """The state directory cannot be used: corrupt, full, or held by another writer."""
