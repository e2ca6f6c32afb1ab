"""`fedns serve`: opens the sockets, starts control and the workers, replaces whatever dies.

Law: single thread, woken by signals and process descriptors only. The supervisor owns the sockets, so
what is queued for a dead worker waits for its successor. Tables are verified in a child before anyone
reads them, when a child dies of them and every few minutes; damaged ones are moved aside and control
rebuilds them. It knows nothing of DNS: who cannot start again and again is tried again more and more slowly.
"""

import contextlib
import json
import logging
import os
import selectors
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import inf
from time import monotonic, time

from fedns import tables
from fedns.servers import child, listen, seat

GRACE = 10.0  # seconds to finish after SIGTERM before SIGKILL
_DEADLY = (-signal.SIGBUS, -signal.SIGSEGV, tables.CORRUPT_EXIT)  # how damaged tables end a process

_log = logging.getLogger("fedns.supervisor")


@dataclass(frozen=True)
class Tls:
    """Where DNS is served over TLS, and the PEM files that the workers show and read again."""

    listen: tuple[tuple[str, int], ...]
    certificate: str
    key: str


@dataclass(frozen=True)
class Gateway:
    """Where HTTP is served, and by how many workers."""

    listen: tuple[tuple[str, int], ...]
    tls: tuple[tuple[str, int], ...] = ()
    workers: int = 2
    worker: tuple[str, ...] = (sys.executable, "-m", "fedns.proxy.worker")


@dataclass(frozen=True)
class Plan:
    """What to run. `control` and `worker` are command lines; an empty `control` runs none."""

    listen: tuple[tuple[str, int], ...]  # port 0: any free one, the same for UDP and TCP
    workers: int
    state: str  # directory: tables/, counters/, serve.json while running
    control: tuple[str, ...] = ()
    verify: float = 600.0  # seconds between looks at tables in use: rot is found although nobody died of it
    tls: Tls | None = None
    gateway: Gateway | None = None
    inside: tuple[
        tuple[tuple[str, int], str], ...
    ] = ()  # (address, member that all who ask there are inside of)
    worker: tuple[str, ...] = (sys.executable, "-m", "fedns.servers.dns_worker")


class Supervisor:
    """One run of a plan. StateError where the state directory cannot be used, or has its control already."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._tables = os.path.join(plan.state, "tables")
        self._counters = os.path.join(plan.state, "counters")
        self._selector = selectors.DefaultSelector()
        self._children: list[child.Child] = []
        self._sockets: list[listen.Address] = []
        self._members: list[str] = []  # by socket; empty: none
        self._private: list[listen.Address] = []  # DNS over TLS
        self._doors: list[tuple[str, listen.Shared]] = []  # the gateway's, with the worker's flag
        self._seat = seat.take(plan.state, bool(plan.control))
        self._stopping = False

    def run(self) -> int:
        """Until SIGTERM or SIGINT; returns the exit code."""
        try:
            self._listen_to_signals()
            for place, member in (*((each, "") for each in self._plan.listen), *self._plan.inside):
                self._sockets.append(listen.open_address(place, self._plan.workers))
                self._members.append(member)
            if self._plan.tls and self._sockets:
                self._private = [listen.open_stream(each) for each in self._plan.tls.listen]
            if self._plan.gateway:
                self._open_doors(self._plan.gateway)
            self._forget_counters()
            self._check_tables()
            self._start()
            self._watch()
            self._drain()
            return 0
        finally:
            for each in self._children:
                each.kill()
            for address in (*self._sockets, *self._private):
                address.close()
            for _, door in self._doors:
                door.close()
            _remove(self._seat.told)
            self._seat.leave()

    def _start(self) -> None:
        plan = self._plan
        for index in range(plan.workers if self._sockets else 0):
            fds = [("--udp-fd", each.udp[index].fileno()) for each in self._sockets]
            fds += [("--tcp-fd", each.tcp.fileno()) for each in self._sockets]
            fds += [("--tls-fd", each.tcp.fileno()) for each in self._private]
            options = [word for flag, fd in fds for word in (flag, str(fd))]
            options += [f"--inside={fd}={member}" for fd, member in self._inside(index)]
            options += ["--table", self._tables, "--counters", self._counters]
            options += ["--name", self._seat.worker(index)]
            if plan.tls and self._private:
                options += ["--certificate", plan.tls.certificate, "--key", plan.tls.key]
                options += ["--kept", os.path.join(plan.state, f"tls{self._seat.suffix}.pem.good")]
            passed = tuple(fd for _, fd in fds)
            self._children.append(child.Child(f"dns worker {index}", (*plan.worker, *options), passed))
        if plan.gateway:
            self._children += [self._gateway_worker(plan.gateway, at) for at in range(plan.gateway.workers)]
        if plan.control:
            self._children.append(child.Child("control", plan.control, ()))
        for each in self._children:
            self._spawn(each)

    def _inside(self, index: int) -> Iterator[tuple[int, str]]:
        """Descriptors of a worker whose clients are all inside of a member."""
        for member, each in zip(self._members, self._sockets, strict=True):
            yield from ((sock.fileno(), member) for sock in (each.udp[index], each.tcp) if member)

    def _open_doors(self, told: Gateway) -> None:
        for flag, addresses in (("--http-fd", told.listen), ("--https-fd", told.tls)):
            self._doors += [(flag, listen.open_shared(each, told.workers)) for each in addresses]

    def _gateway_worker(self, told: Gateway, index: int) -> child.Child:
        fds = [(flag, door.each[index].fileno()) for flag, door in self._doors]
        options = [word for flag, fd in fds for word in (flag, str(fd))]
        options += ["--table", self._tables, "--counters", self._counters]
        options += ["--name", self._seat.worker(index, "gateway")]
        passed = tuple(fd for _, fd in fds)
        return child.Child(f"gateway worker {index}", (*told.worker, *options), passed)

    def _spawn(self, each: child.Child) -> None:
        try:
            each.start()
        except OSError as error:
            _log.error("%s: cannot start: %s", each.name, error)
            each.postpone()
            return
        self._selector.register(each.fd, selectors.EVENT_READ, lambda: self._ended(each))
        self._announce()

    def _watch(self) -> None:
        look = monotonic() + self._plan.verify
        while not self._stopping:
            self._wait(min(self._next_start(), max(look - monotonic(), 0.0)))
            if monotonic() >= look:
                self._check_tables()
                look = monotonic() + self._plan.verify
            for each in self._children:
                if not self._stopping and each.due():
                    self._spawn(each)

    def _next_start(self) -> float:
        starts = [each.start_at for each in self._children if each.start_at is not None]
        return max(min(starts) - monotonic(), 0.0) if starts else inf

    def _wait(self, timeout: float | None) -> None:
        for key, _ in self._selector.select(timeout):
            call: Callable[[], None] = key.data
            call()

    def _ended(self, each: child.Child) -> None:
        self._selector.unregister(each.fd)
        code = each.reap()
        if self._stopping:
            return
        _log.warning("%s ended with %s after %.1f s", each.name, code, each.lived)
        each.postpone()
        if code in _DEADLY:
            self._check_tables()

    def _check_tables(self) -> None:
        """Verifies in a child, since damaged pages can kill the reader; moves damaged tables aside."""
        if not os.path.exists(os.path.join(self._tables, "data.mdb")):
            return
        command = [sys.executable, "-m", "fedns.tables", "verify", self._tables]
        done = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
        if done.returncode == 0:
            return
        reason = done.stderr.strip() or f"verification ended with {done.returncode}"
        for each in self._children:  # nobody may answer from them, nor write to the file moved away
            each.kill()
        aside = tables.quarantine(self._tables, time())  # control elsewhere sees that they are gone
        _log.error("the tables are damaged (%s); moved to %s, rebuilding from sources", reason, aside)

    def _listen_to_signals(self) -> None:
        heard, rung = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(rung)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda _number, _frame: None)  # the wakeup descriptor does the work
        self._selector.register(heard, selectors.EVENT_READ, lambda: self._signalled(os.read(heard, 64)))

    def _signalled(self, numbers: bytes) -> None:
        for number in numbers:
            if number == signal.SIGHUP:
                self._signal(("control",), signal.SIGHUP)
            elif self._stopping:  # asked twice: at once
                for each in self._children:
                    each.kill()
            else:
                self._stopping = True

    def _signal(self, names: str | tuple[str, ...], number: int) -> None:
        for each in self._children:
            if each.name.startswith(names):
                each.signal(number)

    def _drain(self) -> None:
        """Workers finish first, then control: what they count is still seen."""
        for names in (("dns worker", "gateway worker"), ("control",)):
            self._signal(names, signal.SIGTERM)
            deadline = monotonic() + GRACE
            while any(each.alive and each.name.startswith(names) for each in self._children):
                self._wait(max(deadline - monotonic(), 0.0))
                if monotonic() >= deadline:
                    self._signal(names, signal.SIGKILL)
                    deadline = monotonic() + GRACE

    def _announce(self) -> None:
        """Writes who runs and where, whole or not at all."""
        told = {
            "pid": os.getpid(),
            "listen": [list(each.address) for each in self._sockets],
            "inside": self._members,
            "tls": [list(each.address) for each in self._private],
            "gateway": [list(door.address) for _, door in self._doors],
            "children": {each.name: each.pid for each in self._children if each.alive},
        }
        path = self._seat.told
        try:
            with open(path + ".new", "w") as file:
                json.dump(told, file)
            os.replace(path + ".new", path)
        except OSError as error:  # a full disk is no reason to end those who answer
            _log.error("%s is out of date: %s", path, error.strerror)

    def _forget_counters(self) -> None:
        """Counters begin with the supervisor; only its workers' successors continue them."""
        try:
            os.makedirs(self._counters, exist_ok=True)
            for name in filter(self._seat.owns, os.listdir(self._counters)):
                _remove(os.path.join(self._counters, name))
        except OSError as error:
            _log.error("%s cannot be used: %s", self._counters, error.strerror)


def _remove(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
