"""Lists and watches of a fake API server.

Law: a list is of one version; a watch tells what came after one. What a selector begins or ceases to take is
ADDED or DELETED for who watches with it.
"""

import asyncio
import base64
import contextlib
from collections.abc import Mapping
from typing import NamedTuple

from aiohttp import web

from tests.fakes import kubeapi_store as stores
from tests.fakes.kubeapi_faults import Faults
from tests.fakes.kubeapi_kinds import Kind
from tests.fakes.kubeapi_store import Object, Place, Refused, Selector

BOOKMARK = "k8s.io/initial-events-end"


class Called(NamedTuple):
    """What a list or watch is of."""

    request: web.Request
    version: str
    kind: Kind
    place: Place

    @property
    def selector(self) -> Selector:
        query = self.request.query
        return Selector(query.get("labelSelector", ""), query.get("fieldSelector", ""))

    def shown(self, value: Object) -> Object:
        return {**value, "apiVersion": self.version, "kind": self.kind.name}

    def listed(self, value: Object) -> Object:
        """In a list the items of built-in kinds do not say what they are."""
        if self.kind.custom:
            return self.shown(value)
        return {name: each for name, each in value.items() if name not in ("apiVersion", "kind")}


class Reads:
    """`changed` is notified of every change, `hangup` set when all watches are to end."""

    def __init__(self, store: stores.Store, faults: Faults) -> None:
        self.store, self.faults = store, faults
        self.changed = asyncio.Condition()
        self.hangup = asyncio.Event()

    async def tell(self) -> None:
        async with self.changed:
            self.changed.notify_all()

    async def hang_up(self) -> None:
        self.hangup.set()
        self.hangup = asyncio.Event()
        await self.tell()

    async def list(self, called: Called) -> web.Response:
        query, place = called.request.query, called.place
        asked = _version(query)
        if asked > self.store.version:
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
        items = [called.listed(each) for _, each in page]
        whole = {
            "kind": f"{called.kind.name}List",
            "apiVersion": called.version,
            "metadata": meta,
            "items": items,
        }
        return web.Response(body=stores.text(whole), content_type="application/json")

    async def watch(self, called: Called) -> web.StreamResponse:
        query = called.request.query
        streamed = query.get("sendInitialEvents") == "true"
        if streamed and not self.faults.watchlist:
            raise Refused(
                422, "Invalid", "sendInitialEvents: Forbidden: sendInitialEvents is forbidden for watch"
            )
        if streamed and query.get("resourceVersionMatch") != "NotOlderThan":
            raise Refused(
                422, "Invalid", "resourceVersionMatch: Forbidden: sendInitialEvents requires setting it"
            )
        begin = self.store.version if streamed else _version(query) or self.store.version
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


class _Watching:
    """One watch."""

    def __init__(self, server: Reads, called: Called, response: web.StreamResponse, seen: int) -> None:
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
        faults, clock = self.server.faults, asyncio.get_running_loop().time
        due = clock() + faults.bookmarks
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
                    await asyncio.wait_for(self.server.changed.wait(), max(due - clock(), 0.0))
                    continue
            due = clock() + faults.bookmarks
            if not faults.stalled and self.seen <= self.server.store.version:
                await self.bookmark()

    async def write(self, value: Object) -> None:
        await self.response.write(stores.text(value) + b"\n")


def _version(query: Mapping[str, str]) -> int:
    """0: any will do."""
    given = query.get("resourceVersion", "")
    if given and not given.isdigit():
        raise Refused(400, "BadRequest", f'resourceVersion: Invalid value: "{given}"')
    return int(given or "0")
