"""Targets and hosts of requests in the one form that is matched and sent on, or their rejection.

Law: what the backend gets means what was matched. Escapes of unreserved characters are undone, others stay
(`%2F` is no slash) in upper case; dot segments are resolved; doubled slashes are merged to match, and sent
on as they came unless dots had to be resolved. RFC 3986 section 6.2.2, RFC 9112 section 3.2.
"""

import re
from functools import lru_cache

from msgspec import Struct

_UNRESERVED = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
_PLAIN = _UNRESERVED + b"/:@!$&'()*+,="
_QUERY = bytes(each for each in range(0x21, 0x100) if each not in b"#\x7f")
_LENIENT = _PLAIN + b';%"<>^`{|}[]'
"""Octets of a path; those that no URI may have are escaped, as browsers and nginx do not mind them."""
_ESCAPE = re.compile(rb"%(..?)?", re.DOTALL)
_STRAY = re.compile(rb'["<>^`{|}\[\]]')
_SLASHES = re.compile(rb"//+")
_DOTS = re.compile(rb"/\.\.?(?:/|$)")
_PARAMETERS = re.compile(rb"(?:;|%3B)[^/]*")
_VEILED = re.compile(rb"/\.\.?(?:;|%3B)")
_HEX = frozenset(b"0123456789abcdefABCDEF")
_HOST = re.compile(rb"(?:[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?\.)*[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?\.?")
_LITERAL = re.compile(rb"\[[0-9a-f:.]+\]")
_PORT = re.compile(rb"[0-9]{0,5}")
_ABSOLUTE = re.compile(rb"(?i)https?://([^/?#]*)")
MAX_HOST = 253


class Rejected(Exception):
    """The request cannot mean one thing to everybody; answered with `status`."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status, self.why = status, why


class Target(Struct, frozen=True, gc=False):
    """`path` is matched, `sent` goes to the backend with its query, `query` follows `?` as it came (None: no
    `?`). `authority` is that of an absolute target, else empty. `others`: what backends may take it for."""

    path: bytes
    sent: bytes
    query: bytes | None = None
    authority: bytes = b""
    others: tuple[bytes, ...] = ()


def target(raw: bytes) -> Target:
    """A request target in origin, absolute or asterisk form."""
    path, mark, rest = raw.partition(b"?")
    query = rest if mark else None
    if rest.translate(None, _QUERY):
        raise Rejected(400, "the query has an octet that none may have")
    if path[:1] == b"/" and not path.translate(None, _PLAIN) and b"//" not in path and b"/." not in path:
        return Target(path, raw, query)
    if path == b"*" and query is None:
        return Target(path, raw)
    authority = b""
    if path[:1] != b"/":
        absolute = _ABSOLUTE.match(path)
        if absolute is None:
            raise Rejected(400, "the target has no form that a gateway takes")
        authority, path = absolute[1], path[absolute.end() :] or b"/"
    matched, sent = canonical(path)
    return Target(matched, sent + mark + rest, query, authority, readings(matched))


def canonical(path: bytes) -> tuple[bytes, bytes]:
    """What is matched and what is sent, of a path that begins with a slash."""
    if path.translate(None, _LENIENT):
        raise Rejected(400, "the path has an octet that none may have")
    sent = _STRAY.sub(lambda found: b"%%%02X" % found[0][0], _ESCAPE.sub(_unescape, path))
    merged = _SLASHES.sub(b"/", sent)
    if b"/." in merged:
        if _VEILED.search(merged):
            raise Rejected(400, "the path has dot segments with parameters")
        resolved = _resolve(merged)
        if resolved != merged:
            return resolved, resolved
    if b"%2F" in merged or b"%5C" in merged:
        _refuse_climbing(merged)
    return merged, sent


def readings(path: bytes) -> tuple[bytes, ...]:
    """What else a canonical path may be to a backend: to some an escaped slash is one, to some what follows a
    `;` in a segment is no part of it."""
    if b"%" not in path and b";" not in path:
        return ()
    slashed = _slashed(path)
    bare = _PARAMETERS.sub(b"", path)
    halved = _PARAMETERS.sub(b"", path.replace(b"%2F", b"/"))  # who takes a backslash for a letter
    found = {slashed, bare, _slashed(bare), halved, _slashed(halved), _PARAMETERS.sub(b"", slashed)}
    return tuple(sorted({_SLASHES.sub(b"/", each) for each in found} - {path}))


def _slashed(path: bytes) -> bytes:
    return path.replace(b"%2F", b"/").replace(b"%5C", b"/")


def escaped(text: str) -> bytes:
    """A path as people write it, in octets that a request could have."""
    return b"".join(bytes((each,)) if 0x20 < each < 0x7F else b"%%%02X" % each for each in text.encode())


def _unescape(found: re.Match[bytes]) -> bytes:
    digits = found[1]
    if digits is None or len(digits) < 2 or not _HEX.issuperset(digits):
        raise Rejected(400, "the path has a broken escape")
    octet = int(digits, 16)
    if not octet:
        raise Rejected(400, "the path has an escaped zero octet")
    return bytes((octet,)) if octet in _UNRESERVED else b"%" + digits.upper()


def _resolve(path: bytes) -> bytes:
    """Without dot segments; one that leads above the root is rejected, as nginx does."""
    kept: list[bytes] = []
    segments = path.split(b"/")[1:]
    for segment in segments:
        if segment == b"..":
            if not kept:
                raise Rejected(400, "the path leads above the root")
            kept.pop()
        elif segment != b".":
            kept.append(segment)
    if segments[-1] in (b".", b"..") and kept:
        kept.append(b"")
    resolved = b"/" + b"/".join(kept)
    if b"%2F" in resolved or b"%5C" in resolved:
        _refuse_climbing(resolved)
    return resolved


def climbs(path: bytes) -> bool:
    """Whether somebody may see dot segments in it: servlets drop what follows a `;`."""
    path = _slashed(path)
    return b"/." in path and bool(_DOTS.search(path) or _VEILED.search(path))


def _refuse_climbing(path: bytes) -> None:
    """`..` beside an escaped slash: a backend that takes `%2F` for a slash would go elsewhere than we did."""
    if climbs(path):
        raise Rejected(400, "the path hides dot segments behind escaped slashes")


def port(raw: bytes) -> bytes:
    """The port in a Host header; empty where it is one that needs not be said."""
    said = raw[raw.rfind(b"]") + 1 :].partition(b":")[2]
    return b"" if said in (b"80", b"443") else said


@lru_cache(maxsize=4096)
def host(raw: bytes) -> bytes:
    """The name or address of a Host header, in lower case, without port and final dot."""
    if len(raw) > MAX_HOST + 8:
        raise Rejected(400, "the host is too long")
    name, port = raw.lower(), b""
    end = name.find(b"]") if name[:1] == b"[" else -1
    colon = name.find(b":", end + 1)
    if colon >= 0:
        name, port = name[:colon], name[colon + 1 :]
    known = _LITERAL if end >= 0 else _HOST
    if not known.fullmatch(name) or not _PORT.fullmatch(port) or len(name) > MAX_HOST + 1:
        raise Rejected(400, "the host is neither a name nor an address")
    return name[:-1] if name[-1:] == b"." else name
