"""The gateway's part of fedns.yaml."""

import pytest

from fedns import config, portal
from fedns.gateway.terms import Terms

_BASE = "federation: f\ndomain: example.com\nstate: /tmp\n"


def _read(text: str) -> config.Loaded:
    return config.parse((_BASE + text).encode())


def test_nothing_said_is_no_gateway_and_usual_terms() -> None:
    found = _read("").config
    assert found is not None and not found.gateway.serves
    assert portal.agreed(found.gateway) == Terms()


def test_everything_said_reaches_the_workers() -> None:
    found = _read(
        """gateway:
  listen: ["127.0.0.1:8080"]
  tls: ["127.0.0.1:8443"]
  workers: 3
  trusted: [10.0.0.0/8, "2001:db8::/32"]
  proxy_protocol: true
  forwarded: true
  limits: {head: 32k, body: 1m, per_client: 0, idle: 30s, streams: 50}
  access_log: {format: json, file: /tmp/access.log}
"""
    ).config
    assert found is not None and found.gateway.serves and found.gateway.workers == 3
    agreed = portal.agreed(found.gateway)
    assert (agreed.head, agreed.body, agreed.per_client, agreed.idle) == (32 << 10, 1 << 20, 0, 30.0)
    assert agreed.streams == 50
    assert agreed.trusted == ((4, 10 << 24, 24), (6, b"\x20\x01\x0d\xb8" + bytes(12), 96))
    assert (agreed.proxied, agreed.forwarded, agreed.log) == (True, True, "json")
    assert agreed.log_path == "/tmp/access.log"


@pytest.mark.parametrize(
    "text", ["limits: {head: many}", "limits: {frob: 1}", "access_log: {format: xml}", "trusted: [somewhere]"]
)
def test_what_cannot_be_is_a_problem(text: str) -> None:
    found = _read(f'gateway: {{listen: ["127.0.0.1:8080"], {text}}}\n')
    assert found.config is None and len(found.problems) == 1


def test_where_it_is_reached_and_where_it_is() -> None:
    more = (
        "gateway: {publish: [192.0.2.7, LB.example.net.], service: gateway, place: {region: eu, zone: eu-1}}"
    )
    found = _read(more).config
    assert found is not None and found.gateway.publish == ("192.0.2.7", "lb.example.net")
    assert (found.gateway.service, found.gateway.place) == ("gateway", portal.Place("", "eu", "eu-1"))
    (problem,) = _read("gateway: {publish: ['a b']}").problems
    assert "is not a domain name" in problem.what
