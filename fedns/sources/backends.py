"""Slices, and Endpoints objects, with the addresses and ports of their endpoints, which only a gateway needs.

Law: pure. As in `objects`; a fleet without a gateway does not read them: they are most of what a slice is.
"""

import sys
from collections.abc import Mapping

from msgspec import Struct

from fedns.sources import objects
from fedns.sources.objects import Kind, Placed, Slice


class _Port(Struct, gc=False):
    name: str | None = None
    port: int | None = None


class Sliced(objects.Sliced):
    ports: list[_Port] | None = None
    addressType: str | None = None


def sliced(found: Sliced) -> Slice | None:
    known = objects.sliced(found)
    if known is None or found.addressType == "FQDN":
        return known
    first = [one.addresses[0] for one in found.endpoints or () if one.addresses]
    where = "$.endpoints[{}].addresses[0]"
    addresses = tuple(objects.address(text, where.format(at)) for at, text in enumerate(first))
    return Placed(known.key, known.endpoints, addresses=addresses, ports=_ports(found.ports))


def _ports(found: list[_Port] | None) -> tuple[tuple[str, int], ...]:
    return tuple((sys.intern(one.name or ""), one.port) for one in found or () if one.port)


class Subset(objects.Subset, gc=False):
    ports: list[_Port] | None = None


class Endpoints(objects.Endpoints, gc=False):
    subsets: list[Subset] | None = None  # type: ignore[assignment]


def legacy(found: Endpoints) -> Slice:
    """A pod's ports may differ from another's: of such an object it is not told where its backends are."""
    known, addresses, ports = objects.legacy(found), [], set()
    for at, subset in enumerate(found.subsets or ()):
        ports.add(_ports(subset.ports))
        for name, rows in (("addresses", subset.addresses), ("notReadyAddresses", subset.notReadyAddresses)):
            where = f"$.subsets[{at}].{name}[{{}}].ip"
            addresses += [objects.address(one.ip, where.format(row)) for row, one in enumerate(rows or ())]
    if len(ports) > 1:
        return known
    return Placed(known.key, known.endpoints, True, tuple(addresses), next(iter(ports), ()))


KINDS: Mapping[tuple[str, str], Kind] = {
    **objects.KINDS,
    ("discovery.k8s.io/v1", "EndpointSlice"): Kind(Sliced, sliced),
    ("discovery.k8s.io/v1beta1", "EndpointSlice"): Kind(Sliced, sliced),
    ("v1", "Endpoints"): Kind(Endpoints, legacy),
}
