"""Waiting in tests of asyncio code: a look again and again until it holds, never a sleep that hopes."""

import asyncio
import time
from collections.abc import Callable

LONG = 60.0
"""Seconds; a loaded machine is slow."""


async def until(holds: Callable[[], object], what: str = "") -> None:
    """`holds` is asked in a thread, so that it may wait for sockets that this loop serves."""
    deadline = time.monotonic() + LONG
    while not await asyncio.to_thread(holds):
        assert time.monotonic() < deadline, what
        await asyncio.sleep(0.02)
