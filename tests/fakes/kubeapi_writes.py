"""What a fake API server does with POST, PUT, PATCH and DELETE.

Law: one write is one step, without a wait in it. What a write leaves is first made whole (`kubeapi_rules`)
and its owners found (`kubeapi_apply`); only then is it stored, unless it is a dry run.
"""

import copy
import datetime
import json
from collections.abc import Mapping
from typing import NamedTuple

from tests.fakes import kubeapi_apply, kubeapi_patch, kubeapi_rules
from tests.fakes.kubeapi_faults import Faults
from tests.fakes.kubeapi_kinds import Kind
from tests.fakes.kubeapi_rights import Asked, Rights
from tests.fakes.kubeapi_store import Object, Place, Refused, Store

APPLY = "application/apply-patch+yaml"
TOKEN = "kubernetes.io/service-account-token"
ACCOUNT = "kubernetes.io/service-account"


class Call(NamedTuple):
    """`version` as in `apiVersion`; `part`: the subresource; `type`: of the body."""

    method: str
    version: str
    kind: Kind
    place: Place
    part: str
    query: Mapping[str, str]
    type: str
    manager: str
    user: str

    @property
    def who(self) -> kubeapi_apply.Who:
        how = "Apply" if self.type == APPLY else "Update"
        return kubeapi_apply.Who(self.manager, how, self.version, self.part)

    def shown(self, value: Object) -> Object:
        return {**value, "apiVersion": self.version, "kind": self.kind.name}

    def missing(self) -> Refused:
        return Refused(404, "NotFound", f'{self.place[1]} "{self.place[3]}" not found')


class Writes:
    """`authority`: what `ca.crt` of tokens says."""

    def __init__(self, store: Store, rights: Rights, faults: Faults) -> None:
        self.store, self.rights, self.faults = store, rights, faults
        self.owners: dict[Place, kubeapi_apply.Owners] = {}
        self.authority = ""

    def read(self, call: Call) -> Object:
        found = self.store.objects.get(call.place)
        if found is None:
            raise call.missing()
        return self._told(call, _scale(found) if call.part == "scale" else found)

    def write(self, call: Call, data: bytes) -> tuple[int, Object]:
        """(status, reply)."""
        body = _parsed(data)
        if call.part == "token":
            return 201, self._issued(call, body)
        if call.kind.name == "SelfSubjectAccessReview":
            return 201, self._reviewed(call, body)
        if call.kind.name == "SelfSubjectRulesReview":
            rules = self.rights.rules(call.user, body["spec"]["namespace"])
            return 201, call.shown({**body, "status": {"resourceRules": rules, "incomplete": False}})
        if call.method == "DELETE":
            return 200, self._deleted(call, body)
        if call.method == "POST":
            return self._created(call, body)
        return self._changed(call, body)

    def put(self, place: Place, value: Object, version: str, kind: Kind) -> None:
        """As another client that writes all there is at once."""
        before = self.store.objects.get(place)
        if place in self.owners and before is not None:
            who = kubeapi_apply.Who("other", "Update", version)
            self.owners[place] = kubeapi_apply.updated(before, value, self.owners[place], who, kind.keys)
        self.store.put(place, value)

    def _created(self, call: Call, body: Object) -> tuple[int, Object]:
        meta = body.setdefault("metadata", {})
        if "name" not in meta and meta.get("generateName"):
            meta["name"] = f"{meta['generateName']}{self.store.version:05d}"
        call = call._replace(place=(*call.place[:3], meta.get("name", "")))
        self._named(call, body)
        if call.place in self.store.objects:
            raise Refused(409, "AlreadyExists", f'{call.place[1]} "{call.place[3]}" already exists')
        if meta.get("resourceVersion"):
            raise Refused(400, "BadRequest", "resourceVersion should not be set on objects to be created")
        self._inside(call)
        owners = kubeapi_apply.updated({}, _written(call, body), {}, call.who, call.kind.keys)
        return self._stored(call, None, body, owners)

    def _changed(self, call: Call, body: Object) -> tuple[int, Object]:
        before = self.store.objects.get(call.place)
        if call.type == APPLY and call.method == "PATCH":
            return self._applied(call, before, body)
        if before is None:
            raise call.missing()
        if call.query.get("force"):
            raise Refused(422, "Invalid", "PatchOptions.meta.k8s.io is invalid: force: Forbidden")
        after = body if call.method == "PUT" else _patched(call, before, body)
        if call.part == "scale":
            after = kubeapi_patch.merged(before, {"spec": {"replicas": body["spec"].get("replicas", 0)}})
        self._named(call, after)
        self._fresh(call, before, after)
        settled = kubeapi_rules.settled(call.kind, before, _kept(before, after), call.part)
        owners = kubeapi_apply.updated(before, settled, self._owned(call, before), call.who, call.kind.keys)
        return self._stored(call, before, after, owners)

    def _applied(self, call: Call, before: Object | None, body: Object) -> tuple[int, Object]:
        if not call.query.get("fieldManager"):
            raise Refused(422, "Invalid", "PatchOptions.meta.k8s.io is invalid: fieldManager: Required value")
        self._named(call, body)
        if body["metadata"].get("managedFields"):
            raise Refused(400, "BadRequest", "metadata.managedFields must be nil")
        if before is None:
            self._inside(call)
            asked = Asked("create", call.place[0], call.place[1], call.place[2], call.place[3])
            if not self.rights.allows(call.user, asked, self.faults.forbidden):
                raise asked.refusal(call.user)
            if call.part:
                raise call.missing()
        else:
            self._fresh(call._replace(method="PATCH"), before, body)
        live, force = copy.deepcopy(before or {}), call.query.get("force") in ("true", "1")
        try:
            owned = self._owned(call, before)
            after, owners = kubeapi_apply.applied(
                live, _written(call, body), owned, call.who, call.kind.keys, force
            )
        except kubeapi_apply.Conflict as conflict:
            message, causes = kubeapi_apply.told(conflict.found)
            raise Refused(409, "Conflict", message, None, causes) from None
        return self._stored(call, before, after, owners)

    def _stored(
        self, call: Call, before: Object | None, after: Object, owners: kubeapi_apply.Owners
    ) -> tuple[int, Object]:
        settled = kubeapi_rules.settled(call.kind, before, _kept(before, after), call.part)
        if settled.get("type") == TOKEN and call.kind.name == "Secret":
            self._token(call, settled)
        if call.part == "status":
            settled["metadata"] = {**settled["metadata"], "managedFields": kubeapi_apply.shown(owners)}
        dry = call.query.get("dryRun") == "All"
        moved = before is not None and owners != self._owned(call, before)
        found = self.store.put(call.place, settled, dry, moved)
        if not dry:
            self.owners[call.place] = owners
            if found["metadata"].get("deletionTimestamp") and not found["metadata"].get("finalizers"):
                self._gone(call.place)
        shown = _scale(found) if call.part == "scale" else found
        return 200 if before else 201, {**self._told(call, shown)}

    def _deleted(self, call: Call, body: Object) -> Object:
        found = self.store.objects.get(call.place)
        if found is None:
            raise call.missing()
        wanted, meta = body.get("preconditions") or {}, found["metadata"]
        if any(value != meta[name] for name, value in wanted.items() if value):
            raise Refused(409, "Conflict", "the precondition does not match")
        if call.query.get("dryRun") == "All":
            return found
        if meta.get("finalizers"):
            ending = copy.deepcopy(found)
            ending["metadata"].setdefault("deletionTimestamp", _stamp(0.0))
            return self.store.put(call.place, ending)
        self._gone(call.place)
        return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}

    def _gone(self, place: Place) -> None:
        self.store.delete(place)
        self.owners.pop(place, None)
        if place[:2] == ("", "namespaces"):
            for inside in [each for each in self.store.objects if each[2] == place[3]]:
                self._gone(inside)

    def _owned(self, call: Call, before: Object | None) -> kubeapi_apply.Owners:
        """Who wrote an object that came by `put` is another."""
        if before is None:
            return {}
        other = kubeapi_apply.Who("other", "Update", call.version)
        return self.owners.get(call.place) or {other: frozenset(kubeapi_apply.leaves(before, call.kind.keys))}

    def _told(self, call: Call, value: Object) -> Object:
        """With the owners, which lists and watches tell of statuses alone here."""
        if owners := self.owners.get(call.place):
            value = {**value, "metadata": {**value["metadata"], "managedFields": kubeapi_apply.shown(owners)}}
        return value if call.part == "scale" else call.shown(value)

    def _named(self, call: Call, body: Object) -> None:
        meta, place = body.get("metadata") or {}, call.place
        if call.part != "scale" and (body.get("apiVersion"), body.get("kind")) != (
            call.version,
            call.kind.name,
        ):
            raise Refused(400, "BadRequest", "the object in the data does not match the expected kind")
        if not meta.get("name"):
            raise Refused(422, "Invalid", "metadata.name: Required value: name or generateName is required")
        if meta["name"] != place[3]:
            raise Refused(400, "BadRequest", "the name of the object does not match the name on the URL")
        if meta.get("namespace", place[2]) != place[2]:
            raise Refused(
                400, "BadRequest", "the namespace of the provided object does not match the request"
            )

    def _fresh(self, call: Call, before: Object, after: Object) -> None:
        meta, old = after["metadata"], before["metadata"]
        seen = meta.get("resourceVersion")
        if not seen and call.method == "PUT" and not call.kind.blind:
            raise kubeapi_rules.invalid(
                call.kind,
                after,
                "metadata.resourceVersion: Invalid value: 0: must be specified for an update",
            )
        if (seen and seen != old["resourceVersion"]) or meta.get("uid", old["uid"]) != old["uid"]:
            raise Refused(
                409,
                "Conflict",
                f'Operation cannot be fulfilled on {call.place[1]} "{call.place[3]}": the object has been '
                "modified; please apply your changes to the latest version and try again",
            )

    def _inside(self, call: Call) -> None:
        namespace = call.place[2]
        if call.kind.namespaced and ("", "namespaces", "", namespace) not in self.store.objects:
            raise Refused(404, "NotFound", f'namespaces "{namespace}" not found')

    def _token(self, call: Call, value: Object) -> None:
        """What the token controller would put into a Secret."""
        meta = value["metadata"]
        notes = meta.setdefault("annotations", {})
        account = notes.get(f"{ACCOUNT}.name", "")
        if not account:
            raise kubeapi_rules.invalid(call.kind, value, f"metadata.annotations[{ACCOUNT}.name]: Required")
        if self.faults.controllers and "token" not in value.get("data", {}):
            token, _ = self.rights.issue(call.place[2], account, 0.0, call.place[3])
            told = {"token": token, "ca.crt": self.authority, "namespace": call.place[2]}
            value["data"] = {**value.get("data", {}), **{k: kubeapi_rules.coded(v) for k, v in told.items()}}

    def _issued(self, call: Call, body: Object) -> Object:
        seconds = body.get("spec", {}).get("expirationSeconds", 3600)
        if seconds < 600:
            raise Refused(422, "Invalid", "spec.expirationSeconds: Invalid value: may not be less than 600")
        token, until = self.rights.issue(call.place[2], call.place[3], seconds)
        ends = _stamp(until)
        return {**body, "status": {"token": token, "expirationTimestamp": ends}}

    def _reviewed(self, call: Call, body: Object) -> Object:
        spec = body["spec"]
        if path := spec.get("nonResourceAttributes"):
            allowed = self.rights.visits(call.user, path.get("verb", ""), path.get("path", ""))
        else:
            of = spec["resourceAttributes"]
            part = f"/{of['subresource']}" if of.get("subresource") else ""
            given = (of.get(name, "") for name in ("verb", "group"))
            plural = of.get("resource", "") + part
            asked = Asked(*given, plural, of.get("namespace", ""), of.get("name", ""))
            allowed = self.rights.allows(call.user, asked, self.faults.forbidden)
        return call.shown({**body, "status": {"allowed": allowed}})


def _parsed(data: bytes) -> Object:
    try:
        found: Object = json.loads(data or b"{}")
    except ValueError:
        raise Refused(400, "BadRequest", "the body is no JSON") from None
    return found


def _written(call: Call, body: Object) -> Object:
    """What of a body counts on its way."""
    if call.part == "status":
        return {name: body[name] for name in ("apiVersion", "kind", "metadata", "status") if name in body}
    return {name: value for name, value in body.items() if name != "status" or not call.kind.status}


def _kept(before: Object | None, after: Object) -> Object:
    """What no client can write stays."""
    meta, old = dict(after["metadata"]), (before or {}).get("metadata", {})
    for name in ("generation", "deletionTimestamp", "managedFields", "resourceVersion", "uid"):
        meta.pop(name, None)
        if name in old:
            meta[name] = old[name]
    return {**after, "metadata": meta}


def _patched(call: Call, before: Object, body: Object) -> Object:
    if call.type == "application/merge-patch+json":
        found: Object = kubeapi_patch.merged(before, body)
    elif call.type == "application/json-patch+json":
        try:
            found = kubeapi_patch.operated(before, body)  # type: ignore[arg-type]
        except kubeapi_patch.Unfit as unfit:
            raise Refused(422, "Invalid", f"the server rejected our request: {unfit}") from None
    else:
        raise Refused(
            415, "UnsupportedMediaType", f"the body of the request was in an unknown format: {call.type}"
        )
    return call.shown(found)


def _scale(found: Object) -> Object:
    names = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    meta = {name: found["metadata"][name] for name in names if name in found["metadata"]}
    spec = {"replicas": found["spec"]["replicas"]}
    labels = found["spec"]["selector"]["matchLabels"]
    status = {
        "replicas": 0,
        "selector": ",".join(f"{name}={value}" for name, value in sorted(labels.items())),
    }
    return {"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": meta, "spec": spec, "status": status}


def _stamp(at: float) -> str:
    return datetime.datetime.fromtimestamp(at, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
