"""Ingresses as users have them: certificates in Secrets, passwords, a default backend, and a cluster without
EndpointSlices, through a whole `fedns serve`."""

import base64
import json
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from fedns.gateway.route import Certificate
from tests.bench import serving
from tests.proxy import authorities, backends
from tests.proxy.gateways import Client
from tests.scenarios import shops, world

CA = authorities.make()
SECRET = """apiVersion: v1
kind: Secret
metadata: {{name: {name}, namespace: store}}
type: {kind}
data: {data}
"""
INGRESS = """apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {{name: {name}, namespace: store, annotations: {annotations}}}
spec: {spec}
"""
ENDPOINTS = """apiVersion: v1
kind: Service
metadata: {{name: shop, namespace: store}}
spec: {{type: LoadBalancer, ports: [{{name: http, port: 80}}]}}
status: {{loadBalancer: {{ingress: [{{ip: {address}}}]}}}}
---
apiVersion: v1
kind: Endpoints
metadata: {{name: shop, namespace: store}}
subsets:
- addresses: [{{ip: 127.0.0.1}}]
  ports: [{{name: http, port: {port}}}]
"""


class Fleet(shops.Shops):
    """Two members: one has EndpointSlices, the other has the objects that came before."""

    def configure(self, more: str = "", workers: int = 2) -> None:
        super().configure(more, workers)
        text = self.config.read_text().replace("gateway: {", 'gateway: {tls: ["127.0.0.1:0"], ')
        self.put("fedns.yaml", text)

    def secret(self, name: str, kind: str, **data: bytes) -> None:
        told = {key.replace("_", "."): base64.b64encode(value).decode() for key, value in data.items()}
        self.put(f"fleet/secret-{name}.yaml", SECRET.format(name=name, kind=kind, data=json.dumps(told)))

    def certificate(self, name: str, made: Certificate) -> None:
        self.secret(name, "kubernetes.io/tls", tls_crt=made.chain, tls_key=made.key)

    def object(self, name: str, spec: object, **annotations: str) -> None:
        told = {
            f"nginx.ingress.kubernetes.io/{key.replace('_', '-')}": text for key, text in annotations.items()
        }
        self.put(
            f"fleet/{name}.yaml",
            INGRESS.format(name=name, annotations=json.dumps(told), spec=json.dumps(spec)),
        )


class Served(shops.Served):
    @property
    def https(self) -> int:
        return int(self.told()["gateway"][1][1])

    @contextmanager
    def secured(self, name: str) -> Iterator[Client]:
        context = ssl.create_default_context(cadata=CA.pem.decode())
        with (
            socket.create_connection(("127.0.0.1", self.https), backends.LONG) as plain,
            context.wrap_socket(plain, server_hostname=name) as sock,
        ):
            yield Client(sock, bytearray())

    def shown(self, name: str) -> str:
        """The common name of the certificate for a host; else why there is none."""
        try:
            with self.secured(name) as client:
                assert isinstance(client.sock, ssl.SSLSocket)
                told = client.sock.getpeercert() or {}
        except OSError as error:
            return str(error)
        return str(dict(pair for group in told["subject"] for pair in group)["commonName"])


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with backends.running("east-1", "west-1", "spare-1") as (east, west, spare):
        made = Fleet(tmp_path_factory.mktemp("ingress"), ("east", "west"), serving.free_port())
        ready = [{"addresses": ["127.0.0.1"], "conditions": {"ready": True}}]
        for member, name, backend in (("east", "shop", east), ("east", "spare", spare)):
            text = shops.SERVICE.format(
                name=name, address=shops.address(member), port=backend.port, endpoints=json.dumps(ready)
            )
            made.put(f"members/{member}/{name}.yaml", text)
        made.put("members/west/shop.yaml", ENDPOINTS.format(address=shops.address("west"), port=west.port))
        yield made


@pytest.fixture(scope="module")
def served(fleet: Fleet) -> Iterator[Served]:
    fleet.routes("shop")
    with world.serve(fleet) as plain:
        yield Served(fleet, plain.process, plain.begun)


def test_a_member_without_slices_serves_like_any_other(served: Served) -> None:
    served.agrees("east", "west")


def test_certificates_come_from_secrets_and_change_without_a_cut(fleet: Fleet, served: Served) -> None:
    fleet.certificate("one", CA.issue("first", "one.example.com"))
    fleet.certificate("any", CA.issue("wild", "*.example.net"))
    rules = [
        {"host": host, "http": {"paths": [shops.path()]}} for host in ("one.example.com", "*.example.net")
    ]
    tls = [
        {"hosts": ["one.example.com"], "secretName": "one"},
        {"hosts": ["*.example.net"], "secretName": "any"},
    ]
    fleet.object("tls", {"rules": rules, "tls": tls})
    world.until(lambda: served.shown("one.example.com") == "first", "the certificate")
    assert served.shown("a.example.net") == "wild"
    assert served.who(1, host="one.example.com") == {"308": 1}
    asked = b"GET / HTTP/1.1\r\nHost: one.example.com\r\n\r\n"
    with served.secured("one.example.com") as client:
        client.send(asked)
        assert client.message().line == b"HTTP/1.1 200 OK"
        fleet.certificate("one", CA.issue("second", "one.example.com"))
        world.until(lambda: served.shown("one.example.com") == "second", "the new certificate")
        client.send(asked)
        assert client.message().line == b"HTTP/1.1 200 OK"
        fleet.secret("one", "kubernetes.io/tls", tls_crt=b"broken", tls_key=b"broken")
        world.until(lambda: "one" in served.problems(), "the problem")
        client.send(asked)
        assert client.message().line == b"HTTP/1.1 200 OK"


def test_a_certificate_for_no_host_is_for_all_others(fleet: Fleet, served: Served) -> None:
    assert "UNRECOGNIZED" in served.shown("nobody.example.org").upper()
    fleet.certificate("spare", CA.issue("default", "nobody.example.org"))
    backend = {"service": {"name": "spare", "port": {"name": "http"}}}
    fleet.object("default", {"defaultBackend": backend, "tls": [{"secretName": "spare"}]})
    world.until(lambda: served.shown("nobody.example.org") == "default", "the default certificate")
    with served.secured("nobody.example.org") as client:
        client.send(b"GET / HTTP/1.1\r\nHost: nobody.example.org\r\n\r\n")
        assert client.message().body == b"spare-1"
    fleet.without("fleet/default.yaml")
    world.until(lambda: "UNRECOGNIZED" in served.shown("nobody.example.org").upper(), "none any more")


def test_passwords_come_from_secrets(fleet: Fleet, served: Served) -> None:
    fleet.secret("people", "Opaque", auth=b"ada:{PLAIN}lovelace\n")
    rule = {"host": "private.example.com", "http": {"paths": [shops.path()]}}
    fleet.object("private", {"rules": [rule]}, auth_type="basic", auth_secret="people")
    world.until(lambda: served.who(1, host="private.example.com") == {"401": 1}, "the guard")
    known = "Basic " + base64.b64encode(b"ada:lovelace").decode()
    assert set(served.members(20, host="private.example.com", authorization=known)) == {"east", "west"}
    fleet.without("fleet/secret-people.yaml")
    world.until(
        lambda: served.who(1, host="private.example.com", authorization=known) == {"503": 1}, "no door"
    )


def test_whoever_has_no_rule_goes_to_the_default_backend(fleet: Fleet, served: Served) -> None:
    assert served.who(1, host="nobody.example.com") == {"404": 1}
    fleet.object("all", {"defaultBackend": {"service": {"name": "spare", "port": {"name": "http"}}}})
    world.until(lambda: served.who(1, host="nobody.example.com") == {"spare-1": 1}, "the default backend")
    assert set(served.members(20)) == {"east", "west"}
    fleet.without("fleet/all.yaml")
    world.until(lambda: served.who(1, host="nobody.example.com") == {"404": 1}, "none any more")
