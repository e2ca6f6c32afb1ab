"""API servers of many members in one process, for a bench: cheap enough to feed control on one core.

Law: objects are templates of a realistic size, filled in when they are asked for; nothing is kept of a shard
but what differs from its beginning. HTTP/1.1 as API servers speak it: paged lists, lists as streams, watches
with bookmarks, 410 for versions that a member forgot. Orders come as lines on a socket of their own.
"""

import argparse
import asyncio
import json
import re
import ssl
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

import fleet

BLOCK = 100  # objects written at a time
BOOKMARK = 60.0  # seconds, as kube-apiserver sends them
BORN = 1000  # version that all members begin with
NODES = ENDPOINTS = 3
PORTS = [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": 8080, "nodePort": 30080}]
FIELDS = {
    "f:metadata": {"f:annotations": {".": {}, "f:kubectl.kubernetes.io/last-applied-configuration": {}}},
    "f:spec": {
        "f:allocateLoadBalancerNodePorts": {},
        "f:externalTrafficPolicy": {},
        "f:internalTrafficPolicy": {},
        "f:ports": {".": {}, 'k:{"port":80,"protocol":"TCP"}': {".": {}, "f:name": {}, "f:port": {}}},
        "f:selector": {},
        "f:sessionAffinity": {},
        "f:type": {},
    },
}


def managed(*writers: str) -> list[dict[str, Any]]:
    time = "2026-11-01T08:00:00Z"
    return [
        {"manager": each, "operation": "Update", "apiVersion": "v1", "time": time, "fieldsType": "FieldsV1"}
        | {"fieldsV1": FIELDS}
        for each in writers
    ]


def meta(name: str, kind: str, writers: tuple[str, ...]) -> dict[str, Any]:
    return {
        "name": name,
        "namespace": fleet.NAMESPACE,
        "uid": "6a1f2c3e-0000-4000-8000-@number@",
        "resourceVersion": "@version@",
        "creationTimestamp": "2026-11-01T08:00:00Z",
        "labels": {"app": "@name@", "app.kubernetes.io/managed-by": "Helm", "team": "bench"},
        "annotations": {"example.com/owner": "bench", "example.com/what": kind * 10},
        "managedFields": managed(*writers),
    }


def service() -> dict[str, Any]:
    """A Service of about 2 kB."""
    return {
        "metadata": meta("@name@", "service", ("kubectl-client-side-apply", "cloud-controller-manager")),
        "spec": {
            "type": "LoadBalancer",
            "clusterIP": "10.96.0.1",
            "clusterIPs": ["10.96.0.1"],
            "ipFamilies": ["IPv4"],
            "ipFamilyPolicy": "SingleStack",
            "selector": {"app": "@name@"},
            "ports": PORTS,
        },
        "status": {"loadBalancer": {"ingress": [{"ip": "@address@", "ipMode": "VIP"}]}},
    }


def endpoint(index: int) -> dict[str, Any]:
    return {
        "addresses": [f"172.{16 + index}.@tail@"],
        "conditions": {"ready": f"@ready{index}@", "serving": f"@ready{index}@", "terminating": False},
        "nodeName": f"@member@-node-{index}",
        "targetRef": {
            "kind": "Pod",
            "namespace": fleet.NAMESPACE,
            "name": f"@name@-7d4b9c6f5-x{index}",
            "uid": f"9b1f2c3e-000{index}-4000-8000-@number@",
        },
        "zone": "@zone@",
    }


def slices() -> dict[str, Any]:
    """An EndpointSlice of about 2 kB with three endpoints."""
    about = meta("@name@-x7k2p", "slice", ("kube-controller-manager",))
    about["labels"]["kubernetes.io/service-name"] = "@name@"
    about["labels"]["endpointslice.kubernetes.io/managed-by"] = "endpointslice-controller.k8s.io"
    about["generateName"] = "@name@-"
    about["ownerReferences"] = [
        {"apiVersion": "v1", "kind": "Service", "name": "@name@", "uid": "6a1f2c3e-0000-4000-8000-@number@"}
    ]
    return {
        "metadata": about,
        "addressType": "IPv4",
        "endpoints": [endpoint(index) for index in range(ENDPOINTS)],
        "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}],
    }


class Template:
    """JSON with places to be filled in."""

    def __init__(self, value: dict[str, Any], head: Mapping[str, str] = {}) -> None:
        text = json.dumps({**head, **value}, separators=(",", ":")).replace("%", "%%")
        text = re.sub(r'"(@ready\d@)"', r"\1", text)
        self._order = re.findall(r"@(\w+)@", text)
        self._text = re.sub(r"@\w+@", "%s", text)

    def fill(self, values: Mapping[str, str]) -> bytes:
        return (self._text % tuple([values[each] for each in self._order])).encode()


class Kind(NamedTuple):
    """A resource: what its objects in a list look like, and those in a watch (which say what they are)."""

    kind: str
    version: str
    listed: Template
    watched: Template


def kinds() -> dict[str, Kind]:
    found = {}
    for plural, kind, version, shape in (
        ("services", "Service", "v1", service()),
        ("endpointslices", "EndpointSlice", "discovery.k8s.io/v1", slices()),
    ):
        head = {"kind": kind, "apiVersion": version}
        found[plural] = Kind(kind, version, Template(shape), Template(shape, head))
    return found


KINDS = kinds()


class Member:
    """One cluster: how it differs from its beginning, and who watches it."""

    def __init__(self, number: int, count: int, streams: bool) -> None:
        self.number, self.count, self.streams = number, count, streams
        self.version = BORN
        self.oldest = 0  # versions before it are forgotten
        self.moved: dict[int, tuple[int, int]] = {}  # service -> version of its slice, endpoints ready
        self.connections: set[Connection] = set()

    def values(self, index: int) -> dict[str, str]:
        version, ready = self.moved.get(index, (BORN, ENDPOINTS))
        return {
            "name": fleet.service_name(index),
            "number": f"{index:012d}",
            "address": fleet.address(self.number, index),
            "tail": f"{index >> 8}.{index & 255}",
            "member": fleet.member_name(self.number),
            "zone": fleet.zone(self.number),
            "version": str(version),
            **{f"ready{at}": "true" if at < ready else "false" for at in range(ENDPOINTS)},
        }

    def objects(self, plural: str, begin: int, end: int, watched: bool = False) -> Iterator[bytes]:
        if plural == "nodes":
            yield from map(self.node, range(NODES)) if not begin else ()
            return
        kind = KINDS[plural]
        template = kind.watched if watched else kind.listed
        for index in range(begin, min(end, self.count)):
            yield template.fill(self.values(index))

    def node(self, index: int) -> bytes:
        found: dict[str, Any] = fleet.node_object(self.number, index)
        found["metadata"]["resourceVersion"] = str(BORN)
        return json.dumps(found).encode()

    def turn(self, index: int, ready: int) -> None:
        """A slice has so many endpoints that are ready: an event for all who watch."""
        self.version += 1
        self.moved[index] = self.version, ready
        line = event("MODIFIED", KINDS["endpointslices"].watched.fill(self.values(index)))
        for connection in self.connections:
            if connection.watching == "endpointslices":
                connection.chunk(line)

    def flap(self) -> None:
        """All connections break; what they knew is too old to go on from."""
        self.version += 1
        self.oldest = self.version
        for connection in list(self.connections):
            connection.transport.abort()


def event(kind: str, value: bytes) -> bytes:
    return b'{"type":"%s","object":%s}\n' % (kind.encode(), value)


def bookmark(plural: str, version: int, end: bool) -> bytes:
    notes = {"k8s.io/initial-events-end": "true"} if end else {}
    about = {"resourceVersion": str(version), "annotations": notes}
    return event("BOOKMARK", json.dumps({"metadata": about}).encode())


class Connection(asyncio.Protocol):
    """One connection to a member; `watching` the resource whose events it gets."""

    transport: asyncio.Transport

    def __init__(self, member: Member) -> None:
        self.member, self.watching = member, ""
        self._heard = b""
        self._coming: Iterator[bytes] | None = None
        self._paused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.member.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.member.connections.discard(self)
        self._coming = None

    def data_received(self, data: bytes) -> None:
        self._heard += data
        while b"\r\n\r\n" in self._heard:
            head, _, self._heard = self._heard.partition(b"\r\n\r\n")
            self._answer(urlsplit(head.split(b" ", 2)[1].decode()))

    def _answer(self, asked: Any) -> None:
        query = {name: values[0] for name, values in parse_qs(asked.query).items()}
        plural = asked.path.rpartition("/")[2]
        if asked.path == "/readyz":
            self._reply(b"ok")
        elif asked.path == "/version":
            self._reply(b'{"gitVersion":"v1.34.1"}')
        elif asked.path == "/api/v1/namespaces/kube-system":
            uid = f"00000000-0000-4000-8000-{self.member.number:012d}"
            self._reply(json.dumps({"metadata": {"name": "kube-system", "uid": uid}}).encode())
        elif asked.path == "/apis/discovery.k8s.io/v1":
            self._reply(b'{"resources":[{"name":"endpointslices"}]}')
        elif plural not in (*KINDS, "nodes"):
            self._refuse(404, "NotFound")
        elif query.get("watch"):
            self._watch(plural, query)
        else:
            self._list(plural, query)

    def _reply(self, body: bytes, status: str = "200 OK") -> None:
        head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        self.transport.write(head.encode() + body)

    def _refuse(self, code: int, reason: str) -> None:
        body = {"kind": "Status", "code": code, "reason": reason, "message": reason}
        self._reply(json.dumps(body).encode(), f"{code} {reason}")

    def _list(self, plural: str, query: Mapping[str, str]) -> None:
        begin, limit = int(query.get("continue", "0")), int(query.get("limit", self.member.count))
        items = b",".join(self.member.objects(plural, begin, begin + limit))
        after = str(begin + limit) if begin + limit < self.member.count and plural != "nodes" else ""
        about = json.dumps({"resourceVersion": str(self.member.version), "continue": after}).encode()
        self._reply(b'{"metadata":%s,"items":[%s]}' % (about, items))

    def _watch(self, plural: str, query: Mapping[str, str]) -> None:
        streamed = query.get("sendInitialEvents") == "true"
        if streamed and not self.member.streams:
            self._refuse(422, "Invalid")
            return
        begin = int(query.get("resourceVersion", self.member.version))
        if begin < self.member.oldest:
            self._refuse(410, "Expired")
            return
        self.transport.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        self._coming = self._first(plural) if streamed else self._since(plural, begin)
        self._flow()

    def _first(self, plural: str) -> Iterator[bytes]:
        """All there is, then what came meanwhile, as far as a bookmark."""
        version = self.member.version
        for begin in range(0, self.member.count, BLOCK):
            found = self.member.objects(plural, begin, begin + BLOCK, watched=True)
            yield b"".join([event("ADDED", each) for each in found])
        yield bookmark(plural, version, end=True)
        yield from self._since(plural, version)

    def _since(self, plural: str, version: int) -> Iterator[bytes]:
        if plural == "endpointslices":
            late = [(at, index) for index, (at, _) in self.member.moved.items() if at > version]
            for _, index in sorted(late):
                found = next(self.member.objects(plural, index, index + 1, watched=True))
                yield event("MODIFIED", found)
        self.watching = plural

    def _flow(self) -> None:
        while self._coming is not None and not self._paused:
            block = next(self._coming, None)
            if block is None:
                self._coming = None
            elif block:
                self.chunk(block)

    def chunk(self, data: bytes) -> None:
        self.transport.write(b"%x\r\n%s\r\n" % (len(data), data))

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        self._flow()


async def obey(members: Mapping[int, Member], reader: asyncio.StreamReader) -> None:
    """Orders: `turn MEMBER SERVICE ENDPOINTS`, `flap MEMBER`."""
    async for line in reader:
        order, member, *rest = line.split()
        if order == b"turn":
            members[int(member)].turn(int(rest[0]), int(rest[1]))
        elif order == b"flap":
            members[int(member)].flap()


async def bookmarks(members: Mapping[int, Member]) -> None:
    while True:
        await asyncio.sleep(BOOKMARK)
        for member in members.values():
            for connection in member.connections:
                if connection.watching:
                    connection.chunk(bookmark(connection.watching, member.version, end=False))


async def serve(options: argparse.Namespace) -> None:
    tls = None
    if options.certificate:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(options.certificate, options.key)
    loop, streams = asyncio.get_running_loop(), not options.paged
    members = {number: Member(number, options.services, streams) for number in options.members}
    ports = {}
    for number, member in members.items():
        server = await loop.create_server(lambda member=member: Connection(member), "127.0.0.1", 0, ssl=tls)
        ports[number] = server.sockets[0].getsockname()[1]
    orders = await asyncio.start_server(lambda reader, _: obey(members, reader), "127.0.0.1", 0)
    print(json.dumps({"orders": orders.sockets[0].getsockname()[1], "members": ports}), flush=True)
    await bookmarks(members)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--members", type=int, nargs="+")
    parser.add_argument("--services", type=int)
    parser.add_argument("--paged", action="store_true", help="no lists as streams")
    parser.add_argument("--certificate", default="")
    parser.add_argument("--key", default="")
    asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
