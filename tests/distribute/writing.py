"""A writer that writes for as long as a test looks at it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol, TypeVar

from fedns.distribute import writer
from fedns.kube import client


class World(Protocol):
    """What is wanted, and who writes it."""

    api: client.Client
    writer: writer.Writer


W = TypeVar("W", bound=World)


@asynccontextmanager
async def during(world: W) -> AsyncIterator[W]:
    task = asyncio.ensure_future(world.writer.run())
    try:
        yield world
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await world.api.close()
