"""One script of requests for any API server, fake or real, and its replies made comparable.

Law: the script asserts nothing. What servers allot (versions, UIDs, addresses, ports) becomes its number in
order of appearance, so that what stays the same in one must stay the same in the other.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"
JSON = "application/json-patch+json"
SPACE = "replay"
INSIDE = f"/api/v1/namespaces/{SPACE}"
SERVICES = f"{INSIDE}/services"
WEB = f"{SERVICES}/web"
DEPLOYMENTS = f"/apis/apps/v1/namespaces/{SPACE}/deployments"
LEASES = f"/apis/coordination.k8s.io/v1/namespaces/{SPACE}/leases"
RBAC = "/apis/rbac.authorization.k8s.io/v1"
REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
ALLOTTED = ("resourceVersion", "uid", "clusterIP", "nodePort", "healthCheckNodePort")
DROPPED = (
    "continue",
    "remainingItemCount",
    "creationTimestamp",
    "managedFields",
    "selfLink",
    "time",
    "token",
    "expirationTimestamp",
)

Send = Callable[..., tuple[int, Any]]
"""(method, path, body, content type, token) -> (status, reply)."""


class Reply(NamedTuple):
    status: int
    value: Any


class Replay:
    """Replies by the name of their step."""

    def __init__(self, send: Send) -> None:
        self.replies: dict[str, Reply] = {}
        self._send = send
        self._numbers: dict[tuple[str, Any], int] = {}

    def step(
        self, name: str, method: str, path: str, body: Any = None, kind: str = "", token: str = ""
    ) -> Any:
        status, value = self._send(method, path, body, kind or "application/json", token)
        self.replies[name] = Reply(status, self._comparable(value, status, method))
        return value

    def apply(self, name: str, path: str, body: Any, manager: str = "fedns", more: str = "") -> Any:
        return self.step(name, "PATCH", f"{path}?fieldManager={manager}{more}", body, APPLY)

    def _comparable(self, value: Any, status: int, method: str) -> Any:
        if status >= 400:
            causes = value.get("details", {}).get("causes") or ()
            fields = sorted(one["field"] for one in causes if one["reason"] == "FieldManagerConflict")
            return {"code": value["code"], "reason": value["reason"], "conflicts": fields}
        if isinstance(value, list):
            value = [_event(each) for each in value if each["type"] != "BOOKMARK" or _ends(each)]
        if method != "DELETE" and "items" in value:
            value = {**value, "metadata": {}}  # the version of all there is, by whomever
        return None if method == "DELETE" else self._cleaned(value)

    def _cleaned(self, value: Any, name: str = "") -> Any:
        if isinstance(value, list):
            return [self._cleaned(each, name.removesuffix("s")) for each in value]
        if isinstance(value, dict):
            kept = {key: each for key, each in value.items() if key not in DROPPED}
            return {key: self._cleaned(each, key) for key, each in kept.items()}
        if name in ALLOTTED and value not in (None, "None", ""):
            return self._numbers.setdefault((name, value), len(self._numbers) + 1)
        return value


def _ends(event: Any) -> bool:
    """Whether a bookmark is that which ends a streamed list; others come when they like."""
    return bool(event["object"]["metadata"].get("annotations"))


def _event(event: Any) -> Any:
    if event["type"] != "BOOKMARK":
        return event
    meta = {**event["object"]["metadata"], "resourceVersion": None}
    return {**event, "object": {**event["object"], "metadata": meta}}


def _service(**spec: Any) -> dict[str, Any]:
    meta = {"name": "web", "namespace": SPACE}
    ports = [{"name": "http", "port": 80, "protocol": "TCP"}]
    given = {"type": "LoadBalancer", "selector": {"app": "web"}, "ports": ports, **spec}
    return {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": given}


def _labelled(**labels: str) -> dict[str, Any]:
    meta = {"name": "web", "namespace": SPACE, **({"labels": labels} if labels else {})}
    return {"apiVersion": "v1", "kind": "Service", "metadata": meta}


def _status(address: str) -> dict[str, Any]:
    ingress = [{"ip": address, "ipMode": "VIP"}]
    return {**_labelled(), "status": {"loadBalancer": {"ingress": ingress}}}


def _deployment(**spec: Any) -> dict[str, Any]:
    container = {"name": "main", "image": "example.com/web:1"}
    pod = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container]}}
    given = {"selector": {"matchLabels": {"app": "web"}}, "template": pod, **spec}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": given}


def run(send: Send) -> dict[str, Reply]:
    """The whole script, in a namespace of its own."""
    replay = Replay(send)
    _objects(replay)
    _applies(replay)
    _statuses(replay)
    _replicas(replay)
    _leases(replay)
    _accounts(replay)
    _reads(replay)
    return replay.replies


def _objects(r: Replay) -> None:
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SPACE}}
    r.step("in no namespace", "POST", SERVICES, _service())
    r.step("namespace", "POST", "/api/v1/namespaces", space)
    r.step("namespace again", "POST", "/api/v1/namespaces", space)
    r.step("nothing", "GET", f"{SERVICES}/none")
    told = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "told"},
        "data": {"a": "1", "b": "2"},
    }
    path = f"{INSIDE}/configmaps/told"
    made = r.step("created", "POST", f"{INSIDE}/configmaps", told)
    r.step("merge patch", "PATCH", path, {"data": {"a": None, "c": "3"}}, MERGE)
    r.step("merge patch without effect", "PATCH", path, {"data": {"c": "3"}}, MERGE)
    r.step("replaced as of before", "PUT", path, made)
    r.step("replaced blindly", "PUT", path, told)
    add = {"op": "add", "path": "/data/d", "value": "4"}
    r.step("JSON patch", "PATCH", path, [{"op": "test", "path": "/data/a", "value": "1"}, add], JSON)
    r.step("JSON patch unfit", "PATCH", path, [{"op": "test", "path": "/data/a", "value": "9"}, add], JSON)
    r.step("patch of no kind", "PATCH", path, {}, "application/json")
    r.step("dry patch", "PATCH", f"{path}?dryRun=All", {"data": {"e": "5"}}, MERGE)
    r.step("not patched", "GET", path)
    wrong = {"preconditions": {"uid": "00000000-0000-0000-0000-000000000000"}}
    r.step("deleted another", "DELETE", path, wrong)
    r.step("deleted", "DELETE", path)
    r.step("gone", "GET", path)


def _applies(r: Replay) -> None:
    r.step("applied by nobody", "PATCH", WEB, _service(), APPLY)
    r.apply("applied dry", WEB, _service(), more="&dryRun=All")
    r.step("not there", "GET", WEB)
    r.apply("applied", WEB, _service())
    r.apply("applied again", WEB, _service())
    r.apply(
        "another manager",
        WEB,
        {**_labelled(), "spec": {"externalTrafficPolicy": "Local"}},
        "other",
        "&force=true",
    )
    r.apply("conflict", WEB, _service(externalTrafficPolicy="Cluster"))
    r.apply("forced", WEB, _service(externalTrafficPolicy="Cluster"), more="&force=true")
    r.apply("dropped: a default comes", WEB, _service())
    renamed = [
        {"name": "web", "port": 80, "protocol": "TCP"},
        {"name": "alt", "port": 8080, "protocol": "TCP"},
    ]
    r.apply("port renamed, another added", WEB, _service(ports=renamed))
    both = [
        {"name": "dns", "port": 53, "protocol": "UDP"},
        {"name": "dns-tcp", "port": 53, "protocol": "TCP"},
    ]
    r.apply("one port, two protocols", WEB, _service(ports=[renamed[0], *both]))
    r.apply("no clusterIP wanted", WEB, _service(clusterIP="None"))
    none = _labelled()
    none["metadata"]["labels"] = {}
    r.apply("no labels", WEB, none, "bare")
    r.apply("labels where another wants none", WEB, _labelled(a="1", b="2"), "labels")
    r.apply("no opinion", WEB, _labelled(), "bare")
    r.apply("labels", WEB, _labelled(a="1", b="2"), "labels")
    r.apply("a label less", WEB, _labelled(a="1"), "labels")
    r.apply("shared", WEB, _labelled(a="1"), "sharer")
    r.apply("given up by one of two", WEB, _labelled(), "labels")
    r.apply("given up by both", WEB, _labelled(), "sharer")
    r.step(
        "changed by hand", "PATCH", f"{WEB}?fieldManager=hand", {"metadata": {"labels": {"x": "1"}}}, MERGE
    )
    r.apply("conflict with a hand", WEB, _labelled(x="2", y="2"), "labels")
    r.apply("adopted", WEB, _labelled(x="1"), "labels")
    r.step("replaced without what was allotted", "PUT", WEB, _service())


def _statuses(r: Replay) -> None:
    r.step("status by the main way", "PATCH", WEB, _status("192.0.2.1"), MERGE)
    r.step("status", "PATCH", f"{WEB}/status", _status("192.0.2.1"), MERGE)
    r.step(
        "spec by way of status", "PATCH", f"{WEB}/status", {"spec": {"sessionAffinity": "ClientIP"}}, MERGE
    )
    r.apply("status applied", f"{WEB}/status", _status("192.0.2.2"), "fedns", "&force=true")
    r.apply("spec applied, status stays", WEB, _service(sessionAffinity="ClientIP"), "fedns", "&force=true")
    r.step("no status of such", "GET", f"{INSIDE}/configmaps/none/status")


def _replicas(r: Replay) -> None:
    path, scale = f"{DEPLOYMENTS}/web", {"spec": {"replicas": 8}}
    r.apply("five replicas", path, _deployment(replicas=5))
    r.apply("no longer said", path, _deployment())
    r.apply("five again", path, _deployment(replicas=5))
    r.step("scaled", "PATCH", f"{path}/scale?fieldManager=scaler", scale, MERGE)
    r.apply("five wanted", path, _deployment(replicas=5))
    only = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {"replicas": 8},
    }
    r.apply("handed over", path, only, "handover")
    r.apply("not wanted any more", path, _deployment())


def _leases(r: Replay) -> None:
    path = f"{LEASES}/leader"
    spec = {"holderIdentity": "a", "leaseDurationSeconds": 15, "renewTime": "2026-01-01T00:00:00.000000Z"}
    lease = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": "leader"},
        "spec": spec,
    }
    made = r.step("lease", "POST", LEASES, lease)
    mine = {**made, "spec": {**spec, "holderIdentity": "b"}}
    r.step("taken over", "PUT", path, mine)
    r.step("taken over too late", "PUT", path, mine)
    r.step("lease blindly", "PUT", path, lease)
    r.step("lease of no time", "PATCH", path, {"spec": {"leaseDurationSeconds": 0}}, MERGE)


def _reads(r: Replay) -> None:
    path = f"{INSIDE}/configmaps"
    for name, label in (("a", "x"), ("b", "y"), ("c", "x")):
        meta = {"name": name, "labels": {"of": label}}
        r.step(f"read {name}", "POST", path, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta})
    whole = r.step("list", "GET", f"{path}?labelSelector=of")
    begin = whole["metadata"]["resourceVersion"]
    page = r.step("first page", "GET", f"{path}?labelSelector=of&limit=2")
    r.step("last page", "GET", f"{path}?labelSelector=of&limit=2&continue={page['metadata']['continue']}")
    r.step("selected", "GET", f"{path}?labelSelector=of%3Dx")
    r.step("selected among some", "GET", f"{path}?labelSelector=of%20in%20(x,z)")
    r.step("selected otherwise", "GET", f"{path}?labelSelector=of,of!%3Dx")
    r.step("by name", "GET", f"{path}?fieldSelector=metadata.name%3Da")
    r.step("from the future", "GET", f"{path}?resourceVersion=1000000000")
    r.step("from no time", "GET", f"{path}?resourceVersion=x")
    r.step("of no kind", "GET", f"{INSIDE}/nothings")
    r.step("of no group", "GET", "/apis/nothing.example.com/v1/nothings")
    r.step("other label", "PATCH", f"{path}/a", {"metadata": {"labels": {"of": "y"}}}, MERGE)
    r.step("and back", "PATCH", f"{path}/a", {"metadata": {"labels": {"of": "x"}}}, MERGE)
    r.step("one less", "DELETE", f"{path}/c")
    r.step("watched", "GET", f"{path}?watch=1&timeoutSeconds=1&resourceVersion={begin}&labelSelector=of%3Dx")
    streamed = "watch=1&timeoutSeconds=1&allowWatchBookmarks=true&sendInitialEvents=true"
    r.step("streamed", "GET", f"{path}?{streamed}&resourceVersionMatch=NotOlderThan&labelSelector=of%3Dx")
    r.step("streamed without a match", "GET", f"{path}?{streamed}")
    r.step("watched from the future", "GET", f"{path}?watch=1&timeoutSeconds=1&resourceVersion=1000000000")


def _accounts(r: Replay) -> None:
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "reader"}}
    r.step("account", "POST", f"{INSIDE}/serviceaccounts", account)
    rule = {"apiGroups": [""], "resources": ["services"], "verbs": ["list"]}
    api, ref = (
        "rbac.authorization.k8s.io/v1",
        {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader"},
    )
    role = {"apiVersion": api, "kind": "Role", "metadata": {"name": "reader"}, "rules": [rule]}
    subject = {"kind": "ServiceAccount", "name": "reader", "namespace": SPACE}
    binding = {"apiVersion": api, "kind": "RoleBinding", "metadata": {"name": "reader"}, "roleRef": ref}
    inside = f"{RBAC}/namespaces/{SPACE}"
    r.step("role", "POST", f"{inside}/roles", role)
    r.step("binding", "POST", f"{inside}/rolebindings", {**binding, "subjects": [subject]})
    wanted = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    at = f"{INSIDE}/serviceaccounts/reader/token"
    r.step("token for too short", "POST", at, {**wanted, "spec": {"expirationSeconds": 60}})
    _, given = r._send("POST", at, wanted, "application/json", "")
    token = given["status"]["token"]
    r.step("allowed", "GET", SERVICES + "?labelSelector=none", token=token)
    r.step("not everywhere", "GET", "/api/v1/services", token=token)
    r.step("not this verb", "DELETE", WEB, token=token)
    for verb in ("list", "delete"):
        asked = {"namespace": SPACE, "verb": verb, "resource": "services"}
        review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview"}
        said = r._send(
            "POST", REVIEWS, {**review, "spec": {"resourceAttributes": asked}}, "application/json", token
        )
        r.replies[f"may it {verb}"] = Reply(said[0], said[1]["status"]["allowed"])
    r.step("account gone", "DELETE", f"{INSIDE}/serviceaccounts/reader")
