"""The lean way to ask whether an API server is ready: it believes a plain yes, and nothing else."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import uvloop

from fedns.kube import access, client, pulse
from fedns.kube.failure import Unreachable
from tests.fakes import kubecluster
from tests.servers import certificates
from tests.waiting import until

YES = b"HTTP/1.1 200 OK\r\nAudit-Id: 1\r\nContent-Length: 2\r\n\r\nok"
Answer = Callable[[bytes], Awaitable[bytes]]
Loop = Callable[[], asyncio.AbstractEventLoop]
LOOPS = pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])


class Server:
    """Says to each request what `answer` says (nothing: it ends the connection)."""

    def __init__(self, answer: Answer) -> None:
        self.answer, self.lines, self.open, self.asked, self.url = answer, 0, 0, list[bytes](), ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.lines, self.open = self.lines + 1, self.open + 1
        try:
            while True:
                self.asked.append(await reader.readuntil(b"\r\n\r\n"))
                said = await self.answer(self.asked[-1])
                writer.write(said)
                if not said:
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            self.open -= 1
            writer.close()


@asynccontextmanager
async def serving(answer: Answer) -> AsyncIterator[Server]:
    made = Server(answer)
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield made
    finally:
        server.close()


def found(server: str, **more: str) -> access.Access:
    return access.Access(server, more, None, None, None, 0.0, {})


def run(test: Callable[[], Awaitable[None]], loop: Loop = asyncio.new_event_loop) -> None:
    async def main() -> None:
        await test()

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(main())


@LOOPS
def test_it_is_asked_again_and_again_on_one_connection(loop: Loop) -> None:
    async def yes(_: bytes) -> bytes:
        return YES

    async def test() -> None:
        async with serving(yes) as server:
            who, asked = found(f"{server.url}/k8s/c-1/", Authorization="Bearer t"), pulse.Pulse()
            assert [await asked.beats(who) for _ in range(3)] == [True] * 3 and server.lines == 1
            head, *lines = server.asked[-1].decode().split("\r\n")
            assert head == "GET /k8s/c-1/readyz HTTP/1.1"
            assert f"Host: {server.url.removeprefix('http://')}" in lines
            assert "Authorization: Bearer t" in lines
            assert await asked.beats(found(server.url, Authorization="Bearer other")) and server.lines == 2
            assert b"Bearer other" in server.asked[-1]
            asked.close()
            await until(lambda: not server.open, "closed")

    run(test, loop)


@LOOPS
@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nok",
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"x" * (pulse.LONGEST + 1),
    ],
)
def test_whatever_else_it_says_is_not_known_here_and_it_is_left_alone(said: bytes, loop: Loop) -> None:
    async def otherwise(_: bytes) -> bytes:
        return said

    async def test() -> None:
        async with serving(otherwise) as server:
            asked = pulse.Pulse()
            assert [await asked.beats(found(server.url)) for _ in range(3)] == [False] * 3
            assert len(server.asked) == 1
            await until(lambda: not server.open, "closed")

    run(test, loop)


@LOOPS
def test_a_reply_that_comes_late_is_not_one_to_the_next_question(loop: Loop) -> None:
    async def test() -> None:
        gate = asyncio.Event()

        async def late(_: bytes) -> bytes:
            await gate.wait()
            return YES

        async with serving(late) as server:
            asked = pulse.Pulse()
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await asked.beats(found(server.url))
            gate.set()
            assert await asked.beats(found(server.url)) and server.lines == 2
            asked.close()

    run(test, loop)


def test_a_connection_that_the_server_ended_in_between_is_made_anew() -> None:
    async def test() -> None:
        async def yes(_: bytes) -> bytes:
            return YES

        async with serving(yes) as server:
            asked = pulse.Pulse()
            assert await asked.beats(found(server.url))
            line = asked._line
            assert line is not None and line._transport is not None
            line._transport.abort()
            await until(lambda: line.over, "ended")
            assert await asked.beats(found(server.url)) and server.lines == 2
            asked.close()

    run(test)


@pytest.mark.parametrize(
    "who",
    [
        found("http://127.0.0.1:1"),
        found("http://127.0.0.1:1")._replace(proxy="http://127.0.0.1:2"),
        found("https://127.0.0.1:1"),
        found("http://user:word@127.0.0.1:1"),
        found("http://127.0.0.1:1", Authorization="Bearer t\r\nX: y"),
        found("http://127.0.0.1:x"),
    ],
)
def test_what_cannot_be_asked_here_is_not_known(who: access.Access) -> None:
    async def test() -> None:
        assert not await pulse.Pulse().beats(who)

    run(test)


def test_a_client_renews_who_it_is_and_tells_what_is_wrong_as_ever(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("old")

    async def test() -> None:
        refused, ready = set[bytes](), True

        async def judged(asked: bytes) -> bytes:
            if any(each in asked for each in refused):
                return b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n"
            return YES if ready else b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 3\r\n\r\nno!"

        async with serving(judged) as server:
            api = client.Client(access.Where(server=server.url, token_file=str(token)), asyncio.Semaphore(1))
            await api.ready(5.0)
            api._keeper._renewed = 0.0
            token.write_text("new")
            refused.add(b"Bearer old")
            await api.ready(5.0)
            assert b"Bearer new" in server.asked[-1]
            ready = False
            with pytest.raises(Exception, match="no!"):
                await api.ready(5.0)
            await api.close()
            await until(lambda: not server.open, "closed")
            server.answer = _never
            with pytest.raises(Unreachable, match=r"/readyz: no answer within 0\.1 s"):
                await api.ready(0.1)
            await api.close()

    run(test)


async def _never(_: bytes) -> bytes:
    await asyncio.sleep(60.0)
    return b""


@LOOPS
def test_over_tls_the_server_is_believed_as_ever(tmp_path: Path, loop: Loop) -> None:
    chain, key = certificates.write(tmp_path)
    with kubecluster.running(options=["--certificate", chain, "--key", key]) as cluster:

        async def test() -> None:
            for ca, good in ((chain, True), ("", False)):
                where = access.Where(server=cluster.url, ca=str(ca))
                who = await asyncio.to_thread(access.read, where)
                asked = pulse.Pulse()
                assert await asked.beats(who) is good, ca
                asked.close()

        run(test, loop)
