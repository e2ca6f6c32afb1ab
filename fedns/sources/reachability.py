"""Whether a member's API server answers: asked for itself, not guessed from watches.

Law: `/readyz` at a steady pace, quicker while answers say otherwise than the verdict. One good answer is
enough at first; after that it takes several in a row to change the verdict, so that one lost packet is no
news. A refusal is an answer: who says no is there.
"""

import asyncio
import contextlib
import random
import time
from collections.abc import Callable
from typing import NamedTuple

from fedns import beat
from fedns.kube import client
from fedns.kube.failure import ApiError, Failure
from fedns.model.facts import Api

VERSION = 600.0
"""Seconds between two questions for its version: clusters are upgraded while they answer."""


class Pace(NamedTuple):
    """Seconds between questions (`first`: until there is a verdict, `doubt`: while it may change), and for an
    answer; answers in a row."""

    interval: float = 10.0
    first: float = 1.0
    doubt: float = 2.5
    timeout: float = 3.0
    fall: int = 3
    rise: int = 2


class Reachability:
    """One member's. `verdict` changes, then `changed` is called."""

    def __init__(self, api: client.Client, changed: Callable[[], None], pace: Pace | None = None) -> None:
        self.verdict: Api = "unknown"
        self.evidence = ""
        """What the last question that failed met with; empty after one that did not."""
        self.answered_at = 0.0
        """Unix seconds of the last good answer."""
        self.version = ""
        """Of Kubernetes; empty: it was not told yet."""
        self._api, self._changed, self._pace = api, changed, pace or Pace()
        self._run = 0
        self._version_at = 0.0

    async def run(self) -> None:
        while True:
            self._judge(await self._ask())
            await self._look()
            await beat.sleep(self._wait() * random.uniform(0.9, 1.1))  # a hundred members take turns

    def _wait(self) -> float:
        if self.verdict == "unknown":
            return self._pace.first
        return min(self._pace.doubt, self._pace.interval) if self._run else self._pace.interval

    async def _ask(self) -> bool:
        try:
            await self._api.ready(self._pace.timeout)
        except Failure as failure:
            if not (isinstance(failure, ApiError) and failure.status < 500):
                self.evidence = str(failure)
                return False
        self.answered_at, self.evidence = time.time(), ""
        return True

    async def _look(self) -> None:
        """Asks for the version where one answers, and it was not told lately."""
        if self.evidence or (self.version and time.monotonic() - self._version_at < VERSION):
            return
        with contextlib.suppress(Failure, TimeoutError):
            async with asyncio.timeout(self._pace.timeout):
                version = await self._api.version()
            self._version_at = time.monotonic()
            if version != self.version:
                self.version = version
                self._changed()

    def _judge(self, good: bool) -> None:
        now: Api = "reachable" if good else "unreachable"
        if self.verdict == now:
            self._run = 0
            return
        self._run += 1
        needed = self._pace.rise if good else self._pace.fall
        if good and self.verdict == "unknown":
            needed = 1
        if self._run >= needed:
            self.verdict, self._run = now, 0
            self._changed()
