"""The head of a request as its backend gets it.

Law: everything about framing, connection and client is ours; what annotations change comes last, and cannot
touch those. A usual request costs one join.
"""

from collections.abc import Container, Iterable
from typing import NamedTuple

from fedns.gateway import fields, variables
from fedns.gateway.head import Head
from fedns.gateway.normal import Rejected
from fedns.gateway.options import Options
from fedns.proxy import framing, identity
from fedns.proxy.request import Request

_SOCKET = (b"connection: upgrade", b"upgrade: websocket")


class Sender(NamedTuple):
    """Who asks: `lines` about it, and the host it says it asked for (empty: the request's). `peer` is who is
    connected; `forwarded`: to be told by that field too, and `believed`, what it says there itself."""

    lines: bytes
    host: bytes
    peer: identity.Peer
    forwarded: bool
    believed: bool = False


def head(request: Request, asked: Head, target: bytes, options: Options, sender: Sender) -> bytes:
    """All but its end. Rejected where something is expected that nobody knows."""
    host = request.hosts[0] if request.hosts else asked.host
    named = variables.fill(options.upstream.vhost, asked) if options.upstream.vhost else host
    passing = request.lines
    if request.connections:
        names = framing.nominated(request.connections)
        passing = framing.without(passing, names) if names else passing
    if options.request is not None:
        passing = _changed(options, passing)
    lines = [
        request.method + b" " + target + (b" HTTP/1.0" if options.upstream.old else b" HTTP/1.1"),
        b"host: " + named,
        sender.lines,
        b"x-forwarded-host: " + (sender.host or host),
        *passing,
    ]
    if request.length != framing.NO_BODY:
        if request.length == framing.CHUNKED and options.upstream.old:
            raise Rejected(411, "a backend of HTTP/1.0 is told the length of a body before")
        lines.append(framing.body(request.length))
        expectation = request.expectation()
        if expectation:
            lines.append(expectation)
    elif request.websocket:
        lines += _SOCKET
    if options.prefix:
        lines.append(b"x-forwarded-prefix: " + options.prefix)
    if sender.forwarded:
        lines.append(identity.forwarded(request.marked if sender.believed else [], sender.peer, host))
    lines.append(b"")
    return b"\r\n".join(lines)


def altered(wire: bytes, line: bytes, without: Container[bytes], added: Iterable[framing.Field]) -> bytes:
    """Such a head, whole, with another first line, without these fields (lower case), and with others."""
    lines = wire.split(b"\r\n")[1:-2]
    kept = [each for each in lines if each.partition(b":")[0].lower() not in without]
    return b"\r\n".join((line, *kept, *framing.written(added), b"", b""))


def _changed(options: Options, lines: list[bytes]) -> list[bytes]:
    assert options.request is not None
    changed = fields.changed(options.request, framing.pairs(lines))
    return [name + b": " + value for name, value in changed if name.lower() not in framing.HOP]
