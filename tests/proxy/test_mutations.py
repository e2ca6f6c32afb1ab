"""Mutated requests and answers at the gateway's protocols: nothing comes out that did not go in.

Law: what broke once stands here in words; `make fuzz` looks for more.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fuzz import fuzz_answers, fuzz_requests
from tests.proxy import cables

MESSAGES = 4000
_HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
_POST = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n"


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[cables.Stand]:
    made = cables.Stand(tmp_path)
    yield made
    made.close()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_requests(seed: int) -> None:
    assert not fuzz_requests.run(MESSAGES, seed).broken


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_answers(seed: int) -> None:
    assert not fuzz_answers.run(MESSAGES, seed).broken


@pytest.mark.parametrize(
    ("method", "answer"),
    [
        (b"HEAD", _HEAD + b"5"),
        (b"HEAD", _HEAD + b"5\r\n"),
        (b"HEAD", _HEAD + b"0\r\n\r\n"),
        (b"HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"),
        (b"GET", b"HTTP/1.1 204 No Content\r\nContent-Length: 4\r\n\r\n"),
        (b"GET", b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n"),
        (b"GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\nevil"),
        (b"GET", b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: close, keep-alive\r\n\r\n"),
        (b"GET", _HEAD + b"0\r\nConnection: close\r\n\r\n"),
        (b"GET", _HEAD + b"0\r\nTransfer-Encoding: x\r\n\r\n"),
        (b"GET", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\n"),
    ],
)
def test_a_backend_with_more_to_say_is_not_asked_again(
    stand: cables.Stand, method: bytes, answer: bytes
) -> None:
    seen = fuzz_answers.play(stand, method, [answer], False)
    assert b"evil" not in seen.said and not seen.reused
    after = fuzz_answers.play(stand, b"POST", [fuzz_answers.NEXT], False)
    assert after.said == fuzz_answers.NEXT and after.reused


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 O\0K\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\x0b\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\nContent-Length: 4\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\nTransfer-Encoding: chunked\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
    ],
)
def test_what_no_backend_may_say_is_502(stand: cables.Stand, answer: bytes) -> None:
    seen = fuzz_answers.play(stand, b"POST", [answer], False)
    assert seen.said.startswith(b"HTTP/1.1 502 ") and not seen.reused


@pytest.mark.parametrize(
    "trailer", [b"Transfer-Encoding: chunked", b"Content-Length: 5", b"Connection: close"]
)
def test_a_trailer_that_frames_is_400(stand: cables.Stand, trailer: bytes) -> None:
    seen = fuzz_requests.play(stand, [_POST, trailer + b"\r\n\r\n"])
    assert seen.said.startswith(b"HTTP/1.1 400 ") and not fuzz_requests.check(_POST, seen)


def test_thousands_of_protocols_asked_for_in_one_read(stand: cables.Stand) -> None:
    asked = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"
    backend, client = stand.backend(), stand.client()
    client.feed(asked * 4000)
    for _ in range(4000):
        backend.feed(fuzz_requests.OK)
        stand.turn()
    assert client.cable.sent == fuzz_requests.OK * 4000
    client.hang_up()
