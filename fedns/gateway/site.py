"""One host while its rules are gathered: who claimed which path, and what becomes of them all together.

Law: the first claim keeps a path. One Ingress that asks for regular expressions makes all paths of the host
patterns, as in ingress-nginx: in any case, from the start, the longest text first, whatever their kind.
"""

from collections.abc import Iterable, Sequence

import re2
from msgspec import Struct, structs

from fedns.gateway import normal, route

META = frozenset(b"\\.+*?()[]{}|^$")
COUNTS = frozenset(b"*?{")
LONGEST = 2048
"""Octets of a path; a longer one is a mistake."""


class Claim(Struct, frozen=True):
    """One path of one Ingress. `text` is what it says, escaped; `regex`: its Ingress asks for patterns."""

    text: bytes
    kind: str
    regex: bool
    location: route.Location


class Draft:
    """A host to be."""

    def __init__(self) -> None:
        self.claims: dict[tuple[bytes, str], Claim] = {}
        self.default: route.Location | None = None

    def claim(self, claim: Claim) -> Claim | None:
        """Takes the claim; else who has the path already. `/foo` and `/foo/` are one prefix, which goes to
        who wrote the longer one."""
        path = claim.text
        if claim.kind == "Prefix" and not claim.regex:
            path = path.rstrip(b"/")
        key = (path, claim.kind)
        other = self.claims.get(key)
        if other is not None and len(other.text) >= len(claim.text):
            return other if other.text == claim.text else None
        self.claims[key] = claim
        return None

    def built(self) -> tuple[route.Host, Sequence[tuple[Claim, str]]]:
        """The host, and the claims that could not be compiled with the reason."""
        if any(claim.regex for claim in self.claims.values()):
            return self._patterns()
        kinds: dict[str, dict[bytes, route.Location]] = {
            "Exact": {},
            "Prefix": {},
            "ImplementationSpecific": {},
        }
        for (path, kind), claim in self.claims.items():
            kinds[kind][path] = claim.location
        exact, prefix, starts = kinds.values()
        longest = max(map(len, prefix), default=0)
        lengths = tuple(sorted({len(path) for path in starts}, reverse=True))
        return route.Host(exact, prefix, longest, starts, lengths, (), self.default), ()

    def _patterns(self) -> tuple[route.Host, Sequence[tuple[Claim, str]]]:
        rows, bad = [], []
        for claim in self.claims.values():
            for text in self._texts(claim):
                pattern = b"(?i)^" + text
                try:
                    route.pattern(pattern)
                except re2.error as error:
                    bad.append((claim, _reason(error)))
                    break
                location = structs.replace(claim.location, pattern=pattern)
                rows.append((len(text), text, route.Regex(literal(text), location)))
        rows.sort(key=lambda row: row[:2], reverse=True)
        regexes = tuple(regex for _, _, regex in rows)
        return route.Host(regexes=regexes, default=self.default), bad

    def _texts(self, claim: Claim) -> Iterable[bytes]:
        """A prefix whose own Ingress asks for no patterns stands with and, unless that is somebody's exact
        path, without its slash."""
        if claim.kind != "Prefix" or claim.regex or claim.text == b"/":
            return (claim.text,)
        bare = claim.text.rstrip(b"/")
        return (bare + b"/",) if (bare, "Exact") in self.claims else (bare + b"/", bare)


def escaped(text: str) -> bytes:
    """A path as users write it, in octets that a request could have."""
    return b"".join(bytes((each,)) if 0x20 < each < 0x7F else b"%%%02X" % each for each in text.encode())


def canonical(text: bytes) -> bytes:
    """The path of a rule as requests for it are matched; normal.Rejected when none could be."""
    if text[:1] != b"/":
        raise normal.Rejected(400, "it does not begin with /")
    if len(text) > LONGEST:
        raise normal.Rejected(400, f"it is longer than {LONGEST} octets")
    return normal.canonical(text)[0]


def literal(text: bytes) -> bytes:
    """What all that the pattern matches begins with, in lower case."""
    if b"|" in text:
        return b""
    end = next((at for at, each in enumerate(text) if each in META), len(text))
    if end < len(text) and text[end] in COUNTS:
        end -= 1
    return text[: max(end, 0)].lower()


def _reason(error: Exception) -> str:
    first = error.args[0] if error.args else error
    return first.decode("utf-8", "replace") if isinstance(first, bytes) else str(first)
