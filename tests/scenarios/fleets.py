"""A fleet of real API servers, and `fedns serve` over it: members `one` and `two`, and the fleet's own.

Law: a member's region and zones are those of its nodes; its objects are made through its API, its statuses as
a cloud controller would.
"""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from tests.bench import serving
from tests.envtest import clusters
from tests.fakes import kubecluster
from tests.scenarios import world

ZONES = {"one": "us-central1-a", "two": "asia-east1-c"}
ADDRESSES = {name: world.ADDRESSES[zone] for name, zone in ZONES.items()}
BOTH = tuple(ADDRESSES.values())
CONFIG = """federation: myfederation
domain: example.com
nameservers: {{ns1.example.com: [127.0.0.1]}}
state: ./state
fleet: {{{fleet}}}
members:
{members}dns: {{listen: ["127.0.0.1:0"], workers: {workers}}}
admin: {{listen: "{host}:{port}"}}
{more}"""

CRDS = sorted((serving.ROOT / "deploy" / "crds").glob("*.fedns.io.yaml"))
DEFINITIONS = tuple(yaml.safe_load(path.read_text()) for path in CRDS)
POLICIES = tuple(
    yaml.safe_load(path.read_text())
    for path in sorted((serving.ROOT / "deploy" / "crds" / "policies").glob("*.karmada.io.yaml"))
)
"""The kinds of policies that distribute."""

Object = dict[str, Any]


def shard(zone: str, *addresses: str, name: str = "nginx", ready: bool = True) -> list[Object]:
    """A service of type LoadBalancer and its one endpoint."""
    return [kubecluster.service(name, *addresses), kubecluster.endpoints(name, zone, ready)]


def fill(cluster: clusters.Cluster) -> None:
    """A node, and the service of the federation."""
    zone = ZONES[cluster.name]
    cluster.put(kubecluster.node("n1", zone[:-2], zone), *shard(zone, ADDRESSES[cluster.name]))


def account(cluster: clusters.Cluster, *kinds: str, name: str = "fedns") -> None:
    """A ServiceAccount that may read these kinds (`GROUP/PLURAL`), and nothing else."""
    reads = ["get", "list", "watch"]
    rules = [
        {"apiGroups": [kind.rpartition("/")[0]], "resources": [kind.rpartition("/")[2]], "verbs": reads}
        for kind in ("namespaces", *kinds)
    ]
    meta = {"metadata": {"name": name}}
    subject = {"kind": "ServiceAccount", "name": name, "namespace": clusters.NAMESPACE}
    ref = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name}
    api = {"apiVersion": "rbac.authorization.k8s.io/v1"}
    cluster.put(
        {"apiVersion": "v1", "kind": "ServiceAccount", **meta},
        {**api, "kind": "ClusterRole", **meta, "rules": rules},
        {**api, "kind": "ClusterRoleBinding", **meta, "roleRef": ref, "subjects": [subject]},
    )


class Fleet(world.World):
    """The configuration; `members` and `fleet` are what is told of them in `fedns.yaml`."""

    def __init__(self, root: Path, farm: clusters.Farm) -> None:
        super().__init__(root)
        self.farm = farm
        for cluster in farm.clusters:
            cluster.kubeconfig(root / f"{cluster.name}.kubeconfig")
        self.members = {name: f"kubeconfig: {name}.kubeconfig" for name in ZONES}
        self.fleet = "kubeconfig: fleet.kubeconfig"
        self.write_config()

    def write_config(self, more: str = "") -> None:
        rows = "".join(f"  - {{name: {name}, {told}}}\n" for name, told in self.members.items())
        told = {"fleet": self.fleet, "members": rows, "workers": 1, "more": more}
        self.put("fedns.yaml", CONFIG.format(host=world.ADMIN, port=self.admin, **told))


@contextmanager
def settled(fleet: Fleet) -> Iterator[world.Served]:
    """`fedns serve`, once the service of both members is on the wire."""
    with world.serve(fleet) as served:
        served.shows(world.GLOBAL, world.records(BOTH), "at first")
        yield served


@contextmanager
def backend(address: str, port: int = 0) -> Iterator[int]:
    """Something that takes connections at an address; its port."""
    with socket.create_server((address, port)) as listening:
        yield int(listening.getsockname()[1])


def policy(**spec: Any) -> Object:
    """A policy for the service."""
    return {
        "apiVersion": "fedns.io/v1alpha1",
        "kind": "TrafficPolicy",
        "metadata": {"name": "nginx", "namespace": clusters.NAMESPACE},
        "spec": {"targetRef": {"name": "nginx"}, **spec},
    }


def probed(port: int) -> Object:
    """One that has it probed twice a second."""
    probe = {"kind": "tcp", "port": port, "interval": "500ms", "timeout": "400ms", "fall": 2, "rise": 2}
    health = {"hold": "0s", "holdMax": "0s"}
    return policy(probe=probe, health=health)


def evidence(served: world.Served, name: str, kind: str) -> str:
    """What one kind of evidence says of a member's shard."""
    shards = served.api("/api/v1/shards")["items"]
    found = [one for shard in shards if shard["member"] == name for one in shard["evidence"]]
    return next((str(one["says"]) for one in found if one["kind"] == kind), "")


def member(served: world.Served, name: str = "one") -> Object:
    """A member as the admin API tells it."""
    rows = served.api("/api/v1/members")["items"]
    found: Object = next(one for one in rows if one["name"] == name)
    return found
