"""Name servers of others, serving zones that we hand them, on a free port of loopback.

Law: every one runs as its packager left it, but for what these texts say: where to listen, what to serve,
no recursion, no rate limits, and (BIND) no more in a reply than is asked for.
"""

import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from fedns.dns import wire
from tests.bench import serving as bench
from tests.conformance import probes
from tests.servers import running

KNOT = """\
server:
  listen: [{listen}]
  rundir: {home}
database:
  storage: {home}/knot
template:
  - id: default
    storage: {home}
    semantic-checks: off
zone:
"""
NSD = """\
server:
{listen}
  server-count: 1
  username: ""
  zonesdir: {home}
  database: ""
  pidfile: {home}/nsd.pid
  xfrdfile: {home}/nsd.xfrd
  zonelistfile: {home}/nsd.zones
  rrl-ratelimit: 0
remote-control:
  control-enable: no
"""
BIND = """\
options {{
  directory "{home}"; {listen} pid-file none;
  session-keyfile "{home}/session.key"; recursion no; dnssec-validation no; minimal-responses yes; notify no;
  allow-transfer {{ none; }}; empty-zones-enable no; check-names primary ignore;
}};
controls {{ }};
"""


class Peer(NamedTuple):
    """How to run a peer: command, configuration, and the configuration of one zone."""

    name: str
    command: tuple[str, ...]
    config: str
    zone: str
    listen: Callable[[tuple[str, ...], int], str]

    @property
    def program(self) -> str:
        return self.command[0]


def _bind_listens(hosts: tuple[str, ...], port: int) -> str:
    parts = {"": [each for each in hosts if ":" not in each], "-v6": [each for each in hosts if ":" in each]}
    return " ".join(
        f"listen-on{kind} port {port} {{ {'; '.join(found or ['none'])}; }};" for kind, found in parts.items()
    )


PEERS = (
    Peer(
        "Knot",
        ("knotd", "-c"),
        KNOT,
        "  - domain: {origin}\n    file: {file}\n",
        lambda hosts, port: ", ".join(f'"{host}@{port}"' for host in hosts),
    ),
    Peer(
        "NSD",
        ("nsd", "-d", "-c"),
        NSD,
        "zone:\n  name: {origin}\n  zonefile: {file}\n",
        lambda hosts, port: "\n".join(f"  ip-address: {host}@{port}" for host in hosts),
    ),
    Peer(
        "BIND",
        ("named", "-f", "-c"),
        BIND,
        'zone "{origin}" {{ type primary; file "{file}"; }};\n',
        _bind_listens,
    ),
)


@contextmanager
def serving(
    peer: Peer, path: str, home: Path, zones: Mapping[str, str], at: tuple[tuple[str, ...], int] | None = None
) -> Iterator[int]:
    """`peer`, installed at `path`, serving `zones` (origin -> master file); its port, once it answers.

    `at`: other addresses and another port than a free one of 127.0.0.1.
    """
    hosts, port = at or (("127.0.0.1",), bench.free_port())
    config, log = home / f"{peer.program}.conf", home / f"{peer.program}.log"
    (home / "knot").mkdir(parents=True, exist_ok=True)
    text = peer.config.format(listen=peer.listen(hosts, port), home=home)
    for origin, content in zones.items():
        file = origin.rstrip(".") or "root"
        (home / file).write_text(content)
        text += peer.zone.format(origin=origin, file=file)
    config.write_text(text)
    with log.open("w") as output:
        process = subprocess.Popen([path, *peer.command[1:], str(config)], stdout=output, stderr=output)
        try:
            _await(process, hosts[0], port, list(zones)[-1])
            yield port
        except RuntimeError as trouble:
            raise AssertionError(f"{peer.name} {trouble}: {log.read_text()}") from None
        finally:
            process.terminate()
            process.wait(running.LONG)


def _await(process: subprocess.Popen[bytes], host: str, port: int, origin: str) -> None:
    """Returns once the zone is served. RuntimeError: it will not be."""
    exchange = probes.over_socket(host, port, 0.2)
    soa = probes.query(origin, wire.SOA)
    deadline = time.monotonic() + running.LONG
    while (exchange(soa, False) or b"")[6:8] != b"\0\1":
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError("does not serve")
        time.sleep(0.02)
