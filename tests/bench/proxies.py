"""How each gateway under test is configured: one worker, two backends, the same hosts and paths.

Law: every peer does what fedns does for a plain request: it keeps connections to backends, tells them who
asks (X-Forwarded-For), gives each request an id where it can, and writes no log. Nothing else is switched on,
and nothing that its manual recommends for speed is left out.
"""

import json
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).resolve().parent
PATH = os.pathsep.join((os.path.dirname(sys.executable), os.environ.get("PATH", ""), "/usr/sbin", "/sbin"))


class World(NamedTuple):
    """What is routed: so many hosts, each with so many paths."""

    hosts: int = 1
    paths: int = 1

    def names(self) -> list[str]:
        return [f"h{number}.example.com" for number in range(self.hosts)]

    def prefixes(self) -> list[str]:
        """Without a slash at the end; one path is all there is."""
        return [f"/p{number}" for number in range(self.paths)] if self.paths > 1 else [""]


class Setup(NamedTuple):
    """What a configuration is made of. `backends` are ports on loopback."""

    world: World
    home: Path
    port: int
    tls_port: int
    backends: Sequence[int]
    certificate: Path
    key: Path


class Recipe(NamedTuple):
    """A peer: `command` is found in PATH, `write` makes its files and says with which arguments it starts."""

    name: str
    title: str
    command: str
    write: Callable[[Setup], list[str]]

    def path(self) -> str | None:
        return shutil.which(self.command, path=PATH)


def _put(path: Path, text: str) -> str:
    path.write_text(text)
    return str(path)


def envoy(setup: Setup) -> list[str]:
    hosts = [
        {
            "name": name,
            "domains": [name, f"{name}:*"],
            "routes": [
                {
                    "match": {"path_separated_prefix": prefix} if prefix else {"prefix": "/"},
                    "route": {"cluster": "web"},
                }
                for prefix in setup.world.prefixes()
            ],
        }
        for name in setup.world.names()
    ]
    certificate = {
        "certificate_chain": {"filename": str(setup.certificate)},
        "private_key": {"filename": str(setup.key)},
    }
    tls = _typed(
        "transport_sockets.tls.v3.DownstreamTlsContext",
        common_tls_context={"tls_certificates": [certificate], "alpn_protocols": ["http/1.1"]},
    )
    plain = _envoy_listener("plain", setup.port, hosts)
    secure = _envoy_listener("secure", setup.tls_port, hosts)
    secure["filter_chains"][0]["transport_socket"] = {"name": "tls", "typed_config": tls}
    ends = [{"endpoint": {"address": _envoy_address(port)}} for port in setup.backends]
    cluster = {
        "name": "web",
        "type": "STATIC",
        "load_assignment": {"cluster_name": "web", "endpoints": [{"lb_endpoints": ends}]},
    }
    config = {"static_resources": {"listeners": [plain, secure], "clusters": [cluster]}}
    path = _put(setup.home / "envoy.json", json.dumps(config))
    return ["-c", path, "--concurrency", "1", "--disable-hot-restart", "-l", "error"]


def _typed(kind: str, **fields: object) -> dict[str, Any]:
    return {"@type": f"type.googleapis.com/envoy.extensions.{kind}", **fields}


def _envoy_address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def _envoy_listener(name: str, port: int, hosts: list[dict[str, Any]]) -> dict[str, Any]:
    router = {"name": "router", "typed_config": _typed("filters.http.router.v3.Router")}
    manager = _typed(
        "filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix=name,
        codec_type="HTTP1",
        use_remote_address=True,
        route_config={"name": "routes", "virtual_hosts": hosts},
        http_filters=[router],
    )
    filters = [{"name": "http", "typed_config": manager}]
    return {"name": name, "address": _envoy_address(port), "filter_chains": [{"filters": filters}]}


def haproxy(setup: Setup) -> list[str]:
    pem = _put(setup.home / "both.pem", setup.certificate.read_text() + setup.key.read_text())
    rows = [f"{name}{prefix}/ web" for name in setup.world.names() for prefix in setup.world.prefixes()]
    routes = _put(setup.home / "routes", "\n".join(rows) + "\n")
    servers = "\n".join(f"  server s{at} 127.0.0.1:{port}" for at, port in enumerate(setup.backends))
    text = f"""
global
  nbthread 1
  maxconn 5000
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  option forwardfor
  unique-id-format %{{+X}}o%ci:%cp_%fi:%fp_%Ts_%rt:%pid
  unique-id-header X-Request-Id
frontend web
  bind 127.0.0.1:{setup.port}
  bind 127.0.0.1:{setup.tls_port} ssl crt {pem} alpn http/1.1
  use_backend %[base,map_beg({routes})]
backend web
  http-reuse always
{servers}
"""
    return ["-db", "-f", _put(setup.home / "haproxy.cfg", text)]


def nginx(setup: Setup) -> list[str]:
    servers = "\n".join(f"server 127.0.0.1:{port};" for port in setup.backends)
    places = "\n".join(
        f"location {prefix}/ {{ proxy_pass http://web; }}" for prefix in setup.world.prefixes()
    )
    hosts = "\n".join(
        f"""server {{
  listen 127.0.0.1:{setup.port}; listen 127.0.0.1:{setup.tls_port} ssl;
  server_name {name};
  {places}
}}"""
        for name in setup.world.names()
    )
    text = f"""
worker_processes 1; daemon off; pid {setup.home}/nginx.pid; error_log stderr crit;
worker_rlimit_nofile 20000;
events {{ worker_connections 10000; multi_accept on; }}
http {{
  access_log off; client_max_body_size 0; keepalive_requests 100000000; server_names_hash_max_size 8192;
  client_body_temp_path {setup.home}/body; proxy_temp_path {setup.home}/proxy;
  fastcgi_temp_path {setup.home}/f; uwsgi_temp_path {setup.home}/u; scgi_temp_path {setup.home}/s;
  ssl_protocols TLSv1.2 TLSv1.3;
  ssl_certificate {setup.certificate}; ssl_certificate_key {setup.key};
  upstream web {{ {servers} keepalive 128; keepalive_requests 100000000; }}
  proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host;
  proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_set_header X-Request-Id $request_id;
  proxy_request_buffering off; proxy_max_temp_file_size 0;
  {hosts}
}}
"""
    return ["-p", str(setup.home), "-e", "stderr", "-c", _put(setup.home / "nginx.conf", text)]


def caddy(setup: Setup) -> list[str]:
    proxy = {
        "handler": "reverse_proxy",
        "upstreams": [{"dial": f"127.0.0.1:{port}"} for port in setup.backends],
        "load_balancing": {"selection_policy": {"policy": "round_robin"}},
        "transport": {"protocol": "http", "keep_alive": {"max_idle_conns_per_host": 128}},
        "headers": {"request": {"set": {"X-Request-Id": ["{http.request.uuid}"]}}},
    }
    routes = [
        {
            "match": [{"host": [name]}],
            "handle": [{"handler": "subroute", "routes": _caddy_routes(setup.world.prefixes(), proxy)}],
        }
        for name in setup.world.names()
    ]
    server = {"routes": routes, "automatic_https": {"disable": True}}
    files = {"certificate": str(setup.certificate), "key": str(setup.key)}
    config = {
        "admin": {"disabled": True},
        "logging": {"logs": {"default": {"level": "ERROR"}}},
        "apps": {
            "tls": {"certificates": {"load_files": [files]}},
            "http": {
                "servers": {
                    "plain": {"listen": [f"127.0.0.1:{setup.port}"], **server},
                    "secure": {
                        "listen": [f"127.0.0.1:{setup.tls_port}"],
                        "tls_connection_policies": [{"alpn": ["http/1.1"], "default_sni": "h0.example.com"}],
                        "protocols": ["h1"],
                        **server,
                    },
                }
            },
        },
    }
    return ["run", "--config", _put(setup.home / "caddy.json", json.dumps(config))]


def _caddy_routes(prefixes: Sequence[str], proxy: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"match": [{"path": [prefix, f"{prefix}/*"]}], "handle": [proxy]} if prefix else {"handle": [proxy]}
        for prefix in prefixes
    ]


def aiohttp(setup: Setup) -> list[str]:
    told = setup._asdict() | {name: str(getattr(setup, name)) for name in ("home", "certificate", "key")}
    told |= {"names": setup.world.names(), "prefixes": setup.world.prefixes()}
    return [str(HERE / "aiohttp_proxy.py"), _put(setup.home / "told.json", json.dumps(told))]


PEERS = (
    Recipe("envoy", "Envoy", "envoy", envoy),
    Recipe("haproxy", "HAProxy", "haproxy", haproxy),
    Recipe("nginx", "nginx", "nginx", nginx),
    Recipe("caddy", "Caddy", "caddy", caddy),
    Recipe("aiohttp", "aiohttp", sys.executable, aiohttp),
)
