"""What the data path reads: the route table and the pools of endpoints, as values and as bytes.

Law: compiled once, decoded as a whole by one call, looked things up in as they are. Texts that are compared
with requests are bytes in canonical form (`normal`). Db `gateway` holds ROUTES -> Table, and
SERVICE + Location.pool -> Pool; a change of endpoints rewrites only the latter. Structs are arrays
on the wire: a new field goes to the end, with a default.
"""

from functools import lru_cache
from typing import Any

import msgspec
import re2
from msgspec import Struct

from fedns.gateway.options import Match, Options, Tls

ROUTES, SERVICE, CERTIFICATE = b"routes", b"service/", b"certificate/"

MEMORY, STEPS = 1 << 20, 2000
"""Octets and instructions that one regular expression may take when compiled. RE2 looks at each octet of a
text once, but for that may take as long as there are instructions."""
MOST = 8 << 10
"""Octets of a value that are looked through; targets have their own bound."""


class Canary(Struct, frozen=True, array_like=True, omit_defaults=True, gc=False):
    """Another pool for some requests of a location. Names are lower case where the protocol does not mind.
    `broken`: its header pattern cannot be read. `spoken`: header, query or cookie decide about it."""

    rule: bytes
    pool: bytes
    tag: bytes
    options: int = 0
    header: bytes = b""
    value: bytes = b""
    pattern: bytes = b""
    broken: bool = False
    cookie: bytes = b""
    cookie_value: bytes = b""
    query: bytes = b""
    query_value: bytes = b""
    query_pattern: bytes = b""
    weight: int = 0
    total: int = 100
    sticky: bool = True

    @property
    def spoken(self) -> bool:
        return bool(self.header or self.cookie or self.query)

    def __str__(self) -> str:
        return self.rule.decode("latin-1")


class Location(Struct, frozen=True, array_like=True, omit_defaults=True, gc=False):
    """One path of one host. `rule` tells people and metrics: `namespace/ingress host/path`."""

    rule: bytes
    path: bytes
    """As the Ingress has it, in canonical form."""
    pool: bytes
    """`namespace/service/port`, with a suffix where annotations choose among clusters; empty: none."""
    tag: bytes = b""
    """The pool's name in cookies."""
    options: int = 0
    canaries: tuple[Canary, ...] = ()
    """The oldest first."""
    match: Match = Match()
    variants: "tuple[Location, ...]" = ()
    """Locations of the same path that ask for more, those that ask for most first. With them `pool` may be
    empty: then nobody takes what they do not."""
    pattern: bytes = b""
    """Where the path is a regular expression: searched from the start of the path, in any case."""


class Regex(Struct, frozen=True, array_like=True, gc=False):
    """`literal`: the lower-case text that all that the location's pattern matches begins with, so that most
    paths need no search."""

    literal: bytes
    location: Location


class Host(Struct, frozen=True, array_like=True, omit_defaults=True, gc=False):
    """All locations of one host.

    `exact`: whole path. `prefix`: whole elements; keys have no trailing slash, so `/` is empty.
    `starts`: any beginning, with its `lengths`, the longest first. Where there are `regexes`, the first
    that matches wins and nothing else is looked at. `default`: for what no location takes.
    """

    exact: dict[bytes, Location] = {}
    prefix: dict[bytes, Location] = {}
    longest: int = 0
    """Octets of the longest key of `prefix`."""
    starts: dict[bytes, Location] = {}
    lengths: tuple[int, ...] = ()
    regexes: tuple[Regex, ...] = ()
    default: Location | None = None
    root: bytes = b""
    """Where `/` is sent (`app-root`)."""
    elsewhere: bytes = b""
    """The host that all requests are sent to (`from-to-www-redirect`)."""


class Table(Struct, frozen=True, array_like=True):
    """`hosts` by canonical name; `wild` by what follows the one label of `*`, with its dot; `anyone`: rules
    without a host; `default`: for hosts that no rule names, and for paths that nothing took."""

    hosts: dict[bytes, Host] = {}
    wild: dict[bytes, Host] = {}
    anyone: Host | None = None
    default: Location | None = None
    options: tuple[Options, ...] = (Options(),)
    tls: dict[bytes, Tls] = {}
    """By host, as rules have it: a name, or `*.` and the rest."""


class Endpoint(Struct, frozen=True, array_like=True, gc=False):
    """One that takes requests. `tag` is its name in cookies: short, stable, and telling nothing. `h2c`: in
    HTTP/2 without TLS, unless annotations say otherwise."""

    address: str
    port: int
    member: str
    tag: bytes
    h2c: bool = False


class Part(Struct, frozen=True, array_like=True, gc=False):
    """One member's part of a tier; the shares of a tier sum to 1 and each part has endpoints."""

    member: str
    share: float
    endpoints: tuple[Endpoint, ...]


class Tier(Struct, frozen=True, array_like=True, gc=False):
    """`load` is the tier's part of all requests; 0: in reserve, for when those above cannot."""

    load: float
    parts: tuple[Part, ...]


class Pool(Struct, frozen=True, array_like=True, omit_defaults=True):
    """Who serves, tier by tier; none: nobody can. `open`: nobody is healthy, and the last good ones serve."""

    tiers: tuple[Tier, ...] = ()
    open: bool = False


class Certificate(Struct, frozen=True, array_like=True, omit_defaults=True, gc=False):
    """PEM: a chain and its key, and authorities to check others by; any may be empty."""

    chain: bytes = b""
    key: bytes = b""
    authorities: bytes = b""

    def __repr__(self) -> str:
        return f"Certificate({len(self.chain)} octets)"


UNASKED = Tls()


def sealed(table: Table, name: bytes) -> Tls:
    """How a host is to be spoken to over TLS: as it says itself, or a wildcard over its first label."""
    return table.tls.get(name) or table.tls.get(b"*" + name[name.find(b".") :], UNASKED)


_tables = msgspec.msgpack.Decoder(Table)
_pools = msgspec.msgpack.Decoder(Pool)
_certificates = msgspec.msgpack.Decoder(Certificate)
_encoder = msgspec.msgpack.Encoder()


def encode(value: Table | Pool | Certificate) -> bytes:
    return _encoder.encode(value)


def table(data: bytes) -> Table:
    return _tables.decode(data)


def pool(data: bytes) -> Pool:
    return _pools.decode(data)


def certificate(data: bytes) -> Certificate:
    return _certificates.decode(data)


@lru_cache(maxsize=16384)
def pattern(text: bytes) -> Any:
    """The compiled expression (`search(bytes)`). re2.error says what is wrong with it."""
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.log_errors = False
    options.max_mem = MEMORY
    made = re2.compile(text, options)
    if made.programsize > STEPS:
        raise re2.error(f"it takes {made.programsize} steps, and {STEPS} is the most")
    return made


def matches(text: bytes, value: bytes) -> bool:
    """Whether an expression is found in a value; never in one that is too long to be looked through."""
    return len(value) <= MOST and pattern(text).search(value) is not None
