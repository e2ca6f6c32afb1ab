"""The routes as the admin API lists them: every path of every host, where it leads, and who serves there now.

Law: read from the tables that are published, in the order in which paths are looked for; a hundred thousand
routes are told one by one, so that a list that is cut costs no more than what it shows.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from msgspec import structs

from fedns.gateway import explain, route
from fedns.gateway.endpoints import Wanted
from fedns.gateway.options import Match
from fedns.gateway.route import Canary, Host, Location, Table
from fedns.servers import itinerary

ANY = "*"
"""The host of rules for any host."""


class Map(NamedTuple):
    """`pools` finds a pool by its key; `wanted` tells of which Service it is."""

    table: Table
    pools: Mapping[bytes, route.Pool]
    wanted: Mapping[bytes, Wanted]


def routes(known: Map, wanted: Mapping[str, str]) -> Iterator[itinerary.Route]:
    """All routes; `wanted` may name a host, an Ingress, a service or a member."""
    member = wanted.get("member")
    rest = {key: value for key, value in wanted.items() if key not in ("member", "host")}
    for name, host in _hosts(known.table, wanted.get("host")):
        for kind, location in _locations(host):
            told = _route(known, (name, kind), location)
            if member is not None and member not in told.serving:
                continue
            if all(getattr(told, key) == value for key, value in rest.items()):
                yield told


def _hosts(table: Table, only: str | None) -> Iterator[tuple[str, Host]]:
    """By name, wildcards after the names; then any host, and what is for no host at all."""
    found = [(name.decode("latin-1"), host) for name, host in sorted(table.hosts.items())]
    found += [(f"*{name.decode('latin-1')}", host) for name, host in sorted(table.wild.items())]
    if table.anyone is not None or table.default is not None:
        anyone = table.anyone or Host()
        default = anyone.default or table.default
        found.append((ANY, structs.replace(anyone, default=default)))
    return (each for each in found if only is None or each[0] == only)


def _locations(host: Host) -> Iterator[tuple[str, Location]]:
    if host.regexes:
        yield from _varied("Regex", [each.location for each in host.regexes])
    else:
        yield from _varied("Exact", host.exact.values())
        yield from _varied("Prefix", sorted(host.prefix.values(), key=_longest))
        yield from _varied("Start", sorted(host.starts.values(), key=_longest))
    if host.default is not None:
        yield from _varied("Default", (host.default,))


def _longest(location: Location) -> tuple[int, bytes]:
    return -len(location.path), location.path


def _varied(kind: str, found: Iterable[Location]) -> Iterator[tuple[str, Location]]:
    """Each with its variants, which are looked at first."""
    for each in found:
        yield from ((kind, variant) for variant in each.variants)
        if each.pool or not each.variants:
            yield kind, each


def _route(known: Map, at: tuple[str, str], location: Location) -> itinerary.Route:
    name, kind = at
    service, port = _service(known, location.pool)
    pool = known.pools.get(location.pool) or route.Pool()
    tls = route.sealed(known.table, name.encode("latin-1"))
    sealed = tls is not route.UNASKED
    return itinerary.Route(
        host=name,
        path=location.path.decode("latin-1"),
        kind=kind,
        ingress=location.rule.partition(b" ")[0].decode("latin-1"),
        service=service,
        port=port,
        serving=_serving(pool),
        endpoints=sum(len(part.endpoints) for tier in pool.tiers for part in tier.parts),
        canaries=[_canary(known, each) for each in location.canaries],
        matching=_matching(location.match),
        options=explain.wished(known.table.options[location.options]),
        secret=tls.certificate.decode() if sealed else None,
    )


def _service(known: Map, key: bytes) -> tuple[str, str]:
    found = known.wanted.get(key)
    return (found.service, found.port) if found is not None else (key.decode("latin-1"), "")


def _serving(pool: route.Pool) -> list[str]:
    """Members that requests go to now; of a pool in reserve only, nobody's."""
    return [part.member for tier in pool.tiers if tier.load for part in tier.parts]


def _canary(known: Map, canary: Canary) -> itinerary.Canary:
    service, port = _service(known, canary.pool)
    pool = known.pools.get(canary.pool) or route.Pool()
    return itinerary.Canary(str(canary), service, port, _when(canary), _serving(pool))


def _when(canary: Canary) -> str:
    """Which requests it gets, in words."""
    header = _named("header", canary.header, canary.value or canary.pattern)
    query = _named("query", canary.query, canary.query_value or canary.query_pattern)
    cookie = _named("cookie", canary.cookie, canary.cookie_value)
    found = [each for each in (header, query, cookie) if each]
    if canary.weight:
        found.append(f"weight {canary.weight} of {canary.total}")
    return ", or ".join(found) or "never: it has neither a weight nor a word"


def _named(kind: str, name: bytes, value: bytes) -> str:
    if not name:
        return ""
    said = f" {value.decode('latin-1')}" if value else " always"
    return f"{kind} {name.decode('latin-1')}:{said}"


def _matching(match: Match) -> str:
    """What it asks of a request beside host and path, in words."""
    methods = "|".join(each.decode("latin-1") for each in match.methods)
    found = [f"method {methods}"] if methods else []
    for kind, rows in (("header", match.headers), ("query", match.query)):
        for how, name, text in rows:
            found.append(f"{kind} {name.decode('latin-1')} {how} {text.decode('latin-1')}")
    return ", ".join(found)
