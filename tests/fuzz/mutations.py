"""Mutations of HTTP messages: octets, and the words by which readers are set against each other."""

import random
from collections.abc import Callable, Sequence

WORDS = (
    b"\r",
    b"\n",
    b"\r\n",
    b"\r\n\r\n",
    b"\n\n",
    b"\0",
    b" ",
    b"\t",
    b"\x0b",
    b"\x0c",
    b"\x85",
    b"\xa0",
    b"\xff",
    b":",
    b" :",
    b";",
    b",",
    b"0",
    b"+",
    b"-1",
    b"0x5",
    b"ffffffffffffffff",
    b"18446744073709551617",
    b"0\r\n\r\n",
    b"5\r\n",
    b"1;x\r\na\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Transfer-Encoding:\tchunked\r\n",
    b"Transfer-Encoding: identity\r\n",
    b"transfer_encoding: chunked\r\n",
    b"Content-Length: 5\r\n",
    b"Content-Length: 0\r\n",
    b"Content-Length: 5, 5\r\n",
    b"Host: b.example\r\n",
    b"Host:\r\n",
    b"Connection: close\r\n",
    b"Connection: keep-alive, Content-Length\r\n",
    b"Connection: Upgrade\r\nUpgrade: h2c\r\n",
    b"Connection: Upgrade\r\nUpgrade: websocket\r\n",
    b"Expect: 100-continue\r\n",
    b"X: y\r\n folded\r\n",
    b" HTTP/1.0",
    b" HTTP/1.1",
    b" HTTP/2.0",
    b"GET /evil HTTP/1.1\r\nHost: evil\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
    b"HTTP/1.1 100 Continue\r\n\r\n",
)

Mutation = Callable[[random.Random, bytearray], None]


def _flip(chance: random.Random, raw: bytearray) -> None:
    for _ in range(chance.randint(1, 3)):
        if raw:
            raw[chance.randrange(len(raw))] = chance.randrange(256)


def _word(chance: random.Random, raw: bytearray) -> None:
    at = chance.randint(0, len(raw))
    raw[at:at] = chance.choice(WORDS)


def _line(chance: random.Random, raw: bytearray) -> None:
    """A word where a line begins."""
    starts = [at for at in range(len(raw)) if raw[at - 1 : at] == b"\n"] or [0]
    at = chance.choice(starts)
    raw[at:at] = chance.choice(WORDS)


def _end(chance: random.Random, raw: bytearray) -> None:
    """A word before a line ends, or instead of the end."""
    ends = [at for at in range(len(raw)) if raw[at : at + 2] == b"\r\n"] or [0]
    at = chance.choice(ends)
    raw[at : at + chance.choice((0, 0, 1, 2))] = chance.choice(WORDS)


def _drop(chance: random.Random, raw: bytearray) -> None:
    at = chance.randint(0, len(raw))
    del raw[at : at + chance.choice((1, 1, 1, 2, 5, 20))]


def _cut(chance: random.Random, raw: bytearray) -> None:
    del raw[chance.randint(0, len(raw)) :]


def _copy(chance: random.Random, raw: bytearray) -> None:
    at = chance.randint(0, len(raw))
    to = chance.randint(0, len(raw))
    raw[to:to] = raw[at : at + chance.randint(1, 40)]


def _case(chance: random.Random, raw: bytearray) -> None:
    at = chance.randint(0, len(raw))
    raw[at : at + 20] = raw[at : at + 20].swapcase()


MUTATIONS: tuple[Mutation, ...] = (_flip, _word, _word, _line, _line, _end, _end, _drop, _cut, _copy, _case)


def mutate(chance: random.Random, seeds: Sequence[bytes]) -> bytes:
    """One of the seeds, or two in a row, changed in one to three places."""
    raw = bytearray(chance.choice(seeds))
    if chance.random() < 0.3:
        raw += chance.choice(seeds)
    for _ in range(chance.randint(1, 3)):
        chance.choice(MUTATIONS)(chance, raw)
    return bytes(raw)


def reads(chance: random.Random, raw: bytes) -> list[bytes]:
    """The octets as one read, or as several."""
    if chance.random() < 0.6:
        return [raw]
    cuts = sorted(chance.randint(0, len(raw)) for _ in range(chance.randint(1, 3)))
    return [raw[start:end] for start, end in zip([0, *cuts], [*cuts, len(raw)], strict=True) if end > start]
