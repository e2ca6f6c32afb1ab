"""A writer that writes for as long as a test looks at it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple, Protocol, TypeVar

from fedns.distribute import writer
from fedns.kube import access, client, informer
from tests.fakes import kubecluster
from tests.waiting import until


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


class Hand(NamedTuple):
    """Writes as a writer would, step by step."""

    shelf: writer.Shelf
    feed: informer.Informer
    api: client.Client

    async def write(self, key: informer.Key) -> Any:
        """What is due of an object; the reply, which the shelf has not seen."""
        task = self.shelf.errand(key)
        assert task is not None
        return await task.run(self.api)

    async def heard(self, key: informer.Key, there: Any) -> None:
        """Waits until the watch has told what a request left."""
        version = there["metadata"]["resourceVersion"]
        await until(lambda: self.feed.version(key) == version, f"the watch has told {version}")


@asynccontextmanager
async def opened(shelf: writer.Shelf, cluster: kubecluster.Cluster) -> AsyncIterator[Hand]:
    """A shelf that knows what is there."""
    api = client.Client(access.Where(server=cluster.url), asyncio.Semaphore(client.AT_ONCE))
    feed = shelf.open(api, lambda: None)
    task = asyncio.ensure_future(feed.run())
    try:
        await until(lambda: feed.synced_at, "synced")
        yield Hand(shelf, feed, api)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await api.close()
