"""One supervised process: started, watched by its descriptor, started again with growing delays.

Law: a child never outlives its supervisor (the kernel tells it), and a terminal's Ctrl-C reaches the
supervisor alone, which stops its children in order.
"""

import ctypes
import os
import signal
import subprocess
from time import monotonic

STEADY = 5.0  # seconds a child must live for its death not to count as a failing start
FIRST_DELAY, LONGEST_DELAY = 0.2, 5.0  # seconds; doubled per failing start
_PR_SET_PDEATHSIG = 1  # linux/prctl.h


class Child:
    """A command line and the process that runs it now, if any."""

    def __init__(self, name: str, command: tuple[str, ...], fds: tuple[int, ...]) -> None:
        self.name = name
        self.fd = -1  # readable once the process has ended
        self.start_at: float | None = None  # monotonic seconds, while none runs
        self.ended_at = self.lived = 0.0
        self._command, self._fds = command, fds
        self._process: subprocess.Popen[bytes] | None = None
        self._failures = 0
        self._started = 0.0
        self._excused = False

    @property
    def alive(self) -> bool:
        return self._process is not None

    @property
    def pid(self) -> int:
        return self._process.pid if self._process else 0

    def due(self) -> bool:
        return self.start_at is not None and monotonic() >= self.start_at

    def start(self) -> None:
        """Raises OSError when the command cannot be run."""
        self._started = self.ended_at = monotonic()
        self.start_at, self._excused = None, False
        self._process = subprocess.Popen(
            self._command, pass_fds=self._fds, process_group=0, preexec_fn=_end_with_parent
        )
        self.fd = os.pidfd_open(self._process.pid)

    def reap(self) -> int:
        """The exit code of the process that has ended; negative for a signal."""
        assert self._process is not None
        code = self._process.wait()
        os.close(self.fd)
        self._process, self.fd = None, -1
        self.ended_at = monotonic()
        self.lived = self.ended_at - self._started
        return code

    def postpone(self) -> None:
        """Plans the next start: at once after a steady life or our own kill, later after a failing start."""
        if self._excused or self.lived >= STEADY:
            self._failures = 0
        delay = min(FIRST_DELAY * 2 ** (self._failures - 1), LONGEST_DELAY) if self._failures else 0.0
        self._failures += not self._excused
        self.lived = 0.0
        self.start_at = self.ended_at + delay

    def signal(self, number: int) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    def kill(self) -> None:
        """Ends the process for the supervisor's own reasons."""
        self._excused = True
        self.signal(signal.SIGKILL)


_prctl = ctypes.CDLL(None).prctl  # looked up here: between fork and exec nothing may be loaded


def _end_with_parent() -> None:
    _prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
