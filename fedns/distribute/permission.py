"""What we may do in a cluster, as its API server judges it (SelfSubjectAccessReview, which anybody may ask).

Law: asked before anything is changed, so that whoever lacks a right hears all that is missing at once.
"""

import asyncio
from collections.abc import Iterable
from typing import NamedTuple

import msgspec
from msgspec import Struct

from fedns.distribute import rights
from fedns.kube import client
from fedns.kube.resource import Resource

REVIEWS = Resource("authorization.k8s.io", "v1", "selfsubjectaccessreviews", "SelfSubjectAccessReview", False)
JSON = "application/json"


class Ask(NamedTuple):
    """One verb on one resource; no namespace: everywhere."""

    verb: str
    group: str
    resource: str
    namespace: str = ""
    name: str = ""

    def __str__(self) -> str:
        plural, _, part = self.resource.partition("/")
        called = f"{plural}.{self.group}" if self.group else plural
        named = f" {self.name}" if self.name else ""
        where = f" in namespace {self.namespace}" if self.namespace else ""
        return f"{self.verb} {called}{'/' + part if part else ''}{named}{where}"


class _Status(Struct, gc=False):
    allowed: bool = False


class _Review(Struct, gc=False):
    status: _Status


_review = msgspec.json.Decoder(_Review)


def of(given: Iterable[rights.Right], namespace: str) -> tuple[Ask, ...]:
    """Whether these rights are granted; `namespace` is that of the local ones."""
    return tuple(
        Ask(grant.verb, grant.group, grant.resource, namespace if grant.local else "", grant.name)
        for grant in sorted(rights.grants(given))
    )


async def missing(api: client.Client, asked: Iterable[Ask]) -> tuple[Ask, ...]:
    """Those that are refused, in the order in which they are asked. Failure."""
    found = tuple(asked)
    allowed = await asyncio.gather(*(_allowed(api, one) for one in found))
    return tuple(one for one, good in zip(found, allowed, strict=True) if not good)


async def _allowed(api: client.Client, one: Ask) -> bool:
    plural, _, part = one.resource.partition("/")
    told = {
        "verb": one.verb,
        "group": one.group,
        "resource": plural,
        "subresource": part,
        "namespace": one.namespace,
        "name": one.name,
    }
    body = {
        "apiVersion": REVIEWS.api_version,
        "kind": REVIEWS.kind,
        "spec": {"resourceAttributes": {key: value for key, value in told.items() if value}},
    }
    reply = await api.send("POST", REVIEWS.path(), msgspec.json.encode(body), JSON)
    return bool(client.decoded(_review, reply).status.allowed)
