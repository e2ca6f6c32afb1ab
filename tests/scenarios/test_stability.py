"""Processes are killed and told to stop under load, and no query is lost."""

import signal
import socket
import struct
import time
from pathlib import Path

from fedns.servers import batch
from tests.bench import ask
from tests.scenarios import load, world

PLACE = world.place("us-central1-a")
NAMES = (world.GLOBAL, world.place("us-central1"), PLACE, "www.acme.com", "no.acme.com")
FRESH = "198.51.100.7"
BEARABLE = 500
"""Rounds of questions (4 ms each, while the client runs) without any answer: far below a start's time would
do on an idle machine, this is for a busy one."""


def _right(asking: load.Load) -> None:
    """Every answer was the old one or the new one of its name."""
    first = {world.ADDRESSES["us-central1-a"], FRESH}
    rest = world.SERVING - first
    region = {one for zone, one in world.ADDRESSES.items() if zone.startswith("us-")} - first
    for name, rcode, found in asking.seen:
        expected = {world.GLOBAL: rest, NAMES[1]: region, PLACE: set()}.get(name)
        if expected is None:
            assert (rcode, found) == ((0, {"192.0.2.80"}) if name == "www.acme.com" else (3, set())), name
        else:
            assert rcode == 0 and found - expected in ({each} for each in first), (name, found)


def test_a_killed_control_is_replaced_and_no_query_is_lost(tmp_path: Path) -> None:
    with world.settled(world.World(tmp_path)) as served, load.asking(served.port, NAMES, 3000) as asking:
        seen = asking.answered
        old = served.kill("control")
        served.world.write("us-central1-a", [FRESH])
        served.replaced("control", old)
        world.until(lambda: asking.seen[load.Seen(PLACE, 0, frozenset({FRESH}))] > 100, "the change served")
        world.until(lambda: asking.answered > seen + 6000, "answers go on")
        asking.stop()
        print(asking)
        assert asking.missing == []
        assert asking.answered == asking.asked
        assert asking.silence < BEARABLE
        _right(asking)


def test_a_killed_worker_is_replaced_and_the_other_never_stops(tmp_path: Path) -> None:
    with world.settled(world.World(tmp_path)) as served, load.asking(served.port, NAMES, 3000) as asking:
        other = served.child("dns worker 1")
        old = served.kill("dns worker 0")
        served.replaced("dns worker 0", old)
        seen = asking.answered
        world.until(lambda: asking.answered > seen + 3000, "answers go on")
        asking.stop()
        print(asking)
        assert served.child("dns worker 1") == other
        assert asking.silence < BEARABLE
        assert len(asking.missing) <= batch.SIZE  # what the dead one had in its hands
        asking.retry()
        assert asking.missing == []
        assert asking.answered == asking.asked
        _right(asking)


def _stream(names: list[str]) -> bytes:
    """Queries for a TCP connection, one after another, with IDs from 0."""
    packets = [ask.query(name, ident) for ident, name in enumerate(names)]
    return b"".join(struct.pack(">H", len(packet)) + packet for packet in packets)


def _replies(sock: socket.socket) -> list[ask.Answer]:
    """All replies until the server closes; a reset would raise."""
    data = b"".join(iter(lambda: sock.recv(65536), b""))
    found = []
    while data:
        size = struct.unpack_from(">H", data)[0]
        found.append(ask.parse(data[2 : 2 + size]))
        data = data[2 + size :]
    return found


def test_sigterm_drains(tmp_path: Path) -> None:
    with world.settled(world.World(tmp_path)) as served, load.asking(served.port, NAMES) as asking:
        streams = [socket.create_connection(("127.0.0.1", served.port), timeout=world.LONG) for _ in range(8)]
        for sock in streams:  # it is served already when the end comes
            sock.sendall(_stream([world.GLOBAL]))
            assert ask.parse(sock.recv(4096)[2:]).addresses == world.SERVING
        for sock in streams:
            sock.sendall(_stream([world.GLOBAL] * 200))
        told = time.monotonic()
        served.process.send_signal(signal.SIGTERM)
        for sock in streams:
            replies = _replies(sock)
            assert len(replies) == 200
            assert {reply.addresses for reply in replies} == {world.SERVING}
            sock.close()
        assert served.process.wait(world.LONG) == 0
        print(f"ended after {time.monotonic() - told:.3f} s")
        asking.stop()
        assert [each for each in asking.missing if each.at < told] == []
        _right(asking)
