"""A flood from one network is limited and counted; whoever is really there gets through over TCP, and who is
elsewhere or has proven the address sees nothing of it. Peers ask: dig and kdig."""

import re
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.bench import ask
from tests.scenarios import world

NAME = "www.acme.com"
STRICT = "  rate_limit: {exempt: [], nxdomain: 20, answers: 40}\n"
DNS = "dns:\n  listen: [127.0.0.1:0]\n  workers: 1\n  identity: here\n"
MANY = 500
"""Queries; the first few batches are answered before its network has an account."""
FLOODER = "127.77.0.9"
PATIENCE, REST = 2.0, 0.03
"""Seconds for the first reply to a batch, and for each other one."""
UNSEEN = 300
"""Answers that a network may have had before it is looked at."""


@contextmanager
def limited(root: Path, rates: str) -> Iterator[world.Served]:
    one = world.World(root)
    one.configure(workers=1)
    text = one.config.read_text()
    found = re.search(r"dns: {(.*)}\n", text)
    assert found is not None
    one.put("fedns.yaml", text.replace(found[0], f"{DNS}{rates}"))
    with world.serve(one) as served:
        world.until(lambda: served.answer(NAME) == ("A 192.0.2.80",), "the zone")
        world.until(lambda: b"here" in _identity(served.port), "the settings")
        yield served


def _identity(port: int) -> bytes:
    """What the server says of itself: a worker that knows it knows its limits."""
    question = struct.pack(">6H", 7, 0, 1, 0, 0, 0) + b"\x02id\x06server\0" + struct.pack(">HH", 16, 3)
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.settimeout(0.2)
        sock.sendto(question, ("127.0.0.1", port))
        try:
            return sock.recv(999)
        except TimeoutError:  # it does know them
            return b""


def flood(port: int, name: str, count: int, patience: float = PATIENCE) -> list[bytes]:
    """So many questions, a batch at a time, and what came back. Whoever is cut hears of each second question
    at least, so that a batch waits for a server that is slow."""
    replies = []
    with socket.socket(type=socket.SOCK_DGRAM) as sock:
        sock.bind((FLOODER, 0))
        sock.connect(("127.0.0.1", port))
        for number in range(count):
            sock.send(ask.query(f"a{number}.{name}" if name != NAME else name, number & 0xFFFF))
            if number % 32 == 31:
                replies += _arrived(sock, patience)
    return replies


def _arrived(sock: socket.socket, patience: float) -> list[bytes]:
    found: list[bytes] = []
    try:
        while len(found) < 32:
            sock.settimeout(REST if found else patience)
            found.append(sock.recv(4096))
    except TimeoutError:
        pass
    return found


@contextmanager
def flooding(port: int) -> Iterator[None]:
    """A flood that goes on."""
    over = threading.Event()

    def work() -> None:
        while not over.is_set():
            flood(port, NAME, 32)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def test_a_flood_is_cut_and_others_are_not(tmp_path: Path) -> None:
    with limited(tmp_path, STRICT) as served:
        begun = time.monotonic()
        replies = flood(served.port, "acme.com", 2000)
        allowed = UNSEEN + 20 * (time.monotonic() - begun)
        whole = [reply for reply in replies if reply[3] & 15 == 3]
        cut = [reply for reply in replies if reply[2] & 2]
        told = len(whole), len(cut), allowed
        assert 20 <= len(whole) < allowed and len(cut) > (2000 - allowed) / 3, told
        assert served.answer(NAME) == ("A 192.0.2.80",)  # from 127.0.0.0/24
        metrics = served.api("/metrics")
        slipped = re.search(r'fedns_dns_limited_total{class="nxdomain",outcome="slipped"} (\d+)', metrics)
        assert slipped and int(slipped[1]) >= len(cut), metrics
        assert 'fedns_dns_query_size_bytes_sum{transport="udp"}' in metrics
        world.until(lambda: "127.77.0.0/24" in served.world.log, "the prefix in the log")


@pytest.mark.parametrize("client", ["dig", "kdig"])
def test_who_is_limited_gets_the_answer_over_tcp(
    tmp_path: Path, tool: Callable[[str], str], client: str
) -> None:
    program = tool(client)
    rates = "  rate_limit: {exempt: [], queries: 0, answers: 1, slip: 1}\n  cookies: {enabled: false}\n"
    with limited(tmp_path, rates) as served:
        replies = flood(served.port, NAME, MANY)
        cut = [reply for reply in replies if reply[2] & 2]
        assert len(cut) > 100, (len(replies), len(cut))
        words = [program, "-b", FLOODER, "-p", str(served.port), "@127.0.0.1", NAME, "+retry=0"]
        with flooding(served.port):  # a pause of a second would earn it an answer
            done = subprocess.run(words, capture_output=True, text=True, timeout=world.LONG, check=True)
        assert "192.0.2.80" in done.stdout, done.stdout
        assert "TCP" in done.stdout, done.stdout


def test_a_good_cookie_is_never_limited(tmp_path: Path, tool: Callable[[str], str]) -> None:
    program = tool("dig")
    rates = "  rate_limit: {exempt: [], queries: 0, answers: 1, slip: 0}\n"
    with limited(tmp_path, rates) as served:
        words = [program, "-b", FLOODER, "-p", str(served.port), "@127.0.0.1", NAME, "+notcp", "+tries=1"]
        told = subprocess.run([*words, "+cookie"], capture_output=True, text=True, check=True).stdout
        cookie = re.search(r"COOKIE: ([0-9a-f]{48})", told)
        assert cookie is not None, told
        flood(served.port, NAME, MANY, REST)
        for _ in range(5):
            flood(served.port, NAME, 32, REST)
            done = subprocess.run(
                [*words, f"+cookie={cookie[1]}"], capture_output=True, text=True, check=True
            )
            assert "192.0.2.80" in done.stdout and "UDP" in done.stdout, done.stdout
