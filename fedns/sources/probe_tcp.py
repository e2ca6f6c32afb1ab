"""The TCP probe: a connection that opens is a success."""

import asyncio

from fedns.sources.probe import Result, Target


async def check(target: Target) -> Result:
    """Connect and hang up."""
    _, writer = await asyncio.open_connection(*target.at)
    writer.transport.abort()  # nothing was sent: no lingering close
    return Result(True, "connected")
