"""Namespaces that go along with copies."""

from typing import Any

from fedns.placement import assignment, defaults, homes, item, marks, plan
from tests.placement import worlds

HOMES = defaults.HOMES
ON_A = worlds.everything("placement: {clusterAffinity: {clusterNames: [a]}}")
SPACE = "{apiVersion: v1, kind: Namespace, metadata: {name: prod, labels: {team: x}}}"
WITH = worlds.SERVICE + "---\n" + SPACE
PROD = homes.home("prod")


def step(made: plan.Plan, member: str = "a") -> plan.Step:
    (found,) = [each for each in made.steps if each.ref == PROD and each.member == member]
    return found


def test_where_a_copy_goes_its_namespace_goes_first() -> None:
    made = plan.made(worlds.world(WITH, ON_A, HOMES))
    assert worlds.actions(made) == ["a: create Namespace", "a: create Service"]
    first = step(made)
    assert first.why == ("Service prod/web goes there",) and first.policy == "namespaces go along"
    assert item.labels(first.sent or {}) == {"team": "x", marks.LABEL: "true"}


def test_one_that_the_fleet_does_not_have_goes_bare() -> None:
    found = step(plan.made(worlds.world(worlds.SERVICE, ON_A, HOMES))).sent or {}
    assert item.labels(found) == {marks.LABEL: "true"} and found["metadata"]["name"] == "prod"


def test_one_that_is_there_is_used_as_it_is() -> None:
    other = worlds.one(SPACE.replace("team: x", "team: y"))
    made = plan.made(worlds.world(WITH, ON_A, HOMES, has={"a": [other]}))
    assert worlds.actions(made) == ["a: create Service"]
    assert plan.Absence("a", PROD, "namespaces go along", plan.USED) in made.absences
    told = worlds.one(worlds.SERVICE.replace("web", "other"))
    inside = plan.made(worlds.world(WITH, ON_A, HOMES, has={"a": [told]}))
    assert plan.USED in {each.why for each in inside.absences}, "something lives in it"


def test_one_that_we_made_follows_the_fleets_and_is_never_removed() -> None:
    there = worlds.after(plan.made(worlds.world(WITH, ON_A, HOMES)), "a")
    changed = plan.made(worlds.world(WITH.replace("team: x", "team: y"), ON_A, HOMES, has={"a": there}))
    assert item.labels(step(changed).after or {})["team"] == "y"
    for text, policies in ((SPACE, (ON_A, HOMES)), ("", (ON_A, HOMES)), (WITH, (HOMES,)), (WITH, (ON_A,))):
        gone = plan.made(worlds.world(text, *policies, has={"a": there}))
        assert step(gone).action == "orphan", (text, policies)
        assert gone.losses[0].ours == 1, "only what somebody asked for counts"


def test_one_that_a_policy_selects_or_that_is_a_clusters_own_does_not_go_along() -> None:
    space = worlds.policy(
        "resourceSelectors: [{apiVersion: v1, kind: Namespace}]\n"
        "placement: {clusterAffinity: {clusterNames: [b]}}",
        namespace="",
    )
    made = plan.made(worlds.world(WITH, ON_A, space, HOMES))
    assert worlds.actions(made) == ["a: create Service", "b: create Namespace"]
    own = worlds.SERVICE.replace("namespace: prod", "namespace: default")
    everywhere = worlds.everything(namespace="")
    assert all(each.ref.kind == "Service" for each in plan.made(worlds.world(own, everywhere, HOMES)).steps)
    for told in ("labels: {namespace.karmada.io/skip-auto-propagation: 'true'}",
                 "annotations: {fedns.io/distribute: 'false'}"):  # fmt: skip
        stays = worlds.SERVICE + "---\n" + SPACE.replace("labels: {team: x}", told)
        assert worlds.actions(plan.made(worlds.world(stays, ON_A, HOMES))) == ["a: create Service"]


def test_where_nothing_new_goes_nor_does_the_namespace() -> None:
    for spec in ("suspension: {dispatching: true}", "placement: {clusterAffinity: {clusterNames: [nobody]}}"):
        made = plan.made(worlds.world(WITH, worlds.everything(spec), HOMES))
        assert {each.action for each in made.steps} <= {"refuse"}
        has = {"a": worlds.after(plan.made(worlds.world(WITH, ON_A, HOMES)), "a")}
        kept = plan.made(worlds.world(WITH, worlds.everything(spec), HOMES, has=has))
        assert not kept.work, spec


def assigned(objects: list[Any], *policies: Any, before: Any = None, **more: Any) -> assignment.Assignment:
    known = {item.ref(each): each for each in objects}
    if before is not None:
        known = {what: before.fleet.templates.get(what, each) for what, each in known.items()}
    fleet = assignment.Fleet(known, policies, **more)
    return assignment.Assignment(fleet, tuple(worlds.MEMBERS.values()), {}, before)


def test_what_changes_alone_says_the_same_as_what_is_decided_anew() -> None:
    policies = (worlds.everything("placement: {clusterAffinity: {clusterNames: [a, b]}}"), HOMES)
    one, two = worlds.one(worlds.SERVICE), worlds.one(worlds.SERVICE.replace("web", "other"))
    space = worlds.one(SPACE)
    states = ([one], [one, two], [one, two, space], [two, space], [space], [one])
    before = assigned([], *policies)
    for objects in states:
        now, anew = assigned(objects, *policies, before=before), assigned(objects, *policies)
        assert now.changed is not None
        for member in worlds.MEMBERS:
            assert now.copies(member) == anew.copies(member)
        old, new = before.copies("a"), now.copies("a")
        assert {what for what in old | new if old.get(what) != new.get(what)} <= now.changed
        before = now


def test_it_waits_until_the_fleets_namespaces_are_known() -> None:
    unheard = frozenset({homes.KIND})
    copy = assigned([worlds.one(worlds.SERVICE)], ON_A, HOMES, unheard=unheard).copy(PROD, "a")
    assert copy is not None and copy.along and copy.stopped == assignment.UNHEARD
