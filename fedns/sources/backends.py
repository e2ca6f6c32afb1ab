"""Slices with the addresses and ports of their endpoints, which only a gateway needs.

Law: pure. As in `objects`; a fleet without a gateway does not read them: they are most of what a slice is.
"""

import sys
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from fedns.sources import objects
from fedns.sources.objects import Kind, Placed, Slice


class _Port(Struct, gc=False):
    name: str | None = None
    port: int | None = None


class _Sliced(objects.Sliced):
    ports: list[_Port] | None = None
    addressType: str | None = None


def _slice(found: _Sliced) -> Slice | None:
    known = objects.sliced(found)
    if known is None or found.addressType == "FQDN":
        return known
    first = [one.addresses[0] for one in found.endpoints or () if one.addresses]
    where = "$.endpoints[{}].addresses[0]"
    addresses = tuple(objects.address(text, where.format(at)) for at, text in enumerate(first))
    ports = tuple((sys.intern(one.name or ""), one.port) for one in found.ports or () if one.port)
    return Placed(known.key, known.endpoints, addresses=addresses, ports=ports)


KINDS: Mapping[tuple[str, str], Kind] = {
    **objects.KINDS,
    ("discovery.k8s.io/v1", "EndpointSlice"): Kind(_Sliced, _slice),
    ("discovery.k8s.io/v1beta1", "EndpointSlice"): Kind(_Sliced, _slice),
}


def kinds(endpoints: bool) -> Mapping[tuple[str, str], Any]:
    """The kinds of a member, whose endpoints are told one by one or not."""
    return KINDS if endpoints else objects.KINDS
