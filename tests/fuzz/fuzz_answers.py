"""Throws answers of backends at the gateway's protocols, and looks who gets what.

Law: the client gets what a strict reader gets of the backend, or an error, or a connection that breaks; never
another octet. The backend's connection is used again only after one whole answer with nothing behind it, and
whoever comes next gets their own. Prints the figures, exits 1 when an invariant broke.
Run: python tests/fuzz/fuzz_answers.py [answers] [seed]
"""

import random
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.conformance import strict  # noqa: E402
from tests.fuzz import findings, mutations  # noqa: E402
from tests.fuzz.findings import Findings  # noqa: E402
from tests.proxy import cables  # noqa: E402

ANSWERS = 100_000
WARM = 20_000  # answers before memory is first measured
SEEDS = (
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: b\r\n\r\nhello",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n3;x=y\r\nabc\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n1\r\na\r\n0\r\nX-Sum: 1\r\n\r\n",
    b"HTTP/1.1 204 No Content\r\nX-A: b\r\n\r\n",
    b"HTTP/1.1 304 Not Modified\r\nETag: a\r\nContent-Length: 9\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nall that comes",
    b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nok",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 302 Found\r\nLocation: /b\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 500 Oh\r\nConnection: X-A\r\nX-A: b\r\nContent-Length: 1\r\n\r\nx",
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\noctets",
)
METHODS = (b"POST", b"POST", b"HEAD", b"GET")
NEXT = b"HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Length: 4\r\n\r\nnext"
BROKEN = b"502"


class Seen(NamedTuple):
    """What became of an answer: what the client got, whether its connection was ended or broken off, and
    whether the backend's is used again."""

    said: bytes
    ended: bool
    broken: bool
    reused: bool


def play(stand: cables.Stand, method: bytes, reads: list[bytes], hangs_up: bool) -> Seen:
    """What a client gets whose request is answered so; `hangs_up`: the backend ends the connection then."""
    backend, client = stand.backend(), stand.client()
    client.feed(method + b" / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 0\r\n\r\n")
    for read in reads:
        backend.feed(read)
    if hangs_up:
        backend.hang_up()
    backend.end.used = 0
    idle = backend.end.taker is None and not backend.cable.closed
    seen = Seen(bytes(client.cable.sent), client.cable.closed, client.cable.aborted, idle)
    client.hang_up()
    client.cable.close()
    client.check()
    backend.check()
    stand.turn()  # whatever waits for its time
    return seen


def check(method: bytes, raw: bytes, hangs_up: bool, seen: Seen) -> str:
    """The invariant that is broken; empty where none is."""
    meant = strict.answers(raw, [method], hangs_up)
    final = [each for each in meant.messages if each.start[0][:1] != b"1"]
    got = strict.answers(seen.said, [method], seen.ended and not seen.broken)
    if got.wrong:
        return f"the client got {got.wrong}"
    last = [each for each in got.messages if each.start[0][:1] != b"1"]
    sound = all(each.bodiless for each in meant.messages if each.start[0] == b"204" or each not in final)
    if seen.reused and not (sound and final and final[0].persists and not meant.rest):
        return f"the connection is used again ({meant.wrong})"
    if len(got.messages) - len(last) > len(meant.messages) - len(final):
        return "an interim answer that was not given"
    if last and last[0].start[0] == BROKEN and b"Bad Gateway" in seen.said:
        return ""
    if last and not final:
        return f"a whole answer that was not given ({meant.wrong})"
    return _same(last[0], final[0]) if last else ""


def _same(out: strict.Message, came: strict.Message) -> str:
    if out.start[0] != came.start[0]:
        return "another status"
    if out.body != came.body:
        return "another body"
    known = {*came.fields, (b"transfer-encoding", b"chunked"), (b"connection", b"close")}
    strange = [each for each in out.fields if each not in known and each[0] != b"date"]
    return f"fields that were not given: {strange}" if strange else ""


def _poisoned(stand: cables.Stand) -> str:
    """Whether the next client does not get its own answer."""
    seen = play(stand, b"POST", [NEXT], False)
    return "" if seen.said == NEXT else f"the next client got {seen.said!r}"


def run(answers: int, seed: int) -> Findings:
    """Plays so many answers; the same ones for the same seed."""
    chance, found = random.Random(seed), Findings("answers", WARM)
    with tempfile.TemporaryDirectory() as state:
        stand = cables.Stand(Path(state))
        for number in range(answers):
            raw = SEEDS[number] if number < len(SEEDS) else mutations.mutate(chance, SEEDS)
            method, hangs_up = chance.choice(METHODS), chance.random() < 0.5
            began = time.perf_counter()
            seen = play(stand, method, mutations.reads(chance, raw), hangs_up)
            outcome = "used again" if seen.reused else seen.said[9:12].decode("latin-1") or "nothing"
            found.note(outcome, time.perf_counter() - began)
            trouble = check(method, raw, hangs_up, seen) or _poisoned(stand)
            if trouble:
                found.blame(f"{trouble}: {method!r} {raw!r} {hangs_up} -> {seen}")
        stand.close()
    return found


if __name__ == "__main__":
    sys.exit(findings.main(run, ANSWERS))
