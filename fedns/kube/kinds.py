"""Kinds as objects name them -> resources as an API server serves them.

Law: asked when it is needed, and again while the answer is no: a kind may be defined later.
"""

import msgspec
from msgspec import Struct

from fedns.kube import client
from fedns.kube.failure import ApiError
from fedns.kube.resource import Resource


class _Served(Struct, gc=False):
    name: str
    kind: str = ""
    namespaced: bool = True


class _All(Struct, gc=False):
    resources: list[_Served] = []


_all = msgspec.json.Decoder(_All)


def named(api_version: str, kind: str) -> Resource:
    """By its usual name, as long as nobody was asked."""
    group, slash, version = api_version.rpartition("/")
    return Resource(group if slash else "", version, f"{kind.lower()}s", kind)


async def find(api: client.Client, api_version: str, kind: str) -> Resource:
    """The resource. Failure: 404 where the server knows no such kind."""
    wanted = named(api_version, kind)
    try:
        served = client.decoded(_all, await api.get(wanted.root)).resources
    except ApiError as error:
        if error.status != 404:
            raise
        served = []
    for one in served:
        if one.kind == kind and "/" not in one.name:
            return wanted._replace(plural=one.name, namespaced=one.namespaced)
    raise ApiError(404, "NotFound", f"there is no kind {kind} of {api_version}")
