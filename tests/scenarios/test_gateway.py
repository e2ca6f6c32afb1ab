"""The gateway over a fleet of two members: real processes, an Ingress in the fleet, backends that come and
go. DNS and the gateway agree at each step."""

import http.client
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.bench import serving
from tests.scenarios import world

NAME = "shop.store.fed.svc.example.com"
ADDRESSES = {"east": "192.0.2.1", "west": "192.0.2.2"}
SERVICE = """apiVersion: v1
kind: Service
metadata: {{name: shop, namespace: store}}
spec: {{type: LoadBalancer, ports: [{{name: http, port: 80}}]}}
status: {{loadBalancer: {{ingress: [{{ip: {address}}}]}}}}
"""
SLICE = """apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: shop-1, namespace: store, labels: {{kubernetes.io/service-name: shop}}}}
addressType: IPv4
ports: [{{name: http, port: {port}}}]
endpoints: [{{addresses: [127.0.0.1], conditions: {{ready: {ready}}}}}]
"""
INGRESS = """apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {{name: shop, namespace: store}}
spec:
  rules:
  - host: {host}
    http:
      paths:
      - {{path: /, pathType: Prefix, backend: {{service: {{name: shop, port: {{number: 80}}}}}}}}
"""
HOST = "shop.example.com"


class Shop(world.World):
    """Two members with one backend each, at its own port of loopback."""

    def __init__(self, root: Path) -> None:
        self.root, self.config = root, root / "fedns.yaml"
        self.admin = serving.free_port(world.ADMIN)
        self.backends = {name: Backend(name) for name in ADDRESSES}
        row = "  - {{name: {0}, region: {0}, manifests: members/{0}/}}\n"
        rows = "".join(map(row.format, ADDRESSES))
        self.put(
            "fedns.yaml",
            "federation: fed\ndomain: example.com\nnameservers: {ns1.example.com: [127.0.0.1]}\n"
            f"state: ./state\nfleet: {{manifests: fleet/}}\nmembers:\n{rows}"
            'dns: {listen: ["127.0.0.1:0"], workers: 2}\n'
            f'admin: {{listen: "{world.ADMIN}:{self.admin}"}}\n'
            'gateway: {listen: ["127.0.0.1:0"], workers: 2}\n',
        )
        self.put("fleet/shop.yaml", INGRESS.format(host=HOST))
        for name, address in ADDRESSES.items():
            self.put(f"members/{name}/shop.yaml", SERVICE.format(address=address))
            self.ready(name)

    def ready(self, member: str, is_it: bool = True) -> None:
        text = SLICE.format(port=self.backends[member].port, ready=str(is_it).lower())
        self.put(f"members/{member}/slice.yaml", text)


class Backend:
    """A process that says its name."""

    def __init__(self, name: str) -> None:
        self.port = serving.free_port("127.0.0.1")
        command = [sys.executable, "-m", "fedns.cli.demo_backends", f"{name}=127.0.0.1:{self.port}"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, cwd=serving.ROOT)

    def end(self) -> None:
        """kill -9; also of one that has ended."""
        self.process.kill()
        self.process.communicate(timeout=world.LONG)

    def up(self) -> bool:
        try:
            return ask(self.port)[0] == 200
        except OSError:
            return False


def asked(port: int, requests: int, host: str = HOST) -> Iterator[tuple[int, str]]:
    """Status and body of so many GETs, over one connection."""
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=world.LONG)
    try:
        for _ in range(requests):
            client.request("GET", "/", headers={"Host": host})
            reply = client.getresponse()
            yield reply.status, reply.read().decode().strip()
    finally:
        client.close()


def ask(port: int, host: str = HOST) -> tuple[int, str]:
    return next(asked(port, 1, host))


class Served(world.Served):
    """`fedns serve` with a gateway."""

    @property
    def http(self) -> int:
        return int(self.told()["gateway"][0][1])

    def get(self, host: str = HOST) -> tuple[int, str]:
        return ask(self.http, host)

    def counted(self, requests: int) -> Counter[tuple[int, str]]:
        return Counter(self.get() for _ in range(requests))

    def agree(self, *members: str) -> None:
        """DNS answers with these members, and the gateway goes to them and to no other."""
        self.shows(NAME, world.records(ADDRESSES[member] for member in members), "for the gateway")
        wanted = {(200, f"hello from {member}") for member in members}
        world.until(lambda: set(self.counted(20)) == wanted, f"the gateway goes to {members}")


@contextmanager
def serving_shop(shop: Shop) -> Iterator[Served]:
    with world.serve(shop) as plain:
        yield Served(shop, plain.process, plain.begun)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    made = Shop(tmp_path)
    try:
        for backend in made.backends.values():
            world.until(backend.up, "a backend")
        yield made
    finally:
        for backend in made.backends.values():
            backend.end()


def test_traffic_follows_the_replicas_of_the_members(shop: Shop) -> None:
    with serving_shop(shop) as served:
        served.agree("east", "west")
        counts = Counter(asked(served.http, 10_000))
        assert set(counts) == {(200, "hello from east"), (200, "hello from west")}
        assert all(abs(count - 5000) <= 200 for count in counts.values()), counts  # 50/50 within 2 %
        shop.ready("east", False)
        served.agree("west")
        shop.ready("east")
        served.agree("east", "west")


def test_no_request_fails_when_a_backend_dies_unannounced(shop: Shop) -> None:
    with serving_shop(shop) as served:
        served.agree("east", "west")
        shop.backends["west"].end()
        assert served.counted(200) == {(200, "hello from east"): 200}


def test_routes_change_without_a_restart_and_outlive_one(shop: Shop) -> None:
    with serving_shop(shop) as served:
        served.agree("east", "west")
        assert served.get("other.example.com")[0] == 404
        shop.put("fleet/shop.yaml", INGRESS.format(host="other.example.com"))
        world.until(lambda: served.get("other.example.com")[0] == 200, "the other host")
        assert served.get()[0] == 404
        shop.put("fleet/shop.yaml", "kind: Ingress\n  apiVersion: [\n")
        world.until(lambda: "shop.yaml" in served.problems(), "the problem")
        assert served.get("other.example.com")[0] == 200
    with serving_shop(shop) as served:
        world.until(lambda: served.get("other.example.com")[0] == 200, "what was known before the restart")


def test_what_it_did_and_what_it_would_do_is_told(shop: Shop) -> None:
    with serving_shop(shop) as served:
        served.agree("east", "west")
        assert served.get("other.example.com")[0] == 404
        url = f"http://{HOST}:{served.http}/cart"
        told = served.api(f"/api/v1/explain/request?url={url}&header=x-a:1")
        assert told["status"] == 0 and {one["member"] for one in told["candidates"]} == {"east", "west"}
        ports = {name: f"127.0.0.1:{backend.port}" for name, backend in shop.backends.items()}
        assert told["endpoint"] == ports[told["member"]]
        assert all(one["seen"]["tries"] for one in told["candidates"])
        (route,) = served.api(f"/api/v1/routes?host={HOST}")["items"]
        assert (route["service"], route["serving"]) == ("store/shop", ["east", "west"])
        text = served.api("/metrics")
        for member in ADDRESSES:
            labels = f'code="200",member="{member}",route="store/shop {HOST}/"'
            assert f"fedns_gateway_requests_total{{{labels}}}" in text, text
        shop.ready("east", False)
        served.agree("west")
        (route,) = served.api(f"/api/v1/routes?host={HOST}")["items"]
        assert route["serving"] == ["west"]
        told = served.api(f"/api/v1/explain/request?url={url}")
        (east,) = [one for one in told["candidates"] if one["member"] == "east"]
        assert (east["tier"], east["endpoints"][0]["state"]) == (0, "not ready")
