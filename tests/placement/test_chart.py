"""A chart kept from change to change is the one that would be made at once: random histories of a fleet."""

import random
from typing import Any

import pytest

from fedns.model.propagation import Override, Propagation
from fedns.placement import assignment, choice, item, matching, schedule, targets
from tests.placement import worlds

NAMES = ("s", "t", "u", "w")
SPACES = ("prod", "test")
TAINT = matching.Taint("maintenance")
PLACEMENTS = (
    "{}",
    "{clusterAffinity: {clusterNames: [a, b]}}",
    "{clusterAffinity: {labelSelector: {matchLabels: {env: prod}}}}",
    "{clusterAffinity: {clusterNames: [nobody]}}",
    "{spreadConstraints: [{spreadByField: cluster, maxGroups: 1, minGroups: 1}]}",
    "{spreadConstraints: [{spreadByField: region, minGroups: 3}, {spreadByField: cluster}]}",
    "{replicaScheduling: {replicaSchedulingType: Divided, replicaDivisionPreference: Aggregated}}",
    "{replicaScheduling: {replicaSchedulingType: Divided, replicaDivisionPreference: Weighted}}",
)
SELECTS = (
    "[{apiVersion: apps/v1, kind: Deployment}]",
    "[{apiVersion: apps/v1, kind: Deployment, name: s}, {apiVersion: v1, kind: ConfigMap}]",
    "[{apiVersion: v1, kind: ConfigMap, name: t}, {apiVersion: v1, kind: Secret}]",
    "[{apiVersion: multicluster.x-k8s.io/v1alpha1, kind: ServiceImport}]",
    "[{apiVersion: apps/v1, kind: Deployment, labelSelector: {matchLabels: {tier: web}}}]",
)
OVERRIDERS = (
    "{labelsOverrider: [{operator: add, value: {more: x}}]}",
    "{imageOverrider: [{component: Tag, operator: replace, value: v2}]}",
    "{plaintext: [{path: /data/extra, operator: add, value: y}]}",
)


class History:
    """A fleet that somebody works on."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self.templates: dict[item.Ref, item.Item] = {}
        self.policies: dict[str, Propagation] = {}
        self.overrides: dict[str, Override] = {}
        self.members = dict(worlds.MEMBERS)
        self.loads: dict[item.Ref, schedule.Load] = {}
        self.whole = True

    def step(self) -> None:
        acts = (self._object, self._object, self._policy, self._override, self._load, self._member)
        self._chance.choices(acts, (5, 5, 4, 3, 3, 1))[0]()
        self.whole = self._chance.random() < 0.9

    def fleet(self) -> assignment.Fleet:
        told = (self.policies.values(), self.overrides.values())
        policies, overrides = (tuple(each) for each in told)
        return assignment.Fleet(dict(self.templates), policies, overrides, whole=self.whole)

    def _object(self) -> None:
        maker = self._chance.choice((self._deployment, self._plain, self._import, self._slice))
        found = maker(self._chance.choice(NAMES), self._chance.choice(SPACES))
        if item.ref(found) in self.templates and self._chance.random() < 0.4:
            del self.templates[item.ref(found)]
        else:
            self.templates[item.ref(found)] = found

    def _deployment(self, name: str, space: str) -> item.Item:
        found = worlds.one(worlds.DEPLOYMENT)
        labels = {"tier": self._chance.choice(("web", "db"))}
        found["metadata"] = {
            "name": name,
            "namespace": space,
            "labels": labels,
            "uid": str(self._chance.random()),
        }
        found["spec"]["replicas"] = self._chance.randrange(5)
        needs = [{"configMapRef": {"name": self._chance.choice(NAMES)}}]
        found["spec"]["template"]["spec"]["containers"][0]["envFrom"] = needs
        found["spec"]["template"]["spec"]["imagePullSecrets"] = [{"name": self._chance.choice(NAMES)}]
        return found

    def _plain(self, name: str, space: str) -> item.Item:
        meta, kind = {"name": name, "namespace": space}, self._chance.choice(("ConfigMap", "Secret"))
        value = str(self._chance.randrange(3))
        return {"apiVersion": "v1", "kind": kind, "metadata": meta, "data": {"a": value}}

    def _import(self, name: str, space: str) -> item.Item:
        meta = {"name": name, "namespace": space}
        return {"apiVersion": "multicluster.x-k8s.io/v1alpha1", "kind": "ServiceImport", "metadata": meta}

    def _slice(self, name: str, space: str) -> item.Item:
        labels = {"kubernetes.io/service-name": f"derived-{self._chance.choice(NAMES)}"}
        meta = {"name": name, "namespace": space, "labels": labels}
        return {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": meta}

    def _policy(self) -> None:
        name, space = self._chance.choice("pqr"), self._chance.choice((*SPACES, ""))
        spec = (
            f"resourceSelectors: {self._chance.choice(SELECTS)}\n"
            f"placement: {self._chance.choice(PLACEMENTS)}\n"
            f"priority: {self._chance.randrange(2)}\n"
            f"propagateDeps: {str(self._chance.random() < 0.6).lower()}\n"
            f"preserveResourcesOnDeletion: {str(self._chance.random() < 0.3).lower()}\n"
            f"dependentOverrides: {self._chance.choice(('[]', '[]', '[x]', '[x, y]'))}\n"
        )
        self._turn(self.policies, worlds.policy(spec, name, space))

    def _override(self) -> None:
        selects = self._chance.choice(("", f"resourceSelectors: {self._chance.choice(SELECTS)}\n"))
        target = self._chance.choice(("{}", "{clusterNames: [a]}", "{clusterNames: [nobody]}"))
        rule = f"{{targetCluster: {target}, overriders: {self._chance.choice(OVERRIDERS)}}}"
        spec = f"{selects}overrideRules: [{rule}]"
        made = worlds.override(
            spec, name=self._chance.choice("xy"), namespace=self._chance.choice((*SPACES, ""))
        )
        self._turn(self.overrides, made)

    def _turn(self, table: dict[str, Any], made: Any) -> None:
        if made.title in table and self._chance.random() < 0.3:
            del table[made.title]
        else:
            table[made.title] = made

    def _load(self) -> None:
        for what in self._chance.sample(sorted(self.templates), min(2, len(self.templates))):
            here = frozenset(self._chance.sample("abc", self._chance.randrange(3)))
            counts = {name: self._chance.randrange(4) for name in here}
            self.loads = {**self.loads, what: schedule.Load(here, counts)}

    def _member(self) -> None:
        name = self._chance.choice("abc")
        taints = self._chance.choice(((), (TAINT,)))
        self.members[name] = matching.Member(name, labels={"env": "prod"}, region=name, taints=taints)


def told(made: assignment.Assignment, members: Any) -> Any:
    """What posts are told, and people."""
    copies = {
        name: {what: (copy.digest, copy.stopped, copy.policy) for what, copy in made.copies(name).items()}
        for name in members
    }
    return copies, made.problems, sorted(made.refs())


@pytest.mark.parametrize("seed", range(60))
def test_a_history_ends_where_its_end_alone_would(seed: int) -> None:
    history, made = History(seed), None
    posts: Any = {}
    for _ in range(25):
        history.step()
        members = list(history.members.values())
        now = history.fleet()
        made = assignment.Assignment(now, members, history.loads, made)
        fresh = assignment.Assignment(now, members, history.loads)
        assert told(made, history.members) == told(fresh, history.members)
        posts = followed(posts, made, history.members)
        assert posts == told(fresh, history.members)[0], "what changed is told"
        policies = choice.awaited(now.policies, now.overrides)
        whole = targets.found(now.templates, policies, members, history.loads)
        assert {what: made.goes(what) for what in made.refs()} == {
            what: spread.targets.keys() for what, spread in whole.spreads.items()
        }
        assert {*whole.errors, *whole.warnings} <= set(made.problems)


def followed(before: Any, made: assignment.Assignment, members: Any) -> Any:
    """What members have that only hear of what changed."""
    if made.changed is None:
        return told(made, members)[0]
    for name in members:
        for what in made.changed:
            copy = made.copy(what, name)
            before[name].pop(what, None)
            if copy is not None:
                before[name][what] = (copy.digest, copy.stopped, copy.policy)
    return before
