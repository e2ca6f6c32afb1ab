"""Why the gateway lets a request through that another proxy does not.

Law: each row names the peers it is about and the requests that it explains, as narrowly as can be. What no
row explains is a defect. docs/conformance.md lists the same rows.
"""

import re
from typing import NamedTuple

_OLD = rb" HTTP/1\.0\r\n"
_UPGRADE = rb"(?i)\nconnection:[^\n]*upgrade"


class Row(NamedTuple):
    """`peers` do not take requests that `pattern` finds something in."""

    why: str
    source: str
    peers: tuple[str, ...]
    pattern: re.Pattern[bytes]

    def explains(self, peer: str, raw: bytes) -> bool:
        return peer in self.peers and self.pattern.search(raw) is not None


ROWS = (
    Row(
        "HTTP/1.0 is spoken, without transfer codings; Envoy does so only where it is told to",
        "RFC 9112 section 2.3",
        ("envoy",),
        re.compile(_OLD),
    ),
    Row(
        "a body after GET in HTTP/1.0 goes on with its length; old servers did not look for one",
        "RFC 9112 section 6",
        ("haproxy",),
        re.compile(rb"(?:GET|HEAD|DELETE) [!-~]+" + _OLD + rb"(?s:.*)(?i:content-length)"),
    ),
    Row(
        "who asks for a protocol that is not spoken here is answered in HTTP; Envoy refuses",
        "RFC 9110 section 7.8",
        ("envoy",),
        re.compile(_UPGRADE),
    ),
    Row(
        "whether a WebSocket is asked for well, its backend decides; without 101 there is no tunnel",
        "RFC 6455 section 4.2.1",
        ("envoy", "haproxy"),
        re.compile(_UPGRADE),
    ),
    Row(
        "a request line of RTSP or ICE is taken for one of HTTP; what goes on is HTTP/1.1 and nothing else",
        "RFC 9112 section 2.3",
        ("envoy", "haproxy", "nginx"),
        re.compile(rb" (?:RTSP|ICE)/1\.[01]\r\n"),
    ),
    Row(
        "the method QUERY is known; a body after it is framed as any other",
        "RFC 9110 section 9.1",
        ("envoy",),
        re.compile(rb"QUERY [!-~]+ HTTP"),
    ),
    Row(
        "a tab may stand before a value; the length goes on without it",
        "RFC 9110 section 5.6.3",
        ("nginx",),
        re.compile(rb"(?i)\ncontent-length:\t"),
    ),
    Row(
        "what HTTP/1.0 expects is not looked at, and does not go on",
        "RFC 9110 section 10.1.1",
        ("nginx",),
        re.compile(_OLD + rb"(?s:.*)(?i:\nexpect:)"),
    ),
)


def explained(peer: str, raw: bytes) -> Row | None:
    return next((row for row in ROWS if row.explains(peer, raw)), None)
