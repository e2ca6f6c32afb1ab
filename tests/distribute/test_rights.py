"""The table of rights: the least for what a cluster is to us, as RBAC takes it."""

import itertools

import pytest
from msgspec import structs

from fedns.distribute import rights
from fedns.distribute.rights import Grant, Needs
from fedns.model import propagation
from fedns.sources import subjects

EVERY = [
    Needs(*switches)
    for switches in itertools.product((False, True), repeat=len(structs.fields(Needs)))
    if switches[0] or switches[4]
]
MEMBERS = {"imports", "slices", "elects"}
"""What is written to a member."""


def told(needs: Needs) -> frozenset[Grant]:
    return rights.grants(rights.rights(needs))


def test_a_member_is_only_read() -> None:
    assert told(Needs(member=True)) == {
        Grant("", "namespaces", "get", "kube-system"),
        *(Grant("", "services", verb) for verb in rights.READ),
        *(Grant("", "nodes", verb) for verb in rights.READ),
        *(Grant("discovery.k8s.io", "endpointslices", verb) for verb in rights.READ),
    }


@pytest.mark.parametrize(
    ("needs", "more"),
    [
        (Needs(member=True, legacy=True), {"endpoints"}),
        (Needs(member=True, exports=True), {"serviceexports", "clusterproperties"}),
        (Needs(member=True, fleet=True), {"trafficpolicies", "memberclusters", "secrets"}),
        (
            Needs(member=True, fleet=True, gateway=True),
            {"trafficpolicies", "memberclusters", "secrets", "ingresses", "ingressclasses"},
        ),
    ],
)
def test_more_only_where_it_is_configured(needs: Needs, more: set[str]) -> None:
    before = {grant.resource for grant in told(Needs(member=True))}
    assert {grant.resource for grant in told(needs)} == before | more


def test_namespaces_only_for_those_who_choose_by_them() -> None:
    everywhere = Grant("", "namespaces", "list")
    assert everywhere in told(Needs(member=True, namespaces=True))
    assert everywhere not in told(Needs(member=True, fleet=True, status=True))


def test_only_a_fleet_with_status_is_written_to() -> None:
    written = [
        grant for grant in told(Needs(fleet=True, status=True)) if grant.verb not in ("get", *rights.READ)
    ]
    assert sorted(written) == [
        Grant("coordination.k8s.io", "leases", "create", "", True),
        Grant("coordination.k8s.io", "leases", "update", rights.LEASE, True),
        Grant("fedns.io", "memberclusters/status", "patch"),
        Grant("fedns.io", "trafficpolicies/status", "patch"),
    ]


def test_imports_are_written_to_members_that_have_them() -> None:
    member = Needs(member=True, clusterset=True)
    more = told(structs.replace(member, imports=True)) - told(member)
    multicluster = "multicluster.x-k8s.io"
    assert more == {
        *(Grant("", "namespaces", verb) for verb in rights.READ),
        *(Grant(multicluster, "serviceimports", verb) for verb in rights.MAKE),
        Grant(multicluster, "serviceimports/status", "patch"),
        Grant(multicluster, "serviceexports/status", "patch"),
    }
    slices = told(structs.replace(member, imports=True, slices=True)) - told(member) - more
    assert slices == {Grant("discovery.k8s.io", "endpointslices", verb) for verb in rights.MAKE}
    leases = {one for one in told(Needs(fleet=True, status=True)) if one.resource == "leases"}
    assert told(structs.replace(member, elects=True)) - told(member) == leases
    assert told(Needs(fleet=True, imports=True)) - told(Needs(fleet=True)) == leases


def test_never_everything_and_no_secret_but_our_own() -> None:
    for needs in EVERY:
        found = told(needs)
        assert not any("*" in (grant.group, grant.resource, grant.verb) for grant in found), needs
        certificates = needs.fleet and needs.gateway
        assert certificates or all(grant.local for grant in found if grant.resource == "secrets"), needs
        writes = needs.fleet and (needs.status or needs.imports or needs.distribute)
        writes = writes or (needs.member and any(getattr(needs, each) for each in MEMBERS))
        assert writes or all(grant.verb in ("get", *rights.READ) for grant in found), needs
        given = rights.rights(needs)
        assert len(set(given)) == len(given) and all(right.why for right in given), needs


def test_the_objects_grant_what_the_table_says() -> None:
    for needs in EVERY:
        _agrees(needs)


def _agrees(needs: Needs) -> None:
    account = rights.reader("dns")
    found = rights.granted(account, rights.rights(needs))
    rules = {one["kind"]: one["rules"] for one in found if "rules" in one}
    again = frozenset(
        Grant(rule["apiGroups"][0], rule["resources"][0], verb, name, kind == "Role")
        for kind, held in rules.items()
        for rule in held
        for verb in rule["verbs"]
        for name in rule.get("resourceNames", ("",))
    )
    assert again == told(needs)
    for one in found:
        assert one["metadata"]["labels"] == rights.MANAGED
        assert one["metadata"].get("namespace", "dns") == "dns"
        for subject in one.get("subjects", ()):
            assert (subject["name"], subject["namespace"]) == ("fedns-reader", "dns")


@pytest.mark.parametrize("exports", [False, True])
@pytest.mark.parametrize("namespaces", ["", "team=x"])
def test_what_is_watched_of_a_member_may_be_read_and_nothing_else(exports: bool, namespaces: str) -> None:
    wish = subjects.Wish(namespaces=namespaces, exports=exports)
    watched = {
        (kind.versions[0].group, kind.versions[0].plural, kind.fields) for kind in subjects.wanted(wish)
    }
    needs = Needs(member=True, exports=exports, namespaces=bool(namespaces))
    read = [right for right in rights.rights(needs) if right.verbs == rights.READ]
    assert watched == {
        (right.group, right.resource, f"metadata.name={right.names[0]}" if right.names else "")
        for right in read
    }


def test_a_gateway_writes_statuses_of_ingresses_and_reads_its_own_service() -> None:
    more = told(Needs(fleet=True, status=True, gateway=True)) - told(Needs(fleet=True, gateway=True))
    assert more - told(Needs(fleet=True, status=True)) == {
        Grant("networking.k8s.io", "ingresses/status", "patch"),
        Grant("", "services", "get", "", True),
    }


def test_a_fleet_that_distributes_is_read_for_policies_in_all_groups_and_has_the_lease() -> None:
    more = told(Needs(fleet=True, distribute=True)) - told(Needs(fleet=True))
    lease = {one for one in told(Needs(fleet=True, status=True)) if one.resource == "leases"}
    assert lease < more and len(more - lease) == 3 * 4 * len(rights.READ)
    assert {one.group for one in more - lease} == set(propagation.GROUPS)
    assert told(Needs(member=True, distribute=True)) == told(Needs(member=True)), "policies ask for more"


def test_what_is_granted_anyhow_is_not_asked_for_again() -> None:
    before = rights.rights(Needs(member=True))
    services = rights.Right("", "services", ("get", "list", "create"), "x")
    named = rights.Right("", "namespaces", ("get", "watch"), "y", ("kube-system",))
    nodes = rights.Right("", "nodes", rights.READ, "z")
    found = tuple(rights.beyond((services, nodes, named, services), before))
    assert found == (services._replace(verbs=("get", "create")), named._replace(verbs=("watch",)))
