"""DNS over TLS of running workers: real clients, odd clients, and certificates that change."""

import contextlib
import os
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import dns.edns
import dns.message
import pytest

from fedns import tables
from fedns.dns import client
from fedns.servers import counters, dns_worker
from tests.servers import certificates, running

PADDED = dns.edns.GenericOption(dns.edns.OptionType.PADDING, bytes(80))


class Place:
    """A supervisor with one worker that serves over TLS."""

    def __init__(self, server: running.Running, chain: str) -> None:
        self.server, self.chain = server, chain
        self.port: int = server.told()["tls"][0][1]

    def trusting(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self.chain)
        context.set_alpn_protocols(["dot"])
        return context

    def plain(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=running.LONG)

    def connect(
        self, context: ssl.SSLContext | None = None, session: ssl.SSLSession | None = None
    ) -> ssl.SSLSocket:
        used = context or self.trusting()
        return used.wrap_socket(self.plain(), server_hostname=certificates.HOST, session=session)

    def serial(self) -> str:
        """Of the certificate that a new client is shown."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_REQUIRED
        context.load_verify_locations(self.chain)
        try:
            with self.connect(context) as sock:
                return str((sock.getpeercert() or {})["serialNumber"])
        except OSError as error:
            return str(error)

    def counted(self, name: str) -> int:
        totals = counters.read_all(str(self.server.state / "counters"))
        return sum(each.fields[name] for each in totals.values())


@contextmanager
def serving(folder: Path, idle: float = 10.0, days: float = 90.0) -> Iterator[Place]:
    state = folder / "state"
    running.publish(state)
    writer = tables.Writer(str(state / "tables"))
    writer.publish({"dns": {tables.SERVER: client.encode(client.Server(idle=idle))}}, time.time())
    writer.close()
    files = certificates.write(folder, days)
    with running.serving(state, tls=files) as server:
        yield Place(server, files[0])


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with serving(tmp_path) as found:
        yield found


def framed(*messages: bytes) -> bytes:
    return b"".join(len(each).to_bytes(2, "big") + each for each in messages)


def read(sock: socket.socket) -> bytes:
    """One framed message; empty where the connection ends."""
    size = sock.recv(2)
    while len(size) == 1:
        size += sock.recv(1)
    data = b""
    while len(data) < int.from_bytes(size, "big"):
        more = sock.recv(int.from_bytes(size, "big") - len(data))
        assert more
        data += more
    return data


def ask(sock: socket.socket, query: bytes) -> bytes:
    sock.sendall(framed(query))
    return read(sock)


def test_kdig_is_answered_and_believes_the_certificate(place: Place, tool: Callable[[str], str]) -> None:
    command = [tool("kdig"), f"@127.0.0.1#{place.port}", "+tls", f"+tls-ca={place.chain}"]
    command += [f"+tls-host={certificates.HOST}", "name.example.com", "A", "+padding=128"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=running.LONG, check=True)
    assert "10.0.0.1" in done.stdout and "NOERROR" in done.stdout
    assert "PADDING" in done.stdout and "Received 468 B" in done.stdout


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_both_versions_speak_dot_and_sessions_are_resumed(place: Place, version: ssl.TLSVersion) -> None:
    context = place.trusting()
    context.minimum_version = context.maximum_version = version
    with place.connect(context) as first:
        assert first.selected_alpn_protocol() == "dot" and not first.session_reused
        assert ask(first, running.query())[-4:]
        session = first.session
    with place.connect(context, session) as second:
        assert second.session_reused
        assert running.OLD in ask(second, running.query())


def test_older_versions_are_refused(place: Place) -> None:
    context = place.trusting()
    with pytest.warns(DeprecationWarning):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(OSError):
        place.connect(context)
    running.until(lambda: place.counted("tls_failed") == 1, "the failure")


def test_pipelined_queries_are_all_answered(place: Place) -> None:
    with place.connect() as sock:
        sock.sendall(framed(*(running.query(ident=ident) for ident in range(3000))))
        idents = [int.from_bytes(read(sock)[:2], "big") for _ in range(3000)]
    assert idents == list(range(3000))
    queries = counters.total(counters.read_all(str(place.server.state / "counters")).values()).queries
    assert queries == {("tls", "A", "NOERROR"): 3000}


def test_a_record_may_hold_more_than_one_read_and_less_than_one_query(place: Place) -> None:
    with place.connect() as sock:
        many = framed(*(running.query(ident=ident) for ident in range(300)))
        assert 8192 < len(many) < 16384
        sock.sendall(many[:1])
        sock.sendall(many[1:])
        assert [int.from_bytes(read(sock)[:2], "big") for _ in range(300)] == list(range(300))


def test_replies_are_padded_for_who_pads_and_over_tls_alone(place: Place) -> None:
    asked = dns.message.make_query("name.example.com", "A", use_edns=0, options=[PADDED]).to_wire()
    with place.connect() as sock:
        for _ in range(2):
            reply = ask(sock, asked)
            assert len(reply) == 468
            assert [int(option.otype) for option in dns.message.from_wire(reply).options] == [12]
        bare = dns.message.make_query("name.example.com", "A", use_edns=0).to_wire()
        assert len(ask(sock, bare)) < 100
    assert len(place.server.ask(asked)) < 100


def test_who_does_not_finish_the_handshake_is_closed_and_others_are_served(tmp_path: Path) -> None:
    with serving(tmp_path, idle=1.0) as place, place.plain() as silent, place.plain() as slow:
        slow.sendall(b"\x16\x03\x01\x02\x00")  # the head of a ClientHello that does not come
        with place.connect() as sock:
            assert running.OLD in ask(sock, running.query())
        assert silent.recv(1) == b"" and slow.recv(1) == b""
        assert place.counted("tcp_idled") == 2


def test_what_is_no_tls_is_closed(place: Place) -> None:
    with place.plain() as sock:
        sock.sendall(framed(running.query()))
        with contextlib.suppress(ConnectionResetError):
            assert sock.recv(2)[:1] in (b"", b"\x15")  # nothing, or an alert
    running.until(lambda: place.counted("tls_failed") == 1, "the failure")
    assert place.counted("tls_accepted") == 1


def test_a_new_certificate_is_taken_up_and_nobody_is_cut_off(place: Place, tmp_path: Path) -> None:
    with place.connect() as before:
        assert running.OLD in ask(before, running.query())
        certificates.write(tmp_path, serial=0x77)
        running.until(lambda: place.serial() == "77", "the new certificate")
        assert running.OLD in ask(before, running.query())


def test_a_bad_certificate_changes_nothing(place: Place, tmp_path: Path) -> None:
    worker = place.server.child("dns worker 0")
    running.until(lambda: place.serial() == "11", "the first certificate")
    certificates.put(tmp_path / "key.pem", b"no key at all")
    end = time.monotonic() + 1.5 * dns_worker.TICK  # it looks meanwhile
    while time.monotonic() < end:
        assert place.serial() == "11"
    assert place.server.child("dns worker 0") == worker
    certificates.write(tmp_path, serial=0x78)
    running.until(lambda: place.serial() == "78", "the repaired certificate")


@pytest.mark.parametrize("bad", ["key", "expired"])
def test_the_last_good_certificate_outlives_the_worker(place: Place, tmp_path: Path, bad: str) -> None:
    running.until(lambda: place.serial() == "11", "the first certificate")
    kept = tmp_path / "state" / "tls.pem.good"
    assert kept.stat().st_mode & 0o777 == 0o600
    if bad == "key":
        certificates.put(tmp_path / "key.pem", b"no key at all")
        trusted = place.trusting()
    else:
        trusted = place.trusting()
        certificates.write(tmp_path, days=-1, serial=0x66)
    end = time.monotonic() + 1.5 * dns_worker.TICK  # it looks meanwhile
    while time.monotonic() < end:
        with place.connect(trusted) as sock:
            assert (sock.getpeercert() or {})["serialNumber"] == "11"
    old = place.server.child("dns worker 0")
    os.kill(old, signal.SIGKILL)
    place.server.replaced("dns worker 0", old)
    with place.connect(trusted) as sock:
        assert (sock.getpeercert() or {})["serialNumber"] == "11"
        assert running.OLD in ask(sock, running.query())


def test_an_expired_certificate_is_better_than_none(tmp_path: Path) -> None:
    with serving(tmp_path, days=-1) as place:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with place.connect(context) as sock:
            assert running.OLD in ask(sock, running.query())
        assert not (tmp_path / "state" / "tls.pem.good").exists()
        certificates.write(tmp_path, serial=0x67)
        running.until(lambda: place.serial() == "67", "the renewed certificate")


def test_what_was_asked_is_answered_at_the_end(place: Place) -> None:
    with place.connect() as sock:
        assert running.OLD in ask(sock, running.query())
        sock.sendall(framed(*(running.query(ident=ident) for ident in range(200))))
        place.server.process.send_signal(signal.SIGTERM)
        assert [int.from_bytes(read(sock)[:2], "big") for _ in range(200)] == list(range(200))
        assert sock.recv(1) == b""  # and a close that is one: no reset, no ragged end


class Bare:
    """A TLS client whose records reach the socket when it says so."""

    def __init__(self, place: Place) -> None:
        self.sock = place.plain()
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        context = place.trusting()
        self.tls = context.wrap_bio(self._in, self._out, server_hostname=certificates.HOST)
        while not self._shaken():
            self.flush()
            self._in.write(self.sock.recv(1 << 14))
        self.flush()

    def _shaken(self) -> bool:
        try:
            self.tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    def flush(self) -> None:
        self.sock.sendall(self._out.read())

    def rest(self) -> bytes:
        """All that comes until the connection ends."""
        found = b""
        while data := self.sock.recv(1 << 14):
            self._in.write(data)
        with contextlib.suppress(ssl.SSLError):
            while more := self.tls.read(1 << 14):
                found += more
        return found


def test_queries_in_records_of_their_own_are_answered_and_a_last_word_ends_it(tmp_path: Path) -> None:
    """The client keeps its half of the TCP connection open: only the record says that it is done."""
    with serving(tmp_path, idle=600.0) as place:
        client_ = Bare(place)
        for number in range(50):
            client_.tls.write(framed(running.query(ident=number)))
        with contextlib.suppress(ssl.SSLWantReadError):
            client_.tls.unwrap()
        client_.flush()
        replies, idents = client_.rest(), []
        while replies:
            end = 2 + int.from_bytes(replies[:2], "big")
            idents.append(dns.message.from_wire(replies[2:end]).id)
            replies = replies[end:]
        assert idents == list(range(50))
        client_.sock.close()
