"""What every kind of probe takes and gives.

Law: a probe opens its own connection, tells once whether the target serves and why it thinks so, and
leaves nothing behind. Time-outs and counting are the prober's; a probe may raise OSError.
"""

import os
from collections.abc import Awaitable, Callable

from msgspec import Struct

from fedns.model.policy import ProbeSpec


class Target(Struct, frozen=True):
    """What to probe: an IP literal and port (which `spec.port` only asks for), and how."""

    address: str
    port: int
    spec: ProbeSpec

    @property
    def at(self) -> tuple[str, int]:
        """The socket address."""
        return self.address, self.port


class Result(Struct, frozen=True):
    """One outcome; `reason` is one short line for people."""

    ok: bool
    reason: str


def trouble(error: OSError, target: Target) -> str:
    """What the system said about a connection, without the address that stands beside it anyway."""
    known = (error.errno or 0) > 0  # those of resolvers are negative
    what = os.strerror(error.errno or 0).lower() if known else error.strerror or str(error)
    return f"port {target.port}: {what}"


Probe = Callable[[Target], Awaitable[Result]]
