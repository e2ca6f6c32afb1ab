"""How each server under test is configured: one worker or several, one zone, plain or encrypted.

Law: every peer is set up as its manual says for speed on one zone, with rate limits and logs off. What a
scenario needs beyond that is a feature: lines that are put in only then. A server without the lines for it
is left out of the scenario, and the table says so.
"""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PATH = os.pathsep.join((str(ROOT / ".peers"), os.environ.get("PATH", ""), "/usr/sbin", "/sbin"))
COOKIES, SIGNED, TLS = "cookies", "DNSSEC", "TLS"
NOTHING = ""  # nothing has to be written for the feature

KNOT = """
server:
  rundir: "{home}"
  listen: 127.0.0.1@{port}
  udp-workers: {workers}
  tcp-workers: {workers}
  background-workers: 1
  tcp-max-clients: 1000
database:
  storage: "{home}"
log:
  - target: stderr
    any: error
{cookies}
zone:
  - domain: example.com
    file: "{zone}"
"""
KNOT_COOKIES = """
mod-cookies:
  - id: default
template:
  - id: default
    global-module: mod-cookies/default
"""
NSD = """
server:
  ip-address: 127.0.0.1@{port}
  {TLS}
  server-count: {workers}
  reuseport: yes
  tcp-count: 1000
  username: ""
  zonesdir: "{home}"
  database: ""
  pidfile: "{home}/nsd.pid"
  xfrdfile: "{home}/xfrd.state"
  zonelistfile: "{home}/zone.list"
  rrl-ratelimit: 0
  {cookies}
remote-control:
  control-enable: no
zone:
  name: example.com
  zonefile: "{zone}"
"""
NSD_COOKIES = """answer-cookie: yes
  cookie-secret: "000102030405060708090a0b0c0d0e0f"
"""
NSD_TLS = """ip-address: 127.0.0.1@{tls_port}
  tls-port: {tls_port}
  tls-service-key: "{key}"
  tls-service-pem: "{certificate}"
"""
BIND = """
{TLS}
options {{ directory "{home}"; listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};
  {TLS_listen}
  pid-file none; recursion no; minimal-responses yes; session-keyfile "{home}/session.key"; notify no;
  tcp-clients 1000; }};
controls {{ }};
zone "example.com" {{ type primary; file "{zone}"; }};
"""
BIND_TLS = 'tls bench {{ key-file "{key}"; cert-file "{certificate}"; }};'
BIND_TLS_LISTEN = "listen-on port {tls_port} tls bench {{ 127.0.0.1; }};"
GDNSD = """
options => {{
  listen => 127.0.0.1:{port}, udp_threads => {workers}, tcp_threads => {workers}, run_dir => {home},
  state_dir => {home}
}}
"""
COREDNS = """
.:{port} {{
  bind 127.0.0.1
  file {zone} example.com
}}
{TLS}
"""
COREDNS_TLS = """
tls://.:{tls_port} {{
  bind 127.0.0.1
  tls {certificate} {key}
  file {zone} example.com
}}
"""


@dataclass(frozen=True)
class Recipe:
    """How one server is run: its program, its configuration file, its arguments and environment.

    `features`: what it can do in a scenario that asks for it -> the lines that are put in the place of that
    name in `config`.
    """

    name: str
    title: str
    program: str
    config: str
    arguments: tuple[str, ...]
    features: Mapping[str, str]
    environment: Mapping[str, str] = field(default_factory=dict)

    def missing(self) -> str:
        """Why it cannot run here; empty where it can."""
        if self.path():
            return ""
        hint = "`make peers` builds it" if self.name == "coredns" else f"no {self.program}"
        return f"{self.title} is not installed: {hint}"

    def lacks(self, features: frozenset[str]) -> str:
        """What it cannot do of these; empty where nothing."""
        return ", ".join(f"no {each}" for each in sorted(features - set(self.features)))

    def path(self) -> str | None:
        return shutil.which(self.program, path=PATH)


PEERS = (
    Recipe("knot", "Knot", "knotd", KNOT, ("-c", "{config}"), {COOKIES: KNOT_COOKIES, SIGNED: NOTHING}),
    Recipe(
        "nsd",
        "NSD",
        "nsd",
        NSD,
        ("-d", "-c", "{config}"),
        {COOKIES: NSD_COOKIES, SIGNED: NOTHING, TLS: NSD_TLS},
    ),
    Recipe(
        "bind",
        "BIND",
        "named",
        BIND,
        ("-f", "-n", "{workers}", "-U", "{workers}", "-c", "{config}"),
        {COOKIES: NOTHING, SIGNED: NOTHING, TLS: BIND_TLS, "TLS_listen": BIND_TLS_LISTEN},
    ),
    Recipe("gdnsd", "gdnsd", "gdnsd", GDNSD, ("-c", "{home}", "start"), {COOKIES: NOTHING}),
    Recipe(
        "coredns",
        "CoreDNS",
        "coredns",
        COREDNS,
        ("-quiet", "-conf", "{config}"),
        {SIGNED: NOTHING, TLS: COREDNS_TLS},
        {"GOMAXPROCS": "{workers}"},
    ),
)
