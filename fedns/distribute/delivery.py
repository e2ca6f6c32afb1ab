"""One step for one copy in a member: put there, let go, or removed, after a look at what is there now.

Law: what is not marked as ours changes only where it is equal already, or where it may be overwritten; then
what it was is in the log first. Without force: a field that somebody else has set since is taken back only on
a copy that was as it should be (that is drift), one that they set before we applied it follows the fleet, and
none is taken from who applies it on purpose. Replicas that an
autoscaler is to have are handed over before they are no longer sent, or they would fall to one. What is
removed is the very object that was looked at.
"""

import logging
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from fedns import logs
from fedns.distribute import glance
from fedns.kube import apply, client
from fedns.kube.failure import ApiError, Failure
from fedns.kube.resource import Resource
from fedns.placement import assignment, copies, item, marks, pod, retention, template

HANDOVER = apply.Way("fedns-handover", force=True)
TAKEN = "it is there already, other than it is to be, and not ours"
HINT = "conflictResolution: Overwrite takes it"
RIVALS = re.compile(r'conflicts? with "([^"]+)"')
RIGHT = re.compile(r'User "[^"]*" cannot ')
"""In what is said of a right that is missing."""
ADMISSION = re.compile(r"denied (the )?request")
"""In what admission says, with the same status; any words may follow."""
MERGE = "application/merge-patch+json"
JSON = "application/json"
EMPTY: list[dict[str, Any]] = [{}]
"""As the API has it: nobody owns anything."""

Rows = Sequence[Mapping[str, Any]]
"""Of `managedFields`."""

log = logging.getLogger("fedns.distribute.delivery")
_whole = msgspec.json.Decoder(dict[str, Any])


class Refused(Failure):
    """We do not do it: somebody has to decide, or the server refuses this one object."""

    kind = "refused"


class Delivery(NamedTuple):
    """`copy` None: it goes, or (`release`) stays as nobody's. `known`: the watch has shown it as ours;
    `scaled`: an autoscaler has its replicas; `drifted`: fields that others took may be taken back. `parting`:
    it only says since when clients are to leave it (empty: no more); None: it is not about that."""

    resource: Resource
    namespace: str
    name: str
    copy: assignment.Copy | None = None
    release: bool = False
    known: bool = False
    scaled: bool = False
    drifted: bool = False
    parting: str | None = None

    @property
    def removes(self) -> bool:
        return self.copy is None and not self.release and self.parting is None

    async def run(self, api: client.Client) -> Any:
        """What is there now; None: nothing. Failure."""
        if self.copy is not None and self.parting is None:
            return await self._put(api, self.copy)
        there = await self._look(api)
        if there is None or not marks.ours(there):
            return there
        if self.parting is not None:
            meta = {"annotations": {marks.PARTING: self.parting or None}}
            return await self._say(api, there, meta, "fedns-parting")
        return await (self._release(api, there) if self.release else self._remove(api, there))

    @property
    def _path(self) -> str:
        return self.resource.path(self.namespace, self.name)

    async def _look(self, api: client.Client) -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = client.decoded(_whole, await api.get(self._path))
        except ApiError as error:
            if error.status == 404:
                return None
            raise
        return found

    async def _put(self, api: client.Client, copy: assignment.Copy) -> Any:
        sent, force = copy.item, False
        if not self.known or self.scaled:
            there = await self._look(api)
            if there is not None and (_going(there) if marks.ours(there) else copy.along):
                return there
            if there is not None and not marks.ours(there):
                force = self._taking(there, copy)
            elif there is not None and self.scaled:
                sent = await self._handed(api, there, copy)
        return await self._apply(api, sent, force or (self.known and copy.overwrite))

    def _taking(self, there: dict[str, Any], copy: assignment.Copy) -> bool:
        """Whether what somebody else made is to be taken by force. Refused: it is not to be touched."""
        if copy.overwrite:
            told = logs.fields(object=self._path, was=msgspec.json.encode(_shown(there)).decode())
            log.warning("what somebody else made is overwritten", extra=told)
            return True
        wanted = retention.kept(marks.unmarked(copy.item), there)
        if not copies.equal(there, wanted):
            raise Refused(f"{TAKEN} ({HINT})")
        return False

    async def _handed(self, api: client.Client, there: dict[str, Any], copy: assignment.Copy) -> Any:
        """The copy without its replicas, after somebody else has them."""
        field = pod.REPLICAS.get(pod.kind(there), "")
        live = item.at(there, "spec", field)
        if live is None:
            return copy.item
        if _owns(there, f"f:{field}"):
            meta = {"name": self.name, "namespace": self.namespace}
            await apply.apply(api, self.resource, {"metadata": meta, "spec": {field: live}}, HANDOVER)
        return assignment.without_replicas(copy.item)

    async def _apply(self, api: client.Client, sent: Mapping[str, Any], force: bool) -> Any:
        meta = {**item.metadata(sent), "name": self.name}
        if self.namespace:
            meta["namespace"] = self.namespace
        body = {**sent, "metadata": meta}
        try:
            return await apply.apply(api, self.resource, body, apply.OWN._replace(force=force))
        except apply.Conflict as conflict:
            if force or not self.known or not await self._mayforce(api, conflict):
                raise
            told = logs.fields(object=self._path, conflict=str(conflict))
            log.info("what differs in a copy is put right", extra=told)
            return await apply.apply(api, self.resource, body, apply.OWN._replace(force=True))

    async def _mayforce(self, api: client.Client, conflict: apply.Conflict) -> bool:
        rivals = set(RIVALS.findall(str(conflict))) - {HANDOVER.manager}
        if not rivals:
            return HANDOVER.manager in str(conflict)
        there = await self._look(api)
        if there is None:
            return False
        rows = item.several(there, "metadata", "managedFields")
        theirs = [row for row in rows if row.get("manager") in rivals]
        if any(row.get("operation") == "Apply" for row in theirs):
            return False
        return self.drifted or _older(theirs, [row for row in rows if row.get("manager") == apply.MANAGER])

    async def _remove(self, api: client.Client, there: Mapping[str, Any]) -> None:
        meta = item.metadata(there)
        known = {"uid": meta.get("uid"), "resourceVersion": meta.get("resourceVersion")}
        body = msgspec.json.encode({"preconditions": known, "propagationPolicy": "Background"})
        try:
            await api.send("DELETE", self._path, body, JSON)
        except ApiError as error:
            if error.status != 404:
                raise

    async def _release(self, api: client.Client, there: Mapping[str, Any]) -> Any:
        """Without our marks, and nobody's in our name: whoever applies it next has no conflict with us."""
        rows = item.several(there, "metadata", "managedFields")
        left = [row for row in rows if row.get("manager") not in (apply.MANAGER, HANDOVER.manager)]
        meta = {
            "labels": {marks.LABEL: None},
            "annotations": dict.fromkeys(marks.NOTES),
            **({"managedFields": left or EMPTY} if rows else {}),
        }
        return await self._say(api, there, meta, "fedns-release")

    async def _say(
        self, api: client.Client, there: Mapping[str, Any], meta: Mapping[str, Any], manager: str
    ) -> Any:
        """The very object that was looked at, with other metadata."""
        seen = {"resourceVersion": item.metadata(there).get("resourceVersion")}
        body = msgspec.json.encode({"metadata": {**seen, **meta}})
        found = await api.send("PATCH", self._path, body, MERGE, {"fieldManager": manager})
        return client.decoded(_whole, found)


def alone(error: ApiError) -> bool:
    """Whether it is about this one object, not about our rights on its kind."""
    if error.status != 403:
        return error.status == 404
    return bool(ADMISSION.search(str(error))) or not RIGHT.search(str(error))


def _shown(there: item.Item) -> item.Item:
    """As it may stand in a log: nothing secret."""
    if item.ref(there)[:2] != ("", "Secret"):
        return there
    made = item.own({name: value for name, value in there.items() if name not in ("data", "stringData")})
    item.drop(made, "metadata", "annotations", template.APPLIED)
    return made


def _older(theirs: Rows, ours: Rows) -> bool:
    """Whether what they own is what they set before we applied it last: it has been ours since."""
    since = max((str(row.get("time") or "") for row in ours), default="")
    return bool(theirs) and all("" < str(row.get("time") or "") < since for row in theirs)


def _going(there: item.Item) -> bool:
    """Whether it is being removed: by now that is the member's own matter."""
    return bool(glance.going(item.metadata(there)))


def _owns(there: item.Item, field: str) -> bool:
    """Whether we are who says a field of the spec."""
    rows = item.several(there, "metadata", "managedFields")
    own = (row.get("fieldsV1") or {} for row in rows if row.get("manager") == apply.MANAGER)
    return any(item.at(fields, "f:spec", field) is not None for fields in own)
