"""Groups in their order, taints, annotations, and members without replicas."""

from typing import Any

from msgspec import structs

from fedns.placement import matching, schedule
from tests.placement import worlds

MEMBERS = list(worlds.MEMBERS.values())
GROUPS = """placement:
  clusterAffinities:
  - {affinityName: home, labelSelector: {matchLabels: {env: HOME}}}
  - {affinityName: away, clusterNames: [c]}
"""


def decided(spec: str, text: str = worlds.DEPLOYMENT, members: Any = None, **load: Any) -> schedule.Decision:
    placement = worlds.everything(spec).placement
    return schedule.decided(worlds.one(text), placement, members or MEMBERS, schedule.Load(**load))


def test_the_first_group_that_works_is_taken() -> None:
    found = decided(GROUPS.replace("HOME", "prod"))
    assert found.replicas == {"a": 6, "b": 6} and found.why["a"][0] == "group home"
    assert found.stopped == {"c": "its labels do not meet env In prod"}


def test_the_next_group_where_the_first_has_nobody() -> None:
    found = decided(GROUPS.replace("HOME", "stage"))
    assert found.replicas == {"c": 6}
    assert found.doubts == ("group home: no member is selected; the next group is taken",)


def test_no_group_at_all() -> None:
    found = decided(
        GROUPS.replace("HOME", "stage").replace("[c]", "[b]").replace("away, ", "away, exclude: [b], ")
    )
    assert found.replicas == {} and found.error.count("no member is selected") == 2


def tainted(effect: str) -> list[matching.Member]:
    taint = matching.Taint("maintenance", "", effect)
    return [structs.replace(MEMBERS[0], taints=(taint,)), *MEMBERS[1:]]


def test_taints_keep_objects_off_but_those_that_are_there() -> None:
    found = decided("placement: {}", members=tainted("NoSchedule"))
    assert found.stopped == {"a": "its taint maintenance:NoSchedule is not tolerated"}
    here = frozenset("a")
    assert "a" in decided("placement: {}", members=tainted("NoSchedule"), here=here).replicas
    assert "a" not in decided("placement: {}", members=tainted("NoExecute"), here=here).replicas


def test_tolerations() -> None:
    spec = "placement: {clusterTolerations: [{key: maintenance, operator: Exists}]}"
    assert "a" in decided(spec, members=tainted("NoExecute")).replicas
    other = "placement: {clusterTolerations: [{key: maintenance, value: x}]}"
    assert "a" not in decided(other, members=tainted("NoExecute")).replicas


def test_an_id_is_a_name() -> None:
    members = [structs.replace(each, aliases=(f"c-{each.name}",)) for each in MEMBERS]
    found = decided("placement: {clusterAffinity: {clusterIds: [c-b]}}", members=members)
    assert list(found.replicas) == ["b"]


def test_who_gets_no_replica_gets_no_object_unless_none_is_wanted_at_all() -> None:
    divided = "placement: {replicaScheduling: {replicaSchedulingType: Divided}}"
    few = decided(divided, worlds.DEPLOYMENT.replace("replicas: 6", "replicas: 2"))
    assert few.replicas == {"a": 1, "b": 1} and few.doubts == (
        f"c gets 0 of 2 replicas, and so not the object{schedule.FEW}",
    )
    none = decided(divided, worlds.DEPLOYMENT.replace("replicas: 6", "replicas: 0"))
    assert none.replicas == {"a": 0, "b": 0, "c": 0}


def test_objects_without_replicas_go_to_all() -> None:
    divided = "placement: {replicaScheduling: {replicaSchedulingType: Divided}}"
    assert decided(divided, worlds.SERVICE).replicas == {"a": None, "b": None, "c": None}


CLONES = worlds.DEPLOYMENT.replace("apps/v1", "apps.kruise.io/v1alpha1").replace("Deployment", "CloneSet")
DIVIDED = "placement: {replicaScheduling: {replicaSchedulingType: Divided}}"


def test_clones_are_divided_as_deployments_are() -> None:
    assert decided(DIVIDED, CLONES).replicas == decided(DIVIDED).replicas == {"a": 2, "b": 2, "c": 2}


def test_replicas_of_a_kind_that_is_not_known_are_not_divided_and_that_is_told() -> None:
    found = decided(DIVIDED, CLONES.replace("apps.kruise.io", "example.com"))
    assert found.replicas == {"a": None, "b": None, "c": None}
    told = "what `spec.replicas` of a CloneSet means is not known: it is not divided"
    assert found.doubts == (f"{told}, every member gets it whole",)
    assert not decided("", CLONES.replace("apps.kruise.io", "example.com")).doubts, "as it is asked for"


def test_federation_v1s_annotation_keeps_an_object_off_members() -> None:
    selector = '[{"key": "env", "operator": "in", "values": ["test"]}]'
    note = f"annotations: {{federation.alpha.kubernetes.io/cluster-selector: '{selector}'}}"
    found = decided("placement: {}", worlds.SERVICE.replace("namespace: prod", f"namespace: prod, {note}"))
    assert list(found.replicas) == ["c"]


def test_the_next_group_where_the_first_has_not_room_for_all() -> None:
    spec = GROUPS.replace("HOME", "prod") + "  replicaScheduling: {replicaDivisionPreference: Aggregated}\n"
    room = {"a": 2, "b": 3, "c": 9}
    found = decided(spec, room=room)
    assert found.replicas == {"c": 6} and "cannot take that many; the next group is taken" in found.doubts[0]
    nobody = decided(spec, room=room | {"c": 1})
    assert nobody.replicas == {"a": 2, "b": 4} and nobody.doubts == ("b cannot take that many",)
    there = decided(spec, room=room, here=frozenset("a"), replicas={"a": 1})
    assert set(there.replicas) == {"a", "b"}, "what runs is not moved"
