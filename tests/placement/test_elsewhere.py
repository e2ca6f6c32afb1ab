"""Services whose workloads go elsewhere."""

from typing import Any

from fedns.placement import assignment, defaults, elsewhere, item, plan
from tests.placement import worlds

SERVICE = worlds.SERVICE.replace("ports", "selector: {app: web}, ports")
BOTH = SERVICE + "---" + worlds.DEPLOYMENT
WEB = item.Ref("", "Service", "prod", "web")


def workload(*members: str) -> Any:
    spec = "resourceSelectors: [{apiVersion: apps/v1, kind: Deployment}]\n"
    return worlds.policy(f"{spec}placement: {{clusterAffinity: {{clusterNames: [{', '.join(members)}]}}}}")


def lonely(text: str, *policies: Any) -> list[str]:
    """Members with a Service that says that its workload is elsewhere."""
    made = plan.made(worlds.world(text, defaults.SERVICES, *policies))
    steps = [each for each in made.steps if each.ref == WEB]
    said = [
        each for each in steps if item.annotations(each.after or {}).get(elsewhere.NOTE) == elsewhere.VALUE
    ]
    assert {each.member for each in said} == {each.member for each in steps if elsewhere.WHY in each.why}
    return [each.member for each in said]


def test_a_service_without_any_of_its_workloads_says_so() -> None:
    assert lonely(BOTH, workload("a", "b")) == ["c"]
    assert lonely(BOTH, workload("a", "b", "c")) == []
    more = BOTH + "---" + worlds.DEPLOYMENT.replace("name: web,", "name: canary,")
    assert lonely(more, workload("a")) == ["b", "c"]


def test_what_nobody_places_or_that_selects_others_says_nothing() -> None:
    assert lonely(BOTH) == [], "no workload of the fleet's is placed"
    assert lonely(SERVICE, workload("a")) == []
    assert lonely(worlds.SERVICE + "---" + worlds.DEPLOYMENT, workload("a")) == [], "it selects nothing"
    other = SERVICE.replace("app: web}", "app: web, tier: x}") + "---" + worlds.DEPLOYMENT
    assert lonely(other, workload("a")) == []
    assert lonely(BOTH, workload("nobody")) == [], "where they are is not known"


def test_a_member_that_a_division_leaves_out_is_one() -> None:
    spec = """
resourceSelectors: [{apiVersion: apps/v1, kind: Deployment}]
placement:
  replicaScheduling:
    replicaSchedulingType: Divided
    weightPreference:
      staticWeightList:
      - {targetCluster: {clusterNames: [a]}, weight: 1}
      - {targetCluster: {clusterNames: [b]}, weight: 98}
"""
    assert lonely(BOTH, worlds.policy(spec)) == ["a", "c"]


def test_a_workload_that_moves_changes_the_service_too() -> None:
    def assigned(before: Any, *labels: str) -> assignment.Assignment:
        texts = [
            SERVICE,
            *(worlds.DEPLOYMENT.replace("app: web}\n", f"app: {each}}}\n", 1) for each in labels),
        ]
        known = {item.ref(each): each for each in (worlds.one(text) for text in texts)}
        if before is not None:
            known[WEB] = before.fleet.templates[WEB]
        rules = worlds.policy(
            "resourceSelectors: [{apiVersion: apps/v1, kind: Deployment,"
            " labelSelector: {matchLabels: {app: web}}}]\n"
            "placement: {clusterAffinity: {clusterNames: [a]}}"
        )
        fleet = assignment.Fleet(known, (rules, defaults.SERVICES))
        return assignment.Assignment(fleet, tuple(worlds.MEMBERS.values()), {}, before)

    before = None
    for labels in ((), ("web",), ()):
        now, anew = assigned(before, *labels), assigned(None, *labels)
        assert all(now.copies(name) == anew.copies(name) for name in worlds.MEMBERS)
        if before is not None:
            assert now.changed is not None and WEB in now.changed
            assert now.copy(WEB, "a") == before.copy(WEB, "a") and now.copy(WEB, "b") != before.copy(WEB, "b")
        before = now
