"""A fake Kubernetes API server: a real HTTP(S) server, with everything that goes wrong on demand.

`python -m tests.fakes.kubeapi --port 0` prints its URL. Objects have versions and history; lists have pages
that expire, watches have bookmarks, timeouts and 410 in both forms; WatchList or 422. `POST /fake/faults`
switches faults (`Faults`), `/fake/put`, `/fake/delete`, `/fake/compact`, `/fake/hangup`, `/fake/version` act
as time and other clients would; `GET /fake/log` tells what was asked.
"""

import argparse
import asyncio
import base64
import contextlib
import json
import ssl
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from aiohttp import web

from tests.fakes import kubeapi_store as stores
from tests.fakes.kubeapi_store import Object, Place, Refused, Selector

BOOKMARK = "k8s.io/initial-events-end"


class Kind(NamedTuple):
    name: str
    namespaced: bool = True


SERVED: dict[str, dict[str, Kind]] = {
    "v1": {
        "services": Kind("Service"),
        "endpoints": Kind("Endpoints"),
        "secrets": Kind("Secret"),
        "nodes": Kind("Node", False),
        "namespaces": Kind("Namespace", False),
    },
    "discovery.k8s.io/v1": {"endpointslices": Kind("EndpointSlice")},
    "discovery.k8s.io/v1beta1": {"endpointslices": Kind("EndpointSlice")},
    "networking.k8s.io/v1": {"ingresses": Kind("Ingress")},
    "coordination.k8s.io/v1": {"leases": Kind("Lease")},
    "fedns.io/v1alpha1": {
        "trafficpolicies": Kind("TrafficPolicy"),
        "memberclusters": Kind("MemberCluster", False),
    },
}


@dataclass
class Faults:
    """Switches, by name as `/fake/faults` takes them; each is off until set."""

    tokens: list[str] = field(default_factory=list)
    """Bearer tokens accepted; empty: anybody."""
    absent: list[str] = field(default_factory=list)
    """Group versions that are not served."""
    forbidden: list[str] = field(default_factory=list)
    """Plurals that are 403."""
    watchlist: bool = True
    """Whether lists are streamed; otherwise 422."""
    unready: bool = False
    expired_pages: int = 0
    """So many `continue` tokens are 410."""
    refuse: list[Any] = field(default_factory=list)
    """[status, reason, Retry-After] for every list and watch."""
    delay: float = 0.0
    stalled: bool = False
    """Watches are open, and silent; bookmarks too."""
    torn: int = 0
    """So many watches end in the middle of the next event."""
    hangups: bool = False
    """Watches end as soon as they begin."""
    gone_inside: int = 0
    """So many watches get 410 as an event within a stream of status 200."""
    bookmarks: float = 0.2
    """Seconds between bookmarks."""
    git: str = "v1.34.1"


class Server:
    """One API server."""

    def __init__(self) -> None:
        self.store, self.faults = stores.Store(), Faults()
        self.log: list[str] = []
        self.changed = asyncio.Condition()
        self.hangup = asyncio.Event()
        self.store.put(("", "namespaces", "", "kube-system"), {"apiVersion": "v1", "kind": "Namespace"})

    def app(self) -> web.Application:
        app = web.Application(middlewares=[self.middle], client_max_size=64 << 20)
        for name in ("put", "delete", "compact", "hangup", "version", "faults"):
            app.router.add_post(f"/fake/{name}", getattr(self, f"fake_{name}"))
        app.router.add_get("/fake/log", self.fake_log)
        app.router.add_get("/readyz", self.readyz)
        app.router.add_get("/version", self.version)
        app.router.add_route("*", "/{root:apis?}/{rest:.+}", self.resource)
        return app

    @web.middleware
    async def middle(self, request: web.Request, handler: Any) -> web.StreamResponse:
        try:
            if not request.path.startswith("/fake/"):
                self.log.append(f"{request.method} {request.path_qs}")
                self.authenticate(request)
            response: web.StreamResponse = await handler(request)
            return response
        except Refused as refused:
            return web.json_response(refused.status(), status=refused.code, headers=refused.headers)

    def authenticate(self, request: web.Request) -> None:
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if self.faults.tokens and given not in self.faults.tokens:
            raise Refused(401, "Unauthorized", "Unauthorized")

    async def readyz(self, request: web.Request) -> web.Response:
        await asyncio.sleep(self.faults.delay)
        return web.Response(
            text="no" if self.faults.unready else "ok", status=500 if self.faults.unready else 200
        )

    async def version(self, request: web.Request) -> web.Response:
        return web.json_response({"major": "1", "gitVersion": self.faults.git})

    async def fake_put(self, request: web.Request) -> web.Response:
        """A list of objects."""
        for each in await request.json():
            self.store.put(_place_of(each), each)
        await self.tell()
        return web.json_response({"version": self.store.version})

    async def fake_delete(self, request: web.Request) -> web.Response:
        """A list of objects of which only the identity counts."""
        for each in await request.json():
            self.store.delete(_place_of(each))
        await self.tell()
        return web.json_response({})

    async def fake_compact(self, request: web.Request) -> web.Response:
        self.store.compact()
        return web.json_response({})

    async def fake_version(self, request: web.Request) -> web.Response:
        self.store.version = int(await request.json())
        return web.json_response({})

    async def fake_hangup(self, request: web.Request) -> web.Response:
        self.hangup.set()
        self.hangup = asyncio.Event()
        await self.tell()
        return web.json_response({})

    async def fake_faults(self, request: web.Request) -> web.Response:
        for name, value in (await request.json()).items():
            getattr(self.faults, name)
            setattr(self.faults, name, value)
        await self.tell()
        return web.json_response({})

    async def fake_log(self, request: web.Request) -> web.Response:
        return web.json_response(self.log)

    async def tell(self) -> None:
        async with self.changed:
            self.changed.notify_all()

    async def resource(self, request: web.Request) -> web.StreamResponse:
        version, rest = _split(request)
        kinds = SERVED.get(version)
        if kinds is None or version in self.faults.absent:
            raise Refused(404, "NotFound", "the server could not find the requested resource")
        if not rest:
            rows = [
                {"name": name, "kind": kind.name, "namespaced": kind.namespaced}
                for name, kind in kinds.items()
            ]
            return web.json_response({"kind": "APIResourceList", "groupVersion": version, "resources": rows})
        namespace = ""
        if rest[0] == "namespaces" and len(rest) > 2:
            namespace, rest = rest[1], rest[2:]
        plural, name = rest[0], rest[1] if len(rest) > 1 else ""
        if plural not in kinds:
            raise Refused(404, "NotFound", "the server could not find the requested resource")
        if plural in self.faults.forbidden:
            raise Refused(403, "Forbidden", f"{plural} is forbidden: User cannot list resource {plural!r}")
        place = (version.rpartition("/")[0], plural, namespace, name)
        if name or request.method == "POST":
            return await self.one(request, place, rest[2:] == ["status"])
        await self.trouble()
        called = _Called(request, version, kinds[plural].name, place)
        return await (
            self.watch(called) if request.query.get("watch") in ("1", "true") else self.list(called)
        )

    async def trouble(self) -> None:
        await asyncio.sleep(self.faults.delay)
        if self.faults.refuse:
            code, reason, again = self.faults.refuse
            raise Refused(code, reason, reason, {"Retry-After": str(again)} if again else None)

    async def one(self, request: web.Request, place: Place, status: bool) -> web.Response:
        made = request.method == "POST"
        body = json.loads(await request.read() or b"{}")
        if made:
            place = (*place[:3], body["metadata"]["name"])
        before = self.store.objects.get(place)
        if made and before is not None:
            raise Refused(409, "AlreadyExists", f'{place[1]} "{place[3]}" already exists')
        applied = request.content_type == "application/apply-patch+yaml" and not status
        if not made and before is None and not applied:
            raise Refused(404, "NotFound", f'{place[1]} "{place[3]}" not found')
        if request.method == "GET":
            return web.json_response(before)
        if request.method == "DELETE":
            gone = self.store.delete(place)
            await self.tell()
            return web.json_response(gone)
        after = self.store.put(place, _written(request.method, before or {}, body, status))
        await self.tell()
        return web.json_response(after, status=201 if before is None else 200)

    async def list(self, called: "_Called") -> web.Response:
        query, place = called.request.query, called.place
        asked = query.get("resourceVersion", "")
        if asked not in ("", "0") and int(asked) > self.store.version:
            raise Refused(
                504, "Timeout", f"Too large resource version: {asked}, current: {self.store.version}"
            )
        limit, after, version = int(query.get("limit", "0")), "", self.store.version
        if token := query.get("continue"):
            if self.faults.expired_pages > 0:
                self.faults.expired_pages -= 1
                raise Refused(410, "Expired", "The provided continue parameter is too old")
            stamp, after = base64.urlsafe_b64decode(token).decode().split(" ", 1)
            version = int(stamp)
        rows = self.store.list(place[0], place[1], place[2], called.selector)
        rows = [row for row in rows if "/".join(row[0]) > after]
        page = rows[:limit] if limit else rows
        meta: Object = {"resourceVersion": str(version)}
        if len(page) < len(rows):
            token = f"{version} {'/'.join(page[-1][0])}"
            meta |= {"continue": base64.urlsafe_b64encode(token.encode()).decode()}
        items = [called.shown(each) for _, each in page]
        whole = {"kind": f"{called.kind}List", "apiVersion": called.version, "metadata": meta, "items": items}
        return web.Response(body=stores.text(whole), content_type="application/json")

    async def watch(self, called: "_Called") -> web.StreamResponse:
        query = called.request.query
        streamed = query.get("sendInitialEvents") == "true"
        if streamed and not self.faults.watchlist:
            raise Refused(
                422, "Invalid", "sendInitialEvents: Forbidden: sendInitialEvents is forbidden for watch"
            )
        begin = self.store.version if streamed else int(query.get("resourceVersion") or self.store.version)
        changes = list(self.store.since(begin))
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        response.enable_chunked_encoding()
        await response.prepare(called.request)
        if self.faults.hangups:
            return response
        watching = _Watching(self, called, response, begin)
        with contextlib.suppress(TimeoutError, ConnectionError):
            async with asyncio.timeout(float(query.get("timeoutSeconds", "60"))):
                if streamed:
                    await watching.initial()
                for change in changes:
                    await watching.tell(change)
                await watching.follow()
        return response


class _Called(NamedTuple):
    """What a list or watch is of."""

    request: web.Request
    version: str
    kind: str
    place: Place

    @property
    def selector(self) -> Selector:
        query = self.request.query
        return Selector(query.get("labelSelector", ""), query.get("fieldSelector", ""))

    def shown(self, value: Object) -> Object:
        return {**value, "apiVersion": self.version, "kind": self.kind}


class _Watching:
    """One watch."""

    def __init__(self, server: Server, called: _Called, response: web.StreamResponse, seen: int) -> None:
        self.server, self.called, self.response, self.seen = server, called, response, seen
        self.hangup = server.hangup

    async def initial(self) -> None:
        place = self.called.place
        for _, each in self.server.store.list(place[0], place[1], place[2], self.called.selector):
            await self.write({"type": "ADDED", "object": self.called.shown(each)})
        await self.bookmark({BOOKMARK: "true"})

    async def bookmark(self, notes: dict[str, str] | None = None) -> None:
        meta = {"resourceVersion": str(max(self.seen, self.server.store.version)), "annotations": notes or {}}
        await self.write({"type": "BOOKMARK", "object": self.called.shown({"metadata": meta})})

    async def tell(self, change: stores.Change) -> None:
        self.seen = change.version
        place = self.called.place
        if change.place[:2] != place[:2] or place[2] not in ("", change.place[2]):
            return
        found = stores.event(change, self.called.selector)
        if found is not None:
            await self.write({**found, "object": self.called.shown(found["object"])})

    async def follow(self) -> None:
        """News and bookmarks, until somebody hangs up."""
        faults = self.server.faults
        while not self.hangup.is_set():
            if faults.gone_inside > 0:
                faults.gone_inside -= 1
                gone = Refused(410, "Expired", "too old resource version").status()
                await self.write({"type": "ERROR", "object": gone})
                return
            news = [] if faults.stalled else list(self.server.store.since(self.seen))
            if news and faults.torn > 0:
                faults.torn -= 1
                await self.response.write(b'{"type":"MODIFIED","object":{"metad')
                self.called.request.transport.abort()  # type: ignore[union-attr]
                return
            for change in news:
                await self.tell(change)
            async with self.server.changed:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self.server.changed.wait(), faults.bookmarks)
                    continue
            if not faults.stalled and self.seen <= self.server.store.version:
                await self.bookmark()

    async def write(self, value: Object) -> None:
        await self.response.write(stores.text(value) + b"\n")


def _split(request: web.Request) -> tuple[str, list[str]]:
    """(apiVersion, what follows)."""
    steps = [step for step in request.match_info["rest"].split("/") if step]
    if request.match_info["root"] == "api":
        return steps[0], steps[1:]
    return "/".join(steps[:2]), steps[2:]


def _place_of(value: Object) -> Place:
    version = value["apiVersion"]
    for plural, kind in SERVED[version].items():
        if kind.name == value["kind"]:
            meta = value["metadata"]
            namespace = meta.get("namespace", "default") if kind.namespaced else ""
            return (version.rpartition("/")[0], plural, namespace, meta["name"])
    raise Refused(400, "BadRequest", f"no such kind: {value['kind']}")


def _written(method: str, before: Object, body: Object, status: bool) -> Object:
    """What a write leaves. PUT needs the version it saw; a merge patch adds to what there is."""
    if method == "PUT":
        seen = body.get("metadata", {}).get("resourceVersion")
        if seen and seen != before["metadata"]["resourceVersion"]:
            raise Refused(409, "Conflict", "the object has been modified; please apply your changes")
        return (
            {**before, "status": body.get("status")} if status else {**body, "status": before.get("status")}
        )
    if method == "PATCH":
        wanted = (
            {"status": body.get("status")} if status else {k: v for k, v in body.items() if k != "status"}
        )
        result: Object = stores.merged(before, wanted)
        return result
    return body


async def serve(host: str, port: int, version: int, tls: ssl.SSLContext | None) -> None:
    server = Server()
    server.store.version = version
    server.store.compact()
    runner = web.AppRunner(server.app(), access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, host, port, ssl_context=tls)
    await site.start()
    scheme = "https" if tls else "http"
    bound = runner.addresses[0]
    print(f"{scheme}://{bound[0]}:{bound[1]}", flush=True)
    await asyncio.Event().wait()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--version", type=int, default=1, help="where versions begin, all before compacted")
    parser.add_argument("--certificate", default="")
    parser.add_argument("--key", default="")
    parser.add_argument("--client-ca", default="")
    options = parser.parse_args()
    tls = None
    if options.certificate:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(options.certificate, options.key)
        if options.client_ca:
            tls.verify_mode = ssl.CERT_REQUIRED
            tls.load_verify_locations(options.client_ca)
    asyncio.run(serve(options.host, options.port, options.version, tls))


if __name__ == "__main__":
    main()
