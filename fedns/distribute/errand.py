"""One write to an API server: an object applied, or a part of it, or an object removed.

Law: what is removed is the very object that was seen: its UID is a condition, so that one of the same name
that somebody else made in the meantime stays. One that is gone already was removed.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from fedns.kube import apply, client
from fedns.kube.failure import ApiError
from fedns.kube.resource import Resource

JSON = "application/json"


class Errand(NamedTuple):
    """`wanted`: the object (or only its `part`) as it shall be; None: the one of `meta` is removed."""

    resource: Resource
    meta: Mapping[str, str]
    wanted: Mapping[str, Any] | None
    part: str = ""
    way: apply.Way = apply.OWN


async def run(api: client.Client, told: Errand) -> Any:
    """What is there now; None: nothing. Failure."""
    if told.wanted is not None:
        return await apply.apply(api, told.resource, told.wanted, told.way, told.part)
    path = told.resource.path(told.meta.get("namespace", ""), told.meta["name"])
    body = msgspec.json.encode({"preconditions": {"uid": told.meta["uid"]}})
    try:
        await api.send("DELETE", path, body, JSON)
    except ApiError as error:
        if error.status != 404:
            raise
    return None
