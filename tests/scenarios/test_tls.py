"""`fedns serve` over TLS: real clients, certificates that change under load, and who only holds on."""

import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import dns.message
import dns.query

from fedns.servers import batch
from tests.fakes import resolver
from tests.scenarios import load, world
from tests.servers import certificates

SILENT = 1200
"""Connections that say nothing: more than one worker holds at once."""


class Private:
    """A world that is served over TLS too."""

    def __init__(self, root: Path, days: float = 90.0, workers: int = 2) -> None:
        self.world = world.World(root)
        self.chain, _ = certificates.write(root, days=days)
        text = self.world.config.read_text()
        told = 'tls: {listen: ["127.0.0.1:0"], certificate: chain.pem, key: key.pem}'
        self.world.put("fedns.yaml", text.replace("workers: 2}", f"workers: {workers}, {told}}}"))


def _port(served: world.Served) -> int:
    return int(served.told()["tls"][0][1])


def _run(*command: str) -> str:
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=world.LONG, check=False, stdin=subprocess.DEVNULL
    )
    return done.stdout


def _kdig(served: world.Served, chain: str) -> list[str]:
    """The addresses of the global name, asked in privacy and with the certificate checked."""
    command = ["kdig", f"@127.0.0.1#{_port(served)}", "+tls", f"+tls-ca={chain}"]
    return sorted(_run(*command, f"+tls-host={certificates.HOST}", "+short", world.GLOBAL).split())


def _trusting(chain: str) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=chain)


@contextmanager
def _connected(served: world.Served, context: ssl.SSLContext) -> Iterator[ssl.SSLSocket]:
    with (
        socket.create_connection(("127.0.0.1", _port(served)), timeout=world.LONG) as plain,
        context.wrap_socket(plain, server_hostname=certificates.HOST) as sock,
    ):
        yield sock


def _ask(sock: ssl.SSLSocket) -> tuple[str, ...]:
    query = dns.message.make_query(world.GLOBAL, "A", use_edns=0)
    dns.query.send_tcp(sock, query)
    return world.answer(dns.query.receive_tcp(sock)[0])  # type: ignore[misc]


def test_private_answers_and_certificates_that_change(tmp_path: Path, tool: Callable[[str], str]) -> None:
    tool("kdig")
    place = Private(tmp_path, days=10)
    chain = place.chain
    with world.settled(place.world) as served:
        assert _kdig(served, chain) == sorted(world.SERVING)
        assert "tls: " in served.problems() and "the certificate expires" in served.problems()
        assert "the certificate expires" in served.fedns("status").stdout
        assert 'fedns_dns_queries_total{rcode="NOERROR",transport="tls",type="A"} 1.0' in served.api(
            "/metrics"
        )

        certificates.write(tmp_path, days=90)
        world.until(lambda: "certificate" not in served.problems(), "no more problems")
        world.until(lambda: _kdig(served, chain) == sorted(world.SERVING), "the new certificate everywhere")

        certificates.put(tmp_path / "key.pem", b"broken")
        world.until(lambda: "the certificate cannot be used" in served.problems(), "a problem")
        assert _kdig(served, chain) == sorted(world.SERVING)
    assert subprocess.run([*world.FEDNS, "check", "-c", str(place.world.config)], stdout=-3).returncode == 1


def test_openssl_resumes_its_sessions_and_unbound_asks_in_privacy(
    tmp_path: Path, tool: Callable[[str], str]
) -> None:
    openssl, unbound = tool("openssl"), tool("unbound")
    place = Private(tmp_path, workers=1)  # a session is resumed where it began
    with world.settled(place.world) as served:
        port = _port(served)
        command = [openssl, "s_client", "-connect", f"127.0.0.1:{port}", "-CAfile", place.chain]
        told = _run(*command, "-alpn", "dot", "-verify_return_error")
        assert "ALPN protocol: dot" in told and "Verify return code: 0 (ok)" in told
        assert "Reused, " in _run(*command, "-tls1_2", "-reconnect")
        options = ('module-config: "iterator"', f'tls-cert-bundle: "{place.chain}"')
        server = f"127.0.0.1@{port}#{certificates.HOST}"
        stubs = [resolver.stub("example.com", server, "stub-tls-upstream: yes")]
        with resolver.resolving(unbound, tmp_path / "unbound", options, stubs) as asked:
            expected = world.records(world.SERVING)
            world.until(
                lambda: world.answer(asked.ask(world.GLOBAL)) == expected, "an answer by way of unbound"
            )
        assert 'rcode="NOERROR",transport="tls",type="A"}' in served.api("/metrics")


def test_under_load_a_new_certificate_costs_no_answer_and_a_dead_worker_its_connections_alone(
    tmp_path: Path,
) -> None:
    place = Private(tmp_path)
    expected = world.records(world.SERVING)
    with world.settled(place.world) as served, load.asking(served.port, [world.GLOBAL]) as asking:
        context, anyone = _trusting(place.chain), _trusting(place.chain)
        anyone.check_hostname, anyone.verify_mode = False, ssl.CERT_NONE
        with ExitStack() as held:
            socks = [held.enter_context(_connected(served, context)) for _ in range(8)]
            for serial in range(0x21, 0x24):
                certificates.write(tmp_path, serial=serial)
                fresh = _trusting(place.chain)
                world.until(lambda: all(_ask(sock) == expected for sock in socks), "answers as before")
                world.until(lambda: _shown(served, fresh) == f"{serial:X}", "the new certificate")  # noqa: B023
                world.until(lambda: all(_ask(sock) == expected for sock in socks), "answers as before")
        for index in range(2):
            old = served.kill(f"dns worker {index}")
            with _connected(served, anyone) as sock:
                assert _ask(sock) == expected
            served.replaced(f"dns worker {index}", old)
        world.until(lambda: _shown(served, fresh) == "23", "the certificate that is in use")
        asking.stop()
        print(asking)
        assert len(asking.missing) <= 2 * batch.SIZE  # what the dead ones had in their hands
        asking.retry()
        assert asking.missing == []


def _shown(served: world.Served, context: ssl.SSLContext) -> str:
    """The serial of the certificate that both workers show; otherwise what went wrong."""
    found = set()
    for _ in range(8):
        try:
            with _connected(served, context) as sock:
                found.add(str((sock.getpeercert() or {})["serialNumber"]))
        except OSError as error:
            found.add(str(error))
    return found.pop() if len(found) == 1 else str(found)


def test_who_connects_and_says_nothing_keeps_nobody_out(tmp_path: Path) -> None:
    place = Private(tmp_path)
    with world.settled(place.world) as served, ExitStack() as held:
        for _ in range(SILENT):
            held.enter_context(socket.create_connection(("127.0.0.1", _port(served)), timeout=world.LONG))
        begun = time.monotonic()
        for _ in range(20):
            with _connected(served, _trusting(place.chain)) as sock:
                assert _ask(sock) == world.records(world.SERVING)
        assert time.monotonic() - begun < 10.0
        assert served.answer(world.GLOBAL) == world.records(world.SERVING)
