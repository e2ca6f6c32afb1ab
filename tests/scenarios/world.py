"""A small fleet on disk, `fedns serve` over it, and what a client and an operator see of it.

Five members (the listing of the federated-services article), one service each, an outside zone. Law: real
processes, real sockets on loopback, ports that are free; deadlines, never paces.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dns.exception
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype

from tests.bench import serving
from tests.servers import running

FEDNS = [sys.executable, "-m", "fedns.cli.main"]
LONG, until = running.LONG, running.until
"""Seconds to wait for an effect; a start on a busy machine takes several."""
ADMIN = "127.0.0.53"
"""Not 127.0.0.1: no client's ephemeral port may take the admin port while control is down."""
PORTS = 24
"""Questions in a row, each from its own port, that no worker of two is left out of (once in 8 million)."""
SERVICE = "nginx.mynamespace.myfederation.svc"
GLOBAL = f"{SERVICE}.example.com"
ADDRESSES = {
    "us-central1-a": "104.197.117.10",
    "us-central1-b": "104.197.74.77",
    "us-central1-f": "104.197.38.157",
    "asia-east1-c": "104.155.41.93",
    "europe-west1-b": "130.211.57.243",
}
"""Zone of the member `gce-ZONE` -> its load balancer; Europe has no ready endpoint."""
SERVING = frozenset(address for zone, address in ADDRESSES.items() if zone != "europe-west1-b")
SHARD = """apiVersion: v1
kind: Service
metadata: {{name: {name}, namespace: mynamespace}}
spec: {{type: LoadBalancer, ports: [{{name: http, port: 80, protocol: TCP}}]}}
status: {{loadBalancer: {{ingress: {ingress}}}}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: {name}-1, namespace: mynamespace, labels: {{kubernetes.io/service-name: {name}}}}}
addressType: IPv4
endpoints: [{{addresses: [10.0.0.1], zone: "{zone}", conditions: {{ready: {ready}}}}}]
"""
ZONE = """$TTL 300
@ SOA ns1.example.com. hostmaster.acme.com. 1 3600 900 86400 60
@ NS ns1.example.com.
eu.nginx CNAME nginx.mynamespace.myfederation.svc.europe-west1.example.com.
www A 192.0.2.80
"""
MEMBER = "  - {{name: gce-{0}, region: {1}, zones: [{0}], manifests: members/gce-{0}/}}\n"
POLICY = """apiVersion: fedns.io/v1alpha1
kind: TrafficPolicy
metadata: {name: nginx, namespace: mynamespace}
spec: {targetRef: {kind: Service, name: nginx}, ttl: {min: 180s, max: 180s}}
"""


def place(zone: str) -> str:
    """Name at a place: `us-central1` or `us-central1-a`."""
    return f"{SERVICE}.{zone}.example.com"


def shard(addresses: Iterable[str], zone: str = "", ready: bool = True, name: str = "nginx") -> str:
    """A Service and its EndpointSlice, as one file."""
    ingress = json.dumps([{"ip": address} for address in addresses])
    return SHARD.format(name=name, ingress=ingress, zone=zone, ready=json.dumps(ready))


class World:
    """The directories and the configuration under `root`."""

    def __init__(self, root: Path) -> None:
        self.root, self.config = root, root / "fedns.yaml"
        self.admin = serving.free_port(ADMIN)
        for zone, address in ADDRESSES.items():
            self.write(zone, [address], ready=zone != "europe-west1-b")
        self.put("zones/acme.com.zone", ZONE)
        self.put("fleet/nginx.yaml", POLICY)
        self.configure()

    def configure(self, more: str = "", workers: int = 2) -> None:
        rows = "".join(map(MEMBER.format, ADDRESSES, (zone[:-2] for zone in ADDRESSES)))
        text = (
            "federation: myfederation\ndomain: example.com\nnameservers: {ns1.example.com: [127.0.0.1]}\n"
            f"state: ./state\nzones: [zones/]\nfleet: {{manifests: fleet/}}\nmembers:\n{rows}"
            f'dns: {{listen: ["127.0.0.1:0"], workers: {workers}}}\n'
            f'admin: {{listen: "{ADMIN}:{self.admin}"}}\n{more}'
        )
        self.put("fedns.yaml", text)

    def put(self, path: str, text: str) -> None:
        """Writes a file, whole or not at all."""
        target, fresh = self.root / path, self.root / "fresh"
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh.write_text(text)
        os.replace(fresh, target)

    def write(self, zone: str, addresses: Iterable[str], ready: bool = True, name: str = "nginx") -> None:
        """The shard of one member."""
        self.put(f"members/gce-{zone}/{name}.yaml", shard(addresses, zone, ready, name))

    @property
    def log(self) -> str:
        return (self.root / "serve.log").read_text()


class Served:
    """A running `fedns serve`."""

    def __init__(self, world: World, process: subprocess.Popen[bytes], begun: float) -> None:
        self.world, self.process, self.begun = world, process, begun
        self.state = world.root / "state"
        until(lambda: self.told() or process.poll() is not None, "serve.json")
        assert process.poll() is None, world.log
        self.port = int((self.told()["listen"] or [[ADMIN, 0]])[0][1])

    def told(self) -> dict[str, Any]:
        """What this instance told of itself; several may share the directory."""
        for path in self.state.glob("serve*.json"):
            with contextlib.suppress(FileNotFoundError):
                told: dict[str, Any] = json.loads(path.read_text())
                if told["pid"] == self.process.pid:
                    return told
        return {}

    def child(self, name: str) -> int:
        return int(self.told().get("children", {}).get(name, 0))

    def kill(self, name: str) -> int:
        """kill -9 of a child; its process id."""
        pid = self.child(name)
        os.kill(pid, signal.SIGKILL)
        return pid

    def replaced(self, name: str, old: int) -> None:
        until(lambda: self.child(name) not in (0, old), f"a new {name}")

    def ask(
        self, name: str, rtype: str = "A", tcp: bool = False, timeout: float = 2.0
    ) -> dns.message.Message:
        query = dns.message.make_query(name, rtype, use_edns=0, payload=1232)
        exchange = dns.query.tcp if tcp else dns.query.udp
        return exchange(query, "127.0.0.1", timeout=timeout, port=self.port)

    def answer(self, name: str, rtype: str = "A", tcp: bool = False) -> tuple[str, ...]:
        """`CNAME TARGET` in order, then `A ADDRESS` sorted; the rcode where there is no record."""
        try:
            return answer(self.ask(name, rtype, tcp))
        except (OSError, dns.exception.Timeout) as error:
            return (f"no reply: {error}",)

    def shows(self, name: str, expected: tuple[str, ...], what: str = "") -> None:
        """Waits until every worker answers so."""
        until(lambda: all(self.answer(name) == expected for _ in range(PORTS)), f"{name} {expected} {what}")

    def api(self, path: str) -> Any:
        with urllib.request.urlopen(f"http://{ADMIN}:{self.world.admin}{path}", timeout=LONG) as reply:
            data: bytes = reply.read()
        return json.loads(data) if path.startswith("/api") else data.decode()

    def problems(self) -> str:
        """All problems as text; empty too while control is away."""
        try:
            return "\n".join(
                f"{one['source']}: {one['where']}: {one['what']}"
                for one in self.api("/api/v1/problems")["items"]
            )
        except OSError:
            return ""

    def up(self) -> bool:
        """Whether control answers."""
        try:
            return bool(self.api("/healthz"))
        except OSError:
            return False

    def fedns(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [*FEDNS, *words, "--admin", f"{ADMIN}:{self.world.admin}"]
        wide = {**os.environ, "COLUMNS": "400"}  # nothing is folded
        return subprocess.run(command, capture_output=True, text=True, timeout=LONG, check=False, env=wide)


def answer(message: dns.message.Message) -> tuple[str, ...]:
    if not message.answer:
        return (dns.rcode.to_text(message.rcode()),)
    chain = [f"CNAME {r[0].target}" for r in message.answer if r.rdtype == dns.rdatatype.CNAME]
    rest = [r for r in message.answer if r.rdtype != dns.rdatatype.CNAME]
    return (*chain, *sorted(f"{dns.rdatatype.to_text(r.rdtype)} {item}" for r in rest for item in r))


def records(addresses: Iterable[str], *chain: str) -> tuple[str, ...]:
    """What `answer` says of these addresses behind this chain of aliases."""
    return (*(f"CNAME {target}." for target in chain), *sorted(f"A {address}" for address in addresses))


@contextmanager
def serve(world: World, *options: str) -> Iterator[Served]:
    """`fedns serve` until the end of the block."""
    command = [*FEDNS, "serve", "--config", str(world.config), *options]
    with (world.root / "serve.log").open("ab") as log:
        begun = time.monotonic()
        process = subprocess.Popen(command, cwd=serving.ROOT, stdout=log, stderr=log)
        try:
            yield Served(world, process, begun)
        finally:
            if process.poll() is None:
                process.terminate()
            process.wait(LONG)


@contextmanager
def settled(world: World) -> Iterator[Served]:
    """`serve`, once every worker has the answers of the world as it was first written."""
    with serve(world) as served:
        served.shows(GLOBAL, records(SERVING), "at first")
        yield served
