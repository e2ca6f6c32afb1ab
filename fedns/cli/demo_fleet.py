"""The demo fleet: four members as files, of the shape `kubectl get -o yaml` gives, and a configuration.

Law: what is written here is ordinary input; the server knows of no demo. A region is its zone
without the last letter, so four zones make four region names.
"""

import os
from importlib import resources
from typing import NamedTuple

from fedns import config, values

FEDERATION, DOMAIN = "myfederation", "example.com"
NAMESPACE, SERVICE = "mynamespace", "nginx"
HOST = "shop.example.com"
"""What the gateway serves."""
GUEST = 99
"""The last octet of the pod that `fedns demo pod` makes."""
SHORT = f"{SERVICE}.{NAMESPACE}.{FEDERATION}"
"""What pods call the service, by their search path."""


class Site(NamedTuple):
    """One member: where it is, its load balancer's address, and how many endpoints stand behind."""

    member: str
    region: str
    zone: str
    address: str
    endpoints: int

    @property
    def number(self) -> int:
        return int(self.address.rpartition(".")[2])

    @property
    def cluster_address(self) -> str:
        """The Service's, which is good inside the member only."""
        return f"10.96.0.{self.number}"

    def pod(self, last: int) -> str:
        """A pod's address."""
        return f"10.{self.number}.0.{last}"

    @property
    def guest(self) -> str:
        """Where questions of `fedns demo pod` come from: loopback, as everything here."""
        return f"127.{self.number}.0.{GUEST}"

    @property
    def clients(self) -> tuple[str, str]:
        """Who is inside the member: its pods, and the loopback addresses that stand for them."""
        return f"10.{self.number}.0.0/16", f"127.{self.number}.0.0/16"


SITES = (
    Site("gce-asia-east1", "asia-east1", "asia-east1-b", "127.0.0.11", 2),
    Site("gce-europe-west1", "europe-west1", "europe-west1-b", "127.0.0.12", 3),
    Site("gce-us-east1", "us-east1", "us-east1-b", "127.0.0.13", 2),
    Site("gce-us-central1", "us-central1", "us-central1-b", "127.0.0.14", 3),
)


class Ports(NamedTuple):
    """Where the demo lives: all on loopback."""

    dns: values.Address = values.Address("127.0.0.1", 5300)
    admin: values.Address = values.address(config.ADMIN)
    backend: int = 8080

    @property
    def gateway(self) -> values.Address:
        """The port of the backends, which have addresses of their own."""
        return values.Address("127.0.0.1", self.backend)


MEMBER = """\
# Member {site.member}: edit and save, the server follows.
apiVersion: v1
kind: Service
metadata: {{name: {service}, namespace: {namespace}}}
spec:
  type: LoadBalancer
  clusterIP: {site.cluster_address}
  selector: {{app: {service}}}
  ports:
  - {{name: http, protocol: TCP, port: {port}, targetPort: 80}}
status:
  loadBalancer:
    ingress:
    - ip: {site.address}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: {service}-{slice}
  namespace: {namespace}
  labels: {{kubernetes.io/service-name: {service}}}
addressType: IPv4
ports:
- {{name: http, protocol: TCP, port: 80}}
endpoints:
"""

ENDPOINT = """\
- addresses: [{address}]
  conditions: {{ready: true, serving: true, terminating: false}}
  nodeName: {site.member}-node-{last}
  zone: {site.zone}
"""

NODE = """\
---
apiVersion: v1
kind: Node
metadata:
  name: {site.member}-node-{last}
  labels:
    topology.kubernetes.io/region: {site.region}
    topology.kubernetes.io/zone: {site.zone}
status:
  conditions:
  - {{type: Ready, status: "True"}}
"""

POLICY = """\
# How {service} is served and probed. The probe is faster than the default (interval 5s, fall 3,
# rise 5), so that the demo moves within seconds: down after 2 failures, up after 2 successes.
apiVersion: fedns.io/v1alpha1
kind: TrafficPolicy
metadata: {{name: {service}, namespace: {namespace}}}
spec:
  targetRef: {{kind: Service, name: {service}}}
  strategy: Nearest # pods have their own cluster, then the nearest; of whom no place is known, all are near
  ttl: {{min: 5, max: 30}}
  onAllUnhealthy: open
  probe: {{kind: http, port: {port}, path: /healthz, interval: 1s, timeout: 500ms, fall: 2, rise: 2}}
"""

INGRESS = """\
# What the gateway routes.
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: {service}
  namespace: {namespace}
  annotations:
    # Who answers so is passed over at once, before its probes say anything.
    nginx.ingress.kubernetes.io/proxy-next-upstream: error timeout http_503
spec:
  ingressClassName: fedns
  rules:
  - host: {host}
    http:
      paths:
      - {{path: /, pathType: Prefix, backend: {{service: {{name: {service}, port: {{name: http}}}}}}}}
"""

CONFIG = """\
# The demo fleet, written by `fedns demo start`.
federation: {federation}
domain: {domain}
nameservers: {{ns1.{domain}: [127.0.0.1]}}
state: ./state
zones: [zones/]
fleet: {{manifests: fleet/}}
members:
{members}dns: {{listen: ["{ports.dns}"], workers: 2, ttl: {{min: 5, max: 30}}}}
admin: {{listen: "{ports.admin}"}}
# The pods of the demo do not exist, so members are entered at their load balancers (`gateway: addresses`).
gateway: {{listen: ["{ports.gateway}"], workers: 2}}
# A shard that flaps is held for a minimum time, doubling with each flap. The default first hold is
# 30s; the demo's is shorter, so that failing and healing twice in a row can be watched.
health: {{hold: 5s, hold_max: 60s, hold_reset: 60s}}
"""

MEMBER_OF = "- {{name: {0}, manifests: members/{0}/, gateway: addresses, clients: [{1}, {2}]}}\n"

ZONE = resources.files("fedns.cli").joinpath("acme.com.zone").read_text(encoding="utf-8")
"""The worked example of `zones/`: an outside zone with names that point into the federation."""


def site(member: str) -> Site:
    """The site of that name. Raises KeyError."""
    return {one.member: one for one in SITES}[member]


def files(ports: Ports) -> dict[str, str]:
    """Every file of the demo, by path relative to its directory."""
    texts = {
        "fedns.yaml": CONFIG.format(
            federation=FEDERATION,
            domain=DOMAIN,
            ports=ports,
            members="".join(MEMBER_OF.format(one.member, *one.clients) for one in SITES),
        ),
        "fleet/policies.yaml": POLICY.format(service=SERVICE, namespace=NAMESPACE, port=ports.backend),
        "fleet/ingresses.yaml": INGRESS.format(service=SERVICE, namespace=NAMESPACE, host=HOST),
        "zones/acme.com.zone": ZONE,
    }
    for index, one in enumerate(SITES):
        texts[f"members/{one.member}/{SERVICE}.yaml"] = manifest(one, index, ports.backend)
    return texts


def manifest(one: Site, index: int, port: int) -> str:
    """What `kubectl get service,endpointslices,nodes -o yaml` would say of one member."""
    text = MEMBER.format(site=one, service=SERVICE, namespace=NAMESPACE, port=port, slice=f"{index:05d}")
    last = range(1, one.endpoints + 1)
    text += "".join(ENDPOINT.format(site=one, address=one.pod(number), last=number) for number in last)
    return text + "".join(NODE.format(site=one, last=number) for number in last)


def write(directory: str, ports: Ports) -> str:
    """Writes the demo below `directory` and returns the configuration's path. State is left alone."""
    for path, text in files(ports).items():
        target = os.path.join(directory, path)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with open(target, "w", encoding="utf-8") as stream:
            stream.write(text)
    return os.path.join(directory, "fedns.yaml")
