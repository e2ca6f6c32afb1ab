"""Propagation policies in every dialect: one value; what is odd is said, what is wrong is a problem."""

import pytest

from fedns.model.propagation import (
    Affinity,
    Clusters,
    Division,
    Placement,
    Propagation,
    Requirement,
    Resources,
    Spread,
    Toleration,
    Weight,
)
from fedns.sources import documents, overrides

GROUPS = ("policy.karmada.io", "one.alibabacloud.com", "policy.one.alibabacloud.com")
HEAD = "apiVersion: {}/v1alpha1\nkind: {}\nmetadata: {{name: web, namespace: prod}}\nspec:\n"
SELECTS = "resourceSelectors: [{apiVersion: apps/v1, kind: Deployment}]"


def content(*lines: str, kind: str = "PropagationPolicy", group: str = GROUPS[0]) -> documents.Content:
    text = HEAD.format(group, kind) + "".join(f"  {line}\n" for line in lines)
    return documents.read("f.yaml", text.encode(), overrides.KINDS, documents.Content())


def value(*lines: str, kind: str = "PropagationPolicy", group: str = GROUPS[0]) -> Propagation:
    found = content(*lines, kind=kind, group=group)
    assert not found.problems, found.problems
    (entry,) = found.entries.values()
    assert isinstance(entry.value, Propagation)
    return entry.value


def problem(*lines: str, kind: str = "PropagationPolicy", group: str = GROUPS[0]) -> str:
    (found,) = content(*lines, kind=kind, group=group).problems
    return str(found)


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("names", ["clusterNames", "clusterIds"])
def test_every_dialect_says_the_same(group: str, names: str) -> None:
    found = value(SELECTS, f"placement: {{clusterAffinity: {{{names}: [a, b]}}}}", group=group)
    assert found.placement.affinities == (Affinity(Clusters(names=("a", "b"))),)
    assert found.resources == (Resources("apps/v1", "Deployment", "prod"),)
    assert found.title == "PropagationPolicy prod/web"


def test_a_whole_placement() -> None:
    found = value(
        SELECTS,
        "priority: 5",
        "propagateDeps: true",
        "conflictResolution: Overwrite",
        "placement:",
        "  clusterAffinities:",
        "  - {affinityName: first, labelSelector: {matchLabels: {env: prod}}, exclude: [c]}",
        "  - affinityName: second",
        "    fieldSelector: {matchExpressions: [{key: region, operator: In, values: [eu]}]}",
        "  clusterTolerations: [{key: maintenance, operator: Exists}]",
        "  spreadConstraints: [{spreadByField: zone, minGroups: 2, maxGroups: 3}, {spreadByField: cluster}]",
        "  replicaScheduling:",
        "    replicaSchedulingType: Divided",
        "    weightPreference: {staticWeightList: [{targetCluster: {clusterIds: [a]}, weight: 2}]}",
    )
    assert (found.priority, found.dependencies, found.overwrite) == (5, True, True)
    assert found.placement == Placement(
        affinities=(
            Affinity(Clusters(labels=(Requirement("env", "In", ("prod",)),), exclude=("c",)), "first"),
            Affinity(Clusters(fields=(Requirement("region", "In", ("eu",)),)), "second"),
        ),
        tolerations=(Toleration("maintenance", "Exists"),),
        spread=(Spread("zone", "", 2, 3), Spread("cluster")),
        division=Division("Weighted", (Weight(Clusters(names=("a",)), 2),)),
    )


@pytest.mark.parametrize(
    ("line", "preserve", "prune"),
    [
        ("priority: 0", False, False),
        ("prune: false", True, False),
        ("prune: true", False, True),
        ("preserveResourcesOnDeletion: true", True, False),
        ("preserveResourcesOnDeletion: false", False, False),
    ],
)
def test_pruning_and_preserving_are_opposites(line: str, preserve: bool, prune: bool) -> None:
    found = value(SELECTS, line)
    assert (found.preserve, found.prune) == (preserve, prune)


def test_suspension_of_all_or_of_some() -> None:
    assert value(SELECTS, "suspension: {dispatching: true}").suspended is None
    some = value(SELECTS, "suspension: {dispatchingOnClusters: {clusterNames: [a]}}")
    assert some.suspended == ("a",)


def test_the_misspelt_kind_counts_and_is_told() -> None:
    found = content(SELECTS, kind="ClutserPropagationPolicy", group=GROUPS[1])
    (entry,) = found.entries.values()
    assert entry.value.title == "ClusterPropagationPolicy web"
    (told,) = found.problems
    assert told.where == "f.yaml:1" and "is spelt ClusterPropagationPolicy" in told.what


def test_what_has_no_effect_is_said_with_the_reason() -> None:
    found = content(SELECTS, "schedulerName: mine", "preemption: Never")
    (entry,) = found.entries.values()
    (told,) = found.problems
    assert entry.value is not None and "`schedulerName` has no effect: there is one scheduler" in told.what


def test_seconds_of_a_toleration_are_told_to_have_no_effect() -> None:
    tolerates = "{key: k, operator: Exists, effect: NoExecute, tolerationSeconds: 300}"
    (told,) = content(SELECTS, f"placement: {{clusterTolerations: [{tolerates}]}}").problems
    assert "`tolerationSeconds` has no effect: what is tolerated is tolerated for good" in told.what


def test_what_is_spread_by_nothing_is_spread_by_cluster_into_one_at_least() -> None:
    found = value(SELECTS, "placement: {spreadConstraints: [{maxGroups: 2}]}")
    assert found.placement.spread == (Spread("cluster", "", 1, 2),)
    found = value(SELECTS, "placement: {spreadConstraints: [{spreadByLabel: rack, minGroups: 0}]}")
    assert found.placement.spread == (Spread("", "rack", 1, 0),)


def test_overflow_is_told_to_have_no_effect() -> None:
    groups = "[{affinityName: one, clusterNames: [a], overflowAffinities: [{affinityName: two}]}]"
    found = content(SELECTS, f"placement: {{clusterAffinities: {groups}}}")
    assert "`overflowAffinities` has no effect" in found.problems[0].what
    assert [one.value is not None for one in found.entries.values()] == [True]


def test_an_unknown_group_is_refused_with_the_known_ones() -> None:
    told = problem(SELECTS, group="policy.example.com")
    assert all(f"{group}/v1alpha1" in told for group in GROUPS)


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (("resourceSelector: []",), "did you mean 'resourceSelectors'?"),
        ((SELECTS, "placement: {clusterAffinty: {}}"), "did you mean 'clusterAffinity'?"),
        (("resourceSelectors: []",), "it selects something"),
        (
            ("resourceSelectors: [{apiVersion: v1, kind: Service, namespace: x}]",),
            "in its own namespace (prod)",
        ),
        ((SELECTS, "placement: {clusterAffinity: {clusterNames: [a], clusterIds: [b]}}"), "and differ"),
        ((SELECTS, "placement: {clusterAffinity: {}, clusterAffinities: []}"), "either one or the other"),
        ((SELECTS, "prune: true", "preserveResourcesOnDeletion: true"), "the opposite"),
        (
            (SELECTS, "placement: {spreadConstraints: [{spreadByField: zone, spreadByLabel: rack}]}"),
            "one of spreadByField",
        ),
        ((SELECTS, "dependentOverrides: web"), "Expected `array | null`, got `str`"),
        ((SELECTS, f"priority: {1 << 31}"), "a priority has 32 bits"),
        ((SELECTS, "conflictResolution: Force"), "Invalid enum value 'Force'"),
        (
            (
                SELECTS,
                "placement: {replicaScheduling: {weightPreference: {staticWeightList: "
                "[{targetCluster: {}, weight: 0}]}}}",
            ),
            "left out",
        ),
    ],
)
def test_mistakes_are_problems_with_their_line(lines: tuple[str, ...], told: str) -> None:
    found = problem(*lines)
    assert found.startswith("f.yaml:1: PropagationPolicy prod/web: ") and told in found, found


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize(
    ("kind", "meant"),
    [
        ("Propagationpolicy", "PropagationPolicy"),
        ("ClusterPropogationPolicy", "ClusterPropagationPolicy"),
        ("OverridePolicies", "OverridePolicy"),
        ("ClutserOverridePolicy", "ClusterOverridePolicy"),
    ],
)
def test_a_kind_that_is_misspelt_is_no_application(group: str, kind: str, meant: str) -> None:
    found = problem(SELECTS, kind=kind, group=group)
    assert found.startswith("f.yaml:1: ") and f"there is no kind {kind} (did you mean {meant}?)" in found


@pytest.mark.parametrize("kind", ["ClusterTaintPolicy", "FederatedResourceQuota"])
def test_other_kinds_of_karmadas_are_passed_over(kind: str) -> None:
    assert not content(SELECTS, kind=kind).problems


def test_a_policy_has_a_version() -> None:
    text = HEAD.format(GROUPS[0], "OverridePolicy").partition("\n")[2] + f"  {SELECTS}\n"
    (found,) = documents.read("f.yaml", text.encode(), overrides.KINDS, documents.Content()).problems
    assert "a policy has an apiVersion (known: policy.karmada.io/v1alpha1, " in str(found)


def test_what_is_there_twice_is_told_and_changes_nothing() -> None:
    found = problem(SELECTS, "placement: {clusterAffinity: {}}", "placement: {}")
    assert "`placement` is there twice, and only one of them can count" in found
    assert not content(SELECTS, "placement: &a {}", "association: {<<: *a, x: {x: 1}}").problems[1:]


def test_the_last_good_policy_stays() -> None:
    good = content(SELECTS)
    text = HEAD.format(GROUPS[0], "PropagationPolicy") + "  resourceSelectors: 7\n"
    found = documents.read("f.yaml", text.encode(), overrides.KINDS, good)
    assert [each.value for each in found.entries.values()] == [each.value for each in good.entries.values()]
    assert found.problems


def test_a_doubt_does_not_keep_what_was_removed_from_its_file() -> None:
    text = HEAD.format(GROUPS[0], "ClutserPropagationPolicy") + f"  {SELECTS}\n"
    other = HEAD.format(GROUPS[0], "PropagationPolicy") + f"  {SELECTS}\n"
    both = documents.read("f.yaml", f"{text}---\n{other}".encode(), overrides.KINDS, documents.Content())
    assert len(both.entries) == 2
    assert len(documents.read("f.yaml", text.encode(), overrides.KINDS, both).entries) == 1


CASES = {
    "placement: {spreadConstraints: [{spreadByField: region, minGroups: 2}]}": "add {spreadByField: cluster",
    "placement: {clusterAffinities: [{affinityName: " + "g" * 33 + "}]}": "at most 32 characters",
    "placement: {clusterAffinity: {fieldSelector: {matchExpressions: [{key: zones, operator: In, "
    "values: [z]}]}}}": "provider, region, zone, not `zones`",
    "placement: {clusterAffinity: {fieldSelector: {matchExpressions: [{key: zone, operator: Exists}]}}}": (
        "a field is In or NotIn values"
    ),
    "placement: {clusterTolerations: [{key: k, operator: Exists, value: v}]}": "Exists goes without a value",
    "placement: {clusterTolerations: [{key: k, effect: NoExec}]}": "an effect is one of NoSchedule",
    "placement: {spreadConstraints: [{spreadByField: cluster}, {spreadByField: cluster, minGroups: 2}]}": (
        "one constraint for each"
    ),
    "preemption: Always": "goes with selectors by name",
    "suspension: {dispatching: true, dispatchingOnClusters: {clusterNames: [a]}}": "not both",
}


@pytest.mark.parametrize("line", CASES)
def test_what_karmadas_admission_refuses_is_refused(line: str) -> None:
    found = problem(SELECTS, line)
    assert found.startswith("f.yaml:1: PropagationPolicy prod/web: ") and CASES[line] in found, found


def test_names_have_an_end() -> None:
    text = HEAD.format(GROUPS[0], "PropagationPolicy").replace("web", "w" * 64) + f"  {SELECTS}\n"
    (found,) = documents.read("f.yaml", text.encode(), overrides.KINDS, documents.Content()).problems
    assert "a name has 1 to 63 characters, not 64 - at `$.metadata.name`" in str(found)


def test_namespaces_that_are_never_selected_are_told() -> None:
    selects = "resourceSelectors: [{apiVersion: v1, kind: Service, namespace: kube-system}]"
    found = content(selects, kind="ClusterPropagationPolicy")
    (told,) = found.problems
    assert "what is in kube-system is never selected" in told.what
    assert [one.value is not None for one in found.entries.values()] == [True]


def test_a_policy_that_went_bad_keeps_what_it_was() -> None:
    good = HEAD.format(GROUPS[0], "PropagationPolicy") + f"  {SELECTS}\n"
    bad = good + "  preemption: Always\n"
    before = documents.read("f.yaml", good.encode(), overrides.KINDS, documents.Content())
    after = documents.read("f.yaml", bad.encode(), overrides.KINDS, before)
    assert [one.value for one in after.entries.values()] == [one.value for one in before.entries.values()]
    assert after.problems
