"""The admin API: what the server knows, for people, scrapers and orchestrators.

Law: it knows no model and decides nothing; `Views` is handed in and returns values of `api`. Every
route is a row of `ROUTES`, from which both the router and the OpenAPI description are made. There
is no authentication, so it binds to loopback unless the configuration says otherwise, and a
command is refused when the Host header is a name that DNS could have been rebound to.
"""

import asyncio
import ipaddress
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from itertools import islice
from typing import Any, NamedTuple, Protocol

import msgspec
from aiohttp import web

from fedns.dns import explanation
from fedns.errors import FednsError
from fedns.servers import api, itinerary, openapi

LIMIT = 1000
"""Rows of a list when the request names no `limit`: a fleet may hold hundreds of thousands."""
MAX_LIMIT = 1_000_000
COMMANDS = "commands need an IP address or localhost as Host, and Content-Type application/json"
MAX_BODY = 64 << 10
"""The largest body of a command, bytes."""


class Views(Protocol):
    """What the composition root provides. Called in the event loop; `metrics` in a thread."""

    def ready(self) -> str:
        """Empty when queries can be answered, else why not."""

    def status(self) -> api.Status: ...
    def members(self) -> Iterable[api.Member]: ...
    def services(self) -> Iterable[api.Service]: ...
    def problems(self) -> Iterable[api.Problem]: ...
    def orders(self) -> Iterable[api.Order]: ...
    def signed(self) -> Iterable[api.Signed]: ...
    def copies(self, ailing: bool) -> Iterable[api.Copy]: ...

    def portions(self) -> Iterable[api.Portion]: ...

    def whereabouts(self, name: str) -> Iterable[api.Whereabouts]: ...
    def metrics(self) -> bytes: ...

    def shards(self, wanted: Mapping[str, str]) -> Iterable[api.Shard]:
        """Those equal in every field of `wanted` (service, member, region, state)."""

    def explain(self, name: str, rtype: str, source: str, member: str = "") -> explanation.Explanation:
        """Raises ValueError or FednsError where the question makes none."""

    def request(self, asked: itinerary.Asked) -> itinerary.Itinerary:
        """Raises ValueError or FednsError where the question makes none."""

    def routes(self, wanted: Mapping[str, str]) -> Iterable[itinerary.Route]:
        """Those equal in every field of `wanted` (host, ingress, service; member: one that serves)."""

    async def zone(self, origin: str) -> AsyncIterator[bytes] | None:
        """A master file of one zone (empty `origin`: the federation's) in pieces; None: not served here.
        Raises FednsError where it cannot be written."""

    def add_order(self, order: api.NewOrder) -> api.Order:
        """Raises ValueError or FednsError where the order makes no sense, OSError where it cannot be kept."""

    def remove_order(self, target: str) -> bool:
        """False where there was none. Raises OSError where that cannot be kept."""

    def allow(self, member: str) -> int:
        """What waits to be removed there may go; how many. Raises FednsError where nothing can wait."""


class Call(NamedTuple):
    """One request, with what a handler may use."""

    views: Views
    request: web.Request


def _json(value: object, status: int = 200) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), status=status, content_type="application/json")


def _fault(status: int, error: str) -> web.Response:
    return _json(api.Fault(error), status)


async def _healthz(call: Call) -> web.Response:
    return web.Response(text="ok\n")


async def _readyz(call: Call) -> web.Response:
    why = call.views.ready()
    return web.Response(text=f"not ready: {why}\n" if why else "ok\n", status=503 if why else 200)


async def _metrics(call: Call) -> web.Response:
    body = await asyncio.to_thread(call.views.metrics)
    return web.Response(body=body, headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})


async def _status(call: Call) -> web.Response:
    return _json(call.views.status())


Rows = Callable[[Views, Mapping[str, str]], Iterable[object]]


def _listing(rows: Rows, filters: tuple[str, ...]) -> Callable[[Call], Awaitable[web.StreamResponse]]:
    """A handler for the rows that equal the filters asked for, at most `limit` of them."""

    async def listing(call: Call) -> web.Response:
        query = dict(call.request.query)
        limit = query.pop("limit", str(LIMIT))
        if not limit.isascii() or not limit.isdigit() or len(limit) > 7:
            return _fault(400, f"limit: {limit!r} is not a number")
        unknown = sorted(set(query) - set(filters))
        if unknown:
            return _fault(400, f"unknown parameter {unknown[0]!r}; known: {', '.join((*filters, 'limit'))}")
        wanted = min(int(limit), MAX_LIMIT)
        found = list(islice(rows(call.views, query), wanted + 1))
        return _json({"at": time.time(), "truncated": len(found) > wanted, "items": found[:wanted]})

    return listing


def _equal(rows: Callable[[Views], Iterable[object]]) -> Rows:
    """Few enough rows to look at each."""
    return lambda views, query: (
        row for row in rows(views) if all(getattr(row, key) == value for key, value in query.items())
    )


async def _explain(call: Call) -> web.Response:
    query = call.request.query
    if not query.get("name"):
        return _fault(400, "parameter 'name' is missing")
    try:
        who = query.get("from", ""), query.get("member", "")
        return _json(call.views.explain(query["name"], query.get("type", "A").upper(), *who))
    except (ValueError, FednsError) as error:
        return _fault(400, str(error))


async def _explain_request(call: Call) -> web.Response:
    query = call.request.query
    if not query.get("url"):
        return _fault(400, "parameter 'url' is missing")
    try:
        headers = tuple(_field(line) for line in query.getall("header", []))
        method = query.get("method", "GET")
        asked = itinerary.Asked(query["url"], method, headers, query.get("from", ""))
        return _json(call.views.request(asked))
    except (ValueError, FednsError) as error:
        return _fault(400, str(error))


def _field(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    if not colon or not name.strip():
        raise ValueError(f"a header is `Name: value`, not {line!r}")
    return name.strip(), value.strip()


async def _zone(call: Call) -> web.StreamResponse:
    origin = call.request.query.get("origin", "")
    try:
        pieces = await call.views.zone(origin)
    except FednsError as error:
        return _fault(400, str(error))
    if pieces is None:
        return _fault(404, f"{origin!r} is not a zone served here")
    response = web.StreamResponse(headers={"Content-Type": "text/dns; charset=utf-8"})
    await response.prepare(call.request)
    async for piece in pieces:
        await response.write(piece)
    return response


def _trusted(request: web.Request) -> bool:
    host = (request.host or "").rpartition(":")[0] if ":" in request.host.rpartition("]")[2] else request.host
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return host == "localhost"
    return True


async def _add_order(call: Call) -> web.Response:
    if not _trusted(call.request) or call.request.content_type != "application/json":
        return _fault(403, COMMANDS)
    try:
        order = msgspec.json.decode(await call.request.read(), type=api.NewOrder)
        return _json(call.views.add_order(order), 201)
    except (ValueError, FednsError) as error:  # msgspec's are ValueErrors
        return _fault(400, str(error))
    except OSError as error:
        return _fault(500, f"the order could not be kept: {error.strerror}")


async def _remove_order(call: Call) -> web.Response:
    if not _trusted(call.request):
        return _fault(403, "commands need an IP address or localhost as Host")
    target = call.request.query.get("target", "")
    try:
        if call.views.remove_order(target):
            return web.Response(status=204)
    except OSError as error:
        return _fault(500, f"the order could not be taken back: {error.strerror}")
    return _fault(404, f"no order for {target!r}")


async def _allow(call: Call) -> web.Response:
    if not _trusted(call.request) or call.request.content_type != "application/json":
        return _fault(403, COMMANDS)
    try:
        member = msgspec.json.decode(await call.request.read(), type=api.Consent).member
        return _json(api.Allowed(member, call.views.allow(member)))
    except (ValueError, FednsError) as error:
        return _fault(400, str(error))


async def _openapi(call: Call) -> web.Response:
    return _json(openapi.describe(ROUTES))


class Route(NamedTuple):
    """One row: what the router and the description need. `produces` None: plain text."""

    method: str
    path: str
    handler: Callable[[Call], Awaitable[web.StreamResponse]]
    summary: str
    produces: Any = None
    parameters: tuple[str, ...] = ()
    consumes: Any = None
    status: int = 200


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

ROUTE_FILTERS = ("host", "ingress", "service", "member")
COPY_FILTERS = ("member", "kind", "object", "policy", "state")
SHARD_FILTERS = ("service", "member", "region", "state")


def _list(name: str, produces: type[api.Page], rows: Rows, filters: tuple[str, ...]) -> Route:
    handler = _listing(rows, filters)
    return Route("GET", f"/api/v1/{name}", handler, f"List {name}", produces, (*filters, "limit"))


ROUTES = (
    Route("GET", "/healthz", _healthz, "200 while the control process runs"),
    Route("GET", "/readyz", _readyz, "200 when queries can be answered, else 503 and why not"),
    Route("GET", "/metrics", _metrics, "Prometheus metrics, the workers' included"),
    Route("GET", "/api/v1/status", _status, "The whole at a glance", api.Status),
    _list("members", api.Members, _equal(lambda views: views.members()), ("name", "region")),
    _list("services", api.Services, _equal(lambda views: views.services()), ("service",)),
    _list("shards", api.Shards, lambda views, query: views.shards(query), SHARD_FILTERS),
    _list("problems", api.Problems, _equal(lambda views: views.problems()), ("source",)),
    _list("orders", api.Orders, _equal(lambda views: views.orders()), ("target", "word")),
    _list("signed", api.SignedZones, _equal(lambda views: views.signed()), ("zone",)),
    _list("copies", api.Copies, _equal(lambda views: views.copies(False)), COPY_FILTERS),
    _list("copies/ailing", api.Copies, _equal(lambda views: views.copies(True)), COPY_FILTERS),
    _list("copies/policies", api.Portions, _equal(lambda views: views.portions()), ("policy", "member")),
    _list("copies/whereabouts", api.AllWhereabouts,
          lambda views, query: views.whereabouts(query.get("name", "")), ("name",)),
    Route("POST", "/api/v1/copies/allow", _allow, "Let copies go whose removal waits for a word",
          api.Allowed, (), api.Consent),
    Route("GET", "/api/v1/explain", _explain, "Why a name is answered as it is, step by step",
          explanation.Explanation, ("name", "type", "from", "member")),
    Route("GET", "/api/v1/explain/request", _explain_request,
          "What becomes of an HTTP request, step by step; `header` may be there more than once",
          itinerary.Itinerary, ("url", "method", "header", "from")),
    _list("routes", itinerary.Routes, lambda views, query: views.routes(query), ROUTE_FILTERS),
    Route("GET", "/api/v1/zone", _zone, "One zone as a master file (RFC 1035)", None, ("origin",)),
    Route("POST", "/api/v1/orders", _add_order, "Give an order: up, down or drain",
          api.Order, (), api.NewOrder, 201),
    Route("DELETE", "/api/v1/orders", _remove_order, "Take an order back", None, ("target",), None, 204),
    Route("GET", "/api/v1/openapi.json", _openapi, "This description", dict[str, Any]),
)  # fmt: skip


@web.middleware
async def _refusals(request: web.Request, handler: Handler) -> web.StreamResponse:
    """What is refused below `/api/` before a route sees it is told in the same form as by the routes."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        if error.status < 400 or not request.path.startswith("/api/"):
            raise
        return _fault(error.status, error.reason.lower())


class Admin:
    """The listener. `start` returns the port it got (for port 0)."""

    def __init__(self, views: Views) -> None:
        app = web.Application(client_max_size=MAX_BODY, middlewares=[_refusals])
        for route in ROUTES:
            app.router.add_route(route.method, route.path, _bound(views, route))
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)

    async def start(self, host: str, port: int) -> int:
        """Raises OSError when the address cannot be bound."""
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port)
        await site.start()
        bound: tuple[Any, ...] = self._runner.addresses[0]
        return int(bound[1])

    async def stop(self) -> None:
        await self._runner.cleanup()


def _bound(views: Views, route: Route) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def handle(request: web.Request) -> web.StreamResponse:
        return await route.handler(Call(views, request))

    return handle
