"""Whatever stands in a policy, in whichever dialect: it counts, or it is told where and what."""

import copy
from typing import Any

import hypothesis
import yaml
from hypothesis import strategies

from fedns.errors import Problem
from fedns.model.propagation import GROUPS, Override, Propagation
from fedns.placement import plan
from fedns.sources import documents, templates
from tests.placement import test_oddities, worlds

PROPAGATION = """
resourceSelectors:
- {apiVersion: apps/v1, kind: Deployment, name: web, labelSelector: {matchLabels: {app: web}}}
- apiVersion: v1
  kind: Service
  labelSelector: {matchExpressions: [{key: app, operator: In, values: [web]}]}
placement:
  clusterAffinities:
  - {affinityName: first, clusterNames: [a], exclude: [c], labelSelector: {matchLabels: {env: prod}}}
  - affinityName: second
    fieldSelector: {matchExpressions: [{key: region, operator: NotIn, values: [eu]}]}
  clusterTolerations: [{key: k, operator: Equal, value: v, effect: NoExecute, tolerationSeconds: 3}]
  spreadConstraints: [{spreadByField: region, minGroups: 1, maxGroups: 2}, {spreadByField: cluster}]
  replicaScheduling:
    replicaSchedulingType: Divided
    replicaDivisionPreference: Weighted
    weightPreference: {staticWeightList: [{targetCluster: {clusterIds: [a]}, weight: 2}]}
priority: 3
propagateDeps: true
prune: false
conflictResolution: abort
preemption: Never
suspension: {dispatchingOnClusters: {clusterNames: [b]}}
dependentOverrides: [web]
"""
OVERRIDE = """
resourceSelectors: [{apiVersion: apps/v1, kind: Deployment, name: web}]
overrideRules:
- targetCluster:
    clusterNames: [a]
    fieldSelector: {matchExpressions: [{key: zone, operator: In, values: [z]}]}
  overriders:
    imageOverrider: [{component: Registry, operator: add, value: r.example, predicate: {path: /spec/image}}]
    commandOverrider: [{containerName: c, operator: add, value: [x]}]
    argsOverrider: [{containerName: c, operator: remove, value: [-v]}]
    labelsOverrider: [{operator: replace, value: {app: y}}]
    annotationsOverrider: [{operator: remove, value: {a: b}}]
    fieldOverrider: [{fieldPath: /data/x, yaml: [{subPath: /a/0, operator: replace, value: {b: [1]}}]}]
    plaintext: [{path: /spec/replicas, operator: replace, value: 1}]
"""
OBJECTS = [worlds.one(worlds.DEPLOYMENT), worlds.one(worlds.SERVICE)]
KINDS = [
    *((f"{scope}PropagationPolicy", yaml.safe_load(PROPAGATION)) for scope in ("", "Cluster", "Clutser")),
    *((f"{scope}OverridePolicy", yaml.safe_load(OVERRIDE)) for scope in ("", "Cluster")),
]
WORDS = strategies.sampled_from(
    ["clusterIds", "clusterNames", "prune", "values", "x", "x" * 300, "", "~", "1"]
)
ODD = strategies.one_of(
    test_oddities.JSON,
    WORDS,
    strategies.sampled_from(
        [1 << 70, -(1 << 70), 0.1, "\x85", "\u2028", "In", ["a", 1], {"": 1}, {"a b": "c d"}]
    ),
).map(copy.deepcopy)


@strategies.composite
def policies(draw: strategies.DrawFn) -> dict[str, Any]:
    """A policy of any kind and dialect, of which something is something else, or called otherwise."""
    kind, spec = draw(strategies.sampled_from(KINDS))
    made: dict[str, Any] = {
        "apiVersion": f"{draw(strategies.sampled_from(GROUPS))}/v1alpha1",
        "kind": kind,
        "metadata": {"name": draw(strategies.sampled_from("pq")), "namespace": "prod"},
        "spec": copy.deepcopy(spec),
    }
    for _ in range(draw(strategies.integers(0, 3))):
        path = draw(strategies.sampled_from(test_oddities.spots(made)))
        place: Any = made
        for step in path[:-1]:
            place = place[step]
        if isinstance(place, dict) and draw(strategies.booleans()):
            place[draw(WORDS)] = place.pop(path[-1])
        else:
            place[path[-1]] = draw(ODD)
    return copy.deepcopy(made)


def read(told: list[dict[str, Any]]) -> tuple[list[Any], list[Problem]]:
    """What counts of a file, and its problems."""
    text = yaml.dump_all(told, Dumper=yaml.CSafeDumper, sort_keys=False)
    found = documents.read("f.yaml", text.encode(), templates.Everything(), documents.Content())
    return [one.value for one in found.entries.values() if one.value is not None], list(found.problems)


@hypothesis.settings(max_examples=150, deadline=None)
@hypothesis.given(policies())
def test_every_policy_counts_or_is_told(told: dict[str, Any]) -> None:
    values, problems = read([told])
    assert values or problems or not told.get("apiVersion"), "what has no version is nothing of Kubernetes"
    assert all(each.where.startswith("f.yaml:") and each.what for each in problems)
    assert "Traceback" not in worlds.said(tuple(problems))


@hypothesis.settings(max_examples=60, deadline=None)
@hypothesis.given(strategies.lists(policies(), max_size=4))
def test_what_counts_can_be_planned_with(told: list[dict[str, Any]]) -> None:
    values, _ = read(told)
    propagations = [each for each in values if isinstance(each, Propagation)]
    overrides = [each for each in values if isinstance(each, Override)]
    clusters = [plan.Cluster(member, {}) for member in worlds.MEMBERS.values()]
    plan.made(plan.World(OBJECTS, propagations, overrides, clusters))


@hypothesis.settings(max_examples=60, deadline=None)
@hypothesis.given(strategies.lists(policies(), max_size=4))
def test_an_api_servers_policies_are_told_of_by_name(told: list[dict[str, Any]]) -> None:
    """They have a version, a kind and a name at least."""
    whole = [
        each for each in told if all(isinstance(each.get(field), str) for field in ("apiVersion", "kind"))
    ]
    named = [each for each in whole if isinstance(each.get("metadata"), dict)]
    found = templates.told([each for each in named if each["apiVersion"] and each["kind"]])
    assert all(each.where and each.what for each in found.problems)
