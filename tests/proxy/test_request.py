"""What the fields of a request say about it."""

import pytest

from fedns.gateway.normal import Rejected
from fedns.proxy import framing
from fedns.proxy.request import Request

_CODED = (b"transfer-encoding", b"chunked")


def made(fields: list[framing.Field], method: bytes = b"POST") -> Request:
    request = Request()
    request.method, request.target, request.headers, request.marked = method, b"/", fields, fields
    return request


@pytest.mark.parametrize(
    ("fields", "length"),
    [
        ([], framing.NO_BODY),
        ([(b"content-length", b"0")], 0),
        ([(b"content-length", b"12 ")], 12),
        ([(b"transfer-encoding", b" Chunked\t")], framing.CHUNKED),
    ],
)
def test_how_a_body_ends(fields: list[framing.Field], length: int) -> None:
    request = made(fields)
    request.read("1.1", False)
    assert request.length == length and request.bare == (length in (framing.NO_BODY, 0))


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ([(b"transfer-encoding", b"gzip, chunked")], 400),
        ([(b"transfer-encoding", b"\x0bchunked")], 400),
        ([_CODED, _CODED], 400),
        ([(b"transfer-encoding", b"gzip")], 501),
    ],
)
def test_codings_that_are_not_just_chunked(fields: list[framing.Field], status: int) -> None:
    with pytest.raises(Rejected) as no:
        made(fields).read("1.1", False)
    assert no.value.status == status


def test_http_1_0_knows_no_transfer_codings() -> None:
    with pytest.raises(Rejected):
        made([_CODED]).read("1.0", False)


def test_other_versions_methods_and_upgrades_with_bodies() -> None:
    for request, version, upgrade, status in (
        (made([]), "2.0", False, 505),
        (made([], b"CONNECT"), "1.1", True, 405),
        (made([(b"upgrade", b"websocket"), (b"content-length", b"3")], b"GET"), "1.1", True, 400),
    ):
        with pytest.raises(Rejected) as no:
            request.read(version, upgrade)
        assert no.value.status == status
    asked = made([(b"upgrade", b"WebSocket"), (b"connection", b"upgrade")], b"GET")
    asked.read("1.1", True)
    assert asked.websocket and asked.connections == [b"upgrade"]
