"""The rights that policies take."""

from fedns.distribute import rights, warrant
from fedns.model.propagation import Affinity, Clusters, Placement, Propagation, Resources
from fedns.placement import matching

CHOSEN = Placement((Affinity(Clusters(names=("one",))),))
APPS = Resources("apps/v1", "Deployment")
ONE, TWO = matching.Member("one"), matching.Member("two")


def policy(*resources: Resources, dependencies: bool = False) -> Propagation:
    return Propagation("p", "n", resources, CHOSEN, dependencies=dependencies)


def grants(given: tuple[rights.Right, ...]) -> set[str]:
    """`VERB PLURAL.GROUP`."""
    return {f"{one.verb} {one.resource}.{one.group}" for one in rights.grants(given)}


def test_exactly_the_kinds_that_policies_name_in_exactly_the_members_that_they_choose() -> None:
    told = warrant.told([policy(APPS, Resources("networking.k8s.io/v1", "NetworkPolicy"))], ())
    verbs = ("get", "list", "watch", "create", "patch", "delete")
    kinds = ("deployments.apps", "networkpolicies.networking.k8s.io")
    read = ("namespaces.", "horizontalpodautoscalers.autoscaling")
    expected = {f"{verb} {kind}" for verb in verbs for kind in kinds}
    expected |= {f"{verb} {kind}" for verb in ("list", "watch") for kind in read}
    assert grants(warrant.writer(told, ONE, elects=False)) == expected
    assert warrant.writer(told, TWO, elects=False) == ()
    more = grants(warrant.writer(told, ONE, elects=True)) - expected
    assert more == {f"{verb} leases.coordination.k8s.io" for verb in ("create", "get", "update")}


def test_kinds_that_are_needed_and_kinds_that_are_defined() -> None:
    names = {"kind": "Widget", "plural": "widgetry"}
    crd = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgetry.example.org"},
        "spec": {"group": "example.org", "names": names},
    }
    told = warrant.told([policy(Resources("example.org/v1", "Widget"), dependencies=True)], [crd])
    found = grants(warrant.writer(told, ONE, elects=False))
    assert {"patch widgetry.example.org", "create secrets.", "delete persistentvolumeclaims."} <= found
    assert not any("horizontal" in one for one in found)


def test_in_the_fleet_nothing_is_written_but_statuses_and_the_lease() -> None:
    told = warrant.told([policy(APPS, Resources("v1", "ConfigMap"))], ())
    found = grants(warrant.reader(told, ["policy.karmada.io"]))
    assert {one for one in found if one.partition(" ")[0] not in ("list", "watch")} == {
        "patch deployments/status.apps",
        *(f"{verb} leases.coordination.k8s.io" for verb in ("create", "get", "update")),
    }
    assert {"watch configmaps.", "list clusteroverridepolicies.policy.karmada.io"} <= found
