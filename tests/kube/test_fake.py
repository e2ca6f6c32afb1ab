"""The fake API server does what a real one does: one script on both, and what it is known to do."""

import base64
import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from tests.envtest import clusters
from tests.fakes import kubecluster
from tests.kube import replay

SLICE = "/apis/discovery.k8s.io/v1/namespaces/mynamespace/endpointslices/web-1"
MEMBERS = "/apis/fedns.io/v1alpha1/memberclusters"


@pytest.fixture
def server() -> Iterator[kubecluster.Cluster]:
    with kubecluster.running() as found:
        yield found


@pytest.fixture(scope="module")
def replies() -> dict[str, replay.Reply]:
    with kubecluster.running() as found:
        return replay.run(found.request)


def sending(cluster: clusters.Cluster) -> replay.Send:
    """As the administrator of a real one, or with a token."""
    trusted = ssl.create_default_context(cafile=cluster.ca)

    def send(method: str, path: str, body: Any, kind: str, token: str) -> tuple[int, Any]:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": kind, "Authorization": f"Bearer {token}"}
        request = urllib.request.Request(f"{cluster.url}{path}", data, headers, method=method)
        try:
            if not token:
                told = cluster.text(path, method, data, kind.removeprefix("application/"))
                return 200, kubecluster.parsed(path, told.encode())
            with urllib.request.urlopen(request, timeout=kubecluster.LONG, context=trusted) as reply:
                return 200, kubecluster.parsed(path, reply.read())
        except clusters.Refused as refused:
            return refused.status, kubecluster.refused(refused.status, refused.told.encode())
        except urllib.error.HTTPError as error:
            return error.code, kubecluster.refused(error.code, error.read())

    return send


def test_a_real_one_says_the_same(farm: clusters.Farm, replies: dict[str, replay.Reply]) -> None:
    real = replay.run(sending(farm.two))
    assert real.keys() == replies.keys()
    for name, one in replies.items():
        status = one.status if one.status >= 400 else 200
        assert (name, real[name].status, real[name].value) == (name, status, one.value)


REFUSED = {
    "in no namespace": 404,
    "namespace again": 409,
    "nothing": 404,
    "replaced as of before": 409,
    "JSON patch unfit": 422,
    "patch of no kind": 415,
    "deleted another": 409,
    "gone": 404,
    "applied by nobody": 422,
    "not there": 404,
    "conflict": 409,
    "no clusterIP wanted": 422,
    "labels where another wants none": 409,
    "conflict with a hand": 409,
    "no status of such": 404,
    "five wanted": 409,
    "taken over too late": 409,
    "lease blindly": 422,
    "lease of no time": 422,
    "token for too short": 422,
    "not everywhere": 403,
    "not this verb": 403,
    "from the future": 504,
    "from no time": 400,
    "of no kind": 404,
    "of no group": 404,
    "streamed without a match": 422,
}


def test_the_script_is_refused_where_it_should_be(replies: dict[str, replay.Reply]) -> None:
    assert {name: one.status for name, one in replies.items() if one.status >= 400} == REFUSED
    assert len(replies) >= 60


def test_ports_and_addresses_are_kept_through_every_apply(replies: dict[str, replay.Reply]) -> None:
    names = ("applied", "dropped: a default comes", "replaced without what was allotted")
    first, last, put = (replies[name].value["spec"] for name in names)
    assert first["clusterIP"] == last["clusterIP"] == put["clusterIP"]
    assert first["ports"] == last["ports"] != put["ports"]  # a replaced port is known by its name alone
    renamed = replies["port renamed, another added"].value["spec"]["ports"]
    assert renamed[0]["nodePort"] == first["ports"][0]["nodePort"] != renamed[1]["nodePort"]


def test_an_apply_without_effect_makes_no_version(replies: dict[str, replay.Reply]) -> None:
    versions = {name: one.value["metadata"].get("resourceVersion") for name, one in said(replies).items()}
    assert versions["applied"] == versions["applied again"]
    assert versions["merge patch"] == versions["merge patch without effect"]
    assert versions["not patched"] == versions["JSON patch"]


def test_conflicts_name_the_path(replies: dict[str, replay.Reply]) -> None:
    assert replies["conflict"].value["conflicts"] == [".spec.externalTrafficPolicy"]
    assert replies["conflict with a hand"].value["conflicts"] == [".metadata.labels.x"]


def test_what_nobody_sends_any_more_goes_or_becomes_its_default(replies: dict[str, replay.Reply]) -> None:
    labels = {name: one.value["metadata"].get("labels") for name, one in said(replies).items()}
    assert labels["a label less"] == labels["given up by one of two"] == {"a": "1"}
    assert labels["given up by both"] is None
    replicas = {
        name: one.value["spec"].get("replicas") for name, one in said(replies).items() if "spec" in one.value
    }
    assert replicas["no longer said"] == 1
    assert replicas["handed over"] == replicas["not wanted any more"] == 8


def test_spec_and_status_are_written_apart(replies: dict[str, replay.Reply]) -> None:
    status = {name: one.value.get("status") for name, one in said(replies).items()}
    assert status["status by the main way"] == {"loadBalancer": {}}
    assert status["spec applied, status stays"] == status["status applied"] != status["status"]
    assert replies["spec by way of status"].value["spec"]["sessionAffinity"] == "None"


def test_roles_bind(replies: dict[str, replay.Reply]) -> None:
    assert replies["may it list"].value is True and replies["may it delete"].value is False
    assert replies["allowed"].status == 200


def test_a_selector_turns_changes_into_comings_and_goings(replies: dict[str, replay.Reply]) -> None:
    watched = [(one["type"], one["object"]["metadata"]["name"]) for one in replies["watched"].value]
    assert watched == [("DELETED", "a"), ("ADDED", "a"), ("DELETED", "c")]
    assert [one["type"] for one in replies["streamed"].value] == ["ADDED", "BOOKMARK"]
    assert replies["watched from the future"].value == []


def said(replies: dict[str, replay.Reply]) -> dict[str, replay.Reply]:
    return {
        name: one
        for name, one in replies.items()
        if one.status < 400 and isinstance(one.value, dict) and "metadata" in one.value
    }


def test_owners_of_fields_are_told_and_the_status_of_ours_is_apart(server: kubecluster.Cluster) -> None:
    body = member(spec={"server": "https://192.0.2.1"}, status={"services": 1})
    _, made = server.request("PATCH", f"{MEMBERS}/m?fieldManager=joiner", body, replay.APPLY)
    assert "status" not in made and made["metadata"]["generation"] == 1
    ready = {"type": "Ready", "status": "True"}
    body = member(status={"services": 2, "conditions": [ready]})
    code, told = server.request("PATCH", f"{MEMBERS}/m/status?fieldManager=fedns", body, replay.APPLY)
    assert code == 200 and told["metadata"]["generation"] == 1
    rows = {row["manager"]: row for row in told["metadata"]["managedFields"]}
    assert rows["joiner"]["fieldsV1"] == {"f:spec": {"f:server": {}}}
    conditions = rows["fedns"]["fieldsV1"]["f:status"]["f:conditions"]
    assert set(conditions['k:{"type":"Ready"}']) == {".", "f:type", "f:status"}
    assert rows["fedns"]["subresource"] == "status"
    body = member(spec={"server": "https://192.0.2.2"})
    code, told = server.request("PATCH", f"{MEMBERS}/m?fieldManager=joiner", body, replay.APPLY)
    assert (told["metadata"]["generation"], told["status"]["services"]) == (2, 2)
    other = member(status={"conditions": [{"type": "Ready", "status": "False"}]})
    code, told = server.request("PATCH", f"{MEMBERS}/m/status?fieldManager=x", other, replay.APPLY)
    assert code == 409
    assert told["details"]["causes"][0]["field"] == '.status.conditions[type="Ready"].status'
    assert 'conflict with "fedns" with subresource "status" using fedns.io/v1alpha1' in told["message"]


def test_secrets_for_tokens_are_filled_and_their_tokens_hold_while_they_are_there(
    server: kubecluster.Cluster,
) -> None:
    inside = "/api/v1/namespaces/default"
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "reader"}}
    server.request("POST", f"{inside}/serviceaccounts", account)
    meta = {"name": "token", "annotations": {"kubernetes.io/service-account.name": "reader"}}
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": meta,
        "type": "kubernetes.io/service-account-token",
    }
    code, made = server.request("POST", f"{inside}/secrets", secret)
    assert code == 201 and set(made["data"]) == {"token", "ca.crt", "namespace"}
    token = base64.b64decode(made["data"]["token"]).decode()
    assert server.request("GET", "/version", token=token)[0] == 200
    assert server.request("GET", "/api/v1/services", token=token)[0] == 403
    server.request("DELETE", f"{inside}/secrets/token")
    assert server.request("GET", "/version", token=token)[0] == 401


def test_verbs_are_forbidden_one_by_one(server: kubecluster.Cluster) -> None:
    server.faults(forbidden=["delete:services", "patch:memberclusters/status"])
    server.put(kubecluster.service("web", "192.0.2.1"), member())
    code, told = server.request("DELETE", "/api/v1/namespaces/mynamespace/services/web")
    assert code == 403
    assert told["message"] == (
        'services "web" is forbidden: User "admin" cannot delete resource "services" in API group "" '
        'in the namespace "mynamespace"'
    )
    assert server.request("GET", "/api/v1/services")[0] == 200
    path = f"{MEMBERS}/m"
    assert server.request("PATCH", f"{path}/status", {"status": {}}, replay.MERGE)[0] == 403
    assert server.request("PATCH", path, {"metadata": {}}, replay.MERGE)[0] == 200


def test_what_ends_waits_for_its_finalizers(server: kubecluster.Cluster) -> None:
    held = member()
    held["metadata"]["finalizers"] = ["fedns.io/held"]
    server.request("POST", MEMBERS, held)
    _, ending = server.request("DELETE", f"{MEMBERS}/m")
    assert ending["metadata"]["deletionTimestamp"]
    server.request("PATCH", f"{MEMBERS}/m", {"metadata": {"finalizers": None}}, replay.MERGE)
    assert server.request("GET", f"{MEMBERS}/m")[0] == 404


def test_a_version_of_the_future_is_refused_in_a_list(server: kubecluster.Cluster) -> None:
    code, told = server.request("GET", "/api/v1/services?resourceVersion=1000000")
    assert (code, told["reason"]) == (504, "Timeout")
    assert server.request("GET", SLICE)[0] == 404


def member(**more: Any) -> dict[str, Any]:
    return {
        "apiVersion": "fedns.io/v1alpha1",
        "kind": "MemberCluster",
        "metadata": {"name": "m"},
        **({"spec": {}, **more} if "status" not in more or "spec" in more else more),
    }
