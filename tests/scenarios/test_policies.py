"""The CRDs of policies that distribute, on a real API server: what readers refuse is refused or harmless."""

import re
from typing import Any

import pytest
import yaml

from fedns.sources import templates
from tests.deploy import objects
from tests.envtest import clusters
from tests.scenarios import fleets

GROUP = "policy.karmada.io/v1alpha1"
SERVICE = {"apiVersion": "v1", "kind": "Service"}
EXAMPLE = re.compile(r"^```yaml\n(.*?)^```", re.M | re.S)
Object = dict[str, Any]


def propagation(**spec: Any) -> Object:
    meta = {"name": "p", "namespace": clusters.NAMESPACE}
    told = {"resourceSelectors": [SERVICE], **spec}
    return {"apiVersion": GROUP, "kind": "PropagationPolicy", "metadata": meta, "spec": told}


def placed(**placement: Any) -> Object:
    return propagation(placement=placement)


def affine(**affinity: Any) -> Object:
    return placed(clusterAffinity=affinity)


def overriding(**overriders: Any) -> Object:
    return override(overrideRules=[{"overriders": overriders}])


def override(**spec: Any) -> Object:
    meta = {"name": "o", "namespace": clusters.NAMESPACE}
    return {"apiVersion": GROUP, "kind": "OverridePolicy", "metadata": meta, "spec": spec}


def field(**row: Any) -> Object:
    return affine(fieldSelector={"matchExpressions": [row]})


REFUSED: tuple[tuple[Object, str], ...] = (
    (propagation(resourceSelectors=[]), "spec.resourceSelectors"),
    (propagation(resourceSelectors=[{"kind": "Service"}]), "apiVersion: Required"),
    (propagation(prune=True, preserveResourcesOnDeletion=True), "say the opposite"),
    (propagation(preemption="Always"), "goes with selectors by name"),
    (propagation(conflictResolution="Ask"), "spec.conflictResolution: Unsupported"),
    (propagation(priority="high"), "spec.priority"),
    ({**propagation(), "metadata": {"name": "p" * 64, "namespace": clusters.NAMESPACE}}, "metadata.name"),
    (affine(clusterNames=["a"], clusterIds=["b"]), "are one thing, and differ"),
    (affine(labelSelector={"matchExpressions": [{"key": "a", "operator": "In"}]}), "In and NotIn go with"),
    (
        affine(labelSelector={"matchExpressions": [{"key": "a", "operator": "Exists", "values": ["b"]}]}),
        "the others without",
    ),
    (field(key="color", operator="In", values=["a"]), "key: Unsupported"),
    (field(key="region", operator="Exists"), "operator: Unsupported"),
    (placed(clusterAffinity={}, clusterAffinities=[{"affinityName": "a"}]), "either clusterAffinity or"),
    (placed(clusterAffinities=[{"affinityName": "a"}] * 2), "each has a name of its own"),
    (placed(clusterAffinities=[{"affinityName": "a" * 33}]), "affinityName"),
    (placed(clusterTolerations=[{"value": "b"}]), "a key, or Exists"),
    (placed(clusterTolerations=[{"key": "a", "operator": "Exists", "value": "b"}]), "without a value"),
    (placed(clusterTolerations=[{"key": "a", "effect": "Never"}]), "effect: Unsupported"),
    (
        placed(spreadConstraints=[{"spreadByField": "cluster", "spreadByLabel": "a"}]),
        "one of spreadByField and spreadByLabel",
    ),
    (
        propagation(suspension={"dispatching": True, "dispatchingOnClusters": {"clusterNames": ["a"]}}),
        "not both",
    ),
    (propagation(dependentOverrides="o"), "spec.dependentOverrides"),
    (placed(spreadConstraints=[{"spreadByField": "zone"}]), "there is one of cluster"),
    (placed(spreadConstraints=[{"spreadByLabel": "a"}] * 2), "one constraint for each"),
    (
        placed(spreadConstraints=[{"spreadByField": "cluster", "minGroups": 3, "maxGroups": 2}]),
        "minGroups is at most maxGroups",
    ),
    (
        placed(
            replicaScheduling={"weightPreference": {"staticWeightList": [{"targetCluster": {}, "weight": 0}]}}
        ),
        "weight: Invalid value",
    ),
    (placed(replicaScheduling={"replicaSchedulingType": "Doubled"}), "replicaSchedulingType: Unsupported"),
    (override(), "it overrides nothing"),
    (override(overrideRules=[]), "it overrides nothing"),
    (overriding(imageOverrider=[{"component": "Tag", "operator": "add"}]), "go with a value"),
    (
        overriding(imageOverrider=[{"component": "Tag", "operator": "remove", "predicate": {}}]),
        "predicate.path: Required",
    ),
    (overriding(commandOverrider=[{"containerName": "c", "operator": "replace"}]), "operator: Unsupported"),
    (overriding(labelsOverrider=[{"operator": "set"}]), "operator: Unsupported"),
    (overriding(fieldOverrider=[{"fieldPath": "/data/a"}]), "either json or yaml"),
    (overriding(plaintext=[{"operator": "add", "value": 1}]), "path: Required"),
)
"""What an API server says of what no reader takes."""
KEPT: tuple[tuple[Object, str], ...] = (
    (propagation(resourceSelectors=[{**SERVICE, "namespace": "other"}]), "selects in its own namespace"),
    (overriding(plaintext=[{"path": "spec/a", "operator": "remove"}]), "begins with a slash"),
    (overriding(plaintext=[{"path": "/spec/a", "operator": "replace"}]), "replace goes with a value"),
    (overriding(labelsOverrider=[{"operator": "add", "value": {"a b": "c"}}]), "no key of labels"),
)
"""What no schema can judge, and only the reader tells of."""
TAKEN: tuple[Object, ...] = (
    propagation(propagateDeps=True, priority=3, prune=True, conflictResolution="overwrite"),
    propagation(failover={"application": {"decisionConditions": {"tolerationSeconds": 3}}}),
    propagation(dependentOverrides=["o"], suspension={"dispatchingOnClusters": {"clusterNames": ["a"]}}),
    placed(spreadConstraints=[{"maxGroups": 2}, {"spreadByField": "region"}, {"spreadByLabel": "a"}]),
    placed(clusterAffinities=[{"affinityName": "a", "overflowAffinities": [{"affinityName": "b"}]}]),
    overriding(plaintext=[{"path": "/spec/a", "operator": "add", "value": None}]),
    affine(clusterIds=["c1"], exclude=["c2"], labelSelector={"matchLabels": {"a": "b"}}),
    field(key="zone", operator="NotIn", values=["a"]),
    placed(
        clusterAffinities=[{"affinityName": "near", "clusterNames": ["a"]}, {"affinityName": "far"}],
        spreadConstraints=[{"spreadByField": "cluster", "minGroups": 2}, {"spreadByField": "zone"}],
        clusterTolerations=[{"operator": "Exists"}],
        replicaScheduling={
            "replicaDivisionPreference": "Weighted",
            "weightPreference": {
                "staticWeightList": [{"targetCluster": {"clusterNames": ["a"]}, "weight": 2}],
                "dynamicWeight": "AvailableReplicas",
            },
        },
    ),
    override(
        targetCluster={"clusterNames": ["a"]}, overriders={"annotationsOverrider": [{"operator": "add"}]}
    ),
    overriding(
        plaintext=[{"path": "/spec/replicas", "operator": "replace", "value": 1}],
        imageOverrider=[{"component": "Registry", "operator": "remove", "predicate": {"path": "/spec/a"}}],
        fieldOverrider=[
            {
                "fieldPath": "/data/a",
                "yaml": [{"subPath": "/b", "operator": "add", "value": {"c": [1, None]}}],
            }
        ],
    ),
)


def trouble(policy: Object) -> str:
    """What the reader says."""
    return "\n".join(map(str, templates.told([policy]).problems))


def test_what_readers_refuse_is_refused_or_kept_harmlessly_and_all_else_stays_whole(
    farm: clusters.Farm,
) -> None:
    hub = farm.fleet
    hub.define(*fleets.POLICIES)
    for policy, told in REFUSED:
        assert not templates.told([policy]).policies and trouble(policy), policy
        with pytest.raises(clusters.Refused) as refused:
            hub.put(policy)
        assert refused.value.status in (422, 500) and told in str(refused.value), (policy, refused.value)
    for policy, told in KEPT:
        hub.put(policy)
        assert told in trouble(hub.get(policy)) and not templates.told([hub.get(policy)]).policies
    for policy in TAKEN:
        hub.put(policy)
        found = templates.told([hub.get(policy)])
        assert found.policies or found.overrides, trouble(policy)
        assert hub.get(policy)["spec"] == policy["spec"], "nothing of it is unknown"
        hub.delete(policy)
    for policy in documented():
        for one in (policy, {**policy, "kind": f"Cluster{policy['kind']}"}):
            hub.put(one)
            assert hub.get(one)["spec"] == policy["spec"]


def documented() -> list[Object]:
    """The policies of docs/distribution.md, in the group that is installed."""
    page = (objects.ROOT / "docs" / "distribution.md").read_text()
    found = [one for text in EXAMPLE.findall(page) for one in yaml.safe_load_all(text)]
    policies = [one for one in found if one.get("kind") in ("PropagationPolicy", "OverridePolicy")]
    space = {"namespace": clusters.NAMESPACE}
    assert len(policies) == 2
    return [{**one, "apiVersion": GROUP, "metadata": {**one["metadata"], **space}} for one in policies]
