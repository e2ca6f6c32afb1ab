"""Whatever stands in objects, a plan is made: one that is odd never stops the others."""

import copy
from typing import Any

import hypothesis
from hypothesis import strategies

from fedns.placement import companions, fitness, item, marks, plan, union
from tests.placement import test_companions, worlds

JSON = strategies.sampled_from(
    [None, True, 0, -1, 1.5, "", "x", "None", [], [None], ["x"], [[]], {}, {"x": None}, {"name": 1}, [{}]]
).map(copy.deepcopy)
SCALER = worlds.one(
    "{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: {name: h, namespace: prod},"
    " spec: {scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}}}"
)
JOB = worlds.one(
    "{apiVersion: batch/v1, kind: Job, metadata: {name: j, namespace: prod}, spec: {parallelism: 4,"
    " completions: 9, template: {metadata: {labels: {controller-uid: u}},"
    " spec: {containers: [{name: c, image: i}]}}}}"
)
NODE = worlds.one(
    "{apiVersion: v1, kind: Node, metadata: {name: n}, status: {allocatable: {cpu: '4'},"
    " conditions: [{type: Ready}]}}"
)
OBJECTS = [
    worlds.one(worlds.SERVICE),
    worlds.one(worlds.DEPLOYMENT),
    worlds.one(test_companions.POD),
    worlds.one(test_companions.INGRESS),
    JOB,
    SCALER,
    NODE,
]
MANAGED = {"manager": "fedns", "fieldsV1": {"f:spec": {"f:ports": {'k:{"port":80}': {".": {}}}, "f:x": {}}}}
POLICIES = [
    worlds.policy(
        "resourceSelectors: ["
        + ", ".join(f"{{apiVersion: {each['apiVersion']}, kind: {each['kind']}}}" for each in OBJECTS)
        + "]\npropagateDeps: true\nplacement: {replicaScheduling: {replicaSchedulingType: Divided,"
        " weightPreference: {dynamicWeight: AvailableReplicas}}}",
        namespace="",
    )
]
OVERRIDES = [
    worlds.override(
        "overriders: {imageOverrider: [{component: Tag, operator: replace, value: v}],"
        " argsOverrider: [{containerName: c, operator: add, value: [x]}],"
        " labelsOverrider: [{operator: replace, value: {app: y}}]}",
        name="one",
    ),
    worlds.override(
        "targetCluster: {clusterNames: [b]}\n"
        "overriders: {fieldOverrider: [{fieldPath: /metadata/labels/app,"
        " yaml: [{subPath: /x, operator: remove}]}],"
        " plaintext: [{path: /spec/ports/0/port, operator: replace, value: 1}]}",
        name="two",
    ),
]


def spots(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of everything below a value."""
    rows = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for key, each in rows for found in ((*path, key), *spots(each, (*path, key)))]


@strategies.composite
def odd(draw: strategies.DrawFn) -> dict[str, Any]:
    """An object of which something is something else."""
    made = copy.deepcopy(draw(strategies.sampled_from(OBJECTS)))
    made["metadata"]["managedFields"] = [copy.deepcopy(MANAGED)]
    found = [path for path in spots(made) if path[0] not in ("apiVersion", "kind")]
    for path in draw(strategies.lists(strategies.sampled_from(found), max_size=3)):
        place: Any = made
        for step in path[:-1]:
            inside = isinstance(place, dict) and step in place
            inside |= isinstance(place, list) and isinstance(step, int) and step < len(place)
            place = place[step] if inside else None
        if isinstance(place, dict) or (isinstance(place, list) and path[-1] in range(len(place))):
            place[path[-1]] = draw(JSON)
    return made


@hypothesis.settings(max_examples=100, deadline=None)
@hypothesis.given(
    strategies.lists(odd(), max_size=4), strategies.lists(odd(), max_size=4), strategies.booleans()
)
def test_a_plan_is_made(told: list[Any], there: list[Any], ours: bool) -> None:
    if ours:
        there = [marks.marked(each, POLICIES[0]) for each in there]
    clusters = [
        plan.Cluster(worlds.MEMBERS["a"], {item.ref(each): each for each in there}),
        plan.Cluster(worlds.MEMBERS["b"], {}),
    ]
    before = copy.deepcopy((told, there))
    plan.made(plan.World(told, POLICIES, OVERRIDES, clusters))
    assert (told, there) == before, "nothing is changed in place"


@hypothesis.settings(max_examples=100, deadline=None)
@hypothesis.given(odd(), JSON)
def test_what_is_told_of_objects(found: dict[str, Any], status: Any) -> None:
    companions.of(found)
    fitness.fit(found)
    told = (
        status if isinstance(status, dict) else {"loadBalancer": status, "active": status, "replicas": status}
    )
    union.status(found, [union.Told("a", told), union.Told("b", None)])
