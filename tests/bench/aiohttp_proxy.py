"""A reverse proxy as one writes it with aiohttp, for comparison: a session of its own, bodies passed on."""

import asyncio
import itertools
import json
import ssl
import sys
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import uvloop
from aiohttp import web

HOP = {"connection", "keep-alive", "transfer-encoding", "upgrade", "te", "trailer"}


def proxy(
    told: dict[str, Any], session: aiohttp.ClientSession
) -> Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]:
    routes = {name: set(told["prefixes"]) for name in told["names"]}
    ports = itertools.cycle(told["backends"])

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        prefixes = routes.get(request.host.partition(":")[0], ())
        if "" not in prefixes and "/" + request.path.split("/")[1] not in prefixes:
            return web.Response(status=404)
        headers = {name: value for name, value in request.headers.items() if name.lower() not in HOP}
        headers["X-Forwarded-For"], headers["X-Request-Id"] = request.remote or "", uuid.uuid4().hex
        body = request.content if request.can_read_body else None
        url = f"http://127.0.0.1:{next(ports)}{request.raw_path}"
        async with session.request(
            request.method, url, headers=headers, data=body, allow_redirects=False
        ) as got:
            kept = {name: value for name, value in got.headers.items() if name.lower() not in HOP}
            answer = web.StreamResponse(status=got.status, headers=kept)
            await answer.prepare(request)
            async for piece in got.content.iter_any():
                await answer.write(piece)
            await answer.write_eof()
            return answer

    return handle


async def serve(told: dict[str, Any]) -> None:
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, auto_decompress=False) as session:
        runner = web.ServerRunner(web.Server(proxy(told, session), access_log=None))  # type: ignore[arg-type]
        await runner.setup()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(told["certificate"], told["key"])
        await web.TCPSite(runner, "127.0.0.1", told["port"]).start()
        await web.TCPSite(runner, "127.0.0.1", told["tls_port"], ssl_context=context).start()
        await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(serve(json.loads(Path(sys.argv[1]).read_text())))
