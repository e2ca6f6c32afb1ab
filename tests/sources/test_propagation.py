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
    found = content(SELECTS, "schedulerName: mine", "preemption: Always")
    (entry,) = found.entries.values()
    (told,) = found.problems
    assert entry.value is not None and "`schedulerName` has no effect: there is one scheduler" in told.what


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
        ((SELECTS, "placement: {spreadConstraints: [{minGroups: 1}]}"), "one of spreadByField"),
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
