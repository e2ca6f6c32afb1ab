"""HTTP/1.1 read by the letter of RFC 9112: what a message means to a reader that forgives nothing.

Law: knows nothing of fedns. A stream is whole messages, and then an end: nothing, a message that is not whole
yet, something else than HTTP (`wrong` says what), or octets that are no requests any more.
"""

import re
from typing import NamedTuple

Field = tuple[bytes, bytes]

_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_ASKED = re.compile(rb"(" + _TOKEN + rb") ([!-~]+) HTTP/1\.([01])")
_KIN = re.compile(rb"(" + _TOKEN + rb") +([!-~]+) +(?:HTTP|RTSP|ICE)/1\.([01])")
_SAID = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9]{2})(?: ([\t -~\x80-\xff]*))?")
_FIELD = re.compile(
    rb"(" + _TOKEN + rb"):[ \t]*((?:[!-~\x80-\xff](?:[\t -~\x80-\xff]*[!-~\x80-\xff])?)?)[ \t]*"
)
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,16})(?:[ \t]*;[\t -~\x80-\xff]*)?")
_LENGTH = re.compile(rb"[0-9]+")
_MOST = (1 << 63) - 1


class Message(NamedTuple):
    """`start`: method, target and minor version, or status and minor version. `fields` have lower-case names;
    `octets` is how many it took."""

    start: tuple[bytes, ...]
    fields: tuple[Field, ...]
    body: bytes
    trailers: tuple[Field, ...]
    octets: int

    def values(self, name: bytes) -> list[bytes]:
        return [value for each, value in self.fields if each == name]

    def tokens(self, name: bytes) -> set[bytes]:
        """Of a field that is a list, in lower case."""
        return {token.strip().lower() for value in self.values(name) for token in value.split(b",")} - {b""}

    @property
    def bodiless(self) -> bool:
        """Whether it is an answer that no body may follow, and has none."""
        framing = (*self.values(b"transfer-encoding"), *self.values(b"content-length"))
        return not any(framing) or framing == (b"0",)

    @property
    def persists(self) -> bool:
        asked = self.tokens(b"connection")
        return b"close" not in asked and (self.start[-1] != b"0" or b"keep-alive" in asked)


class Stream(NamedTuple):
    """`open`: what is left is the beginning of a message. `rest`: how many octets are of no whole message."""

    messages: list[Message]
    wrong: str
    open: bool
    rest: int


class Wrong(Exception):
    """It is not HTTP, or means two things."""


class Partial(Exception):
    """It ends too early."""


class _Cursor:
    """What is left to be read."""

    def __init__(self, raw: bytes) -> None:
        self.raw, self.at = raw, 0

    def line(self) -> bytes:
        end = self.raw.find(b"\r\n", self.at)
        if end < 0:
            if self.raw.find(b"\n", self.at) >= 0:
                raise Wrong("a line feed alone")
            raise Partial
        found = self.raw[self.at : end]
        self.at = end + 2
        return found

    def take(self, count: int) -> bytes:
        if len(self.raw) - self.at < count:
            raise Partial
        found = self.raw[self.at : self.at + count]
        self.at += count
        return found


def requests(raw: bytes, kind: bool = False) -> Stream:
    """As a server reads them; what follows one that ends the connection is not looked at. `kind`: as llhttp
    is, CR and LF in any number may come before a request line, many spaces
    around the target, and RTSP and ICE are taken for HTTP."""
    cursor, found = _Cursor(raw), list[Message]()
    while cursor.at < len(raw):
        begun = cursor.at
        try:
            while raw[cursor.at : cursor.at + 2] == b"\r\n" or (kind and raw[cursor.at] in b"\r\n"):
                cursor.at += 1 + (not kind)
                if cursor.at >= len(raw):
                    return Stream(found, "", False, 0)
            found.append(_request(cursor, begun, _KIN if kind else _ASKED))
        except Wrong as why:
            return Stream(found, str(why), False, len(raw) - begun)
        except Partial:
            return Stream(found, "", True, len(raw) - begun)
        if not found[-1].persists:
            break
    return Stream(found, "", False, len(raw) - cursor.at)


def answers(raw: bytes, methods: list[bytes], ended: bool) -> Stream:
    """As a client reads them that asked with these methods; `ended`: nothing more comes. Interim answers are
    messages too. Empty lines before one are looked over, as everybody does."""
    cursor, found, asked = _Cursor(raw), list[Message](), list(methods)
    while cursor.at < len(raw):
        begun = cursor.at
        if raw[begun] in b"\r\n":
            cursor.at += 1
            continue
        if not asked:
            return Stream(found, "more answers than requests", False, len(raw) - begun)
        try:
            found.append(_answer(cursor, asked[0], ended))
        except Wrong as why:
            return Stream(found, str(why), False, len(raw) - begun)
        except Partial:
            return Stream(found, "", True, len(raw) - begun)
        if found[-1].start[0][:1] != b"1" or found[-1].start[0] == b"101":
            asked.pop(0)
        if found[-1].start[0] == b"101":
            break
    return Stream(found, "", False, len(raw) - cursor.at)


def _request(cursor: _Cursor, begun: int, line: re.Pattern[bytes]) -> Message:
    first = line.fullmatch(cursor.line())
    if first is None:
        raise Wrong("no request line")
    fields = _fields(cursor)
    names = [name for name, _ in fields]
    old = first[3] == b"0"
    if names.count(b"host") != 1 and (not old or b"host" in names):
        raise Wrong("not one Host")
    coding, length = _framing(fields, old)
    body, trailers = b"", tuple[Field, ...]()
    if coding:
        body, trailers = _chunks(cursor)
    elif length:
        body = cursor.take(length)
    return Message((first[1], first[2], first[3]), fields, body, trailers, cursor.at - begun)


def _answer(cursor: _Cursor, method: bytes, ended: bool) -> Message:
    begun = cursor.at
    first = _SAID.fullmatch(cursor.line())
    if first is None:
        raise Wrong("no status line")
    fields, status = _fields(cursor), int(first[2])
    start, trailers = (first[2], first[1]), tuple[Field, ...]()
    coding, length = _framing(fields, first[1] == b"0")
    if method == b"HEAD" or status < 200 or status in (204, 304):
        body = b""
    elif coding:
        body, trailers = _chunks(cursor)
    elif length is None:
        if not ended:
            raise Partial
        body = cursor.take(len(cursor.raw) - cursor.at)
    else:
        body = cursor.take(length)
    return Message(start, fields, body, trailers, cursor.at - begun)


def _fields(cursor: _Cursor) -> tuple[Field, ...]:
    found = []
    while line := cursor.line():
        field = _FIELD.fullmatch(line)
        if field is None:
            raise Wrong("no field line")
        found.append((field[1].lower(), field[2]))
    return tuple(found)


def _framing(fields: tuple[Field, ...], old: bool) -> tuple[bool, int | None]:
    """Whether it is chunked, and else how long it is said to be."""
    codings = [value for name, value in fields if name == b"transfer-encoding"]
    lengths = [value for name, value in fields if name == b"content-length"]
    if len(codings) + len(lengths) > 1:
        raise Wrong("framed twice")
    if codings and (old or codings[0].lower() != b"chunked"):
        raise Wrong("a coding that is not chunked, or in HTTP/1.0")
    if lengths and (not _LENGTH.fullmatch(lengths[0]) or len(lengths[0].lstrip(b"0")) > 19):
        raise Wrong("no length")
    length = int(lengths[0].lstrip(b"0") or b"0") if lengths else None
    if length is not None and length > _MOST:
        raise Wrong("too long to be true")
    return bool(codings), length


def _chunks(cursor: _Cursor) -> tuple[bytes, tuple[Field, ...]]:
    body = bytearray()
    while True:
        size = _CHUNK.fullmatch(cursor.line())
        if size is None:
            raise Wrong("no chunk size")
        octets = int(size[1], 16)
        if not octets:
            return bytes(body), _fields(cursor)
        body += cursor.take(octets)
        if cursor.take(2) != b"\r\n":
            raise Wrong("a chunk that does not end where it should")
