"""How backends are spoken to, by options, by port, and for WebSockets."""

import pytest

from fedns.gateway import variables
from fedns.gateway.head import Head
from fedns.gateway.options import Options, Upstream
from fedns.gateway.route import Endpoint
from fedns.proxy import manner
from fedns.proxy.outbound import Key

HEAD = Head(b"GET", b"shop.example.com", b"/", b"/", None, ())


def key(upstream: Upstream, websocket: bool = False, h2c: bool = False) -> Key:
    return manner.key(Options(upstream=upstream), HEAD, websocket, Endpoint("10.0.0.1", 80, "a", b"t", h2c))


@pytest.mark.parametrize(
    ("protocol", "h2c", "websocket", "shared"),
    [
        ("http", False, False, False),
        ("http", True, False, True),
        ("http", True, True, False),
        ("auto", True, False, True),
        ("auto", False, False, False),
        ("h2c", False, False, True),
        ("grpc", False, True, False),
        ("https", True, False, False),
        ("grpcs", False, False, True),
    ],
)
def test_which_version_of_http(protocol: str, h2c: bool, websocket: bool, shared: bool) -> None:
    assert key(Upstream(protocol=protocol), websocket, h2c).shared is shared


@pytest.mark.parametrize(
    ("upstream", "name"),
    [
        (Upstream(protocol="https"), ""),
        (Upstream(protocol="https", sni=True), "shop.example.com"),
        (
            Upstream(protocol="https", verify=True, vhost=variables.parse("in.example:8443")),
            "in.example",
        ),
        (Upstream(protocol="https", sni=True, name=b"db.example.com"), "db.example.com"),
        (Upstream(protocol="http", sni=True), ""),
    ],
)
def test_which_name_over_tls(upstream: Upstream, name: str) -> None:
    made = key(upstream)
    assert (made.name, made.upstream) == (name, upstream if upstream.protocol == "https" else None)
