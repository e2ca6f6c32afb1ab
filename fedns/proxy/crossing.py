"""From HTTP/2 to HTTP/1.1 and back: what a message of one version says in the other.

Law: a message becomes what everything else here works on, `Request` and lines of fields, and goes through
the same hands. Nothing of one version's framing crosses: a name, value, method or target that would be two
things in the other version's syntax is refused here, whatever the library let through (RFC 9113 section 8).
"""

import re
from collections.abc import Iterable, Sequence

from fedns.gateway.normal import Rejected
from fedns.gateway.terms import Terms
from fedns.proxy import framing
from fedns.proxy.framing import Field
from fedns.proxy.request import Request

GRPC = b"application/grpc"
_METHODS = frozenset(
    b"ACL BIND CHECKOUT CONNECT COPY DELETE GET HEAD LINK LOCK M-SEARCH MERGE MKACTIVITY MKCALENDAR MKCOL"
    b" MOVE NOTIFY OPTIONS PATCH POST PROPFIND PROPPATCH PURGE PUT QUERY REBIND REPORT SEARCH SOURCE"
    b" SUBSCRIBE TRACE UNBIND UNLINK UNLOCK UNSUBSCRIBE".split()
)
"""Those that the parser of HTTP/1.1 knows."""
_PSEUDO = frozenset((b":method", b":scheme", b":authority", b":path"))
_BOUND = frozenset((b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade"))
"""About a connection, which streams do not have (RFC 9113 section 8.2.2)."""
_TOKEN = b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
_BREAKS = re.compile(rb"[\0\r\n]")
_METHOD = re.compile(rb"[A-Z][A-Z-]{0,31}")
_LENGTH = re.compile(rb"[0-9]{1,18}")
_TIMEOUT = re.compile(rb"([0-9]{1,8})([HMSmun])")
_UNITS = {b"H": 3600.0, b"M": 60.0, b"S": 1.0, b"m": 1e-3, b"u": 1e-6, b"n": 1e-9}
_MALFORMED = -1
_STATUSES = {400: 13, 401: 16, 403: 7, 404: 12, 413: 8, 429: 14, 502: 14, 503: 14, 504: 14}
"""Of HTTP, as gRPC has them; any other is UNKNOWN."""
_UNKNOWN = 2


class _Kinds(dict[bytes, int]):
    """As `framing.KINDS`, and _MALFORMED where no message of HTTP/2 may have such a field."""

    def __missing__(self, name: bytes) -> int:
        if not name or name.translate(None, _TOKEN) or name in _BOUND:
            kind = _MALFORMED
        else:
            kind = framing.KINDS[name]
        if len(self) < framing.KNOWN and len(name) <= framing.LONGEST:
            self[name] = kind
        return kind


_KINDS = _Kinds()


class _Lower(dict[bytes, bytes]):
    """Names in lower case; empty: not for HTTP/2."""

    def __missing__(self, name: bytes) -> bytes:
        lower = name.lower()
        found = b"" if lower in _BOUND or lower.translate(None, _TOKEN) else lower
        if len(self) < framing.KNOWN and len(name) <= framing.LONGEST:
            self[name] = found
        return found


_LOWER = _Lower()


# Requests that came.


def request(headers: Sequence[Field], ended: bool, terms: Terms) -> Request:
    """What a client asks by these fields; with its refusal, if it says nothing or two things. `ended`: no
    body follows."""
    made = Request()
    made.length = framing.NO_BODY if ended else framing.CHUNKED
    try:
        authority = _begun(made, headers)
        _taken(made, headers, terms)
        _hosted(made, authority)
        made.read("1.1", False)
        if ended and not made.bare:
            raise Rejected(400, "a length, and no body")
    except Rejected as no:
        made.refusal = no
    return made


def _begun(made: Request, headers: Sequence[Field]) -> bytes:
    """Method and target. The authority."""
    pseudo = [each for each in headers if each[0][:1] == b":"]
    said = dict(pseudo)
    made.method, made.target = said.get(b":method", b""), said.get(b":path", b"")
    if not _PSEUDO.issuperset(said) or len(said) < len(pseudo) or list(headers[: len(pseudo)]) != pseudo:
        raise Rejected(400, "pseudo-fields that are unknown, doubled or late")
    if made.method not in _METHODS:
        known = _METHOD.fullmatch(made.method) is not None
        raise Rejected(501 if known else 400, "a method that nobody knows")
    if said.get(b":scheme") not in (b"http", b"https"):
        raise Rejected(400, "a scheme that is not HTTP's")
    if made.target[:1] not in (b"/", b"*"):
        raise Rejected(400, "a path does not begin with a slash")
    return said.get(b":authority", b"")


def _taken(made: Request, headers: Sequence[Field], terms: Terms) -> None:
    """The fields, sorted."""
    crumbs, octets = [], 0
    for name, value in headers:
        octets += len(name) + len(value) + 4
        if name[:1] == b":":
            continue
        if name == b"cookie":
            crumbs.append(value)
            continue
        kind = _KINDS[name]
        if kind == framing.PASSES:
            made.lines.append(name + b": " + value)
        elif kind == framing.MARKED:
            made.marked.append((name, value))
        elif kind == framing.LOOKALIKE:
            made.lookalike = True
        else:
            raise Rejected(400, "a field that no stream has")
        made.headers.append((name, value))
    if crumbs:  # RFC 9113 section 8.2.3
        cookie = b"; ".join(crumbs)
        made.headers.append((b"cookie", cookie))
        made.lines.append(b"cookie: " + cookie)
    if _BREAKS.search(b"".join([value for _, value in headers])):
        raise Rejected(400, "a value with an octet that none may have")
    if len(made.target) > terms.target:
        raise Rejected(414, "the target is too long")
    if octets > terms.head or len(headers) > terms.fields:
        raise Rejected(431, "the head is too long")


def _hosted(made: Request, authority: bytes) -> None:
    """One host, and one length."""
    hosts = [value for name, value in made.marked if name == b"host"]
    if authority and any(each.lower() != authority.lower() for each in hosts):
        raise Rejected(400, "authority and Host name different hosts")
    if hosts:
        made.marked = [each for each in made.marked if each[0] != b"host"]
    made.hosts = [authority] if authority else hosts
    made.headers.append((b"host", made.hosts[0] if made.hosts else b""))
    lengths = [value for name, value in made.marked if name == b"content-length"]
    if len(lengths) > 1 or not all(map(_LENGTH.fullmatch, lengths)):
        raise Rejected(400, "a length that is none")
    if any(name == b"te" and value.lower() != b"trailers" for name, value in made.marked):
        raise Rejected(400, "a coding that HTTP/2 does not have")


# Requests that go on.


def sent(wire: bytes, secure: bool, trailers: bool) -> list[Field]:
    """The head of a request to a backend, as `onward` has it for HTTP/1.1. `trailers`: they are taken."""
    line, *rest = wire.split(b"\r\n")
    method, target, _ = line.split(b" ", 2)
    scheme = b"https" if secure else b"http"
    made = [(b":method", method), (b":scheme", scheme), (b":authority", b""), (b":path", target)]
    for each in rest:
        name, mark, value = each.partition(b": ")
        if name == b"host":
            made[2] = (b":authority", value)
        elif mark and name not in _BOUND:
            made.append((name, value))
            trailers = trailers or (name == b"content-type" and value.startswith(GRPC))
    if not made[2][1]:
        del made[2]
    if trailers:
        made.append((b"te", b"trailers"))
    return made


# Answers that came.


def replied(headers: Sequence[Field]) -> tuple[int, list[bytes], bool]:
    """Status and lines of an answer's head, and whether it says a length. Rejected where it is none."""
    status, lines, length = 0, [], False
    if _BREAKS.search(b"".join([value for _, value in headers])):
        raise Rejected(502, "a value with an octet that none may have")
    for name, value in headers:
        if name == b":status":
            status = int(value)
        elif name not in framing.HOP:
            lines.append(name + b": " + value)
        elif name == b"content-length":
            length = True
            if status != 204:
                lines.append(name + b": " + value)
    if status in (0, 101):
        raise Rejected(502, "an answer without a status that HTTP/2 has")
    return status, lines, length


# Answers that go out.


def answer(status: int, lines: Iterable[bytes]) -> list[Field]:
    """The head of an answer."""
    made = [(b":status", b"%d" % status)]
    for line in lines:
        name, _, value = line.partition(b": ")
        lower = _LOWER[name]
        if lower:
            made.append((lower, value))
    return made


def trailers(fields: Iterable[Field]) -> list[Field]:
    """What may follow a body."""
    return [(_LOWER[name], value) for name, value in framing.late(fields) if _LOWER[name]]


def own(status: int, fields: Iterable[Field], length: int) -> list[Field]:
    """The head of an answer of our own."""
    made = [(b":status", b"%d" % status), *((name.lower(), value) for name, value in fields)]
    if status != 204:
        made.append((b"content-length", b"%d" % length))
    return made


def calls(made: Request) -> bool:
    """Whether it is a call of gRPC."""
    return any(name == b"content-type" and value.startswith(GRPC) for name, value in made.headers)


def patience(made: Request) -> float:
    """Seconds that a caller gives; 0: any time."""
    for name, value in made.headers:
        if name == b"grpc-timeout":
            found = _TIMEOUT.fullmatch(value)
            if found is not None and calls(made):
                return max(int(found[1]) * _UNITS[found[2]], 1e-3)
    return 0.0


def failed(status: int, why: bytes, late: bool) -> list[Field]:
    """An answer of our own to a call of gRPC: the whole of it. `late`: the caller's deadline has passed."""
    code = 4 if late else _STATUSES.get(status, _UNKNOWN)
    said = [(b":status", b"200"), (b"content-type", GRPC), (b"grpc-status", b"%d" % code)]
    return [*said, (b"grpc-message", why)]
