"""A fake Kubernetes API server: a real HTTP(S) server, with everything that goes wrong on demand.

`python -m tests.fakes.kubeapi --port 0` prints its URL. Objects have versions, history and owners of fields;
lists have pages that expire, watches have bookmarks, timeouts and 410 in both forms; WatchList or 422;
server-side apply; service accounts with tokens and roles. `POST /fake/faults` switches faults (`Faults`),
`/fake/put`, `/fake/delete`, `/fake/compact`, `/fake/hangup`, `/fake/version` act as time and other clients
would; `GET /fake/log` tells what was asked. `tests/kube/test_fake.py` holds it against a real one.
"""

import argparse
import asyncio
import ssl
from pathlib import Path
from typing import Any

from aiohttp import web

from tests.fakes import kubeapi_reads, kubeapi_rights, kubeapi_rules, kubeapi_writes
from tests.fakes import kubeapi_store as stores
from tests.fakes.kubeapi_faults import Faults
from tests.fakes.kubeapi_kinds import SERVED
from tests.fakes.kubeapi_rights import Asked
from tests.fakes.kubeapi_store import Object, Place, Refused

REVIEWS = ("selfsubjectaccessreviews", "selfsubjectrulesreviews")
"""Whoever is somebody may ask what he may do."""
PARTS = {"status": "status", "scale": "Deployment", "token": "ServiceAccount"}
VERBS = {"GET": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


class Server:
    """One API server."""

    def __init__(self) -> None:
        self.store, self.faults = stores.Store(), Faults()
        self.log: list[str] = []
        self.reads = kubeapi_reads.Reads(self.store, self.faults)
        self.rights = kubeapi_rights.Rights(self.store)
        self.writes = kubeapi_writes.Writes(self.store, self.rights, self.faults)
        for name in ("kube-system", "default"):
            kind = SERVED["v1"]["namespaces"]
            namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
            self.store.put(("", "namespaces", "", name), kubeapi_rules.settled(kind, None, namespace, ""))

    def app(self) -> web.Application:
        app = web.Application(middlewares=[self.middle], client_max_size=64 << 20)
        for name in ("put", "delete", "compact", "hangup", "version", "faults"):
            app.router.add_post(f"/fake/{name}", getattr(self, f"fake_{name}"))
        app.router.add_get("/fake/log", self.fake_log)
        app.router.add_get("/readyz", self.readyz)
        app.router.add_get("/version", self.version)
        app.router.add_get("/apis", self.groups)
        app.router.add_route("*", "/{root:apis?}/{rest:.+}", self.resource)
        return app

    @web.middleware
    async def middle(self, request: web.Request, handler: Any) -> web.StreamResponse:
        try:
            if not request.path.startswith("/fake/"):
                self.log.append(f"{request.method} {request.path_qs}")
                given = request.headers.get("Authorization", "")
                request["user"] = self.rights.user(given, self.faults.tokens)
            response: web.StreamResponse = await handler(request)
            return response
        except Refused as refused:
            return web.json_response(refused.status(), status=refused.code, headers=refused.headers)

    async def readyz(self, request: web.Request) -> web.Response:
        await asyncio.sleep(self.faults.delay)
        return web.Response(
            text="no" if self.faults.unready else "ok", status=500 if self.faults.unready else 200
        )

    async def version(self, request: web.Request) -> web.Response:
        return web.json_response({"major": "1", "gitVersion": self.faults.git})

    async def groups(self, request: web.Request) -> web.Response:
        served = (each for each in SERVED if "/" in each and each not in self.faults.absent)
        preferred = {each.partition("/")[0]: {"groupVersion": each} for each in served}
        rows = [{"name": name, "preferredVersion": one} for name, one in preferred.items()]
        return web.json_response({"kind": "APIGroupList", "groups": rows})

    async def fake_put(self, request: web.Request) -> web.Response:
        """A list of objects."""
        for each in await request.json():
            place = _place_of(each)
            self.writes.put(place, each, each["apiVersion"], SERVED[each["apiVersion"]][place[1]])
        await self.reads.tell()
        return web.json_response({"version": self.store.version})

    async def fake_delete(self, request: web.Request) -> web.Response:
        """A list of objects of which only the identity counts."""
        for each in await request.json():
            self.store.delete(_place_of(each))
        await self.reads.tell()
        return web.json_response({})

    async def fake_compact(self, request: web.Request) -> web.Response:
        self.store.compact()
        return web.json_response({})

    async def fake_version(self, request: web.Request) -> web.Response:
        self.store.version = int(await request.json())
        return web.json_response({})

    async def fake_hangup(self, request: web.Request) -> web.Response:
        await self.reads.hang_up()
        return web.json_response({})

    async def fake_faults(self, request: web.Request) -> web.Response:
        for name, value in (await request.json()).items():
            getattr(self.faults, name)
            setattr(self.faults, name, value)
        await self.reads.tell()
        return web.json_response({})

    async def fake_log(self, request: web.Request) -> web.Response:
        return web.json_response(self.log)

    async def resource(self, request: web.Request) -> web.StreamResponse:
        version, rest = _split(request)
        kinds = SERVED.get(version)
        if kinds is None or version in self.faults.absent:
            return web.Response(status=404, text="404 page not found\n")
        if not rest:
            return web.json_response(_resources(version))
        place, part = _placed(version, rest)
        kind = kinds.get(place[1])
        if kind is None or (part and not (kind.status if part == "status" else kind.name == PARTS.get(part))):
            raise Refused(404, "NotFound", "the server could not find the requested resource")
        self.authorize(request, place, part)
        if not place[3] and request.method == "GET":
            await self.trouble()
            called = kubeapi_reads.Called(request, version, kind, place)
            return await (self.reads.watch(called) if _watches(request) else self.reads.list(called))
        if not place[3] and request.method != "POST":
            raise Refused(405, "MethodNotAllowed", "the server does not allow this method")
        manager = request.query.get("fieldManager") or request.headers.get("User-Agent", "").partition("/")[0]
        return await self.one(
            request,
            kubeapi_writes.Call(
                request.method,
                version,
                kind,
                place,
                part,
                request.query,
                request.content_type,
                manager,
                request["user"],
            ),
        )

    def authorize(self, request: web.Request, place: Place, part: str) -> None:
        verb = VERBS.get(request.method, "")
        if not place[3]:
            verb = {"get": "watch" if _watches(request) else "list", "delete": "deletecollection"}.get(
                verb, verb
            )
        plural = f"{place[1]}/{part}" if part else place[1]
        # As the real one: who asks for one name by a field selector needs a right on that name only.
        named = request.query.get("fieldSelector", "").partition("metadata.name=")[2]
        asked = Asked(verb, place[0], plural, place[2], place[3] or named)
        if plural not in REVIEWS and not self.rights.allows(request["user"], asked, self.faults.forbidden):
            raise asked.refusal(request["user"])

    async def trouble(self) -> None:
        await asyncio.sleep(60.0 if self.faults.mute else self.faults.delay)
        if self.faults.refuse:
            code, reason, again = self.faults.refuse
            raise Refused(code, reason, reason, {"Retry-After": str(again)} if again else None)
        if self.faults.future > 0:
            self.faults.future -= 1
            raise Refused(504, "Timeout", f"Too large resource version, current: {self.store.version}")

    async def one(self, request: web.Request, call: kubeapi_writes.Call) -> web.Response:
        if request.method == "GET":
            return web.json_response(self.writes.read(call))
        if self.faults.busy and call.kind.name not in ("Lease", "SelfSubjectRulesReview"):
            code, reason, again = self.faults.busy
            raise Refused(code, reason, reason, {"Retry-After": str(again)} if again else None)
        if call.place[3] in self.faults.broken:
            raise Refused(422, "Invalid", f'{call.place[1]} "{call.place[3]}" is invalid')
        status, reply = self.writes.write(call, await request.read())
        await self.reads.tell()
        return web.json_response(reply, status=status)


def _split(request: web.Request) -> tuple[str, list[str]]:
    """(apiVersion, what follows)."""
    steps = [step for step in request.match_info["rest"].split("/") if step]
    if request.match_info["root"] == "api":
        return steps[0], steps[1:]
    return "/".join(steps[:2]), steps[2:]


def _placed(version: str, steps: list[str]) -> tuple[Place, str]:
    """(place, subresource)."""
    namespace = ""
    if steps[0] == "namespaces" and len(steps) > 2 and steps[2] not in PARTS:
        namespace, steps = steps[1], steps[2:]
    plural, name, part, *_ = (*steps, "", "")
    return (version.rpartition("/")[0], plural, namespace, name), part


def _watches(request: web.Request) -> bool:
    return request.query.get("watch") in ("1", "true")


def _resources(version: str) -> Object:
    rows = [
        {"name": name, "kind": kind.name, "namespaced": kind.namespaced}
        for name, kind in SERVED[version].items()
    ]
    return {"kind": "APIResourceList", "groupVersion": version, "resources": rows}


def _place_of(value: Object) -> Place:
    version = value["apiVersion"]
    for plural, kind in SERVED[version].items():
        if kind.name == value["kind"]:
            meta = value["metadata"]
            namespace = meta.get("namespace", "default") if kind.namespaced else ""
            return (version.rpartition("/")[0], plural, namespace, meta["name"])
    raise Refused(400, "BadRequest", f"no such kind: {value['kind']}")


async def serve(host: str, port: int, server: Server, tls: ssl.SSLContext | None) -> None:
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
    tls, server = None, Server()
    server.store.version = options.version
    server.store.compact()
    if options.certificate:
        server.writes.authority = Path(options.certificate).read_text()
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(options.certificate, options.key)
        if options.client_ca:
            tls.verify_mode = ssl.CERT_REQUIRED
            tls.load_verify_locations(options.client_ca)
    asyncio.run(serve(options.host, options.port, server, tls))


if __name__ == "__main__":
    main()
