"""One DNS worker process: sockets it inherits, tables it reads, nothing else.

Law: single thread, one epoll loop. It never waits for anyone: while the tables are absent it answers
SERVFAIL with EDE 14 and looks again every second; damaged tables end it with exit code 65, for the
supervisor to sort out. SIGTERM: no new connections, the queued packets and replies, exit 0.
"""

import argparse
import contextlib
import gc
import logging
import os
import select
import signal
import socket
import sys
from collections.abc import Iterable, Sequence
from time import monotonic, time

from fedns import logs, tables
from fedns.dns import client, rate, respond
from fedns.servers import copied, counters, dns_copy, dns_tcp, dns_udp, geodata, prompt, tls
from fedns.servers.current import Current

TICK = 1.0  # seconds between looks at the tables' file and at idle connections
FINISH = 3.0  # seconds that TCP replies get to leave after SIGTERM
NEWS = 5  # prefixes named in the log per look: it must not be flooded either
LINGER = 1.0  # seconds that clients get to close connections on which all is said

_OPENED = 1 << 48  # added to stamps for tables opened anew: beyond any number of transactions

_log = logging.getLogger("fedns.dns_worker")


class Nothing:
    """The view before there are tables: no name exists and nothing is ready."""

    generation = 0

    def get(self, _key: bytes, /) -> bytes | None:
        return None

    def published(self) -> tuple[int, float]:
        return 0, 0.0

    def stamp(self) -> int:
        return 0

    def close(self) -> None:
        return None


class Source:
    """What this worker answers from. `opened` is part of the stamp of what is remembered of them."""

    def __init__(self, path: str) -> None:
        self._current = Current(path, _log)
        self.opened = 0
        self.look()

    def view(self) -> tables.View | Nothing:
        reader = self._current.reader
        return reader.view() if reader else Nothing()

    def marks(self) -> memoryview | None:
        """As `tables.Reader` has them."""
        return self._current.marks

    def snapshot(self) -> tables.Snapshot | None:
        reader = self._current.reader
        return reader.snapshot() if reader else None

    def look(self) -> None:
        if self._current.look():
            self.opened += _OPENED


class Worker:
    """Everything one process owns."""

    def __init__(self, source: Source, cells: counters.Cells) -> None:
        self._source, self._cells = source, cells
        self._copied = copied.Log(cells.path)
        self._host = client.Host(client.Server(), int(time()))
        self._host.geo = geodata.Shelf()
        seed = int.from_bytes(os.urandom(8), "little")
        self._limiters = {
            version: rate.Limiter(self._host.server.limits, seed, version) for version in (4, 6)
        }
        self._desk = dns_tcp.Desk(self.answer, dns_copy.Copies(source, cells, self._copied).begin)
        self._poll = select.epoll()
        self._udp: dict[int, dns_udp.Listener] = {}
        self._tcp = dns_tcp.Streams(self._poll, self._desk, cells, self._host, dns_tcp.Limits())
        self._certificate: tls.Certificate | None = None
        self._kit = prompt.kit(source, seed)
        self._stopping = False
        self._stamp = -1
        self._told: tuple[bytes | None, bytes | None] = None, None

    def add_udp(self, sock: socket.socket, member: str = "") -> None:
        """`member`: all who ask there are inside of it; empty: of none."""
        limiter = self._limiters[6 if sock.family == socket.AF_INET6 else 4]
        plain = dns_udp.Plain(sock, self.answer, self._cells, self._host, limiter, member)
        listener = prompt.Listener(plain, self._kit) if self._kit else dns_udp.Listener(plain)
        self._udp[sock.fileno()] = listener
        self._poll.register(sock.fileno(), select.EPOLLIN)

    def add_tcp(self, sock: socket.socket, member: str = "") -> None:
        self._tcp.listen(sock, dns_tcp.TCP._replace(member=member))

    def add_tls(self, sock: socket.socket, certificate: tls.Certificate) -> None:
        self._certificate = certificate
        self._tcp.listen(sock, dns_tcp.Transport("tls", certificate.open))

    def answer(
        self, packets: Sequence[bytes], limit: int, clients: Iterable[client.Client]
    ) -> list[bytes | None]:
        """The replies of one generation; None where none may be sent."""
        view, reply = self._source.view(), respond.respond
        try:
            self._heed(view)
            return [
                reply(view, packet, limit, asker) for packet, asker in zip(packets, clients, strict=False)
            ]
        except tables.DAMAGE:
            raise
        except Exception:  # a bug; one packet must not take the batch with it
            _log.exception("a query failed")
            asked = zip(packets, clients, strict=False)
            return [self._guarded(view, packet, limit, asker) for packet, asker in asked]
        finally:
            view.close()

    def _guarded(
        self, view: tables.View | Nothing, packet: bytes, limit: int, asker: client.Client
    ) -> bytes | None:
        try:
            return respond.respond(view, packet, limit, asker)
        except tables.DAMAGE:
            raise
        except Exception:
            self._cells.add("failed")
            return None

    def run(self) -> None:
        bell = _bell(self._stop)
        self._poll.register(bell.fileno(), select.EPOLLIN)
        self._tick()
        due = monotonic() + TICK
        while not self._stopping:
            for fd, events in self._poll.poll(max(due - monotonic(), 0.0)):
                self._dispatch(fd, events)
            if monotonic() >= due:
                self._tick()
                due = monotonic() + TICK
        self._poll.unregister(bell.fileno())
        self._finish()

    def _dispatch(self, fd: int, events: int) -> None:
        listener = self._udp.get(fd)
        if listener is not None:
            listener.ready()
        else:
            self._tcp.ready(fd, events)

    def _stop(self) -> None:
        self._stopping = True

    def _heed(self, view: tables.View | Nothing) -> None:
        """What a generation says of serving holds for its first answer: no signed zone is told unsigned."""
        stamp = self._source.opened + view.stamp()
        if stamp == self._stamp:
            return
        told = view.get(tables.SERVER), view.get(tables.SIGNING)
        if told != self._told:
            self._told = told
            self._host.renew(client.decode(told[0]), int(time()), told[1])
            self._limit(self._host.server.limits)
        self._stamp = stamp

    def _limit(self, limits: rate.Limits) -> None:
        other = [limiter for limiter in self._limiters.values() if limiter.limits != limits]
        for limiter in other:
            limiter.renew(limits)
        for listener in self._udp.values() if other else ():
            listener.renew()

    def _tick(self) -> None:
        self._source.look()
        if self._kit:
            self._kit.rows.renew()
        if self._certificate:
            self._certificate.look()
        self._tcp.expire()
        self._copied.save()
        view = self._source.view()
        generation, published = view.published()
        self._cells.set("ready", int(view.get(tables.READY) is not None))
        self._heed(view)
        view.close()
        self._host.renew(self._host.server, int(time()), self._told[1])
        self._cells.set("generation", generation)
        self._cells.set("published_us", int(published * 1e6))
        for limiter in self._limiters.values():
            for prefix in limiter.news()[:NEWS]:
                _log.warning("replies are limited", extra=logs.fields(to=prefix))

    def _finish(self) -> None:
        """UDP goes on while TCP's last words leave; what is queued at the very end is answered too."""
        self._tcp.stop()
        begun = monotonic()
        while self._tcp.open and monotonic() - begun < (FINISH if self._tcp.unsent else LINGER):
            for fd, events in self._poll.poll(0.1):
                self._dispatch(fd, events)
        self._tcp.close()
        for listener in self._udp.values():
            listener.drain()


def _bell(stop: object) -> socket.socket:
    """A descriptor that becomes readable with the signal: epoll itself is restarted after handlers."""
    heard, rung = socket.socketpair()
    heard.setblocking(False)
    rung.setblocking(False)
    signal.set_wakeup_fd(rung.detach())
    signal.signal(signal.SIGTERM, lambda _number, _frame: stop())  # type: ignore[operator]
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is the supervisor's to pass on
    return heard


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="fedns.servers.dns_worker", description="one DNS worker")
    parser.add_argument("--table", required=True, help="directory of the tables")
    parser.add_argument("--counters", required=True, help="directory of the workers' counters")
    parser.add_argument("--name", default="dns-0", help="which worker this is, in logs and counters")
    parser.add_argument("--udp-fd", type=int, action="append", default=[], help="an inherited UDP socket")
    parser.add_argument("--tcp-fd", type=int, action="append", default=[], help="an inherited TCP listener")
    parser.add_argument(
        "--inside", action="append", default=[], help="FD=MEMBER: who asks at this socket is inside of it"
    )
    parser.add_argument("--tls-fd", type=int, action="append", default=[], help="the same, for DNS over TLS")
    parser.add_argument("--kept", default="", help="where the last good chain and key are kept")
    parser.add_argument("--certificate", default="", help="PEM file: the chain to show there")
    parser.add_argument("--key", default="", help="PEM file: its key")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> int:
    options = parse(arguments)
    logs.setup(options.name)
    with contextlib.suppress(OSError):  # without the directory nothing is counted
        os.makedirs(options.counters, exist_ok=True)
    cells = counters.Cells(os.path.join(options.counters, options.name))
    try:
        worker = Worker(Source(options.table), cells)
        inside = {int(fd): member for fd, _, member in (each.partition("=") for each in options.inside)}
        for fd in options.udp_fd:
            worker.add_udp(socket.socket(fileno=fd), inside.get(fd, ""))
        for fd in options.tcp_fd:
            worker.add_tcp(socket.socket(fileno=fd), inside.get(fd, ""))
        if options.tls_fd:
            certificate = tls.Certificate(options.certificate, options.key, options.kept)
            for fd in options.tls_fd:
                worker.add_tls(socket.socket(fileno=fd), certificate)
        gc.collect()
        gc.freeze()  # what was loaded stays: later collections need not look at it
        worker.run()
    except tables.DAMAGE as error:
        _log.error("the tables are damaged: %s", error)
        return tables.CORRUPT_EXIT
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
