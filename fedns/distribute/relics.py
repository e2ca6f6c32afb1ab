"""The kinds of which a member has copies of ours, whoever brought them, and whatever is remembered of that.

Law: nothing is asked that our rights do not cover: the API server tells them first, and a kind that we could
not change anything of is not listed. Of each kind one object is enough to know that there are some.
"""

import asyncio
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from fedns.kube import client
from fedns.kube.failure import ApiError
from fedns.kube.resource import Resource
from fedns.placement import marks

REVIEWS = Resource("authorization.k8s.io", "v1", "selfsubjectrulesreviews", "SelfSubjectRulesReview", False)
JSON = "application/json"
VERBS = ("list", "watch", "patch")
"""What it takes to know of copies, and to let them go."""
SKIPPED = (403, 404, 405, 503)
"""A kind that is gone, or of an extension of the API that does not answer: it is for another time."""
ALL = "*"

Version = tuple[str, str]
"""apiVersion and kind."""


class Relics(NamedTuple):
    """`kinds` of which there are copies; `unseen`: resources that could not be looked at."""

    kinds: frozenset[Version]
    unseen: tuple[str, ...]


class _Rule(Struct, gc=False):
    verbs: list[str] = []
    apiGroups: list[str] | None = None
    resources: list[str] | None = None
    resourceNames: list[str] | None = None


class _Status(Struct, gc=False):
    resourceRules: list[_Rule] = []
    incomplete: bool = False


class _Review(Struct, gc=False):
    status: _Status


class _Group(Struct, gc=False):
    preferredVersion: dict[str, str]


class _Groups(Struct, gc=False):
    groups: list[_Group] = []


class _Row(Struct, gc=False):
    name: str
    kind: str = ""
    namespaced: bool = True
    verbs: list[str] = []


class _Rows(Struct, gc=False):
    resources: list[_Row] = []


class _List(Struct, gc=False):
    items: list[Any] | None = None


_review = msgspec.json.Decoder(_Review)
_groups = msgspec.json.Decoder(_Groups)
_rows = msgspec.json.Decoder(_Rows)
_list = msgspec.json.Decoder(_List)


async def held(api: client.Client) -> Relics:
    """What there is. Failure."""
    body = {"apiVersion": REVIEWS.api_version, "kind": REVIEWS.kind, "spec": {"namespace": "default"}}
    told = client.decoded(_review, await api.send("POST", REVIEWS.path(), msgspec.json.encode(body), JSON))
    rules = [rule for rule in told.status.resourceRules if not rule.resourceNames]
    granted = frozenset(_granted(rules))
    if told.status.incomplete:  # an authorizer that does not tell: it is asked kind by kind
        granted = frozenset({(ALL, ALL)})
    found, unseen = set[Version](), list[str]()
    for resource in await _served(api, granted):
        try:
            there = await _any(api, resource)
        except ApiError as error:
            if error.status not in SKIPPED:
                raise
            unseen.append(f"{resource.plural}.{resource.group}".removesuffix("."))
            continue
        if there:
            found.add((resource.api_version, resource.kind))
        await asyncio.sleep(0)
    return Relics(frozenset(found), tuple(sorted(unseen)))


def _granted(rules: Iterable[_Rule]) -> Iterator[tuple[str, str]]:
    """(group, plural) of which we may do all that it takes; `*` is any."""
    verbs: dict[tuple[str, str], set[str]] = {}
    for rule in rules:
        for group in rule.apiGroups or ():
            for plural in rule.resources or ():
                verbs.setdefault((group, plural), set()).update(rule.verbs)
    for key, given in verbs.items():
        if ALL in given or given.issuperset(VERBS):
            yield key


async def _served(api: client.Client, granted: frozenset[tuple[str, str]]) -> list[Resource]:
    """The resources that this covers, in the version that the server prefers."""
    groups = {group for group, _ in granted}
    versions = ["v1"] if groups & {"", ALL} else []
    if groups - {""}:
        told = client.decoded(_groups, await api.get("/apis")).groups
        versions += [one.preferredVersion["groupVersion"] for one in told]
    found: list[Resource] = []
    for version in versions:
        group, _, number = version.rpartition("/")
        if not groups & {group, ALL}:
            continue
        try:
            rows = client.decoded(_rows, await api.get(Resource(group, number, "", "").root)).resources
        except ApiError as error:
            if error.status not in SKIPPED:
                raise
            continue
        for row in rows:
            covered = {(group, row.name), (group, ALL), (ALL, row.name), (ALL, ALL)} & granted
            if covered and "/" not in row.name and "list" in (row.verbs or ("list",)):
                found.append(Resource(group, number, row.name, row.kind, row.namespaced))
    return found


async def _any(api: client.Client, resource: Resource) -> bool:
    query = {"labelSelector": f"{marks.LABEL}=true", "limit": "1"}
    return bool(client.decoded(_list, await api.get(resource.path(), query)).items)
