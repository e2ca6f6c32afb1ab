"""unbound on loopback, with zones that it asks us for; as a validating resolver, with keys that it trusts."""

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
  {options}
remote-control:
  control-enable: no
{stubs}"""


class Resolver:
    """A running resolver."""

    def __init__(self, port: int) -> None:
        self.port = port

    def ask(self, name: str, rtype: str = "A", patience: float = running.LONG) -> dns.message.Message:
        """Its answer, with DO; TCP where it does not fit."""
        query = dns.message.make_query(name, rtype, want_dnssec=True)
        reply, _ = dns.query.udp_with_fallback(query, "127.0.0.1", timeout=patience, port=self.port)
        return reply


def stub(zone: str, server: str, *options: str) -> str:
    """A zone that is asked of `server`: ADDRESS@PORT, with #NAME where that is to be proven."""
    return "\n  ".join(("stub-zone:", f'name: "{zone}"', f"stub-addr: {server}", *options)) + "\n"


@contextmanager
def resolving(
    path: str, home: Path, options: Sequence[str], stubs: Sequence[str] = (), port: int = 0
) -> Iterator[Resolver]:
    """`path` is unbound's. `options` are of its server, `stubs` as `stub` has them; 0 is any free port."""
    home.mkdir(parents=True, exist_ok=True)
    port = port or serving.free_port()
    lines = "\n  ".join(options)
    text = CONFIG.format(port=port, home=home, options=lines, stubs="".join(stubs))
    config, told = home / "unbound.conf", home / "unbound.log"
    config.write_text(text)
    with told.open("wb") as log:
        process = subprocess.Popen([path, "-d", "-c", str(config)], stdout=log, stderr=log)
        try:
            running.until(lambda: _answers(port, process, told), "unbound answers")
            yield Resolver(port)
        finally:
            process.terminate()
            process.wait(running.LONG)


@contextmanager
def validating(
    path: str, home: Path, zones: Mapping[str, int], anchors: Sequence[str], cached: int = 0
) -> Iterator[Resolver]:
    """`zones`: name -> the port of its server; `anchors`: DS or DNSKEY records. Answers are kept for at most
    `cached` seconds."""
    trusted = {anchor.split()[0] for anchor in anchors}
    options = [
        'module-config: "validator iterator"',
        "harden-dnssec-stripped: yes",
        "val-log-level: 2",
        f"cache-max-ttl: {cached}",
        f"cache-max-negative-ttl: {cached}",
        'local-zone: "example." nodefault',
        *(f"trust-anchor: '{anchor}'" for anchor in anchors),
        *(f'domain-insecure: "{zone}"' for zone in zones if zone not in trusted),
    ]
    stubs = [stub(zone, f"127.0.0.1@{server}") for zone, server in zones.items()]
    with resolving(path, home, options, stubs) as resolver:
        yield resolver


def _answers(port: int, process: "subprocess.Popen[bytes]", log: Path) -> bool:
    assert process.poll() is None, log.read_text()
    try:
        dns.query.udp(dns.message.make_query(".", "SOA", flags=0), "127.0.0.1", timeout=0.5, port=port)
    except (OSError, dns.exception.Timeout):
        return False
    return True
