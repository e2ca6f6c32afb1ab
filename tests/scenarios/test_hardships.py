"""What stands in the way of copies in real members: rules of admission, people who edit them, autoscalers,
fields that never change, finalizers, namespaces that end.

Law: all tests share their clusters and one `fedns serve`; each has objects, and a policy, of its own name.
"""

import json
from collections.abc import Iterator

import pytest

from tests.control import depots
from tests.envtest import clusters
from tests.fakes import kubecluster
from tests.scenarios import copies, hubs, world


@pytest.fixture(scope="module")
def hub(_farm: clusters.Farm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[hubs.Hub]:
    with hubs.running(_farm, tmp_path_factory.mktemp("fleet")) as made:
        yield made


def admission(name: str) -> list[copies.Object]:
    """A rule of the API server itself about one ConfigMap."""
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"], "operations": ["*"]}
    api = {"apiVersion": "admissionregistration.k8s.io/v1", "metadata": {"name": f"{name}.example.org"}}
    told = {"expression": f"object.metadata.name != '{name}'", "message": f"{name} is not wanted here"}
    spec = {"matchConstraints": {"resourceRules": [{**rule, "operations": ["CREATE", "UPDATE"]}]}}
    return [
        {**api, "kind": "ValidatingAdmissionPolicy", "spec": {**spec, "validations": [told]}},
        {
            **api,
            "kind": "ValidatingAdmissionPolicyBinding",
            "spec": {"policyName": f"{name}.example.org", "validationActions": ["Deny"]},
        },
    ]


def denied(cluster: clusters.Cluster, one: copies.Object) -> bool:
    """Whether it would be; a rule counts a moment after it was made."""
    path = f"{clusters.path(one)}?fieldManager=test&dryRun=All"
    try:
        cluster.call("PATCH", path, one, "apply-patch+yaml")
    except clusters.Refused:
        return True
    return False


def test_what_admission_refuses_is_told_in_its_words_and_brought_when_it_relents(hub: hubs.Hub) -> None:
    refused, other = depots.config_map("refused", at="1"), depots.config_map("refused-not", at="1")
    rules = admission("refused")
    hub.one.put(*rules)
    world.until(lambda: denied(hub.one, refused), "the rule counts")
    hub.bring(refused, other, members=("one", "two"))
    hub.until(other, "applied")
    hub.until(refused, "applied", "two")
    hub.until(refused, "failing")
    words = "refused is not wanted here"
    world.until(lambda: words in hub.served.fedns("status").stdout, "shown")
    world.until(lambda: words in hub.served.problems(), "told")
    hub.one.delete(*rules)
    hub.until(refused, "applied")
    world.until(lambda: words not in hub.served.problems(), "over")


def test_what_is_set_back_again_and_again_is_told_instead(hub: hubs.Hub) -> None:
    one = depots.config_map("fought", at="1")
    hub.bring(one)
    hub.until(one, "applied")
    for _ in range(3):
        hubs.edit(hub.one, one, {"data": {"at": "2", "theirs": "x"}})
        world.until(lambda: hub.one.get(one)["data"] == {"at": "1", "theirs": "x"}, "put right")
        hub.until(one, "applied")
    hubs.edit(hub.one, one, {"data": {"at": "2"}})
    hub.until(one, "failing")
    assert 'conflict with "kubectl-edit"' in hub.told(one)[1]
    assert hub.one.get(one)["data"]["at"] == "2"
    hub.bring(one, conflictResolution="Overwrite")
    hub.until(one, "applied")
    assert hub.one.get(one)["data"] == {"at": "1", "theirs": "x"}


def test_what_was_adopted_follows_the_fleet_until_somebody_changes_it_again(hub: hubs.Hub) -> None:
    """Whoever made it owns its fields from then on: kubectl and helm do, unless they apply by the server."""
    one, web = hub.one, depots.deployment("adopted", 2)
    one.call("POST", f"/apis/apps/v1/namespaces/{depots.SPACE}/deployments?fieldManager=helm", web)
    made = one.get(web)["metadata"]
    world.until(lambda: made["creationTimestamp"] < now(one), "ages have whole seconds")
    hub.bring(web)
    hub.until(web, "applied")
    hub.bring(depots.deployment("adopted", 3, "nginx:2"))
    world.until(lambda: one.get(web)["spec"]["replicas"] == 3, "changed")
    hub.until(web, "applied")
    assert image(one.get(web)) == "nginx:2" and one.get(web)["metadata"]["uid"] == made["uid"]


def now(cluster: clusters.Cluster) -> str:
    """By the clock of its API server."""
    stamped = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "now", "namespace": depots.SPACE},
    }
    told = cluster.call("POST", f"/api/v1/namespaces/{depots.SPACE}/configmaps?dryRun=All", stamped)
    return str(told["metadata"]["creationTimestamp"])


def test_what_somebody_else_made_is_taken_only_where_that_is_said(hub: hubs.Hub) -> None:
    one, equal = depots.config_map("taken", at="1"), depots.config_map("taken-equal", at="1")
    hub.one.put(depots.config_map("taken", at="theirs", more="x"), equal)
    before, uid = hub.one.get(one)["metadata"]["resourceVersion"], hub.one.get(one)["metadata"]["uid"]
    hub.bring(one, equal)
    hub.until(one, "failing")
    hub.until(equal, "applied")
    assert "not ours" in hub.told(one)[1]
    assert hub.one.get(one)["metadata"]["resourceVersion"] == before
    hub.bring(one, equal, conflictResolution="Overwrite")
    hub.until(one, "applied")
    found = hub.one.get(one)
    assert found["data"] == {"at": "1", "more": "x"} and found["metadata"]["uid"] == uid
    assert '\\"at\\":\\"theirs\\"' in hub.served.world.log, "what it was is in the log"


def scaler(name: str) -> copies.Object:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": name, "namespace": depots.SPACE},
        "spec": {"scaleTargetRef": target, "minReplicas": 2, "maxReplicas": 20},
    }


def scale(cluster: clusters.Cluster, one: copies.Object, count: int) -> None:
    where = f"{clusters.path(one)}/scale"
    told = cluster.call("GET", where)
    cluster.call("PUT", where, {**told, "spec": {"replicas": count}})


def history(cluster: clusters.Cluster, one: copies.Object, since: str) -> list[int]:
    """Every number of replicas that it has had."""
    name = one["metadata"]["name"]
    where = clusters.path(one).removesuffix(f"/{name}")
    query = f"watch=1&timeoutSeconds=1&resourceVersion={since}&fieldSelector=metadata.name={name}"
    lines = cluster.text(f"{where}?{query}").splitlines()
    return [json.loads(line)["object"]["spec"]["replicas"] for line in lines]


def owns(found: copies.Object) -> bool:
    rows = found["metadata"]["managedFields"]
    own = [row["fieldsV1"].get("f:spec", {}) for row in rows if row["manager"] == "fedns"]
    return any("f:replicas" in each for each in own)


def image(found: copies.Object) -> str:
    return str(found["spec"]["template"]["spec"]["containers"][0]["image"])


def test_replicas_are_an_autoscalers_while_it_is_there_and_never_fall(hub: hubs.Hub) -> None:
    one, web = hub.one, depots.deployment("scaled", 5)
    since = one.call("GET", "/apis/apps/v1/deployments")["metadata"]["resourceVersion"]
    hub.bring(web)
    hub.until(web, "applied")
    assert one.get(web)["spec"]["replicas"] == 5
    one.put(scaler("scaled"))
    world.until(lambda: not owns(one.get(web)), "handed over")
    scale(one, web, 11)
    hub.bring(depots.deployment("scaled", 4, "nginx:2"))
    world.until(lambda: image(one.get(web)) == "nginx:2", "changed")
    hub.until(web, "applied")
    assert one.get(web)["spec"]["replicas"] == 11
    one.delete(scaler("scaled"))
    world.until(lambda: one.get(web)["spec"]["replicas"] == 4, "taken back")
    hub.until(web, "applied")
    assert set(history(one, web, since)) == {5, 11, 4}


def test_an_autoscaler_that_was_there_first_has_the_replicas_from_the_beginning(hub: hubs.Hub) -> None:
    one, web = hub.one, depots.deployment("early", 3)
    since = one.call("GET", "/apis/apps/v1/deployments")["metadata"]["resourceVersion"]
    one.put(scaler("early"))
    hub.bring(web)
    hub.until(web, "applied")
    scale(one, web, 7)
    hub.bring(depots.deployment("early", 3, "nginx:2"))
    world.until(lambda: image(one.get(web)) == "nginx:2", "changed")
    assert set(history(one, web, since)) == {3, 7}


def test_a_field_that_never_changes_is_told_and_nothing_is_made_anew(hub: hubs.Hub) -> None:
    one, service = hub.one, depots.service("fixed")
    hub.bring(service)
    hub.until(service, "applied")
    before = one.get(service)
    change = {"path": "/spec/clusterIP", "operator": "add", "value": "None"}
    kind = {"path": "/spec/type", "operator": "replace", "value": "ClusterIP"}
    rule = {
        "targetCluster": {"clusterNames": ["one"]},
        "overriders": {"plaintext": [kind, change]},
    }
    hub.farm.fleet.put(
        {
            "apiVersion": "policy.karmada.io/v1alpha1",
            "kind": "OverridePolicy",
            "metadata": {"name": "fixed", "namespace": depots.SPACE},
            "spec": {
                "resourceSelectors": [{"apiVersion": "v1", "kind": "Service", "name": "fixed"}],
                "overrideRules": [rule],
            },
        }
    )
    hub.until(service, "failing")
    assert "may not change once set" in hub.told(service)[1] or "immutable" in hub.told(service)[1]
    after = one.get(service)
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert after["spec"]["clusterIP"] == before["spec"]["clusterIP"] != "None"


def test_a_finalizer_holds_a_removal_and_then_it_may_come_again(hub: hubs.Hub) -> None:
    one, held = hub.one, depots.config_map("final", at="1")
    hub.bring(held)
    hub.until(held, "applied")
    hubs.edit(one, held, {"metadata": {"finalizers": ["example.org/hold"]}}, "holder")
    uid, audit = one.get(held)["metadata"]["uid"], copies.Audit(one)
    hub.farm.fleet.delete(held)
    world.until(lambda: "deletionTimestamp" in one.get(held)["metadata"], "it is to go")
    hub.farm.fleet.put(depots.config_map("final", at="2"))
    waits = ("waiting", "it is being removed, which waits for example.org/hold")
    world.until(lambda: hub.told(held) == waits, "told why")
    assert [each.verb for each in audit.writes() if each.name == "final"] == ["delete"]
    hubs.edit(one, held, {"metadata": {"finalizers": None}}, "holder")
    hub.until(held, "applied")
    assert one.get(held)["data"] == {"at": "2"} and one.get(held)["metadata"]["uid"] != uid


def test_a_copy_that_loses_our_label_is_ours_again_only_as_it_was(hub: hubs.Hub) -> None:
    one, equal, other = hub.one, depots.config_map("plain", at="1"), depots.config_map("plain-edited", at="1")
    hub.bring(equal, other)
    hub.until(equal, "applied")
    hub.until(other, "applied")
    stripped = {"metadata": {"labels": {depots.LABEL: None}}}
    hubs.edit(one, equal, stripped)
    world.until(lambda: depots.LABEL in one.get(equal)["metadata"].get("labels", {}), "ours again")
    hubs.edit(one, other, {**stripped, "data": {"at": "2"}})
    hub.until(other, "failing")
    hub.farm.fleet.delete(other)
    world.until(lambda: hub.state(other) == "", "nobody wants it")
    hub.until(equal, "applied")
    assert one.get(other)["data"] == {"at": "2"}


def test_a_namespace_that_ends_stops_only_what_is_in_it(hub: hubs.Hub) -> None:
    one, space = hub.one, kubecluster.namespace("ending")
    inside, outside = depots.config_map("inside", at="1"), depots.config_map("outside", at="1")
    inside["metadata"]["namespace"] = "ending"
    hub.farm.fleet.put(space)
    one.put(space)
    one.delete(space)  # no controller empties it, so it is going to end until we say so
    assert one.get(space)["status"]["phase"] == "Terminating"
    audit = copies.Audit(one)
    hub.bring(inside)
    hub.bring(outside)
    hub.until(outside, "applied")
    assert hub.told(inside) == ("waiting", "there is no namespace ending here")
    assert not [each for each in audit.writes() if each.name == "inside"]
    where = "/api/v1/namespaces/ending"
    one.call("PUT", f"{where}/finalize", {**one.get(space), "spec": {"finalizers": []}})
    world.until(lambda: copies.there(one, space) is None, "ended")
    one.put(space)
    hub.until(inside, "applied")


def test_what_is_renamed_in_the_fleet_is_another_copy(hub: hubs.Hub) -> None:
    old, new = depots.config_map("renamed-old", at="1"), depots.config_map("renamed-new", at="1")
    hub.bring(old)
    hub.until(old, "applied")
    hub.bring(new)
    hub.farm.fleet.delete(old)
    hub.until(new, "applied")
    world.until(lambda: copies.there(hub.one, old) is None, "removed")


def test_a_kind_that_somebody_defines_in_a_member_later_is_taken_up(hub: hubs.Hub) -> None:
    kind = copies.definition("example.org", "Gadget")
    gadget = {
        "apiVersion": "example.org/v1alpha1",
        "kind": "Gadget",
        "metadata": {"name": "g", "namespace": depots.SPACE},
        "spec": {"size": 3},
    }
    hub.farm.fleet.define(kind)
    hub.bring(gadget)
    hub.until(gadget, "waiting")
    world.until(lambda: "there is no kind Gadget" in hub.told(gadget)[1], "told")
    hub.one.define(kind)
    hub.until(gadget, "applied")
