"""Name servers of others, serving zones that we hand them, on a free port of loopback.

Law: every one runs as its packager left it, but for what these texts say: where to listen, what to serve,
no recursion, no rate limits, and (BIND) no more in a reply than is asked for.
"""

import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from fedns.dns import wire
from tests.conformance import probes
from tests.servers import running

KNOT = """\
server:
  listen: {host}@{port}
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
  ip-address: {host}@{port}
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
  directory "{home}"; listen-on port {port} {{ {host}; }}; listen-on-v6 {{ none; }}; pid-file none;
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

    @property
    def program(self) -> str:
        return self.command[0]


PEERS = (
    Peer("Knot", ("knotd", "-c"), KNOT, "  - domain: {origin}\n    file: {file}\n"),
    Peer("NSD", ("nsd", "-d", "-c"), NSD, "zone:\n  name: {origin}\n  zonefile: {file}\n"),
    Peer("BIND", ("named", "-f", "-c"), BIND, 'zone "{origin}" {{ type primary; file "{file}"; }};\n'),
)


def free_port(host: str = "127.0.0.1") -> int:
    """A port that is free for UDP and TCP."""
    for _ in range(50):
        with socket.socket() as stream, socket.socket(type=socket.SOCK_DGRAM) as datagram:
            stream.bind((host, 0))
            port = int(stream.getsockname()[1])
            try:
                datagram.bind((host, port))
            except OSError:
                continue
            return port
    raise OSError("no free port")


@contextmanager
def serving(
    peer: Peer, path: str, home: Path, zones: Mapping[str, str], at: tuple[str, int] | None = None
) -> Iterator[int]:
    """`peer`, installed at `path`, serving `zones` (origin -> master file); its port, once it answers."""
    host, port = at or ("127.0.0.1", free_port())
    config, log = home / f"{peer.program}.conf", home / f"{peer.program}.log"
    (home / "knot").mkdir(parents=True, exist_ok=True)
    text = peer.config.format(host=host, port=port, home=home)
    for origin, content in zones.items():
        file = origin.rstrip(".") or "root"
        (home / file).write_text(content)
        text += peer.zone.format(origin=origin, file=file)
    config.write_text(text)
    with log.open("w") as output:
        process = subprocess.Popen([path, *peer.command[1:], str(config)], stdout=output, stderr=output)
        try:
            exchange = probes.over_socket(host, port, 0.2)
            soa = probes.query(list(zones)[-1], wire.SOA)
            answers = lambda: (exchange(soa, False) or b"")[6:8] == b"\0\1"  # noqa: E731
            running.until(lambda: answers() or process.poll() is not None, log.read_text())
            assert process.poll() is None, log.read_text()
            yield port
        finally:
            process.terminate()
            process.wait(running.LONG)
