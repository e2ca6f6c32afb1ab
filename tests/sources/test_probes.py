"""The prober against real servers on loopback: each kind, counting, edges, targets that come and go."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any

import h2.config
import h2.connection
import h2.events
import pytest
from aiohttp import web

from fedns.model.facts import ProbeCount
from fedns.model.policy import ProbeKind, ProbeSpec
from fedns.sources import probe_grpc, probe_http, probe_tcp, probes
from fedns.sources.change import ProbeChange
from fedns.sources.probe import Result, Target
from tests.sources.listening import Listener

KEY = ("m", "default/web")
FAST = {"interval": 0.1, "timeout": 1.0, "fall": 2, "rise": 2}


class Backend:
    """An HTTP server whose answer the test turns."""

    def __init__(self) -> None:
        self.status, self.body, self.hosts = 200, "all is well", list[str]()

    async def _answer(self, request: web.Request) -> web.Response:
        self.hosts.append(request.host)
        return web.Response(status=self.status, text=self.body, headers={"Location": "/elsewhere"})

    async def start(self, tls: ssl.SSLContext | None = None) -> int:
        app = web.Application()
        app.router.add_get("/ok", self._answer)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=tls).start()
        return int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        await self._runner.cleanup()


def backed(
    test: Callable[[Backend, int], Coroutine[Any, Any, None]], tls: ssl.SSLContext | None = None
) -> None:
    async def main() -> None:
        backend = Backend()
        port = await backend.start(tls)
        try:
            await test(backend, port)
        finally:
            await backend.stop()

    asyncio.run(main())


@pytest.mark.parametrize(
    ("spec", "status", "ok"),
    [
        ({}, 200, True),
        ({}, 302, True),
        ({}, 503, False),
        ({"expect_status": ((204, 204), (500, 599))}, 503, True),
        ({"expect_status": ((204, 204),)}, 200, False),
        ({"expect_body": "well"}, 200, True),
        ({"expect_body": "ill"}, 200, False),
        ({"path": "/none"}, 200, False),
    ],
)
def test_http(spec: dict[str, Any], status: int, ok: bool) -> None:
    async def test(backend: Backend, port: int) -> None:
        backend.status = status
        http = probe_http.Http()
        given = {"kind": "http", "path": "/ok", "host": "www.acme.test"} | spec
        result = await http.check(Target("127.0.0.1", port, ProbeSpec(**given)))
        await http.close()
        assert result.ok is ok, result.reason
        assert set(backend.hosts) <= {"www.acme.test"}

    backed(test)


@pytest.mark.parametrize(
    ("verify", "status", "reason"),
    [(True, 200, "certificate: "), (False, 200, "HTTPS 200"), (False, 503, "HTTPS 503, not as expected")],
)
def test_https_verifies_the_certificate_unless_told_not_to(verify: bool, status: int, reason: str) -> None:
    async def test(backend: Backend, port: int) -> None:
        backend.status = status
        http = probe_http.Http()
        spec = ProbeSpec(kind="https", path="/ok", host="self.test", verify_tls=verify)
        result = await http.check(Target("127.0.0.1", port, spec))
        await http.close()
        assert result.ok is (reason == "HTTPS 200") and result.reason.startswith(reason)

    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(Path(__file__).with_name("self_signed.pem"))
    backed(test, tls)


def test_http_looks_only_at_the_begin_of_a_body() -> None:
    async def test(backend: Backend, port: int) -> None:
        backend.body = "x" * probe_http.BODY + "late"
        http = probe_http.Http()
        spec = ProbeSpec(kind="http", path="/ok", expect_body="late")
        assert not (await http.check(Target("127.0.0.1", port, spec))).ok
        await http.close()

    backed(test)


def test_a_prober_counts_falls_and_rises() -> None:
    async def test(backend: Backend, port: int) -> None:
        listener, prober = Listener(), probes.Prober({})
        task = asyncio.create_task(prober.run(listener))
        target = Target("127.0.0.1", port, ProbeSpec(kind="http", path="/ok", **FAST))
        prober.aim({KEY: target})
        for status, state in ((200, "up"), (500, "down"), (200, "up")):
            backend.status = status
            await listener.until(lambda state=state: listener.heard and _last(listener).state == state)
        told = len(listener.heard)
        age = prober.counts[KEY].at
        async with asyncio.timeout(10):
            while prober.counts[KEY].at == age:  # noqa: ASYNC110 - steady success moves the age ...
                await asyncio.sleep(0.01)
        assert len(listener.heard) == told  # ... and nothing else
        prober.aim({})
        await listener.until(lambda: listener.last(ProbeChange).results == {KEY: None})
        asked = len(backend.hosts)
        assert listener.last(ProbeChange).touched == {"default/web"} and not prober.counts
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert len(backend.hosts) <= asked + 1

    backed(test)


Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]]


@contextlib.asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[int]:
    """A TCP server on a free port; nothing of it is left behind."""
    busy = set[asyncio.Task[None]]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        busy.add(task)
        try:
            with contextlib.suppress(OSError):
                await handler(reader, writer)
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for _ in range(5):  # accepting takes a few turns of the loop; then clients have hung up
            await asyncio.sleep(0)
        await asyncio.gather(*busy)
        await asyncio.sleep(0)


def _last(listener: Listener) -> ProbeCount:
    count = listener.last(ProbeChange).results[KEY]
    assert count is not None
    return count


def test_restored_counts_go_on_and_those_without_target_go() -> None:
    async def main() -> Mapping[Any, Any]:
        before = {KEY: ProbeCount("up", at=1.0), ("gone", "default/web"): ProbeCount("down")}
        listener, prober = Listener(), probes.Prober(before)
        task = asyncio.create_task(prober.run(listener))
        async with serving(_silent) as port:
            pass  # nobody listens there any more
        prober.aim({KEY: Target("127.0.0.1", port, ProbeSpec(**FAST))})
        await listener.until(lambda: any(KEY in change.results for change in listener.all(ProbeChange)))
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert listener.all(ProbeChange)[0].results == {("gone", "default/web"): None}
        return listener.last(ProbeChange).results

    count = asyncio.run(main())[KEY]
    assert (count.state, count.failures) == ("up", 1)


@pytest.mark.parametrize(
    ("count", "part"),
    [
        (ProbeCount("up", 5, 0), 1.0),
        (ProbeCount("up", 1, 1), 0.5),
        (ProbeCount("down", 0, 3), 1.0),
        (ProbeCount("down", 2, 3), 0.5),
    ],
)
def test_pauses_are_jittered_and_shorter_at_edges(count: ProbeCount, part: float) -> None:
    pauses = {probes.pause(count, ProbeSpec(interval=10.0)) for _ in range(200)}
    assert len(pauses) > 100
    assert part * 9.0 <= min(pauses) < part * 9.5 and part * 10.5 < max(pauses) <= part * 11.0


def test_no_more_probes_are_out_together_than_allowed() -> None:
    out, most, asked = 0, 0, 0

    async def answer(request: web.Request) -> web.Response:
        nonlocal out, most, asked
        out, asked = out + 1, asked + 1
        most = max(most, out)
        await asyncio.sleep(0.02)  # long enough for all who may
        out -= 1
        return web.Response()

    async def main() -> None:
        app = web.Application()
        app.router.add_get("/ok", answer)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        listener, prober = Listener(), probes.Prober({}, probes.Settings(together=3))
        task = asyncio.create_task(prober.run(listener))
        target = Target("127.0.0.1", runner.addresses[0][1], ProbeSpec(kind="http", path="/ok", **FAST))
        prober.aim({(f"m{number}", "n/s"): target for number in range(20)})
        await listener.until(lambda: len(prober.counts) == 20)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await runner.cleanup()

    asyncio.run(main())
    assert asked >= 20 and most == 3


def test_a_target_that_moves_is_judged_anew_only_when_it_was_down() -> None:
    async def test(backend: Backend, port: int) -> None:
        listener, prober = Listener(), probes.Prober({})
        task = asyncio.create_task(prober.run(listener))
        spec = ProbeSpec(kind="http", path="/ok", interval=0.1, timeout=1.0, fall=30, rise=30)
        async with serving(_silent) as dead:
            pass  # nobody listens there any more
        prober.aim({KEY: Target("127.0.0.1", port, spec)})
        await listener.until(lambda: bool(listener.heard) and _last(listener).state == "up")
        prober.aim({KEY: Target("127.0.0.1", dead, spec)})
        await listener.until(lambda: _last(listener).failures > 0)
        assert _last(listener).state == "up"
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        listener, prober = Listener(), probes.Prober({})
        task = asyncio.create_task(prober.run(listener))
        prober.aim({KEY: Target("127.0.0.1", dead, spec)})
        await listener.until(lambda: bool(listener.heard) and _last(listener).state == "down")
        prober.aim({KEY: Target("127.0.0.1", port, spec)})
        await listener.until(lambda: _last(listener).state == "up")
        assert _last(listener).successes == 30  # all of them at once
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    backed(test)


def test_a_target_that_went_is_not_asked_again() -> None:
    async def test(backend: Backend, port: int) -> None:
        listener, prober = Listener(), probes.Prober({})
        task = asyncio.create_task(prober.run(listener))
        names = ("stays", "goes")
        specs = {name: ProbeSpec(kind="http", path="/ok", host=f"{name}.test", **FAST) for name in names}
        targets = {(name, "n/s"): Target("127.0.0.1", port, spec) for name, spec in specs.items()}
        prober.aim(targets)
        await listener.until(lambda: len(prober.counts) == 2)
        prober.aim({("stays", "n/s"): targets["stays", "n/s"]})
        await listener.until(lambda: len(prober.counts) == 1)
        before = backend.hosts.count("goes.test")
        more = backend.hosts.count("stays.test") + 5
        async with asyncio.timeout(10):
            while backend.hosts.count("stays.test") < more:  # noqa: ASYNC110 - the backend sends no event
                await asyncio.sleep(0.01)
        assert backend.hosts.count("goes.test") == before
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    backed(test)


async def _silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


def test_tcp_and_silence() -> None:
    async def main() -> None:
        async with serving(_silent) as port:
            assert (await probe_tcp.check(Target("127.0.0.1", port, ProbeSpec()))).ok
            listener, prober = Listener(), probes.Prober({})
            task = asyncio.create_task(prober.run(listener))
            specs = {kind: ProbeSpec(kind=kind, timeout=0.1) for kind in ("http", "https", "grpc")}
            prober.aim({(kind, "n/s"): Target("127.0.0.1", port, spec) for kind, spec in specs.items()})
            await listener.until(lambda: len(prober.counts) == 3)
            told = {(one.state, one.reason) for one in prober.counts.values()}
            assert told == {("down", "no answer within 0.1 s")}
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    asyncio.run(main())


async def grpc(status: bytes | None, body: bytes, service: str) -> tuple[Result, bytes]:
    """Check a server that answers `body` and grpc-status `status`; the result and what was asked."""
    asked = b""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        connection.initiate_connection()
        writer.write(connection.data_to_send())
        while data := await reader.read(65536):
            for event in connection.receive_data(data):
                if isinstance(event, h2.events.DataReceived):
                    asked += event.data or b""
                if isinstance(event, h2.events.StreamEnded):
                    connection.send_headers(1, [(":status", "200"), ("content-type", "application/grpc")])
                    connection.send_data(1, body)
                    trailers = [("grpc-status", status)] if status else [("x", "y")]
                    connection.send_headers(1, trailers, end_stream=True)
            writer.write(connection.data_to_send())

    spec = ProbeSpec(kind="grpc", grpc_service=service)
    async with serving(serve) as port, asyncio.timeout(10):
        return await probe_grpc.check(Target("127.0.0.1", port, spec)), asked


@pytest.mark.parametrize(
    ("status", "body", "service", "ok", "reason"),
    [
        (b"0", b"\x00\x00\x00\x00\x02\x08\x01", "", True, "gRPC SERVING"),
        (b"0", b"\x00\x00\x00\x00\x02\x08\x01", "shop.Cart", True, "gRPC SERVING"),
        (b"0", b"\x00\x00\x00\x00\x02\x08\x02", "", False, "gRPC NOT_SERVING"),
        (b"0", b"\x00\x00\x00\x00\x00", "", False, "gRPC UNKNOWN"),
        (b"5", b"", "", False, "gRPC status 5"),
        (None, b"", "", False, "no gRPC: the answer has no grpc-status"),
    ],
)
def test_grpc(status: bytes | None, body: bytes, service: str, ok: bool, reason: str) -> None:
    result, asked = asyncio.run(grpc(status, body, service))
    assert result == Result(ok, reason)
    message = b"\x0a" + bytes([len(service)]) + service.encode() if service else b""
    assert asked == b"\x00" + len(message).to_bytes(4, "big") + message


def test_grpc_of_a_server_that_speaks_http_1() -> None:
    async def test(backend: Backend, port: int) -> None:
        result = await probe_grpc.check(Target("127.0.0.1", port, ProbeSpec(kind="grpc")))
        assert not result.ok

    backed(test)


@pytest.mark.parametrize("kind", ["http", "tcp", "grpc"])
def test_a_refused_connection_is_told_in_few_words(kind: ProbeKind) -> None:
    async def main() -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        listener, prober = Listener(), probes.Prober({})
        task = asyncio.create_task(prober.run(listener))
        prober.aim({KEY: Target("127.0.0.1", port, ProbeSpec(kind=kind, **FAST))})
        await listener.until(lambda: bool(listener.heard))
        task.cancel()
        assert _last(listener).reason == f"port {port}: connection refused"

    asyncio.run(main())
