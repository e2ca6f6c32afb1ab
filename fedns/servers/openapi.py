"""The OpenAPI 3.1 description of the admin API, made from its routes and the structs they speak.

Law: nothing is described by hand that the routes or structs already say.
"""

from collections.abc import Iterable
from typing import Any, Protocol

import msgspec

from fedns.servers import api

PARAMETERS = {
    "name": "a domain name, a member's name in lists, or `[KIND/][NAMESPACE/]NAME` of objects, with * and ?",
    "type": "record type, such as A, AAAA, SRV, TXT",
    "from": "address of the client who asks",
    "region": "only this region",
    "service": "only this service, `namespace/name`",
    "member": "only this member",
    "state": "only shards, or copies, in this state",
    "kind": "only objects of this kind",
    "object": "only this object, `namespace/name`",
    "policy": "only copies of this policy",
    "source": "only problems of this source",
    "origin": "zone name; empty: the federation's zone",
    "target": "MEMBER, MEMBER/NAMESPACE/NAME, region:REGION or zone:ZONE",
    "zone": "only this zone, without its last dot",
    "word": "up, down or drain",
    "url": "http or https, host, port, path and query",
    "method": "GET where it is not said",
    "header": "a field as `Name: value`",
    "host": "only this host, as rules have it (`*.example.com`, `*`)",
    "ingress": "only this Ingress, `namespace/name`",
    "limit": "at most so many rows",
}


class Described(Protocol):
    """What a route says of itself."""

    @property
    def method(self) -> str: ...
    @property
    def path(self) -> str: ...
    @property
    def summary(self) -> str: ...
    @property
    def produces(self) -> Any: ...
    @property
    def parameters(self) -> tuple[str, ...]: ...
    @property
    def consumes(self) -> Any: ...
    @property
    def status(self) -> int: ...


def describe(routes: Iterable[Described]) -> dict[str, Any]:
    """The whole description."""
    rows = list(routes)
    kinds = [kind for row in rows for kind in (row.produces, row.consumes) if kind is not None]
    kinds.append(api.Fault)
    schemas, components = msgspec.json.schema_components(kinds, ref_template="#/components/schemas/{name}")
    by_kind = dict(zip(map(str, kinds), schemas, strict=True))
    paths: dict[str, Any] = {}
    for row in rows:
        paths.setdefault(row.path, {})[row.method.lower()] = _operation(row, by_kind)
    return {
        "openapi": "3.1.0",
        "info": {"title": "fedns admin API", "version": "1", "license": {"name": "Apache-2.0"}},
        "paths": paths,
        "components": {"schemas": components},
    }


def _operation(row: Described, by_kind: dict[str, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "summary": row.summary,
        "parameters": [
            {"name": name, "in": "query", "description": PARAMETERS[name], "schema": {"type": "string"}}
            for name in row.parameters
        ],
        "responses": {
            str(row.status): {"description": row.summary, **_content(row.produces, by_kind, row.status)},
            "default": {"description": "what is wrong", **_content(_fault(row), by_kind, 400)},
        },
    }
    if row.consumes is not None:
        operation["requestBody"] = {"required": True, **_content(row.consumes, by_kind, 200)}
    return operation


def _fault(row: Described) -> Any:
    """Trouble is told in JSON below `/api/`, and in plain text to orchestrators."""
    return api.Fault if row.path.startswith("/api/") else None


def _content(kind: Any, by_kind: dict[str, Any], status: int) -> dict[str, Any]:
    if status == 204:
        return {}
    if kind is None:
        return {"content": {"text/plain": {"schema": {"type": "string"}}}}
    return {"content": {"application/json": {"schema": by_kind[str(kind)]}}}
