"""What an API server has of some kinds, asked once: for a plan, which watches nothing.

Law: what is refused is not known, so the holding is not whole; a kind that is not served is told, for nothing
of it can be made. Whatever fails otherwise is a Failure. A list that expires while it is read begins again,
unpaged.
"""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import msgspec

from fedns.distribute import pool
from fedns.kube import apply, client
from fedns.kube.failure import ApiError
from fedns.kube.resource import Resource

PAGE = "500"
GONE, FORBIDDEN, UNKNOWN, NOT_ALLOWED = 410, 403, 404, 405

Version = tuple[str, str]
"""apiVersion and kind."""
_object = msgspec.json.Decoder()


class Holding(NamedTuple):
    """`items` as JSON has them; `missing`: kinds that are not served; `refused`: why others were not told;
    `known`: the resources by kind."""

    items: list[dict[str, Any]]
    missing: frozenset[Version]
    refused: Mapping[Version, str]
    known: Mapping[Version, Resource]


async def held(api: client.Client, kinds: Iterable[Version], shared: pool.Pool | None = None) -> Holding:
    """All objects of these kinds; with `shared`, parts that other clusters have too are the same. Failure."""
    parts = shared or pool.Pool()
    wanted = sorted(set(kinds))
    known = await served(api, wanted)
    refused: dict[Version, str] = {}
    made = Holding([], frozenset(wanted) - known.keys(), refused, known)
    for version, resource in known.items():
        try:
            found = await _listed(api, resource, parts)
        except ApiError as error:
            if error.status not in (FORBIDDEN, UNKNOWN, NOT_ALLOWED):
                raise
            refused[version] = f"{resource.plural}: {error}"
            continue
        named = {"apiVersion": version[0], "kind": version[1]}
        made.items.extend({**named, **each} for each in found)
    return made


async def dry(
    api: client.Client, resource: Resource, wanted: Mapping[str, Any], force: bool
) -> dict[str, Any]:
    """The object as the server would have it, were `wanted` applied. Failure."""
    found: dict[str, Any] = await apply.apply(api, resource, wanted, apply.Way(force=force, dry=True))
    return found


async def served(api: client.Client, kinds: Iterable[Version]) -> dict[Version, Resource]:
    """The resources of these kinds, as far as there are such. Failure."""
    wanted = sorted(set(kinds))
    versions = sorted({version for version, _ in wanted})
    rows = dict(zip(versions, await asyncio.gather(*(_rows(api, each) for each in versions)), strict=True))
    found = {}
    for version, kind in wanted:
        row = rows[version].get(kind)
        if row is not None:
            group, _, number = version.rpartition("/")
            found[version, kind] = Resource(group, number, row["name"], kind, bool(row.get("namespaced")))
    return found


async def _rows(api: client.Client, version: str) -> dict[str, Any]:
    """The rows of what is served in a version, by kind."""
    root = f"/apis/{version}" if "/" in version else f"/api/{version}"
    try:
        told = client.decoded(_object, await api.get(root))
    except ApiError as error:
        if error.status == UNKNOWN:
            return {}
        raise
    rows = told.get("resources") or ()
    return {row["kind"]: row for row in rows if "/" not in row["name"]}


async def _listed(api: client.Client, resource: Resource, parts: pool.Pool) -> list[dict[str, Any]]:
    try:
        return await _pages(api, resource, {"limit": PAGE}, parts)
    except ApiError as error:
        if error.status != GONE:
            raise
        return await _pages(api, resource, {}, parts)


async def _pages(
    api: client.Client, resource: Resource, query: Mapping[str, str], parts: pool.Pool
) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    more = dict(query)
    while True:
        items, again = parts.page(await api.get(resource.path(), more))
        found.extend(items)
        if not again:
            return found
        more = {**query, "continue": again}
