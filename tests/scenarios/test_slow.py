"""Slow attacks (slowhttptest) on a gateway worker: held within limits, while others are served as ever.

The attacker is 127.0.0.1, the others are 127.0.0.2. Latencies are of a loaded machine: they are looked at
loosely, successes are not.
"""

import re
import socket
import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from fedns.gateway import options, route
from fedns.gateway.terms import Terms
from tests.proxy import backends, gateways
from tests.servers import running

pytestmark = pytest.mark.alone

FEW, MANY, SHARE, SECONDS = 40, 300, 100, 5
TERMS = Terms(head_time=1.5, per_client=SHARE, linger=0.5)
HASTE = options.Options(timeouts=options.Timeouts(read=1.5), retry=options.Retry(tries=1))
PAGE = bytes(4 << 20)  # more than the kernel takes
GROWTH = 96 << 10  # KiB of memory that an attack may cost at most
CALM = 2.0  # seconds that half of all others wait at most
_ASK = b"GET /other HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
KINDS = {
    "slow heads": (("-H", "-i", "1", "-x", "24"), ("crowded_client", "late_head", "refused_408")),
    "slow bodies": (("-B", "-i", "4", "-s", "8192", "-x", "10"), ("crowded_client", "late_body")),
    "many ranges": (("-R", "-a", "10", "-b", "3000", "-c", str(FEW)), ()),
    "slow reads": (
        ("-X", "-w", "10", "-y", "20", "-n", "4", "-z", "32", "-k", "1", "-c", str(FEW)),
        ("late_client",),
    ),
}


def _page(backend: backends.Backend, wire: backends.Wire) -> None:
    """Much for the attacker, little for others."""
    while True:
        wire.reply(b"ok" if wire.message().line.startswith(b"GET /other ") else PAGE)


def _table() -> route.Table:
    return route.Table(
        default=route.Location(b"ns/all */", b"/", gateways.POOL, options=1),
        options=(options.Options(), HASTE),
    )


def _asked(port: int) -> tuple[bytes, float]:
    """What somebody else gets, and how long it took."""
    began, said = time.monotonic(), b""
    with socket.create_connection(("127.0.0.1", port), running.LONG, ("127.0.0.2", 0)) as sock:
        sock.sendall(_ASK)
        while data := sock.recv(65536):
            said += data
    return said, time.monotonic() - began


def _memory(pid: int) -> int:
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1])


@pytest.mark.parametrize("kind", KINDS)
def test_slow_clients_are_held_and_others_are_served(
    kind: str, tool: Callable[[str], str], tmp_path: Path
) -> None:
    asked, counters = KINDS[kind]
    with gateways.running(tmp_path, TERMS) as gateway, backends.running(("one", _page)) as (one,):
        gateway.publish(_table(), shop=gateways.pool([one]))
        running.until(lambda: _asked(gateway.port)[0].endswith(b"ok"), "it is up")
        command = [tool("slowhttptest"), "-c", str(MANY), "-r", str(MANY), "-p", "3", *asked]
        command += ["-l", str(SECONDS), "-u", f"http://127.0.0.1:{gateway.port}/"]
        before, waited = _memory(gateway.process.pid), []
        attack = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            while attack.poll() is None or len(waited) < 10:
                said, seconds = _asked(gateway.port)
                assert said.endswith(b"ok"), said
                waited.append(seconds)
                time.sleep(0.01)
        finally:
            attack.kill()
            attack.wait(running.LONG)
        print(
            f"{kind}: {len(waited)} others served, half within {statistics.median(waited) * 1000:.1f} ms, "
            f"slowest {max(waited) * 1000:.0f} ms, {_memory(gateway.process.pid) - before} KiB more; "
            f"{ {name: gateway.counted(name) for name in counters} }"
        )
        assert statistics.median(waited) < CALM
        assert _memory(gateway.process.pid) - before < GROWTH
        running.until(lambda: all(map(gateway.counted, counters)), f"{counters}")
