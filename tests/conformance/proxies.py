"""Proxies of others before a backend of ours: the same requests as the gateway gets.

Law: each runs as its packager left it, but for where it listens and where it sends to; TE, Host and paths are
its own business.
"""

import asyncio
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.bench.serving import free_port
from tests.servers import running

AT_ONCE = 100
FIRST, NEXT = 2.0, 0.25
"""Seconds until the first octet of an answer, and then without another one, after which we go."""
LONG = 12.0  # instead of both, for who may only be slow
_STATUS = re.compile(rb"(?:^|\n|ok)HTTP/1\.[01] (\d\d\d)")

NGINX = """\
daemon off; master_process off; pid {home}/nginx.pid; error_log {home}/error.log;
events {{}}
http {{
  access_log off; client_body_temp_path {home}/body; proxy_temp_path {home}/proxy;
  fastcgi_temp_path {home}/f; uwsgi_temp_path {home}/u; scgi_temp_path {home}/s;
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://127.0.0.1:{backend}; proxy_http_version 1.1;
      proxy_set_header Host $host; proxy_set_header Connection "";
    }}
  }}
}}
"""
HAPROXY = """\
defaults
  mode http
  timeout connect 5s
  timeout client 30s
  timeout server 30s
frontend all
  bind 127.0.0.1:{port}
  default_backend one
backend one
  server one 127.0.0.1:{backend}
"""


def _envoy(port: int, backend: int) -> str:
    def at(number: int) -> dict[str, object]:
        return {"socket_address": {"address": "127.0.0.1", "port_value": number}}

    kind = "type.googleapis.com/envoy.extensions.filters"
    routes = [{"match": {"prefix": "/"}, "route": {"cluster": "one"}}]
    manager = {
        "@type": f"{kind}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "all",
        "upgrade_configs": [{"upgrade_type": "websocket"}],
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}]},
        "http_filters": [
            {"name": "router", "typed_config": {"@type": f"{kind}.http.router.v3.Router"}},
        ],
    }
    chain = {"filters": [{"name": "http", "typed_config": manager}]}
    ends = [{"lb_endpoints": [{"endpoint": {"address": at(backend)}}]}]
    cluster = {"name": "one", "load_assignment": {"cluster_name": "one", "endpoints": ends}}
    listener = {"address": at(port), "filter_chains": [chain]}
    return json.dumps({"static_resources": {"listeners": [listener], "clusters": [cluster]}})


def program(name: str) -> str:
    """Where a peer is; empty: it is not here. Envoy is a package of Python."""
    beside = os.path.dirname(sys.executable)
    return shutil.which(name, path=os.pathsep.join((beside, os.environ.get("PATH", ""), "/usr/sbin"))) or ""


PEERS = ("envoy", "haproxy", "nginx")


@contextmanager
def serving(name: str, program: str, home: Path, backend: int) -> Iterator[int]:
    """The port of a peer that sends all requests to a port of loopback."""
    port = free_port()
    config = home / f"{name}.conf"
    if name == "envoy":
        config.write_text(_envoy(port, backend))
        more = ["-c", str(config), "--use-dynamic-base-id", "--concurrency", "1", "-l", "off"]
    elif name == "haproxy":
        config.write_text(HAPROXY.format(port=port, backend=backend))
        more = ["-db", "-f", str(config)]
    else:
        config.write_text(NGINX.format(port=port, backend=backend, home=home))
        more = ["-c", str(config), "-p", str(home)]
    with (home / f"{name}.log").open("wb") as log:
        process = subprocess.Popen([program, *more], stdout=log, stderr=log)
    try:
        _await(process, port)
        yield port
    finally:
        process.terminate()
        process.wait(running.LONG)


def _await(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + running.LONG
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1.0).close()
            return
        except OSError:
            assert process.poll() is None and time.monotonic() < deadline, "the peer does not start"
            time.sleep(0.05)


def ask(port: int, requests: Sequence[bytes], patience: float = 0.0) -> list[list[int]]:
    """The statuses that each of these got on a connection of its own. `patience`: for every octet."""

    async def everything() -> list[list[int]]:
        free = asyncio.Semaphore(AT_ONCE)
        return await asyncio.gather(*(_ask(port, each, free, patience) for each in requests))

    return asyncio.run(everything())


async def _ask(port: int, raw: bytes, free: asyncio.Semaphore, longest: float) -> list[int]:
    async with free:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        heard, patience = b"", longest or FIRST
        try:
            writer.write(raw)
            while True:
                async with asyncio.timeout(patience):
                    data = await reader.read(65536)
                if not data:
                    break
                heard, patience = heard + data, longest or NEXT
        except (TimeoutError, ConnectionError):
            pass
        finally:
            writer.transport.abort()
    return [int(each) for each in _STATUS.findall(heard)]
