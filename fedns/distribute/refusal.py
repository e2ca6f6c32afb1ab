"""A step that is not taken: where, what is in the way, and what to do about it.

Law: raised before anything has been changed that the words do not tell of.
"""

from fedns.errors import FednsError, Problem


class Refusal(FednsError):
    """`problem` in three parts, as people read it."""

    def __init__(self, where: str, what: str, hint: str = "") -> None:
        self.problem = Problem(where, what, hint)
        super().__init__(str(self.problem))
