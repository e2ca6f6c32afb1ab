"""Policies as ACK One has printed them in the course of time: checked, planned, and what comes of them.

The facts are the fields, their spellings and their order: of the article on application distribution
(www.besthub.dev/articles/effortlessly-distribute-apps-across-multiple-ack-one-clusters-8d29d318f12e), of the
manual's pages of October 2024, March 2025 and December 2025, and (QUICK) of its quick start.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from fedns.cli import codes, main

CONFIG = """federation: f
domain: example.com
fleet: {manifests: fleet}
members:
- {name: hangzhou, aliases: [c1a], region: cn-hangzhou, manifests: one}
- {name: beijing, aliases: [c2b], region: cn-beijing, manifests: two}
"""
NGINX = """
apiVersion: apps/v1
kind: Deployment
metadata:
  namespace: demo
  name: nginx
spec:
  replicas: 3
  selector:
    matchLabels:
      app: nginx
  template:
    metadata:
      labels:
        app: nginx
    spec:
      containers:
      - name: nginx
        image: nginx
        ports:
        - containerPort: 80
"""
SPREAD = """
apiVersion: one.alibabacloud.com/v1alpha1
kind: ClutserPropagationPolicy
metadata:
  name: example
spec:
  resourceSelectors:
  - apiVersion: apps/v1
    kind: Deployment
    namespace: demo
    name: nginx
  placement:
    clusterAffinity:
      clusterIds:
      - c1a
      - c2b
    replicaScheduling:
      replicaSchedulingType: Duplicated
"""
DIFFER = """
apiVersion: one.alibabacloud.com/v1alpha1
kind: OverridePolicy
metadata:
  name: example
  namespace: demo
spec:
  resourceSelectors:
  - apiVersion: apps/v1
    kind: Deployment
    name: nginx
  overrideRules:
  - targetCluster:
      clusterNames:
      - c2b
    overriders:
      imageOverrider:
      - component: Registry
        operator: add
        value: registry.cn-hangzhou.aliyuncs.com
      plaintext:
      - path: /spec/replicas
        operator: replace
        value: 1
"""
CM = """
apiVersion: v1
kind: ConfigMap
metadata: {name: cm-demo, namespace: demo}
data: {a: "1"}
"""
MANUAL = """
apiVersion: {version}
kind: PropagationPolicy
metadata:
  name: web-demo
  namespace: demo
spec:
  resourceSelectors:
  - apiVersion: apps/v1
    kind: Deployment
    name: nginx
  - apiVersion: v1
    kind: ConfigMap
    name: cm-demo
  - apiVersion: apps/v1
    kind: Deployment
    labelSelector:
      matchExpressions:
      - key: app
        operator: In
        values:
        - xxxx
  {keep}
  placement:
    clusterAffinity:
      {names}:
      - c1a # the id of a cluster
      - c2b
    replicaScheduling:
      replicaSchedulingType: Divided
      replicaDivisionPreference: Weighted
      weightPreference:
        staticWeightList:
        - targetCluster:
            {names}:
            - c1a
          weight: 2
        - targetCluster:
            {names}:
            - c2b
          weight: 1
"""
ONE, POLICY = "one.alibabacloud.com/v1alpha1", "policy.one.alibabacloud.com/v1alpha1"
PAGES = {
    "October 2024": (ONE, "clusterIds", "prune: false\n  conflictResolution: abort"),
    "March 2025": (ONE, "clusterNames", "preserveResourcesOnDeletion: true"),
    "December 2025": (POLICY, "clusterNames", "preserveResourcesOnDeletion: true"),
}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fedns.yaml").write_text(CONFIG)
    for name in ("fleet", "one", "two"):
        (tmp_path / name).mkdir()
    return tmp_path


def put(**texts: str) -> None:
    for name, text in texts.items():
        Path("fleet", f"{name}.yaml").write_text(text)


def run(*words: str, code: int = codes.OK) -> str:
    done = CliRunner().invoke(main.app, list(words))
    assert done.exit_code == code, done.output
    return done.output


def planned() -> dict[tuple[str, str], Any]:
    """(member, kind) -> the step."""
    steps = json.loads(run("plan", "-o", "json"))["steps"]
    return {(one["member"], one["object"]["kind"]): one for one in steps}


def container(step: Any) -> Any:
    (found,) = step["after"]["spec"]["template"]["spec"]["containers"]
    return found


def test_the_articles_three_examples_as_they_are_printed() -> None:
    put(nginx=NGINX, spread=SPREAD, differ=DIFFER)
    told = run("check")
    assert "no problems, 1 warning" in told and told.startswith("warning: ")
    assert "fleet/spread.yaml:2: ClutserPropagationPolicy default/example: the kind is spelt" in told
    assert told.count("fleet/") == 1, "nothing else is wrong"
    assert "no problems, 1 warning" in run("check", "--strict", code=codes.PROBLEMS)
    assert "warning: " in run("plan") and run("plan", "--strict", code=codes.PROBLEMS)
    found = planned()
    here, there = found["hangzhou", "Deployment"], found["beijing", "Deployment"]
    assert {one["action"] for one in found.values()} == {"create"}
    assert (here["after"]["spec"]["replicas"], container(here)["image"]) == (3, "nginx")
    image = "registry.cn-hangzhou.aliyuncs.com/nginx"
    assert (there["after"]["spec"]["replicas"], container(there)["image"]) == (1, image)
    assert container(there)["ports"] == [{"containerPort": 80}]
    assert here["policy"] == "ClusterPropagationPolicy example"


def test_the_same_override_in_another_namespace_has_no_effect() -> None:
    put(nginx=NGINX, spread=SPREAD, differ=DIFFER.replace("namespace: demo", "namespace: dev"))
    there = planned()["beijing", "Deployment"]
    assert (there["after"]["spec"]["replicas"], container(there)["image"]) == (3, "nginx")


@pytest.mark.parametrize("page", PAGES)
def test_the_manuals_examples_of_every_time(page: str) -> None:
    version, names, keep = PAGES[page]
    put(nginx=NGINX, cm=CM, policy=MANUAL.format(version=version, names=names, keep=keep))
    run("check")
    found = planned()
    replicas = [found[name, "Deployment"]["after"]["spec"]["replicas"] for name in ("hangzhou", "beijing")]
    assert replicas == [2, 1]
    for name in ("hangzhou", "beijing"):
        marks = found[name, "ConfigMap"]["after"]["metadata"]["annotations"]
        assert marks["fedns.io/preserve"] == "true" and found[name, "ConfigMap"]["after"]["data"] == {
            "a": "1"
        }


QUICK = """apiVersion: policy.one.alibabacloud.com/v1alpha1
kind: ClusterPropagationPolicy
metadata:
  name: web-demo
spec:
  resourceSelectors:
  - apiVersion: v1
    kind: Namespace
    name: demo
  placement:
    clusterAffinity:
      clusterNames:
      - c1a # an id, as ACK gives them
      - c2b
    replicaScheduling:
      replicaSchedulingType: Duplicated
---
apiVersion: policy.one.alibabacloud.com/v1alpha1
kind: PropagationPolicy
metadata:
  name: web-demo
  namespace: demo
spec:
  preserveResourcesOnDeletion: true  # 保留: the copies outlive the fleet's object
  resourceSelectors:
  - apiVersion: apps/v1
    kind: Deployment
    name: web-demo
    namespace: demo
  placement:
    clusterAffinity:
      clusterNames:
      - c1a # an id, as ACK gives them
      - c2b
    replicaScheduling:
      replicaSchedulingType: Duplicated
"""
WEB = """apiVersion: apps/v1
kind: Deployment
metadata:
  namespace: demo
  name: web-demo
spec:
  replicas: 3
  selector:
    matchLabels:
      app: web-demo
  template:
    metadata:
      labels:
        app: web-demo
    spec:
      containers:
      - name: nginx
        image: registry-cn-hangzhou.ack.aliyuncs.com/acs/web-demo:0.5.0
        ports:
        - containerPort: 80
"""


def test_the_quick_start_with_comments() -> None:
    put(web=WEB, policies=QUICK, space="apiVersion: v1\nkind: Namespace\nmetadata: {name: demo}\n")
    run("check")
    found = planned()
    for name in ("hangzhou", "beijing"):
        assert [kind for member, kind in found if member == name] == ["Namespace", "Deployment"]
        copied = found[name, "Deployment"]["after"]
        assert copied["spec"]["replicas"] == 3
        assert copied["metadata"]["annotations"]["fedns.io/preserve"] == "true"
        assert "fedns.io/preserve" not in found[name, "Namespace"]["after"]["metadata"]["annotations"]


def test_a_namespace_and_what_is_in_it_go_by_two_policies() -> None:
    namespace = "apiVersion: v1\nkind: Namespace\nmetadata: {name: demo}\n"
    whole = SPREAD.replace("ClutserP", "ClusterP").replace(ONE, POLICY).replace("clusterIds", "clusterNames")
    selects = "  - apiVersion: v1\n    kind: Namespace\n    name: demo\n"
    first = whole[: whole.index("  - apiVersion: apps")] + selects + whole[whole.index("  placement") :]
    inner = whole.replace("ClusterPropagation", "Propagation").replace(
        "  name: example\n", "  name: example\n  namespace: demo\n"
    )
    put(nginx=NGINX, space=namespace, first=first, inner=inner)
    run("check")
    assert [kind for _, kind in planned()] == ["Namespace", "Deployment"] * 2
