"""What has to be done for one copy: the quick look and the whole calculation say the same of any fleet."""

import copy
import json
import random
from collections.abc import Iterator
from typing import Any

import hypothesis
from hypothesis import strategies

from fedns.distribute import pool
from fedns.placement import assignment, copies, item, marks, matching, merging, plan, retention
from tests.fakes import kubeapi_apply, kubeapi_kinds, kubeapi_rules
from tests.placement import worlds

ACCOUNT = (
    "{apiVersion: v1, kind: ServiceAccount, metadata: {name: web, namespace: prod}, secrets: [{name: s}]}"
)
SETTINGS = (
    "{apiVersion: v1, kind: ConfigMap, metadata: {name: web, namespace: prod, labels: {app: web}},"
    " data: {a: '1', b: '2'}}"
)
POD = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: api, namespace: prod, annotations: {note: x}}
spec:
  replicas: 2
  selector: {matchLabels: {app: api}}
  template:
    metadata: {labels: {app: api}}
    spec:
      volumes: [{name: v, emptyDir: {}}]
      containers:
      - name: c
        image: "nginx:1"
        args: [a, b]
        env: [{name: A, value: "1"}, {name: B, value: "2"}]
        ports: [{containerPort: 80}, {containerPort: 81, protocol: UDP}]
        resources: {limits: {cpu: "0.5", memory: 1Gi}}
      - {name: d, image: "nginx:1", command: []}
"""
TEXT = "\n---\n".join((worlds.SERVICE, worlds.DEPLOYMENT, POD, ACCOUNT, SETTINGS))
KINDS = ("v1/Service", "apps/v1/Deployment", "v1/ServiceAccount", "v1/ConfigMap")
SELECTS = ", ".join(
    f"{{apiVersion: {version}, kind: {kind}}}"
    for version, _, kind in (each.rpartition("/") for each in KINDS)
)
POLICIES = [
    f"resourceSelectors: [{SELECTS}]\n{more}"
    for more in (
        "",
        "preserveResourcesOnDeletion: true",
        "conflictResolution: Overwrite",
        "placement: {clusterAffinity: {clusterNames: [a, b]}}",
        "placement: {replicaScheduling: {replicaSchedulingType: Divided}}",
    )
]
OVERRIDES = [
    "overriders: {imageOverrider: [{component: Tag, operator: replace, value: v2}]}",
    "overrideRules: [{targetCluster: {clusterNames: [b]},"
    " overriders: {labelsOverrider: [{operator: add, value: {x: y}}]}}]",
    "overrideRules: [{targetCluster: {labelSelector: {matchLabels: {env: prod}}},"
    " overriders: {plaintext: [{path: /spec/paused, operator: add, value: true}]}}]",
]
VALUES = (None, [], {}, "x", "500m", "1024Mi", 3, [{"name": "A", "value": "9"}], {"z": "z"})
MANAGED = "managedFields"
WHO = (("apiVersion",), ("kind",), ("metadata",), ("metadata", "name"), ("metadata", "namespace"))


def places(found: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, Any]]:
    """All that stands in an object: what has it, and where."""
    rows = found.items() if isinstance(found, dict) else enumerate(found) if isinstance(found, list) else ()
    for step, each in list(rows):
        if (*path, step) not in WHO:
            yield found, step
        yield from places(each, (*path, step))


def settled(sent: item.Item, chance: random.Random) -> dict[str, Any]:
    """A copy as it stands in a member: what a server, controllers and people have made of it."""
    kind = next(one for one in kubeapi_kinds.SERVED[sent["apiVersion"]].values() if one.name == sent["kind"])
    rivals = [kubeapi_apply.Who(name, "Update", sent["apiVersion"]) for name in ("kubectl", "helm")]
    ours = kubeapi_apply.Who(item.MANAGER, "Apply", sent["apiVersion"])
    made = item.own(sent)
    paths = list(kubeapi_apply.leaves(made, kind.keys))
    if chance.random() < 0.5:
        made = kubeapi_rules.settled(kind, None, made, "")
    told = list(kubeapi_apply.leaves(made, kind.keys))
    for _ in range(chance.choice((0, 0, 0, 1, 2))):
        where, step = chance.choice(list(places(made)))
        if chance.random() < 0.5:
            where[step] = copy.deepcopy(chance.choice(VALUES))
        elif isinstance(where, dict):
            del where[step]
    made["metadata"] |= {"uid": str(chance.random()), "resourceVersion": str(chance.randrange(99))}
    owners = {ours: frozenset(paths) if chance.random() < 0.6 else frozenset(told)}
    for who in rivals[: chance.randrange(3)]:
        owners[who] = frozenset(chance.sample(told, min(len(told), 4)))
    if chance.random() < 0.8:
        made["metadata"][MANAGED] = kubeapi_apply.shown(owners)
    return made


def fleet(chance: random.Random) -> plan.World:
    """Policies and overrides by chance, and members of which each has some of the copies, more or less."""
    told = [worlds.policy(chance.choice(POLICIES))]
    overrides = [
        worlds.override(text, name=f"o{at}") for at, text in enumerate(OVERRIDES) if chance.random() < 0.5
    ]
    objects = worlds.objects(TEXT)
    templates = {item.ref(each): each for each in objects}
    members = [*worlds.MEMBERS.values(), matching.Member("d", labels={"env": "prod"}, region="eu")]
    wanted = assignment.Assignment(assignment.Fleet(templates, told, overrides), members, {})
    parts, clusters = pool.Pool(), []
    for member in members:
        rows = [each.item for each in wanted.copies(member.name).values() if chance.random() < 0.9]
        there = [settled(each, chance) for each in rows if each]
        items, _ = parts.page(json.dumps({"items": there}).encode())
        clusters.append(plan.Cluster(member, {item.ref(each): each for each in items}))
    return plan.World(objects, told, overrides, clusters)


def calculated(there: item.Item, sent: item.Item) -> dict[str, Any]:
    """The whole calculation, of objects that share nothing."""
    there, sent = copy.deepcopy((there, sent))
    fresh = marks.unmarked(there) if marks.ours(there) else there
    made: dict[str, Any] = merging.tidy(merging.merged(fresh, retention.kept(sent, there)))
    return made


@hypothesis.settings(max_examples=120, deadline=None)
@hypothesis.given(strategies.integers(0, 2**32))
def test_members_that_share_all_work_get_what_each_would_get_alone(seed: int) -> None:
    world = fleet(random.Random(seed))
    before = copy.deepcopy(world)
    made = plan.made(world)
    assert world == before, "nothing is changed in place"
    assert json.dumps([each.after for each in made.steps]) == json.dumps(
        [each.after for each in plan.made(before).steps]
    ), "whether parts are one or alike"
    for step in made.steps:
        if step.before is None or step.action == "refuse":
            continue
        sent = step.sent if step.sent is not None else step.stands
        assert sent is not None, step
        after = calculated(step.before, sent)
        assert (step.action == "keep") == (after == merging.tidy(step.before)), step
        if step.action == "update":
            assert json.dumps(after) == json.dumps(step.after)
        else:
            assert json.dumps(after) == json.dumps(copies.written(step.before, sent))


@hypothesis.settings(max_examples=300, deadline=None)
@hypothesis.given(strategies.integers(0, 2**32))
def test_what_is_said_to_stand_does_not_change(seed: int) -> None:
    chance = random.Random(seed)
    sent = marks.marked(chance.choice(worlds.objects(TEXT)), worlds.policy(POLICIES[0]))
    there = settled(sent, chance)
    if merging.stands(there, sent):
        assert merging.tidy(merging.merged(there, sent)) == merging.tidy(there)


def test_the_quick_look_knows_a_copy_that_was_left_alone() -> None:
    for each in worlds.objects(TEXT):
        sent = marks.marked(each, worlds.policy(POLICIES[0]))
        kind = next(
            one for one in kubeapi_kinds.SERVED[sent["apiVersion"]].values() if one.name == sent["kind"]
        )
        there = kubeapi_rules.settled(kind, None, copy.deepcopy(sent), "")
        who = kubeapi_apply.Who(item.MANAGER, "Apply", sent["apiVersion"])
        owners = {who: frozenset(kubeapi_apply.leaves(sent, kind.keys))}
        there["metadata"][MANAGED] = kubeapi_apply.shown(owners)
        assert merging.stands(there, sent), item.ref(sent)
        there["metadata"]["labels"] = {**item.labels(there), "theirs": "x"}
        assert merging.stands(there, sent), "what others add is theirs"
        del there["metadata"]["labels"][marks.LABEL]
        assert not merging.stands(there, sent)
