"""The plan: who gets what, what goes, what stays, and what is dangerous."""

import random

from msgspec import structs

from fedns.placement import marks, plan
from tests.placement import worlds

BOTH = worlds.SERVICE + "---" + worlds.DEPLOYMENT
ON_A_B = "placement: {clusterAffinity: {clusterNames: [a, b]}}"


def test_an_object_is_created_where_its_policy_says_and_why_is_told() -> None:
    made = plan.made(worlds.world(worlds.SERVICE, worlds.everything(ON_A_B)))
    assert worlds.actions(made) == ["a: create Service", "b: create Service"]
    assert made.steps[0].why == (
        "PropagationPolicy prod/web selects it by kind",
        "its placement selects the member",
    )
    assert [(each.member, each.why) for each in made.absences] == [("c", "it is none of a, b")]


def test_a_plan_that_was_carried_out_leaves_nothing_to_do() -> None:
    told = (
        worlds.everything(ON_A_B),
        worlds.override("overriders: {imageOverrider: [{component: Tag, operator: replace, value: v2}]}"),
    )
    first = plan.made(worlds.world(BOTH, told[0], overrides=told[1:]))
    has = {name: worlds.after(first, name) for name in worlds.MEMBERS}
    again = plan.made(worlds.world(BOTH, told[0], overrides=told[1:], has=has))
    assert not again.work and len(again.steps) == len(first.steps)
    assert all(each.before is each.after or each.before == each.after for each in again.steps)


def test_what_is_in_no_namespace_is_selected_by_policies_of_the_cluster() -> None:
    for version, kind, has in (("v1", "PersistentVolume", ""), ("x.example/v1", "Thing", "has")):
        text = f"{{apiVersion: {version}, kind: {kind}, metadata: {{name: v}}}}" if has else worlds.SERVICE
        selects = f"apiVersion: {version}, kind: {kind}, name: v"
        own = worlds.policy(f"resourceSelectors: [{{{selects}}}]")
        told = worlds.said(plan.made(worlds.world(text, own)).warnings)
        assert f"a {kind} is in no namespace: a ClusterPropagationPolicy selects it" in told
        wide = worlds.policy(f"resourceSelectors: [{{{selects}, namespace: prod}}]", namespace="")
        told = worlds.said(plan.made(worlds.world(text, wide)).warnings)
        assert f"a {kind} is in no namespace: take out the selector's" in told


def test_a_policy_waits_for_the_overrides_that_it_needs() -> None:
    needs = worlds.everything("dependentOverrides: [web]\n" + ON_A_B)
    other = worlds.override("overriders: {labelsOverrider: [{operator: add, value: {x: y}}]}", name="other")
    made = plan.made(worlds.world(BOTH, needs, overrides=[other], has={"a": [worlds.one(worlds.SERVICE)]}))
    assert not made.work and not made.steps, "nothing is made, and nothing is taken away"
    told = "PropagationPolicy prod/web: it waits for OverridePolicy prod/web (dependentOverrides)"
    assert worlds.said(made.errors) == f"{told} (what is there stays as it is until then)"
    web = structs.replace(other, name="web")
    assert len(plan.made(worlds.world(BOTH, needs, overrides=[other, web])).work) == 4
    cluster = worlds.everything("dependentOverrides: [web]", namespace="")
    made = plan.made(worlds.world(BOTH, cluster, overrides=[web]))
    assert "it waits for ClusterOverridePolicy web" in worlds.said(made.errors)


def test_the_order_of_what_is_told_makes_no_difference() -> None:
    world = worlds.world(
        BOTH,
        worlds.everything(ON_A_B, name="one"),
        worlds.everything("placement: {}", name="two"),
        worlds.everything("priority: 3", namespace="", name="three"),
    )
    before = plan.made(world)
    for seed in range(5):
        mixed = {
            field: random.Random(seed).sample(list(getattr(world, field)), len(getattr(world, field)))
            for field in ("templates", "policies", "clusters")
        }
        assert plan.made(structs.replace(world, **mixed)) == before


def test_what_changed_in_the_fleet_is_updated_and_what_the_member_added_stays() -> None:
    first = plan.made(worlds.world(worlds.SERVICE, worlds.everything(ON_A_B)))
    (there,) = worlds.after(first, "a")
    there["spec"] |= {"clusterIP": "10.0.0.7", "ports": [{"port": 80, "protocol": "TCP", "nodePort": 30080}]}
    there["metadata"]["annotations"]["cloud/id"] = "lb-1"
    text = worlds.SERVICE.replace("[{port: 80}]", "[{port: 80, name: http}, {port: 443, name: https}]")
    made = plan.made(worlds.world(text, worlds.everything(ON_A_B), has={"a": [there]}))
    (step,) = [each for each in made.steps if each.member == "a"]
    assert step.action == "update" and step.after is not None
    assert step.after["spec"]["clusterIP"] == "10.0.0.7"
    assert step.after["spec"]["ports"] == [
        {"port": 80, "protocol": "TCP", "nodePort": 30080, "name": "http"},
        {"port": 443, "name": "https"},
    ]
    assert step.after["metadata"]["annotations"]["cloud/id"] == "lb-1"


def copies(*specs: str) -> dict[str, list[dict[str, object]]]:
    """What members have after policies with these lines."""
    made = plan.made(worlds.world(worlds.SERVICE, worlds.everything("\n".join((ON_A_B, *specs)))))
    return {name: worlds.after(made, name) for name in ("a", "b")}


def test_a_member_that_is_not_chosen_any_more_loses_its_copy_unless_it_is_preserved() -> None:
    less = "placement: {clusterAffinity: {clusterNames: [a]}}"
    made = plan.made(worlds.world(worlds.SERVICE, worlds.everything(less), has=copies()))
    assert worlds.actions(made) == ["a: keep Service", "b: delete Service"]
    assert made.steps[1].why == ("it is none of a",)
    kept = plan.made(worlds.world(worlds.SERVICE, worlds.everything(less), has=copies("prune: false")))
    assert kept.steps[1].action == "orphan"
    assert not marks.ours(kept.steps[1].after or {})


def test_copies_of_a_policy_that_is_gone_stay_unless_it_prunes() -> None:
    stays = plan.made(worlds.world(worlds.SERVICE, has=copies()))
    assert worlds.actions(stays) == ["a: orphan Service", "b: orphan Service"]
    goes = plan.made(worlds.world(worlds.SERVICE, has=copies("prune: true")))
    assert worlds.actions(goes) == ["a: delete Service", "b: delete Service"]


def test_copies_of_a_template_that_is_gone_go_unless_preserved() -> None:
    told = worlds.everything(ON_A_B)
    goes = plan.made(worlds.world("", told, has=copies()))
    assert worlds.actions(goes) == ["a: delete Service", "b: delete Service"]
    stays = plan.made(worlds.world("", told, has=copies("preserveResourcesOnDeletion: true")))
    assert worlds.actions(stays) == ["a: orphan Service", "b: orphan Service"]


def test_what_is_not_ours_is_taken_only_where_it_is_equal_or_by_leave() -> None:
    same, other = worlds.one(worlds.SERVICE), worlds.one(worlds.SERVICE.replace("80", "81"))
    has = {"a": [same], "b": [other]}
    made = plan.made(worlds.world(worlds.SERVICE, worlds.everything(ON_A_B), has=has))
    assert worlds.actions(made) == ["a: update Service", "b: refuse Service"]
    assert made.steps[0].why[-1] == "it is there already, and becomes ours"
    assert made.steps[1].after == other and "Overwrite takes it" in worlds.said(made.warnings)
    told = worlds.everything(ON_A_B + "\nconflictResolution: Overwrite")
    taken = plan.made(worlds.world(worlds.SERVICE, told, has=has))
    assert worlds.actions(taken) == ["a: update Service", "b: update Service"]


def test_what_is_not_ours_is_never_removed() -> None:
    made = plan.made(worlds.world("", worlds.everything(ON_A_B), has={"a": [worlds.one(worlds.SERVICE)]}))
    assert made.steps == () and made.losses == (
        plan.Loss("a", 0, 0),
        plan.Loss("b", 0, 0),
        plan.Loss("c", 0, 0),
    )


def test_losing_more_than_half_is_dangerous() -> None:
    many = "---".join(worlds.SERVICE.replace("web", f"web{each}") for each in range(4))
    told = worlds.everything(ON_A_B)
    first = plan.made(worlds.world(many, told))
    has = {name: worlds.after(first, name) for name in ("a", "b")}
    half = "---".join(many.split("---")[:2])
    assert plan.made(worlds.world(half, told, has=has)).dangers == ()
    one = many.split("---")[0]
    assert plan.made(worlds.world(one, told, has=has)).dangers == (plan.Loss("a", 3, 4), plan.Loss("b", 3, 4))


def test_a_member_that_nobody_knows_is_an_error_and_everything_stays() -> None:
    told = worlds.everything("placement: {clusterAffinity: {clusterNames: [aa, b]}}")
    made = plan.made(worlds.world(worlds.SERVICE, told, has=copies()))
    assert worlds.said(made.errors) == "PropagationPolicy prod/web: there is no member aa (did you mean a?)"
    assert {each.why for each in made.absences} == {
        "PropagationPolicy prod/web names a member that is not known: aa"
    }
    assert worlds.actions(made) == ["a: refuse Service", "b: refuse Service"]


def test_a_member_that_tells_nothing_or_not_all_loses_nothing() -> None:
    told, members = worlds.everything(ON_A_B), worlds.MEMBERS
    clusters = [plan.Cluster(members["a"]), plan.Cluster(members["b"], {}, whole=False)]
    made = plan.made(worlds.world(worlds.SERVICE, told, clusters=clusters))
    assert worlds.actions(made) == ["b: refuse Service"]
    assert "member a: what it has is not known" in worlds.said(made.warnings)


def test_the_winner_is_of_the_namespace_then_by_priority_then_explicit_then_by_name() -> None:
    named = "resourceSelectors: [{apiVersion: v1, kind: Service, name: web}]"
    rows = [
        (worlds.policy(named, "z", ""), "ClusterPropagationPolicy z"),
        (worlds.policy(named + "\npriority: 1", "y", ""), "ClusterPropagationPolicy y"),
        (worlds.everything(name="x"), "PropagationPolicy prod/x"),
        (worlds.everything(name="b"), "PropagationPolicy prod/b"),
        (worlds.policy(named, "c"), "PropagationPolicy prod/c"),
        (worlds.everything("priority: 1", name="w"), "PropagationPolicy prod/w"),
    ]
    for count in range(1, len(rows) + 1):
        made = plan.made(worlds.world(worlds.SERVICE, *(each for each, _ in rows[:count])))
        assert {each.policy for each in made.steps} == {rows[count - 1][1]}


def test_nothing_of_the_system_namespaces_is_propagated() -> None:
    text = worlds.SERVICE.replace("namespace: prod", "namespace: kube-system")
    assert not plan.made(worlds.world(text, worlds.everything(namespace=""))).steps


def test_selectors_that_select_nothing_are_told_with_what_may_be_meant() -> None:
    rows = "[{apiVersion: extensions/v1beta1, kind: Deployment}, {apiVersion: v1, kind: service}]"
    wrong = f"resourceSelectors: {rows}"
    made = plan.made(worlds.world(BOTH, worlds.policy(wrong)))
    told = worlds.said(made.warnings)
    assert "Deployment is of apiVersion apps/v1" in told and "did you mean Service?" in told


def test_an_override_that_beats_the_schedule_is_told() -> None:
    divided = "placement: {replicaScheduling: {replicaSchedulingType: Divided}}"
    over = worlds.override(
        "overrideRules: [{targetCluster: {clusterNames: [b]}, "
        "overriders: {plaintext: [{path: /spec/replicas, operator: replace, value: 9}]}}]"
    )
    made = plan.made(worlds.world(worlds.DEPLOYMENT, worlds.everything(divided), overrides=(over,)))
    assert [each["spec"]["replicas"] for name in "abc" for each in worlds.after(made, name)] == [2, 9, 2]
    assert "Deployment prod/web in b: an override makes its replicas 9, 2 were scheduled" in worlds.said(
        made.warnings
    )


def test_one_override_that_cannot_be_applied_stops_one_object_in_one_member() -> None:
    over = worlds.override(
        "overrideRules: [{targetCluster: {clusterNames: [b]}, "
        "overriders: {plaintext: [{path: /spec/paused, operator: remove}]}}]"
    )
    made = plan.made(worlds.world(BOTH, worlds.everything(ON_A_B), overrides=(over,)))
    assert [each for each in worlds.actions(made) if "refuse" in each] == [
        "b: refuse Service",
        "b: refuse Deployment",
    ]
    assert "OverridePolicy prod/web: Deployment prod/web in b: remove /spec/paused" in worlds.said(
        made.errors
    )


def test_what_an_object_needs_goes_where_it_goes() -> None:
    text = worlds.DEPLOYMENT.replace("image:", "envFrom: [{secretRef: {name: s}}], image:") + (
        "---\n{apiVersion: v1, kind: Secret, metadata: {name: s, namespace: prod}}"
        "\n---\n{apiVersion: v1, kind: Secret, metadata: {name: t, namespace: prod}}"
    )
    made = plan.made(worlds.world(text, worlds.everything(ON_A_B + "\npropagateDeps: true")))
    secrets = [each for each in made.steps if each.ref.kind == "Secret"]
    assert [(each.member, each.ref.name) for each in secrets] == [("a", "s"), ("b", "s")]
    assert "Deployment prod/web needs it" in secrets[0].why[0]


def test_an_autoscaler_in_the_member_keeps_its_replicas() -> None:
    (there,) = worlds.after(plan.made(worlds.world(worlds.DEPLOYMENT, worlds.everything(ON_A_B))), "a")
    there["spec"]["replicas"] = 11
    scaler = worlds.one(
        "{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: {name: h, namespace: prod},"
        " spec: {scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}}}"
    )
    told = worlds.everything(ON_A_B)
    drifted = plan.made(worlds.world(worlds.DEPLOYMENT, told, has={"a": [there]}))
    assert worlds.actions(drifted)[0] == "a: update Deployment"
    scaled = plan.made(worlds.world(worlds.DEPLOYMENT, told, has={"a": [there, scaler]}))
    assert worlds.actions(scaled)[0] == "a: keep Deployment"


def test_a_headless_service_over_one_with_an_address_is_refused() -> None:
    (there,) = copies()["a"]
    there["spec"] |= {"clusterIP": "10.0.0.7"}  # type: ignore[operator]
    text = worlds.SERVICE.replace("type: LoadBalancer", 'clusterIP: "None"')
    made = plan.made(worlds.world(text, worlds.everything(ON_A_B), has={"a": [there]}))
    assert worlds.actions(made) == ["a: refuse Service", "b: create Service"]


def test_what_is_suspended_is_not_touched() -> None:
    told = worlds.everything(ON_A_B + "\nsuspension: {dispatchingOnClusters: {clusterNames: [b]}}")
    made = plan.made(worlds.world(worlds.SERVICE, told))
    assert worlds.actions(made) == ["a: create Service", "b: refuse Service"]


def test_the_account_of_every_namespace_is_let_go() -> None:
    """Tokens of pods would end with it."""
    text = "---\n".join(
        f"{{apiVersion: v1, kind: ServiceAccount, metadata: {{name: {name}, namespace: prod}}}}\n"
        for name in ("default", "robot")
    )
    spec = "resourceSelectors: [{apiVersion: v1, kind: ServiceAccount}]\nprune: true\nplacement: "
    told, less = (worlds.policy(f"{spec}{{clusterAffinity: {{clusterNames: [{name}]}}}}") for name in "ab")
    there = {"a": worlds.after(plan.made(worlds.world(text, told)), "a")}
    for gone in (worlds.world("", told, has=there), worlds.world(text, less, has=there)):
        found = {each.ref.name: each.action for each in plan.made(gone).steps if each.member == "a"}
        assert found == {"default": "orphan", "robot": "delete"}


def test_namespaces_come_first_and_go_last() -> None:
    text = worlds.SERVICE + "---\n{apiVersion: v1, kind: Namespace, metadata: {name: prod}}"
    spec = (
        "resourceSelectors: [{apiVersion: v1, kind: Namespace}, {apiVersion: v1, kind: Service}]\n"
        "placement: {clusterAffinity: {clusterNames: [a]}}"
    )
    told, prunes = (worlds.policy(spec + more, namespace="") for more in ("", "\nprune: true"))
    made = plan.made(worlds.world(text, told))
    assert worlds.actions(made) == ["a: create Namespace", "a: create Service"]
    gone = plan.made(worlds.world("", told, has={"a": worlds.after(made, "a")}))
    assert worlds.actions(gone) == ["a: orphan Namespace", "a: delete Service"]  # others may be in it
    made = plan.made(worlds.world(text, prunes))
    gone = plan.made(worlds.world("", prunes, has={"a": worlds.after(made, "a")}))
    assert worlds.actions(gone) == ["a: delete Service", "a: delete Namespace"]


def test_a_fleet_that_cannot_be_read_whole_takes_nothing_away() -> None:
    world = structs.replace(
        worlds.world("", worlds.everything(ON_A_B), has=copies("prune: true")), whole=False
    )
    assert worlds.actions(plan.made(world)) == ["a: refuse Service", "b: refuse Service"]


def test_copies_of_kinds_that_the_fleet_was_not_asked_for_are_not_looked_at() -> None:
    world = structs.replace(worlds.world("", has=copies()), kinds=frozenset({("apps", "Deployment")}))
    assert plan.made(world).steps == ()


def test_a_kind_that_a_member_does_not_serve_is_refused_there() -> None:
    there = plan.Cluster(worlds.MEMBERS["a"], {}, missing=frozenset({("v1", "Service")}))
    made = plan.made(worlds.world(worlds.SERVICE, worlds.everything(), clusters=[there]))
    assert worlds.actions(made) == ["a: refuse Service"]
    assert made.steps[0].why[-1] == "the member does not serve Service (v1)"
