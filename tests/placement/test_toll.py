"""Who still serves what a plan takes away, and who is left."""

from typing import Any

from fedns.placement import item, plan, toll
from tests.placement import worlds

SPEC = "placement: {clusterAffinity: {clusterNames: [b]}}"
WEB = toll.Key("prod", "web")
SELECTING = worlds.SERVICE.replace("LoadBalancer,", "LoadBalancer, selector: {app: web},")
BOTH = f"{SELECTING}---{worlds.DEPLOYMENT}"


def slices(*ready: bool | None, name: str = "web", family: str = "10.0.0") -> Any:
    """Of a Service, one endpoint each; None: nothing is said."""
    rows = [
        {"addresses": [f"{family}.{at}"], "targetRef": {"name": f"pod-{at}"}}
        | ({} if each is None else {"conditions": {"ready": each}})
        for at, each in enumerate(ready)
    ]
    meta = {"name": f"{name}-{family}", "namespace": "prod", "labels": {toll.OWNER: name}}
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": meta,
        "endpoints": rows,
    }


def placed(text: str) -> list[Any]:
    """As a member has it from us."""
    return worlds.after(plan.made(worlds.world(text, worlds.everything())), "a")


def told(
    fleet: str, has: dict[str, list[Any]], policy: Any = None, drained: str = "", waits: str = ""
) -> list[str]:
    world = worlds.world(fleet, worlds.everything(SPEC) if policy is None else policy, has=has)
    there = {each.member.name: dict(each.items or {}) for each in world.clusters}
    ready = {name: toll.ready(items.values()) for name, items in there.items()}
    lost = toll.lost(plan.made(world), there)
    taken = toll.warnings(lost, ready, lambda name, key: f"{name}/{key}" == drained, lambda key: waits)
    return [str(each) for each in taken]


def test_ready_endpoints_are_counted_once_for_both_families() -> None:
    both = [slices(True, None, False), slices(True, None, False, family="fd00:")]
    assert toll.ready(both) == {WEB: 2}
    assert toll.ready([{"kind": "EndpointSlice", "metadata": {}, "endpoints": [{}]}]) == {}


def test_a_member_that_still_serves_is_to_be_drained_first() -> None:
    has = {"a": [*placed(BOTH), slices(True, True, True)], "b": [slices(True)]}
    (said,) = told(BOTH, has)
    assert said == (
        "Service prod/web in a: it still serves (3 of 4 ready endpoints), and is not drained; b would be left"
        " (`fedns drain a/prod/web --wait` first)"
    )
    assert told(BOTH, has, drained="a/prod/web") == []


def test_where_nobody_is_left_it_is_said_aloud_and_of_who_was_drained_too() -> None:
    for others in ([], [slices(False)]):
        has = {"a": [*placed(BOTH), slices(True)], "b": others}
        for drained in ("", "a/prod/web"):
            (said,) = told(BOTH, has, drained=drained)
            assert "(1 of 1 ready endpoints), and NOBODY IS LEFT who would" in said


def test_whose_clients_leave_first_anyhow_need_not_be_drained() -> None:
    has = {"a": [*placed(BOTH), slices(True)], "b": [slices(True)]}
    (said,) = told(BOTH, has, waits="it waits")
    assert said.endswith("and is not drained; b would be left (it waits)")
    (said,) = told(BOTH, {**has, "b": []}, waits="it waits")
    assert said.endswith("(1 of 1 ready endpoints), and nobody else does yet (it waits)")


def test_who_serves_nobody_is_taken_away_without_a_word() -> None:
    assert told(BOTH, {"a": [*placed(BOTH), slices(False, False)], "b": [slices(True)]}) == []


def test_a_template_that_is_gone_takes_all_members() -> None:
    has = {name: [*placed(BOTH), slices(True)] for name in ("a", "b")}
    said = told("", has)
    assert len(said) == 2 and all("(1 of 2 ready endpoints), and NOBODY IS LEFT" in each for each in said)


def test_a_workload_takes_the_services_with_it_that_it_alone_is_behind() -> None:
    selects = "resourceSelectors: [{apiVersion: apps/v1, kind: Deployment}]\n"
    policies = worlds.policy(selects + SPEC)
    theirs = worlds.one(SELECTING)
    pods = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": "p",
            "namespace": "prod",
            "labels": {"app": "web"},
            "ownerReferences": [{"kind": "ReplicaSet"}],
        },
    }
    has = {"a": [*placed(worlds.DEPLOYMENT), theirs, pods, slices(True)], "b": [slices(True)]}
    (said,) = told(worlds.DEPLOYMENT, has, policies)
    assert said.startswith("Service prod/web in a: it still serves (1 of 2")
    other = worlds.one(worlds.DEPLOYMENT.replace("name: web", "name: own", 1))
    assert item.ref(other).name == "own"
    assert told(worlds.DEPLOYMENT, {**has, "a": [*has["a"], other]}, policies) == []
