"""Server-side apply: what an object shall be, said whole; the server creates or changes it.

Law: what is sent is owned, and what is no longer sent is taken away from the object, so everything that is
ours goes in every time. Applying what there is already changes nothing, so it may be repeated. A field that
somebody else owns with another value is a `Conflict`, unless forced. (KEP 555)
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from fedns.kube import client
from fedns.kube.failure import ApiError
from fedns.kube.resource import Resource

CONTENT = "application/apply-patch+yaml"
"""JSON is YAML too."""
MANAGER = "fedns"

_whole = msgspec.json.Decoder()


class Way(NamedTuple):
    """As whom it is applied; `force`: take fields from others; `dry`: the server only says what would be."""

    manager: str = MANAGER
    force: bool = False
    dry: bool = False

    @property
    def query(self) -> dict[str, str]:
        told = {"fieldManager": self.manager}
        if self.force:
            told["force"] = "true"
        if self.dry:
            told["dryRun"] = "All"
        return told


class Conflict(ApiError):
    """Somebody else owns a field and wants another value; the message names both."""

    def __init__(self, what: str, told: ApiError) -> None:
        super().__init__(told.status, told.reason, f"{what}: {told.message}", told.retry_after)
        self.kind = "conflict"


OWN = Way()


async def apply(
    api: client.Client, resource: Resource, wanted: Mapping[str, Any], way: Way = OWN, part: str = ""
) -> Any:
    """Applies an object (`metadata` has its name, and namespace), or only its `part` (`status`); what it is
    now, decoded. Failure."""
    meta = wanted["metadata"]
    path = resource.path(meta.get("namespace", ""), meta["name"], part)
    body = {"apiVersion": resource.api_version, "kind": resource.kind, **wanted}
    try:
        reply = await api.send("PATCH", path, msgspec.json.encode(body), CONTENT, way.query)
    except ApiError as error:
        if error.status != 409:
            raise
        raise Conflict(f"{resource.kind} {meta['name']}", error) from None
    return client.decoded(_whole, reply)
