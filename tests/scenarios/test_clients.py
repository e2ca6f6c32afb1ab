"""Clients and servers that others wrote, with a gateway worker between them.

Law: each skips with the reason where it is not installed; the worker is a process of its own, as always.
"""

import asyncio
import hashlib
import http.server
import io
import re
import ssl
import subprocess
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import aiohttp.web
import pytest

from fedns.gateway import route
from fedns.gateway.options import Tls
from fedns.gateway.terms import Terms
from tests.proxy import authorities, backends, gateways
from tests.proxy.gateways import Gateway

CA = authorities.make()
SHOP = CA.issue("shop.example.com", "shop.example.com")
BIG = bytes(range(256)) * 20_000
DIGEST = hashlib.sha256(BIG).hexdigest()
Tool = Callable[[str], str]


class Place(NamedTuple):
    """Where somebody serves, for `gateways.pool`."""

    name: str
    port: int


class Files(http.server.BaseHTTPRequestHandler):
    """Python's own HTTP server: files of one size, what was sent, and what was asked."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path == "/old":  # ends with its connection
            self.protocol_version = "HTTP/1.0"
            self.send_response(200)
            self.end_headers()
            self.wfile.write(BIG)
            self.close_connection = True
            return
        self._say(BIG if self.path == "/big" else self.path.encode())

    do_HEAD = do_OPTIONS = do_DELETE = do_GET

    def do_POST(self) -> None:
        found = hashlib.sha256()
        if self.headers.get("Transfer-Encoding") == "chunked":
            while size := int(self.rfile.readline(), 16):
                found.update(self.rfile.read(size + 2)[:-2])
            while self.rfile.readline() != b"\r\n":
                pass
        else:
            found.update(self.rfile.read(int(self.headers["Content-Length"])))
        self._say(found.hexdigest().encode())

    do_PUT = do_POST

    def _say(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Client", self.headers.get("X-Forwarded-For", ""))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


@contextmanager
def files() -> Iterator[Place]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Files) as server:
        server.daemon_threads = True
        running = threading.Thread(target=server.serve_forever, daemon=True)
        running.start()
        yield Place("files", server.server_address[1])
        server.shutdown()


def serve(gateway: Gateway, *places: Place) -> None:
    anything = route.Location(b"ns/all */", b"/", gateways.POOL)
    routes = route.Table(default=anything, tls={b"shop.example.com": Tls(b"ns/shop")})
    gateway.publish(routes, shop=gateways.pool(list(places)))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    state: Path = tmp_path_factory.mktemp("clients")
    with gateways.running(state) as made:
        yield made


class Curl:
    """curl, told to go to the gateway whatever host is named."""

    def __init__(self, path: str, gateway: Gateway) -> None:
        self._command = [path, "-sS", "--max-time", "60", "--noproxy", "*"]
        self._command += ["--connect-to", f"::127.0.0.1:{gateway.port}"]

    def __call__(self, *words: str, given: bytes | None = None) -> bytes:
        done = subprocess.run(
            [*self._command, *words], input=given, capture_output=True, timeout=backends.LONG * 3
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


URL = "http://shop.example.com"


@pytest.mark.parametrize("version", ["--http1.1", "--http1.0"])
def test_curl(gateway: Gateway, tool: Tool, tmp_path: Path, version: str) -> None:
    curl = Curl(tool("curl"), gateway)
    (tmp_path / "big").write_bytes(BIG)
    big = f"@{tmp_path / 'big'}"
    with files() as place:
        serve(gateway, place)
        assert curl(version, f"{URL}/a/b?c=d") == b"/a/b?c=d"
        assert curl(version, f"{URL}/big") == BIG == curl(version, f"{URL}/old")
        head = curl(version, "-I", f"{URL}/big")
        assert head.startswith(b"HTTP/1.1 200 OK\r\n") and b"Content-Length: %d\r\n" % len(BIG) in head
        sent = ["--data-binary", big, "-H", "Expect: 100-continue"]
        assert curl(version, *sent, f"{URL}/").decode() == DIGEST
        assert curl(version, "-T", str(tmp_path / "big"), f"{URL}/").decode() == DIGEST
        assert curl(version, "-X", "DELETE", f"{URL}/gone") == b"/gone"
        assert curl(version, "--path-as-is", f"{URL}/a/../b") == b"/b"
        if version == "--http1.1":
            chunked = ["-T", "-", "-H", "Transfer-Encoding: chunked"]
            assert curl(*chunked, f"{URL}/", given=BIG).decode() == DIGEST
            assert curl("-X", "OPTIONS", "--request-target", "*", URL) == b"*"


def test_curl_keeps_its_connection(gateway: Gateway, tool: Tool) -> None:
    with files() as place:
        serve(gateway, place)
        said = Curl(tool("curl"), gateway)(
            "-w", "\n%{http_code} %{num_connects}\n", *[f"{URL}/{n}" for n in range(20)]
        )
        assert re.findall(rb"\n(\d+) (\d)\n", said) == [(b"200", b"1"), *[(b"200", b"0")] * 19]


def test_curl_over_tls_and_from_behind_a_proxy(tmp_path: Path, tool: Tool) -> None:
    (tmp_path / "ca.pem").write_bytes(CA.pem)
    with gateways.running(tmp_path / "state", Terms(proxied=True), secure=True) as made, files() as place:
        certificate = {route.CERTIFICATE + b"ns/shop": route.encode(SHOP)}
        made.writer.publish({"gateway": certificate}, time.time())
        serve(made, place)
        curl = Curl(tool("curl"), made)
        known = ["--cacert", str(tmp_path / "ca.pem"), "--http1.1", "--haproxy-protocol"]
        for most in ("1.2", "1.3"):
            said = curl(*known, "--tls-max", most, "-w", "%{ssl_verify_result}", "https://shop.example.com/a")
            assert said == b"/a0"
        assert b"X-Client: 127.0.0.1\r\n" in curl(*known, "-I", "https://shop.example.com/")
        assert curl(*known, "https://shop.example.com/big") == BIG


def test_requests(gateway: Gateway) -> None:
    requests = pytest.importorskip("requests")
    url, host = f"http://127.0.0.1:{gateway.port}", {"Host": "shop.example.com"}
    with files() as place, requests.Session() as session:
        serve(gateway, place)
        session.trust_env = False
        session.headers.update(host)
        assert session.get(f"{url}/a", params={"b": "c d"}).content == b"/a?b=c+d"
        assert session.post(url, data=BIG).text == DIGEST
        pieces = (BIG[at : at + 70_000] for at in range(0, len(BIG), 70_000))
        assert session.put(url, data=pieces).text == DIGEST
        with session.get(f"{url}/big", stream=True) as streamed:
            assert b"".join(streamed.iter_content(10_000)) == BIG
        assert session.get(f"{url}/old").content == BIG
        assert session.head(f"{url}/big").headers["Content-Length"] == str(len(BIG))
        assert session.options(f"{url}/a").status_code == 200


async def _echo(request: aiohttp.web.Request) -> aiohttp.web.StreamResponse:
    """What was sent, in as many pieces as it came in; a WebSocket is an echo."""
    if request.headers.get("Upgrade", "").lower() == "websocket":
        socket = aiohttp.web.WebSocketResponse(protocols=("chat",), max_msg_size=0, compress=True)
        await socket.prepare(request)
        async for message in socket:
            if message.data == "leave":
                await socket.close(code=4001, message=b"as asked")
            elif message.type == aiohttp.WSMsgType.TEXT:
                await socket.send_str(message.data)
            else:
                await socket.send_bytes(message.data)
        return socket
    answer = aiohttp.web.StreamResponse(headers={"X-Method": request.method})
    await answer.prepare(request)
    async for piece in request.content.iter_any():
        await answer.write(piece)
    await answer.write_eof()
    return answer


@asynccontextmanager
async def _served() -> AsyncIterator[Place]:
    app = aiohttp.web.Application()
    app.router.add_route("*", "/{any:.*}", _echo)
    runner = aiohttp.web.AppRunner(app)
    await runner.setup()
    site = aiohttp.web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield Place("echo", runner.addresses[0][1])
    await runner.cleanup()


def test_aiohttp(gateway: Gateway) -> None:
    """Many at once, both ways streamed, over kept connections."""

    async def play() -> None:
        url, host = f"http://127.0.0.1:{gateway.port}/", {"Host": "shop.example.com"}
        async with _served() as place, aiohttp.ClientSession(headers=host) as session:
            serve(gateway, place)

            async def pieces() -> AsyncIterator[bytes]:
                for at in range(0, len(BIG), 500_000):
                    yield BIG[at : at + 500_000]

            async def one(number: int) -> None:
                body = b"%d" % number * 1000
                async with session.post(url, data=body) as reply:
                    assert reply.status == 200 and await reply.read() == body

            await asyncio.gather(*map(one, range(300)))
            async with session.put(url, data=pieces()) as reply:
                assert await reply.read() == BIG
            async with session.get(url, expect100=True) as reply:
                assert (reply.status, await reply.read()) == (200, b"")
            async with session.post(url, data=io.BytesIO(BIG), expect100=True) as reply:
                assert await reply.read() == BIG

    asyncio.run(play())


def test_websockets_of_aiohttp(gateway: Gateway) -> None:
    async def play() -> None:
        url, host = f"http://127.0.0.1:{gateway.port}/", {"Host": "shop.example.com"}
        async with _served() as place, aiohttp.ClientSession(headers=host) as session:
            serve(gateway, place)
            made = session.ws_connect(url, protocols=("chat",), compress=15, max_msg_size=0)
            async with made as socket:
                assert socket.protocol == "chat" and socket.compress
                await socket.send_str("hello")
                assert await socket.receive_str() == "hello"
                await socket.send_bytes(BIG)
                assert await socket.receive_bytes() == BIG
                await socket.ping()
                await socket.send_str("leave")
                last = await socket.receive()
                assert (last.type, socket.close_code) == (aiohttp.WSMsgType.CLOSE, 4001)

    asyncio.run(play())


def test_websockets_of_the_library_of_that_name(gateway: Gateway) -> None:
    client = pytest.importorskip("websockets.asyncio.client")
    server = pytest.importorskip("websockets.asyncio.server")
    closed = pytest.importorskip("websockets.exceptions").ConnectionClosed

    async def mirror(socket: Any) -> None:
        await socket.send("welcome")  # right behind the handshake
        async for message in socket:
            if message == "leave":
                await socket.close(4002, "as asked")
                return
            await socket.send(message)

    async def play() -> None:
        async with server.serve(mirror, "127.0.0.1", 0, subprotocols=["chat"], max_size=None) as served:
            serve(gateway, Place("mirror", served.sockets[0].getsockname()[1]))
            address = {"host": "127.0.0.1", "port": gateway.port, "proxy": None, "subprotocols": ["chat"]}
            made = client.connect("ws://shop.example.com/", max_size=None, **address)
            async with made as socket:
                assert socket.subprotocol == "chat"
                assert await socket.recv() == "welcome"
                for message in ("text", "\N{SNOWMAN}" * 100_000, BIG):
                    await socket.send(message)
                    assert await socket.recv() == message
                await socket.send([b"in ", b"three ", b"pieces"])
                assert await socket.recv() == b"in three pieces"
                await (await socket.ping())
                await socket.send("leave")
                with pytest.raises(closed) as ended:
                    await socket.recv()
                assert (ended.value.rcvd.code, ended.value.rcvd.reason) == (4002, "as asked")

            async def one(number: int) -> None:
                async with client.connect("ws://shop.example.com/", **address) as socket:
                    assert await socket.recv() == "welcome"
                    await socket.send(str(number))
                    assert await socket.recv() == str(number)

            await asyncio.gather(*map(one, range(100)))

    asyncio.run(play())


def test_websockets_over_tls(tmp_path: Path) -> None:
    client = pytest.importorskip("websockets.asyncio.client")
    context = ssl.create_default_context(cadata=CA.pem.decode())

    async def play(made: Gateway) -> None:
        async with _served() as place:
            serve(made, place)
            address = {"host": "127.0.0.1", "port": made.port, "ssl": context, "proxy": None}
            async with client.connect("wss://shop.example.com/", max_size=None, **address) as socket:
                for message in ("text", BIG):
                    await socket.send(message)
                    assert await socket.recv() == message

    with gateways.running(tmp_path, secure=True) as made:
        made.writer.publish({"gateway": {route.CERTIFICATE + b"ns/shop": route.encode(SHOP)}}, time.time())
        asyncio.run(play(made))


_PIPELINE = """
wrk.headers["Host"] = "shop.example.com"
init = function(args)
  local all = {}
  for number = 1, 16 do all[number] = wrk.format("GET", "/" .. number) end
  batch = table.concat(all)
end
request = function() return batch end
"""


def test_wrk_pipelines(gateway: Gateway, tool: Tool, tmp_path: Path) -> None:
    """Sixteen requests at a time on each of twenty connections."""
    (tmp_path / "pipeline.lua").write_text(_PIPELINE)
    with backends.running("one", "two") as (one, two):
        serve(gateway, Place(one.name, one.port), Place(two.name, two.port))
        command = [
            tool("wrk"),
            "-t1",
            "-c20",
            "-d1s",
            "--timeout",
            "20s",
            "-s",
            str(tmp_path / "pipeline.lua"),
        ]
        command.append(f"http://127.0.0.1:{gateway.port}/")
        done = subprocess.run(command, capture_output=True, text=True, timeout=backends.LONG * 3, check=True)
    assert "Socket errors" not in done.stdout and "Non-2xx" not in done.stdout, done.stdout
    found = re.search(r"(\d+) requests in", done.stdout)
    assert found and int(found[1]) > 16, done.stdout
