"""Heads of requests: what is read, and what is refused."""

import pytest

from fedns.gateway import head, normal
from tests.gateway.ingresses import request

HOST = (b"host", b"h")


def test_fields_cookies_and_parameters() -> None:
    made = request(
        "h", "/a?x=1&y=&x=2&zz=%20", ("Cookie", "a=1; bb=2 ;c"), ("X-A", "1"), ("x-a", "2"), ("cookie", "d=4")
    )
    assert made.get(b"x-a") == b"1" and made.get(b"none") is None
    assert [made.cookie(name) for name in (b"a", b"bb", b"c", b"d", b"b")] == [b"1", b"2", b"", b"4", None]
    assert [made.argument(name) for name in (b"x", b"y", b"zz", b"z")] == [b"1", b"", b"%20", None]
    assert request("h", "/").argument(b"x") is None


@pytest.mark.parametrize(
    ("method", "target", "fields", "old"),
    [
        (b"GET", b"/", (), False),
        (b"GET", b"/", (HOST, HOST), False),
        (b"GET", b"/", (HOST, (b"host", b"i")), True),
        (b"GET", b"/", ((b"host", b"a b"),), False),
        (b"GET", b"*", (HOST,), False),
        (b"GET", b"http://other/", (HOST,), False),
        (b"GET", b"http://u@h/", (HOST,), False),
        (b"CONNECT", b"h:443", (HOST,), False),
    ],
)
def test_refusals(method: bytes, target: bytes, fields: head.Fields, old: bool) -> None:
    with pytest.raises(normal.Rejected):
        head.read(method, target, fields, old=old)


def test_old_requests_may_lack_a_host() -> None:
    assert head.read(b"GET", b"/", (), old=True).host == b""
    assert head.read(b"GET", b"http://h/", (), old=True).host == b"h"


def test_options_of_everything() -> None:
    assert head.read(b"OPTIONS", b"*", (HOST,)).path == b"*"
