"""The text of a zone file with its `$INCLUDE`s laid flat, each line knowing where it came from.

Law: only files below the zones directory are included, loops and floods are refused, and nothing
here understands records: the library does. Included text sees its own origin and leaves the
includer's unchanged (RFC 1035 section 5.1); a `$GENERATE` may not ask for more than its share.
"""

import os
import re
from collections.abc import Iterator

import dns.exception
import dns.name
from msgspec import Struct

DEPTH = 8
"""Files included by included files, at most."""
SIZE = 64 << 20
"""Octets of one zone, included files and all."""
GENERATED = 70_000
"""Records that the `$GENERATE`s of one zone may make: a /16 and some."""
_DIRECTIVE = re.compile(r"\$(INCLUDE|ORIGIN|GENERATE)[ \t]+([^;\r\n]*)", re.IGNORECASE)
_SOA = re.compile(r"([^\s;]*)[ \t]+(?:(?:\d\w*|IN)[ \t]+){0,2}SOA[ \t]", re.IGNORECASE)
_RANGE = re.compile(r"(\d{1,10})-(\d{1,10})(?:/(\d{1,10}))?\Z")


class Bad(Exception):
    """A text that cannot be laid flat: where (`file:line`) and what."""

    def __init__(self, where: str, what: str) -> None:
        super().__init__(f"{where}: {what}")
        self.where, self.what = where, what


class Flat(Struct):
    """`lines` without includes; `places` says the `file:line` of each; `paths` are all files read;
    `top` is the owner of the first SOA: the zone's origin."""

    lines: list[str]
    places: list[str]
    paths: set[str]
    top: dns.name.Name | None = None
    left: int = SIZE
    generated: int = 0


class Laying:
    """Lays one zone file flat. `root` confines what may be included."""

    def __init__(self, root: str, flat: Flat | None = None) -> None:
        self._root = os.path.realpath(root)
        self.flat = flat or Flat([], [], set())

    def lay(self, path: str, origin: dns.name.Name, depth: int = 0) -> None:
        """Append `path`, read with `origin` as current origin. Bad; OSError for the file itself."""
        self.flat.paths.add(path)
        self._emit(f"$ORIGIN {origin}", f"{path}:1")
        for number, line in enumerate(self._read(path), 1):
            place = f"{path}:{number}"
            match = _DIRECTIVE.match(line)
            if not match:
                self._emit(line, place)
                if self.flat.top is None and (soa := _SOA.match(line)):
                    self.flat.top = _name([soa[1]] if soa[1] else [], place, origin)
                continue
            word, words = match[1].upper(), match[2].split()
            if word == "INCLUDE":
                self._include(words, place, origin, depth)
                self._emit(f"$ORIGIN {origin}", place)
                continue
            if word == "ORIGIN":
                origin = _name(words, place, origin)
            else:
                self._generate(words, place)
            self._emit(line, place)

    def _emit(self, line: str, place: str) -> None:
        self.flat.lines.append(line)
        self.flat.places.append(place)

    def _read(self, path: str) -> Iterator[str]:
        with open(path, "rb") as file:
            data = file.read(self.flat.left + 1)
        self.flat.left -= len(data)
        if self.flat.left < 0:
            raise Bad(f"{path}:1", f"the zone is larger than {SIZE >> 20} MiB")
        if b"\0" in data:
            raise Bad(f"{path}:{data.count(10, 0, data.index(0)) + 1}", "no text: it has a zero octet")
        try:
            return iter(data.decode().split("\n"))
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            raise Bad(f"{path}:{line}", "no UTF-8 text") from None

    def _include(self, words: list[str], place: str, origin: dns.name.Name, depth: int) -> None:
        if not words or len(words) > 2:
            raise Bad(place, "$INCLUDE takes a file and perhaps an origin")
        if depth >= DEPTH:
            raise Bad(place, f"files include each other more than {DEPTH} deep")
        folder = os.path.dirname(place.rpartition(":")[0])
        path = os.path.join(folder, words[0].strip('"'))
        if os.path.commonpath([self._root, os.path.realpath(path)]) != self._root:
            raise Bad(place, f"$INCLUDE {words[0]}: only files of the zones directory can be included")
        try:
            self.lay(os.path.normpath(path), _name(words[1:], place, origin), depth + 1)
        except OSError as error:
            raise Bad(place, f"$INCLUDE {words[0]}: {error.strerror}") from None

    def _generate(self, words: list[str], place: str) -> None:
        match = _RANGE.match(words[0]) if words else None
        if not match:
            raise Bad(place, "$GENERATE takes a range like 1-100 or 0-255/2")
        start, stop, step = int(match[1]), int(match[2]), int(match[3] or 1)
        self.flat.generated += max(stop - start, 0) // max(step, 1) + 1
        if self.flat.generated > GENERATED:
            raise Bad(place, f"the zone generates more than {GENERATED} records")


def _name(words: list[str], place: str, origin: dns.name.Name) -> dns.name.Name:
    if not words:
        return origin
    try:
        return dns.name.from_text(words[0], origin)
    except (dns.exception.DNSException, ValueError) as error:
        raise Bad(place, f"`{words[0]}` is no domain name: {error}") from None
