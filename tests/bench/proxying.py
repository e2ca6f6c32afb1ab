"""Gateways under test, running: builds of fedns and the peers, in front of the same nginx.

Law: a gateway is started whole, with a core to itself; backends and load share the other one. It is judged by
the CPU time of all its processes and threads as the kernel accounts it.
"""

import importlib.util
import os
import resource
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import proxies
import serving
import wrk

from fedns import tables
from fedns.gateway import compile, route, terms
from fedns.gateway.terms import Terms
from fedns.model.ingress import Backend, Ingress, Rule
from fedns.model.ingress import Path as Location

CORE = "0"
FILES = 20_000  # descriptors that each may have open
START = 60.0
BODY = "An answer of a hundred octets, as many are. " * 2 + "Nothing more."
MEMBERS = ("east", "west")


class Variant(NamedTuple):
    """One build or setting of fedns; `missing` says why it cannot run here, or ''."""

    name: str
    title: str
    environment: Mapping[str, str] = {}
    log: str = ""
    missing: Callable[[], str] = lambda: ""


def _uncompiled() -> str:
    return "" if importlib.util.find_spec("fedns.proxy._swift") else "not compiled: make core"


OURS = (
    Variant("fedns", "fedns", {"FEDNS_CORE": "off"}),
    Variant("core", "fedns, compiled core", missing=_uncompiled),
    Variant("log", "fedns, access log", log="combined"),
)
Participant = Variant | proxies.Recipe


class Server(NamedTuple):
    """A running one."""

    name: str
    port: int
    tls_port: int
    pid: int

    @property
    def pids(self) -> tuple[int, ...]:
        return (self.pid, *serving.children(self.pid))

    def cpu(self) -> float:
        """CPU seconds used so far by the whole server."""
        return sum(serving.busy(pid) for pid in self.pids)

    def resident(self) -> float:
        """Octets of memory, without what is in files."""
        return sum(serving.memory(pid)["anonymous"] for pid in self.pids) * wrk.MIB


class Backends:
    """One nginx with two listeners, which answers at once."""

    def __init__(self, home: Path, stack: ExitStack) -> None:
        self.ports = [serving.free_port() for _ in MEMBERS]
        (home / "big").write_bytes(b"x" * wrk.MIB)
        user = "user root;" if os.geteuid() == 0 else ""
        listen = "\n".join(f"listen 127.0.0.1:{port};" for port in self.ports)
        (home / "nginx.conf").write_text(
            f"""
{user} worker_processes 1; daemon off; pid {home}/nginx.pid; error_log stderr crit;
worker_rlimit_nofile {FILES}; events {{ worker_connections 10000; }}
http {{
  access_log off; client_max_body_size 0; keepalive_requests 100000000; keepalive_timeout 600s; sendfile on;
  client_body_temp_path {home}/body; proxy_temp_path {home}/p; fastcgi_temp_path {home}/f;
  uwsgi_temp_path {home}/u; scgi_temp_path {home}/s; default_type text/plain;
  server {{
    {listen}
    location / {{ return 200 "{BODY}"; }}
    location = /big {{ root {home}; }}
  }}
}}
"""
        )
        nginx = shutil.which("nginx", path=proxies.PATH)
        if nginx is None:
            raise RuntimeError("the backends are nginx, and there is none")
        command = [nginx, "-p", str(home), "-e", "stderr", "-c", str(home / "nginx.conf")]
        process = stack.enter_context(_process(command, wrk.CORE, home / "backends.log"))
        for port in self.ports:
            _await_answer(port, b"x", process)


def missing(who: Participant) -> str:
    """Why it cannot run here, or ''."""
    if isinstance(who, Variant):
        return who.missing()
    return "" if who.path() else f"there is no {who.command}"


@contextmanager
def running(who: Participant, setup: proxies.Setup) -> Iterator[Server]:
    """One gateway with an empty directory `setup.home` to itself."""
    if isinstance(who, Variant):
        with _ours(who, setup) as server:
            yield server
        return
    command = [str(who.path()), *who.write(setup)]
    with _process(command, CORE, setup.home / "log") as process:
        _await_answer(setup.port, _path(setup), process)
        yield Server(who.name, setup.port, setup.tls_port, process.pid)


def _path(setup: proxies.Setup) -> bytes:
    return f"{setup.world.prefixes()[-1]}/x".encode()[1:]


@contextmanager
def _ours(variant: Variant, setup: proxies.Setup) -> Iterator[Server]:
    """A worker over tables that are compiled as control does it."""
    state = setup.home
    writer = tables.Writer(str(state / "tables"))
    log = str(state / "access.log") if variant.log else ""
    agreed = Terms(per_client=0, log=variant.log, log_path=log)
    writer.publish({"gateway": _entries(setup, agreed)}, time.time())
    ports = setup.port, setup.tls_port
    listeners = [socket.create_server(("127.0.0.1", port), backlog=4096) for port in ports]
    plain, secure = (each.fileno() for each in listeners)
    command = [sys.executable, "-m", "fedns.proxy.worker", "--table", str(state / "tables")]
    command += ["--counters", str(state / "counters"), "--http-fd", str(plain), "--https-fd", str(secure)]
    with _process(command, CORE, state / "log", variant.environment, (plain, secure)) as process:
        for each in listeners:
            each.close()
        _await_answer(setup.port, _path(setup), process)
        yield Server(variant.name, setup.port, setup.tls_port, process.pid)
    writer.close()


def _entries(setup: proxies.Setup, agreed: Terms) -> dict[bytes, bytes | None]:
    service = Backend("web", "80")
    paths = tuple(Location(prefix or "/", "Prefix", service) for prefix in setup.world.prefixes())
    rules = tuple(Rule(name, paths) for name in setup.world.names())
    ingress = Ingress("bench", "web", 0.0, "fedns", {}, rules)
    made = compile.table(compile.Input([ingress]), compile.Settings())
    ends = [
        route.Endpoint("127.0.0.1", port, member, member.encode())
        for member, port in zip(MEMBERS, setup.backends, strict=True)
    ]
    parts = tuple(route.Part(end.member, 1 / len(ends), (end,)) for end in ends)
    pool = route.Pool((route.Tier(1.0, parts),))
    pair = route.Certificate(setup.certificate.read_bytes(), setup.key.read_bytes())
    return {
        terms.TERMS: terms.encode(agreed),
        route.ROUTES: route.encode(made.table),
        route.CERTIFICATE: route.encode(pair),
        **{route.SERVICE + key: route.encode(pool) for key in made.wanted},
    }


@contextmanager
def _process(
    command: Sequence[str],
    core: str,
    log: Path,
    environment: Mapping[str, str] | None = None,
    fds: Sequence[int] = (),
) -> Iterator["subprocess.Popen[bytes]"]:
    around = {**os.environ, "PYTHONPATH": str(serving.ROOT), "GOMAXPROCS": "1", "HOME": str(log.parent)}
    with log.open("w") as said:
        process = subprocess.Popen(
            ["taskset", "-c", core, *command],
            stdout=said,
            stderr=said,
            env={**around, **(environment or {})},
            cwd=log.parent,
            pass_fds=tuple(fds),
        )
    try:
        yield process
    finally:
        serving.stop(process)


def more_files() -> None:
    """For this process and all that it starts."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    wanted = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def ask(port: int, path: bytes, host: bytes = b"h0.example.com") -> int:
    """The status of an answer; 0: there was none."""
    try:
        with socket.create_connection(("127.0.0.1", port), 2) as sock:
            sock.sendall(b"GET /%b HTTP/1.1\r\nHost: %b\r\nConnection: close\r\n\r\n" % (path, host))
            return int(sock.recv(4096).split(b" ")[1])
    except (OSError, IndexError):
        return 0


def _await_answer(port: int, path: bytes, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + START
    while ask(port, path) != 200:
        if time.monotonic() > deadline or process.poll() is not None:
            raise RuntimeError(f"no answer on port {port} from {process.args!r}")
        time.sleep(0.1)


class Crowd:
    """Connections that have asked once, and idle."""

    def __init__(self, port: int, count: int, host: bytes = b"h0.example.com") -> None:
        self._socks: list[socket.socket] = []
        asked = b"GET / HTTP/1.1\r\nHost: %b\r\n\r\n" % host
        for _ in range(count):
            sock = socket.create_connection(("127.0.0.1", port), 10)
            self._socks.append(sock)
            sock.sendall(asked)
            if not sock.recv(65536).startswith(b"HTTP/1.1 200"):
                raise RuntimeError("a connection was not served")

    def leave(self) -> None:
        for each in self._socks:
            each.close()
