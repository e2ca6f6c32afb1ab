"""API servers of members that take copies, many in one process: cheap enough to feed control on one core.

Law: what is applied is kept as it came, with what an API server adds to it (uid, version, owners of fields).
Nobody else writes but controllers, which tell a status soon after. A line with a mark is answered by when
each member had the object that bears it; `count` by what they have, and how often they were written to;
`have FILE` gives them what stands in it, as if it had been brought long ago.
"""

import argparse
import asyncio
import json
import re
import sys
import time
from collections import deque
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

import apiservers
import msgspec
import wares

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.fakes import kubeapi_apply, kubeapi_kinds, kubeapi_rules

GROUPS = ("v1", "apps/v1", "discovery.k8s.io/v1", "networking.k8s.io/v1", "autoscaling/v2")
GROUPS += ("apiextensions.k8s.io/v1", "coordination.k8s.io/v1")
PATH = re.compile(r"/apis?/((?:[^/]+/)?v\w+)(?:/namespaces/([^/]+)(?=/))?/([^/]+)(?:/([^/]+))?")
LENGTH = re.compile(rb"(?i)content-length: *(\d+)")
REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
"""Where fedns asks at its start what it may do: it has brought nothing yet."""
STATUS = 0.3  # seconds until controllers have told how an object fares
RING = 2000  # changes remembered
WHO = "fedns"
_json = msgspec.json.Decoder(dict[str, Any])

Place = tuple[str, str, str]
"""(plural, namespace, name)."""


class Kept(NamedTuple):
    """`ours`: it bears the label of copies; `sent`: as it came."""

    value: dict[str, Any]
    ours: bool
    sent: bytes = b""


class Change(NamedTuple):
    version: int
    plural: str
    ours: bool
    line: bytes


class Depot(apiservers.Member):
    """One member's cluster."""

    connections: "set[Connection]"  # type: ignore[assignment]

    def __init__(self, number: int) -> None:
        super().__init__(number, 0, True)
        self.kept: dict[Place, Kept] = {}
        self.history: deque[Change] = deque(maxlen=RING)
        self.writes = self.leased = 0
        self.seen: dict[str, float] = {}
        for name in ("kube-system", "default"):
            value = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
            self.keep(("namespaces", "", name), Kept(value, False))

    def keep(self, place: Place, found: Kept) -> dict[str, Any]:
        """Another version of an object."""
        before = self.kept.get(place)
        self.version += 1
        meta = found.value["metadata"]
        meta["uid"] = f"6a1f2c3e-0000-4000-8000-{hash(place) & 0xFFFFFFFFFFFF:012x}"
        meta["resourceVersion"], meta["creationTimestamp"] = str(self.version), "2026-11-01T08:00:00Z"
        self.kept[place] = found
        self._tell("MODIFIED" if before else "ADDED", place[0], found)
        return found.value

    def drop(self, place: Place) -> None:
        found = self.kept.pop(place)
        self.version += 1
        found.value["metadata"]["resourceVersion"] = str(self.version)
        self._tell("DELETED", place[0], found)

    def _tell(self, kind: str, plural: str, found: Kept) -> None:
        line = apiservers.event(kind, msgspec.json.encode(found.value))
        change = Change(self.version, plural, found.ours, line)
        self.history.append(change)
        for connection in self.connections:
            connection.hear(change)

    def fares(self, place: Place) -> None:
        """Controllers have done their work."""
        found = self.kept.get(place)
        if found is not None:
            status = _status(found.value, self.number, len(self.kept))
            self.keep(place, found._replace(value={**found.value, "status": status}))

    def have(self, place: Place, value: Mapping[str, Any], at: int) -> None:
        """A copy that is there for long: what this cluster alone says in it is there too."""
        meta, kind = dict(value["metadata"]), value["kind"]
        when = f"2026-11-{1 + self.number % 28:02d}T08:{at // 60 % 60:02d}:{at % 60:02d}Z"
        meta["managedFields"] = [{**row, "time": when} for row in meta["managedFields"]]
        found = {**value, "metadata": meta}
        if kind == "Service":
            own = f"10.{self.number}.{at >> 8 & 255}.{at & 255}"
            port = 30000 + (at * 7 + self.number) % 2768
            ports = [{**each, "nodePort": port} for each in value["spec"]["ports"]]
            found["spec"] = {**value["spec"], "clusterIP": own, "clusterIPs": [own], "ports": ports}
        if kind in ("Service", "Deployment"):
            found["status"] = _status(value, self.number, at)
        self.keep(place, Kept(found, True))

    def seek(self, value: Mapping[str, Any]) -> None:
        mark = (value["metadata"].get("annotations") or {}).get(wares.MARK)
        if mark:
            self.seen.setdefault(mark, time.monotonic())

    @property
    def copies(self) -> int:
        return sum(each.ours for each in self.kept.values())


def _status(value: Mapping[str, Any], member: int, at: int) -> dict[str, Any]:
    if value["kind"] == "Service":
        return {"loadBalancer": {"ingress": [{"ip": f"10.{member}.{at >> 8 & 255}.{at & 255}"}]}}
    count = value["spec"].get("replicas", 1)
    names = ("replicas", "readyReplicas", "updatedReplicas", "availableReplicas")
    generation = value["metadata"].get("generation", 1)
    return {"observedGeneration": generation, **dict.fromkeys(names, count)}


class Owners:
    """The rows of managedFields that an apply leaves, by the body."""

    def __init__(self) -> None:
        self._known: dict[bytes, list[dict[str, Any]]] = {}

    def of(self, sent: bytes, value: dict[str, Any], kind: kubeapi_kinds.Kind) -> list[dict[str, Any]]:
        rows = self._known.get(sent)
        if rows is None:
            who = kubeapi_apply.Who(WHO, "Apply", value["apiVersion"])
            paths = frozenset(kubeapi_apply.leaves(value, kind.keys))
            rows = self._known[sent] = kubeapi_apply.shown({who: paths})
        return rows


OWNERS = Owners()


def endowed(members: Mapping[int, Depot], path: str) -> int:
    """All have what a file says, an object a line and who has it; how many objects there are."""
    lines = Path(path).read_bytes().splitlines()
    for at, line in enumerate(lines):
        told = _json.decode(line)
        value = told["object"]
        kinds = kubeapi_kinds.SERVED[value["apiVersion"]].items()
        plural, kind = next((name, one) for name, one in kinds if one.name == value["kind"])
        rows = OWNERS.of(line, value, kind)
        value = kubeapi_rules.settled(kind, None, value, "")
        value["metadata"]["managedFields"] = rows
        place = (plural, value["metadata"].get("namespace", ""), value["metadata"]["name"])
        for number in told["members"]:
            members[number].have(place, value, at)
    return len(lines)


class Asked(NamedTuple):
    method: str
    version: str
    place: Place
    query: Mapping[str, str]
    body: bytes

    @property
    def kind(self) -> kubeapi_kinds.Kind:
        return kubeapi_kinds.SERVED[self.version][self.place[0]]


class Connection(apiservers.Connection):
    """One connection; `watching` a resource, of which `ours` alone."""

    member: Depot

    def __init__(self, member: Depot) -> None:
        super().__init__(member)
        self._ours = False
        self._over: asyncio.TimerHandle | None = None

    def data_received(self, data: bytes) -> None:
        self._heard += data
        while True:
            head, end, rest = self._heard.partition(b"\r\n\r\n")
            found = LENGTH.search(head)
            length = int(found[1]) if found else 0
            if not end or len(rest) < length:
                return
            self._heard = rest[length:]
            method, target, _ = head.split(b" ", 2)
            self._asked(method.decode(), urlsplit(target.decode()), rest[:length])

    def _asked(self, method: str, asked: Any, body: bytes) -> None:
        found = PATH.fullmatch(asked.path)
        if asked.path == "/readyz" or asked.path == "/version":
            self._answer(asked)
        elif asked.path == REVIEWS:
            self._say({"status": {"resourceRules": [], "nonResourceRules": [], "incomplete": False}})
        elif found is None or found[1] not in GROUPS:
            self._root(asked.path)
        elif found[3] not in kubeapi_kinds.SERVED[found[1]]:
            self._refuse(404, "NotFound")
        else:
            query = {name: values[0] for name, values in parse_qs(asked.query).items()}
            place = (found[3], found[2] or "", found[4] or "")
            told = Asked(method, found[1], place, query, body)
            (self._one if place[2] or method == "POST" else self._several)(told)

    def _root(self, path: str) -> None:
        """What is served in a version."""
        version = path.removeprefix("/apis/").removeprefix("/api/")
        if version not in GROUPS:
            self._refuse(404, "NotFound")
            return
        rows = kubeapi_kinds.SERVED[version].items()
        told = [{"name": name, "kind": one.name, "namespaced": one.namespaced} for name, one in rows]
        self._say({"resources": told})

    def _say(self, value: Any) -> None:
        self._reply(msgspec.json.encode(value))

    def _several(self, told: Asked) -> None:
        self._ours = "fedns.io/propagated" in told.query.get("labelSelector", "")
        if told.query.get("watch"):
            self._watch(told.place[0], told.query)
            if self._coming is not None or self.watching:
                life = float(told.query.get("timeoutSeconds", "60"))
                self._over = asyncio.get_running_loop().call_later(life, self._end)
            return
        items = [each.value for each in self._mine(told.place[0])]
        self._say({"metadata": {"resourceVersion": str(self.member.version)}, "items": items})

    def _mine(self, plural: str) -> Iterator[Kept]:
        """What a list or a watch of a resource has."""
        for place, each in list(self.member.kept.items()):
            if place[0] == plural and (each.ours or not self._ours):
                yield each

    def _first(self, plural: str) -> Iterator[bytes]:
        version = self.member.version
        for each in self._mine(plural):
            yield apiservers.event("ADDED", msgspec.json.encode(each.value))
        yield apiservers.bookmark(plural, version, end=True)
        yield from self._since(plural, version)

    def _since(self, plural: str, version: int) -> Iterator[bytes]:
        for change in [each for each in self.member.history if each.version > version]:
            if change.plural == plural and (change.ours or not self._ours):
                yield change.line
        self.watching = plural

    def hear(self, change: Change) -> None:
        if change.plural == self.watching and (change.ours or not self._ours):
            self.chunk(change.line)

    def _end(self) -> None:
        """The life of a watch is over."""
        self.watching, self._coming = "", None
        if not self.transport.is_closing():
            self.transport.write(b"0\r\n\r\n")

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._over is not None:
            self._over.cancel()

    def _one(self, told: Asked) -> None:
        before = self.member.kept.get(told.place)
        if told.place[0] == "leases":
            self._lease(told)
        elif told.method == "PATCH":
            self._apply(told, before)
        elif before is None:
            self._refuse(404, "NotFound")
        elif told.method == "DELETE":
            self.member.writes += 1
            self.member.drop(told.place)
            self._say({"kind": "Status", "status": "Success"})
        else:
            self._say(before.value)

    def _lease(self, told: Asked) -> None:
        """One writer, so no more is asked of it."""
        value = _json.decode(told.body) if told.body else None
        name = told.place[2] or (value["metadata"]["name"] if value else "")
        place = ("leases", told.place[1], name)
        if value is not None:
            self.member.leased += 1
            self._say(self.member.keep(place, Kept(value, False)))
        elif place in self.member.kept:
            self._say(self.member.kept[place].value)
        else:
            self._refuse(404, "NotFound")

    def _apply(self, told: Asked, before: Kept | None) -> None:
        self.member.writes += 1
        if before is not None and before.sent == told.body:
            self._say(before.value)
            return
        value = _json.decode(told.body)
        meta = value["metadata"]
        old = before.value if before else {}
        meta["managedFields"] = OWNERS.of(told.body, value, told.kind)
        if told.kind.counted:
            meta["generation"] = old["metadata"].get("generation", 1) + 1 if before else 1
        if "status" in old:
            value["status"] = old["status"]
        ours = (meta.get("labels") or {}).get("fedns.io/propagated") == "true"
        self._say(self.member.keep(told.place, Kept(value, ours, told.body)))
        self.member.seek(value)
        if told.kind.status and told.place[0] != "namespaces":
            asyncio.get_running_loop().call_later(STATUS, self.member.fares, told.place)


async def obey(
    members: Mapping[int, Depot], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    async for line in reader:
        order = line.decode().strip()
        told: Any
        if order == "count":
            told = {number: (one.copies, one.writes, one.leased) for number, one in members.items()}
        elif order.startswith("have "):
            told = endowed(members, order.removeprefix("have "))
        else:
            told = [one.seen.get(order) for one in members.values()]
        writer.write(json.dumps(told).encode() + b"\n")


async def serve(count: int) -> None:
    loop, ports = asyncio.get_running_loop(), {}
    members = {number: Depot(number) for number in range(count)}
    for number, member in members.items():
        server = await loop.create_server(lambda member=member: Connection(member), "127.0.0.1", 0)
        ports[number] = server.sockets[0].getsockname()[1]
    orders = await asyncio.start_server(lambda *ends: obey(members, *ends), "127.0.0.1", 0)
    print(json.dumps({"orders": orders.sockets[0].getsockname()[1], "members": ports}), flush=True)
    await apiservers.bookmarks(members)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--members", type=int, default=50)
    asyncio.run(serve(parser.parse_args().members))


if __name__ == "__main__":
    main()
