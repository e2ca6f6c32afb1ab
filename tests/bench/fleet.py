"""A fleet on disk: N members x M services as the JSON that `kubectl get -o json` prints.

Law: the same shape gives the same bytes. Slices that a bench will change lie one per file under
`slices/`; all other objects of a member are three List dumps. A change replaces its file by rename,
from outside the watched tree, so that a source never sees half of it.
"""

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

DOMAIN = "example.com"
FEDERATION = "myfederation"
NAMESPACE = "bench"
REGIONS = 5
"""Members are dealt to regions in turn: 20 members are four to a region, each in its own zone."""


class Shape(NamedTuple):
    """`moving` are the (member, service) pairs whose slice lies in a file of its own, `down` those whose
    endpoints are not ready. With a `block` all slices lie in files of so many."""

    members: int
    services: int
    moving: frozenset[tuple[int, int]] = frozenset()
    down: frozenset[tuple[int, int]] = frozenset()
    block: int = 0


def member_name(member: int) -> str:
    return f"member-{member:02d}"


def region(member: int) -> str:
    return f"region-{member % REGIONS}"


def zone(member: int) -> str:
    return f"region-{member % REGIONS}-z{member // REGIONS}"


def service_name(service: int) -> str:
    return f"svc-{service:05d}"


def address(member: int, service: int) -> str:
    """The load balancer of one shard; a member has room for 65,536 services."""
    return f"10.{member}.{service >> 8}.{service & 255}"


def names(member: int, service: int) -> tuple[str, str, str]:
    """The global, region and zone name under which `member`'s shard of `service` can be seen."""
    stem = f"{service_name(service)}.{NAMESPACE}.{FEDERATION}.svc"
    return (
        f"{stem}.{DOMAIN}",
        f"{stem}.{region(member)}.{DOMAIN}",
        f"{stem}.{zone(member)}.{region(member)}.{DOMAIN}",
    )


def service_object(member: int, service: int) -> dict[str, object]:
    name = service_name(service)
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": {"app": name}},
        "spec": {
            "type": "LoadBalancer",
            "selector": {"app": name},
            "ports": [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": 8080}],
        },
        "status": {"loadBalancer": {"ingress": [{"ip": address(member, service)}]}},
    }


def slice_object(member: int, service: int, ready: bool = True) -> dict[str, object]:
    """Two endpoints, both ready or both not."""
    name = service_name(service)
    conditions = {"ready": ready, "serving": ready, "terminating": False}
    endpoints = [
        {
            "addresses": [f"172.{16 + replica}.{service >> 8}.{service & 255}"],
            "conditions": conditions,
            "nodeName": f"{member_name(member)}-node-{replica}",
            "targetRef": {"kind": "Pod", "namespace": NAMESPACE, "name": f"{name}-{replica}"},
            "zone": zone(member),
        }
        for replica in range(2)
    ]
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": f"{name}-x",
            "namespace": NAMESPACE,
            "labels": {"kubernetes.io/service-name": name},
        },
        "addressType": "IPv4",
        "endpoints": endpoints,
        "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}],
    }


def node_object(member: int, node: int) -> dict[str, object]:
    labels = {"topology.kubernetes.io/region": region(member), "topology.kubernetes.io/zone": zone(member)}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": f"{member_name(member)}-node-{node}", "labels": labels},
        "status": {"conditions": [{"type": "Ready", "status": "True"}]},
    }


def write_list(path: Path, objects: Iterable[dict[str, object]]) -> None:
    """One `List` object, an item per line, without holding it whole."""
    with path.open("w") as file:
        file.write('{"apiVersion":"v1","kind":"List","items":[\n')
        for index, item in enumerate(objects):
            file.write(("," if index else "") + json.dumps(item, separators=(",", ":")) + "\n")
        file.write("]}\n")


def write_member(folder: Path, member: int, shape: Shape) -> None:
    slices = folder / "slices"
    slices.mkdir(parents=True, exist_ok=True)
    write_list(folder / "services.json", (service_object(member, s) for s in range(shape.services)))
    write_list(folder / "nodes.json", (node_object(member, n) for n in range(2)))
    if shape.block:
        for first in range(0, shape.services, shape.block):
            write_block(slices / f"block-{first:05d}.json", member, first, shape)
        return
    ready = {s: (member, s) not in shape.down for s in range(shape.services)}
    still = (slice_object(member, s, ready[s]) for s in ready if (member, s) not in shape.moving)
    write_list(folder / "endpointslices.json", still)
    for service in (s for s in range(shape.services) if (member, s) in shape.moving):
        one = json.dumps(slice_object(member, service, ready[service]))
        (slices / f"{service_name(service)}.json").write_text(one)


def write_block(path: Path, member: int, first: int, shape: Shape, turned: bool = False) -> None:
    """The slices of `shape.block` services in one file; `turned`: who was ready is not, who was not is."""
    services = range(first, min(first + shape.block, shape.services))
    write_list(path, (slice_object(member, s, ((member, s) in shape.down) == turned) for s in services))


class Fleet:
    """The fleet of `shape` under `root`: `fedns.yaml`, `members/`, and `state/` once it is served."""

    def __init__(self, root: Path, shape: Shape) -> None:
        self.root = root
        self.shape = shape
        self.config = root / "fedns.yaml"
        self._fresh = root / "fresh.json"

    def write(self, dns_port: int, admin_port: int) -> None:
        """All members and the configuration."""
        for member in range(self.shape.members):
            write_member(self.root / "members" / member_name(member), member, self.shape)
        dns = {"listen": [f"127.0.0.1:{dns_port}"], "workers": 2}
        self.configure(self.config, dns, admin_port)

    def configure(self, path: Path, dns: Mapping[str, object], admin_port: int) -> None:
        """A configuration of this fleet with this `dns` section."""
        rows = "".join(f"  - {row}\n" for row in self._member_rows())
        path.write_text(
            f"federation: {FEDERATION}\n"
            f"domain: {DOMAIN}\n"
            "nameservers: {ns1.example.com: [127.0.0.1]}\n"
            f"state: {self.root}/state\n"
            f"dns: {json.dumps(dns)}\n"
            f'admin: {{listen: "127.0.0.1:{admin_port}"}}\n'
            f"members:\n{rows}"
        )

    def _member_rows(self) -> Iterator[str]:
        for member in range(self.shape.members):
            name = member_name(member)
            place = f"region: {region(member)}, zones: [{zone(member)}]"
            yield f"{{name: {name}, {place}, manifests: {self.root}/members/{name}/}}"

    def change(self, member: int, service: int, ready: bool) -> None:
        """Replaces one EndpointSlice file; returns when the new content is in its place."""
        self._fresh.write_text(json.dumps(slice_object(member, service, ready)))
        folder = self.root / "members" / member_name(member) / "slices"
        os.replace(self._fresh, folder / f"{service_name(service)}.json")

    def turn(self, member: int, first: int) -> None:
        """Replaces a block's file by one in which each of its shards is in the other state."""
        write_block(self._fresh, member, first, self.shape, turned=True)
        folder = self.root / "members" / member_name(member) / "slices"
        os.replace(self._fresh, folder / f"block-{first:05d}.json")

    def queries(self, count: int) -> str:
        """A dnsperf query file: `count` global, region and zone names, spread over the fleet."""
        lines = []
        for index in range(count):
            member, service = index * 7 % self.shape.members, index * 13 % self.shape.services
            lines.append(f"{names(member, service)[index % 3]} A\n")
        return "".join(lines)
