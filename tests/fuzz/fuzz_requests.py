"""Throws requests at the gateway's protocols: mutations of good and of malicious ones, in reads of any size.

Law: what the backend got is whole messages by the letter of RFC 9112, each one that the client sent by that
letter, in order, with its body and its fields; nothing comes after one that was refused; the client gets no
more answers than that. Prints the figures, exits 1 when an invariant broke.
Run: python tests/fuzz/fuzz_requests.py [requests] [seed]
"""

import random
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.conformance import desync, strict, vectors  # noqa: E402
from tests.fuzz import findings, mutations  # noqa: E402
from tests.fuzz.findings import Findings  # noqa: E402
from tests.proxy import cables  # noqa: E402

REQUESTS = 100_000
WARM = 20_000  # requests before memory is first measured
CORPORA = ("desync_requests", "llhttp_requests", "aiohttp_requests", "http_garden_payloads", "http11_probe")
DATE = b"Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"  # else the gateway says one
OK = b"HTTP/1.1 200 OK\r\n" + DATE + b"Content-Length: 2\r\n\r\nok"
HOST = b"Host: a.example\r\n"
SEEDS = (
    b"GET /a/b?c=d HTTP/1.1\r\n" + HOST + b"Accept: */*\r\nCookie: a=b\r\n\r\n",
    b"POST /p HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\n\r\nhello",
    b"PUT /p HTTP/1.1\r\n"
    + HOST
    + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n3;a=b\r\nabc\r\n0\r\n\r\n",
    b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-Sum: 1\r\n\r\n",
    b"GET http://a.example/x HTTP/1.1\r\n" + HOST + b"\r\n",
    b"GET /old HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    b"GET /s HTTP/1.1\r\n" + HOST + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    b"HEAD /h HTTP/1.1\r\n" + HOST + b"Connection: close, X-A\r\nX-A: b\r\n\r\n",
    b"POST /e HTTP/1.1\r\n" + HOST + b"Expect: 100-continue\r\nContent-Length: 3\r\n\r\nabc",
)
_OURS = re.compile(rb"x-forwarded-(?:for|host|port|proto)|x-real-ip|x-request-id|host|transfer-encoding")
_OWN = ((b"expect", b"100-continue"), (b"connection", b"upgrade"), (b"upgrade", b"websocket"))


class Seen(NamedTuple):
    """What became of what a client sent."""

    forwarded: bytes
    said: bytes
    ended: bool


def seeds() -> list[bytes]:
    """Good requests, and whatever the corpora have."""
    found = list(SEEDS) + [one + other for one in SEEDS[:5] for other in SEEDS[:5]]
    if vectors.FOLDER.is_dir():
        for name in CORPORA:
            content = vectors.load(name)
            for case in content.get("vectors") or content["tests"]:
                if isinstance(case.get("request"), str):
                    found.append(case["request"].encode("latin-1"))
    return found


def play(stand: cables.Stand, reads: Iterable[bytes]) -> Seen:
    """What becomes of a client that sends these octets, before a backend that answers each whole request."""
    backend, client = stand.backend(), stand.client()
    at = len(backend.cable.sent)
    answered = 0
    for read in reads:
        client.feed(read)
        answered = _answer(stand, backend, at, answered)
        while client.cable.paused and not client.cable.closed and not backend.cable.closed:
            before = answered
            answered = _answer(stand, backend, at, answered)
            if answered == before:
                break
    ended = client.cable.closed
    client.hang_up()
    client.cable.close()
    client.check()
    forwarded = bytes(backend.cable.sent[at:])
    backend.cable.sent.clear()
    backend.check()
    if client.cable.other:  # it was HTTP/2, which others look at
        return Seen(b"", b"", ended)
    return Seen(forwarded, bytes(client.cable.sent), ended)


def _answer(stand: cables.Stand, backend: cables.Line, at: int, answered: int) -> int:
    """How many requests have been answered."""
    while len(desync.read(bytes(backend.cable.sent[at:]))) > answered:
        answered += 1
        if backend.end.taker is not None:
            backend.feed(OK)
            backend.end.used = 0
        stand.turn()
    return answered


def check(raw: bytes, seen: Seen) -> str:
    """The invariant that is broken; empty where none is."""
    try:
        got = desync.read(seen.forwarded)
    except desync.Ambiguous:
        return "the backend got what can be read in two ways"
    asked = strict.requests(raw, kind=True)
    if len(got) > len(asked.messages):
        return f"{len(got)} requests of {len(asked.messages)} came out ({asked.wrong})"
    whole = sum(each.octets for each in got)
    begun = seen.forwarded[whole:]
    if begun and len(got) == len(asked.messages) and not asked.rest:
        return "a request that was not sent has begun"
    for out, came in zip(got, asked.messages, strict=False):
        trouble = _same(out, came)
        if trouble:
            return trouble
    said = _read(seen, _methods(asked.messages), _methods(got))
    if said.wrong or said.rest:
        return f"the client got {said.wrong or 'half an answer'}"
    statuses = [int(each.start[0]) for each in said.messages]
    if any(status >= 400 for status in statuses[:-1]):
        return "something came after a refusal"
    return ""


def _read(seen: Seen, *asked: list[bytes]) -> strict.Stream:
    """The client's answers: it may end with the refusal of something that hardly has a method."""
    for methods in asked:
        for last in (b"GET", b"HEAD"):
            said = strict.answers(seen.said, [*methods, last], seen.ended)
            if not (said.wrong or said.rest):
                return said
    return said


def _methods(messages: list[strict.Message]) -> list[bytes]:
    return [each.start[0] for each in messages]


def _same(out: strict.Message, came: strict.Message) -> str:
    """What of one request is not what came."""
    if out.start[0] != came.start[0]:
        return "another method"
    if out.body != came.body:
        return "another body"
    if came.values(b"host") and out.values(b"host") != came.values(b"host"):
        return "another host"
    if out.start[1].partition(b"?")[2] != came.start[1].partition(b"?")[2]:
        return "another query"
    known = {*came.fields, (b"content-length", b"%d" % len(came.body)), *_OWN}
    strange = [each for each in out.fields if each not in known and not _OURS.fullmatch(each[0])]
    if strange:
        return f"fields that were not sent: {strange}"
    if not Counter(out.trailers) <= Counter(came.trailers):
        return "a trailer that was not sent"
    return ""


def _outcome(seen: Seen) -> str:
    return seen.said[9:12].decode("latin-1") or "nothing"


def run(requests: int, seed: int) -> Findings:
    """Plays so many requests; the same ones for the same seed."""
    chance, start, found = random.Random(seed), seeds(), Findings("requests", WARM)
    with tempfile.TemporaryDirectory() as state:
        stand = cables.Stand(Path(state))
        for number in range(requests):
            raw = start[number] if number < len(start) else mutations.mutate(chance, start)
            began = time.perf_counter()
            seen = play(stand, mutations.reads(chance, raw))
            found.note(_outcome(seen), time.perf_counter() - began)
            trouble = check(raw, seen)
            if trouble:
                found.blame(f"{trouble}: {raw!r} -> {seen}")
        stand.close()
    return found


if __name__ == "__main__":
    sys.exit(findings.main(run, REQUESTS))
