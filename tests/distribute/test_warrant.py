"""The rights that policies take."""

from fedns.distribute import rights, warrant
from fedns.model.propagation import (
    Affinity,
    Clusters,
    Division,
    Placement,
    Propagation,
    Requirement,
    Resources,
)
from fedns.placement import defaults, matching

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


def test_namespaces_that_go_along_are_made_and_never_removed() -> None:
    told = warrant.told([policy(APPS), *defaults.policies(services=False, namespaces=True)], ())
    found = {one for one in grants(warrant.writer(told, ONE, elects=False)) if "namespaces" in one}
    assert found == {f"{verb} namespaces." for verb in ("get", "list", "watch", "create", "patch")}
    assert "watch namespaces." in grants(warrant.reader(told, True))
    assert warrant.writer(told, TWO, elects=False) == ()


def test_the_default_policy_takes_rights_on_services_everywhere() -> None:
    told = warrant.told(defaults.policies(services=True, namespaces=False), ())
    found = grants(warrant.writer(told, TWO, elects=False))
    assert {"patch services.", "delete services.", "watch namespaces."} <= found
    assert "create namespaces." not in found
    assert "patch services/status." in grants(warrant.reader(told, True))


def test_every_kind_whose_statuses_have_a_sum_is_told() -> None:
    kinds = {
        "Job": "batch/v1",
        "CronJob": "batch/v1",
        "StatefulSet": "apps/v1",
        "Pod": "v1",
        "Ingress": "networking.k8s.io/v1",
    }
    told = warrant.told([policy(*(Resources(version, kind) for kind, version in kinds.items()))], ())
    wanted = {"jobs/status.batch", "cronjobs/status.batch", "statefulsets/status.apps", "pods/status."}
    wanted.add("ingresses/status.networking.k8s.io")
    assert {f"patch {each}" for each in wanted} <= grants(warrant.reader(told, True))


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
    assert "patch widgetry.example.org" in found and not any("secrets" in one for one in found)
    assert not any("horizontal" in one for one in found)
    told = warrant.told([policy(APPS, dependencies=True)], ())
    found = grants(warrant.writer(told, ONE, elects=False))
    assert {"create secrets.", "delete persistentvolumeclaims."} <= found
    told = warrant.told([policy(Resources("networking.k8s.io/v1", "Ingress"), dependencies=True)], ())
    found = grants(warrant.writer(told, ONE, elects=False))
    assert "create secrets." in found and "create configmaps." not in found


def test_in_the_fleet_nothing_is_written_but_statuses_and_the_lease() -> None:
    told = warrant.told([policy(APPS, Resources("v1", "ConfigMap"))], ())
    found = grants(warrant.reader(told, status=True))
    reads = {f"{verb} {kind}" for verb in rights.READ for kind in ("configmaps.", "deployments.apps")}
    assert found == {"patch deployments/status.apps", *reads}
    assert grants(warrant.reader(told, status=False)) == reads


def test_where_a_member_is_counts_as_far_as_it_is_written() -> None:
    wanted = {"region": "r", "zone": "z", "provider": "p"}
    for key, value in wanted.items():
        fields = Clusters(fields=(Requirement(key, "In", (value,)),))
        placement = Placement((Affinity(fields),))
        told = warrant.told([Propagation("p", "n", (APPS,), placement)], ())
        other = matching.Member("m", provider="o", region="o", zones=("o",))
        assert warrant.writer(told, other, elects=False) == ()
        same = matching.Member("m", provider="p", region="r", zones=("z",))
        assert warrant.writer(told, same, elects=False)
        unknown = warrant.writer(told, matching.Member("m"), elects=False)
        assert bool(unknown) == (key != "provider"), "its nodes tell the others"


def test_who_copies_roles_gives_what_he_does_not_have() -> None:
    kinds = ("Role", "ClusterRoleBinding")
    told = warrant.told([policy(*(Resources(f"{rights.RBAC}/v1", kind) for kind in kinds))], ())
    found = warrant.writer(told, ONE, elects=False)
    special = {one for one in grants(found) if one.startswith(("bind", "escalate"))}
    assert special == {f"escalate roles.{rights.RBAC}", f"bind clusterroles.{rights.RBAC}"}
    assert {one.why for one in found if set(one.verbs) & {"bind", "escalate"}} == {warrant.WARNS}


def test_the_room_in_a_member_is_asked_for_where_a_policy_divides_by_it() -> None:
    for division, asked in (
        (Division(), False),
        (Division(available=True), True),
        (Division("Aggregated"), True),
    ):
        placement = Placement(CHOSEN.affinities, division=division)
        told = warrant.told([Propagation("p", "n", (APPS,), placement)], ())
        assert ("list pods." in grants(warrant.writer(told, ONE, elects=False))) == asked


def test_the_objects_of_the_role_are_found_without_knowing_what_it_gives() -> None:
    reader = rights.reader("dns")
    assert [(one["kind"], one["metadata"]["name"]) for one in warrant.roles(reader)] == [
        (kind, "dns-writer") for kind in ("ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding")
    ]
