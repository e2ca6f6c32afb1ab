"""Texts of annotations -> typed values.

Law: each reader takes a text and gives a value, or raises Wrong with what it expects; none knows which key it
reads for. What could become part of a header or of a target is checked here, once.
"""

import re
from collections.abc import Callable, Mapping
from ipaddress import ip_network
from typing import NamedTuple, TypeVar

import re2

from fedns.gateway import access, normal, options, route, variables

Value = TypeVar("Value")

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_SERVICE = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?")
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://(\*\.)?[a-z0-9.-]+(:[0-9]+)?|null")
_HOST = re.compile(r"(\*\.)?[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?")
_SIZE = re.compile(r"([0-9]+)([kKmMgG]?)")
_SPAN = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d)?")
_UNITS = {"ms": 0.001, "": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_POWERS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


class Wrong(ValueError):
    """A text that cannot be read; says what is expected."""


class Share(NamedTuple):
    """One line of `destination`: percent of the requests, `namespace/name`, port (may be empty), subset."""

    percent: int
    service: str
    port: str
    subset: str


def boolean(text: str) -> bool:
    """As Go's strconv.ParseBool, which ingress-nginx uses."""
    if text in ("1", "t", "T", "true", "TRUE", "True"):
        return True
    if text in ("0", "f", "F", "false", "FALSE", "False"):
        return False
    raise Wrong("true or false")


def switch(text: str) -> bool:
    """nginx's own form."""
    if text.lower() in ("on", "off"):
        return text.lower() == "on"
    return boolean(text)


def number(least: int = 0, most: int = 2**31) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not re.fullmatch(r"-?[0-9]{1,10}", text) or not least <= int(text) <= most:
            raise Wrong(f"a whole number from {least}" + (f" to {most}" if most < 2**31 else ""))
        return int(text)

    return read


def percent(text: str) -> float:
    if not re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,4})?", text) or float(text) > 100:
        raise Wrong("a number from 0 to 100")
    return float(text)


def seconds(text: str) -> float:
    """A number, which counts seconds, or one with a unit."""
    found = _SPAN.fullmatch(text)
    if found is None:
        raise Wrong("seconds, or a time like 30s, 5m, 250ms")
    return float(found[1]) * _UNITS[found[2] or ""]


def size(text: str) -> int:
    """Octets; k, m and g are powers of 1024."""
    found = _SIZE.fullmatch(text)
    if found is None:
        raise Wrong("a size like 8m, 512k or 0")
    return int(found[1]) * _POWERS[found[2].lower()]


def word(*known: str) -> Callable[[str], str]:
    """One of these, in any case."""

    def read(text: str) -> str:
        for each in known:
            if each.lower() == text.lower():
                return each
        raise Wrong(f"one of {', '.join(known)}")

    return read


def words(*known: str) -> Callable[[str], tuple[str, ...]]:
    def read(text: str) -> tuple[str, ...]:
        return tuple(word(*known)(each) for each in re.split(r"[\s,]+", text.strip()) if each)

    return read


def listed(each: Callable[[str], Value]) -> Callable[[str], tuple[Value, ...]]:
    """Values between commas; empty ones do not count."""

    def read(text: str) -> tuple[Value, ...]:
        return tuple(each(part.strip()) for part in text.split(",") if part.strip())

    return read


def field_name(text: str) -> bytes:
    if not _NAME.fullmatch(text):
        raise Wrong("a header name")
    return text.encode()


def field_value(text: str) -> bytes:
    if any(ord(each) < 0x20 or ord(each) == 0x7F for each in text.replace("\t", " ")):
        raise Wrong("text without control characters")
    return text.encode()


def cookie_name(text: str) -> bytes:
    return field_name(text)


def methods(text: str) -> tuple[bytes, ...]:
    """Methods between spaces or commas."""
    found = tuple(sorted({field_name(each.upper()) for each in re.split(r"[\s,]+", text) if each}))
    if not found:
        raise Wrong("methods, like GET HEAD")
    return found


def expression(text: str) -> bytes:
    """What the whole of a value must match."""
    pattern = b"^(?:" + text.encode() + b")$"
    try:
        route.pattern(pattern)
    except re2.error as bad:
        raise Wrong(
            f"an expression that RE2 reads, in {route.STEPS} steps: no look-around, no back-references"
        ) from bad
    return pattern


def fields(text: str) -> tuple[options.Field, ...]:
    """A name and its value on each line, between spaces; either may be quoted."""
    found = []
    for line in filter(None, map(str.strip, text.splitlines())):
        name, _, value = line.partition(" ") if not line.startswith(('"', "'")) else _quoted(line)
        value = value.strip()
        if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
            value = value[1:-1]
        if not value:
            raise Wrong("a header name, a space, and its value on each line")
        found.append((field_name(name.strip()), field_value(value)))
    return tuple(found)


def _quoted(line: str) -> tuple[str, str, str]:
    return line[1:].partition(line[0])


def networks(text: str) -> tuple[options.Network, ...]:
    """Addresses and prefixes between commas."""
    found = []
    for part in filter(None, map(str.strip, text.split(","))):
        try:
            network = ip_network(part, strict=False)
        except ValueError as bad:
            raise Wrong(f"addresses or prefixes between commas; {part!r} is none") from bad
        host_bits = network.max_prefixlen - network.prefixlen
        found.append(access.network(network.version, int(network.network_address), host_bits))
    return tuple(found)


def text(value: str) -> options.Text:
    """With variables of the request."""
    try:
        return variables.parse(field_value(value).decode())
    except ValueError as bad:
        raise Wrong(f"text with variables that fedns knows; {bad}") from bad


def url(value: str) -> options.Text:
    """An http(s) URL or a path, with variables; it becomes a Location or a subrequest."""
    if not re.match(r"https?://|\$scheme://|\$\{scheme\}://|/", value):
        raise Wrong("a URL that begins with http://, https:// or $scheme://, or a path")
    return tuple(
        (kind, normal.escaped(piece.decode()) if kind == "text" else piece) for kind, piece in text(value)
    )


def asked(value: str) -> options.Text:
    """A URL that we ask ourselves: a host that is written out can be one."""
    host = re.match(r"https?://([^/?#]*)", value)
    if host and "$" not in host[1]:
        try:
            normal.host(host[1].encode("latin-1", "replace"))
        except normal.Rejected as no:
            raise Wrong("a URL with a host that can be one") from no
    return url(value)


def path(value: str) -> bytes:
    """What a request can ask for: a path, with a query where there is one."""
    if not value.startswith("/"):
        raise Wrong("a path that begins with /")
    return normal.escaped(value)


def target(value: str) -> bytes:
    """A rewrite target: a path, with `$1` to `$9`."""
    if "://" in value:
        raise Wrong("a path, not a URL")
    return normal.escaped(value)


def host(value: str) -> str:
    if not _HOST.fullmatch(value.lower()):
        raise Wrong("a host name")
    return value.lower()


def origin(value: str) -> str:
    if value == "*" or _ORIGIN.fullmatch(value.lower()):
        return value.lower()
    raise Wrong("origins like https://example.com:8080 or https://*.example.com, or *")


def statuses(text: str) -> tuple[int, ...]:
    return listed(number(300, 599))(text)


def service(text: str) -> str:
    """A Service: NAME, or NAMESPACE/NAME, with :PORT where it matters."""
    bare, _, port = text.partition(":")
    parts = bare.split("/")
    if len(parts) > 2 or not all(map(_SERVICE.fullmatch, parts)) or (port and not _LABEL.fullmatch(port)):
        raise Wrong("a Service: NAME or NAMESPACE/NAME, with :PORT where it matters")
    return text


def secret(text: str) -> str:
    """NAME or NAMESPACE/NAME."""
    parts = text.split("/")
    if len(parts) > 2 or not all(_LABEL.fullmatch(each) for each in parts):
        raise Wrong("a Secret: NAME or NAMESPACE/NAME")
    return text


def labels(text: str) -> tuple[tuple[str, str], ...]:
    """`KEY VALUE` or `KEY: VALUE` or `KEY=VALUE` on each line."""
    found = []
    for line in filter(None, map(str.strip, text.splitlines())):
        parts = [each.strip("\"'") for each in re.split(r"\s*[:=]\s*|\s+", line, maxsplit=1)]
        if len(parts) != 2 or not parts[0]:
            raise Wrong("a label key, a space, and its value on each line")
        found.append((parts[0], parts[1]))
    return tuple(found)


def levels(text: str) -> tuple[tuple[str, ...], ...]:
    """Members between commas; the next level after a semicolon."""
    found = tuple(
        tuple(filter(None, map(str.strip, level.split(",")))) for level in text.split(";") if level.strip()
    )
    if not found or not all(_LABEL.fullmatch(each) for level in found for each in level):
        raise Wrong("members, like east-1,east-2;west: commas within a level, semicolons between them")
    return found


def weights(text: str) -> Mapping[str, int]:
    """MEMBER=WEIGHT between commas."""
    found = {}
    for part in filter(None, map(str.strip, text.split(","))):
        member, _, weight = part.partition("=")
        if not _LABEL.fullmatch(member.strip()) or not weight.strip().isdecimal():
            raise Wrong("weights, like east=3,west=1")
        found[member.strip()] = int(weight)
    return found


def named_member(text: str) -> tuple[bytes, bool]:
    """A header name; `:strict` after it: where its member cannot serve, nobody does."""
    name, _, rest = text.partition(":")
    if rest not in ("", "strict"):
        raise Wrong("a header name, or one with :strict")
    return field_name(name).lower(), bool(rest)


def destinations(text: str) -> tuple[Share, ...]:
    """`60% NAME.NAMESPACE.svc.cluster.local:PORT` on each line."""
    found = []
    for line in filter(None, map(str.strip, text.splitlines())):
        parts = line.split()
        share = 100
        if parts[0].endswith("%") and parts[0][:-1].isdecimal():
            share = int(parts.pop(0)[:-1])
        where = re.fullmatch(
            r"([a-z0-9-]+)\.([a-z0-9-]+)\.svc(?:\.[a-z0-9.-]+)?(?::([0-9]+))?", parts[0] if parts else ""
        )
        if where is None or len(parts) > 2:
            raise Wrong("lines like 60% web.shop.svc.cluster.local:8080")
        found.append(Share(share, f"{where[2]}/{where[1]}", where[3] or "", "".join(parts[1:])))
    if not found or sum(each.percent for each in found) <= 0:
        raise Wrong("lines like 60% web.shop.svc.cluster.local:8080, that add up to 100")
    return tuple(found)


def pair(text: str) -> options.Field:
    """`FROM TO`, as nginx's proxy_cookie_domain and proxy_redirect have it; `off` is nothing."""
    parts = text.split()
    if len(parts) != 2:
        raise Wrong("what to replace, a space, and by what")
    return field_value(parts[0].strip("\"'")), field_value(parts[1].strip("\"'"))


def cached(text: str) -> tuple[tuple[int, int], ...]:
    """`200 202 10m, 401 5m`, as nginx's proxy_cache_valid has it; (status, seconds), status 0: any."""
    found = []
    for part in filter(None, map(str.strip, text.split(","))):
        *codes, span = part.split()
        kept = int(seconds(span))
        found += [
            (0 if code == "any" else number(100, 599)(code), kept) for code in codes or ("200", "301", "302")
        ]
    return tuple(found)
