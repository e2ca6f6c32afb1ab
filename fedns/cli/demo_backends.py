"""The demo's backends: real HTTP servers on loopback addresses, which can be told to fail.

`python -m fedns.cli.demo_backends NAME=ADDRESS:PORT ...` serves until its standard input closes, so that
no backend outlives the demo, however that ends. `POST /fail` makes one answer 503, `POST /heal` reverts.
"""

import http.client
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from fedns.cli import demo_fleet

TIMEOUT = 2.0
"""Loopback answers at once or not at all, seconds."""


class Backend(ThreadingHTTPServer):
    """One member's load balancer. `failing` is read by every request."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, name: str, host: str, port: int) -> None:
        self.name, self.failing = name, False
        super().__init__((host, port), Handler)


class Handler(BaseHTTPRequestHandler):
    """GET anything: who answers; 503 while failing."""

    server: Backend
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body are two writes

    def do_GET(self) -> None:
        failing = self.server.failing
        self._say(
            503 if failing else 200, "failing on purpose" if failing else f"hello from {self.server.name}"
        )

    def do_POST(self) -> None:
        if self.path not in ("/fail", "/heal"):
            return self._say(404, "POST /fail or /heal")
        self.server.failing = self.path == "/fail"
        return self._say(200, "failing" if self.server.failing else "healthy")

    def _say(self, status: int, text: str) -> None:
        body = text.encode() + b"\n"
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Probes come every second; a demo's terminal is for what changes."""


def spawn(port: int) -> subprocess.Popen[bytes]:
    """Starts the backends of every site and returns when all of them listen. Raises OSError."""
    sites = [f"{one.member}={one.address}:{port}" for one in demo_fleet.SITES]
    command = [sys.executable, "-m", "fedns.cli.demo_backends", *sites]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdout is not None
    line = child.stdout.readline().decode().strip()
    if line != "ready":
        stop(child)
        raise OSError(line or "the backends did not start")
    return child


def stop(child: subprocess.Popen[bytes]) -> None:
    """Closes the child's standard input, which ends it."""
    if child.stdin is not None:
        child.stdin.close()
    child.wait(timeout=TIMEOUT)
    if child.stdout is not None:
        child.stdout.close()


def tell(address: str, port: int, word: str) -> None:
    """Sends `fail` or `heal` to one backend. Raises OSError when none answers."""
    connection = http.client.HTTPConnection(address, port, timeout=TIMEOUT)
    try:
        connection.request("POST", f"/{word}")
        connection.getresponse().read()
    finally:
        connection.close()


def main(sites: Sequence[str]) -> int:
    """Serves every `NAME=ADDRESS:PORT` until standard input closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent ends us
    backends = []
    for one in sites:
        name, _, where = one.partition("=")
        host, _, port = where.rpartition(":")
        try:
            backends.append(Backend(name, host, int(port)))
        except OSError as error:
            print(f"cannot listen on {where}: {error.strerror}", flush=True)
            return 1
    for backend in backends:
        threading.Thread(target=backend.serve_forever, daemon=True).start()
    print("ready", flush=True)
    sys.stdin.buffer.read()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
