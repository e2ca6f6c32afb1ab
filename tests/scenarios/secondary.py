"""Knot, NSD, BIND and PowerDNS as secondaries of a running fedns, and what each answers.

Law: a secondary is started whole with a configuration of its own in a directory of its own, is told of
changes by NOTIFY alone (no polling within a test's time), and is asked over UDP like anybody.
"""

import re
import shutil
import socket
import sqlite3
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache, lru_cache
from itertools import count
from pathlib import Path
from typing import NamedTuple

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype

from tests.bench import serving
from tests.scenarios import world

KEY, SECRET = "mirror", "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
ALGORITHM = "hmac-sha256"
SCHEMA = Path("/usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql")
PATIENCE = 60.0  # seconds until a secondary must have followed; busy machines are slow

KNOT = """
server:
  rundir: "{home}"
  listen: 127.0.0.1@{port}
  udp-workers: 1
  tcp-workers: 1
  background-workers: 2
database:
  storage: "{home}"
log:
  - target: stderr
    any: info
key:
  - id: {key}
    algorithm: {algorithm}
    secret: {secret}
remote:
  - id: primary
    address: 127.0.0.1@{primary}
    key: {key}
acl:
  - id: told
    address: 127.0.0.1
    key: {key}
    action: notify
template:
  - id: default
    storage: "{home}"
    master: primary
    acl: told
  - id: member
    storage: "{home}"
    master: primary
    acl: told
zone:
{zones}
"""
NSD = """
server:
  ip-address: 127.0.0.1@{port}
  server-count: 1
  username: ""
  zonesdir: "{home}"
  database: ""
  pidfile: "{home}/nsd.pid"
  xfrdfile: "{home}/xfrd.state"
  xfrdir: "{home}"
  zonelistfile: "{home}/zone.list"
  rrl-ratelimit: 0
  minimal-responses: yes
  verbosity: 2
remote-control:
  control-enable: no
key:
  name: {key}
  algorithm: {algorithm}
  secret: {secret}
{zones}
"""
BIND = """
key "{key}" {{ algorithm {algorithm}; secret "{secret}"; }};
options {{ directory "{home}"; listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};
  pid-file none; recursion no; minimal-responses yes; session-keyfile "{home}/session.key"; notify no;
  serial-query-rate 1000; dnssec-validation no; allow-new-zones yes; {options} }};
controls {{ }};
{zones}
"""
POWERDNS = """
launch=gsqlite3
gsqlite3-database={home}/pdns.sqlite3
gsqlite3-pragma-synchronous=0
local-address=127.0.0.1
local-port={port}
socket-dir={home}
config-dir={home}
secondary=yes
xfr-cycle-interval=1
allow-notify-from=127.0.0.0/8
cache-ttl=0
query-cache-ttl=0
negquery-cache-ttl=0
zone-cache-refresh-interval=0
disable-syslog=yes
guardian=no
loglevel=6
"""


class Peer(NamedTuple):
    """How one is run: program, arguments, its configuration, one zone in it, and a catalog in it (empty: it
    knows none)."""

    program: str
    arguments: tuple[str, ...]
    config: str
    zone: str
    catalog: str = ""


PEERS = {
    "knot": Peer(
        "knotd",
        ("-c", "{home}/config"),
        KNOT,
        '  - domain: "{origin}"\n',
        '  - domain: "{origin}"\n    catalog-role: interpret\n    catalog-template: member\n',
    ),
    "nsd": Peer(
        "nsd",
        ("-d", "-c", "{home}/config"),
        NSD,
        'zone:\n  name: {origin}\n  zonefile: "{home}/{origin}zone"\n'
        "  request-xfr: 127.0.0.1@{primary} {key}\n  allow-notify: 127.0.0.1 {key}\n",
    ),
    "bind": Peer(
        "named",
        ("-g", "-n", "1", "-U", "1", "-c", "{home}/config"),
        BIND,
        'zone "{origin}" {{ type secondary; file "{home}/{origin}db"; masterfile-format text;\n'
        '  primaries {{ 127.0.0.1 port {primary} key "{key}"; }}; }};\n',
        'catalog-zones {{ zone "{origin}" default-primaries {{ 127.0.0.1 port {primary} key "{key}"; }}'
        " min-update-interval 1; }};",
    ),
    "powerdns": Peer("pdns_server", ("--config-dir={home}", "--daemon=no"), POWERDNS, "SLAVE", "CONSUMER"),
}


class Secondary:
    """A running one."""

    def __init__(self, name: str, home: Path, port: int) -> None:
        self.name, self.home, self.port = name, home, port
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.connect(("127.0.0.1", port))
        self._socket.settimeout(5)

    def send(self, packets: Sequence[bytes]) -> None:
        for packet in packets:
            self._socket.send(packet)

    def replies(self, packets: Sequence[bytes]) -> list[bytes]:
        """To all that was sent, in that order; their ids differ."""
        found: dict[bytes, bytes] = {}
        while any(packet[:2] not in found for packet in packets):
            reply = self._socket.recv(65535)
            found[reply[:2]] = reply
        return [found[packet[:2]] for packet in packets]

    def ask(self, packet: bytes) -> bytes:
        """The reply's octets."""
        self.send((packet,))
        return self.replies((packet,))[0]

    def serial(self, origin: str) -> int:
        """The serial of the zone there; 0 while it has none."""
        try:
            reply = dns.message.from_wire(self.ask(query(origin, "SOA")))
        except (OSError, dns.exception.DNSException):
            return 0
        return int(reply.answer[0][0].serial) if reply.answer and reply.flags & dns.flags.AA else 0

    def log(self) -> str:
        return (self.home / "log").read_text(errors="replace")

    def close(self) -> None:
        self._socket.close()


_COMMITTED = re.compile(r'committed "received update to serial (\d+) at (\S+) ')
_LOADED = re.compile(r"serial \d+ is updated to (\d+)$")
_FAILED = re.compile(r"soa serial (\d+) update failed")


def mistaken(log: str) -> int:
    """How often NSD asked for a zone whole by a mistake of its own, as its log has it. Before 4.12 it takes
    an update for failed that it loads together with a later one. Where both came in the same second (it keeps
    no finer time), it takes this for the version that it serves, and copies that anew."""
    second: dict[str, str] = {}
    loaded, found = "", 0
    for line in log.splitlines():
        if committed := _COMMITTED.search(line):
            second[committed[1]] = committed[2]
        elif latest := _LOADED.search(line):
            loaded = latest[1]
        elif failed := _FAILED.search(line):
            found += second.get(failed[1]) == second.get(loaded)
    return found


def settings(ports: Sequence[int], catalog: str = "", keyed: bool = True) -> str:
    """What fedns is configured with to have secondaries at these ports."""
    grant = f"127.0.0.0/8 key {KEY}" if keyed else "127.0.0.0/8"
    notify = ", ".join(f'"127.0.0.1:{port} key {KEY}"' for port in ports)
    named = f", catalog: {catalog}" if catalog else ""
    return (
        f"transfer: {{keys: [{{name: {KEY}, algorithm: {ALGORITHM}, secret: {SECRET}}}],"
        f" allow: [{grant}], notify: [{notify}]{named}}}\n"
    )


@contextmanager
def running(
    name: str, home: Path, ports: tuple[int, int], origins: Sequence[str], catalog: str = ""
) -> Iterator[Secondary]:
    """A secondary of `origins` (absolute names); `ports`: its own and the primary's."""
    home.mkdir()
    peer, port = PEERS[name], ports[0]
    fields = {"home": str(home), "port": str(port), "primary": str(ports[1])}
    fields |= {"key": KEY, "secret": SECRET, "algorithm": ALGORITHM, "options": ""}
    if name == "powerdns":
        _database(home / "pdns.sqlite3", ports[1], origins, catalog)
        (home / "pdns.conf").write_text(peer.config.format(**fields))
    else:
        zones = "".join(peer.zone.format(**fields, origin=each) for each in origins)
        if catalog and name == "bind":
            zones += peer.zone.format(**fields, origin=catalog)
            fields["options"] = peer.catalog.format(**fields, origin=catalog)
        elif catalog:
            zones += peer.catalog.format(**fields, origin=catalog)
        (home / "config").write_text(peer.config.format(**fields, zones=zones))
    command = [shutil.which(peer.program) or peer.program, *(a.format(**fields) for a in peer.arguments)]
    with (home / "log").open("w") as log:
        process = subprocess.Popen(command, cwd=home, stdout=log, stderr=log)
    made = Secondary(name, home, port)
    try:
        yield made
    finally:
        process.terminate()
        try:
            process.wait(world.LONG)
        except subprocess.TimeoutExpired:
            process.kill()
        made.close()


def _database(path: Path, primary: int, origins: Sequence[str], catalog: str) -> None:
    """PowerDNS keeps its zones, keys and what it is to do with them in a database."""
    rows = [(each, PEERS["powerdns"].zone) for each in origins]
    rows += [(catalog, PEERS["powerdns"].catalog)] if catalog else []
    base = sqlite3.connect(path)
    base.executescript(SCHEMA.read_text())
    base.execute("INSERT INTO tsigkeys (name, algorithm, secret) VALUES (?, ?, ?)", (KEY, ALGORITHM, SECRET))
    for origin, kind in rows:
        row = (origin.rstrip("."), f"127.0.0.1:{primary}", kind)
        found = base.execute("INSERT INTO domains (name, master, type) VALUES (?, ?, ?)", row).lastrowid
        for what, content in (("AXFR-MASTER-TSIG", KEY), *((("IXFR", "1"),) if origin != catalog else ())):
            told = (found, what, content)
            base.execute("INSERT INTO domainmetadata (domain_id, kind, content) VALUES (?, ?, ?)", told)
    base.commit()
    base.close()


def ready(name: str) -> str:
    """The program that has to be installed; empty where all of it is."""
    return "" if name != "powerdns" or SCHEMA.exists() else "pdns-backend-sqlite3"


_ids = count()


@cache
def query(name: str, rtype: str) -> bytes:
    message = dns.message.make_query(name, rtype, use_edns=0, payload=4096)
    message.flags, message.id = 0, next(_ids) & 0xFFFF
    return message.to_wire()


def said(reply: bytes, origin: str, serial: int) -> tuple[str, ...]:
    """What a server says as far as it must be the same everywhere: code, AA, the answer within the zone,
    and the SOA of a denial. What a chain finds in another zone is that zone's matter. The serial of now is
    told as 0, where nothing else can be taken for it: most replies are then those of the serial before, and
    need not be understood again."""
    octets = reply[2:]
    return _said(octets.replace(serial.to_bytes(4, "big"), bytes(4)) if serial >> 24 else octets, origin)


@lru_cache(maxsize=100_000)
def _said(octets: bytes, origin: str) -> tuple[str, ...]:
    reply = dns.message.from_wire(b"\0\0" + octets)
    apex = dns.name.from_text(origin)
    records = [(rrset, rdata) for rrset in reply.answer for rdata in rrset if rrset.name.is_subdomain(apex)]
    lines = [_line(rrset.name, rrset.ttl, rrset.rdtype, rdata) for rrset, rdata in records]
    aliases = [rdata.target for rrset, rdata in records if rrset.rdtype == dns.rdatatype.CNAME]
    left = not all(target.is_subdomain(apex) for target in aliases)
    if left:
        return ("elsewhere", *sorted(lines))
    denial = [
        _line(rrset.name, rrset.ttl, rrset.rdtype, rdata)
        for rrset in reply.authority
        for rdata in rrset
        if rrset.rdtype == dns.rdatatype.SOA
    ]
    flags = "aa" if reply.flags & dns.flags.AA else ""
    return (dns.rcode.to_text(reply.rcode()), flags, *sorted(lines), *denial)


def _line(name: dns.name.Name, ttl: int, rtype: int, rdata: object) -> str:
    return f"{name} {ttl} {dns.rdatatype.to_text(rtype)} {rdata}".lower()


def free(count: int) -> list[int]:
    """So many ports that are free on loopback now."""
    return [serving.free_port() for _ in range(count)]
