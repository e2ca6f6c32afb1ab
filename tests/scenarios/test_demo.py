"""The demo as a new user meets it: what `demo start` prints is true, fails move names, Ctrl-C ends all."""

import contextlib
import http.client
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
import pytest

from fedns import values
from fedns.cli import demo_fleet, demo_pod, demo_watch
from tests.bench import serving
from tests.scenarios import world

FEDNS = [sys.executable, "-m", "fedns.cli.main"]
NAME = "nginx.mynamespace.myfederation.svc"
ALL = {f"127.0.0.{last}" for last in (11, 12, 13, 14)}
PATIENCE = 20.0
"""Seconds to wait for an effect; a start on a busy machine takes several."""


class Demo(NamedTuple):
    """A running demo."""

    process: subprocess.Popen[bytes]
    dns: int
    admin: int
    backend: int
    log: Path

    def ask(self, name: str, rtype: str = "A") -> list[str]:
        """Records of the answer section, as `type value`, or the rcode where there are none."""
        query = dns.message.make_query(name, rtype)
        try:
            reply = dns.query.udp(query, "127.0.0.1", timeout=2, port=self.dns)
        except (OSError, dns.exception.Timeout) as error:
            return [f"no reply: {error}"]
        if not reply.answer:
            return [dns.rcode.to_text(reply.rcode())]
        return [f"{dns.rdatatype.to_text(one.rdtype)} {item}" for one in reply.answer for item in one]

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [*FEDNS, *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)


def _answers(demo: Demo) -> bool:
    return all(len(demo.ask(f"{NAME}.example.com")) == 4 for _ in range(24))


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    folder = tmp_path_factory.mktemp("demo")
    ports = [serving.free_port() for _ in range(3)]
    options = ["--dns", f"127.0.0.1:{ports[0]}", "--admin", f"127.0.0.1:{ports[1]}", "--port", str(ports[2])]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*FEDNS, "demo", "start", "--dir", str(folder / "demo"), *options], stdout=log, stderr=log
        )
    running = Demo(process, *ports, folder / "log")
    try:  # two workers share the port, and either may be the later one
        world.until(lambda: _answers(running), f"four addresses; see {folder}/log")
        yield running
    finally:
        process.kill() if process.poll() is None else None
        process.wait()


def test_every_documented_name_answers(demo: Demo) -> None:
    assert set(demo.ask(f"{NAME}.example.com")) == {f"A {address}" for address in ALL}
    for place in ("europe-west1", "europe-west1-b", "europe-west1-b.europe-west1"):
        assert demo.ask(f"{NAME}.{place}.example.com") == ["A 127.0.0.12"]
    assert demo.ask("eu.nginx.acme.com")[-1] == "A 127.0.0.12"
    assert demo.ask(f"_http._tcp.{NAME}.europe-west1.example.com", "SRV")[0].startswith("SRV 0 100 ")
    assert demo.ask(f"_explain.{NAME}.example.com", "TXT")


def test_what_is_printed_to_try_works_as_printed(demo: Demo, tool: Callable[[str], str]) -> None:
    printed = demo.log.read_text().partition("Try, in another terminal:")[2]
    lines = re.findall(r"^  (.*-m fedns\.cli\.main .*)$", printed, re.MULTILINE)
    assert len(lines) >= 7, printed
    for line in lines:
        tool("nslookup" if "nslookup" in line else "dig")
        command = line.split("#")[0].replace("--watch", "").split()
        command += ["--for", "1"] if "watch" in command else []
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
        assert done.returncode == 0, (line, done.stdout, done.stderr)


def test_a_failed_backend_moves_its_region_to_the_global_name_and_back(demo: Demo) -> None:
    region, whole = f"{NAME}.europe-west1.example.com", f"{NAME}.example.com"
    world.until(lambda: demo.ask(region) == ["A 127.0.0.12"], "the region serves")
    assert demo.run("demo", "fail", "gce-europe-west1", "--port", str(demo.backend)).returncode == 0
    world.until(
        lambda: demo.ask(region)[0] == f"CNAME {whole}.",
        "alias of the global name",
    )
    assert set(demo.ask(whole)) == {f"A {address}" for address in ALL - {"127.0.0.12"}}
    told = demo.run("explain", region, "--admin", f"127.0.0.1:{demo.admin}")
    assert told.returncode == 0, told.stderr
    assert "503" in told.stdout
    assert "- gce-europe-west1" in told.stdout
    assert demo.run("demo", "heal", "gce-europe-west1", "--port", str(demo.backend)).returncode == 0
    world.until(lambda: demo.ask(region) == ["A 127.0.0.12"], "the region serves again")


def test_the_gateway_leaves_a_failed_backend_out_and_takes_it_back(demo: Demo) -> None:
    def get() -> tuple[int, str]:
        client = http.client.HTTPConnection("127.0.0.1", demo.backend, timeout=world.LONG)
        with contextlib.closing(client):
            client.request("GET", "/", headers={"Host": "shop.example.com"})
            reply = client.getresponse()
            return reply.status, reply.read().decode()

    theirs = (200, "hello from gce-us-central1\n")
    world.until(lambda: theirs in [get() for _ in range(20)], "the gateway goes to all members")
    assert demo.run("demo", "fail", "gce-us-central1", "--port", str(demo.backend)).returncode == 0
    where = (values.Address("127.0.0.1", port) for port in (demo.backend, demo.dns))
    watched = demo_watch.changes(*where, PATIENCE)
    _, first = next(watched)
    assert len(first.gateway) == 3 and "gce-us-central1" not in first.gateway, "elsewhere at once"
    last = first if len(first.dns) == 3 else next(seen for _, seen in watched if len(seen.dns) == 3)
    assert last.gateway == last.dns, "DNS follows"
    assert theirs not in [get() for _ in range(20)]
    assert demo.run("demo", "heal", "gce-us-central1", "--port", str(demo.backend)).returncode == 0
    world.until(lambda: theirs in [get() for _ in range(20)], "the healed one serves again")


def test_a_pod_has_its_own_cluster_first_then_the_nearest(demo: Demo, tool: Callable[[str], str]) -> None:
    def told() -> str:
        where = ("--dns", f"127.0.0.1:{demo.dns}", "--port", str(demo.backend))
        return demo.run("demo", "pod", *where, "us-east1-b", tool("nslookup"), demo_fleet.SHORT).stdout

    world.until(lambda: "10.96.0.13" in told(), "the cluster's own address")
    assert demo.run("demo", "fail", "gce-us-east1", "--port", str(demo.backend)).returncode == 0
    world.until(
        lambda: "127.0.0.14" in (text := told()) and "10.96.0.13" not in text, "the nearest other one"
    )
    assert demo.run("demo", "heal", "gce-us-east1", "--port", str(demo.backend)).returncode == 0
    world.until(lambda: "10.96.0.13" in told(), "its own again")


@pytest.mark.skipif(bool(demo_pod.obstacle()), reason=f"no pods here: {demo_pod.obstacle()}")
def test_a_pod_reaches_what_it_finds(demo: Demo, tool: Callable[[str], str]) -> None:
    where = ("--dns", f"127.0.0.1:{demo.dns}", "--port", str(demo.backend))
    url = f"http://{demo_fleet.SHORT}:{demo.backend}/"
    done = demo.run("demo", "pod", *where, "us-east1-b", tool("curl"), "-s", url)
    assert (done.returncode, done.stdout) == (0, "hello from gce-us-east1\n"), done
    assert demo.run("demo", "pod", *where, "us-east1-b", "sh", "-c", "exit 7").returncode == 7


def test_a_drained_member_leaves_at_once_and_comes_back(demo: Demo) -> None:
    admin = ("--admin", f"127.0.0.1:{demo.admin}")
    world.until(lambda: len(demo.ask(f"{NAME}.example.com")) == 4, "all serve")
    assert demo.run("drain", "gce-us-east1", "--for", "10m", "--reason", "upgrade", *admin).returncode == 0
    world.until(lambda: "A 127.0.0.13" not in demo.ask(f"{NAME}.example.com"), "drained")
    assert "upgrade" in demo.run("status", *admin).stdout
    assert demo.run("undrain", "gce-us-east1", *admin).returncode == 0
    world.until(lambda: len(demo.ask(f"{NAME}.example.com")) == 4, "all serve again")


def test_the_zone_dumped_is_one_that_another_server_loads(
    demo: Demo, tool: Callable[[str], str], tmp_path: Path
) -> None:
    checkzone = tool("named-checkzone")
    for origin in ("example.com", "acme.com"):
        dumped = demo.run("zone", "dump", origin, "--admin", f"127.0.0.1:{demo.admin}")
        assert dumped.returncode == 0, dumped.stderr
        (tmp_path / origin).write_text(dumped.stdout)
        done = subprocess.run(
            [checkzone, "-i", "local", origin, str(tmp_path / origin)], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout


def test_a_scraper_sees_the_workers_and_the_shards(demo: Demo) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", demo.admin, timeout=5)
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    connection.close()
    assert re.search(
        r'^fedns_dns_queries_total\{rcode="NOERROR",transport="udp",type="A"\} [1-9]', text, re.MULTILINE
    )
    assert (
        'fedns_shard_state{member="gce-asia-east1",service="mynamespace/nginx",state="healthy"} 1.0' in text
    )
    assert re.search(r"^fedns_convergence_seconds_count [1-9]", text, re.MULTILINE)


def test_ctrl_c_ends_everything_cleanly(demo: Demo) -> None:
    demo.process.send_signal(signal.SIGINT)
    assert demo.process.wait(PATIENCE) == 0
    for address, port in (("127.0.0.12", demo.backend), ("127.0.0.1", demo.admin)):
        with pytest.raises(OSError, match="refused"):
            socket.create_connection((address, port), timeout=1)
    assert os.path.isdir(demo.log.parent / "demo" / "state")
