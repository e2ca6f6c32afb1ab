"""Heads of requests and answers as they go on, in bytes.

Law: framing is written anew from what was parsed, never copied: what is about one connection (RFC 9110
section 7.6.1) stays on it, and so do the fields that `Connection` names, unless others rely on them. Names of
a request are lower case, those of an answer as the backend wrote them. Nothing here does I/O.
"""

from collections.abc import Iterable, Sequence
from itertools import product

Field = tuple[bytes, bytes]

CHUNKED, TO_THE_END, NO_BODY = -1, -2, -3
"""Of a body that no length frames, or that cannot be; else its octets."""
WEBSOCKET = b"websocket"

HOP = frozenset(
    (
        b"connection",
        b"content-length",
        b"http2-settings",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    )
)
ABOUT = frozenset(
    (
        b"forwarded",
        b"proxy",
        b"ssl-client-cert",
        b"ssl-client-issuer-dn",
        b"ssl-client-subject-dn",
        b"ssl-client-verify",
        b"x-forwarded-for",
        b"x-forwarded-host",
        b"x-forwarded-port",
        b"x-forwarded-prefix",
        b"x-forwarded-proto",
        b"x-forwarded-scheme",
        b"x-real-ip",
        b"x-request-id",
        b"x-scheme",
    )
)
"""What is said about a request on its way: from those we do not trust it is not passed on. `Proxy` becomes
HTTP_PROXY in CGI programs, and is nobody's to say."""
_MARKED = HOP | ABOUT | {b"host", b"expect"}
_GUARDED = _MARKED | {b"authorization", b"cookie", b"origin", b"content-type", b"x-original-url"}
_USUAL = frozenset((b"", b"close", b"keep-alive", b"upgrade", b"te", b"http2-settings"))
_NOBODY: frozenset[bytes] = frozenset()
_FRAMES = (b"contentlength", b"transferencoding")
_LETTERS = b"abcdefghijklmnopqrstuvwxyz"
_OTHERS = bytes(each for each in range(256) if each not in _LETTERS)
_EARLY = _GUARDED | frozenset(
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
PASSES, MARKED, LOOKALIKE = 0, 1, 2
KNOWN, LONGEST = 4096, 64  # names whose kind is remembered, and octets of one


class Kinds(dict[bytes, int]):
    """What becomes of a request's field, by its lower-case name. A name that is that of a framing field to
    whoever drops or changes a sign is a LOOKALIKE, and so is one with `_` for `-` of those that are ours to
    say: CGI and its heirs take both for one."""

    def __missing__(self, name: bytes) -> int:
        kind = MARKED if name in _MARKED else PASSES
        if kind == PASSES and (
            name.translate(None, _OTHERS) in _FRAMES or name.replace(b"_", b"-") in _MARKED
        ):
            kind = LOOKALIKE
        if len(self) < KNOWN and len(name) <= LONGEST:
            self[name] = kind
        return kind


KINDS = Kinds()

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
    421: b"Misdirected Request",
    429: b"Too Many Requests",
    431: b"Request Header Fields Too Large",
    500: b"Internal Server Error",
    501: b"Not Implemented",
    502: b"Bad Gateway",
    503: b"Service Unavailable",
    504: b"Gateway Timeout",
    505: b"HTTP Version Not Supported",
}


def nominated(values: Sequence[bytes]) -> frozenset[bytes]:
    """Lower-case names of fields that these values of Connection keep on the connection, beyond the usual."""
    if _USUAL.issuperset(map(bytes.lower, values)):
        return _NOBODY
    tokens = {token.strip() for value in values for token in value.lower().split(b",")}
    return frozenset(tokens - _USUAL - _GUARDED)


def without(lines: Iterable[bytes], names: frozenset[bytes]) -> list[bytes]:
    """Lines of fields without those of these names."""
    return [line for line in lines if line[: line.index(b":")].lower() not in names]


def body(octets: int) -> bytes:
    """The field that frames a body."""
    if octets >= 0:
        return b"content-length: %d" % octets
    return b"transfer-encoding: chunked"


def chunk(piece: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(piece), piece)


def last(trailers: Sequence[Field]) -> bytes:
    """The end of a chunked body."""
    if not trailers:
        return LAST
    lines = [name + b": " + value for name, value in late(trailers)]
    return b"\r\n".join((b"0", *lines, b"", b""))


def late(trailers: Iterable[Field]) -> list[Field]:
    """Those that may come after a body."""
    return [each for each in trailers if _late(each[0].lower())]


def _late(name: bytes) -> bool:
    return name not in _EARLY and KINDS[name] == PASSES


def answer(status: bytes, lines: Iterable[bytes], end: bytes) -> bytes:
    """The head of an answer. `status`: code and reason; `end`: as `ending` has it."""
    return b"\r\n".join((b"HTTP/1.1 " + status, *lines, end))


def ending(chunked: bool, keep: bool, old: bool) -> bytes:
    """How a head ends. `keep`: the connection persists; `old`: to a client of HTTP/1.0."""
    return _ENDINGS[chunked, keep, old]


def _ending(chunked: bool, keep: bool, old: bool) -> bytes:
    said = b"Transfer-Encoding: chunked\r\n" if chunked else b""
    if not keep:
        said += b"Connection: close\r\n"
    elif old:
        said += b"Connection: keep-alive\r\n"
    return said + b"\r\n"


_ENDINGS = {case: _ending(*case) for case in product((False, True), repeat=3)}


def pairs(lines: Iterable[bytes]) -> list[Field]:
    """Lines of fields, taken apart."""
    return [(name, value) for name, _, value in (line.partition(b": ") for line in lines)]


def written(fields: Iterable[Field]) -> list[bytes]:
    return [name + b": " + value for name, value in fields]


def switched(status: bytes, lines: Iterable[bytes]) -> bytes:
    """The head of 101, for a WebSocket."""
    return answer(status, (b"Connection: Upgrade", b"Upgrade: " + WEBSOCKET, *lines), b"\r\n")


def own(status: int, fields: Iterable[Field], text: bytes, keep: bool) -> bytes:
    """A whole answer of our own."""
    said = written(fields)
    if status != 204:
        said.append(b"Content-Length: %d" % len(text))
    reason = b"%d %b" % (status, REASONS.get(status, b"Unknown"))
    return answer(reason, said, ending(False, keep, False)) + text
