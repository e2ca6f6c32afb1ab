"""Small fleets for the tests of distribution: objects as YAML, members by their names."""

from typing import Any

import msgspec
import yaml

from fedns.placement import item, matching, plan
from fedns.sources import objects as shapes
from fedns.sources import overrides

SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: web, namespace: prod}
spec: {type: LoadBalancer, ports: [{port: 80}]}
"""
DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: prod, labels: {app: web}}
spec:
  replicas: 6
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, image: "nginx:1"}]}
"""
MEMBERS = {
    name: matching.Member(name, labels={"env": env}, region=region, zones=(f"{region}-1",))
    for name, env, region in (("a", "prod", "eu"), ("b", "prod", "us"), ("c", "test", "us"))
}


def objects(text: str) -> list[dict[str, Any]]:
    return [shapes.plain(each) for each in yaml.safe_load_all(text) if each]


def one(text: str) -> dict[str, Any]:
    (found,) = objects(text)
    return found


def policy(spec: str, name: str = "web", namespace: str = "prod", kind: str = "PropagationPolicy") -> Any:
    """A policy of any kind; an empty namespace is for those of the cluster."""
    told = {
        "apiVersion": "policy.karmada.io/v1alpha1",
        "kind": kind if namespace else f"Cluster{kind}",
        "metadata": {"name": name, "namespace": namespace} if namespace else {"name": name},
        "spec": yaml.safe_load(spec),
    }
    row = overrides.KINDS[told["apiVersion"], told["kind"]]
    return row.strip(msgspec.convert(told, row.shape))


def everything(spec: str = "", **named: str) -> Any:
    """A policy for Services and Deployments."""
    selects = (
        "resourceSelectors: [{apiVersion: v1, kind: Service}, {apiVersion: apps/v1, kind: Deployment}]\n"
    )
    return policy(selects + spec, **named)


def override(spec: str, **named: str) -> Any:
    return policy(spec, kind="OverridePolicy", **named)


def world(text: str, *policies: Any, has: dict[str, list[Any]] | None = None, **more: Any) -> plan.World:
    """A fleet with the objects of `text`, the policies, and members that have these objects."""
    there = {name: {item.ref(each): each for each in items} for name, items in (has or {}).items()}
    clusters = [plan.Cluster(member, there.get(name, {})) for name, member in MEMBERS.items()]
    return plan.World(objects(text), policies, clusters=more.pop("clusters", clusters), **more)


def after(made: plan.Plan, member: str) -> list[Any]:
    """What a member has of ours once the plan is done."""
    return [each.after for each in made.steps if each.member == member and each.after is not None]


def actions(made: plan.Plan) -> list[str]:
    return [f"{each.member}: {each.action} {each.ref.kind}" for each in made.steps]


def said(problems: tuple[Any, ...]) -> str:
    return "\n".join(str(each) for each in problems)
