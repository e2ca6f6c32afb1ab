"""Who of several may write, as one record that all of them read and write decides it: the rules, no I/O.

Law: pure; time is an argument, each process' own monotonic clock. Others' timestamps are never judged: a
record runs out when WE have seen it unchanged for its duration. Who holds it stops believing so earlier, and
counts from when the request was sent, not answered: as long as nobody's clock runs half as fast again as
another's, no two believe at once. Writes go against the version that was read, so one of two is refused.
"""

from typing import NamedTuple

NOBODY = ""


class Terms(NamedTuple):
    """Seconds. A record is good for `duration`; its holder gives up after `deadline` without a renewal;
    `retry` between two tries, give or take a share of `jitter`."""

    duration: int = 15
    deadline: float = 10.0
    retry: float = 2.0
    jitter: float = 0.2


class Record(NamedTuple):
    """What all see. `acquired` and `renewed` are for people, and to tell one renewal from the next."""

    holder: str = NOBODY
    seconds: int = 0
    acquired: str = ""
    renewed: str = ""
    transitions: int = 0


class Election:
    """One process' part in it. `version`: that of the record last seen; empty: there is none."""

    def __init__(self, identity: str, terms: Terms | None = None) -> None:
        self.identity, self.terms = identity, terms or Terms()
        self.record = Record()
        self.version = ""
        self._changed = 0.0
        self._fence: float | None = None
        self._left = False

    @property
    def mine(self) -> bool:
        """Whether the record names this process, as far as is known; `held`: whether that still counts."""
        return self.record.holder == self.identity and bool(self.version)

    def held(self, now: float) -> bool:
        """To be asked just before each write."""
        return self._fence is not None and now < self._fence

    def saw(self, record: Record | None, version: str, now: float) -> None:
        """The record was read (None: there is none, so somebody may have removed one in force)."""
        if record is None:
            if self.version:
                self._changed = now
            self.version = ""
        else:
            if record != self.record or not self.version:
                self._changed = now
            self.record, self.version = record, version
        if not self.mine:
            self._fence = None

    def wrote(self, record: Record, version: str, sent: float) -> None:
        """A write that was sent at `sent` was accepted."""
        self.record, self.version, self._changed = record, version, sent
        mine = record.holder == self.identity and not self._left
        self._fence = sent + self.terms.deadline if mine else None

    def wish(self, now: float, wall: str) -> Record | None:
        """What to write now, if anything; `wall` is the time of day as text."""
        seconds = self.terms.duration
        if self._left:
            return None
        if self.record.holder == self.identity:
            return self.record._replace(seconds=seconds, renewed=wall)
        if self.record.holder != NOBODY and now < self._over():
            return None
        begun = self.version or self.record.holder
        return Record(self.identity, seconds, wall, wall, self.record.transitions + 1 if begun else 0)

    def leave(self, wall: str) -> Record | None:
        """Gives up, for good; what to write so that nobody has to wait (None: it was another's)."""
        self._left, self._fence = True, None
        if not self.mine:
            return None
        return self.record._replace(holder=NOBODY, seconds=1, renewed=wall)

    def wait(self, now: float, chance: float) -> float:
        """Seconds until the next try; `chance` in 0..1 is drawn anew each time."""
        pace = self.terms.retry * (1.0 + self.terms.jitter * (2.0 * chance - 1.0))
        if self.mine or self.record.holder == NOBODY:
            return pace
        return min(pace, max(self._over() - now, self.terms.retry * self.terms.jitter))

    def _over(self) -> float:
        return self._changed + (self.record.seconds or self.terms.duration)
