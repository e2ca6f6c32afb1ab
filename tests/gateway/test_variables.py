"""Texts with variables."""

import pytest

from fedns.gateway import variables
from tests.gateway.ingresses import request


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("plain", "plain"),
        ("$host", "h"),
        ("${host}name", "hname"),
        ("$scheme://$http_host$request_uri", "http://H:80/a?b=c%20d"),
        ("$uri$is_args$args", "/a?b=c%20d"),
        ("$arg_b-$arg_none", "c%20d-"),
        ("$http_x_user|$cookie_id", "jo|7"),
        ("$request_method $remote_addr", "GET 192.0.2.1"),
        ("$escaped_request_uri", "%2Fa%3Fb%3Dc%2520d"),
        ("costs 5$", "costs 5$"),
        ("$1", "$1"),
    ],
)
def test_texts(text: str, filled: str) -> None:
    head = request("H:80", "/a?b=c%20d", ("X-User", "jo"), ("Cookie", "id=7"))
    head.client = "192.0.2.1"
    assert variables.fill(variables.parse(text), head).decode() == filled


@pytest.mark.parametrize("text", ["$nope", "${text}", "$http_", "$upstream_addr"])
def test_what_is_not_known(text: str) -> None:
    with pytest.raises(ValueError, match="is not known"):
        variables.parse(text)
