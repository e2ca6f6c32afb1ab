"""The Kubernetes objects in `deploy/`, and the rules that every way of rendering them keeps."""

import http.server
import itertools
import re
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from fedns import config
from fedns.cli import rbac
from fedns.distribute import rights
from fedns.gateway import compile

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
BASE = DEPLOY / "kustomize" / "base"

Object = dict[str, Any]
NAME = re.compile(r"[a-z0-9]([-.a-z0-9]{0,250}[a-z0-9])?")


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
    assert all(NAME.fullmatch(one["metadata"]["name"]) for one in found)
    (workload,) = of("StatefulSet", found)
    _pod(workload["spec"]["template"]["spec"], workload["spec"]["selector"])
    labels = workload["spec"]["template"]["metadata"]["labels"].items()
    assert workload["spec"]["selector"]["matchLabels"].items() <= labels
    for service in of("Service", found):
        assert service["spec"]["selector"].items() <= labels
    _open([one for one in of("Service", found) if one["spec"].get("clusterIP") != "None"], workload)
    (policy,) = of("NetworkPolicy", found)
    assert policy["spec"]["podSelector"]["matchLabels"].items() <= labels
    open_ = {(p["port"], p["protocol"]) for rule in policy["spec"]["ingress"] for p in rule["ports"]}
    (container,) = workload["spec"]["template"]["spec"]["containers"]
    assert open_ == {(port["containerPort"], port["protocol"]) for port in container["ports"]}
    for each in of("IngressClass", found):
        assert each["spec"] == {"controller": compile.CONTROLLER}
        assert each["metadata"]["name"] in compile.Settings().classes
    (budget,) = of("PodDisruptionBudget", found)
    assert budget["spec"]["selector"]["matchLabels"].items() <= labels


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
    named = {one["name"]: one["valueFrom"]["fieldRef"]["fieldPath"] for one in container["env"]}
    assert named == {"POD_NAME": "metadata.name"}
    asked = {name: container[f"{name}Probe"]["exec"]["command"][-1] for name in ("liveness", "readiness")}
    assert asked == {"liveness": "/healthz", "readiness": "/readyz"}


def _open(outer: list[Object], workload: Object) -> None:
    (container,) = workload["spec"]["template"]["spec"]["containers"]
    ports = {port["name"]: port for port in container["ports"]}
    found: dict[str, set[tuple[int, str]]] = {}
    for service in outer:
        for port in service["spec"]["ports"]:
            inner = ports[port["targetPort"]]
            assert inner["protocol"] == port["protocol"] and inner["containerPort"] >= 1024
            row = found.setdefault(service["metadata"]["name"].rpartition("-")[2], set())
            row.add((port["port"], port["protocol"]))
        outside = service["spec"]["type"] == "LoadBalancer"
        assert service["spec"].get("externalTrafficPolicy") == ("Local" if outside else None)
    web = found.pop("gateway", {(80, "TCP")})
    assert list(found.values()) == [{(53, "UDP"), (53, "TCP")}]
    assert {(80, "TCP")} <= web <= {(80, "TCP"), (443, "TCP")}


def granted(found: list[Object], account: str) -> frozenset[rights.Grant]:
    """What an account may do, one by one."""
    roles = {(one["kind"], one["metadata"]["name"]): one["rules"] for one in found if "rules" in one}
    given: set[rights.Grant] = set()
    for binding in (*of("ClusterRoleBinding", found), *of("RoleBinding", found)):
        assert [subject["name"] for subject in binding["subjects"]] == [account]
        rules = roles[(binding["roleRef"]["kind"], binding["roleRef"]["name"])]
        given |= {grant for rule in rules for grant in _each(rule, binding["kind"] == "RoleBinding")}
    return frozenset(given)


def _each(rule: Object, local: bool) -> Iterator[rights.Grant]:
    for group, resource, verb in itertools.product(rule["apiGroups"], rule["resources"], rule["verbs"]):
        for name in rule.get("resourceNames", ("",)):
            yield rights.Grant(group, resource, verb, name, local)


def least(found: list[Object], settings: config.Config) -> None:
    """Fails unless exactly those rights are granted that this configuration needs in its own cluster."""
    (account,) = (one["metadata"]["name"] for one in of("ServiceAccount", found))
    (workload,) = of("StatefulSet", found)
    assert workload["spec"]["template"]["spec"]["serviceAccountName"] == account
    (cluster,) = rbac.clusters(settings)
    assert granted(found, account) == rights.grants(rights.rights(cluster.needs))


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
