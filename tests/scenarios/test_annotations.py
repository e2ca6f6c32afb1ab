"""Annotations over a fleet: what they ask for is done by `fedns serve` with two workers, for Services that
live in two members, with Secrets that lie in the fleet."""

import base64
import http.client
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.proxy import backends
from tests.scenarios import test_gateway, world
from tests.scenarios.test_gateway import ADDRESSES, SERVICE, SLICE, Backend, Served, Shop

HOSTS = ("retried", "copied", "guarded", "limited", "replaced")
INGRESS = """apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: {name}
  namespace: store
  annotations: {{{annotations}}}
spec:
  rules:
  - host: {name}.example.com
    http:
      paths:
      - {{path: /, pathType: Prefix, backend: {{service: {{name: shop, port: {{number: 80}}}}}}}}
"""
ANNOTATIONS = {
    "retried": 'nginx.ingress.kubernetes.io/proxy-next-upstream: "error timeout http_503"',
    "copied": 'mse.ingress.kubernetes.io/mirror-target-service: "store/shadow:80"',
    "guarded": "nginx.ingress.kubernetes.io/auth-type: basic, nginx.ingress.kubernetes.io/auth-secret: users",
    "limited": (
        'nginx.ingress.kubernetes.io/limit-rpm: "1", nginx.ingress.kubernetes.io/limit-burst-multiplier: "30"'
    ),
    "replaced": (
        'nginx.ingress.kubernetes.io/custom-http-errors: "503",'
        " nginx.ingress.kubernetes.io/default-backend: shadow"
    ),
}
SECRET = """apiVersion: v1
kind: Secret
metadata: {name: users, namespace: store}
type: Opaque
stringData: {auth: "jo:$apr1$cNZDxy7S$5tkIlZ8skg66dezFXgdeh/"}
"""
JO = {"Authorization": "Basic " + base64.b64encode(b"jo:secret").decode()}


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    made = Shop(tmp_path)
    try:
        for name, annotations in ANNOTATIONS.items():
            made.put(f"fleet/{name}.yaml", INGRESS.format(name=name, annotations=annotations))
        made.put("fleet/users.yaml", SECRET)
        for backend in made.backends.values():
            world.until(backend.up, "a backend")
        yield made
    finally:
        for backend in made.backends.values():
            backend.end()


def _ask(served: Served, name: str, headers: dict[str, str] | None = None) -> tuple[int, str]:
    client = http.client.HTTPConnection("127.0.0.1", served.http, timeout=world.LONG)
    try:
        client.request("GET", "/", headers={"Host": f"{name}.example.com", **(headers or {})})
        reply = client.getresponse()
        return reply.status, reply.read().decode().strip()
    finally:
        client.close()


def _tell(backend: Backend, word: str) -> None:
    client = http.client.HTTPConnection("127.0.0.1", backend.port, timeout=world.LONG)
    client.request("POST", f"/{word}")
    client.getresponse().read()
    client.close()


def _shadows(shop: Shop, shadow: backends.Backend) -> None:
    """A Service in both members."""
    for name, address in ADDRESSES.items():
        text = SERVICE.format(address=address) + "---\n" + SLICE.format(port=shadow.port, ready="true")
        shop.put(f"members/{name}/shadow.yaml", text.replace("shop", "shadow"))


def test_what_annotations_ask_for(shop: Shop) -> None:
    def page(backend: backends.Backend, wire: backends.Wire) -> None:
        while True:
            backend.messages.append(wire.message())
            if backend.name == "hangs":
                time.sleep(world.LONG)
            wire.reply(b"page", b"503 Sorry")

    with backends.running(("page", page), ("hangs", page)) as (shadow, hangs):
        _shadows(shop, shadow)
        with test_gateway.serving_shop(shop) as served:
            served.agree("east", "west")
            world.until(lambda: _ask(served, "guarded", JO)[0] == 200, "the Secret is known")
            assert _ask(served, "guarded")[0] == 401
            limited = Counter(_ask(served, "limited")[0] for _ in range(50))
            assert limited == {200: 30, 503: 20}, "two workers, one limit"
            copied = [_ask(served, "copied")[0] for _ in range(20)]
            assert copied == [200] * 20
            world.until(lambda: len(shadow.messages) == 20, "the copies")
            _tell(shop.backends["west"], "fail")
            assert {_ask(served, "retried") for _ in range(20)} == {(200, "hello from east")}
            told = {_ask(served, "replaced") for _ in range(20)}
            assert told <= {(200, "hello from east"), (503, "page")}
            _tell(shop.backends["west"], "heal")
            _shadows(shop, hangs)
            world.until(lambda: _ask(served, "copied") and hangs.messages, "the mirror that hangs")
            began = time.monotonic()
            assert {_ask(served, "copied")[0] for _ in range(200)} == {200}
            assert time.monotonic() - began < 10.0
