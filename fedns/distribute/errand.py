"""One write to an API server: an object applied, or a part of it, or an object removed.

Law: what is removed is the very object that was seen: its UID is a condition, so that one of the same name
that somebody else made in the meantime stays. One that is gone already was removed.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import msgspec

from fedns.kube import apply, client
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
        body = msgspec.json.encode({"preconditions": {"uid": self.meta["uid"]}})
        try:
            await api.send("DELETE", path, body, JSON)
        except ApiError as error:
            if error.status != 404:
                raise
        return None
