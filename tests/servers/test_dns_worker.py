"""A whole worker process: garbage, both transports, draining, damage."""

import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fedns import tables
from fedns.dns import client, rate, signing
from fedns.servers import counters, listen
from tests.fakes import signed
from tests.servers import running


class Worker:
    def __init__(self, state: Path) -> None:
        opened = listen.open_address(("127.0.0.1", 0), 1)
        self.udp, self.tcp, self.address = opened.udp[0], opened.tcp, opened.address
        self.counters = state / "counters"
        fds = (self.udp.fileno(), self.tcp.fileno())
        command = [sys.executable, "-m", "fedns.servers.dns_worker", "--table", str(state / "tables")]
        command += ["--counters", str(self.counters), "--udp-fd", str(fds[0]), "--tcp-fd", str(fds[1])]
        self.process = subprocess.Popen(command, pass_fds=fds, stderr=subprocess.DEVNULL)

    def totals(self) -> counters.Totals:
        return counters.total(counters.read_all(str(self.counters)).values())


@contextmanager
def _worker(state: Path) -> Iterator[Worker]:
    worker = Worker(state)
    try:
        yield worker
    finally:
        worker.process.kill()
        worker.process.wait()
        worker.udp.close()
        worker.tcp.close()


@contextmanager
def _client(worker: Worker) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(running.LONG)
        sock.connect(worker.address)
        yield sock


def _ask(worker: Worker, packet: bytes) -> bytes:
    with _client(worker) as sock:
        sock.send(packet)
        return sock.recv(65535)


def test_both_transports_answer_and_are_counted(tmp_path: Path) -> None:
    running.publish(tmp_path)
    with _worker(tmp_path) as worker:
        assert running.OLD in _ask(worker, running.query())
        with socket.create_connection(worker.address, timeout=running.LONG) as sock:
            query = running.query()
            sock.sendall(len(query).to_bytes(2, "big") + query)
            assert running.OLD in sock.recv(2000)
        udp, tcp = ("udp", "A", "NOERROR"), ("tcp", "A", "NOERROR")
        running.until(lambda: worker.totals().queries == {udp: 1, tcp: 1}, "both counted")
        assert worker.totals().fields["generation"] == 1
        assert worker.totals().fields["ready"] == 1


def _mangled(chance: random.Random) -> bytes:
    packet = bytearray(running.query())
    for _ in range(chance.randint(1, 4)):
        packet[chance.randrange(len(packet))] = chance.randrange(256)
    return bytes(packet[: chance.randint(0, len(packet))] if chance.random() < 0.3 else packet)


def test_garbage_never_stops_a_worker_nor_grows_a_reply(tmp_path: Path) -> None:
    running.publish(tmp_path)
    chance = random.Random(1)
    with _worker(tmp_path) as worker, _client(worker) as sock:
        for turn in range(60):
            for _ in range(50):
                sock.send(_mangled(chance))
            last = running.query(ident=0xFF00 + turn)
            sock.send(last)
            while (reply := sock.recv(65535))[:2] != last[:2]:
                assert len(reply) < 200
            assert running.OLD in reply
        assert worker.process.poll() is None
        assert worker.totals().fields["failed"] == 0


def test_queued_packets_are_answered_before_the_end(tmp_path: Path) -> None:
    running.publish(tmp_path)
    with _worker(tmp_path) as worker, _client(worker) as sock:
        _ask(worker, running.query())
        worker.process.send_signal(signal.SIGSTOP)
        for ident in range(150):
            sock.send(running.query(ident=ident))
        worker.process.send_signal(signal.SIGTERM)
        worker.process.send_signal(signal.SIGCONT)
        assert sorted(sock.recv(2000)[1] for _ in range(150)) == list(range(150))
        assert worker.process.wait(running.LONG) == 0


def test_new_tables_in_place_of_the_old_are_taken_up(tmp_path: Path) -> None:
    running.publish(tmp_path)
    with _worker(tmp_path) as worker:
        assert running.OLD in _ask(worker, running.query())
        tables.quarantine(str(tmp_path / "tables"), 1.0)
        assert running.OLD in _ask(worker, running.query())
        running.publish(tmp_path, running.NEW)
        running.until(lambda: running.NEW in _ask(worker, running.query()), "the new tables")


def test_a_zone_is_signed_from_its_first_generation_with_keys_on(tmp_path: Path) -> None:
    """A validating resolver takes one answer without signatures for a forgery."""
    keys = signing.encode([signed.zone("example.com.")])
    asked = running.query(flags=0x8000)
    for first in (running.OLD, running.NEW):  # a name it has not been asked, and one that lies ready
        running.publish(tmp_path)
        with _worker(tmp_path) as worker, _client(worker) as sock:
            if first == running.NEW:
                sock.send(asked)
                assert sock.recv(2000)[6:8] == b"\0\1"
            else:
                running.until(lambda ran=worker: ran.totals().fields["ready"], "ready")
            running.publish(tmp_path, first, SIGNING=keys)
            sock.send(asked)
            reply = sock.recv(2000)
            assert reply[6:8] == b"\0\2" and first in reply
        tables.quarantine(str(tmp_path / "tables"), 1.0)


def test_limits_hold_as_soon_as_a_worker_tells_the_settings_beside_them(tmp_path: Path) -> None:
    limits = rate.Limits(queries=0, answers=1, slip=1, exempt=())
    running.publish(tmp_path)
    with _worker(tmp_path) as worker, _client(worker) as sock:
        running.until(lambda: worker.totals().fields["ready"], "ready")
        running.publish(tmp_path, SERVER=client.encode(client.Server(identity="here", limits=limits)))
        sock.send(running.query(b"\2id\6server\0", rtype=16, rclass=3))
        assert b"here" in sock.recv(2000)
        replies = []
        for _ in range(14):
            sock.send(running.query())
            replies.append(sock.recv(2000))
        assert sum(bool(reply[2] & 2) for reply in replies) >= 10


@pytest.mark.parametrize("keep", [0, 8192])
def test_damaged_tables_end_a_worker_as_such(tmp_path: Path, keep: int) -> None:
    running.publish(tmp_path)
    with _worker(tmp_path) as worker:
        _ask(worker, running.query())
        os.truncate(tmp_path / "tables" / "data.mdb", keep)
        with _client(worker) as sock:
            sock.send(running.query())
        code = worker.process.wait(running.LONG)
        assert code in (-signal.SIGBUS, -signal.SIGSEGV, tables.CORRUPT_EXIT)
