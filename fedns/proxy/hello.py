"""What a connection says before anything else: a header of the PROXY protocol, and the name in a ClientHello.

Law: pure; nothing is consumed here, only measured. None means that more has to come; Broken that nothing good
will. (PROXY protocol: haproxy.org/download/3.0/doc/proxy-protocol.txt; RFC 8446 section 4.1.2, RFC 6066
section 3.)
"""

import struct
from ipaddress import ip_address
from typing import NamedTuple

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
MAX_TEXT = 107  # octets of a header of version 1
MAX_HELLO = 16 << 10  # octets of a ClientHello that are looked at
_FIXED = 16
_ADDRESSES = {1: (4, 12), 2: (16, 36)}
"""Family -> octets of one address, and of both with their ports."""
_RECORD = struct.Struct(">BHH")
_HANDSHAKE = 22
_SERVER_NAME = 0


class Broken(Exception):
    """It does not speak what it has to."""


class Proxied(NamedTuple):
    """A header: its octets, who the client is, and the port it came to ("" and 0 where the proxy speaks for
    itself)."""

    size: int
    address: str
    port: int


def proxied(data: bytes) -> Proxied | None:
    """The header that `data` begins with."""
    if data[:1] == SIGNATURE[:1]:
        return _binary(data)
    if not b"PROXY ".startswith(data[:6]):
        raise Broken("no PROXY header")
    end = data.find(b"\r\n")
    if end < 0:
        if len(data) > MAX_TEXT:
            raise Broken("the PROXY header is too long")
        return None
    words = data[:end].decode("latin-1").split(" ")
    if words[1:2] == ["UNKNOWN"]:
        return Proxied(end + 2, "", 0)
    if len(words) != 6 or words[1] not in ("TCP4", "TCP6") or not (words[4] + words[5]).isdigit():
        raise Broken("the PROXY header cannot be read")
    return Proxied(end + 2, _address(words[2]), int(words[5]))


def _binary(data: bytes) -> Proxied | None:
    if not SIGNATURE.startswith(data[: len(SIGNATURE)]):
        raise Broken("no PROXY header")
    if len(data) < _FIXED:
        return None
    command, family, length = data[12], data[13] >> 4, int.from_bytes(data[14:16], "big")
    if command not in (0x20, 0x21):
        raise Broken("the PROXY header is of no known version")
    if len(data) < _FIXED + length:
        return None
    octets, needed = _ADDRESSES.get(family, (0, 0))
    if command == 0x20 or not octets:
        return Proxied(_FIXED + length, "", 0)
    if length < needed:
        raise Broken("the PROXY header cannot be read")
    source = ip_address(data[_FIXED : _FIXED + octets])
    port = int.from_bytes(data[_FIXED + needed - 2 : _FIXED + needed], "big")
    return Proxied(_FIXED + length, str(source), port)


def _address(text: str) -> str:
    try:
        return str(ip_address(text))
    except ValueError as error:
        raise Broken("the PROXY header cannot be read") from error


def server_name(data: bytes) -> str | None:
    """The host that a ClientHello names, in lower case; empty where it names none."""
    hello = _handshake(data)
    if hello is None:
        return None
    try:
        return _named(hello)
    except (IndexError, struct.error, UnicodeDecodeError) as error:
        raise Broken("the ClientHello cannot be read") from error


def _handshake(data: bytes) -> bytes | None:
    """The body of the ClientHello, out of as many records as it takes."""
    body, at = b"", 0
    while True:
        if len(data) < at + _RECORD.size:
            return None
        kind, _, length = _RECORD.unpack_from(data, at)
        if kind != _HANDSHAKE or not 0 < length <= MAX_HELLO:
            raise Broken("no TLS")
        body += data[at + _RECORD.size : at + _RECORD.size + length]
        if body[:1] not in (b"", b"\x01"):
            raise Broken("no ClientHello")
        if len(body) >= 4:
            wanted = int.from_bytes(body[1:4], "big")
            if wanted > MAX_HELLO:
                raise Broken("the ClientHello is too long")
            if len(body) >= 4 + wanted:
                return body[4 : 4 + wanted]
        at += _RECORD.size + length


def _named(hello: bytes) -> str:
    at = 34  # version and random
    at += 1 + hello[at]  # session
    at += 2 + int.from_bytes(hello[at : at + 2], "big")  # ciphers
    at += 1 + hello[at]  # compression
    end = min(at + 2 + int.from_bytes(hello[at : at + 2], "big"), len(hello))
    at += 2
    while at + 4 <= end:
        kind, length = struct.unpack_from(">HH", hello, at)
        at += 4
        if kind == _SERVER_NAME:
            (size,) = struct.unpack_from(">H", hello, at + 3)
            return hello[at + 5 : at + 5 + size].decode("ascii").lower().rstrip(".")
        at += length
    return ""
