"""What a fake API server holds: objects, one growing resource version, a ring of history.

Law: as etcd and the API server have it: every write has a new version, history ends somewhere, and a selector
turns a change into an ADDED or DELETED of what it selects.
"""

import copy
import json
import re
from collections import deque
from collections.abc import Iterator
from typing import Any, NamedTuple

Object = dict[str, Any]
Place = tuple[str, str, str, str]
"""(group, plural, namespace, name)."""
TERM = re.compile(r"(?:[^,(]|\([^)]*\))+")
"""One requirement of a selector."""
SET = re.compile(r"(\S+) +(in|notin) *\(([^)]*)\)")
RING = 1000
"""Changes remembered."""


class Change(NamedTuple):
    version: int
    place: Place
    before: Object | None
    after: Object | None


class Refused(Exception):
    """A `Status` of failure."""

    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        headers: dict[str, str] | None = None,
        causes: list[dict[str, str]] | None = None,
    ) -> None:
        super().__init__(message)
        self.code, self.reason, self.message, self.headers = code, reason, message, headers or {}
        self.causes = causes or []

    def status(self) -> Object:
        return {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            "code": self.code,
            **({"details": {"causes": self.causes}} if self.causes else {}),
        }


class Selector(NamedTuple):
    """`labels` and `fields` as in a query."""

    labels: str = ""
    fields: str = ""

    def takes(self, found: Object | None) -> bool:
        if found is None:
            return False
        meta = found["metadata"]
        labels = meta.get("labels") or {}
        fields = {f"metadata.{name}": meta.get(name, "") for name in ("name", "namespace")}
        fields |= {"type": found.get("type", "")}
        return _all(self.labels, labels) and _all(self.fields, fields)


class Store:
    """`version` may be set back, as a restored etcd does."""

    def __init__(self) -> None:
        self.version = 1
        self.objects: dict[Place, Object] = {}
        self.history: deque[Change] = deque(maxlen=RING)
        self.oldest = 0
        """Versions below have been compacted away."""
        self._uid = 0

    def list(self, group: str, plural: str, namespace: str, selector: Selector) -> list[tuple[Place, Object]]:
        found = (
            (place, each)
            for place, each in self.objects.items()
            if place[:2] == (group, plural) and namespace in ("", place[2]) and selector.takes(each)
        )
        return sorted(found, key=lambda item: item[0])

    def put(self, place: Place, value: Object, dry: bool = False, moved: bool = False) -> Object:
        """Writes an object whatever there was. One that is `dry`, or does not differ and has not `moved` to
        other owners, is not."""
        before = self.objects.get(place)
        after = copy.deepcopy(value)
        meta = after.setdefault("metadata", {})
        meta["name"] = place[3]
        if place[2]:
            meta["namespace"] = place[2]
        old = (before or {}).get("metadata", {})
        meta["uid"] = old.get("uid") or meta.get("uid") or self._fresh_uid()
        meta.setdefault("creationTimestamp", old.get("creationTimestamp") or "2026-01-01T00:00:00Z")
        if before is not None:
            meta["resourceVersion"] = old["resourceVersion"]
            if after == before and not moved:
                return before
        if dry:
            return after
        self.version += 1
        meta["resourceVersion"] = str(self.version)
        self.objects[place] = after
        self._note(Change(self.version, place, before, after))
        return after

    def delete(self, place: Place) -> Object:
        before = self.objects.pop(place, None)
        if before is None:
            raise Refused(404, "NotFound", f'{place[1]} "{place[3]}" not found')
        self.version += 1
        last = copy.deepcopy(before)
        last["metadata"]["resourceVersion"] = str(self.version)
        self._note(Change(self.version, place, last, None))
        return last

    def compact(self) -> None:
        """Forgets all history, and that there was any."""
        self.history.clear()
        self.version += 1
        self.oldest = self.version

    def since(self, version: int) -> Iterator[Change]:
        """Changes after `version`; Refused (410) where they are no longer known."""
        if version < self.oldest or (
            self.history.maxlen == len(self.history) and version < self.history[0].version
        ):
            raise Refused(410, "Expired", f"too old resource version: {version} ({self.version})")
        return (change for change in tuple(self.history) if change.version > version)

    def _note(self, change: Change) -> None:
        self.history.append(change)

    def _fresh_uid(self) -> str:
        self._uid += 1
        return f"00000000-0000-4000-8000-{self._uid:012d}"


def event(change: Change, selector: Selector) -> Object | None:
    """What a watcher of `selector` sees of a change."""
    was, now = selector.takes(change.before), selector.takes(change.after)
    if now:
        return {"type": "MODIFIED" if was else "ADDED", "object": change.after}
    if not was:
        return None
    gone = copy.deepcopy(change.before or {})
    gone["metadata"]["resourceVersion"] = str(change.version)
    return {"type": "DELETED", "object": gone}


def text(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _all(selector: str, values: dict[str, str]) -> bool:
    return all(_one(term.strip(), values) for term in TERM.findall(selector) if term.strip())


def _one(term: str, values: dict[str, str]) -> bool:
    if found := SET.fullmatch(term):
        name, how, given = found.groups()
        return (values.get(name) in {each.strip() for each in given.split(",")}) == (how == "in")
    if "!=" in term:
        name, value = term.split("!=", 1)
        return values.get(name.strip()) != value.strip()
    if "=" in term:
        name, value = term.replace("==", "=").split("=", 1)
        return values.get(name.strip()) == value.strip()
    return (term[1:].strip() not in values) if term.startswith("!") else term in values
