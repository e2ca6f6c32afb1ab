"""unbound as a validating resolver on loopback, with zones that it asks us for and keys that it trusts."""

import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import dns.exception
import dns.message
import dns.query

from tests.bench import serving
from tests.servers import running

CONFIG = """\
server:
  interface: 127.0.0.1
  port: {port}
  do-daemonize: no
  username: ""
  chroot: ""
  directory: "{home}"
  pidfile: ""
  use-syslog: no
  do-not-query-localhost: no
  module-config: "validator iterator"
  harden-dnssec-stripped: yes
  val-log-level: 2
  cache-max-ttl: {cached}
  cache-max-negative-ttl: {cached}
  local-zone: "example." nodefault
{anchors}
{insecure}
{stubs}
remote-control:
  control-enable: no
"""
STUB = 'stub-zone:\n  name: "{zone}"\n  stub-addr: 127.0.0.1@{port}\n'


class Resolver:
    """A running resolver."""

    def __init__(self, port: int) -> None:
        self.port = port

    def ask(self, name: str, rtype: str = "A", patience: float = running.LONG) -> dns.message.Message:
        """Its answer, with DO; TCP where it does not fit."""
        query = dns.message.make_query(name, rtype, want_dnssec=True)
        reply, _ = dns.query.udp_with_fallback(query, "127.0.0.1", timeout=patience, port=self.port)
        return reply


@contextmanager
def validating(
    path: str, home: Path, zones: Mapping[str, int], anchors: Sequence[str], cached: int = 0
) -> Iterator[Resolver]:
    """`path` is unbound's. `zones`: name -> the port of its server; `anchors`: DS or DNSKEY records. Answers
    are kept for at most `cached` seconds."""
    home.mkdir(parents=True, exist_ok=True)
    port = serving.free_port()
    trusted = {anchor.split()[0] for anchor in anchors}
    text = CONFIG.format(
        port=port,
        home=home,
        cached=cached,
        anchors="".join(f"  trust-anchor: '{anchor}'\n" for anchor in anchors),
        insecure="".join(f'  domain-insecure: "{zone}"\n' for zone in zones if zone not in trusted),
        stubs="".join(STUB.format(zone=zone, port=server) for zone, server in zones.items()),
    )
    (home / "unbound.conf").write_text(text)
    with (home / "unbound.log").open("wb") as log:
        process = subprocess.Popen([path, "-d", "-c", str(home / "unbound.conf")], stdout=log, stderr=log)
        try:
            resolver = Resolver(port)
            running.until(lambda: _answers(resolver, next(iter(zones)), process, home), "unbound answers")
            yield resolver
        finally:
            process.terminate()
            process.wait(running.LONG)


def _answers(resolver: Resolver, zone: str, process: "subprocess.Popen[bytes]", home: Path) -> bool:
    assert process.poll() is None, (home / "unbound.log").read_text()
    try:
        return bool(resolver.ask(zone, "SOA", 0.5))
    except (OSError, dns.exception.Timeout):
        return False
