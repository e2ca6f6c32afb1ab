"""Real API servers on loopback, each a cluster of its own in one etcd: `with clusters.running(...) as farm`.

Law: what a test does here a user, kubelet or cloud controller could do. No controllers run: tests write
EndpointSlices, Nodes and statuses themselves. Data is in memory; nothing outlives the process that began it.
"""

import base64
import contextlib
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from tests.envtest import authority, binaries

START = 60.0
"""Seconds until one must be ready: 8 on an idle machine, more where several start on two busy cores."""
LONG = 20.0
HOST = "127.0.0.{}"
"""Not 127.0.0.1: no client's ephemeral port may take the port of a server that is down."""
FIRST = 60
MANAGER = "envtest"
NAMESPACE = "mynamespace"
SYSTEM = {"default", "kube-system", "kube-public", "kube-node-lease"}
AUDIT = (
    "apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\nrules: [{level: Metadata}]\n"
)
KUBECONFIG = """apiVersion: v1
kind: Config
current-context: main
clusters: [{{name: c, cluster: {{server: "{server}", certificate-authority-data: {ca}}}}}]
users: [{{name: u, user: {user}}}]
contexts: [{{name: main, context: {{cluster: c, user: u}}}}]
"""
CLUSTERWIDE = {
    "ValidatingWebhookConfiguration",
    "MutatingWebhookConfiguration",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
    "Namespace",
    "Node",
    "ClusterRole",
    "ClusterRoleBinding",
    "CustomResourceDefinition",
}
OURS = {"MemberCluster", "ClusterPropagationPolicy", "ClusterOverridePolicy"}
"""Cluster-wide kinds that are no part of Kubernetes."""

INSIDE = (
    "/api/v1/namespaces/{}/services",
    "/api/v1/namespaces/{}/serviceaccounts",
    "/api/v1/namespaces/{}/secrets",
    "/api/v1/namespaces/{}/configmaps",
    "/apis/apps/v1/namespaces/{}/deployments",
    "/apis/batch/v1/namespaces/{}/jobs?propagationPolicy=Background",
    "/apis/batch/v1/namespaces/{}/cronjobs",
    "/apis/networking.k8s.io/v1/namespaces/{}/ingresses",
    "/apis/autoscaling/v2/namespaces/{}/horizontalpodautoscalers",
    "/apis/discovery.k8s.io/v1/namespaces/{}/endpointslices",
    "/apis/coordination.k8s.io/v1/namespaces/{}/leases",
    "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/roles",
    "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/rolebindings",
)
WIDE = (
    "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations",
    "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations",
    "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies",
    "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings",
    "/api/v1/nodes",
    "/apis/rbac.authorization.k8s.io/v1/clusterroles?labelSelector=!kubernetes.io/bootstrapping",
    "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings?labelSelector=!kubernetes.io/bootstrapping",
)
"""Collections in which tests put something; definitions of resources go with their objects. Jobs would wait
for a controller that lets go of their pods."""

Object = dict[str, Any]


class Refused(Exception):
    """What the API server said instead."""

    def __init__(self, status: int, told: str) -> None:
        super().__init__(f"{status}: {told}")
        self.status, self.told = status, told


class Process:
    """A server that can be stopped and started again, its log beside its data."""

    def __init__(self, command: Sequence[str], log: Path) -> None:
        guard = shutil.which("setpriv")  # so that it ends with us, however we end
        self._command = [*([guard, "--pdeathsig", "KILL"] if guard else []), *command]
        self._log = log
        self.child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as log:
            self.child = subprocess.Popen(self._command, stdout=log, stderr=log, cwd=self._log.parent)

    def stop(self, how: signal.Signals = signal.SIGKILL) -> None:
        if self.child is not None and self.child.poll() is None:
            self.child.send_signal(how)
            self.child.wait(LONG)

    @property
    def up(self) -> bool:
        return self.child is not None and self.child.poll() is None

    def until(self, holds: Callable[[], bool]) -> None:
        deadline = time.monotonic() + START
        while not holds():
            assert self.up and time.monotonic() < deadline, self._log.read_text()[-3000:]
            time.sleep(0.05)


class Etcd(Process):
    """The store of all clusters."""

    def __init__(self, program: Path, folder: Path) -> None:
        host = HOST.format(FIRST)
        self.url, peer = f"http://{host}:{_free(host)}", f"http://{host}:{_free(host)}"
        self._data = folder / "data"
        told = {
            "data-dir": str(self._data),
            "listen-client-urls": self.url,
            "advertise-client-urls": self.url,
            "listen-peer-urls": peer,
            "initial-advertise-peer-urls": peer,
            "initial-cluster": f"default={peer}",
            "unsafe-no-fsync": "true",
            "log-level": "warn",
        }
        super().__init__(_line(program, told), folder / "etcd.log")

    def compact(self) -> None:
        """Forgets all that was before now."""
        revision = self._call("maintenance/status", {})["header"]["revision"]
        self._call("kv/compaction", {"revision": revision, "physical": True})

    def save(self, name: str) -> None:
        """Copies all data; etcd is down."""
        shutil.copytree(self._data, self._data.with_name(name))

    def restore(self, name: str) -> None:
        """Puts a copy in the place of all data, as of a backup; etcd is down."""
        shutil.rmtree(self._data)
        self._data.with_name(name).rename(self._data)

    def ready(self) -> bool:
        try:
            return bool(self._call("maintenance/status", {}))
        except OSError:
            return False

    def _call(self, what: str, value: Object) -> Any:
        request = urllib.request.Request(f"{self.url}/v3/{what}", data=json.dumps(value).encode())
        with urllib.request.urlopen(request, timeout=LONG) as reply:
            return json.load(reply)


class Cluster(Process):
    """One API server, and the hand of its administrator."""

    def __init__(self, name: str, host: str, folder: Path, keys: authority.Authority) -> None:
        self.name, self._folder, self._keys = name, folder, keys
        self.url = f"https://{host}:{_free(host)}"
        self.audit = folder / "audit.log"
        self._old = 0
        """Octets of it that tell of tests before."""
        self._admin = keys.client(f"{name}-admin", "system:masters")
        self._tls = ssl.create_default_context(cafile=str(keys.ca))
        self._tls.load_cert_chain(*self._admin)

    def prepare(self, program: Path, etcd: str) -> None:
        """Says how it is started."""
        host, port = self.url.removeprefix("https://").split(":")
        serving, signing = self._keys.server(host), self._keys.client(f"{self.name}-signing")
        (self._folder / "audit.yaml").write_text(AUDIT)
        told = {
            "etcd-servers": etcd,
            "etcd-prefix": f"/{self.name}",
            "etcd-compaction-interval": "0",  # tests say when
            "bind-address": host,
            "secure-port": port,
            "endpoint-reconciler-type": "none",
            "tls-cert-file": serving.certificate,
            "tls-private-key-file": serving.key,
            "client-ca-file": self._keys.ca,
            "service-account-issuer": "https://kubernetes.default.svc",
            "service-account-key-file": signing.certificate,
            "service-account-signing-key-file": signing.key,
            "authorization-mode": "RBAC",
            "service-cluster-ip-range": "10.96.0.0/16",
            "audit-policy-file": self._folder / "audit.yaml",
            "audit-log-path": self.audit,
            "audit-log-maxsize": "10000",  # or it begins anew in the middle of a test
        }
        super().__init__(_line(program, told), self._folder / "apiserver.log")

    @property
    def ca(self) -> str:
        """The file of the CA that signed its certificate."""
        return str(self._keys.ca)

    @property
    def tls(self) -> ssl.SSLContext:
        """As its administrator."""
        return self._tls

    def ready(self) -> bool:
        try:
            return bool(self.text("/readyz") == "ok")
        except (OSError, Refused):
            return False

    def again(self) -> None:
        """Starts it, where it is down, and waits until it is ready."""
        if not self.up:
            self.start()
        self.until(self.ready)

    def kubeconfig(self, path: Path, token: str = "", **user: Any) -> Path:
        """Writes a kubeconfig: the administrator's, one with a token, or with another `user`."""
        admin = {"client-certificate": str(self._admin.certificate), "client-key": str(self._admin.key)}
        told = json.dumps(user or ({"token": token} if token else admin))
        ca = base64.b64encode(self._keys.ca.read_bytes()).decode()
        fresh = path.with_suffix(".new")
        fresh.write_text(KUBECONFIG.format(server=self.url, user=told, ca=ca))
        os.replace(fresh, path)
        return path

    def put(self, *objects: Object) -> None:
        """Applies objects, and their statuses as the controllers would."""
        for one in objects:
            whole = {key: value for key, value in one.items() if key != "status"}
            self.call("PATCH", f"{path(one)}?fieldManager={MANAGER}&force=true", whole, "apply-patch+yaml")
            if "status" in one:
                told = {"status": one["status"]}
                self.call("PATCH", f"{path(one)}/status", told, "merge-patch+json")

    def define(self, *definitions: Object) -> None:
        """Creates kinds of objects, and waits until they are served."""
        self.put(*definitions)
        for one in definitions:
            spec = one["spec"]
            where = f"/apis/{spec['group']}/{spec['versions'][0]['name']}/{spec['names']['plural']}"
            self.until(lambda where=where: self._serves(where))

    def _serves(self, where: str) -> bool:
        try:
            return bool(self.text(where))
        except Refused:
            return False

    def get(self, one: Object) -> Object:
        return self.call("GET", path(one))

    def delete(self, *objects: Object) -> None:
        for one in objects:
            self.call("DELETE", path(one))

    def token(self, account: str, namespace: str = NAMESPACE, seconds: int = 3600) -> str:
        """A fresh token of a ServiceAccount, as kubelet would ask for it."""
        request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest"}
        where = f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token"
        told = self.call("POST", where, {**request, "spec": {"expirationSeconds": seconds}})
        return str(told["status"]["token"])

    def call(self, method: str, where: str, body: Object | None = None, kind: str = "json") -> Object:
        data = None if body is None else json.dumps(body).encode()
        found: Object = json.loads(self.text(where, method, data, kind))
        return found

    def text(self, where: str, method: str = "GET", data: bytes | None = None, kind: str = "json") -> str:
        request = urllib.request.Request(f"{self.url}{where}", data, method=method)
        request.add_header("Content-Type", f"application/{kind}")
        try:
            with urllib.request.urlopen(request, timeout=LONG, context=self._tls) as reply:
                return str(reply.read().decode())
        except urllib.error.HTTPError as error:
            with error:
                raise Refused(error.code, error.read().decode()) from None

    def requests(self, who: str) -> list[str]:
        """`VERB URI CODE` of all that a user asked (part of the name), as the audit log tells."""
        return [
            f"{one['verb']} {one['requestURI']} {one.get('responseStatus', {}).get('code', '')}"
            for one in self._audited(who)
        ]

    def used(self, who: str) -> set[tuple[str, str, str]]:
        """The rights that a user made use of: (group, resource, verb)."""
        found = set()
        for one in self._audited(who):
            told = one.get("objectRef", {})
            part = f"/{told['subresource']}" if "subresource" in told else ""
            if "resource" in told:
                found.add((told.get("apiGroup", ""), told["resource"] + part, one["verb"]))
        return found

    def _audited(self, who: str) -> list[Object]:
        told = audited(self.audit, self._old)
        return [one for one in told if who in one["user"].get("username", "")]

    def clear(self) -> None:
        """Removes what tests put here, and forgets who asked what; the cluster itself stays the same."""
        for resource in WIDE:
            self.call("DELETE", resource)
        for space in self.call("GET", "/api/v1/namespaces")["items"]:
            if space["metadata"]["name"] not in SYSTEM:
                self._vacate(space)
        definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
        for one in self.call("GET", definitions)["items"]:  # all at once would leave their objects behind
            self.call("DELETE", f"{definitions}/{one['metadata']['name']}")
        self.until(lambda: not self.call("GET", definitions)["items"])
        self._old = self.audit.stat().st_size

    def _vacate(self, space: Object) -> None:
        """Empties a namespace, and ends it, as its controller would; the usual one stays."""
        name = space["metadata"]["name"]
        for resource in INSIDE:
            self.call("DELETE", resource.format(name))
        if name != NAMESPACE:
            where = f"/api/v1/namespaces/{name}"
            self.call("DELETE", where)
            self.call("PUT", f"{where}/finalize", {**self.call("GET", where), "spec": {"finalizers": []}})


class Farm(NamedTuple):
    """All of it. `fleet` is meant for fleet-wide objects, the others for members."""

    etcd: Etcd
    one: Cluster
    two: Cluster
    fleet: Cluster
    kubectl: Path

    @property
    def clusters(self) -> tuple[Cluster, ...]:
        return (self.one, self.two, self.fleet)

    @contextmanager
    def down(self) -> Iterator[Etcd]:
        """Everything is down for the time of the block."""
        for each in (*self.clusters, self.etcd):
            each.stop()
        yield self.etcd
        self.etcd.start()
        self.etcd.until(self.etcd.ready)
        for cluster in self.clusters:
            cluster.start()
        for cluster in self.clusters:
            cluster.again()


@contextmanager
def running(programs: binaries.Binaries) -> Iterator[Farm]:
    """One etcd and three API servers, ready."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with contextlib.ExitStack() as stack:
        root = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fedns-", dir=memory)))
        etcd = Etcd(programs.etcd, _made(root / "etcd"))
        etcd.start()
        stack.callback(etcd.stop)
        etcd.until(etcd.ready)
        found = []
        for at, name in enumerate(("one", "two", "fleet"), FIRST + 1):
            folder = _made(root / name)
            cluster = Cluster(name, HOST.format(at), folder, authority.Authority(folder))
            cluster.prepare(programs.apiserver, etcd.url)
            cluster.start()
            stack.callback(cluster.stop)
            found.append(cluster)
        for cluster in found:
            cluster.again()
            cluster.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
        yield Farm(etcd, *found, kubectl=programs.kubectl)


def path(one: Object) -> str:
    """Where an object is."""
    group, kind, meta = one["apiVersion"], one["kind"], one["metadata"]
    begin = f"/apis/{group}" if "/" in group else f"/api/{group}"
    if kind not in CLUSTERWIDE | OURS:
        begin += f"/namespaces/{meta.get('namespace', NAMESPACE)}"
    plural = f"{kind.lower()}{'es' if kind.endswith('s') else 's'}"
    if kind.endswith("Policy"):
        plural = f"{kind[:-1].lower()}ies"
    return f"{begin}/{plural}/{meta['name']}"


def audited(log: Path, since: int) -> list[Object]:
    """What an audit log tells after so many octets; a line that is being written, then or now, is no part."""
    with log.open("rb") as file:
        if since:
            file.seek(since - 1)
            file.readline()
        return [json.loads(line) for line in file if line.endswith(b"\n")]


def _line(program: Path, told: dict[str, Any]) -> list[str]:
    return [str(program), *(f"--{name}={value}" for name, value in told.items())]


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _free(host: str) -> int:
    with socket.socket() as found:
        found.bind((host, 0))
        return int(found.getsockname()[1])
