"""Waits that need not end at an exact time, and so end together.

Law: what an idle process costs is that it wakes, not what it wakes for. A wait of a second or more ends with
a beat, at the whole second that is nearest to its own end; a shorter one is exact. All beats of a process are
the same.
"""

import asyncio

BEAT = 1.0
"""Seconds."""


def pause(seconds: float, now: float) -> float:
    """How long to wait instead of `seconds`; `now`: the loop's time."""
    if seconds < BEAT:
        return seconds
    return round((now + seconds) / BEAT) * BEAT - now


async def sleep(seconds: float) -> None:
    await asyncio.sleep(pause(seconds, asyncio.get_running_loop().time()))


def timeout(seconds: float) -> asyncio.Timeout:
    now = asyncio.get_running_loop().time()
    return asyncio.timeout_at(now + pause(seconds, now))


class News:
    """Something that one task waits for, again and again and for so long at most: as an event, but nothing is
    cancelled, nor raised, where there is none. `times`: how often there was some."""

    def __init__(self) -> None:
        self.times = 0
        self._there = False
        self._waiter: asyncio.Future[None] | None = None

    def is_set(self) -> bool:
        return self._there

    def set(self) -> None:
        self.times += 1
        self._there = True
        if self._waiter is not None:
            _wake(self._waiter)

    def clear(self) -> None:
        self._there = False

    async def wait(self, seconds: float) -> bool:
        """Whether there is any, by the beat that is nearest to the end at the latest."""
        if self._there:
            return True
        loop = asyncio.get_running_loop()
        now = loop.time()
        self._waiter = loop.create_future()
        end = loop.call_at(now + pause(seconds, now), _wake, self._waiter)
        try:
            await self._waiter
        finally:
            end.cancel()
            self._waiter = None
        return self._there


def _wake(waiter: "asyncio.Future[None]") -> None:
    if not waiter.done():
        waiter.set_result(None)
