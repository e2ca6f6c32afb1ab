"""Name servers under test: ours and the peers, each with one worker, all with the same zone.

Law: a server is started whole, pinned to one core, and judged by the CPU time of all its processes and
threads as the kernel accounts it.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CORE = "0"  # where servers run; the load runs on another
TICK = os.sysconf("SC_CLK_TCK")
START = 60.0  # seconds a server may take to load the zone
_SERVE = (
    "import sys; from fedns.servers import supervisor as s;"
    "sys.exit(s.Supervisor(s.Plan((('127.0.0.1', int(sys.argv[2])),), 1, sys.argv[1])).run())"
)

KNOT = """
server:
  rundir: "{home}"
  listen: 127.0.0.1@{port}
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
database:
  storage: "{home}"
log:
  - target: stderr
    any: error
zone:
  - domain: example.com
    file: "{zone}"
"""
NSD = """
server:
  ip-address: 127.0.0.1
  port: {port}
  server-count: 1
  username: ""
  zonesdir: "{home}"
  database: ""
  pidfile: "{home}/nsd.pid"
  xfrdfile: "{home}/xfrd.state"
  zonelistfile: "{home}/zone.list"
  rrl-ratelimit: 0
remote-control:
  control-enable: no
zone:
  name: example.com
  zonefile: "{zone}"
"""
BIND = """
options {{ directory "{home}"; listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};
  pid-file none; recursion no; minimal-responses yes; session-keyfile "{home}/session.key"; notify no; }};
controls {{ }};
zone "example.com" {{ type primary; file "{zone}"; }};
"""
GDNSD = """
options => {{
  listen => 127.0.0.1:{port}, udp_threads => 1, tcp_threads => 1, run_dir => {home}, state_dir => {home}
}}
"""


@dataclass(frozen=True)
class Peer:
    """How one server is run: its program, its configuration file, and its arguments."""

    name: str
    program: str
    config: str
    arguments: tuple[str, ...]


PEERS = (
    Peer("knot", "knotd", KNOT, ("-c", "{config}")),
    Peer("nsd", "nsd", NSD, ("-d", "-c", "{config}")),
    Peer("bind", "named", BIND, ("-f", "-n", "1", "-U", "1", "-c", "{config}")),
    Peer("gdnsd", "gdnsd", GDNSD, ("-c", "{home}", "start")),
)


@dataclass(frozen=True)
class Server:
    """A running one."""

    name: str
    port: int
    pid: int

    def cpu(self) -> float:
        """CPU seconds used so far by the whole server."""
        return sum(_cpu(pid) for pid in (self.pid, *_children(self.pid)))


@contextmanager
def ours(home: Path) -> Iterator[Server]:
    """The supervisor with one DNS worker over `home`/tables."""
    port = free_port()
    command = [sys.executable, "-c", _SERVE, str(home), str(port)]
    with _running("fedns", command, port, home) as server:
        yield server


@contextmanager
def peer(kind: Peer, zone: Path, home: Path) -> Iterator[Server]:
    port = free_port()
    home.mkdir()
    config = home / "config"
    if kind.name == "gdnsd":
        (home / "zones").mkdir()
        shutil.copy(zone, home / "zones" / "example.com")
    fields = {"home": str(home), "port": str(port), "zone": str(zone), "config": str(config)}
    config.write_text(kind.config.format(**fields))
    program = shutil.which(kind.program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    command = [str(program), *(each.format(**fields) for each in kind.arguments)]
    with _running(kind.name, command, port, home) as server:
        yield server


def installed() -> list[Peer]:
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    return [each for each in PEERS if shutil.which(each.program, path=path)]


@contextmanager
def _running(name: str, command: list[str], port: int, home: Path) -> Iterator[Server]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with (home / "log").open("w") as log:
        process = subprocess.Popen(["taskset", "-c", CORE, *command], stdout=log, stderr=log, env=environment)
    try:
        _await_answer(name, process, port, home / "log")
        yield Server(name, port, process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def ask(port: int, packet: bytes, seconds: float = 1.0) -> bytes | None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(seconds)
        sock.connect(("127.0.0.1", port))
        try:
            sock.send(packet)
            return sock.recv(65535)
        except (TimeoutError, ConnectionError):
            return None


APEX_SOA = b"\0\1\0\0\0\1\0\0\0\0\0\0\7example\3com\0\0\6\0\1"


def _await_answer(name: str, process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    ready: Callable[[bytes | None], bool] = lambda reply: reply is not None and reply[3] & 15 == 0  # noqa: E731
    deadline = time.monotonic() + START
    while not ready(ask(port, APEX_SOA, 0.2)):
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"{name} does not answer: {log.read_text()[-2000:]}")
        time.sleep(0.1)


def free_port() -> int:
    with socket.socket() as tcp:
        tcp.bind(("127.0.0.1", 0))
        return int(tcp.getsockname()[1])


def _cpu(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / TICK


def _children(pid: int) -> list[int]:
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += [int(child), *_children(int(child))]
    return found
