"""Greetings: PROXY headers, and the name in a ClientHello."""

import socket
import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedns.proxy import hello

_V4 = socket.inet_aton("192.0.2.7") + socket.inet_aton("10.0.0.1") + b"\x30\x39\x01\xbb"
_V6 = socket.inet_pton(socket.AF_INET6, "2001:db8::7") + bytes(16) + b"\x30\x39\x01\xbb"


def _binary(command: int, family: int, rest: bytes) -> bytes:
    return hello.SIGNATURE + bytes((command, family)) + len(rest).to_bytes(2, "big") + rest


HEADERS = [
    (b"PROXY TCP4 192.0.2.7 10.0.0.1 12345 443\r\n", "192.0.2.7", 443),
    (b"PROXY TCP6 2001:db8::7 ::1 12345 443\r\n", "2001:db8::7", 443),
    (b"PROXY UNKNOWN\r\n", "", 0),
    (b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n", "", 0),
    (_binary(0x21, 0x11, _V4), "192.0.2.7", 443),
    (_binary(0x21, 0x21, _V6 + b"\x03\0\x01x"), "2001:db8::7", 443),
    (_binary(0x20, 0, b""), "", 0),
    (_binary(0x21, 0x31, bytes(216)), "", 0),
]


@pytest.mark.parametrize(("header", "address", "port"), HEADERS)
def test_headers(header: bytes, address: str, port: int) -> None:
    assert hello.proxied(header + b"GET / HTTP/1.1\r\n") == (len(header), address, port)
    for size in range(1, len(header)):
        assert hello.proxied(header[:size]) is None


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n",
        b"PROXY TCP4 192.0.2.7 10.0.0.1 12345\r\n",
        b"PROXY TCP4 here 10.0.0.1 1 2\r\n",
        b"PROXY UDP4 192.0.2.7 10.0.0.1 1 2\r\n",
        b"PROXY TCP4 192.0.2.7 10.0.0.1 " + b"1" * 200,
        _binary(0x31, 0x11, _V4),
        _binary(0x21, 0x11, _V4[:8]),
    ],
)
def test_what_is_no_header(data: bytes) -> None:
    with pytest.raises(hello.Broken):
        hello.proxied(data)


def _said(name: str | None) -> bytes:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    out = ssl.MemoryBIO()
    asking = context.wrap_bio(ssl.MemoryBIO(), out, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        asking.do_handshake()
    return out.read()


def test_the_name_in_a_client_hello() -> None:
    said = _said("Shop.Example.com")
    assert hello.server_name(said) == "shop.example.com"
    assert hello.server_name(_said(None)) == ""
    for size in range(len(said)):
        assert hello.server_name(said[:size]) is None


def test_a_client_hello_in_many_records() -> None:
    said = _said("shop.example.com")
    body = said[5:]
    parts = [body[at : at + 50] for at in range(0, len(body), 50)]
    split = b"".join(b"\x16\x03\x01" + len(part).to_bytes(2, "big") + part for part in parts)
    assert hello.server_name(split) == "shop.example.com"


@pytest.mark.parametrize(
    "data", [b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\0\x05\x02\0\0\1\0", b"\x15\x03\x01\0\2\2\0"]
)
def test_what_is_no_client_hello(data: bytes) -> None:
    with pytest.raises(hello.Broken):
        hello.server_name(data)


@given(st.binary(max_size=300), st.integers(0, 600))
def test_garbage_is_broken_or_not_whole(junk: bytes, at: int) -> None:
    said = _SAID[: at % len(_SAID)] + junk + _SAID[at % len(_SAID) + len(junk) :]
    for look in (hello.server_name, hello.proxied):
        try:
            look(said)
        except hello.Broken:
            continue


_SAID = _said("shop.example.com")
