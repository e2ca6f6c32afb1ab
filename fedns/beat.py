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
