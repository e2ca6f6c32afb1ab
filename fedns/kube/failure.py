"""How talking to an API server fails: three kinds, one base.

Law: every failure is one of these by the time it leaves `kube`; its `kind` is a word or
two, few enough to count by.
"""

from fedns.errors import FednsError


class Failure(FednsError):
    """The world failed; whoever owns the connection tries again."""

    kind = "unreachable"
    retry_after = 0.0
    """Seconds that the server asked us to stay away; 0 where it did not say."""


class Unreachable(Failure):
    """No answer, or half of one."""


class NoAccess(Failure):
    """It cannot be said where the cluster is, or who we are to it."""

    kind = "credentials"


class ApiError(Failure):
    """The server's own `Status`: `status` is the HTTP code, `reason` its word (`Expired`, `Forbidden`)."""

    def __init__(self, status: int, reason: str = "", message: str = "", retry_after: float = 0.0) -> None:
        super().__init__(f"{status} {reason}: {message}".replace(" :", ":").removesuffix(": "))
        self.status, self.reason, self.message = status, reason, message
        self.retry_after = retry_after
        self.kind = str(status)
