"""The Kubernetes objects in `deploy/`, and the rules that every way of rendering them keeps."""

import http.server
import re
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
BASE = DEPLOY / "kustomize" / "base"
READS = {"get", "list", "watch"}

Object = dict[str, Any]


def documents(text: str) -> list[Object]:
    return [document for document in yaml.safe_load_all(text) if document]


def resources(folder: Path) -> Iterator[Object]:
    """What a kustomization names, its folders included."""
    for name in yaml.safe_load((folder / "kustomization.yaml").read_text())["resources"]:
        path = folder / name
        yield from resources(path) if path.is_dir() else documents(path.read_text())


def of(kind: str, found: Iterable[Object]) -> list[Object]:
    return [one for one in found if one["kind"] == kind]


def sound(found: list[Object]) -> None:
    """Fails where a rule is broken."""
    (workload,) = of("StatefulSet", found)
    _pod(workload["spec"]["template"]["spec"], workload["spec"]["selector"])
    labels = workload["spec"]["template"]["metadata"]["labels"].items()
    assert workload["spec"]["selector"]["matchLabels"].items() <= labels
    for service in of("Service", found):
        assert service["spec"]["selector"].items() <= labels
    _open([one for one in of("Service", found) if one["spec"].get("type") == "LoadBalancer"], workload)
    (policy,) = of("NetworkPolicy", found)
    assert policy["spec"]["podSelector"]["matchLabels"].items() <= labels
    assert {(p["port"], p["protocol"]) for rule in policy["spec"]["ingress"] for p in rule["ports"]} == {
        (5353, "UDP"),
        (5353, "TCP"),
    }
    (budget,) = of("PodDisruptionBudget", found)
    assert budget["spec"]["selector"]["matchLabels"].items() <= labels
    _reads(found, workload["spec"]["template"]["spec"]["serviceAccountName"])


def _pod(pod: Object, selector: Object) -> None:
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault"
    assert {one["topologyKey"] for one in pod["topologySpreadConstraints"]} == {
        "topology.kubernetes.io/zone",
        "kubernetes.io/hostname",
    }
    assert all(one["labelSelector"] == selector for one in pod["topologySpreadConstraints"])
    (container,) = pod["containers"]
    rights = container["securityContext"]
    assert rights["readOnlyRootFilesystem"] and not rights["allowPrivilegeEscalation"]
    assert rights["capabilities"] == {"drop": ["ALL"]}
    assert {mount["mountPath"] for mount in container["volumeMounts"]} == {
        "/etc/fedns",
        "/var/lib/fedns",
        "/tmp",
    }
    assert container["resources"]["requests"] and container["resources"]["limits"]["memory"]
    asked = {name: container[f"{name}Probe"]["exec"]["command"][-1] for name in ("liveness", "readiness")}
    assert asked == {"liveness": "/healthz", "readiness": "/readyz"}


def _open(outer: list[Object], workload: Object) -> None:
    (service,) = outer
    (container,) = workload["spec"]["template"]["spec"]["containers"]
    ports = {port["name"]: port for port in container["ports"]}
    found = set()
    for port in service["spec"]["ports"]:
        inner = ports[port["targetPort"]]
        assert inner["protocol"] == port["protocol"] and inner["containerPort"] >= 1024
        found.add((port["port"], port["protocol"]))
    assert found == {(53, "UDP"), (53, "TCP")}
    assert service["spec"]["externalTrafficPolicy"] == "Local"


def _reads(found: list[Object], account: str) -> None:
    (role,), (binding,) = of("ClusterRole", found), of("ClusterRoleBinding", found)
    assert all(set(rule["verbs"]) <= READS for rule in role["rules"])
    assert "secrets" not in {resource for rule in role["rules"] for resource in rule["resources"]}
    assert binding["roleRef"]["name"] == role["metadata"]["name"]
    assert [subject["name"] for subject in binding["subjects"]] == [account]
    assert [one["metadata"]["name"] for one in of("ServiceAccount", found)] == [account]


class Probed(NamedTuple):
    """What a probe asked for, and its exit code."""

    path: str
    code: int


def probed(name: str, status: int) -> Probed:
    """Runs a probe of the base against a server that answers `status`, at a port of its own."""
    asked: list[str] = []

    class Admin(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    (workload,) = of("StatefulSet", resources(BASE))
    (container,) = workload["spec"]["template"]["spec"]["containers"]
    _, option, code, path = container[f"{name}Probe"]["exec"]["command"]
    with http.server.HTTPServer(("127.0.0.1", 0), Admin) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        moved = code.replace("9053", str(server.server_port))
        done = subprocess.run([sys.executable, option, moved, path], timeout=30)
        server.shutdown()
    return Probed(asked[0], done.returncode)


def fits(value: Any, schema: Object, path: str) -> None:
    """Fails where a value does not fit: the part of OpenAPI and JSON schema that ours use."""
    if schema.get("x-kubernetes-int-or-string"):
        assert isinstance(value, int) or re.search(schema["pattern"], value), path
        return
    shapes = {"object": dict, "array": list, "string": str, "integer": int, "boolean": bool}
    assert isinstance(value, shapes.get(schema["type"], (int, float))), path
    assert value in schema.get("enum", [value]), path
    assert re.search(schema.get("pattern", ""), str(value)), path
    for one in value if isinstance(value, list) else ():
        fits(one, schema["items"], f"{path}[]")
    if isinstance(value, dict):
        assert set(schema.get("required", ())) <= set(value), path
        _fields(value, schema, path)


def _fields(value: Object, schema: Object, path: str) -> None:
    for key, one in value.items():
        within = schema.get("properties", {}).get(key) or schema.get("additionalProperties")
        assert within, f"{path}.{key} is not in the schema"
        if within is not True:
            fits(one, within, f"{path}.{key}")
