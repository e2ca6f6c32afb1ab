"""A fleet behind the gateway for scenario tests: members with real backends at loopback addresses.

Ingresses and policies are in the fleet only. DNS and gateway can be asked side by side.
"""

import http.client
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.bench import serving
from tests.scenarios import world

HOST, ZONE = "shop.example.com", "store.fed.svc.example.com"
NAME = f"shop.{ZONE}"
SERVICE = """apiVersion: v1
kind: Service
metadata: {{name: {name}, namespace: store}}
spec: {{type: LoadBalancer, ports: [{{name: http, port: 80}}]}}
status: {{loadBalancer: {{ingress: [{{ip: {address}}}]}}}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: {name}-1, namespace: store, labels: {{kubernetes.io/service-name: {name}}}}}
addressType: IPv4
ports: [{{name: http, port: {port}}}]
endpoints: {endpoints}
"""
INGRESS = """apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {{name: {name}, namespace: store, annotations: {annotations}}}
spec:
  rules:
  - host: "{host}"
    http:
      paths: {paths}
"""
QUICK = "health: {hold: 0.1s, hold_max: 0.1s, hold_reset: 0.1s}\n"
"""Nothing that comes back is held for what happened in another test."""
POLICY = """apiVersion: fedns.io/v1alpha1
kind: TrafficPolicy
metadata: {{name: {name}, namespace: store}}
spec: {spec}
"""


def path(service: str = "shop", where: str = "/", kind: str = "Prefix") -> Mapping[str, object]:
    """One path of an Ingress."""
    return {
        "path": where,
        "pathType": kind,
        "backend": {"service": {"name": service, "port": {"number": 80}}},
    }


def address(member: str) -> str:
    """What a member's Service publishes."""
    return f"192.0.2.{sum(member.encode()) % 250}"


class Shops(world.World):
    """The directories and the configuration under `root`. `port` is where all backends listen."""

    ROW = "  - {{name: {0}, region: {0}, labels: {{tier: {0}}}, manifests: members/{0}/}}\n"

    def __init__(self, root: Path, members: Iterable[str], port: int, workers: int = 2) -> None:
        self.root, self.config, self.port = root, root / "fedns.yaml", port
        self.members = tuple(members)
        self.admin = serving.free_port(world.ADMIN)
        self.workers = workers
        (root / "fleet").mkdir()
        self.put("zones/acme.com.zone", world.ZONE)
        self.configure()

    def configure(self, more: str = "", workers: int = 2) -> None:
        self.put(
            "fedns.yaml",
            "federation: fed\ndomain: example.com\nnameservers: {ns1.example.com: [127.0.0.1]}\n"
            f"state: ./state\nzones: [zones/]\nfleet: {{manifests: fleet/}}\n"
            f"members:\n{''.join(map(self.ROW.format, self.members))}"
            f'dns: {{listen: ["127.0.0.1:0"], workers: 1}}\n'
            f'admin: {{listen: "{world.ADMIN}:{self.admin}"}}\n'
            f'gateway: {{listen: ["127.0.0.1:0"], workers: {self.workers}}}\n'
            f"{more or QUICK}",
        )

    def serves(
        self, member: str, ready: Iterable[str], broken: Iterable[str] = (), name: str = "shop"
    ) -> None:
        """The member's part of a service: endpoints that are ready, and others that are not."""
        rows = [(each, True) for each in ready] + [(each, False) for each in broken]
        told = [{"addresses": [each], "conditions": {"ready": is_it}} for each, is_it in rows]
        made = SERVICE.format(name=name, address=address(member), port=self.port, endpoints=json.dumps(told))
        self.tells(member, name, made)

    def tells(self, member: str, name: str, text: str) -> None:
        """What a member has of a service."""
        self.put(f"members/{member}/{name}.yaml", text)

    def routes(self, name: str, *paths: object, host: str = HOST, **annotations: str) -> None:
        """An Ingress; `_` in a key stands for `-`, and nginx's prefix is put before it if it has none."""
        keys = {each.replace("_", "-"): value for each, value in annotations.items()}
        told = {f"nginx.ingress.kubernetes.io/{key}": value for key, value in keys.items()}
        self.ingress(name, host, told, *paths)

    def ingress(self, name: str, host: str, annotations: Mapping[str, str], *paths: object) -> None:
        text = INGRESS.format(
            name=name, host=host, annotations=json.dumps(annotations), paths=json.dumps(paths or (path(),))
        )
        self.put(f"fleet/{name}.yaml", text)

    def policy(self, name: str = "shop", **spec: object) -> None:
        told = {"targetRef": {"kind": "Service", "name": name}, **spec}
        self.put(f"fleet/policy-{name}.yaml", POLICY.format(name=name, spec=json.dumps(told)))

    def without(self, *paths: str) -> None:
        for each in paths:
            (self.root / each).unlink()


class Served(world.Served):
    """`fedns serve` with a gateway."""

    @property
    def http(self) -> int:
        return int(self.told()["gateway"][0][1])

    def who(self, requests: int, target: str = "/", host: str = HOST, **headers: str) -> Counter[str]:
        """Who answered so many GETs over one connection: replicas by name, else statuses."""
        return Counter(answers(self.http, requests, target, {"Host": host, **headers}))

    def members(self, requests: int, target: str = "/", host: str = HOST, **headers: str) -> Counter[str]:
        """The same by member."""
        found: Counter[str] = Counter()
        for who, count in self.who(requests, target, host, **headers).items():
            found[who.rpartition("-")[0] or who] += count
        return found

    def metric(self, name: str) -> float:
        """All series of this name, added up."""
        series = re.compile(rf"^{name}(?:{{.*}})? (\S+)$", re.MULTILINE)
        return sum(map(float, series.findall(self.api("/metrics"))))

    def explained(self) -> str:
        """What is said of the name."""
        return self.fedns("explain", NAME).stdout

    def agrees(self, *members: str, service: str = "shop") -> None:
        """DNS answers with these members, and the gateway goes to them and to no other."""
        name, wanted = f"{service}.{ZONE}", world.records(address(each) for each in members)
        host = f"{service}.example.com"
        world.until(lambda: self.answer(name) == wanted, f"DNS answers {members}")
        world.until(lambda: self.reached(host) == set(members), f"the gateway goes to {members}")

    def reached(self, host: str = HOST) -> set[str]:
        """Members that answer, by all workers (once in 30,000 times by one less)."""
        return set().union(*(self.members(8, host=host) for _ in range(16)))


def answers(
    port: int, requests: int, target: str, headers: Mapping[str, str], method: str = "GET"
) -> Iterator[str]:
    """Who answered: bodies, else statuses."""
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=world.LONG)
    try:
        for _ in range(requests):
            client.request(method, target, headers=dict(headers))
            reply = client.getresponse()
            body = reply.read().decode()
            yield body.strip() if reply.status == 200 else str(reply.status)
    finally:
        client.close()


@contextmanager
def serve(shops: Shops) -> Iterator[Served]:
    with world.serve(shops) as plain:
        yield Served(shops, plain.process, plain.begun)
