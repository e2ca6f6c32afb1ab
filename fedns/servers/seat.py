"""Who shares a state directory: one instance may run control, any number may answer from its tables.

Law: the kernel's locks tell, so one that died leaves nothing to clean up. An instance takes the first free
seat, and whatever it writes for itself carries the seat's number: nothing for seat 0, `-1`, `-2` after that.
"""

import errno
import fcntl
import os
from dataclasses import dataclass

from fedns.errors import StateError

KINDS = ("dns", "gateway")
SEATS = 1000  # far more instances than one directory ever has: a bound for the search


@dataclass(frozen=True)
class Seat:
    """A place in a state directory, until `leave`."""

    state: str
    number: int
    locks: tuple[int, ...]

    @property
    def suffix(self) -> str:
        return f"-{self.number}" if self.number else ""

    @property
    def told(self) -> str:
        """The file that tells who runs in this seat."""
        return os.path.join(self.state, f"serve{self.suffix}.json")

    def worker(self, index: int, kind: str = "dns") -> str:
        """The name of a worker in logs and among the counters."""
        return f"{kind}{self.suffix}-{index}"

    def owns(self, name: str) -> bool:
        """Whether a counter file of this name is from this seat."""
        return name.rpartition("-")[0] in [kind + self.suffix for kind in KINDS]

    def leave(self) -> None:
        for lock in self.locks:
            os.close(lock)


def take(state: str, control: bool) -> Seat:
    """A seat in `state`, with the right to run control or without. StateError where there is none."""
    try:
        os.makedirs(state, exist_ok=True)
        first = _lock(os.path.join(state, "serve.lock")) if control else None
        if control and first is None:
            raise StateError(f"{state}: another fedns serves from this directory")
        for number in range(SEATS):
            lock = _lock(os.path.join(state, f"seat-{number}.lock"))
            if lock is not None:
                return Seat(state, number, (lock,) if first is None else (first, lock))
    except OSError as error:
        raise StateError(f"{state}: {error.strerror}") from error
    raise StateError(f"{state}: all {SEATS} seats are taken")


def _lock(path: str) -> int | None:
    """A descriptor that holds the lock, or None where another process does."""
    fd = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(fd)
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            return None
        raise
    return fd
