"""What a fuzzing run finds: outcomes, broken invariants, the slowest case, growth of memory.

Law: memory is first looked at after `warm` cases, when what is filled once is full. A run that broke an
invariant exits 1, and shows the first few cases.
"""

import resource
import sys
from collections import Counter
from collections.abc import Callable

SHOWN = 20


class Findings:
    """Of one run. `slowest` is in seconds, `growth` in KiB; `what` was thrown, in the plural."""

    def __init__(self, what: str, warm: int) -> None:
        self.what, self._warm = what, warm
        self.count, self.slowest, self._before = 0, 0.0, 0
        self.outcomes: Counter[str] = Counter()
        self.broken: list[str] = []

    def note(self, outcome: str, seconds: float) -> None:
        """One case is over."""
        self.outcomes[outcome] += 1
        self.slowest = max(self.slowest, seconds)
        self.count += 1
        if self.count == self._warm:
            self._before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    def blame(self, trouble: str) -> None:
        """An invariant is broken."""
        if len(self.broken) < SHOWN:
            self.broken.append(trouble)

    @property
    def growth(self) -> int:
        now = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return now - self._before if self._before else 0

    def __str__(self) -> str:
        outcomes = ", ".join(f"{what} {count}" for what, count in self.outcomes.most_common())
        return (
            f"{self.what} {self.count} ({outcomes}), broken {len(self.broken)}, "
            f"slowest {self.slowest * 1000:.2f} ms, growth {self.growth} KiB"
        )


def main(run: Callable[[int, int], Findings], usual: int) -> int:
    """A run as the command line says, `[cases] [seed]`; the exit code."""
    asked = [int(each) for each in sys.argv[1:3]]
    findings = run(*(asked + [usual, 1][len(asked) :]))
    print(findings)
    for each in findings.broken:
        print(each)
    return 1 if findings.broken else 0
