"""Who leaves first: clients of what goes from a member, and then the copy, and what is behind it.

Law: a copy that other members have stays until nobody is sent to the Services of its namespace that lose it.
These say so in the member itself, so that every instance and every gateway sends clients elsewhere, whoever
holds the Lease. While nobody else can serve, it stays for so long and no longer. What the fleet has no more,
or sends nowhere, is somebody's decision, and waits for nobody.
"""

import datetime
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple, Protocol

from fedns.errors import Problem
from fedns.placement import elsewhere, item, pod

SERVICE = ("", "Service")
LINGER = 60.0
"""Seconds for which a Service that stays is left alone after the last of its workloads: its endpoints end."""
UNKNOWN = "it is not known yet whether clients are sent there"
SOON = "clients are being sent elsewhere"
HINT = "`fedns plan --yes-really` lets it go now"


class Left(NamedTuple):
    """How far clients have left: `seconds` until no cache remembers it (None: nobody else can serve);
    `serving`: it is taken for one that serves; `behind`: workers with an older table."""

    seconds: float | None
    serving: bool = False
    behind: tuple[str, ...] = ()


Look = Callable[[str, str, float], Left | None]
"""Of a member's part of a service (`namespace/name`), told since then; None: nobody is sent there anyhow."""


class Copies(Protocol):
    """What a member has, and is to have."""

    member: str

    def spreads(self, what: item.Ref) -> bool:
        """Whether other members get an object."""

    def template(self, what: item.Ref) -> item.Item | None: ...

    def services(self, spaces: Iterable[str]) -> Iterable[item.Ref]:
        """Copies of Services that stay."""

    def wanted(self, what: item.Ref) -> Mapping[str, Any]:
        """A copy as it is to be; empty: it is to go."""

    def says(self, what: item.Ref) -> str:
        """Since when clients are to leave it, as a copy says; empty: it says nothing."""


class Parting:
    """Of one member. `patience`: seconds for which somebody else is waited for who can serve; 0: nobody is
    waited for at all. `said`: the Services that clients are to leave, and since when."""

    def __init__(self, look: Look | None, patience: float) -> None:
        self._look, self._patience = look, patience
        self.said: dict[item.Ref, str] = {}
        self.looked = False
        """Whether all that goes was looked at; until then what is said stays said."""
        self._words: dict[str, str] = {}
        """Namespace -> why what goes from it stays yet."""
        self._moving: frozenset[item.Ref] = frozenset()
        self._hasty: frozenset[item.Ref] = frozenset()
        self._ends: dict[item.Ref, float] = {}
        self._stuck: dict[item.Ref, str] = {}

    @property
    def busy(self) -> bool:
        """Whether time alone may change what is said, or what stays."""
        return bool(self.said or self._moving) or not self.looked

    def look(self, gone: Iterable[item.Ref], copies: Copies) -> set[item.Ref]:
        """Judges anew what is to go; those that are to say something else, or may go by now."""
        self.looked = True
        if self._look is None or not self._patience:
            return set()
        moving = frozenset(what for what in gone if what.namespace and copies.spreads(what))
        if not moving and not self.said and not self._moving:
            return set()
        before, told = (self._words, self._moving), set(self.said)
        self._words, self._stuck, now = {}, {}, time.time()
        losing = set(_losing(moving, copies))
        for what in losing:
            self._judge(what, copies, now)
        for what in self.said.keys() - losing:
            self._linger(what, copies)
        self._moving = moving
        changed = told ^ self.said.keys()
        return changed if before == (self._words, moving) else changed | moving

    def stays(self, what: item.Ref, spreads: bool) -> str:
        """Why a copy that is to go stays yet; empty: it may go."""
        if self._look is None or not self._patience or not spreads:
            return ""
        if not what.namespace or what in self._hasty:
            return ""
        return self._words.get(what.namespace, "") if what in self._moving else UNKNOWN

    def allow(self) -> int:
        """What waits may go at once; how many that are."""
        waiting = {what for what in self._moving if self._words.get(what.namespace)} - self._hasty
        self._hasty = self._moving
        return len(waiting)

    def problems(self) -> Iterator[Problem]:
        for what, words in sorted(self._stuck.items()):
            if what not in self._hasty:
                yield Problem.warning(str(what), words, HINT)

    def _judge(self, what: item.Ref, copies: Copies, now: float) -> None:
        told = copies.says(what)
        since = _since(told) if told else 0.0
        assert self._look is not None
        left = self._look(copies.member, f"{what.namespace}/{what.name}", since or now)
        if left is None and not told:
            return
        self.said[what] = self.said.get(what) or told or _text(now)
        self._ends[what] = time.monotonic() + LINGER
        words = self._waits(what, left, since, now) if since else SOON
        if words:
            self._words[what.namespace] = words

    def _waits(self, what: item.Ref, left: Left | None, since: float, now: float) -> str:
        """Why what is behind a Service stays, that has told its clients to leave."""
        if left is None:
            return ""
        end = since + self._patience
        if left.serving and now < end:
            return SOON
        if left.seconds is None and now < end:
            said = f"nobody else can serve {what.namespace}/{what.name} yet: it stays until {_text(end)}"
            self._stuck[what] = said
            return said
        if left.behind and now < end:
            return f"{', '.join(left.behind)} still answer from an older table"
        return "caches may send clients there for some seconds more" if left.seconds else ""

    def _linger(self, what: item.Ref, copies: Copies) -> None:
        if time.monotonic() > self._ends.get(what, 0.0) or not _alone(copies.wanted(what)):
            self.said.pop(what)
            self._ends.pop(what, None)


def _losing(moving: Iterable[item.Ref], copies: Copies) -> Iterator[item.Ref]:
    """The Services that lose their copy, or all that is behind it."""
    rows = list(moving)
    yield from (what for what in rows if what[:2] == SERVICE)
    templates = ((what.namespace, copies.template(what)) for what in rows)
    going = [(space, pod.labels(found)) for space, found in templates if found]
    for what in copies.services({space for space, labels in going if labels}):
        wanted = copies.wanted(what)
        selector = item.at(wanted, "spec", "selector") or {}
        mine = [labels for space, labels in going if space == what.namespace]
        if _alone(wanted) and selector and any(selector.items() <= labels.items() for labels in mine):
            yield what


def _alone(service: Mapping[str, Any]) -> bool:
    """Whether none of its workloads is to be where it is."""
    return item.annotations(service).get(elsewhere.NOTE) == elsewhere.VALUE


def _text(at: float) -> str:
    return f"{datetime.datetime.fromtimestamp(at, datetime.UTC):%Y-%m-%dT%H:%M:%SZ}"


def _since(text: str) -> float:
    try:
        return datetime.datetime.fromisoformat(text).timestamp()
    except ValueError:
        return 1.0
