"""One write to an API server: an object applied, or a part of it, or an object removed.

Law: what is removed is the very object that was seen, as it was seen: its UID and its version (where they are
told) are conditions, so that one of the same name that somebody else made or took in the meantime stays. One
that is gone already was removed.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import msgspec

from fedns.kube import apply, client, informer
from fedns.kube.failure import ApiError
from fedns.kube.resource import Resource

JSON = "application/json"


class Task(Protocol):
    """Something to be written."""

    @property
    def removes(self) -> bool:
        """Whether an object goes."""

    async def run(self, api: client.Client) -> Any:
        """What is there now; None: nothing. Failure."""


class Errand(NamedTuple):
    """`wanted`: the object (or only its `part`) as it shall be; None: the one of `meta` is removed."""

    resource: Resource
    meta: Mapping[str, str]
    wanted: Mapping[str, Any] | None
    part: str = ""
    way: apply.Way = apply.OWN

    @property
    def removes(self) -> bool:
        return self.wanted is None

    async def run(self, api: client.Client) -> Any:
        """What is there now; None: nothing. Failure."""
        if self.wanted is not None:
            return await apply.apply(api, self.resource, self.wanted, self.way, self.part)
        path = self.resource.path(self.meta.get("namespace", ""), self.meta["name"])
        seen = {name: self.meta[name] for name in ("uid", "resourceVersion") if name in self.meta}
        body = msgspec.json.encode({"preconditions": seen})
        try:
            await api.send("DELETE", path, body, JSON)
        except ApiError as error:
            if error.status != 404:
                raise
        return None


def overtaken(feed: informer.Informer | None, key: informer.Key, left: Mapping[str, Any]) -> bool:
    """Whether what a write left is older than what was heard of it: the reply came after the news."""
    heard = "" if feed is None else feed.version(key)
    told = str((left.get("metadata") or {}).get("resourceVersion", ""))
    return heard.isdigit() and told.isdigit() and int(heard) > int(told)
