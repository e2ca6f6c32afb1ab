"""Heads of requests and answers as they go on, in bytes.

Law: framing is written anew from what was parsed, never copied: what is about one connection (RFC 9110
section 7.6.1) stays on it, and so do the fields that `Connection` names, unless others rely on them. Names of
a request are lower case, those of an answer as the backend wrote them. Nothing here does I/O.
"""

from collections.abc import Iterable, Sequence

Field = tuple[bytes, bytes]

CHUNKED, TO_THE_END, NO_BODY = -1, -2, -3
"""Of a body that no length frames, or that cannot be; else its octets."""

HOP = frozenset(
    (
        b"connection",
        b"http2-settings",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
        b"content-length",
    )
)
FORWARDED = (b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-port", b"x-forwarded-proto")
_OURS = frozenset((*FORWARDED, b"forwarded", b"x-forwarded-scheme", b"x-real-ip", b"x-request-id", b"host"))
REWRITTEN = HOP | _OURS
"""Fields of a request that are written anew."""
_KEPT = REWRITTEN | {b"authorization", b"cookie", b"origin", b"content-type", b"expect", b"x-original-url"}
_USUAL = frozenset((b"", b"close", b"keep-alive", b"upgrade", b"te", b"http2-settings"))
NO_TRAILERS = _KEPT | frozenset(
    (
        b"age",
        b"cache-control",
        b"content-encoding",
        b"content-range",
        b"date",
        b"expires",
        b"location",
        b"retry-after",
        b"set-cookie",
        b"vary",
        b"warning",
        b"www-authenticate",
    )
)
"""What a trailer may not say (RFC 9110 section 6.5.1): it was acted on before the trailer came."""

LAST = b"0\r\n\r\n"

REASONS = {
    101: b"Switching Protocols",
    200: b"OK",
    204: b"No Content",
    301: b"Moved Permanently",
    302: b"Found",
    303: b"See Other",
    307: b"Temporary Redirect",
    308: b"Permanent Redirect",
    400: b"Bad Request",
    401: b"Unauthorized",
    403: b"Forbidden",
    404: b"Not Found",
    405: b"Method Not Allowed",
    408: b"Request Timeout",
    413: b"Content Too Large",
    414: b"URI Too Long",
    417: b"Expectation Failed",
    429: b"Too Many Requests",
    431: b"Request Header Fields Too Large",
    500: b"Internal Server Error",
    501: b"Not Implemented",
    502: b"Bad Gateway",
    503: b"Service Unavailable",
    504: b"Gateway Timeout",
    505: b"HTTP Version Not Supported",
}


def nominated(values: Iterable[bytes]) -> frozenset[bytes]:
    """Lower-case names of fields that these values of Connection keep on the connection, beyond the usual."""
    tokens = {token.strip() for value in values for token in value.lower().split(b",")}
    return frozenset(tokens - _USUAL - _KEPT)


def passing(headers: Sequence[Field], also: frozenset[bytes] = frozenset()) -> list[bytes]:
    """Lines of a request's fields that go on as they came."""
    if also:
        return [name + b": " + value for name, value in headers if name not in REWRITTEN and name not in also]
    return [name + b": " + value for name, value in headers if name not in REWRITTEN]


def body(length: int) -> bytes:
    """The field that frames a body."""
    if length >= 0:
        return b"content-length: %d" % length
    return b"transfer-encoding: chunked"


def chunk(piece: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(piece), piece)


def last(trailers: Sequence[Field]) -> bytes:
    """The end of a chunked body."""
    if not trailers:
        return LAST
    lines = [name + b": " + value for name, value in trailers if name.lower() not in NO_TRAILERS]
    return b"\r\n".join((b"0", *lines, b"", b""))


def answer(status: int, fields: Sequence[Field], text: bytes, close: bool) -> bytes:
    """A whole answer of our own."""
    lines = [b"HTTP/1.1 %d %b" % (status, REASONS.get(status, b"Unknown"))]
    lines += [name + b": " + value for name, value in fields]
    if status != 204:
        lines.append(b"Content-Length: %d" % len(text))
    if close:
        lines.append(b"Connection: close")
    return b"\r\n".join(lines) + b"\r\n\r\n" + text
