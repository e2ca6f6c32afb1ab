"""`fedns plan` and real API servers: what it foresees is what server-side apply makes."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
import yaml

from fedns import config
from fedns.cli import prospect
from fedns.kube import access, apply, client
from fedns.kube.resource import Resource
from fedns.placement import plan
from tests.envtest import clusters

CONFIG = (
    "federation: f\ndomain: example.com\nfleet: {{manifests: fleet, namespaces: false}}\nmembers:\n{members}"
)
POLICY = """
apiVersion: policy.karmada.io/v1alpha1
kind: ClusterPropagationPolicy
metadata: {name: all}
spec:
  resourceSelectors:
  - {apiVersion: v1, kind: Service, namespace: mynamespace}
  - {apiVersion: v1, kind: ConfigMap, namespace: mynamespace, labelSelector: {matchLabels: {app: web}}}
  - {apiVersion: apps/v1, kind: Deployment, namespace: mynamespace}
  propagateDeps: true
  placement: {clusterAffinity: {clusterNames: [MEMBER]}}
"""
RESOURCES = {
    "Service": Resource("", "v1", "services", "Service"),
    "ConfigMap": Resource("", "v1", "configmaps", "ConfigMap"),
    "Deployment": Resource("apps", "v1", "deployments", "Deployment"),
}


def service(*ports: dict[str, Any], **meta: Any) -> dict[str, Any]:
    named = {"name": "web", "namespace": clusters.NAMESPACE, **meta}
    spec = {"type": "LoadBalancer", "selector": {"app": "web"}, "ports": list(ports)}
    return {"apiVersion": "v1", "kind": "Service", "metadata": named, "spec": spec}


def deployment(*env: dict[str, Any], image: str = "nginx:1", **more: Any) -> dict[str, Any]:
    container = {"name": "c", "image": image, "env": list(env), **more}
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container]}}
    named = {"name": "web", "namespace": clusters.NAMESPACE}
    spec = {"replicas": 2, "selector": {"matchLabels": {"app": "web"}}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": named, "spec": spec}


def settings(**data: str) -> dict[str, Any]:
    named = {"name": "c", "namespace": clusters.NAMESPACE, "labels": {"app": "web"}}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": named, "data": data}


A, B, C = ({"name": name, "value": name} for name in "ABC")
HTTP, HTTPS = {"port": 80, "name": "http"}, {"port": 443, "name": "https"}
REVISIONS: list[list[dict[str, Any]]] = [
    [service(HTTP), deployment(A, B), settings(a="1", b="2")],
    [service({"port": 80, "name": "web"}, HTTPS), deployment(A, C, image="nginx:2"), settings(a="1", c="3")],
    [service(HTTPS, labels={"x": "y"}), deployment(ports=[{"containerPort": 80}]), settings()],
    [service(HTTPS), deployment(C, command=["x"])],
]
"""What the fleet has, one state after the other."""


class Stage:
    """A fleet of files, and one member that is a real API server."""

    def __init__(self, root: Path, cluster: clusters.Cluster) -> None:
        self.root, self.cluster = root, cluster
        path = cluster.kubeconfig(root / "member.kubeconfig")
        self.where = access.Where(kubeconfig=str(path))
        members = f"- {{name: {cluster.name}, kubeconfig: {path}}}\n"
        (root / "fedns.yaml").write_text(CONFIG.format(members=members))
        (root / "fleet").mkdir()
        (root / "fleet" / "policy.yaml").write_text(POLICY.replace("MEMBER", cluster.name))

    def told(self, objects: list[dict[str, Any]]) -> None:
        (self.root / "fleet" / "objects.yaml").write_text(yaml.safe_dump_all(objects))

    def planned(self, server: bool = False) -> plan.Plan:
        told = config.load(str(self.root / "fedns.yaml")).config
        assert told is not None
        found = prospect.planned(told, server)
        assert not found.problems and not found.plan.errors, (found.problems, found.plan.errors)
        return found.plan

    def carry_out(self, made: plan.Plan) -> None:
        """As a writer would."""

        async def all() -> None:
            api = client.Client(self.where, asyncio.Semaphore(client.AT_ONCE))
            try:
                for each in made.work:
                    resource = RESOURCES[each.ref.kind]
                    if each.sent is None:
                        path = resource.path(each.ref.namespace, each.ref.name)
                        await api.send("DELETE", path, b"", "application/json")
                    else:
                        await apply.apply(api, resource, each.sent)
            finally:
                await api.close()

        asyncio.run(all())

    def live(self, kind: str, name: str) -> Any:
        return self.cluster.call("GET", RESOURCES[kind].path(clusters.NAMESPACE, name))


@pytest.fixture
def stage(tmp_path: Path, farm: clusters.Farm) -> Stage:
    return Stage(tmp_path, farm.clusters[1])


def compared(found: Any) -> Any:
    """What plans are about."""
    return [found.get("spec"), found.get("data"), found["metadata"].get("labels")]


def within(part: Any, whole: Any) -> bool:
    """Whether all of `part` is in `whole`, and lists have as many items."""
    if isinstance(part, dict):
        return all(key in whole and within(value, whole[key]) for key, value in part.items())
    if isinstance(part, list):
        return len(part) == len(whole) and all(map(within, part, whole))
    return bool(part == whole)


RANDOM = ("clusterIP", "clusterIPs", "nodePort")


def given(found: Any) -> Any:
    """What is compared, without what is given out anew in every dry run."""
    if isinstance(found, dict) and "metadata" in found and "kind" in found:
        return given(compared(found))
    if isinstance(found, dict):
        return {key: given(value) for key, value in found.items() if key not in RANDOM}
    return [given(each) for each in found] if isinstance(found, list) else found


def test_every_state_of_the_fleet_is_reached_by_what_was_foreseen(stage: Stage) -> None:
    ports: set[int] = set()
    for objects in REVISIONS:
        stage.told(objects)
        alone, asked = stage.planned(), stage.planned(server=True)
        stage.carry_out(alone)
        for own, its in zip(alone.steps, asked.steps, strict=True):
            if own.action == "delete":
                continue
            live = stage.live(own.ref.kind, own.ref.name)
            assert own.action == its.action and its.after is not None
            assert within(compared(own.after), compared(live)), (
                "what the server makes of it, but for defaults"
            )
            assert given(its.after) == given(live), "and with what it gives out, but for random numbers"
        assert {each.action for each in stage.planned().steps} == {"keep"}
        service = stage.live("Service", "web")["spec"]
        ports |= {each["nodePort"] for each in service["ports"] if each["port"] == 443}
    assert len(ports) == 1, "the port of the nodes stays through every change"
    stage.told([])
    stage.carry_out(stage.planned())
    assert stage.planned().steps == ()


def test_what_another_manager_has_is_refused_in_the_words_of_the_server(stage: Stage) -> None:
    stage.told([service(HTTP)])
    stage.carry_out(stage.planned())
    theirs, wanted = service(HTTP), service(HTTP)
    theirs["spec"]["externalTrafficPolicy"], wanted["spec"]["externalTrafficPolicy"] = "Local", "Cluster"
    stage.cluster.put(theirs)
    stage.told([wanted])
    (step,) = stage.planned(server=True).steps
    assert step.action == "refuse" and "the server refuses it: 409" in step.why[-1]
    assert ".spec.externalTrafficPolicy" in step.why[-1]
