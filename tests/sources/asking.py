"""A source that asks a fake API server, at work beside a test; at a pace for tests."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from fedns.kube import access, backoff, client, informer
from fedns.sources import identity, kubernetes, reachability, subjects
from fedns.sources.change import Change
from tests.fakes import kubecluster
from tests.sources.listening import Listener

REACH = reachability.Pace(interval=0.1, first=0.05, timeout=1.0, fall=2, rise=2)
PACE = informer.Pace(page=50, life=3.0, slack=1.0, silent=0.5, refused=0.2, bounds=backoff.Bounds(0.05, 0.2))
ALL = subjects.Wish()

Test = Callable[[Listener], Awaitable[None]]


def source(server: kubecluster.Cluster, folder: Path, wish: subjects.Wish = ALL) -> kubernetes.Source:
    """Where the facts of a fake server come from; identities are kept in `folder`."""
    api = client.Client(access.Where(server=server.url), asyncio.Semaphore(client.AT_ONCE))
    return kubernetes.Source(api, identity.Register(str(folder / "identities")), wish)


def beside(make: Callable[[], kubernetes.Asked], first: type[Change], test: Test) -> Listener:
    """Runs `test` beside what `make` makes, after its first word of a kind."""

    async def main() -> Listener:
        listener = Listener()
        task = asyncio.ensure_future(make().run(listener))
        try:
            await listener.until(lambda: listener.all(first))
            await test(listener)
            assert not task.done(), task.exception()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        return listener

    return asyncio.run(main())


async def act(what: Callable[..., None], *values: object, **named: object) -> None:
    """Does something to a server, off the loop."""
    await asyncio.to_thread(what, *values, **named)
