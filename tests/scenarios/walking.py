"""A page of docs/ that is walked through on real API servers: its files, its commands, in its order.

Law: what the page shows is what runs. Ports, addresses and times are moved aside as told; nothing else
differs, and nothing that it shows is left out.
"""

import json
import math
import os
import re
import shlex
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from tests.bench import herd, serving
from tests.envtest import clusters
from tests.laws import test_docs as docs

Object = dict[str, Any]
LONGEST = 90.0
"""Seconds for a command: those that create something are not to be typed twice."""
LOOK = 0.2
"""Seconds between two looks of a controller."""
DEPLOYMENTS, SERVICES = "/apis/apps/v1/namespaces/{}/deployments", "/api/v1/namespaces/{}/services"
PULL = 0.8
"""Seconds from the address to pods that listen: their image has to come."""
COUNTED = ("replicas", "readyReplicas", "updatedReplicas", "availableReplicas")


class Section(NamedTuple):
    """What stands below a heading: fenced blocks, language and text."""

    title: str
    blocks: tuple[tuple[str, str], ...]


def sections(page: Path) -> Iterator[Section]:
    """Those that have something to be done."""
    for part in re.split(r"^## ", page.read_text(), flags=re.MULTILINE)[1:]:
        title, _, rest = part.partition("\n")
        found = tuple((kind, body) for kind, body in docs.BLOCK.findall(rest))
        if found:
            yield Section(title.strip(), found)


class Walk:
    """`moved`: what stands for what the page says; `environment`: of its commands."""

    def __init__(self, root: Path, moved: Mapping[str, str], environment: dict[str, str]) -> None:
        self.root, self.environment = root, environment
        self.serve: Callable[[Sequence[str]], None] = print
        """What `sh` blocks are for."""
        self._moved = moved
        self._told = re.compile("|".join(map(re.escape, moved)))

    def here(self, text: str) -> str:
        return self._told.sub(lambda found: self._moved[found[0]], text)

    def take(self, section: Section) -> None:
        """Writes and types all that a section shows."""
        for kind, body in section.blocks:
            text = self.here(body)
            if kind == "yaml":
                self._write(text)
            elif kind == "sh":
                self.serve(shlex.split(text))
            else:
                assert kind == "shell", f"nobody runs this: {kind}\n{text}"
                for step in docs.typed(text):
                    docs.perform(step, self.root, self.environment, LONGEST)

    def _write(self, text: str) -> None:
        named = docs.FILE.match(text)
        assert named, f"nobody knows which file this is:\n{text}"
        path = self.root / named[1]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def kubeconfig(path: Path, contexts: Mapping[str, clusters.Cluster]) -> None:
    """A file with a context for each."""
    whole: dict[str, Any] = {"apiVersion": "v1", "kind": "Config", "current-context": next(iter(contexts))}
    for name, cluster in contexts.items():
        one = yaml.safe_load(cluster.kubeconfig(path.with_name("one")).read_text())
        for row, key in (("clusters", "cluster"), ("users", "user")):
            whole.setdefault(row, []).append({"name": name, key: one[row][0][key]})
        whole.setdefault("contexts", []).append({"name": name, "context": {"cluster": name, "user": name}})
    path.write_text(json.dumps(whole))


def environment(root: Path, kubectl: Path) -> dict[str, str]:
    """`fedns` is this checkout's, and home is below `root`, with a checkout's `deploy`."""
    found = docs.shell(root)
    os.symlink(kubectl, root / "bin" / "kubectl")
    os.symlink(serving.ROOT / "deploy", root / "deploy")
    return {**found, "HOME": str(root)}


class Site(NamedTuple):
    """Where a cluster's pods and its load balancer are."""

    cluster: clusters.Cluster
    pods: tuple[str, ...]
    balancer: str


class Controllers(threading.Thread):
    """What a cluster's own controllers, its kubelets and its cloud do, for Deployments and Services of a
    namespace: pods are real listeners, and die at once with their Deployment."""

    def __init__(self, name: str, site: Site, space: str, port: int) -> None:
        super().__init__(daemon=True)
        self.name, self.site, self.space, self.port = name, site, space, port
        self.herd: herd.Herd | None = None
        self.started = 0
        """How often pods were started, or would have been started anew."""
        self._template: Any = None
        self._published = math.inf
        self._sliced: dict[str, tuple[str, ...]] = {}
        self._over = threading.Event()

    def run(self) -> None:
        while not self._over.wait(LOOK):
            self._pods()
            for one in self._all(SERVICES):
                self._serve(one["metadata"]["name"], one["status"])

    def end(self) -> None:
        self._over.set()
        self.join()
        if self.herd is not None:
            self.herd.kill()

    def _all(self, where: str) -> list[Object]:
        found: list[Object] = self.site.cluster.call("GET", where.format(self.space))["items"]
        return found

    def _pods(self) -> None:
        """Of the one Deployment, if it is there."""
        found = self._all(DEPLOYMENTS)
        if not found and self.herd is not None:
            self.herd.kill()
            self.herd = self._template = None
        for one in found:
            template, meta = one["spec"]["template"], one["metadata"]
            if template != self._template:
                self._template, self.started = template, self.started + 1
            if self.herd is None:
                if time.monotonic() < self._published + PULL:
                    return
                self.herd = herd.Herd(self.name, self.port, (self.site.balancer,))
            told = dict.fromkeys(COUNTED, len(self.site.pods)) | {"observedGeneration": meta["generation"]}
            self._say(f"{DEPLOYMENTS}/{meta['name']}", one["status"], told)

    def _serve(self, name: str, status: Object) -> None:
        """The address first, the slice a look later: a cluster may be that quick with addresses."""
        told = {"loadBalancer": {"ingress": [{"ip": self.site.balancer, "ipMode": "VIP"}]}}
        if self._say(f"{SERVICES}/{name}", status, told):
            self._published = time.monotonic()
            return
        serving = self.site.pods if self.herd is not None else ()
        if self._sliced.get(name) != serving:
            self.site.cluster.put(self._slice(name, serving))
            self._sliced[name] = serving

    def _slice(self, name: str, pods: Iterable[str]) -> Object:
        labels = {"kubernetes.io/service-name": name}
        return {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {"name": f"{name}-1", "namespace": self.space, "labels": labels},
            "addressType": "IPv4",
            "ports": [{"name": "http", "port": self.port}],
            "endpoints": [{"addresses": [each], "conditions": {"ready": True}} for each in pods],
        }

    def _say(self, where: str, before: Object, status: Object) -> bool:
        differs = any(before.get(key) != value for key, value in status.items())
        if differs:
            body = {"status": status}
            self.site.cluster.call("PATCH", f"{where.format(self.space)}/status", body, "merge-patch+json")
        return differs


@contextmanager
def controlled(sites: Mapping[str, Site], space: str, port: int) -> Iterator[dict[str, Controllers]]:
    made = {name: Controllers(name, site, space, port) for name, site in sites.items()}
    for each in made.values():
        each.start()
    try:
        yield made
    finally:
        for each in made.values():
            each.end()
