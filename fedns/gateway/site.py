"""One host while its rules are gathered: who claimed which path, and what becomes of them all together.

Law: the first claim keeps a path. One Ingress that asks for regular expressions makes all paths of the host
patterns, as in ingress-nginx: in any case, from the start, the longest text first, whatever their kind.
"""

from collections.abc import Iterable, Sequence

import re2
from msgspec import Struct, structs

from fedns.gateway import normal, route
from fedns.gateway.options import Access, Match
from fedns.gateway.route import Location

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
    """A host to be. One path has a claim for each thing that its claims ask for beside it. `regex`: one of
    its Ingresses asks for patterns."""

    def __init__(self) -> None:
        self.regex = False
        self.claims: dict[Key, dict[Match, Claim]] = {}
        self.default: Location | None = None
        self.access: Access | None = None
        self.root = b""

    def claim(self, claim: Claim) -> Claim | None:
        """Takes the claim; else who has the path already. `/foo` and `/foo/` are one prefix, which goes to
        who wrote the longer one."""
        known = self.claims.setdefault(self._key(claim.text, claim.kind), {})
        other = known.get(claim.location.match)
        if other is not None and len(other.text) >= len(claim.text):
            return other if other.text == claim.text else None
        known[claim.location.match] = claim
        return None

    def find(self, text: bytes, kind: str, match: Match) -> Sequence[Claim]:
        """Whom a canary for this path and kind joins: who asks for the same; for nothing where it asks for
        nothing, and else everybody. `text` as its Ingress has it."""
        try:
            known = self.claims.get(self._key(self.text(text), kind), {})
        except normal.Rejected:
            return ()
        if match in known:
            return (known[match],)
        return tuple(known.values()) if match == Match() else ()

    def text(self, text: bytes) -> bytes:
        """The text of a path as its claim has it: canonical, or the pattern; normal.Rejected: no request has
        such a path."""
        if text[:1] != b"/":
            raise normal.Rejected(400, "it does not begin with /")
        if len(text) > LONGEST:
            raise normal.Rejected(400, f"it is longer than {LONGEST} octets")
        return text if self.regex else normal.canonical(text)[0]

    def replace(self, claim: Claim, location: Location) -> None:
        """Another location for a claim that was made."""
        known = self.claims[self._key(claim.text, claim.kind)]
        known[claim.location.match] = structs.replace(claim, location=location)

    def built(self) -> tuple[route.Host, Sequence[tuple[Claim, str]]]:
        """The host, and the claims that could not be compiled with the reason."""
        if self.regex:
            return self._patterns()
        kinds: dict[str, dict[bytes, Location]] = {"Exact": {}, "Prefix": {}, "ImplementationSpecific": {}}
        for (path, kind), known in self.claims.items():
            kinds[kind][path] = together([claim.location for claim in known.values()])
        exact, prefix, starts = kinds.values()
        longest = max(map(len, prefix), default=0)
        lengths = tuple(sorted({len(path) for path in starts}, reverse=True))
        return route.Host(exact, prefix, longest, starts, lengths, (), self.default, self.root), ()

    def _patterns(self) -> tuple[route.Host, Sequence[tuple[Claim, str]]]:
        patterns: dict[bytes, list[Location]] = {}
        bad = []
        for claim in (each for known in self.claims.values() for each in known.values()):
            for text in self._texts(claim):
                pattern = b"(?i)^" + text
                try:
                    route.pattern(pattern)
                except re2.error as error:
                    bad.append((claim, reason(error)))
                    break
                location = structs.replace(claim.location, pattern=pattern)
                patterns.setdefault(text, []).append(location)
        texts = sorted(patterns, key=lambda text: (len(text), text), reverse=True)
        regexes = tuple(route.Regex(literal(text), together(patterns[text])) for text in texts)
        return route.Host(regexes=regexes, default=self.default, root=self.root), bad

    def _key(self, text: bytes, kind: str) -> Key:
        return (text.rstrip(b"/") if kind == "Prefix" and not self.regex else text), kind

    def _texts(self, claim: Claim) -> Iterable[bytes]:
        """A prefix whose own Ingress asks for no patterns stands with and, unless that is somebody's exact
        path, without its slash."""
        if claim.kind != "Prefix" or claim.regex or claim.text == b"/":
            return (claim.text,)
        bare = claim.text.rstrip(b"/")
        return (bare + b"/",) if (bare, "Exact") in self.claims else (bare + b"/", bare)


def together(locations: Sequence[Location]) -> Location:
    """One location for all claims of a path: what asks for most comes first, of equals the older."""
    plain = next((each for each in locations if each.match == Match()), None)
    asking = [each for each in locations if each.match != Match()]
    if not asking:
        assert plain is not None
        return plain
    asking.sort(key=lambda each: _rank(each.match))
    first = asking[0]
    base = plain or Location(first.rule, first.path, b"", pattern=first.pattern)
    return structs.replace(base, variants=tuple(asking))


def _rank(match: Match) -> tuple[int, ...]:
    """Methods before none, fewer before more; then more header fields, then more parameters."""
    return not match.methods, len(match.methods), -len(match.headers), -len(match.query)


def literal(text: bytes) -> bytes:
    """What all that the pattern matches begins with, in lower case."""
    if _alternates(text):
        return b""
    end = next((at for at, each in enumerate(text) if each in META), len(text))
    if end < len(text) and text[end] in COUNTS:
        end -= 1
    return text[: max(end, 0)].lower()


def _alternates(text: bytes) -> bool:
    """Whether a `|` stands outside of all groups; in doubt it does."""
    depth = at = 0
    while at < len(text):
        each = text[at : at + 1]
        if each == b"\\":
            at += 1
        elif each == b"[" or (each == b"|" and not depth):
            return b"|" in text[at:]
        depth += (each == b"(") - (each == b")")
        at += 1
    return False


def reason(error: Exception) -> str:
    """What RE2 says is wrong."""
    first = error.args[0] if error.args else error
    return first.decode("utf-8", "replace") if isinstance(first, bytes) else str(first)
