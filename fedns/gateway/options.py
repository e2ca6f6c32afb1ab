"""What annotations ask of a location, as the data path reads it: plain values, everything precomputed.

Law: only data, and an absent wish is None, empty or its default, so that one test skips it. Names of header
fields to compare are lower case; texts are bytes; times are seconds; addresses are numbers. Structs are
arrays on the wire: a new field goes to the end, with a default.
"""

from typing import Literal

from msgspec import Struct

Piece = tuple[str, bytes]
"""(`text`, literal), or (variable of `variables.KNOWN`, its argument)."""
Text = tuple[Piece, ...]
Field = tuple[bytes, bytes]
Compared = tuple[Literal["exact", "prefix", "regex"], bytes, bytes]
"""(how, name, value); an expression matches the whole value."""
Network = tuple[int, int | bytes, int]
"""(4 or 6, network as a number, bits that are not the network's). Numbers of IPv6 are bytes: they would not
fit into one of the wire's."""
FEDNS, STRICT, MSE = 0, 1, 2
"""How canaries are chosen: fedns's order, ingress-nginx's, or MSE's."""


class Match(Struct, frozen=True, array_like=True, omit_defaults=True, gc=False):
    """What a rule asks of a request beside host and path; all of it must hold."""

    methods: tuple[bytes, ...] = ()
    headers: tuple[Compared, ...] = ()
    query: tuple[Compared, ...] = ()


class Redirect(Struct, frozen=True, array_like=True, gc=False):
    """`url` is sent as Location."""

    code: int
    url: Text


class Cors(Struct, frozen=True, array_like=True, omit_defaults=True, gc=False):
    """`origins` are lower case; `wild` are (what is before the star, what follows it). `anyone` outdoes both.
    `fields` are those that every allowed answer has, but for the origin."""

    anyone: bool
    origins: tuple[bytes, ...]
    wild: tuple[tuple[bytes, bytes], ...]
    fields: tuple[Field, ...]


class Access(Struct, frozen=True, array_like=True, omit_defaults=True, gc=False):
    """`deny` is looked at first; where there is `allow`, everybody else is refused with 403."""

    deny: tuple[Network, ...] = ()
    allow: tuple[Network, ...] = ()


class Fields(Struct, frozen=True, array_like=True, omit_defaults=True, gc=False):
    """Changes of header fields, in this order: `remove` (lower case), `update` replaces, `add` appends."""

    remove: tuple[bytes, ...] = ()
    update: tuple[Field, ...] = ()
    add: tuple[Field, ...] = ()


class Affinity(Struct, frozen=True, array_like=True, omit_defaults=True, gc=False):
    """A cookie that leads back to the same endpoint. `path` empty: the location's. `secure`: also to
    who came without TLS, as in nginx. Ages below 0: none is said."""

    name: bytes = b"INGRESSCOOKIE"
    persistent: bool = False
    path: bytes = b""
    max_age: int = -1
    expires: int = -1
    domain: bytes = b""
    same_site: bytes = b""
    conditional: bool = False
    secure: bool = False
    change_on_failure: bool = False


class Hash(Struct, frozen=True, array_like=True, gc=False):
    """`subset` above 0: the key chooses that many endpoints, and each request one of them."""

    by: Text
    subset: int = 0


class Timeouts(Struct, frozen=True, array_like=True, omit_defaults=True, gc=False):
    """`connect`, and silence of the backend while it is written to and read from; `whole`: the request."""

    connect: float = 5.0
    send: float = 60.0
    read: float = 60.0
    whole: float = 0.0


class Retry(Struct, frozen=True, array_like=True, omit_defaults=True, gc=False):
    """`tries` include the first; 0: as many as there are endpoints. What is not idempotent is tried again
    after a byte was sent only if `unsafe`. `leave`: when another try leaves its cluster."""

    tries: int = 3
    within: float = 0.0
    error: bool = True
    timeout: bool = True
    invalid: bool = False
    statuses: tuple[int, ...] = ()
    unsafe: bool = False
    leave: Literal["connect", "idempotent", "off"] = "connect"


class Mirror(Struct, frozen=True, array_like=True, omit_defaults=True, gc=False):
    """A copy of each request, or of `percent` of them, to a `pool`, or to another host: then `url` is where.
    `target` empty: that of the request. `vhost` empty: the host asked. Answers are thrown away."""

    pool: bytes = b""
    url: Text = ()
    target: Text = ()
    vhost: Text = ()
    percent: float = 100.0
    body: bool = True


class Limit(Struct, frozen=True, array_like=True, gc=False):
    """A token bucket: `rate` per second, `burst` at once; one for each client, or one for the route."""

    rate: float
    burst: float
    client: bool


class Refusal(Struct, frozen=True, array_like=True, omit_defaults=True, gc=False):
    """What is said to one too many; `redirect` outdoes the status."""

    status: int = 429
    body: bytes = b""
    kind: bytes = b"text/plain; charset=UTF-8"
    redirect: Text = ()


class Limits(Struct, frozen=True, array_like=True, omit_defaults=True, gc=False):
    """`buckets` and `connections` (at once, of one client) refuse with `refusal`, `concurrency` (at once,
    on the route) with `busy`; 0: no limit. Clients in `exempt` are not counted. `pace`: octets per second
    of an answer's body, after the first `pace_after`."""

    buckets: tuple[Limit, ...] = ()
    connections: int = 0
    concurrency: int = 0
    exempt: tuple[Network, ...] = ()
    refusal: Refusal = Refusal()
    busy: Refusal = Refusal()
    pace: int = 0
    pace_after: int = 0


class Basic(Struct, frozen=True, array_like=True, gc=False):
    """Users, and what htpasswd made of their passwords."""

    realm: bytes
    users: tuple[Field, ...]


class External(Struct, frozen=True, array_like=True, omit_defaults=True, gc=False):
    """A subrequest that decides: 2xx lets the request through, 401 and 403 answer it (401 by a redirect where
    there is `signin`). Where its host is a Service, `pool` is that. `copied` fields of its answer go on to
    the backend."""

    url: Text
    pool: bytes = b""
    method: bytes = b""
    signin: Text = ()
    copied: tuple[bytes, ...] = ()
    redirect: Text = ()
    cache_key: Text = ()
    cache: tuple[tuple[int, int], ...] = ()
    """(status, seconds); status 0: any."""
    cookie_always: bool = False


class Upstream(Struct, frozen=True, array_like=True, omit_defaults=True, gc=False):
    """How the backend is spoken to. `secret` names an entry of certificates; `verify` checks the backend's
    for `name` (empty: the host that is sent) with the authorities in it."""

    protocol: Literal["http", "https", "grpc", "grpcs", "h2c", "auto"] = "http"
    vhost: Text = ()
    old: bool = False
    """HTTP/1.0"""
    name: bytes = b""
    sni: bool = False
    verify: bool = False
    secret: bytes = b""
    connections: int = 0
    per_endpoint: int = 0
    requests: int = 0
    """Limits of the pool, and of requests on one connection; 0: none."""


class Errors(Struct, frozen=True, array_like=True, gc=False):
    """Answers with one of `statuses` are replaced by what `pool` says to them."""

    statuses: tuple[int, ...]
    pool: bytes


class Tls(Struct, frozen=True, array_like=True, omit_defaults=True, gc=False):
    """How a host is spoken to over TLS. `certificate` and `clients` (authorities of its clients) name
    entries of certificates; `certificate` empty: the default one. `subject`: an expression for the
    client's."""

    certificate: bytes = b""
    least: str = ""
    most: str = ""
    ciphers: str = ""
    clients: bytes = b""
    verify: Literal["off", "on", "optional", "optional_no_ca"] = "off"
    depth: int = 1
    subject: bytes = b""
    page: Text = ()
    forward: bool = False


class Options(Struct, frozen=True, array_like=True, omit_defaults=True):
    """Locations share these: `Location.options` is an index of `Table.options`, 0 the defaults."""

    refused: bytes = b""
    """Why nobody gets through (503): a wish that guards, and that cannot be met."""
    access: Access | None = None
    https: bool = False
    """Plain requests are sent to https."""
    keep_slash: bool = False
    redirect: Redirect | None = None
    cors: Cors | None = None
    basic: Basic | None = None
    external: External | None = None
    certified: bool = False
    """Only with a certificate that the host's `Tls.clients` verify, and so only over TLS."""
    either: bool = False
    """One of address and authentication is enough."""
    limits: Limits | None = None
    rewrite: bytes = b""
    """Target of `rewrite-target`; `$1` to `$9` are groups of the location's pattern."""
    prefix: bytes = b""
    """X-Forwarded-Prefix, where a rewrite happens."""
    request: Fields | None = None
    response: Fields | None = None
    affinity: Affinity | None = None
    hash: Hash | None = None
    balance: Literal["round", "least", "random"] = "round"
    warmup: float = 0.0
    fallback: bytes = b""
    """Pool that serves when the location's own has nobody."""
    errors: Errors | None = None
    member_header: bytes = b""
    """A field that names the member to go to; `member_strict`: nobody else will do."""
    member_strict: bool = False
    mode: int = FEDNS
    timeouts: Timeouts = Timeouts()
    retry: Retry = Retry()
    mirror: Mirror | None = None
    upstream: Upstream = Upstream()
    body_limit: int = -1
    """Octets of a request body; 0: no limit, below: the gateway's own."""
    buffer_request: bool = False
    cookie_domains: tuple[Field, ...] = ()
    cookie_paths: tuple[Field, ...] = ()
    """(from, to) in Set-Cookie of the backend."""
    moved: tuple[Field, ...] = ()
    """(from, to) in Location and Refresh of the backend."""
    logged: bool = True
