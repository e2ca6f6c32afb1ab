"""What the admin API tells of the gateway: its routes, and what becomes of one request.

Law: plain values and no behaviour, like `api`; times are Unix seconds, `age` is seconds.
"""

from msgspec import Struct

from fedns.servers.api import Evidence, Page, Problem


class Asked(Struct, frozen=True):
    """A request to be explained. `headers` in order; `client` is an address (empty: nobody in particular)."""

    url: str
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    client: str = ""


class Certificate(Struct, frozen=True):
    """What a client that asks for the host sees. `secret` empty: the default one; `ends` is when it does
    (null: there is none that could be shown, for the reason `why`)."""

    secret: str
    names: list[str]
    ends: float | None
    why: str = ""


class Endpoint(Struct, frozen=True):
    """`state` is ready, serving (it ends, and still answers), not ready, or published (an address, of which
    no readiness is known); `chosen`: the choice may fall on it."""

    address: str
    zone: str
    state: str
    chosen: bool


class Candidate(Struct, frozen=True):
    """One member. `tier` from 1 (0: none), `share` of that tier; `why` it is in or out. `seen`: what gateway
    workers saw of it since they began, by what: tries, refused, reset, silent, errors."""

    member: str
    tier: int
    share: float
    why: str
    state: str
    reason: str
    age: float | None
    evidence: list[Evidence]
    endpoints: list[Endpoint]
    seen: dict[str, int]


class Tier(Struct, frozen=True):
    """`load`: its part of all requests; 0: in reserve."""

    load: float
    shares: dict[str, float]


class Itinerary(Struct, frozen=True):
    """What becomes of one request; `steps` in order, for people. `status` 0: it is sent to `endpoint` of
    `member`, as `target`; else it is answered so, with `fields`. `tries` are where it would go next, one
    after the other. `options` that are not the default, as JSON would have them."""

    url: str
    method: str
    generation: int
    steps: list[str]
    status: int
    fields: list[tuple[str, str]]
    listener: str
    certificate: Certificate | None
    rule: str
    canary: str
    service: str
    port: str
    pool: str
    target: str
    endpoint: str
    member: str
    tries: list[str]
    retry: str
    options: dict[str, str]
    tiers: list[Tier]
    candidates: list[Candidate]
    problems: list[Problem]


class Canary(Struct, frozen=True):
    """Another service for some requests of a route. `when` in words; `serving`: members."""

    rule: str
    service: str
    port: str
    when: str
    serving: list[str]


class Route(Struct, frozen=True):
    """One path of one host. `kind` is Exact, Prefix, Start (any beginning), Regex or Default; `ingress` is
    `namespace/name`. `serving` are the members that requests go to now; none: they are answered 503.
    `secret` of its certificate: null without TLS, empty for the default one."""

    host: str
    path: str
    kind: str
    ingress: str
    service: str
    port: str
    serving: list[str]
    endpoints: int
    canaries: list[Canary]
    matching: str
    options: dict[str, str]
    secret: str | None


class Routes(Page, frozen=True):
    items: list[Route]
