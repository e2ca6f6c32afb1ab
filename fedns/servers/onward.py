"""The head of a request as its backend gets it.

Law: everything about framing, connection and client is ours; what annotations change comes last, and cannot
touch those. A usual request costs one join.
"""

from typing import NamedTuple

from fedns.gateway import fields, variables
from fedns.gateway.head import Head
from fedns.gateway.options import Options
from fedns.servers import framing, identity
from fedns.servers.request import Request

_SOCKET = (b"connection: upgrade", b"upgrade: websocket")


class Sender(NamedTuple):
    """Who asks: `lines` about it, the host it says it asked for (empty: the request's), and the request's id.
    `peer` is who is connected; `forwarded`: to be told by that field too."""

    lines: bytes
    host: bytes
    request_id: bytes
    peer: identity.Peer
    forwarded: bool


def head(request: Request, asked: Head, target: bytes, options: Options, sender: Sender) -> bytes:
    """Rejected where something is expected that nobody knows."""
    host = request.value(b"host") or asked.host
    named = variables.fill(options.upstream.vhost, asked) if options.upstream.vhost else host
    lines = [request.method + b" " + target + b" HTTP/1.1", b"host: " + named, sender.lines]
    lines.append(b"x-forwarded-host: " + (sender.host or host))
    names = request.kept_back()
    passing = framing.without(request.lines, names) if names else request.lines
    if options.request is not None:
        passing = _changed(options, passing)
    lines += passing
    if request.length != framing.NO_BODY:
        lines.append(framing.body(request.length))
        expectation = request.expectation()
        if expectation:
            lines.append(expectation)
    elif request.websocket:
        lines += _SOCKET
    if options.prefix:
        lines.append(b"x-forwarded-prefix: " + options.prefix)
    if sender.forwarded:
        lines.append(identity.forwarded(request.marked, sender.peer, host))
    lines.append(b"x-request-id: " + sender.request_id + b"\r\n\r\n")
    return b"\r\n".join(lines)


def _changed(options: Options, lines: list[bytes]) -> list[bytes]:
    assert options.request is not None
    pairs = [(name, value) for name, _, value in (line.partition(b": ") for line in lines)]
    changed = fields.changed(options.request, pairs)
    return [name + b": " + value for name, value in changed if name.lower() not in framing.HOP]
