"""A way to a real API server that can be troubled: `with sluice.opened(cluster) as way: way.fault = ...`.

Law: plain HTTP on loopback, as the cluster's administrator, or as whom the request says; what comes and goes
is passed on as it is, watches too, unless a fault is set. What was asked is told with its time.
"""

import asyncio
import contextlib
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import aiohttp
import yarl
from aiohttp import web

from fedns import connector
from tests.envtest import clusters

HOST = "127.0.0.70"
LONG = 20.0
PASSED = ("Accept", "Content-Type", "Authorization", "User-Agent")
ENDLESS = 1e9


class Fault(NamedTuple):
    """What becomes of requests. `status`: they are refused so, `after`: with this Retry-After (seconds);
    without: they never get an answer, or (`reset`) the connection ends. `writes`: only those that write."""

    status: int = 0
    after: int = 0
    reset: bool = False
    writes: bool = False


class Asked(NamedTuple):
    """A request; `at` is monotonic."""

    at: float
    method: str
    path: str
    troubled: bool


class Sluice:
    """`fault` may be set at any time, from any thread; it holds for requests that come from then on."""

    def __init__(self, cluster: clusters.Cluster) -> None:
        self.fault: Fault | None = None
        self.asked: list[Asked] = []
        self.url = ""
        self._cluster, self._loop = cluster, asyncio.new_event_loop()
        self._open: set[asyncio.Task[object]] = set()
        self._session: aiohttp.ClientSession | None = None

    def cut(self) -> None:
        """Ends what is under way: watches too."""

        def end() -> None:
            for task in self._open:
                task.cancel()

        self._loop.call_soon_threadsafe(end)

    def writes(self, since: float = 0.0) -> list[Asked]:
        """Those that would change something; Leases are not told."""
        return [
            one for one in self.asked if one.method != "GET" and one.at >= since and "/leases" not in one.path
        ]

    @contextmanager
    def serving(self) -> Iterator["Sluice"]:
        ready, over = threading.Event(), asyncio.Event()
        thread = threading.Thread(target=lambda: self._loop.run_until_complete(self._run(ready, over)))
        thread.start()
        try:
            assert ready.wait(LONG)
            yield self
        finally:
            self._loop.call_soon_threadsafe(over.set)
            thread.join(LONG)
            self._loop.close()

    async def _run(self, ready: threading.Event, over: asyncio.Event) -> None:
        ways = connector.Connector(ssl=self._cluster.tls)
        app = web.Application(client_max_size=1 << 24)
        app.router.add_route("*", "/{path:.*}", self._serve)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        async with aiohttp.ClientSession(connector=ways, auto_decompress=False) as self._session:
            await runner.setup()
            site = web.TCPSite(runner, HOST, 0)
            await site.start()
            host, port = runner.addresses[0][:2]
            self.url = f"http://{host}:{port}"
            ready.set()
            await over.wait()
            for task in self._open:
                task.cancel()
            await runner.cleanup()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        writes, fault = request.method != "GET", self.fault
        troubled = fault is not None and (writes or not fault.writes)
        self.asked.append(Asked(time.monotonic(), request.method, request.path_qs, troubled))
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            if fault is not None and troubled:
                return await self._trouble(request, fault)
            return await self._pass(request)
        except (asyncio.CancelledError, aiohttp.ClientError, ConnectionError):
            if request.transport is not None:
                request.transport.abort()
            return web.Response(status=502)
        finally:
            self._open.discard(task)

    async def _trouble(self, request: web.Request, fault: Fault) -> web.StreamResponse:
        if fault.status:
            told = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": fault.status}
            after = {"Retry-After": str(fault.after)} if fault.after else {}
            told |= {"message": "the sluice is shut", "reason": "Shut"}
            return web.json_response(told, status=fault.status, headers=after)
        if fault.reset:
            raise ConnectionResetError
        await asyncio.sleep(ENDLESS)
        raise ConnectionResetError

    async def _pass(self, request: web.Request) -> web.StreamResponse:
        assert self._session is not None
        target = yarl.URL(self._cluster.url + request.raw_path, encoded=True)
        headers = {name: request.headers[name] for name in PASSED if name in request.headers}
        body = await request.read()
        asked = self._session.request(request.method, target, data=body or None, headers=headers)
        async with asked as reply:
            found = web.StreamResponse(status=reply.status)
            found.content_type = reply.content_type
            await found.prepare(request)
            with contextlib.suppress(aiohttp.ClientPayloadError):
                async for chunk in reply.content.iter_any():
                    await found.write(chunk)
            return found


@contextmanager
def opened(cluster: clusters.Cluster) -> Iterator[Sluice]:
    """One that is open."""
    with Sluice(cluster).serving() as made:
        yield made
