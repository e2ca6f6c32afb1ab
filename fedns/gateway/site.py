"""One host while its rules are gathered: who claimed which path, and what becomes of them all together.

Law: the first claim keeps a path. One Ingress that asks for regular expressions makes all paths of the host
patterns, as in ingress-nginx: in any case, from the start, the longest text first, whatever their kind.
"""

from collections.abc import Iterable, Sequence

import re2
from msgspec import Struct, structs

from fedns.gateway import normal, route
from fedns.gateway.options import Access
from fedns.gateway.route import Canary, Location

META = frozenset(b"\\.+*?()[]{}|^$")
COUNTS = frozenset(b"*?{")
LONGEST = 2048
"""Octets of a path; a longer one is a mistake."""

Key = tuple[bytes, str]


class Claim(Struct, frozen=True):
    """One path of one Ingress. `text` is what it says, escaped; `regex`: its Ingress asks for patterns."""

    text: bytes
    kind: str
    regex: bool
    location: Location


class Draft:
    """A host to be."""

    def __init__(self) -> None:
        self.claims: dict[Key, Claim] = {}
        self.default: Location | None = None
        self.access: Access | None = None
        self.root = b""

    def claim(self, claim: Claim) -> Claim | None:
        """Takes the claim; else who has the path already. `/foo` and `/foo/` are one prefix, which goes to
        who wrote the longer one."""
        key = keyed(claim.text, claim.kind, claim.regex)
        other = self.claims.get(key)
        if other is not None and len(other.text) >= len(claim.text):
            return other if other.text == claim.text else None
        self.claims[key] = claim
        return None

    def find(self, text: bytes, kind: str) -> Key | None:
        """Where a canary for this path and kind belongs. `text` as its Ingress has it."""
        for regex in (False, True):
            try:
                key = keyed(text if regex else canonical(text), kind, regex)
            except normal.Rejected:
                continue
            if key in self.claims and self.claims[key].regex == regex:
                return key
        return None

    def attach(self, key: Key | None, canary: Canary) -> None:
        """One more canary of a path; None: of the default backend."""
        if key is None:
            assert self.default is not None
            self.default = joined(self.default, canary)
            return
        claim = self.claims[key]
        self.claims[key] = structs.replace(claim, location=joined(claim.location, canary))

    def built(self) -> tuple[route.Host, Sequence[tuple[Claim, str]]]:
        """The host, and the claims that could not be compiled with the reason."""
        if any(claim.regex for claim in self.claims.values()):
            return self._patterns()
        kinds: dict[str, dict[bytes, Location]] = {"Exact": {}, "Prefix": {}, "ImplementationSpecific": {}}
        for (path, kind), claim in self.claims.items():
            kinds[kind][path] = claim.location
        exact, prefix, starts = kinds.values()
        longest = max(map(len, prefix), default=0)
        lengths = tuple(sorted({len(path) for path in starts}, reverse=True))
        return route.Host(exact, prefix, longest, starts, lengths, (), self.default, self.root), ()

    def _patterns(self) -> tuple[route.Host, Sequence[tuple[Claim, str]]]:
        rows, bad = [], []
        for claim in self.claims.values():
            for text in self._texts(claim):
                pattern = b"(?i)^" + text
                try:
                    route.pattern(pattern)
                except re2.error as error:
                    bad.append((claim, reason(error)))
                    break
                location = structs.replace(claim.location, pattern=pattern)
                rows.append((len(text), text, route.Regex(literal(text), location)))
        rows.sort(key=lambda row: row[:2], reverse=True)
        regexes = tuple(regex for _, _, regex in rows)
        return route.Host(regexes=regexes, default=self.default, root=self.root), bad

    def _texts(self, claim: Claim) -> Iterable[bytes]:
        """A prefix whose own Ingress asks for no patterns stands with and, unless that is somebody's exact
        path, without its slash."""
        if claim.kind != "Prefix" or claim.regex or claim.text == b"/":
            return (claim.text,)
        bare = claim.text.rstrip(b"/")
        return (bare + b"/",) if (bare, "Exact") in self.claims else (bare + b"/", bare)


def joined(location: Location, canary: Canary) -> Location:
    return structs.replace(location, canaries=(*location.canaries, canary))


def keyed(text: bytes, kind: str, regex: bool) -> Key:
    return (text.rstrip(b"/") if kind == "Prefix" and not regex else text), kind


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


def reason(error: Exception) -> str:
    """What RE2 says is wrong."""
    first = error.args[0] if error.args else error
    return first.decode("utf-8", "replace") if isinstance(first, bytes) else str(first)
