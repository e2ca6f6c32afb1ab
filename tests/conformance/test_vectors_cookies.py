"""Server cookies as RFC 9018 and others compute them; lengths that RFC 7873 calls malformed."""

import ipaddress
from typing import Any

import pytest

from fedns.dns import cookie
from tests.conformance import vectors

PREVIOUS = bytes.fromhex("dd3bdf9344b678b185a6f5cb60fca715")  # of RFC 9018 appendix A.4, told in its text
RENEWED = ("A.2", "A.4", "unbound a3_better")  # the cookie was good


def _cases() -> list[Any]:
    return [pytest.param(each, id=each["id"]) for each in vectors.load("dns_cookies_rfc9018")["vectors"]]


@pytest.mark.parametrize("vector", _cases())
def test_the_vectors_of_others(vector: dict[str, Any]) -> None:
    data = bytes.fromhex(vector["request_cookie"])
    if "expect_rcode" in vector:
        assert not cookie.sound(data)
        return
    assert cookie.sound(data)
    address = ipaddress.ip_address(vector["client_ip"]).packed
    jar = cookie.Jar([bytes.fromhex(vector["server_secret"]), PREVIOUS], vector["now"])
    seen = jar.look(data, address)
    assert seen and seen.option[4:].hex() == vector["expect_cookie"]
    assert seen.valid == (vector["id"] in RENEWED)
