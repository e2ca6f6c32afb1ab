"""Imports written to members that are real API servers: the assertions of the conformance tests of the
Multi-Cluster Services API, one test each, in its own namespace. What needs no steps is there from the start.

That an IP is allocated for each family is not among them: fedns allocates none.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from fedns.distribute import rights
from tests.envtest import clusters
from tests.fakes import kubecluster
from tests.scenarios import clustersets, fleets, world
from tests.scenarios.clustersets import HTTP, export, port, service, slice_of

NEEDS = rights.Needs(member=True, clusterset=True, imports=True, slices=True)
ACCOUNT = rights.reader("fedns")
AFFINE = {"sessionAffinity": "ClientIP", "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 10}}}
ADMIN, METRICS = port("admin", 8080), port("metrics", 9090, "UDP")
LABELLED = {"exportedLabels": {"tier": "front"}, "exportedAnnotations": {"example.com/note": "x"}}
FIRST: dict[str, tuple[Any, ...]] = {
    "clusterip": (service("clusterip"), export("clusterip")),
    "affine": (service("affine", **AFFINE), export("affine")),
    "internal": (service("internal", internalTrafficPolicy="Local"), export("internal")),
    "distribution": (service("distribution", trafficDistribution="PreferClose"), export("distribution")),
    "ports": (service("ports", HTTP, METRICS), export("ports")),
    "union": (service("union", HTTP, ADMIN), export("union")),
    "conflict": (service("conflict", HTTP), export("conflict")),
    "headless": (service("headless", clusterIP="None"), export("headless")),
    "external": (service("external", type="ExternalName", externalName="example.com"), export("external")),
    "kinds": (service("kinds"), export("kinds")),
    "hidden": (service("hidden"),),
    "labels": (service("labels"), export("labels", **LABELLED)),
    "nothing": (export("nothing"),),
    "slices": (service("slices"), slice_of("slices", "10.1.0.1", "10.1.0.2"), export("slices")),
}
"""Namespace -> what the first member has there."""
SECOND: dict[str, tuple[Any, ...]] = {
    "union": (service("union", HTTP, METRICS), export("union")),
    "conflict": (service("conflict", port("http", 8080)), export("conflict")),
    "kinds": (service("kinds", clusterIP="None"), export("kinds")),
    "labels": (service("labels"), export("labels", exportedLabels={"tier": "back"})),
}
"""What the second one has, a second later."""


class Stage(NamedTuple):
    farm: clusters.Farm
    served: world.Served

    def of(self, space: str) -> clustersets.Set:
        return clustersets.Set((self.farm.one, self.farm.two), space)


@pytest.fixture(scope="module")
def stage(_farm: clusters.Farm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    root = tmp_path_factory.mktemp("imports")
    for cluster in _farm.clusters:
        cluster.again()
        cluster.clear()
        cluster.put(kubecluster.namespace("fedns"))
    _farm.fleet.define(*fleets.DEFINITIONS)
    fleet = fleets.Fleet(root, _farm)
    for cluster in (_farm.one, _farm.two):
        joins(cluster, root)
    for space, objects in FIRST.items():
        clustersets.Set((_farm.one, _farm.two), space)
        _farm.one.put(*objects)
    clustersets.apart()
    for objects in SECOND.values():
        _farm.two.put(*objects)
    fleet.write_config("clusterset: {write: true, slices: true}\n")
    with world.serve(fleet) as served:
        yield Stage(_farm, served)


def joins(cluster: clusters.Cluster, root: Path) -> None:
    """A member, and an account with the rights that it takes and no other."""
    cluster.define(*clustersets.DEFINITIONS)
    zone = fleets.ZONES[cluster.name]
    cluster.put(kubecluster.node("n1", zone[:-2], zone), rights.account(ACCOUNT))
    cluster.put(*rights.granted(ACCOUNT, rights.rights(NEEDS)))
    cluster.kubeconfig(root / f"{cluster.name}.kubeconfig", cluster.token(ACCOUNT.name, ACCOUNT.namespace))


def shown(found: Any, *fields: str) -> list[Any]:
    """Fields of the spec of a ServiceImport."""
    return [found["spec"].get(field) for field in fields] if found else []


def test_a_service_import_exists_only_while_at_least_one_cluster_exports(stage: Stage) -> None:
    found, (one, two) = stage.of("lasting"), (stage.farm.one, stage.farm.two)
    one.put(service("lasting"), export("lasting"))
    found.everywhere(bool, "an import")
    two.put(service("lasting"), export("lasting"))

    def sources(made: Any) -> list[str]:
        rows = made.get("status", {}).get("clusters", ()) if made else ()
        return sorted(row["cluster"] for row in rows)

    found.everywhere(lambda made: sources(made) == ["one", "two"], "both export")
    one.delete(export("lasting"))
    found.everywhere(lambda made: sources(made) == ["two"], "one is left")
    two.delete(export("lasting"))
    found.everywhere(lambda made: made is None, "no import")


def test_exporting_a_cluster_ip_service_makes_an_import_of_its_type_in_each_cluster(stage: Stage) -> None:
    found = stage.of("clusterip")
    found.everywhere(lambda made: shown(made, "type") == ["ClusterSetIP"], "an import")
    clustersets.until(lambda: found.condition(stage.farm.one, "Valid") == ("True", "Valid"), "valid")
    assert found.condition(stage.farm.one, "Ready") == ("True", "Exported")
    assert found.condition(stage.farm.one, "Conflict") == ("False", "NoConflicts")
    stage.farm.one.delete(export("clusterip"))
    found.everywhere(lambda made: made is None, "no import")


def test_session_affinity_and_its_configuration_are_those_of_the_service(stage: Stage) -> None:
    wanted = list(AFFINE.values())
    stage.of("affine").everywhere(lambda made: shown(made, *AFFINE) == wanted, "an import")


def test_the_internal_traffic_policy_is_that_of_the_service(stage: Stage) -> None:
    stage.of("internal").everywhere(
        lambda made: shown(made, "internalTrafficPolicy") == ["Local"], "an import"
    )


def test_the_traffic_distribution_is_that_of_the_service(stage: Stage) -> None:
    stage.of("distribution").everywhere(
        lambda made: shown(made, "trafficDistribution") == ["PreferClose"], "an import"
    )


def test_the_ports_of_an_import_are_those_of_the_service(stage: Stage) -> None:
    stage.of("ports").everywhere(lambda made: shown(made, "ports") == [[HTTP, METRICS]], "an import")


def conflicted(stage: Stage, space: str, reason: str) -> None:
    """Every export says so."""
    for cluster in (stage.farm.one, stage.farm.two):
        clustersets.until(
            lambda cluster=cluster: stage.of(space).condition(cluster, "Conflict") == ("True", reason),
            f"{reason} in {cluster.name}",
        )


def test_the_union_of_ports_is_exposed_and_a_conflict_raised(stage: Stage) -> None:
    stage.of("union").everywhere(lambda made: shown(made, "ports") == [[HTTP, ADMIN, METRICS]], "all ports")
    conflicted(stage, "union", "PortConflict")


def test_conflicting_ports_are_those_of_the_oldest_export_and_each_export_is_told(stage: Stage) -> None:
    stage.of("conflict").everywhere(lambda made: shown(made, "ports") == [[HTTP]], "the oldest one's")
    conflicted(stage, "conflict", "PortConflict")


def test_exporting_a_headless_service_makes_a_headless_import(stage: Stage) -> None:
    found = stage.of("headless")
    found.everywhere(lambda made: shown(made, "type") == ["Headless"], "an import")
    stage.farm.one.delete(export("headless"))
    found.everywhere(lambda made: made is None, "no import")


def test_no_ip_is_allocated_by_us(stage: Stage) -> None:
    for space in ("ports", "affine"):
        stage.of(space).everywhere(lambda made: shown(made, "ips") == [None], "an import without")


def test_exporting_an_external_name_is_not_valid_and_imports_nothing(stage: Stage) -> None:
    found = stage.of("external")
    clustersets.until(
        lambda: found.condition(stage.farm.one, "Valid") == ("False", "InvalidServiceType"), "not valid"
    )
    assert found.specs() == [{}, {}]


def test_an_export_without_a_service_is_not_valid(stage: Stage) -> None:
    found = stage.of("nothing")
    clustersets.until(lambda: found.condition(stage.farm.one, "Valid") == ("False", "NoService"), "not valid")
    assert found.specs() == [{}, {}]


def test_conflicting_headlessness_is_that_of_the_oldest_export_and_each_export_is_told(stage: Stage) -> None:
    stage.of("kinds").everywhere(lambda made: shown(made, "type") == ["ClusterSetIP"], "the oldest one's")
    for cluster in (stage.farm.one, stage.farm.two):
        clustersets.until(
            lambda cluster=cluster: "TypeConflict" in stage.of("kinds").condition(cluster, "Conflict")[1],
            f"told in {cluster.name}",
        )


def test_a_service_that_is_not_exported_is_inaccessible(stage: Stage) -> None:
    stage.of("ports").everywhere(bool, "others are written")
    assert stage.of("hidden").specs() == [{}, {}]
    assert stage.served.answer("web.hidden.svc.clusterset.local") == ("NXDOMAIN",)


def test_only_exported_labels_and_annotations_go_along_and_conflicts_are_told(stage: Stage) -> None:
    found = stage.of("labels")

    def told(made: Any) -> bool:
        meta = made["metadata"] if made else {}
        labels = {name: each for name, each in meta.get("labels", {}).items() if name not in rights.MANAGED}
        return labels == {"tier": "front"} and meta.get("annotations") == {"example.com/note": "x"}

    found.everywhere(told, "the oldest one's")
    conflicted(stage, "labels", "LabelsConflict,AnnotationsConflict")


def test_endpoint_slices_have_their_labels_and_are_deleted_on_unexport(stage: Stage) -> None:
    found = stage.of("slices")
    for cluster in found.members:
        clustersets.until(lambda cluster=cluster: found.slices(cluster) != [], f"one in {cluster.name}")
        (made,) = found.slices(cluster)
        labels = made["metadata"]["labels"]
        assert labels["multicluster.kubernetes.io/service-name"] == "web"
        assert labels["multicluster.kubernetes.io/source-cluster"] == "one"
        manager = labels["endpointslice.kubernetes.io/managed-by"]
        assert manager and manager != "endpointslice-controller.k8s.io"
        assert [each["addresses"] for each in made["endpoints"]] == [["10.1.0.1"], ["10.1.0.2"]]
        assert [(each["name"], each["port"]) for each in made["ports"]] == [("http", 8080)]
    stage.farm.one.put(slice_of("slices", "10.1.0.2"))
    for cluster in found.members:
        clustersets.until(
            lambda cluster=cluster: [len(one["endpoints"]) for one in found.slices(cluster)] == [1],
            f"one endpoint in {cluster.name}",
        )
    stage.farm.one.delete(export("slices"))
    for cluster in found.members:
        clustersets.until(lambda cluster=cluster: not found.slices(cluster), f"none in {cluster.name}")


def test_an_ip_that_somebody_gave_stays_and_no_namespace_is_made(stage: Stage) -> None:
    two = stage.farm.two
    stage.farm.one.put(kubecluster.namespace("given"), service("given"), export("given"))
    alone = clustersets.Set((stage.farm.one,), "given")
    alone.everywhere(bool, "an import where the namespace is")
    patch = {"spec": {"ips": ["10.99.0.1"]}}
    made = {**export("given"), "kind": "ServiceImport"}
    stage.farm.one.call("PATCH", clusters.path(made), patch, "merge-patch+json")
    stage.farm.one.put(service("given", HTTP, ADMIN))
    alone.everywhere(lambda found: shown(found, "ports") == [[HTTP, ADMIN]], "changed")
    assert shown(alone.imports(stage.farm.one), "ips") == [["10.99.0.1"]]
    stage.served.shows("web.given.svc.clusterset.local", ("A 10.99.0.1",), "the clusterset IP")
    with pytest.raises(clusters.Refused):
        two.get(kubecluster.namespace("given"))
    two.put(kubecluster.namespace("given"))
    clustersets.Set((two,), "given").everywhere(bool, "an import as soon as there is one")


def test_what_others_made_stays_and_is_told(stage: Stage) -> None:
    theirs = {**export("theirs"), "kind": "ServiceImport", "spec": {"ports": [], "type": "Headless"}}
    found = stage.of("theirs")
    stage.farm.two.put(theirs)
    stage.farm.one.put(service("theirs"), export("theirs"))
    clustersets.until(
        lambda: "ServiceImport theirs/web: somebody else made it" in stage.served.problems(), "told"
    )
    assert shown(found.imports(stage.farm.two), "type") == ["Headless"]
    stage.farm.two.delete(theirs)
    found.everywhere(lambda made: shown(made, "type") == ["ClusterSetIP"], "ours")


def test_when_nothing_changes_nothing_is_written_and_no_right_is_unused(stage: Stage) -> None:
    """The last one: all others have made use of what they may."""

    def writes() -> list[str]:
        return [
            line
            for cluster in (stage.farm.one, stage.farm.two)
            for line in cluster.requests(ACCOUNT.name)
            if line.split()[0] in ("create", "update", "patch", "delete")
        ]

    seen: list[int] = []

    def rests() -> bool:
        seen.append(len(writes()))
        return len(seen) > 60 and len(set(seen[-60:])) == 1

    clustersets.until(rests, "it comes to rest")
    told = {one["member"]: one for one in stage.served.api("/api/v1/status")["importers"]}
    assert set(told) == {"one", "two"} and all(one["written"] and one["removed"] for one in told.values())
    assert 'fedns_import_writes_total{member="one",outcome="removed"}' in stage.served.api("/metrics")
    assert "imports written by this process" in stage.served.fedns("status").stdout
    given = {(one.group, one.resource, one.verb) for one in rights.grants(rights.rights(NEEDS))}
    for cluster in (stage.farm.one, stage.farm.two):
        refused = [line for line in cluster.requests(ACCOUNT.name) if line.endswith(" 403")]
        assert not refused and cluster.used(ACCOUNT.name) <= given
    unused = given - stage.farm.one.used(ACCOUNT.name) - stage.farm.two.used(ACCOUNT.name)
    assert {verb for _, _, verb in unused} <= {"create", "list"}, "lists are streamed, making is a patch"
