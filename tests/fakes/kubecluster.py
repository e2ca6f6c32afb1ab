"""A running fake API server, and a hand on it: `with kubecluster.running() as cluster: cluster.put(...)`."""

import base64
import json
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

ROOT = Path(__file__).resolve().parents[2]
LONG = 20.0
KUBECONFIG = """apiVersion: v1
kind: Config
current-context: main
clusters: [{{name: c, cluster: {{server: "{server}"}}}}]
users: [{{name: u, user: {user}}}]
contexts: [{{name: main, context: {{cluster: c, user: u}}}}]
"""
_ANYBODY = ssl.create_default_context()
_ANYBODY.check_hostname = False
_ANYBODY.verify_mode = ssl.CERT_NONE


class Served(Protocol):
    """A cluster, fake or real."""

    url: str


class Cluster:
    """`url` as a client uses it."""

    def __init__(self, process: "subprocess.Popen[str]", url: str) -> None:
        self.process, self.url = process, url

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def put(self, *objects: dict[str, Any]) -> None:
        self._call("put", objects)

    def delete(self, *objects: dict[str, Any]) -> None:
        self._call("delete", objects)

    def faults(self, **switches: Any) -> None:
        self._call("faults", switches)

    def compact(self) -> None:
        self._call("compact", None)

    def hangup(self) -> None:
        self._call("hangup", None)

    def version(self, version: int) -> None:
        self._call("version", version)

    def request(
        self, method: str, path: str, body: Any = None, kind: str = "application/json", token: str = ""
    ) -> tuple[int, Any]:
        """(status, reply) of the API itself, as any client gets it."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": kind, **({"Authorization": f"Bearer {token}"} if token else {})}
        asked = urllib.request.Request(f"{self.url}{path}", data=data, headers=headers, method=method)
        try:
            with urllib.request.urlopen(asked, timeout=LONG) as reply:
                return reply.status, parsed(path, reply.read())
        except urllib.error.HTTPError as error:
            return error.code, refused(error.code, error.read())

    def log(self) -> list[str]:
        with urllib.request.urlopen(f"{self.url}/fake/log", timeout=LONG, context=_ANYBODY) as reply:
            found: list[str] = json.load(reply)
        return found

    def kubeconfig(self, path: Path, user: dict[str, Any] | None = None) -> Path:
        """Writes a kubeconfig of this cluster."""
        path.write_text(KUBECONFIG.format(server=self.url, user=json.dumps(user or {})))
        return path

    def stop(self) -> None:
        self.process.kill()
        self.process.wait(LONG)

    def _call(self, what: str, value: Any) -> None:
        data = json.dumps(value).encode()
        request = urllib.request.Request(f"{self.url}/fake/{what}", data=data)
        with urllib.request.urlopen(request, timeout=LONG, context=_ANYBODY) as reply:
            reply.read()


def parsed(path: str, body: bytes) -> Any:
    """A reply; of a watch, its events."""
    return [json.loads(line) for line in body.splitlines()] if "watch=1" in path else json.loads(body)


def refused(code: int, body: bytes) -> Any:
    """An error as the API tells it, or, of a group that it does not know, as its multiplexer does."""
    return json.loads(body) if body.startswith(b"{") else {"code": code, "reason": body.decode().strip()}


@contextmanager
def running(port: int = 0, options: Sequence[str] = ()) -> Iterator[Cluster]:
    """A fake API server in a process of its own."""
    command = [sys.executable, "-m", "tests.fakes.kubeapi", "--port", str(port), *options]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert url, "the fake API server did not start"
        yield Cluster(process, url)
    finally:
        process.kill()
        process.wait(LONG)
        if process.stdout is not None:
            process.stdout.close()


def uid(cluster: Served) -> str:
    """That of a fake cluster."""
    with urllib.request.urlopen(f"{cluster.url}/api/v1/namespaces/kube-system", timeout=LONG) as reply:
        return str(json.load(reply)["metadata"]["uid"])


def namespace(name: str, **labels: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def service(name: str, *addresses: str, **labels: str) -> dict[str, Any]:
    """A Service of type LoadBalancer that has these addresses."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "mynamespace", "labels": labels},
        "spec": {"type": "LoadBalancer", "ports": [{"name": "http", "port": 80, "protocol": "TCP"}]},
        "status": {"loadBalancer": {"ingress": [{"ip": address} for address in addresses]}},
    }


def endpoints(name: str, zone: str, ready: bool = True) -> dict[str, Any]:
    """An EndpointSlice with one endpoint."""
    labels = {"kubernetes.io/service-name": name}
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": f"{name}-1", "namespace": "mynamespace", "labels": labels},
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["10.0.0.1"], "zone": zone, "conditions": {"ready": ready}}],
    }


def node(name: str, region: str, zone: str) -> dict[str, Any]:
    labels = {"topology.kubernetes.io/region": region, "topology.kubernetes.io/zone": zone}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels},
        "status": {"conditions": [{"type": "Ready", "status": "True"}]},
    }


def registered(name: str, cluster: Served, ca: Path | None = None, **spec: Any) -> dict[str, Any]:
    """A MemberCluster whose credentials are in a Secret of its name."""
    bundle = {"caBundle": base64.b64encode(ca.read_bytes()).decode()} if ca else {}
    return {
        "apiVersion": "fedns.io/v1alpha1",
        "kind": "MemberCluster",
        "metadata": {"name": name},
        "spec": {"server": cluster.url, **bundle, "secretRef": {"name": name}, **spec},
    }


def credentials(name: str, token: str, namespace: str = "fedns") -> dict[str, Any]:
    """The Secret of a MemberCluster."""
    labels = {"fedns.io/credentials": "member"}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "data": {"token": base64.b64encode(token.encode()).decode()},
    }
