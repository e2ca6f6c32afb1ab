"""Mutated manifests, policies, zone files and configurations: problems, never crashes, hangs or growth.

Law: bounded by its argument (`python tests/fuzz/fuzz_documents.py 50000`), repeatable by its seed
(second argument). An exception other than those a reader is allowed ends the run with the document.
"""

import random
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from fedns import config
from fedns.model.policy import ProbeSpec, TrafficPolicy
from fedns.model.propagation import Override, Propagation
from fedns.placement import item, matching, plan
from fedns.sources import cluster, documents, objects, policies, templates, zonefiles

NOTHING = documents.Content()

SERVICE = b"""apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: Service
  metadata: {name: web, namespace: shop, annotations: {fedns.io/publish: "true"}}
  spec: {type: LoadBalancer, externalIPs: [192.0.2.1], ports: [{name: http, port: 80, protocol: TCP}]}
  status: {loadBalancer: {ingress: [{ip: 192.0.2.7}, {hostname: lb.example.net}]}}
- apiVersion: discovery.k8s.io/v1
  kind: EndpointSlice
  metadata: {name: web-1, namespace: shop, labels: {kubernetes.io/service-name: web}}
  endpoints: [{addresses: [10.0.0.1], conditions: {ready: true, serving: null}, zone: z}]
---
apiVersion: fedns.io/v1alpha1
kind: TrafficPolicy
metadata: {name: web, namespace: shop}
spec: {targetRef: {name: web}, weights: &w {a: 1}, ttl: {min: 5s, max: 1m}, probe: {expectStatus: [200-399]}}
"""
POLICIES = b"""apiVersion: policy.karmada.io/v1alpha1
kind: PropagationPolicy
metadata: {name: web, namespace: shop}
spec:
  resourceSelectors: [{apiVersion: v1, kind: Service, labelSelector: {matchLabels: {app: web}}}]
  conflictResolution: Overwrite
  placement:
    clusterAffinities:
    - {affinityName: first, fieldSelector: {matchExpressions: [{key: zone, operator: In, values: [z]}]}}
    spreadConstraints: [{spreadByField: region, minGroups: 1, maxGroups: 2}, {spreadByField: cluster}]
    clusterTolerations: [{key: k, operator: Exists, effect: NoSchedule}]
    replicaScheduling: {weightPreference: {staticWeightList: [{targetCluster: {clusterIds: [a]}, weight: 2}]}}
---
apiVersion: one.alibabacloud.com/v1alpha1
kind: ClusterOverridePolicy
metadata: {name: web}
spec:
  overrideRules:
  - targetCluster: {clusterNames: [a]}
    overriders:
      imageOverrider: [{component: Registry, operator: add, value: r.example, predicate: {path: /spec/image}}]
      argsOverrider: [{containerName: c, operator: add, value: [-v]}]
      labelsOverrider: [{operator: replace, value: {a: b}}]
      fieldOverrider: [{fieldPath: /data/x, yaml: [{subPath: /a/0, operator: replace, value: {b: [1]}}]}]
      plaintext: [{path: /spec/replicas, operator: replace, value: 1}]
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop, labels: {app: web}}
spec: {type: LoadBalancer, ports: [{port: 80}]}
"""
JSON = (
    b'{"kind":"List","items":[{"apiVersion":"v1","kind":"Service","metadata":{"name":"web"},"spec":{"type":'
    b'"LoadBalancer","ports":[{"port":80}]},"status":{"loadBalancer":{"ingress":[{"ip":"192.0.2.1"}]}}},'
    b'{"apiVersion":"v1","kind":"Node","metadata":{"name":"n","labels":{"topology.kubernetes.io/zone":"z"}}}]}'
)
ZONE = b"""$TTL 1h
@ IN SOA ns1 root ( 1 2h 3 4w 5 )
  NS ns1
ns1 A 127.0.0.1
$GENERATE 1-9/2 h${0,3,d} 60 A 10.0.0.$
*.w 5 CNAME x\\.y\\032z.acme.com.
t TXT "a;b" c
s SRV 0 100 80 ns1
$ORIGIN sub
u TYPE65280 \\# 3 01ff02
$INCLUDE more.inc deep
"""
CONFIG = b"""federation: f
domain: example.com
nameservers: {ns1.example.com: [127.0.0.1]}
members:
- {name: a, region: r, zones: [z], manifests: m, clients: [10.0.0.0/8]}
health: {interval: 5s, on_all_unhealthy: open}
dns: {listen: ["127.0.0.1:5300"], ttl: {min: 5, max: 30}}
"""
PIECES = [
    b"\x00",
    b"\xff\xfe",
    b"[",
    b"{",
    b"- ",
    b"&a [*a]",
    b"*w",
    b"<<: *w",
    b'"',
    b"'",
    b": ",
    b"\n",
    b"\t",
    b"---\n",
    b"!!python/object:os.system",
    b"!!binary x",
    b"1e999",
    b"-1",
    b"18446744073709551616",
    b"null",
    b"2024-99-99",
    b"$INCLUDE /etc/passwd\n",
    b"$GENERATE 0-99999 a$ A 1.2.3.4\n",
    b"\\",
    b"(",
    b";",
    b"\\300",
    b"\xc3\xa4",
    b"{" * 600,
    b"[" * 9000,
    b"x" * 300,
    b"${0,9999,n}",
    b"\\# 70000 00",
]


def mutate(text: bytes, dice: random.Random) -> bytes:
    """A few cuts, copies, flips and insertions."""
    for _ in range(dice.randint(1, 4)):
        start = dice.randrange(len(text) + 1)
        end = min(len(text), start + dice.choice((0, 1, 1, 4, 40)))
        middle = dice.choice((b"", dice.choice(PIECES), text[start:end] * 2, bytes((dice.randrange(256),))))
        text = text[:start] + middle + text[end:]
    return text


def manifest(path: Path, data: bytes) -> int:
    kinds = dict(objects.KINDS) | dict(policies.kinds(TrafficPolicy(), ProbeSpec()))
    try:
        content = documents.read(str(path), data, kinds, documents.Content())
    except documents.Broken:
        return 1
    found = [(one.key, one.value) for one in content.entries.values() if one.value is not None]
    cluster.Cluster(cluster.Member("m")).update(one for one in found if one[0][0] != "TrafficPolicy")
    return bool(content.problems)


def planned(path: Path, data: bytes) -> int:
    """What is left of policies is planned with, for a member that has something of it already."""
    kinds = templates.Everything()
    try:
        content = documents.read(str(path), data, kinds, documents.read(str(path), POLICIES, kinds, NOTHING))
    except documents.Broken:
        return 1
    found = [one.value for one in content.entries.values() if one.value is not None]
    items = [one.item for one in found if isinstance(one, templates.Template)]
    member = matching.Member("a", region="r", zones=("z",))
    clusters = [plan.Cluster(member, {item.ref(each): each for each in items[:1]})]
    policies = [one for one in found if isinstance(one, Propagation)]
    overriding = [one for one in found if isinstance(one, Override)]
    made = plan.made(plan.World(items, policies, overriding, clusters))
    return bool(content.problems or made.errors)


def zone(path: Path, data: bytes) -> int:
    path.write_bytes(data)
    return bool(zonefiles.read(str(path), str(path.parent)).problems)


def configuration(path: Path, data: bytes) -> int:
    path.write_bytes(data)
    return bool(config.load(str(path)).problems)


TARGETS: tuple[tuple[str, bytes, Callable[[Path, bytes], int]], ...] = (
    ("a.yaml", SERVICE, manifest),
    ("a.json", JSON, manifest),
    ("policies.yaml", POLICIES, planned),
    ("acme.com.zone", ZONE, zone),
    ("fedns.yaml", CONFIG, configuration),
)


def main(count: int, seed: int) -> None:
    dice, began = random.Random(seed), time.monotonic()
    slowest, problems, grown = 0.0, 0, 0
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "more.inc").write_text("a A 1.2.3.4\n")
        for number in range(count):
            if number == count // 4:
                grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            name, text, target = TARGETS[number % len(TARGETS)]
            data = mutate(text, dice)
            start = time.monotonic()
            try:
                problems += target(Path(folder) / name, data)
            except Exception:
                sys.stderr.write(f"{name} (document {number}, seed {seed}): {data!r}\n")
                raise
            slowest = max(slowest, time.monotonic() - start)
    taken = time.monotonic() - began
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - grown
    print(
        f"{count} documents in {taken:.1f} s ({count / taken:.0f}/s), {problems} with problems, "
        f"slowest {slowest * 1000:.0f} ms, grown {grown} KiB after the first quarter, no crash"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2000, int(sys.argv[2]) if len(sys.argv) > 2 else 1)
