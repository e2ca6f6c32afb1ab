"""Three members with pods in two of them, and `fedns serve` where the pods find DNS.

`us` is IPv4 alone, `eu` has both families; nobody knows the pod `outside`. `nginx` is in all members, `far`
in `eu` alone. Law: real processes in network namespaces (`pods`); deadlines, never paces.
"""

import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.bench import serving
from tests.scenarios import pods, world

SHORT = "nginx.mynamespace.myfederation"
DOMAIN = "svc.cluster.local"
MEMBERS = (
    "{name: us, region: us-east1, zones: [us-east1-b], manifests: members/us/, clients: [10.64.1.0/24]}",
    "{name: eu, region: europe-west1, zones: [europe-west1-b], manifests: members/eu/,"
    ' clients: [10.64.2.0/24, "fd00:64:2::/64"]}',
    "{name: central, region: us-central1, zones: [us-central1-a], manifests: members/central/}",
)
ADDRESSES = {
    "us": ("10.64.1.9",),
    "eu": ("10.64.2.9", "fd00:64:2::9"),
    "outside": ("10.64.9.9",),
}
"""Of the pods."""
INNER = {"us": ("10.98.1.80",), "eu": ("10.98.2.80", "fd00:98:2::50"), "central": ("10.98.3.80",)}
"""Addresses of `nginx` within each member."""
OUTER = {"us": ("203.0.113.1",), "eu": ("203.0.113.2", "2001:db8::2"), "central": ("203.0.113.3",)}
"""Those of its load balancers."""
ALL = tuple(sorted(address for addresses in OUTER.values() for address in addresses))
CONFIG = """\
federation: myfederation
domain: example.com
nameservers: {{ns1.example.com: ["{0}", "{1}"]}}
state: ./state
fleet: {{manifests: fleet/}}
members:
- {2}
dns: {{listen: ["{0}:53", "[{1}]:53"], inside: [{{listen: "{3}:53", member: us}}], workers: 1}}
admin: {{listen: "127.0.0.1:9053"}}
health: {{hold: 0s, hold_max: 0s}}
"""
POLICY = """\
apiVersion: fedns.io/v1alpha1
kind: TrafficPolicy
metadata: {{name: {name}, namespace: mynamespace}}
spec: {{targetRef: {{kind: Service, name: {name}}}, strategy: Nearest, ttl: {{min: {ttl}s, max: {ttl}s}}}}
"""
SHARD = """\
apiVersion: v1
kind: Service
metadata: {{name: {name}, namespace: mynamespace}}
spec: {{type: LoadBalancer, clusterIP: "{first}", clusterIPs: {inner}, ports: [{{name: http, port: 80}}]}}
status: {{loadBalancer: {{ingress: {outer}}}}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: {name}-1, namespace: mynamespace, labels: {{kubernetes.io/service-name: {name}}}}}
addressType: IPv4
ports: [{{name: http, port: 80}}]
endpoints: [{{addresses: [10.0.0.1], conditions: {{ready: {ready}}}}}]
"""


class Fleet:
    """The files below `home`, the node, and a pod of each name in `ADDRESSES`."""

    def __init__(self, home: Path, node: pods.Node) -> None:
        self.home, self.node = home, node
        self.pods = {name: node.attach(name, addresses) for name, addresses in ADDRESSES.items()}
        self.put("fedns.yaml", CONFIG.format(*pods.SERVICE, "\n- ".join(MEMBERS), pods.LISTENER))
        for name, ttl in (("nginx", 2), ("far", 300)):
            self.put(f"fleet/{name}.yaml", POLICY.format(name=name, ttl=ttl))
        for member in INNER:
            self.write(member)
        self.write("eu", name="far")

    def put(self, path: str, text: str) -> None:
        """Writes a file, whole or not at all."""
        target, fresh = self.home / path, self.home / "fresh"
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh.write_text(text)
        os.replace(fresh, target)

    def write(self, member: str, ready: bool = True, name: str = "nginx") -> None:
        """One member's shard."""
        inner, outer = INNER[member], [{"ip": each} for each in OUTER[member]]
        told = {"name": name, "first": inner[0], "inner": json.dumps(inner), "outer": json.dumps(outer)}
        self.put(f"members/{member}/{name}.yaml", SHARD.format(**told, ready=json.dumps(ready)))

    def pod(self, name: str, address: str, nameservers: Sequence[str] = ()) -> pods.Pod:
        """One more pod."""
        made = self.node.attach(name, [address])
        if nameservers:
            made.configure(nameservers)
        return made

    @property
    def log(self) -> str:
        return (self.home / "serve.log").read_text()


class Reader(NamedTuple):
    """A resolver library or program: what it says of a name, in a pod."""

    name: str
    command: tuple[str, ...]

    def ask(self, pod: pods.Pod, name: str) -> tuple[str, ...]:
        """All addresses, sorted; what it says instead where there are none."""
        told = pod.run(*self.command, name)
        return tuple(sorted({line.split()[0] for line in told.lines})) if not told.status else told.lines


@contextmanager
def served(home: Path, *options: str) -> Iterator[Fleet]:
    """The fleet, with fedns at work on the node and answering."""
    with pods.node(home) as node:
        fleet = Fleet(home, node)
        command = [*world.FEDNS, "serve", "--config", str(home / "fedns.yaml"), *options]
        with pods.at_work(node.pod, home / "serve.log", "env", f"PYTHONPATH={serving.ROOT}", *command):
            names = [f"{each}.mynamespace.myfederation.svc.example.com" for each in ("nginx", "far")]
            world.until(lambda: all(dig(fleet.pods["us"], each) for each in names), "fedns answers")
            yield fleet


def dig(pod: pods.Pod, name: str, *options: str) -> tuple[str, ...]:
    """Addresses and targets of aliases, sorted; none where it is not answered."""
    told = pod.run("dig", "+short", "+tries=1", "+time=2", *options, name)
    return () if told.status or ";;" in told.text else told.lines


@contextmanager
def tapped(fleet: Fleet) -> Iterator[Callable[[], list[str]]]:
    """What was answered up to now: lines as `wiretap` writes them."""
    file, script = fleet.home / "tap", Path(__file__).with_name("wiretap.py")
    with pods.at_work(fleet.node.pod, fleet.home / "tap.log", sys.executable, str(script), str(file)):
        world.until(lambda: file.exists() and "ready" in file.read_text(), "the wire is tapped")
        yield lambda: file.read_text().splitlines()[1:]
