"""A step that is not taken: where, what is in the way, and what to do about it.

Law: raised before anything has been changed that the words do not tell of.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from fedns.errors import FednsError, Problem
from fedns.kube.failure import Failure


class Refusal(FednsError):
    """`problem` in three parts, as people read it."""

    def __init__(self, where: str, what: str, hint: str = "") -> None:
        self.problem = Problem(where, what, hint)
        super().__init__(str(self.problem))


@contextmanager
def at(where: str) -> Iterator[None]:
    """What fails inside tells as its note where it was."""
    try:
        yield
    except Failure as failure:
        failure.add_note(where)
        raise


def place(failure: Failure) -> str:
    """Where it was; empty: nobody said."""
    return next(iter(getattr(failure, "__notes__", ())), "")
